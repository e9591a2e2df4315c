"""Inputs, constants, pass-through ops, random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from graphscope.core.ops.sets import DEFAULTED
from graphscope.core.values.dtypes import DataType
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.element_types import is_expressible, plain
from graphscope.export.onnx.registry import rule
from graphscope.export.onnx.value import Dims, Value
from graphscope.export.refusal import UNSHAPED, NotExpressibleError
from graphscope.transforms.findings.switches import open_switches


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
    """The shape from the file, the options or the consumers; training switches are scalars."""
    conversion = call.region.conversion
    shape = conversion.shapes.get(tensor)
    if shape is None and call.node.name in open_switches(conversion.graph):
        return ()
    if shape is None:
        raise NotExpressibleError(UNSHAPED)
    return shape


def _dims(name: str, shape: tuple[int | None, ...]) -> Dims:
    """Unknown dimensions get readable symbols."""
    return tuple(f"{name}_{i}" if size is None else size for i, size in enumerate(shape))


@rule("Identity", "StopGradient", "Snapshot", "PreventGradient", "CheckNumerics", "DeepCopy", "EnsureShape", "Print")
def _pass_on(call: Call) -> Value:
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
    """Evenly spaced values between the ends."""
    call.region.conversion.random.append(call.node.name)
    low, high = (call.cast(value, DataType.DOUBLE) for value in call.inputs[1:])
    zeros = call.op("Expand", np.zeros((), np.float64), call.vector(call[0]))
    share = call.op("RandomUniformLike", zeros, low=0.0, high=1.0)
    steps = call.op("Floor", call.op("Mul", share, call.op("Sub", high, low)))
    return call.cast(call.op("Add", steps, low), call.types[0])


@rule("Empty")
def _empty(call: Call) -> Value:
    """Uninitialized memory: zeros are valid, and required by ``init``."""
    return call.op("Expand", np.zeros((), call.types[0].numpy), call.vector(call[0]))
