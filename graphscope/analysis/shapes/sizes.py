"""Shapes with unknown dimensions that keep their identity.

The rules are those of ``tensorflow/core/framework/shape_inference.cc`` and ``common_shape_fns.cc`` (2.21).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeGuard

from graphscope.core.tensors import Shape, shape_text


class ShapeError(Exception):
    """The inputs or attributes of a node do not fit its op: TensorFlow would refuse the node."""


class Dim:
    """An unknown size. It equals only itself, so a batch stays the same batch wherever it is carried."""

    __slots__ = ()


class Probe(Dim):
    """An unknown size that keeps the known one that it was found to be equal to.

    Attributes:
        size: that one; ``None`` until then.
    """

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size: int | None = None


Size = int | Dim


Sizes = tuple[Size, ...]


Dims = Sizes | None
"""A shape during inference; ``None`` for an unknown rank."""


def public(shape: Dims) -> Shape:
    """``shape`` with ``None`` for every unknown size."""
    if shape is None:
        return None
    return tuple(size if isinstance(size, int) else None for size in shape)


def private(shape: Shape) -> Dims:
    """``shape`` with an unknown size of its own for every ``None``."""
    if shape is None:
        return None
    return tuple(Dim() if size is None else size for size in shape)


def text(shape: Dims) -> str:
    """``(?, 784)``."""
    return shape_text(public(shape))


def all_known(shape: Dims) -> TypeGuard[tuple[int, ...]]:
    """Whether rank and all sizes are known."""
    return shape is not None and all(isinstance(size, int) for size in shape)


def unknown(rank: int) -> Sizes:
    """``rank`` unknown sizes."""
    return tuple(Dim() for _ in range(rank))


def merge_sizes(one: Size, other: Size) -> Size:
    """The merged size.

    Raises:
        ShapeError: they differ.
    """
    if one is other:
        return one
    if not isinstance(other, int):
        return _bind(other, one)
    if not isinstance(one, int):
        return _bind(one, other)
    if one != other:
        raise ShapeError(f"dimensions must be equal, but are {one} and {other}")
    return one


def _bind(unknown: Dim, other: Size) -> Size:
    """``other``, which an unknown size was found to be equal to."""
    if isinstance(unknown, Probe) and isinstance(other, int):
        if unknown.size is not None:
            merge_sizes(unknown.size, other)
        unknown.size = other
    return other


def merge(one: Dims, other: Dims) -> Dims:
    """The merged shape: unknown sizes in one are taken from the other.

    Raises:
        ShapeError: ranks or sizes differ.
    """
    if one is None or one == other:
        return one if one is not None else other
    if other is None:
        return one
    if len(one) != len(other):
        raise ShapeError(f"shapes must be equal, but are {text(one)} and {text(other)}")
    try:
        return tuple(map(merge_sizes, one, other))
    except ShapeError as error:
        raise ShapeError(f"shapes must be equal, but are {text(one)} and {text(other)}") from error


def merge_all(shapes: Iterable[Dims]) -> Dims:
    """See :func:`merge`."""
    result: Dims = None
    for shape in shapes:
        result = merge(result, shape)
    return result


def with_rank(shape: Dims, rank: int) -> Sizes:
    """``shape`` as one of ``rank`` dimensions.

    Raises:
        ShapeError: it has another rank.
    """
    if shape is None:
        return unknown(rank)
    if len(shape) != rank:
        raise ShapeError(f"shape must be rank {rank} but is rank {len(shape)}: {text(shape)}")
    return shape


def at_least(shape: Dims, rank: int) -> Dims:
    """``shape``, which must have ``rank`` dimensions or more, if its rank is known.

    Raises:
        ShapeError: it has fewer.
    """
    if shape is not None and len(shape) < rank:
        raise ShapeError(f"shape must be at least rank {rank} but is rank {len(shape)}: {text(shape)}")
    return shape


def at_most(shape: Dims, rank: int) -> Dims:
    """``shape``, which must have ``rank`` dimensions or fewer, if its rank is known.

    Raises:
        ShapeError: it has more.
    """
    if shape is not None and len(shape) > rank:
        raise ShapeError(f"shape must be at most rank {rank} but is rank {len(shape)}: {text(shape)}")
    return shape


def is_size(size: object, value: int) -> bool:
    """Whether ``size`` is known to be ``value``."""
    return isinstance(size, int) and size == value


MAX_RANK = 254
"""TensorFlow's tensors have no more dimensions."""


def axis_of(axis: int, rank: int) -> int:
    """``axis`` counted from the front.

    Raises:
        ShapeError: there is no such axis.
    """
    if not -rank <= axis < rank:
        raise ShapeError(f"axis must be in the range [{-rank}, {rank}) but is {axis}")
    return axis % rank


def with_size(shape: Sizes, axis: int, size: Size) -> Sizes:
    """``shape`` with another size at ``axis``, which may be negative."""
    axis = axis_of(axis, len(shape))
    return (*shape[:axis], size, *shape[axis + 1 :])


def join(one: Dims, other: Dims) -> Dims:
    """The facts that hold for both shapes."""
    if one is None or other is None or len(one) != len(other):
        return None
    return tuple(a if a is b or (isinstance(a, int) and a == b) else Dim() for a, b in zip(one, other))
