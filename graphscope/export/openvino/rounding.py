"""Integers that OpenVINO computes as float32, which holds those up to 2^24 exactly. Measured with OpenVINO 2026.4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from onnx import NodeProto

from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import some
from graphscope.export.onnx.graph import OnnxGraph, subgraphs

_IN_FLOAT = frozenset({"Div", "Einsum", "MatMul", "Mod", "ReduceMax", "ReduceMin", "ReduceSum"})
_LONG = frozenset({DataType.INT32, DataType.INT64, DataType.UINT32, DataType.UINT64})
_COUNTING = frozenset({"ArgMax", "ArgMin", "NonZero", "Shape", "Size"})
_MOST_NAMES = 4
_SHORT_ENOUGH = 2
"""Bytes of numbers that float32 holds, and whose sums and products it mostly does."""


def rounding_notes(made: OnnxGraph) -> list[str]:
    """What is said of nodes whose integers may be rounded. Sizes, places and what is computed of them are small enough."""
    types = {value.name: value.dtype for value in (*made.inputs, *made.values, *made.outputs)}
    types.update((name, payload.dtype) for name, payload in made.constants.items())
    nodes = _rounded(made.nodes, types, set(made.constants))
    names = dict.fromkeys(node_of(node.name).removesuffix(f"/{node.op_type}") for node in nodes)
    return [f"OpenVINO rounds integers beyond 2^24 in {some(names, _MOST_NAMES)}"] if names else []


def _rounded(nodes: Sequence[NodeProto], types: Mapping[str, DataType], small: set[str]) -> Iterator[NodeProto]:
    """The nodes that compute large integers as float32; adds to ``small`` what holds small numbers only."""
    for node in nodes:
        given = [name for name in node.input if name]
        if node.op_type in _COUNTING or small.issuperset(given) or _is_widened(node, types):
            small.update(node.output)
        elif node.op_type in _IN_FLOAT and types.get(given[0]) in _LONG and not small.issuperset(given):
            yield node
        for graph in subgraphs(node):
            yield from _rounded(graph.node, types, small)


def _is_widened(node: NodeProto, types: Mapping[str, DataType]) -> bool:
    """Whether it casts numbers of few bits."""
    given = types.get(node.input[0]) if node.op_type == "Cast" else None
    return given is not None and not given.is_floating and (given.itemsize or 0) <= _SHORT_ENOUGH
