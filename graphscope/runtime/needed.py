"""The part of a graph that a run touches.

Every control input counts here: a frozen graph keeps only what a result is made of, a session runs what the file says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from graphscope.core.build import node, type_attr
from graphscope.core.graph import Graph, Node
from graphscope.core.tensors import TensorName, TensorSpec, node_of
from graphscope.transforms.cut import clear_placement, prune_library


@dataclass(frozen=True, slots=True)
class Need:
    """What computing some tensors needs.

    Attributes:
        names: nodes.
        opened: those of them that are fed, so that nothing above them runs -> what is fed.
    """

    names: frozenset[str]
    opened: Mapping[str, TensorSpec]


def need(graph: Graph, targets: Iterable[str], given: Iterable[TensorSpec] = ()) -> Need:
    """What ``targets`` (nodes or tensors) need while the tensors ``given`` are fed.

    Only the first output of a node opens the graph there: a node of which another output is needed too must run.

    Raises:
        UnknownNameError: a target is not in the graph.
    """
    tensors = [TensorName.parse(text) for text in targets]
    opened = {node_of(spec.name): spec for spec in given if TensorName.parse(spec.name).index == 0}
    while True:
        names = _below(graph, (tensor.node for tensor in tensors), opened)
        used = [*tensors, *(TensorName.parse(text) for name in names for text in graph[name].data_inputs())]
        must_run = {tensor.node for tensor in used if tensor.index > 0 and tensor.node in opened}
        if not must_run:
            return Need(frozenset(names), {name: spec for name, spec in opened.items() if name in names})
        opened = {name: spec for name, spec in opened.items() if name not in must_run}


def _below(graph: Graph, names: Iterable[str], stops: Collection[str]) -> Iterable[str]:
    return graph.reach(names, lambda n: () if n.name in stops else graph.producers(n))


def part(graph: Graph, needed: Need, *, keep_devices: bool = False) -> Graph:
    """The nodes that are needed, in their old order, and the functions that they call; fed nodes are placeholders."""
    nodes = [_fed(n, needed) for n in graph.nodes if n.name in needed.names]
    return clear_placement(prune_library(graph.with_nodes(nodes)), keep_devices=keep_devices)


def _fed(original: Node, needed: Need) -> Node:
    spec = needed.opened.get(original.name)
    if spec is None or original.op in ("Placeholder", "PlaceholderV2"):
        return original
    return node(original.name, "Placeholder", (), {"dtype": type_attr(spec.dtype)})
