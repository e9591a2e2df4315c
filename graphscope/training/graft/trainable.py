"""The weights of a trained model that can be trained again, and how constants become variables for that."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from graphscope.core.changes.build import make_node, type_attr, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.names import free_name
from graphscope.core.tensors import TensorName, node_of
from graphscope.core.values.payload import Payload
from graphscope.errors import UnknownNameError
from graphscope.protos import AttrValue
from graphscope.training.graft.base import Base

STATISTICS = re.compile(r"(moving|running|pop|population)_(mean|var|variance)|ExponentialMovingAverage$", re.IGNORECASE)
"""Names of what batch norm keeps of past batches; what the op's inputs say is looked at as well."""

_FUSED = re.compile(r"FusedBatchNorm(V2|V3)?|_FusedBatchNormEx")
_FUSED_STATISTICS = slice(3, 5)
"""``FusedBatchNorm(x, scale, offset, mean, variance)``"""

_READS = frozenset({"Identity", "ReadVariableOp", "Cast"})


def candidates(base: Base) -> list[str]:
    """The weights of ``base`` that can train: its floating variables, or, where it has none, its floating constants.

    Statistics of batch norms are none; nor is a constant of one element, which is an epsilon or a factor.
    """
    names = list(base.values) or list(constant_weights(base.graph))
    statistics = _statistics(base.graph)
    return [n for n in names if n not in statistics and not STATISTICS.search(n) and _is_floating(base, n)]


def constant_weights(graph: Graph) -> dict[str, int]:
    """Floating constants of more than one element -> their number of elements."""
    constants = ((n.name, n.tensor()) for op, n in zip(graph.ops, graph.nodes) if op == "Const")
    return {name: t.elements for name, t in constants if t is not None and t.dtype.is_floating and t.elements > 1}


def _is_floating(base: Base, name: str) -> bool:
    return name not in base.values or base.values[name].dtype.is_floating


def _statistics(graph: Graph) -> set[str]:
    """Nodes that give mean and variance of a fused batch norm."""
    found: set[str] = set()
    for op, norm in zip(graph.ops, graph.nodes):
        if _FUSED.fullmatch(op):
            found.update(_origin(graph, text) for text in norm.data_inputs()[_FUSED_STATISTICS])
    return found


def _origin(graph: Graph, text: str) -> str:
    found = graph[node_of(text)]
    while found.op in _READS and found.data_inputs():
        found = graph[node_of(found.inputs[0])]
    return found.name


def matching(names: Sequence[str], patterns: Iterable[re.Pattern[str]], known: Iterable[str]) -> list[str]:
    """Those of ``names`` in which a pattern is found, in order.

    Args:
        known: all names there are, for the message.

    Raises:
        UnknownNameError: a pattern is found in none; the error lists the closest.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        found = [name for name in names if pattern.search(name)]
        if not found:
            frozen = [name for name in known if pattern.search(name)]
            why = f"{', '.join(frozen[:3])} cannot train (statistics, steps, integers)" if frozen else None
            parts = (part for name in names for part in name.split("/"))
            raise UnknownNameError("variable that can train", pattern.pattern, [*names, *parts], hint=why)
        chosen.update(found)
    return [name for name in names if name in chosen]


def unfreeze_constants(graph: Graph, names: Collection[str]) -> tuple[Graph, dict[str, Payload]]:
    """``graph`` with a resource variable in the place of each constant called one of ``names``, and their values."""
    reads = {name: free_name(f"{name}/ReadVariableOp", graph) for name in names}
    values = {name: tensor for name in names if (tensor := graph[name].tensor()) is not None}
    nodes = [made for found in graph for made in _unfreeze(found, reads, values)]
    return graph.with_nodes(nodes), values


def _unfreeze(found: Node, reads: Mapping[str, str], values: Mapping[str, Payload]) -> Iterator[Node]:
    if found.name not in reads:
        inputs = [_redirect(text, reads) for text in found.inputs]
        yield with_inputs(found, inputs) if inputs != list(found.inputs) else found
        return
    payload = values[found.name]
    attrs = {"dtype": type_attr(payload.dtype), "shape": AttrValue(), "shared_name": AttrValue(s=found.name.encode())}
    attrs["shape"].shape.SetInParent()
    for size in payload.shape:
        attrs["shape"].shape.dim.add(size=size)
    yield make_node(found.name, "VarHandleOp", (), attrs)
    controls = [text for text in found.inputs if text.startswith("^")]
    yield make_node(reads[found.name], "ReadVariableOp", [found.name, *controls], {"dtype": type_attr(payload.dtype)})


def _redirect(text: str, reads: Mapping[str, str]) -> str:
    tensor = TensorName.parse(text)
    return reads[tensor.node] if not tensor.is_control and tensor.node in reads else text
