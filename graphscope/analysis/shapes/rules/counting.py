"""Ranges, counts, orders: ops whose results are as many as a number says, or as there are different ones."""

from __future__ import annotations

import math
from typing import TypeGuard

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import MAX_ELEMENTS, UNKNOWN, Element, Fact, Facts, outputs
from graphscope.analysis.shapes.sizes import (
    Dim,
    Dims,
    ShapeError,
    Size,
    at_least,
    at_most,
    axis_of,
    unknown,
)
from graphscope.analysis.shapes.table import rule


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
