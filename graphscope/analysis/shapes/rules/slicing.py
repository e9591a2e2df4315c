"""Slices and strided slices."""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.analysis.shapes.arithmetic import subtract
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import UNKNOWN, Element, Fact, Facts, Value, outputs
from graphscope.analysis.shapes.sizes import (
    Dim,
    ShapeError,
    Size,
    Sizes,
    merge_sizes,
    unknown,
)
from graphscope.analysis.shapes.table import rule
from graphscope.named_tuple import NamedTuple


@rule("Slice")
def slice_op(call: Call) -> Facts:
    """From ``begin`` on, ``size`` elements of each dimension, or all that are left where it is -1."""
    tensor, shape = call.input(0), call.shape(0)
    begin, size = call.value(1), call.value(2)
    first, second = call.ranked(1, 1), call.ranked(2, 1)
    length = merge_sizes(first[0], second[0])
    rank = len(shape) if shape is not None else length
    if not isinstance(rank, int):
        return (UNKNOWN,)
    merge_sizes(length, rank)
    source = call.ranked(0, rank)
    if size is None:
        return outputs(unknown(rank))
    starts: Value = begin if begin is not None else (None,) * rank
    result = tuple(map(_slice_size, source, starts, size))
    return (Fact(result, _part(tensor, starts[0], result[0]) if rank == 1 else None),)


def _part(vector: Fact, start: Element, size: Size) -> Value | None:
    """``size`` elements from ``start`` on, if there are so many."""
    if vector.value is None or not isinstance(start, int) or not isinstance(size, int) or start < 0:
        return None
    part = vector.value[start : start + size]
    return part if len(part) == size else None


def _slice_size(whole: Size, begin: Element, size: Element) -> Size:
    if isinstance(size, Dim):
        return size
    if not isinstance(size, int):
        return Dim()
    if size >= 0:
        return size
    if size < -1:
        raise ShapeError(f"the size of a slice must be -1 or more but is {size}")
    return subtract(whole, begin) if isinstance(begin, int) and begin >= 0 else Dim()


class _Masks(NamedTuple):
    begin: int
    end: int
    ellipsis: int
    new_axis: int
    shrink: int

    @classmethod
    def of(cls, call: Call) -> _Masks:
        return cls(*(call.number(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")))


class _Cut(NamedTuple):
    """What happens to one dimension of the source, or is added: ``bit`` is its place in begin, end and strides."""

    kind: str
    bit: int = -1


def _plan(masks: _Masks, length: int, rank: int) -> Iterator[_Cut]:
    """The slice for each dimension, in order.

    Raises:
        ShapeError: it has more entries than there are dimensions.
    """
    has_ellipsis = any(masks.ellipsis >> bit & 1 for bit in range(length))
    added = sum(masks.new_axis >> bit & 1 for bit in range(length) if not masks.ellipsis >> bit & 1)
    spanned = rank - (length - added - has_ellipsis)
    if spanned < 0:
        raise ShapeError(f"{length} slices of a tensor of rank {rank}")
    done = False
    for bit in range(length):
        if masks.ellipsis >> bit & 1:
            if done:
                raise ShapeError("more than one ellipsis")
            done = True
            yield from (_Cut("whole") for _ in range(spanned))
        elif masks.new_axis >> bit & 1:
            yield _Cut("new")
        elif masks.shrink >> bit & 1:
            yield _Cut("one", bit)
        else:
            yield _Cut("range", bit)
    if not has_ellipsis:
        yield from (_Cut("whole") for _ in range(spanned))


@rule("StridedSlice")
def strided_slice(call: Call) -> Facts:
    """``x[begin:end:stride, ...]`` with the masks of ``strided_slice_op.cc``."""
    tensor, begin, end, strides = call.input(0), call.value(1), call.value(2), call.value(3)
    shape, masks = tensor.shape, _Masks.of(call)
    length = _length(call)
    if length is None or shape is None or strides is None:
        return (UNKNOWN,)
    nothing: Value = (None,) * length
    spec = _Spec(masks, begin or nothing, end or nothing, strides)
    cuts = list(_plan(masks, length, len(shape)))
    result = tuple(spec.sizes(cuts, shape))
    return (Fact(result, spec.elements(cuts, tensor)),)


def _length(call: Call) -> int | None:
    size: Size = Dim()
    for index in (1, 2, 3):
        size = merge_sizes(size, call.ranked(index, 1)[0])
    return size if isinstance(size, int) else None


class _Spec:
    """Begin, end and strides with their masks."""

    def __init__(self, masks: _Masks, begin: Value, end: Value, strides: Value) -> None:
        self._masks = masks
        self._begin = begin
        self._end = end
        self._strides = strides

    def sizes(self, cuts: list[_Cut], shape: Sizes) -> Iterator[Size]:
        """The sizes of the result.

        Raises:
            ShapeError: a stride is 0, or an index is out of bounds.
        """
        sources = iter(shape)
        for cut in cuts:
            if cut.kind == "new":
                yield 1
                continue
            size = next(sources)
            if cut.kind == "whole":
                yield size
            elif cut.kind == "one":
                self._check_index(cut.bit, size)
            else:
                yield self._size(cut.bit, size)

    def _check_index(self, bit: int, size: Size) -> None:
        index = self._begin[bit]
        if isinstance(index, int) and isinstance(size, int) and not -size <= index < size:
            raise ShapeError(f"slice index {index} is out of bounds for size {size}")

    def _size(self, bit: int, size: Size) -> Size:
        span = self._span(bit, size)
        if span is not None and isinstance(size, int):
            return len(range(*span))
        stride = self._strides[bit]
        if stride == 0:
            raise ShapeError("strides must not be 0")
        from_start, to_end = self._masks.begin >> bit & 1, self._masks.end >> bit & 1
        if stride == 1 or stride == -1:
            begin, end = self._begin[bit], self._end[bit]
            if to_end and (from_start or (begin == 0 and stride == 1)):
                return size
            return self._of_unknown(begin, end, bool(from_start), bool(to_end), size) if stride == 1 else Dim()
        return Dim()

    def _of_unknown(self, begin: Element, end: Element, from_start: bool, to_end: bool, size: Size) -> Size:
        """Between two indices that are known, or at the front of a size that the end names itself."""
        start = 0 if from_start else begin
        if isinstance(end, Dim) and end is size and start == 0 and not to_end:
            return size
        return Dim()

    def _span(self, bit: int, size: Size) -> tuple[int, int, int] | None:
        """Start, stop and stride of a Python range; ``None`` if one is unknown."""
        stride, begin, end = self._strides[bit], self._begin[bit], self._end[bit]
        if not isinstance(stride, int) or not stride or not isinstance(size, int):
            return None
        start = None if self._masks.begin >> bit & 1 else begin
        stop = None if self._masks.end >> bit & 1 else end
        if not (start is None or isinstance(start, int)) or not (stop is None or isinstance(stop, int)):
            return None
        if (start is None and not self._masks.begin >> bit & 1) or (stop is None and not self._masks.end >> bit & 1):
            return None
        return slice(start, stop, stride).indices(size)

    def elements(self, cuts: list[_Cut], tensor: Fact) -> Value | None:
        """The remaining elements of a vector."""
        sliced = [cut for cut in cuts if cut.kind != "new"]
        if len(sliced) != 1 or tensor.value is None:
            return None
        cut, value = sliced[0], tensor.value
        if cut.kind == "whole":
            return value
        if cut.kind == "one":
            index = self._begin[cut.bit]
            return (value[index],) if isinstance(index, int) and -len(value) <= index < len(value) else None
        span = self._span(cut.bit, len(value))
        return tuple(value[k] for k in range(*span)) if span is not None else None


@rule("StridedSliceGrad")
def strided_slice_grad(call: Call) -> Facts:
    """The stated shape."""
    return outputs(call.sizes(0))
