"""Compares the values of two models: by type and shape, by the checksums that files state, then by their bytes."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.analysis.contents import UNREADABLE, content, content_crc
from graphscope.analysis.diff.report import Change, Difference, Section, WeightChange
from graphscope.core.tensors import shape_text
from graphscope.core.values.align import align
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import AbsentPayload, Payload

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEW = 16
"""Up to this many elements, the values themselves are reported."""

_MAX_TEXT = 60


class Depth(str, enum.Enum):
    """How thoroughly values are compared."""

    NONE = "none"
    STAT = "stat"
    EXACT = "exact"


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair of matched tensors.

    Attributes:
        name, other: what they are called; ``other`` is empty if that is the same.
        function: the library function that they are in.
        a, b: how to get them.
    """

    name: str
    other: str
    function: str
    a: Callable[[], Payload]
    b: Callable[[], Payload]


def compare_weights(
    pairs: Iterable[Pair], depth: Depth, progress: Callable[[int], None] = lambda _: None
) -> Iterator[Difference]:
    """What differs in value. Equal checksums that both files state count as equal, unless ``depth`` is ``EXACT``.

    Args:
        progress: called with the number of bytes of each compared tensor.

    Raises:
        CorruptFileError, IncompleteModelError: a value cannot be read.
    """
    for pair in pairs:
        a, b = pair.a(), pair.b()
        found = _compare(a, b, depth)
        progress(a.nbytes or 0)
        if found is not None:
            detail, change = found
            yield Difference(Section.WEIGHTS, Change.CHANGED, pair.name, detail, pair.other, pair.function, change)


def _compare(a: Payload, b: Payload, depth: Depth) -> tuple[str, WeightChange | None] | None:
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        one, other = (f"{p.dtype.label} {shape_text(p.shape)}" for p in (a, b))
        return f"{one} -> {other}", None
    is_absent = isinstance(a, AbsentPayload) or isinstance(b, AbsentPayload)
    if depth is Depth.NONE or a.dtype in UNREADABLE or is_absent or _is_equal(a, b, exact=depth is Depth.EXACT):
        return None
    return _describe(a, b)


def _is_equal(a: Payload, b: Payload, *, exact: bool) -> bool:
    """Whether two tensors of one type and shape hold the same bytes.

    Args:
        exact: reads them even where both files state their checksums and these are equal.
    """
    if not exact and a.stored_crc is not None and b.stored_crc is not None:
        return a.stored_crc == b.stored_crc
    if not exact and (a.stored_crc is not None or b.stored_crc is not None):
        return content_crc(a) == content_crc(b)
    return all(one == other for one, other in align(content(a), content(b)))


def _describe(a: Payload, b: Payload) -> tuple[str, WeightChange]:
    change = measure(a, b)
    if a.elements <= _FEW:
        one, other = _values(a), _values(b)
        if len(one) + len(other) <= 2 * _MAX_TEXT and one != other:
            return f"{one} -> {other}", change
    if a.dtype is DataType.STRING:
        return f"{change.changed:,} of {change.elements:,} strings", change
    share = (change.changed or 0) / max(1, change.elements)
    parts = [f"{share:.3g} of {change.elements:,} values" if share < 1 else f"all {change.elements:,} values"]
    parts += [f"{change.not_finite:,} of them NaN or infinite"] if change.not_finite else []
    if change.not_finite == change.changed:
        return ", ".join(parts), change
    parts += [f"max |difference| {change.max_abs:.4g}"] if change.max_abs is not None else []
    parts += [f"relative {change.relative:.4g}"] if change.relative is not None else []
    parts += [f"cosine {change.cosine:.6g}"] if change.cosine is not None else []
    return ", ".join(parts), change


def _values(payload: Payload) -> str:
    values = payload.listed()
    shown = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values]
    return str(shown[0] if not payload.shape and shown else shown)


def measure(a: Payload, b: Payload) -> WeightChange:
    """How far ``b`` is from ``a``, of one type and shape. Streams both, in double precision."""
    if a.dtype is DataType.STRING:
        changed = sum(one != other for one, other in zip(a.listed(), b.listed()))
        return WeightChange(a.elements, changed)
    import numpy as np

    moments = _Moments()
    itemsize = a.dtype.itemsize or 1
    for one, other in _whole_elements(align(a.chunks(), b.chunks()), itemsize):
        moments.add(np.frombuffer(one, a.dtype.numpy), np.frombuffer(other, b.dtype.numpy))
    return moments.result(a.elements, has_distance=a.dtype.is_real and a.dtype is not DataType.BOOL)


def _whole_elements(pieces: Iterator[tuple[bytes, ...]], itemsize: int) -> Iterator[tuple[bytes, bytes]]:
    """Aligned chunks of both tensors; no element is split."""
    for one, other in pieces:
        if len(one) % itemsize or len(one) != len(other):
            raise ValueError("two tensors of one type and shape have contents of different sizes")
        yield one, other


class _Moments:
    def __init__(self) -> None:
        self.changed = 0
        self.not_finite = 0
        self.max_abs = 0.0
        self.squares = self.squares_a = self.squares_b = self.product = 0.0

    def add(self, a: NDArray[Any], b: NDArray[Any]) -> None:
        """Takes the next piece; NaN and infinities count as changed where their bits differ, and in nothing else."""
        import numpy as np

        bits = a.view(np.uint8).reshape(-1, a.dtype.itemsize), b.view(np.uint8).reshape(-1, b.dtype.itemsize)
        has_changed = (bits[0] != bits[1]).any(axis=1)
        self.changed += int(np.count_nonzero(has_changed))
        if a.dtype.kind in "cV" and a.dtype.names is not None:
            return
        with np.errstate(all="ignore"):
            one, other = a.astype(np.float64), b.astype(np.float64)
            finite = np.isfinite(one) & np.isfinite(other)
            if not finite.all():
                self.not_finite += int(np.count_nonzero(has_changed & ~finite))
                one, other = one[finite], other[finite]
            difference = other - one
            self.max_abs = max(self.max_abs, float(np.abs(difference).max(initial=0.0)))
            self.squares += float(np.einsum("i,i->", difference, difference))
            self.squares_a += float(np.einsum("i,i->", one, one))
            self.squares_b += float(np.einsum("i,i->", other, other))
            self.product += float(np.einsum("i,i->", one, other))

    def result(self, elements: int, *, has_distance: bool) -> WeightChange:
        if not has_distance:
            return WeightChange(elements, self.changed)
        relative = math.sqrt(self.squares / self.squares_a) if self.squares_a else None
        norm = math.sqrt(self.squares_a) * math.sqrt(self.squares_b)
        cosine = self.product / norm if norm else None
        return WeightChange(elements, self.changed, self.max_abs, relative, cosine, self.not_finite)
