"""The content of one slice in a V1 checkpoint.

Source: ``tensorflow/core/util/saved_tensor_slice.proto`` and ``saved_tensor_slice_util.h`` (2.21).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.core.values.tensor_proto import stored_values
from graphscope.errors import CorruptFileError, UnsupportedError
from graphscope.formats.checkpoint.partitioned import StoredPayload
from graphscope.formats.io.sstable import Table
from graphscope.formats.io.wire import Cursor
from graphscope.protos import DecodeError, TensorProto

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DATA = 2
"""``SavedTensorSlices.data``"""

_TENSOR = 3
"""``SavedSlice.data``"""

_PACKED = {DataType.FLOAT: 5, DataType.DOUBLE: 6, DataType.COMPLEX64: 9, DataType.COMPLEX128: 12}
"""The fields of ``TensorProto`` whose packed form is the array itself."""

_WHERE = "value"

MOST_EXPANSION = 22
"""A byte of the file becomes less than 22 of a message (snappy)."""


class SavedSlicePayload(StoredPayload):
    """A slice of a tensor: the ``SavedTensorSlices`` under ``key`` in ``table``. Reading it reads its block."""

    __slots__ = ("_key", "_table", "_what")

    def __init__(self, table: Table, key: bytes, dtype: DataType, shape: tuple[int, ...], what: str) -> None:
        super().__init__(dtype, shape)
        self._table = table
        self._key = key
        self._what = what

    @property
    def least_bytes(self) -> int:
        """What its message takes at least: packed floating-point numbers their own size, everything else a byte for each."""
        return self.content_bytes if self.dtype in _PACKED else self.elements

    def verify(self) -> None:
        """Nothing is left to check: the store knows all slices of the tensor that are in the file."""

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`. The whole slice is in memory during this time."""
        yield from ArrayPayload(self.numpy(), self.dtype).chunks()

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`. The array may be read-only.

        Raises:
            UnsupportedError: NumPy cannot have that many dimensions.
        """
        value = self._table.get(self._key)
        if value is None:
            raise self._corrupt("the table lacks its content")
        values = self._values(memoryview(value))
        if len(values) != self.elements:
            raise self._corrupt(f"{len(values):,} values are stored for {self.elements:,} elements")
        try:
            return values.reshape(self.shape)
        except ValueError as error:
            raise UnsupportedError(f"{self._what}: {error}", path=self._table.source.path) from error

    def _values(self, value: memoryview) -> NDArray[Any]:
        """The stored values, one-dimensional. Packed floats are not copied."""
        import numpy as np

        try:
            tensor = _only(_only(value, _DATA), _TENSOR)
            packed = _packed_body(tensor, _PACKED[self.dtype]) if self.dtype in _PACKED else None
            if packed is not None:
                return np.frombuffer(packed, self.dtype.numpy)
            return stored_values(TensorProto.FromString(bytes(tensor)), self.dtype, _WHERE)
        except (CorruptFileError, DecodeError, ValueError) as error:
            raise self._corrupt(f"its content is not a SavedTensorSlices of {self.dtype.label}: {error}") from error

    def _corrupt(self, message: str) -> CorruptFileError:
        return self._table.source.corrupt(f"{self._what}: {message}")


def _only(message: memoryview, number: int) -> memoryview:
    """The body of the one submessage in field ``number``; an empty one if there is none."""
    cursor = Cursor(message, _WHERE)
    bodies = [message[start:end] for field, wire, start, end in cursor.fields() if (field, wire) == (number, 2)]
    if len(bodies) > 1:
        raise cursor.corrupt(f"field {number} occurs {len(bodies):,} times")
    [body] = bodies or [message[:0]]
    return body


def _packed_body(tensor: memoryview, number: int) -> memoryview | None:
    """The body of the repeated field ``number``, if it is in one piece."""
    match [(wire, start, end) for field, wire, start, end in Cursor(tensor, _WHERE).fields() if field == number]:
        case [(2, start, end)]:
            return tensor[start:end]
    return None
