"""The content of a tensor that is stored in slices."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.errors import GraphscopeError
from graphscope.named_tuple import NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray


class StoredPayload(Payload):
    """A tensor, or a slice of one, that is in one place of a checkpoint."""

    __slots__ = ()

    @abc.abstractmethod
    def verify(self) -> None:
        """Checks that the file can hold a tensor of this shape, before memory is allocated.

        Raises:
            CorruptFileError: it is too short, or states another size.
            IncompleteModelError: it is missing.
        """


class Part(NamedTuple):
    """One stored slice: where it belongs, and its content."""

    region: tuple[slice, ...]
    payload: StoredPayload


class PartitionedPayload(Payload):
    """Slices put together.

    Partitions along the first dimension, the usual ones, are streamed; others are put together in memory.
    """

    __slots__ = ("_error", "_parts")

    def __init__(
        self, parts: Sequence[Part], dtype: DataType, shape: tuple[int, ...], error: Callable[[str], GraphscopeError]
    ) -> None:
        """Checks, without I/O, that the parts can make up the whole.

        Args:
            parts: in any order, each within ``shape``.
            error: makes the exception to raise, of a message.
        """
        super().__init__(dtype, shape)
        self._parts = sorted(parts, key=lambda part: [extent.start for extent in part.region])
        self._error = error
        covered = sum(_volume(part.region) for part in parts)
        if covered != self.elements:
            raise error(f"its {len(parts):,} slices hold {covered:,} of {self.elements:,} elements")

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        if not self._is_by_rows():
            yield from ArrayPayload(self.numpy(), self.dtype).chunks()
            return
        row = 0
        for part in self._parts:
            if part.region[0].start != row:
                raise self._error("its slices overlap")
            yield from part.payload.chunks()
            row = part.region[0].stop

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`."""
        import numpy as np

        for part in self._parts:
            part.payload.verify()
        try:
            whole = np.empty(self.shape, self.dtype.numpy)
        except ValueError as error:
            raise self._error(str(error)) from error
        free = np.ones(self.shape, np.bool_)
        for part in self._parts:
            if not free[part.region].all():
                raise self._error("its slices overlap")
            whole[part.region] = part.payload.numpy()
            free[part.region] = False
        return whole

    def _is_by_rows(self) -> bool:
        whole_rows = [slice(0, size) for size in self.shape[1:]]
        return bool(self.shape) and all(list(part.region[1:]) == whole_rows for part in self._parts)


def _volume(region: tuple[slice, ...]) -> int:
    return math.prod(extent.stop - extent.start for extent in region)
