"""The difference between two arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.core.tensors import shape_text
from graphscope.core.values.dtypes import DataType

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of an array from the expected one.

    Attributes:
        dtype, shape: of the expected one.
        max_absolute: largest ``|expected - actual|``; infinite where only one of the two is finite, or where two strings
            differ; NaN equals NaN.
        max_relative: largest ``|expected - actual| / max(|expected|, |actual|)``; infinite as above.
        is_equal: every element has the same bits (all NaN count as one).
        is_within: every element is within tolerance.
        elements: how many were compared.
        finite: how many of them are finite numbers, or strings: NaN proves little.
        mismatch: type or shape of the other one, where they differ and nothing was compared: ``float32 (2, 5)``.
    """

    dtype: DataType
    shape: tuple[int, ...]
    max_absolute: float
    max_relative: float
    is_equal: bool
    is_within: bool
    elements: int
    finite: int
    mismatch: str = ""

    def __str__(self) -> str:
        """A description in one line, to be printed after the name of a tensor."""
        if self.mismatch:
            return f"is {self.mismatch} instead of {self.dtype.label} {shape_text(self.shape)}"
        equal = ", equal to the bit" if self.is_equal else ""
        return f"max |difference| {self.max_absolute:.3g} (relative {self.max_relative:.3g}){equal}"


def compare(expected: NDArray[Any], actual: NDArray[Any], atol: float, rtol: float) -> Difference:
    """Compares element by element: ``|expected - actual| <= atol + rtol * |expected|``.

    Integers, booleans and strings must be equal.
    """
    dtype = DataType.from_numpy(expected.dtype)
    other = DataType.from_numpy(actual.dtype)
    if dtype is not other or expected.shape != actual.shape:
        mismatch = f"{other.label} {shape_text(actual.shape)}"
        return Difference(dtype, expected.shape, math.inf, math.inf, False, False, 0, 0, mismatch)
    if dtype is DataType.STRING:
        return _compare_strings(expected, actual)
    return _compare_numbers(dtype, expected, actual, atol, rtol)


def merge_differences(differences: Sequence[Difference]) -> Difference:
    """The largest of several differences, with type and shape of the first. There must be at least one."""
    first = differences[0]
    return Difference(
        first.dtype,
        first.shape,
        max(d.max_absolute for d in differences),
        max(d.max_relative for d in differences),
        all(d.is_equal for d in differences),
        all(d.is_within for d in differences),
        sum(d.elements for d in differences),
        sum(d.finite for d in differences),
        next((d.mismatch for d in differences if d.mismatch), ""),
    )


def _compare_strings(expected: NDArray[Any], actual: NDArray[Any]) -> Difference:
    is_equal = bool((expected == actual).all())
    apart = 0.0 if is_equal else math.inf
    size = expected.size
    return Difference(DataType.STRING, expected.shape, apart, apart, is_equal, is_equal, size, size)


def _compare_numbers(
    dtype: DataType, expected: NDArray[Any], actual: NDArray[Any], atol: float, rtol: float
) -> Difference:
    import numpy as np

    same = _same_bits(expected, actual)
    a, b = _wide(expected), _wide(actual)
    finite = np.isfinite(a) & np.isfinite(b)
    is_inexact = dtype.is_floating or a.dtype.kind == "c"
    with np.errstate(all="ignore"):
        apart = np.where(finite, _apart(expected, actual), np.inf)
        apart[same | (a == b) & ~finite] = 0
        relative = np.where(apart == 0, 0, apart / np.maximum(np.abs(a), np.abs(b)))
        relative[~finite & (apart > 0)] = np.inf
        tolerance = atol + rtol * np.abs(a) if is_inexact else 0
        within = same | (apart == 0) | finite & (apart <= tolerance)
    return Difference(
        dtype,
        expected.shape,
        float(apart.max(initial=0)),
        float(relative.max(initial=0)),
        bool(same.all()),
        bool(within.all()),
        expected.size,
        int(finite.sum()),
    )


def _same_bits(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    rows = [np.ascontiguousarray(x).reshape(-1).view(np.uint8).reshape(a.size, a.dtype.itemsize) for x in (a, b)]
    equal = (rows[0] == rows[1]).all(axis=1).reshape(a.shape)
    found: NDArray[Any] = equal | (a != a) & (b != b)
    return found


def _apart(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """``|a - b|``; exact for integers of any size before it is rounded to a float."""
    import numpy as np

    if a.dtype.kind in "iu":
        larger, smaller = np.maximum(a, b), np.minimum(a, b)
        return np.asarray(larger.astype(np.uint64) - smaller.astype(np.uint64), np.float64)
    return np.asarray(np.abs(_wide(a) - _wide(b)))


def _wide(array: NDArray[Any]) -> NDArray[Any]:
    """The array in a type that NumPy's functions support."""
    import numpy as np

    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
