"""Ops that arrange the same elements in another shape."""

from __future__ import annotations

from graphscope.analysis.shapes.arithmetic import product
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import UNKNOWN, Fact, Facts, outputs
from graphscope.analysis.shapes.sizes import (
    Dim,
    Dims,
    ShapeError,
    Size,
    Sizes,
    all_known,
    at_least,
    axis_of,
    merge_sizes,
    text,
    unknown,
)
from graphscope.analysis.shapes.table import rule


@rule("Reshape")
def reshape(call: Call) -> Facts:
    """The stated sizes; one that is unknown follows from the number of elements."""
    tensor, target = call.input(0), call.sizes(1)
    shape = reshape_sizes(tensor.shape, target)
    same = tensor.has_value and all_known(shape)
    return (Fact(shape, tensor.value if same else None),)


def reshape_sizes(source: Dims, target: Dims) -> Dims:
    """``target``, with one size that follows from the number of elements, if that is known.

    Raises:
        ShapeError: the numbers of elements differ.
    """
    if source is None or target is None:
        return target
    before, after = product(source), product(target)
    if (
        isinstance(before, int) and isinstance(after, int) and before != after
    ):  # a size of 0 tells, beside unknown ones too
        raise ShapeError(f"cannot reshape {text(source)} to {text(target)}")
    if isinstance(after, int):
        _check_rest(source, after, target)
        return target
    left, right = _without_common(source, target)
    missing = [size for size in right if not isinstance(size, int)]
    if len(missing) != 1:
        return target
    place = next(k for k, size in enumerate(target) if size is missing[0])
    size = _missing_size(left, [size for size in right if isinstance(size, int)], source, target)
    return target if size is None else (*target[:place], size, *target[place + 1 :])


def _check_rest(source: Sizes, total: int, target: Sizes) -> None:
    """One unknown size must make ``total`` elements with the others."""
    known = product([size for size in source if isinstance(size, int)])
    is_one = sum(not isinstance(size, int) for size in source) == 1
    if is_one and isinstance(known, int) and known and total % known:
        raise ShapeError(f"cannot reshape {text(source)} to {text(target)}")


def _without_common(source: Sizes, target: Sizes) -> tuple[list[Size], list[Size]]:
    """Both without the unknown sizes that stand in both."""
    left, right = list(source), list(target)
    for size in source:
        if not isinstance(size, int) and size in right and 0 not in source:
            right.remove(size)
            left.remove(size)
    return left, right


def _missing_size(left: list[Size], known: list[Size], source: Sizes, target: Sizes) -> Size | None:
    """The one size that makes the products equal; ``None`` if it is not known."""
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
    """Without the named dimensions, which are of size 1; without all of size 1 if none is named."""
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
