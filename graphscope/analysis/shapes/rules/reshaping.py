"""Ops that read shapes, and ops that arrange the same elements in another shape."""

from __future__ import annotations

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import MAX_ELEMENTS, UNKNOWN, Element, Fact, Facts, Value, outputs
from graphscope.analysis.shapes.sizes import (
    Dim,
    Dims,
    ShapeError,
    Size,
    Sizes,
    all_known,
    at_least,
    axis_of,
    count,
    is_size,
    merge_sizes,
    product,
    text,
    unknown,
)
from graphscope.analysis.shapes.table import rule


def _as_vector(shape: Dims) -> Fact:
    """The tensor that holds ``shape``."""
    return Fact((Dim(),)) if shape is None else Fact((len(shape),), shape)


@rule("Shape")
def shape_op(call: Call) -> Facts:
    """A vector, whose elements are the sizes."""
    return (_as_vector(call.shape(0)),)


@rule("ShapeN")
def shape_n(call: Call) -> Facts:
    """The shape of each input."""
    return tuple(_as_vector(fact.shape) for fact in call.inputs)


@rule("VariableShape")
def variable_shape(call: Call) -> Facts:
    """The shape of a variable."""
    handle = call.input(0).handle
    return (_as_vector(handle[0] if handle else None),)


@rule("Size")
def size_op(call: Call) -> Facts:
    """The number of elements."""
    shape = call.shape(0)
    count = product(shape) if shape is not None else None
    return (Fact((), (count,)),)


@rule("Rank")
def rank_op(call: Call) -> Facts:
    """The number of dimensions."""
    shape = call.shape(0)
    return (Fact((), (len(shape),) if shape is not None else None),)


@rule("Reshape")
def reshape(call: Call) -> Facts:
    """The stated sizes; one that is unknown follows from the number of elements."""
    tensor, target = call.input(0), call.sizes(1)
    shape = reshaped(tensor.shape, target)
    same = tensor.has_value and all_known(shape)
    return (Fact(shape, tensor.value if same else None),)


def reshaped(source: Dims, target: Dims) -> Dims:
    """``target``, with one size that follows from the number of elements, if that is known.

    Raises:
        ShapeError: the numbers of elements differ.
    """
    if source is None or target is None:
        return target
    open_sizes = [k for k, size in enumerate(target) if not isinstance(size, int)]
    if not open_sizes:
        if all_known(source) and product(source) != product(target):
            raise ShapeError(f"cannot reshape {text(source)} to {text(target)}")
        return target
    left, right = _without_common(source, target)
    missing = [size for size in right if not isinstance(size, int)]
    if len(missing) != 1:
        return target
    place = next(k for k, size in enumerate(target) if size is missing[0])
    size = _missing_size(left, [size for size in right if isinstance(size, int)], source, target)
    return target if size is None else (*target[:place], size, *target[place + 1 :])


def _without_common(source: Sizes, target: Sizes) -> tuple[list[Size], list[Size]]:
    """Both without the unknown sizes that stand in both."""
    left, right = list(source), list(target)
    for size in source:
        if not isinstance(size, int) and size in right and 0 not in source:
            right.remove(size)
            left.remove(size)
    return left, right


def _missing_size(left: list[Size], known: list[Size], source: Sizes, target: Sizes) -> Size | None:
    """The one size that makes the products equal; ``None`` where it is not known."""
    divisor = product(known)
    total = product([size for size in left if isinstance(size, int)])
    others = [size for size in left if not isinstance(size, int)]
    if not isinstance(divisor, int) or not isinstance(total, int) or not divisor:
        return None
    if not others:
        if total % divisor:
            raise ShapeError(f"cannot reshape {text(source)} to {text(target)}")
        return total // divisor
    return others[0] if len(others) == 1 and total == divisor else None


@rule("ExpandDims")
def expand_dims(call: Call) -> Facts:
    """One more dimension, of size 1."""
    tensor, axis = call.input(0), call.integer(1)
    shape = tensor.shape
    if shape is None:
        return (UNKNOWN,)
    if axis is None:
        return outputs(unknown(len(shape) + 1))
    at = axis_of(axis, len(shape) + 1)
    return (Fact((*shape[:at], 1, *shape[at:]), tensor.value),)


@rule("Squeeze")
def squeeze(call: Call) -> Facts:
    """Without the named dimensions, which are of size 1; without all of size 1 where none is named."""
    tensor, axes = call.input(0), call.numbers("squeeze_dims")
    shape = tensor.shape
    if shape is None:
        return (UNKNOWN,)
    if not axes:
        known = all_known(shape)
        return (Fact(tuple(s for s in shape if s != 1), tensor.value) if known else UNKNOWN,)
    dropped = {axis_of(axis, len(shape)) for axis in axes}
    for axis in dropped:
        merge_sizes(shape[axis], 1)
    return (Fact(tuple(s for k, s in enumerate(shape) if k not in dropped), tensor.value),)


@rule("Transpose ConjugateTranspose")
def transpose(call: Call) -> Facts:
    """The dimensions in another order."""
    order, shape, vector = call.value(1), call.shape(0), call.shape(1)
    length = vector[0] if vector else Dim()
    rank = len(shape) if shape is not None else length
    if not isinstance(rank, int) or (shape is None and rank < 2):
        return (UNKNOWN,)
    if vector != (1,) and not (vector == () and rank == 1):
        merge_sizes(call.ranked(1, 1)[0], rank)
    source = call.ranked(0, rank)
    if order is None:
        return outputs(source if rank < 2 else unknown(rank))
    return outputs(tuple(source[axis_of(k, rank)] if isinstance(k, int) else Dim() for k in order))


@rule("Pack")
def pack(call: Call) -> Facts:
    """One more dimension, of as many tensors as there are."""
    facts = call.inputs
    shape: Dims = None
    for fact in facts:
        shape = _merged(shape, fact.shape)
    if shape is None or not facts:
        return (UNKNOWN,)
    axis = axis_of(call.number("axis"), len(shape) + 1)
    packed = (*shape[:axis], len(facts), *shape[axis:])
    return (Fact(packed, _concatenated(list(facts)) if axis == 0 else None),)


def _merged(one: Dims, other: Dims) -> Dims:
    if one is None or other is None:
        return one if other is None else other
    if len(one) != len(other):
        raise ShapeError(f"shapes must be equal, but are {text(one)} and {text(other)}")
    return tuple(map(merge_sizes, one, other))


def _concatenated(facts: list[Fact]) -> Value | None:
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
    shape = concatenated([fact.shape for fact in facts], axis_of(axis, rank))
    return (Fact(shape, _concatenated(facts) if rank == 1 else None),)


def concatenated(shapes: list[Dims], axis: int) -> Dims:
    """The shape of tensors one behind the other along ``axis``; shapes of unknown rank may be anything there."""
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
    """Parts of the stated sizes, of which one may be -1."""
    tensor, axis, sizes = call.input(0), call.integer(2), call.value(1)
    count = min(call.number("num_split"), _MAX_OUTPUTS)
    if sizes is None or len(sizes) != count:
        return _parts_unknown(tensor.shape, axis, count)
    shape = tensor.shape
    whole = shape[axis_of(axis, len(shape))] if shape is not None and axis is not None else Dim()
    return _split(tensor, axis, _filled(sizes, whole))


def _filled(sizes: Value, whole: Size) -> list[Size | None]:
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
        target = target[:cut] + tuple(map(_spread, source.shape, target[cut:]))
    return (Fact(target, _repeated(source.value, target) if source.has_value else None),)


def _spread(source: Size, target: Size) -> Size:
    return target if not isinstance(source, int) or source == 1 else merge_sizes(target, source)


def _repeated(value: Value | None, shape: Dims) -> Value | None:
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
    return (Fact(shape, _repeated(call.value(1), shape)),)


@rule("Pad PadV2 MirrorPad")
def pad(call: Call) -> Facts:
    """Each size, and what is added before and behind it."""
    return outputs(padded(call, 1))


def padded(call: Call, index: int) -> Dims:
    """The shape of input 0 with the paddings in input ``index``."""
    rows, shape = call.ranked(index, 2), call.shape(0)
    merge_sizes(rows[1], 2)
    value = call.value(index)
    rank = len(shape) if shape is not None else rows[0]
    if not isinstance(rank, int):
        return None
    merge_sizes(rows[0], rank)
    source = call.ranked(0, rank)
    if value is None:
        return unknown(rank)
    return tuple(_padded(size, value[2 * k], value[2 * k + 1]) for k, size in enumerate(source))


def _padded(size: Size, before: object, behind: object) -> Size:
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


@rule("Diag")
def diag(call: Call) -> Facts:
    """The shape twice."""
    shape = at_least(call.shape(0), 1)
    return outputs(None if shape is None else shape + shape)


@rule("DiagPart")
def diag_part(call: Call) -> Facts:
    """Half of the shape, which is the same shape twice."""
    shape = at_least(call.shape(0), 1)
    if shape is None:
        return (UNKNOWN,)
    if len(shape) % 2:
        raise ShapeError(f"rank must be even but is {len(shape)}")
    half = len(shape) // 2
    return outputs(tuple(map(merge_sizes, shape[:half], shape[half:])))


@rule("InvertPermutation")
def invert_permutation(call: Call) -> Facts:
    """The inverse of a permutation."""
    shape, order = call.ranked(0, 1), call.integers(0)
    if order is None or sorted(order) != list(range(len(order))):
        return outputs(shape)
    inverse = [0] * len(order)
    for place, number in enumerate(order):
        inverse[number] = place
    return (Fact(shape, tuple(inverse)),)


@rule("Bitcast")
def bitcast(call: Call) -> Facts:
    """The last size goes away, or comes, where the types are of different sizes."""
    shape = call.shape(0)
    before, after = call.type("T").itemsize, call.type("type").itemsize
    if shape is None or before is None or after is None or before == after:
        return outputs(shape)
    if before > after:
        return outputs((*shape, before // after))
    if not shape:
        raise ShapeError("a scalar cannot be read as a larger type")
    merge_sizes(shape[-1], after // before)
    return outputs(shape[:-1])


@rule("ReverseV2 Reverse")
def reverse(call: Call) -> Facts:
    """The same shape; the elements of a vector the other way round."""
    tensor, axes = call.input(0), call.integers(1)
    if call.node.op == "Reverse":
        rank = call.ranked(1, 1)[0]
        return outputs(call.ranked(0, rank) if isinstance(rank, int) else tensor.shape)
    if len(tensor.shape or ()) == 1 and tensor.value is not None and axes is not None:
        return (Fact(tensor.shape, tensor.value[::-1] if axes else tensor.value),)
    return outputs(tensor.shape)


@rule("BroadcastArgs")
def broadcast_args(call: Call) -> Facts:
    """The shape, as a vector, to which two shapes are broadcast."""
    one, other = call.ranked(0, 1)[0], call.ranked(1, 1)[0]
    if isinstance(one, int) and isinstance(other, int):
        return outputs((max(one, other),))
    return outputs((Dim(),))
