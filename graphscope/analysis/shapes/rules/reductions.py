"""Sums and other reductions, along axes and by segments; orders, ranges and counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeGuard

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import MAX_ELEMENTS, UNKNOWN, Element, Fact, Facts, Value, outputs
from graphscope.analysis.shapes.sizes import (
    Dim,
    Dims,
    ShapeError,
    Size,
    all_known,
    at_least,
    at_most,
    axis_of,
    merge_sizes,
    unknown,
)
from graphscope.analysis.shapes.table import rule
from graphscope.analysis.shapes.values import fitted, offsets, product_of, sum_of
from graphscope.core.dtypes import DataType

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
    return (Fact(shape, _reduced(call, tensor, axes)),)


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


def _reduced(call: Call, tensor: Fact, axes: list[int]) -> Value | None:
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
    results = [fitted(join(numbers[: k + 1]), call.type("T")) for k in range(len(numbers))]
    return (Fact(tensor.shape, tuple(results)),)


@rule("SegmentSum SegmentProd SegmentMax SegmentMin SegmentMean")
def segment(call: Call) -> Facts:
    """As many rows as there are segments, which is unknown."""
    data = at_least(call.shape(0), 1)
    call.ranked(1, 1)
    return outputs(None if data is None else (Dim(), *data[1:]))


@rule("UnsortedSegmentSum UnsortedSegmentProd UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentJoin")
def unsorted_segment(call: Call) -> Facts:
    """As many rows as stated."""
    data, ids, number = call.shape(0), call.shape(1), call.integer(2)
    call.ranked(2, 0)
    count = call.size(2) if number is None or number >= 0 else Dim()
    if data is None or ids is None:
        return (UNKNOWN,)
    if len(ids) > len(data):
        raise ShapeError(f"segment_ids of rank {len(ids)} for data of rank {len(data)}")
    for one, other in zip(data, ids):
        merge_sizes(one, other)
    return outputs((count, *data[len(ids) :]))


@rule(
    "SparseSegmentSum SparseSegmentMean SparseSegmentSqrtN SparseSegmentSumWithNumSegments"
    " SparseSegmentMeanWithNumSegments SparseSegmentSqrtNWithNumSegments"
)
def sparse_segment(call: Call) -> Facts:
    """Rows that indices choose, as many as there are segments."""
    data = at_least(call.shape(0), 1)
    merge_sizes(call.ranked(1, 1)[0], call.ranked(2, 1)[0])
    count: Size = call.size(3) if call.node.op.endswith("NumSegments") else Dim()
    return outputs(None if data is None else (count, *data[1:]))


@rule("SparseSegmentSumGrad SparseSegmentMeanGrad SparseSegmentSqrtNGrad")
def sparse_segment_gradient(call: Call) -> Facts:
    """As many rows as stated."""
    data = at_least(call.shape(0), 1)
    merge_sizes(call.ranked(1, 1)[0], call.ranked(2, 1)[0])
    call.ranked(3, 0)
    return outputs(None if data is None else (call.size(3), *data[1:]))


@rule("Range")
def range_op(call: Call) -> Facts:
    """From start to limit, limit left out."""
    for index in range(3):
        call.ranked(index, 0)
    start, limit, delta = (call.element(index) for index in range(3))
    if _is(start, 0) and _is(delta, 1) and isinstance(limit, Dim):
        return outputs((limit,))
    if not (_is_number(start) and _is_number(limit) and _is_number(delta)):
        return outputs((Dim(),))
    size = _range_size(start, limit, delta)
    if isinstance(start, float) or size > MAX_ELEMENTS:
        return outputs((size,))
    return (Fact((size,), tuple(int(start + k * delta) for k in range(size))),)


def _is(element: Element, number: int) -> bool:
    return isinstance(element, int) and element == number


def _is_number(element: Element) -> TypeGuard[int | float]:
    return isinstance(element, (int, float)) and math.isfinite(element)


def _range_size(start: float, limit: float, delta: float) -> int:
    """How many numbers there are from ``start`` on; whole numbers are counted exactly."""
    if not delta or (limit - start) * delta < 0:
        raise ShapeError(f"no range leads from {start} to {limit} by {delta}")
    if isinstance(start, float):
        return math.ceil(abs((limit - start) / delta))
    return int(-((start - limit) // delta))


@rule("LinSpace")
def lin_space(call: Call) -> Facts:
    """As many numbers as stated."""
    for index in range(3):
        call.ranked(index, 0)
    count = call.integer(2)
    if count is not None and count <= 0:
        raise ShapeError(f"num must be positive but is {count}")
    return outputs((call.size(2),))


@rule("OneHot")
def one_hot(call: Call) -> Facts:
    """One more dimension, of the stated depth."""
    indices, depth = call.shape(0), call.size(1)
    if indices is None:
        return (UNKNOWN,)
    axis = call.number("axis")
    if axis < -1 or axis > len(indices):
        raise ShapeError(f"axis must be -1 to {len(indices)} but is {axis}")
    at = len(indices) if axis == -1 else axis
    return outputs((*indices[:at], depth, *indices[at:]))


@rule("TopK TopKV2")
def top_k(call: Call) -> Facts:
    """The last dimension of the stated size."""
    shape = at_least(call.shape(0), 1)
    k: Size = call.number("k") if call.node.op == "TopK" else call.size(1)
    if shape is None:
        return ()
    last = shape[-1]
    if isinstance(last, int) and isinstance(k, int) and last < k:
        raise ShapeError(f"input must have at least {k} columns but has {last}")
    result = (*shape[:-1], k)
    return outputs(result, result)


@rule("NthElement")
def nth_element(call: Call) -> Facts:
    """Without the last dimension."""
    shape = at_least(call.shape(0), 1)
    return outputs(None if shape is None else shape[:-1])


@rule("Where")
def where(call: Call) -> Facts:
    """As many places as are not zero, each a number for each dimension."""
    shape = call.shape(0)
    return outputs((Dim(), len(shape) if shape is not None else Dim()))


@rule("Unique")
def unique(call: Call) -> Facts:
    """As many as are different, and where each is among them."""
    return outputs((Dim(),), call.ranked(0, 1))


@rule("UniqueWithCounts")
def unique_with_counts(call: Call) -> Facts:
    """As ``Unique``, with the count of each."""
    rows = (Dim(),)
    return outputs(rows, call.shape(0), rows)


@rule("UniqueV2 UniqueWithCountsV2")
def unique_v2(call: Call) -> Facts:
    """Different parts along an axis."""
    shape, axis = call.shape(0), call.integers(1)
    idx: Dims = unknown(1)
    result: Dims = None
    if shape is not None:
        idx, result = _unique(shape, axis)
    return outputs(result, idx, (Dim(),))[: 3 if "Counts" in call.node.op else 2]


def _unique(shape: tuple[Size, ...], axis: list[int] | None) -> tuple[Dims, Dims]:
    if axis is None:
        return (Dim(),), unknown(len(shape))
    if not axis:
        if len(shape) != 1:
            raise ShapeError("without an axis, the input must be a vector")
        return shape, (Dim(),)
    at = axis_of(axis[0], len(shape))
    return (shape[at],), (*shape[:at], Dim(), *shape[at + 1 :])


@rule("Bincount")
def bincount(call: Call) -> Facts:
    """As many counts as stated."""
    call.ranked(1, 0)
    return outputs((call.size(1),))


@rule("DenseBincount")
def dense_bincount(call: Call) -> Facts:
    """As many counts as stated, for each row of a matrix."""
    shape = at_most(call.shape(0), 2)
    if not shape:
        return (UNKNOWN,)
    size = call.size(1)
    return outputs((shape[0], size) if len(shape) == 2 else (size,))


@rule("HistogramFixedWidth")
def histogram(call: Call) -> Facts:
    """As many counts as stated."""
    call.ranked(1, 1)
    call.ranked(2, 0)
    return outputs((call.size(2),))


@rule("ListDiff")
def list_diff(call: Call) -> Facts:
    """What is in the first and not in the second, and where."""
    call.ranked(0, 1)
    call.ranked(1, 1)
    a, b = call.integers(0), call.integers(1)
    if a is None or b is None:
        size = Dim()
        return outputs((size,), (size,))
    kept = [k for k, number in enumerate(a) if number not in b]
    return Fact((len(kept),), tuple(a[k] for k in kept)), Fact((len(kept),), tuple(kept))


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
