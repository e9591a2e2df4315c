"""Arithmetic on sizes, some of which are unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphscope.analysis.shapes.sizes import Dim, Dims, ShapeError, Size, all_known, is_size, merge_sizes, text


def broadcast_sizes(one: Size, other: Size) -> Size:
    """The size of the result where two dimensions are broadcast.

    Raises:
        ShapeError: they cannot be.
    """
    if one is other or is_size(other, 1):
        return one
    if is_size(one, 1):
        return other
    if isinstance(one, int) and isinstance(other, int):
        return merge_sizes(one, other)
    if isinstance(one, int) and one > 1:
        return one
    if isinstance(other, int) and other > 1:
        return other
    return Dim()


def broadcast(one: Dims, other: Dims) -> Dims:
    """The shape of an elementwise result of two operands.

    Raises:
        ShapeError: they cannot be broadcast.
    """
    if one is None or other is None:
        return None
    if one == other or not other:
        return one
    if not one:
        return other
    extra = len(one) - len(other)
    if extra < 0:
        one, other, extra = other, one, -extra
    try:
        return one[:extra] + tuple(map(broadcast_sizes, one[extra:], other))
    except ShapeError as error:
        raise ShapeError(f"shapes {text(one)} and {text(other)} cannot be broadcast: {error}") from error


_MAX_SIZE = (1 << 63) - 1


def _bound_of(size: int) -> int:
    """``size``, if it is one.

    Raises:
        ShapeError: it is too large.
    """
    if size > _MAX_SIZE:
        raise ShapeError("a size is too large for 64 bits")
    return size


def add(one: Size, other: Size) -> Size:
    """The sum.

    Raises:
        ShapeError: it is too large.
    """
    if isinstance(one, int) and isinstance(other, int):
        return _bound_of(one + other)
    if is_size(other, 0):
        return one
    return other if is_size(one, 0) else Dim()


def subtract(one: Size, other: Size) -> Size:
    """The difference.

    Raises:
        ShapeError: it is negative.
    """
    if is_size(other, 0):
        return one
    if not (isinstance(one, int) and isinstance(other, int)):
        return Dim()
    if one < other:
        raise ShapeError(f"negative dimension size: {one} - {other}")
    return one - other


def multiply(one: Size, other: Size) -> Size:
    """The product.

    Raises:
        ShapeError: it is too large.
    """
    if isinstance(one, int) and isinstance(other, int):
        return _bound_of(one * other)
    if is_size(one, 0) or is_size(other, 0):
        return 0
    if is_size(other, 1):
        return one
    return other if is_size(one, 1) else Dim()


def divide(one: Size, other: Size, *, evenly: bool = True) -> Size:
    """The quotient, rounded down.

    Raises:
        ShapeError: ``other`` is not positive, or with ``evenly``, there is a remainder.
    """
    if is_size(other, 1):
        return one
    if isinstance(other, int) and other <= 0:
        raise ShapeError(f"divisor must be positive but is {other}")
    if not (isinstance(one, int) and isinstance(other, int)):
        return Dim()
    if evenly and one % other:
        raise ShapeError(f"dimension size must be evenly divisible by {other} but is {one}")
    return one // other


def product(sizes: Sequence[Size]) -> Size:
    """The product of ``sizes``; 1 for none."""
    result: Size = 1
    for size in sizes:
        result = multiply(result, size)
    return result


def count(shape: Dims) -> int | None:
    """The number of elements; ``None`` if it is unknown."""
    return math.prod(shape) if all_known(shape) else None
