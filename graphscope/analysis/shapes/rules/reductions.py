"""Sums and other reductions along axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import UNKNOWN, Element, Fact, Facts, Value, outputs
from graphscope.analysis.shapes.sizes import (
    Dim,
    Dims,
    all_known,
    at_most,
    axis_of,
    unknown,
)
from graphscope.analysis.shapes.table import rule
from graphscope.analysis.shapes.values import fit_element, offsets, product_of, sum_of
from graphscope.core.values.dtypes import DataType

_INTEGERS = (DataType.INT32, DataType.INT64)


_COMPUTED: Mapping[str, Callable[[Sequence[Element], DataType], Element]] = {
    "Sum": sum_of,
    "Prod": product_of,
    "Max": lambda elements, _: _best(max, elements),
    "Min": lambda elements, _: _best(min, elements),
    "All": lambda elements, _: _of_flags(elements, False),
    "Any": lambda elements, _: _of_flags(elements, True),
}


def _best(choose: Callable[[list[int]], int], elements: Sequence[Element]) -> Element:
    numbers = [element for element in elements if isinstance(element, int)]
    return choose(numbers) if numbers and len(numbers) == len(elements) else None


def _of_flags(elements: Sequence[Element], decisive: bool) -> Element:
    if any(element is decisive for element in elements):
        return decisive
    return not decisive if all(isinstance(element, bool) for element in elements) else None


@rule("Sum Prod Max Min Mean All Any EuclideanNorm ReduceJoin")
def reduction(call: Call) -> Facts:
    """Without the dimensions of the axes, or with size 1 in their place."""
    tensor, axes = call.input(0), call.integers(1)
    at_most(call.shape(1), 1)
    shape = without_axes(tensor.shape, axes, call.flag("keep_dims"))
    if axes is None or not tensor.has_value:
        return (Fact(shape),)
    return (Fact(shape, _reduce(call, tensor, axes)),)


def without_axes(shape: Dims, axes: list[int] | None, keep: bool) -> Dims:
    """``shape`` after a reduction; with ``keep``, of size 1 in the place of the axes.

    Raises:
        ShapeError: there is no such axis.
    """
    if shape is None:
        return None
    if axes is None:
        return unknown(len(shape)) if keep else None
    gone = {axis_of(axis, len(shape)) for axis in axes}
    if keep:
        return tuple(1 if k in gone else size for k, size in enumerate(shape))
    return tuple(size for k, size in enumerate(shape) if k not in gone)


def _reduce(call: Call, tensor: Fact, axes: list[int]) -> Value | None:
    function = _COMPUTED.get(call.node.op)
    if function is None or tensor.value is None or not all_known(tensor.shape):
        return None
    dtype = DataType.BOOL if call.node.op in ("All", "Any") else call.type("T")
    if dtype not in (*_INTEGERS, DataType.BOOL):
        return None
    value, gone = tensor.value, sorted({axis_of(axis, len(tensor.shape)) for axis in axes})
    return tuple(function([value[k] for k in places], dtype) for places in offsets(tensor.shape, gone))


@rule("ArgMax ArgMin")
def arg_reduction(call: Call) -> Facts:
    """Without one dimension."""
    shape, axis = call.shape(0), call.integer(1)
    call.ranked(1, 0)
    if shape is None:
        return (UNKNOWN,)
    if len(shape) <= 1:
        return outputs(())
    if axis is None:
        return outputs(unknown(len(shape) - 1))
    at = axis_of(axis, len(shape))
    return outputs(tuple(size for k, size in enumerate(shape) if k != at))


@rule("Cumsum Cumprod CumulativeLogsumexp")
def cumulative(call: Call) -> Facts:
    """The same shape; elements are summed up along a vector."""
    tensor = call.input(0)
    numbers = call.integers(0) if tensor.has_value and len(tensor.shape or ()) == 1 else None
    plain = not call.flag("exclusive") and not call.flag("reverse")
    if numbers is None or not plain or call.node.op == "CumulativeLogsumexp" or call.type("T") not in _INTEGERS:
        return outputs(tensor.shape)
    join = sum if call.node.op == "Cumsum" else math.prod
    results = [fit_element(join(numbers[: k + 1]), call.type("T")) for k in range(len(numbers))]
    return (Fact(tensor.shape, tuple(results)),)


@rule("ConcatOffset")
def concat_offset(call: Call) -> Facts:
    """The shape of each shape."""
    same = tuple(Fact(fact.shape) for fact in call.inputs[1:])
    axis, shapes = call.integer(0), [call.integers(k) for k in range(1, len(call.inputs))]
    at, result = 0, []
    for shape in shapes:
        if shape is None or axis is None or not -len(shape) <= axis < len(shape):
            return same
        result.append(tuple(at if k == axis % len(shape) else 0 for k in range(len(shape))))
        at += shape[axis]
    return tuple(Fact(fact.shape, value) for fact, value in zip(same, result))


@rule("BroadcastGradientArgs")
def broadcast_gradient(call: Call) -> Facts:
    """The axes along which each gradient is summed up."""
    call.ranked(0, 1)
    call.ranked(1, 1)
    one, other = call.integers(0), call.integers(1)
    if one is None or other is None:
        return outputs((Dim(),), (Dim(),))
    rank = max(len(one), len(other))
    a, b = [1] * (rank - len(one)) + one, [1] * (rank - len(other)) + other
    if one == other:
        return Fact((0,), ()), Fact((0,), ())
    axes = [[k for k, size in enumerate(sizes) if size == 1] for sizes in (a, b)]
    return tuple(Fact((len(found),), tuple(found)) for found in axes)
