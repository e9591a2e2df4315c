"""Ops that repeat elements and add some: tiles, fills, paddings."""

from __future__ import annotations

from graphscope.analysis.shapes.arithmetic import count, product
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import MAX_ELEMENTS, UNKNOWN, Fact, Facts, Value, outputs
from graphscope.analysis.shapes.sizes import (
    Dim,
    Dims,
    ShapeError,
    Size,
    is_size,
    merge_sizes,
    text,
    unknown,
    with_rank,
)
from graphscope.analysis.shapes.table import rule


@rule("Tile")
def tile(call: Call) -> Facts:
    """Each size as many times as stated."""
    times, shape = call.value(1), call.shape(0)
    length = call.ranked(1, 1)[0]
    rank = len(times) if times is not None else len(shape) if shape is not None else length
    if not isinstance(rank, int):
        return (UNKNOWN,)
    merge_sizes(length, rank)
    source = call.ranked(0, rank)
    if times is None:
        return outputs(unknown(rank))
    return outputs(tuple(_times(size, k) for size, k in zip(source, times)))


def _times(size: Size, factor: object) -> Size:
    if isinstance(factor, int):
        return product([size, factor]) if factor >= 0 else Dim()
    return factor if isinstance(factor, Dim) and is_size(size, 1) else Dim()


@rule("BroadcastTo")
def broadcast_to(call: Call) -> Facts:
    """The stated shape; what is unknown of it, but greater than 1 in the source, is that."""
    target, source = call.sizes(1), call.input(0)
    if target is not None and source.shape is not None:
        if len(target) < len(source.shape):
            raise ShapeError(f"{text(source.shape)} cannot be broadcast to {text(target)}")
        cut = len(target) - len(source.shape)
        target = target[:cut] + tuple(map(_spread_size, source.shape, target[cut:]))
    return (Fact(target, _repeat(source.value, target) if source.has_value else None),)


def _spread_size(source: Size, target: Size) -> Size:
    return target if not isinstance(source, int) or source == 1 else merge_sizes(target, source)


def _repeat(value: Value | None, shape: Dims) -> Value | None:
    """The elements of a tensor that has one element everywhere, if they are few."""
    size = count(shape)
    if value is None or len(value) != 1 or value[0] is None or size is None or size > MAX_ELEMENTS:
        return None
    return value * size


@rule("Fill")
def fill(call: Call) -> Facts:
    """The stated sizes, of one element again and again."""
    call.ranked(1, 0)
    shape = call.sizes(0)
    return (Fact(shape, _repeat(call.value(1), shape)),)


@rule("Pad PadV2 MirrorPad")
def pad(call: Call) -> Facts:
    """Each size, with the padding before and after it."""
    return outputs(pad_sizes(call, 1, call.shape(0)))


def pad_sizes(call: Call, index: int, shape: Dims) -> Dims:
    """``shape`` with the paddings in input ``index``."""
    rows = call.ranked(index, 2)
    merge_sizes(rows[1], 2)
    value = call.value(index)
    rank = len(shape) if shape is not None else rows[0]
    if not isinstance(rank, int):
        return None
    merge_sizes(rows[0], rank)
    source = with_rank(shape, rank)
    if value is None:
        return unknown(rank)
    return tuple(_pad(size, value[2 * k], value[2 * k + 1]) for k, size in enumerate(source))


def _pad(size: Size, before: object, behind: object) -> Size:
    if not (isinstance(before, int) and isinstance(behind, int)):
        return Dim()
    if before < 0 or behind < 0:
        raise ShapeError("paddings cannot be negative")
    if not before + behind:
        return size
    return size + before + behind if isinstance(size, int) else Dim()


@rule("MirrorPadGrad")
def mirror_pad_grad(call: Call) -> Facts:
    """Each size without its paddings."""
    value, source = call.value(1), call.shape(0)
    if source is None:
        rows = call.ranked(1, 2)[0]
        return outputs(unknown(rows) if isinstance(rows, int) else None)
    if value is None:
        return outputs(unknown(len(source)))
    numbers = [v if isinstance(v, int) else None for v in value]
    pairs = zip(numbers[::2], numbers[1::2])
    return outputs(tuple(_cut(size, a, b) for size, (a, b) in zip(source, pairs)))


def _cut(size: Size, before: int | None, behind: int | None) -> Size:
    if not isinstance(size, int) or before is None or behind is None:
        return size if before == behind == 0 else Dim()
    if size < before + behind:
        raise ShapeError(f"{before + behind} cannot be cut from {size}")
    return size - before - behind
