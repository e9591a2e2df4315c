"""The mean of several tensors, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphscope.core.values.align import align
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload

_COMPLEX = frozenset({DataType.COMPLEX64, DataType.COMPLEX128})


class MeanPayload(Payload):
    """The mean of tensors of one type and shape, of a type that :func:`has_mean`.

    They are summed in their order in float64 (complex128) and the mean is cast back.

    Args:
        parts: at least one.
    """

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[Payload]) -> None:
        super().__init__(parts[0].dtype, parts[0].shape)
        self._parts = parts

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`. A piece of each part is in memory at a time."""
        import numpy as np

        dtype = self.dtype.numpy
        wide = np.dtype(np.complex128 if self.dtype in _COMPLEX else np.float64)
        for pieces in align(*(part.chunks() for part in self._parts)):
            with np.errstate(all="ignore"):
                wide_pieces = [np.frombuffer(piece, dtype).astype(wide) for piece in pieces]
                mean = np.mean(wide_pieces, axis=0).astype(dtype)
            yield mean.tobytes()


def has_mean(dtype: DataType) -> bool:
    """Whether a mean of such tensors is of their type: floating and complex ones."""
    return dtype.is_floating or dtype in _COMPLEX


def are_equal(payloads: Sequence[Payload]) -> bool:
    """Whether tensors of one type and shape are equal to the bit. Reads them as far as they are."""
    if payloads[0].dtype is DataType.STRING:
        first, *others = [payload.listed() for payload in payloads]
        return all(other == first for other in others)
    return all(piece == pieces[0] for pieces in align(*(payload.chunks() for payload in payloads)) for piece in pieces)
