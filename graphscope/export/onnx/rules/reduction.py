"""Reductions over axes."""

from __future__ import annotations

import functools

import numpy as np

from graphscope.core.tensors import node_of
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
    if call.node.op == "Mean":
        return _mean(call)
    if call[0].dtype is DataType.INT16 and call.node.op in _LIMITS:
        found = _reduce(call, _REDUCTIONS[call.node.op], call.cast(call[0], DataType.INT32))
        return call.cast(call.op(call.node.op, found, np.int32(_LIMITS[call.node.op])), DataType.INT16)
    return _reduce(call, _REDUCTIONS[call.node.op], call[0])


def _sum_of_integers(call: Call, value: Value) -> Value:
    """ONNX Runtime adds integers as double-precision numbers: those of 64 bits in two parts, and shorter ones have room."""
    if _fits_in_double(call):
        return _reduce(call, "ReduceSum", value)
    unit = call.scalar(1 << 30, value)
    high = call.op("Div", value, unit)
    low = call.op("Sub", value, call.op("Mul", high, unit))
    high, low = (_reduce(call, "ReduceSum", part) for part in (high, low))
    return call.op("Add", call.op("Mul", high, unit), low)


def _fits_in_double(call: Call) -> bool:
    """Whether the numbers have so few bits that their sum is exact in double precision."""
    if (call[0].dtype.itemsize or 0) <= _SHORT:
        return True
    source = node_of(call.node.data_inputs()[0])
    if source not in call.region.body or call.region.body[source].op not in ("Cast", "Shape", "Size"):
        return False
    cast_from = call.region.body[source].attr("SrcT")
    return cast_from is None or (DataType.of(cast_from.type).itemsize or 0) <= _SHORT


_SHORT = 4
"""The bytes of a short integer."""


def _product_of_integers(call: Call, value: Value) -> Value:
    """By halves, exactly: ``ReduceProd`` computes in double precision, and does not wrap around."""
    known = call[1].numpy()
    axes = None if known is None or value.rank is None else [int(n) % value.rank for n in known.reshape(-1)]
    sizes = [value.size(axis) for axis in axes or ()]
    if axes is None or None in sizes:
        call.region.conversion.note(
            call.node, "runtimes multiply integers as float64: products beyond 2^53 are rounded"
        )
    if axes is None or not all(sizes):
        return _reduce(call, "ReduceProd", value)
    product = functools.reduce(lambda part, axis: _multiplied(call, part, axis), axes, value)
    return product if call.attr("keep_dims").b else call.squeeze(product, *axes)


def _multiplied(call: Call, value: Value, axis: int) -> Value:
    """The product along ``axis``, which stays with size 1: one half times the other, until one number is left."""
    count = value.size(axis) or 0
    while count > 1:
        half = count // 2
        first, second, rest = (
            call.op("Slice", value, vector([start]), vector([end]), vector([axis])) if start < end else None
            for start, end in ((0, half), (half, 2 * half), (2 * half, count))
        )
        product = call.op("Mul", first, second)
        value = product if rest is None else call.op("Concat", product, rest, axis=axis)
        count -= half
    return value


_IN_LONG = {"Sum": _sum_of_integers, "Prod": _product_of_integers}


def _mean(call: Call) -> Value:
    """The mean of no numbers is no number; ONNX Runtime gives 0."""
    mean = _reduce(call, "ReduceMean", call[0])
    known = call[1].numpy()
    axes = None if known is None else [int(n) for n in known.reshape(-1)]
    if axes is not None and all(call[0].size(axis) for axis in axes):
        return mean
    has_any = call.cast(call.op("Size", call[0]), DataType.BOOL)
    return call.where(has_any, mean, call.scalar(np.nan, mean))


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
    """Features of one class, or one example, are those of all classes and examples that have labels."""
    features, labels = call.inputs
    if features.size(-1) is None or features.size(-1) == 1 != labels.size(-1):
        features = call.op("Expand", features, call.op("Shape", labels))
    log = call.op("LogSoftmax", features, axis=-1)
    loss = call.op("Neg", call.reduced("ReduceSum", call.op("Mul", labels, log), [-1]))
    return [loss, call.op("Sub", call.op("Softmax", features, axis=-1), labels)]
