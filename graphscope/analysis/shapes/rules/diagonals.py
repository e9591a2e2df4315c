"""Bands of diagonals: made into matrices, and taken out of them.

Source: ``MatrixDiagV2Shape``, ``MatrixDiagPartV2Shape`` in ``tensorflow/core/framework/common_shape_fns.cc``.
"""

from __future__ import annotations

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import UNKNOWN, Facts, outputs
from graphscope.analysis.shapes.sizes import Dim, ShapeError, Size, at_least, at_most, merge_sizes
from graphscope.analysis.shapes.table import rule


def _band(offsets: list[int]) -> tuple[int, int]:
    """The offsets of the lowest and the highest diagonal."""
    if len(offsets) > 2:
        raise ShapeError(f"diagonals are given by one or two numbers, not {len(offsets)}")
    lower, upper = offsets[0], offsets[-1]
    if lower > upper:
        raise ShapeError(f"the lowest diagonal {lower} is above the highest, {upper}")
    return lower, upper


@rule("MatrixDiagV2 MatrixDiagV3")
def matrix_of_band(call: Call) -> Facts:
    """A matrix that holds the diagonals: as small as they allow, or as large as stated."""
    shape, offsets = at_least(call.shape(0), 1), call.integers(1)
    at_most(call.shape(1), 1)
    call.check_scalars((2, 3, 4))
    if shape is None or not offsets:
        return (UNKNOWN,)
    lower, upper = _band(offsets)
    if lower < upper:
        merge_sizes((at_least(shape, 2) or shape)[-2], upper - lower + 1)
    batch, length = shape[: -1 if lower == upper else -2], shape[-1]
    if not isinstance(length, int):
        return outputs((*batch, Dim(), Dim()))
    least = length - min(upper, 0), length + max(lower, 0)
    rows, columns = _stated(call, 2), _stated(call, 3)
    if rows == columns == -1:
        rows = columns = max(least)
    rows, columns = (_at_least(size, low) for size, low in zip((rows, columns), least))
    if isinstance(rows, int) and isinstance(columns, int) and rows != least[0] and columns != least[1]:
        raise ShapeError(f"a matrix of {rows} x {columns} is larger than the diagonals need in both directions")
    return outputs((*batch, rows, columns))


def _stated(call: Call, index: int) -> Size:
    """The size in input ``index``; -1 stands for as large as needed."""
    number = call.integer(index)
    return Dim() if number is None else number


def _at_least(size: Size, least: int) -> Size:
    if not isinstance(size, int):
        return size
    if size == -1:
        return least
    if size < least:
        raise ShapeError(f"a size of {size} is less than the {least} that the diagonals need")
    return size


@rule("MatrixDiagPartV2 MatrixDiagPartV3")
def band_of_matrix(call: Call) -> Facts:
    """A row for each diagonal, as long as the longest."""
    shape, offsets = at_least(call.shape(0), 2), call.integers(1)
    at_most(call.shape(1), 1)
    call.ranked(2, 0)
    if shape is None or not offsets:
        return (UNKNOWN,)
    lower, upper = _band(offsets)
    *batch, rows, columns = shape
    between: tuple[Size, ...] = () if lower == upper else (upper - lower + 1,)
    if not (isinstance(rows, int) and isinstance(columns, int)):
        return outputs((*batch, *between, Dim()))
    for offset in (lower, upper):
        if offset and not -rows < offset < columns:
            raise ShapeError(f"a matrix of {rows} x {columns} has no diagonal {offset}")
    return outputs((*batch, *between, min(rows + min(upper, 0), columns - max(lower, 0))))
