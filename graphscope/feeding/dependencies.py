"""The part of a graph that a run executes.

Every control input counts here: a frozen graph keeps only nodes that contribute to a result, but a session runs them all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Graph, Node
from graphscope.core.tensors import TensorName, TensorSpec, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue
from graphscope.transforms.subgraph import clear_placement, prune_library


@dataclass(frozen=True, slots=True)
class Need:
    """The nodes needed to compute some tensors.

    Attributes:
        names: nodes.
        opened: those of them of which every tensor that is used is fed, so that nothing above them runs -> what is fed.
    """

    names: frozenset[str]
    opened: Mapping[str, Sequence[TensorSpec]]


def need(graph: Graph, targets: Iterable[str], given: Iterable[TensorSpec] = ()) -> Need:
    """The nodes that ``targets`` (nodes or tensors) need while the tensors ``given`` are fed.

    A node opens the graph if all of its used tensors are fed; otherwise it must run.

    Raises:
        UnknownNameError: a target is not in the graph.
    """
    tensors = [TensorName.parse(text) for text in targets]
    opened: dict[str, list[TensorSpec]] = {}
    for spec in given:
        opened.setdefault(node_of(spec.name), []).append(spec)
    while True:
        names = _below(graph, (tensor.node for tensor in tensors), opened)
        used = [*tensors, *(TensorName.parse(text) for name in names for text in graph[name].data_inputs())]
        must_run = {t.node for t in used if t.node in opened and t.index not in _indices(opened[t.node])}
        if not must_run:
            return Need(frozenset(names), {name: specs for name, specs in opened.items() if name in names})
        opened = {name: specs for name, specs in opened.items() if name not in must_run}


def _indices(specs: Iterable[TensorSpec]) -> set[int]:
    return {TensorName.parse(spec.name).index for spec in specs}


def _below(graph: Graph, names: Iterable[str], stops: Collection[str]) -> Iterable[str]:
    return graph.reach(names, lambda n: () if n.name in stops else graph.producers(n))


def part(graph: Graph, needed: Need, *, keep_devices: bool = False) -> Graph:
    """The needed nodes, in their original order, and the functions that they call; fed nodes become placeholders."""
    nodes = [fed for n in graph.nodes if n.name in needed.names for fed in _feed(n, needed)]
    return clear_placement(prune_library(graph.with_nodes(nodes)), keep_devices=keep_devices)


def _types(dtypes: Iterable[DataType]) -> AttrValue:
    value = AttrValue()
    value.list.type.extend(map(int, dtypes))
    return value


def _feed(original: Node, needed: Need) -> Iterator[Node]:
    """The node; a placeholder where its only tensor is fed; where further ones are, a node that never runs has them all."""
    specs = {TensorName.parse(spec.name).index: spec for spec in needed.opened.get(original.name, ())}
    if not specs or original.op in ("Placeholder", "PlaceholderV2"):
        yield original
    elif set(specs) == {0}:
        yield make_node(original.name, "Placeholder", (), {"dtype": type_attr(specs[0].dtype)})
    else:
        types = [specs[i].dtype if i in specs else DataType.FLOAT for i in range(max(specs) + 1)]
        names = [f"{original.name}/graphscope_fed_{i}" for i in range(len(types))]
        for name, dtype in zip(names, types):
            yield make_node(name, "Placeholder", (), {"dtype": type_attr(dtype)})
        yield make_node(original.name, "IdentityN", names, {"T": _types(types)})
