"""Ops that put tensors together, and take them apart."""

from __future__ import annotations

from graphscope.analysis.shapes.arithmetic import count
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import MAX_ELEMENTS, UNKNOWN, Element, Fact, Facts, Value, outputs
from graphscope.analysis.shapes.sizes import (
    Dim,
    Dims,
    ShapeError,
    Size,
    Sizes,
    axis_of,
    merge_all,
    merge_sizes,
    unknown,
)
from graphscope.analysis.shapes.table import rule


@rule("Pack")
def pack(call: Call) -> Facts:
    """One more dimension, of as many tensors as there are."""
    facts = call.inputs
    shape = merge_all(fact.shape for fact in facts)
    if shape is None or not facts:
        return (UNKNOWN,)
    axis = axis_of(call.number("axis"), len(shape) + 1)
    packed = (*shape[:axis], len(facts), *shape[axis:])
    return (Fact(packed, _concatenate(list(facts)) if axis == 0 else None),)


def _concatenate(facts: list[Fact]) -> Value | None:
    """The elements of ``facts`` one after the other; unknown ones where nothing is known of a tensor but its size."""
    if not any(fact.has_value for fact in facts):
        return None
    result: list[Element] = []
    for fact in facts:
        size = count(fact.shape)
        if fact.value is not None:
            result += fact.value
        elif size is not None and size <= MAX_ELEMENTS:
            result += [None] * size
        else:
            return None
    return tuple(result) if len(result) <= MAX_ELEMENTS else None


@rule("Unpack")
def unpack(call: Call) -> Facts:
    """One tensor for each place along an axis."""
    tensor, count = call.input(0), call.number("num")
    shape = tensor.shape
    if shape is None:
        return ()
    if not shape:
        raise ShapeError("a scalar cannot be unpacked")
    axis = axis_of(call.number("axis"), len(shape))
    merge_sizes(shape[axis], count)
    rest = (*shape[:axis], *shape[axis + 1 :])
    if len(shape) > 1 or tensor.value is None:
        return (Fact(rest),) * min(count, _MAX_OUTPUTS)
    return tuple(Fact((), (element,)) for element in tensor.value)


_MAX_OUTPUTS = 65_536


@rule("ConcatV2")
def concat_v2(call: Call) -> Facts:
    """The axis comes last."""
    return _concat(list(call.inputs[:-1]), call.integer(-1))


@rule("Concat")
def concat(call: Call) -> Facts:
    """The axis comes first."""
    return _concat(list(call.inputs[1:]), call.integer(0))


@rule("QuantizedConcat")
def quantized_concat(call: Call) -> Facts:
    """As ``Concat``; the ranges of the parts follow, and that of the result is a number each."""
    count = (len(call.inputs) - 1) // 3
    call.check_scalars((0, *range(1 + count, 1 + 3 * count)))
    return (*_concat(list(call.inputs[1 : 1 + count]), call.integer(0)), *outputs((), ()))


def _concat(facts: list[Fact], axis: int | None) -> Facts:
    rank = next((len(fact.shape) for fact in facts if fact.shape is not None), None)
    if rank is None:
        return (UNKNOWN,)
    for fact in facts:
        if fact.shape is not None and len(fact.shape) != rank:
            raise ShapeError(f"tensors of rank {rank} and {len(fact.shape)} cannot be concatenated")
    if not rank:
        raise ShapeError("scalars cannot be concatenated (use Pack)")
    if axis is None:
        return outputs(unknown(rank))
    shape = concatenate([fact.shape for fact in facts], axis_of(axis, rank))
    return (Fact(shape, _concatenate(facts) if rank == 1 else None),)


def concatenate(shapes: list[Dims], axis: int) -> Dims:
    """The shape of tensors concatenated along ``axis``; a shape of unknown rank can have any size there."""
    known = [shape for shape in shapes if shape is not None]
    sizes = list(known[0])
    for shape in known[1:]:
        for k, size in enumerate(shape):
            if k != axis:
                sizes[k] = merge_sizes(sizes[k], size)
    sizes[axis] = _sum([shape[axis] for shape in known]) if len(known) == len(shapes) else Dim()
    return tuple(sizes)


def _sum(sizes: list[Size]) -> Size:
    numbers = [size for size in sizes if isinstance(size, int)]
    others = [size for size in sizes if not isinstance(size, int)]
    if not others:
        return sum(numbers)
    return others[0] if len(others) == 1 and not sum(numbers) else Dim()


@rule("Split")
def split(call: Call) -> Facts:
    """As many equal parts as stated."""
    count, axis, tensor = call.number("num_split"), call.integer(0), call.input(1)
    return _split(tensor, axis, [None] * min(count, _MAX_OUTPUTS))


@rule("SplitV")
def split_v(call: Call) -> Facts:
    """Parts of the stated sizes, one of which may be -1."""
    tensor, axis, sizes = call.input(0), call.integer(2), call.value(1)
    count = min(call.number("num_split"), _MAX_OUTPUTS)
    if sizes is None or len(sizes) != count:
        return _parts_unknown(tensor.shape, axis, count)
    shape = tensor.shape
    whole = shape[axis_of(axis, len(shape))] if shape is not None and axis is not None else Dim()
    return _split(tensor, axis, _fill(sizes, whole))


def _fill(sizes: Value, whole: Size) -> list[Size | None]:
    known = [size for size in sizes if isinstance(size, int) and size >= 0]
    rest = len(sizes) - len(known)
    missing: Size = whole - sum(known) if rest == 1 and isinstance(whole, int) else Dim()
    if isinstance(missing, int) and missing < 0:
        raise ShapeError(f"parts of {sum(known)} cannot be taken out of {whole}")
    if not rest and isinstance(whole, int) and sum(known) != whole:
        raise ShapeError(f"the parts have a size of {sum(known)} and not {whole}")
    return [size if isinstance(size, int) and size >= 0 else missing if rest == 1 else Dim() for size in sizes]


def _parts_unknown(shape: Dims, axis: int | None, count: int) -> Facts:
    if shape is None:
        return ()
    if axis is None:
        return tuple(Fact(unknown(len(shape))) for _ in range(count))
    at = axis_of(axis, len(shape))
    if count == 1:
        return (Fact(shape),)
    return tuple(Fact((*shape[:at], Dim(), *shape[at + 1 :])) for _ in range(count))


def _split(tensor: Fact, axis: int | None, sizes: list[Size | None]) -> Facts:
    shape = tensor.shape
    if shape is None or axis is None:
        return _parts_unknown(shape, axis, len(sizes))
    at = axis_of(axis, len(shape))
    even = _even_part(shape[at], len(sizes)) if sizes and sizes[0] is None else None
    parts = [even if size is None else size for size in sizes]
    shapes = [(*shape[:at], part if part is not None else Dim(), *shape[at + 1 :]) for part in parts]
    return tuple(map(Fact, shapes, _split_values(tensor, shapes)))


def _even_part(size: Size, count: int) -> Size:
    if not isinstance(size, int) or count == 1:
        return size if count == 1 else Dim()
    if size % count:
        raise ShapeError(f"size {size} cannot be split into {count} equal parts")
    return size // count


def _split_values(tensor: Fact, shapes: list[Sizes]) -> list[Value | None]:
    value, at = tensor.value, 0
    if value is None or len(tensor.shape or ()) != 1:
        return [None] * len(shapes)
    result: list[Value | None] = []
    for (size,) in shapes:
        if not isinstance(size, int):
            return [None] * len(shapes)
        result.append(value[at : at + size])
        at += size
    return result
