"""What is known of weights and small constants on the way to the ops that take them."""

from __future__ import annotations

from graphscope.core.graph import Body
from graphscope.core.tensors import Shape, node_of, shape_of
from graphscope.core.values.dtypes import DataType

_READS = frozenset("Identity ReadVariableOp Cast Enter RefEnter StopGradient FakeQuantWithMinMaxVars".split())
_STEPS = 32


def small_integers(graph: Body, text: str) -> list[int] | None:
    """The numbers of the tensor ``text``, if it is a small constant of integers."""
    node = graph.get(node_of(text))
    tensor = node.tensor() if node is not None and node.op == "Const" else None
    if tensor is None or tensor.elements > _STEPS or tensor.dtype not in (DataType.INT32, DataType.INT64):
        return None
    return [int(value) for value in tensor.listed()]


def weight_shape(graph: Body, text: str) -> Shape:
    """The shape of a constant or a variable, behind what reads it; ``None`` if it is not known."""
    node = graph.get(node_of(text))
    for _ in range(_STEPS):
        if node is None:
            return None
        tensor = node.tensor() if node.op == "Const" else None
        if tensor is not None:
            return tensor.shape
        shape = node.attr("shape")
        if shape is not None and node.op in ("Variable", "VariableV2", "VarHandleOp"):
            return shape_of(shape.shape)
        if node.op == "ExpandDims":
            return _with_axis(weight_shape(graph, node.inputs[0]), small_integers(graph, node.inputs[1]))
        node = graph.get(node_of(node.inputs[0])) if node.op in _READS and node.inputs else None
    return None


def _with_axis(shape: Shape, axis: list[int] | None) -> Shape:
    if shape is None or not axis:
        return None
    at = axis[0] if axis[0] >= 0 else len(shape) + 1 + axis[0]
    return (*shape[:at], 1, *shape[at:])
