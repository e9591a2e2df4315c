"""Axis sizes: numbers if known, otherwise computed in the graph."""

from __future__ import annotations

from collections.abc import Sequence

from graphscope.export.onnx.builder import vector
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.value import Value

Size = int | Value
"""A number, or a vector of one int64."""


def size_of(call: Call, value: Value, axis: int) -> Size:
    """The size of one axis, counted from the front."""
    known = value.size(axis)
    return call.op("Shape", value, start=axis, end=axis + 1) if known is None else known


def times(call: Call, size: Size, factor: int) -> Size:
    """``size * factor``."""
    return size * factor if isinstance(size, int) else call.op("Mul", size, vector([factor]))


def divide(call: Call, size: Size, divisor: int) -> Size:
    """``size // divisor``, of sizes."""
    return size // divisor if isinstance(size, int) else call.op("Div", size, vector([divisor]))


def minus(call: Call, size: Size, number: int) -> Size:
    """``size - number``."""
    return size - number if isinstance(size, int) else call.op("Sub", size, vector([number]))


def join(call: Call, sizes: Sequence[Size]) -> Value:
    """The sizes as one vector; a constant if all are known."""
    known = [size for size in sizes if isinstance(size, int)]
    if len(known) == len(sizes):
        return call.builder.constant(vector(known))
    return call.op("Concat", *(vector([s]) if isinstance(s, int) else s for s in sizes), axis=0)


def reshape_to(call: Call, value: Value, sizes: Sequence[Size]) -> Value:
    """``value`` in the shape ``sizes``."""
    is_counted = None if -1 in sizes else 1  # otherwise a computed size of 0 would be that of the input
    result = call.op("Reshape", value, join(call, sizes), allowzero=is_counted)
    return call.builder.reshaped(result, tuple(s if isinstance(s, int) and s >= 0 else None for s in sizes))


def flattened(call: Call, value: Value, axes: int) -> Value:
    """``value`` with its first ``axes`` as one."""
    if axes == 1:
        return value
    if axes == 0:
        return call.unsqueeze(value, 0)
    rest = [size_of(call, value, i) for i in range(axes, call.rank(value))]
    return reshape_to(call, value, [-1, *rest])
