"""Reductions over axes."""

from __future__ import annotations

import numpy as np

from graphscope.core.dtypes import DataType
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
    return _reduce(call, _REDUCTIONS[call.node.op], call[0])


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
    log = call.op("LogSoftmax", features, axis=-1)
    loss = call.op("Neg", call.reduced("ReduceSum", call.op("Mul", labels, log), [-1]))
    return [loss, call.op("Sub", call.op("Softmax", features, axis=-1), labels)]
