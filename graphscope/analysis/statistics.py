"""Statistics of a tensor in one streaming pass, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of the values of one tensor. NaN and infinities are counted and excluded from the rest.

    Attributes:
        minimum, maximum, mean, std: over the finite values (population standard deviation, in double precision);
            ``None`` for an empty, complex or string tensor, or one without a finite value.
        zeros, nans, infinities: counts of elements; ``None`` for strings.
    """

    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    zeros: int | None = None
    nans: int | None = None
    infinities: int | None = None


def statistics(payload: Payload, progress: Callable[[int], None] = lambda _: None) -> Statistics:
    """The statistics of ``payload``. Reads it once.

    Args:
        progress: called with the number of bytes after each chunk.

    Raises:
        CorruptFileError, IncompleteModelError, UnsupportedError: as :meth:`Payload.chunks`.
    """
    if payload.dtype.itemsize is None:
        return Statistics()
    import numpy as np

    moments = _Moments(payload.dtype)
    for chunk in payload.chunks():
        moments.add(np.frombuffer(chunk, payload.dtype.numpy))
        progress(len(chunk))
    return moments.result()


class _Moments:
    """Merges mean and squared deviations piece by piece, of the values less the first of them.

    Without that, the digits that a large common offset takes would be missing in the differences of the pieces' means.
    Source: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
    """

    def __init__(self, dtype: DataType) -> None:
        self.is_complex = dtype.label.startswith("complex")
        self.minimum, self.maximum = math.inf, -math.inf
        self.count, self.shift, self.mean, self.squares = 0, 0.0, 0.0, 0.0
        self.zeros = self.nans = self.infinities = 0

    def add(self, values: NDArray[Any]) -> None:
        """Takes the next piece; what overflows becomes an infinity without a warning."""
        import numpy as np

        with np.errstate(all="ignore"):
            self._add(values)

    def _add(self, values: NDArray[Any]) -> None:
        import numpy as np

        if self.is_complex or values.dtype.kind == "V" or values.dtype.itemsize < 4:
            values = values.astype(np.complex128 if self.is_complex else np.float32)
        self.zeros += int(np.count_nonzero(values == 0))
        if values.dtype.kind in "fc":
            values = self._finite(values)
        if len(values) and not self.is_complex:
            self._merge(values)

    def _finite(self, values: NDArray[Any]) -> NDArray[Any]:
        """Counts NaN and infinities and drops them; a finite sum shows that there are none."""
        import numpy as np

        if np.isfinite(values.sum(dtype=np.complex128 if self.is_complex else np.float64)):
            return values
        finite = np.isfinite(values)
        nans = int(np.count_nonzero(np.isnan(values)))
        self.nans += nans
        self.infinities += len(values) - int(np.count_nonzero(finite)) - nans
        kept: NDArray[Any] = values[finite]
        return kept

    def _merge(self, values: NDArray[Any]) -> None:
        import numpy as np

        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, float(values.max()))
        if not self.count:
            self.shift = float(values[0])
        wide = values.astype(np.float64)
        wide -= self.shift
        mean = float(wide.mean())
        wide -= mean
        squares = float(
            np.einsum("i,i->", wide, wide)
        )  # BLAS would start threads for this, and they wait for one another
        total = self.count + len(values)
        delta = mean - self.mean
        self.squares += squares + delta * delta * self.count * len(values) / total
        self.mean += delta * len(values) / total
        self.count = total

    def result(self) -> Statistics:
        counts = {"zeros": self.zeros, "nans": self.nans, "infinities": self.infinities}
        if not self.count:
            return Statistics(**counts)
        std = math.sqrt(self.squares / self.count)
        return Statistics(self.minimum, self.maximum, self.shift + self.mean, std, **counts)
