"""Inputs, constants, what passes tensors on, random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from graphscope.core.dtypes import DataType
from graphscope.core.graph import Graph, Node
from graphscope.core.op_sets import DEFAULTED
from graphscope.core.stated_shapes import stated_shape
from graphscope.core.tensors import Shape, node_of, shape_text
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.element_types import is_expressible, plain
from graphscope.export.onnx.refusal import UNSHAPED, NotExpressibleError
from graphscope.export.onnx.registry import rule
from graphscope.export.onnx.value import Dims, Value
from graphscope.transforms.switches import open_switches


@rule("Const")
def _const(call: Call) -> Value:
    payload = call.node.tensor()
    if payload is None:
        raise NotExpressibleError("it has no value")
    if not is_expressible(payload.dtype):
        raise NotExpressibleError(f"ONNX has no type {payload.dtype.label}")
    name = call.builder.shared.fresh(f"{call.node.name}:0")
    value = call.builder.constant(payload, name)
    if len(payload.shape) <= 1 and payload.elements <= 32 and payload.dtype in (DataType.INT32, DataType.INT64):
        return replace(value, items=tuple(int(n) for n in payload.listed()))
    return value


@rule("Placeholder", "PlaceholderV2", DEFAULTED)
def _placeholder(call: Call) -> Value:
    """One with a default: it may be given in ONNX too, if that is a constant; a computed one is taken as it comes."""
    conversion = call.region.conversion
    if call.inputs and call[0].payload is None:
        return call[0]
    tensor = f"{call.node.name}:0"
    dtype = call.types[0]
    if not is_expressible(dtype):
        raise NotExpressibleError(f"ONNX has no type {dtype.label}")
    shape = _shape(call, tensor)
    value = call.builder.input(tensor, dtype, _dims(call.node.name, shape))
    conversion.inputs[tensor] = value
    if call.inputs and call[0].payload is not None:
        call.builder.shared.constants[value.name] = call[0].payload
    return value


def _shape(call: Call, tensor: str) -> tuple[int | None, ...]:
    """The shape that a person gives the input, or the one that the file states or its consumers demand."""
    stated = stated_shape(call.node, 0, call.region.conversion.graph.producer, call.region.body)
    given = call.region.conversion.shapes.get(tensor)
    if stated is None:
        stated = _demanded(call)
    if given is None and stated is None:
        raise NotExpressibleError(UNSHAPED)
    if given is None or stated is None:
        return given or stated or ()
    if not _fits(given, stated):
        raise NotExpressibleError(f"its shape is {shape_text(stated)}, which {shape_text(given)} does not fit")
    return tuple(b if a is None else a for a, b in zip(given, stated))


def _demanded(call: Call) -> Shape:
    """Training switches are scalars; of other inputs the rank may follow from what takes them, behind what keeps shapes."""
    graph = call.region.conversion.graph
    if call.node.name in open_switches(graph):
        return ()
    behind = graph.reach(
        [call.node.name], lambda node: [c for c in graph.consumers(node.name) if _keeps_shape(graph, c)]
    )
    takers = ((taker, name) for name in behind for taker in graph.consumers(name))
    ranks = [_RANKS[t.op] for t, name in takers if t.op in _RANKS and node_of(t.inputs[_PLACES.get(t.op, 0)]) == name]
    return (None,) * ranks[0] if ranks else None


_RANKS = {
    **dict.fromkeys("Conv2D DepthwiseConv2dNative MaxPool AvgPool LRN FusedBatchNorm FusedBatchNormV3".split(), 4),
    **dict.fromkeys("ResizeBilinear ResizeNearestNeighbor ResizeBicubic Conv2DBackpropInput".split(), 4),
    **dict.fromkeys("Conv3D MaxPool3D AvgPool3D".split(), 5),
    "MatMul": 2,
}
"""Ops that take tensors of one rank only."""

_PLACES = {"Conv2DBackpropInput": 2}
"""Which input has that rank, where it is not the first."""

_SAME_SHAPE = frozenset(
    "Identity Cast Neg Abs Sqrt Square Exp Log Relu Tanh Sigmoid StopGradient CheckNumerics".split()
)
_WITH_SCALAR = frozenset("Add AddV2 Sub Mul RealDiv Div Maximum Minimum Pow".split())


def _keeps_shape(graph: Graph, node: Node) -> bool:
    """Whether the result has the shape of the input that is no scalar constant."""
    if node.op in _SAME_SHAPE:
        return True
    tensors = [graph[node_of(text)].tensor() for text in node.data_inputs()] if node.op in _WITH_SCALAR else []
    return any(tensor is not None and tensor.shape == () for tensor in tensors)


def _fits(given: Shape, stated: Shape) -> bool:
    if given is None or stated is None or len(given) != len(stated):
        return False
    return all(a is None or b is None or a == b for a, b in zip(given, stated))


def _dims(name: str, shape: tuple[int | None, ...]) -> Dims:
    """Unknown dimensions get symbols that a person can read."""
    return tuple(f"{name}_{i}" if size is None else size for i, size in enumerate(shape))


@rule("Identity", "StopGradient", "Snapshot", "PreventGradient", "CheckNumerics", "DeepCopy", "EnsureShape", "Print")
def _passed(call: Call) -> Value:
    return call[0]


@rule("IdentityN")
def _passed_all(call: Call) -> Sequence[Value]:
    return call.inputs


@rule("NoOp", "Assert")
def _nothing(_: Call) -> Sequence[Value]:
    return ()


@rule("RandomUniform", "RandomStandardNormal")
def _random(call: Call) -> Value:
    call.region.conversion.random.append(call.node.name)
    dtype = call.dtype("dtype")
    zeros = call.op("Expand", np.zeros((), plain(dtype).numpy), call.vector(call[0]))
    if call.node.op == "RandomUniform":
        return call.op("RandomUniformLike", zeros, low=0.0, high=1.0)
    return call.op("RandomNormalLike", zeros, mean=0.0, scale=1.0)


@rule("RandomUniformInt")
def _random_integer(call: Call) -> Value:
    """Steps of equal width between the ends."""
    call.region.conversion.random.append(call.node.name)
    low, high = (call.cast(value, DataType.DOUBLE) for value in call.inputs[1:])
    zeros = call.op("Expand", np.zeros((), np.float64), call.vector(call[0]))
    share = call.op("RandomUniformLike", zeros, low=0.0, high=1.0)
    steps = call.op("Floor", call.op("Mul", share, call.op("Sub", high, low)))
    return call.cast(call.op("Add", steps, low), call.types[0])


@rule("Empty")
def _empty(call: Call) -> Value:
    """Whatever is in memory: zeros are as good as anything, and what ``init`` asks for."""
    return call.op("Expand", np.zeros((), call.types[0].numpy), call.vector(call[0]))
