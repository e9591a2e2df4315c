"""Reductions over axes."""

from __future__ import annotations

import functools

import numpy as np

from graphscope.core.values.dtypes import DataType
from graphscope.export.onnx.builder import vector
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.registry import rule
from graphscope.export.onnx.value import Value
from graphscope.export.refusal import NotExpressibleError

_REDUCTIONS = {
    "Sum": "ReduceSum",
    "Mean": "ReduceMean",
    "Max": "ReduceMax",
    "Min": "ReduceMin",
    "Prod": "ReduceProd",
    "EuclideanNorm": "ReduceL2",
}


def _reduce(call: Call, op: str, value: Value) -> Value:
    known = call[1].numpy()
    axes = call.vector(call[1]) if known is None else [int(n) for n in known.reshape(-1)]
    return call.reduced(op, value, axes, call.attr("keep_dims").b)


@rule(*_REDUCTIONS)
def _reduction(call: Call) -> Value:
    if call.node.op in ("Mean", "EuclideanNorm") and not call[0].dtype.is_floating:
        raise NotExpressibleError("ONNX has no mean of integers that rounds as TensorFlow's")
    if call.node.op == "Prod" and (call[0].dtype.itemsize or 0) < 4 and not call[0].dtype.is_floating:
        raise NotExpressibleError(f"runtimes do not reproduce the overflows of {call[0].dtype.label} products")
    if call.node.op == "EuclideanNorm":
        return _reduce(call, "ReduceL2", call.op("Abs", call[0]))  # of a number alone, where there is no axis
    if not call[0].dtype.is_floating and call.node.op in _IN_LONG:
        return call.cast(_IN_LONG[call.node.op](call, call.cast(call[0], DataType.INT64)), call[0].dtype)
    if call[0].dtype is DataType.INT16 and call.node.op in _LIMITS:
        found = _reduce(call, _REDUCTIONS[call.node.op], call.cast(call[0], DataType.INT32))
        return call.cast(call.op(call.node.op, found, np.int32(_LIMITS[call.node.op])), DataType.INT16)
    return _reduce(call, _REDUCTIONS[call.node.op], call[0])


def _sum_of_integers(call: Call, value: Value) -> Value:
    """ONNX Runtime adds integers as floating-point numbers and does not wrap around; 64 bits have room for what 32 lose."""
    return _reduce(call, "ReduceSum", value)


def _product_of_integers(call: Call, value: Value) -> Value:
    """As for sums; few numbers, as of a shape, are multiplied one by one, exactly."""
    known = call[1].numpy()
    axes = None if known is None else [int(n) for n in known.reshape(-1)]
    count = value.size(axes[0]) if axes is not None and len(axes) == 1 else None
    if axes is None or count is None or not 0 < count <= _FEW:
        return _reduce(call, "ReduceProd", value)
    parts = [call.op("Gather", value, vector([i]), axis=axes[0]) for i in range(count)]
    product = functools.reduce(lambda a, b: call.op("Mul", a, b), parts)
    return product if call.attr("keep_dims").b else call.squeeze(product, axes[0])


_IN_LONG = {"Sum": _sum_of_integers, "Prod": _product_of_integers}
_FEW = 16

_LIMITS = {"Max": -(1 << 15), "Min": (1 << 15) - 1}
"""Op -> what it gives of no 16-bit integers, which are computed in a wider type."""


@rule("Any")
def _any_(call: Call) -> Value:
    count = _reduce(call, "ReduceSum", call.cast(call[0], DataType.INT32))
    return call.op("Greater", count, np.int32(0))


@rule("All")
def _all_(call: Call) -> Value:
    """No element is false."""
    count = _reduce(call, "ReduceSum", call.cast(call.op("Not", call[0]), DataType.INT32))
    return call.op("Equal", count, np.int32(0))


@rule("ArgMax", "ArgMin")
def _arg(call: Call) -> Value:
    axis = call.numbers(call[1], "axis")[0] if len(call.inputs) > 1 else 0
    return call.cast(call.op(call.node.op, call[0], axis=axis, keepdims=0), call.types[0])


@rule("L2Loss")
def _l2_loss(call: Call) -> Value:
    flat = call.op("Reshape", call[0], vector([-1]))
    return call.op("Mul", call.reduced("ReduceSumSquare", flat, [0]), call.scalar(0.5, flat))


@rule("Cumsum", "Cumprod")
def _cumulative(call: Call) -> Value:
    if call.node.op == "Cumprod":
        raise NotExpressibleError("ONNX has no cumulative product")
    axis = call.cast(call[1], DataType.INT64)
    exclusive, reverse = (int(call.attr(name).b) for name in ("exclusive", "reverse"))
    return call.op("CumSum", call[0], axis, exclusive=exclusive, reverse=reverse)


@rule("Softmax", "LogSoftmax")
def _softmax(call: Call) -> Value:
    return call.op(call.node.op, call[0], axis=-1)


@rule("SoftmaxCrossEntropyWithLogits")
def _cross_entropy(call: Call) -> list[Value]:
    features, labels = call.inputs
    if features.size(-1) == 1 != labels.size(-1):
        raise NotExpressibleError("its features and labels do not have the same number of classes")
    log = call.op("LogSoftmax", features, axis=-1)
    loss = call.op("Neg", call.reduced("ReduceSum", call.op("Mul", labels, log), [-1]))
    return [loss, call.op("Sub", call.op("Softmax", features, axis=-1), labels)]
