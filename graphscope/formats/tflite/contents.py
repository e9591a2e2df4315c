"""The contents of a TensorFlow Lite file's tensors, which are in its buffers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import UnsupportedError
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.packed import region
from graphscope.formats.tflite.flatbuffer import FlatBuffer, Table
from graphscope.formats.tflite.schema import Buffer

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STATED = 1
"""Offsets up to this one are no places: 1 reserves the field until the place is known."""


class Buffers:
    """The buffers of one file, by number."""

    def __init__(self, file: FlatBuffer, tables: Iterator[Table]) -> None:
        self._source = file.source
        self._regions = [self._region(file, table) for table in tables]

    def region(self, number: int) -> tuple[int, int]:
        """Where the content of buffer ``number`` lies, in bytes, and how many; none if there is no such buffer."""
        return self._regions[number] if number < len(self._regions) else (0, 0)

    def text(self, number: int) -> str:
        """The content of a buffer as text, up to the first NUL; raises as :meth:`FileSource.read`."""
        return self._source.read(*self.region(number)).decode("utf-8", "replace").partition("\0")[0]

    def payload(self, number: int, dtype: DataType, shape: tuple[int, ...], what: str) -> Payload | None:
        """The content of a tensor in buffer ``number``; ``None`` if it is computed."""
        at, size = self.region(number)
        if not size or dtype in (DataType.RESOURCE, DataType.VARIANT):
            return None
        if dtype.itemsize is None:
            return StringsPayload(self._source, at, size, shape, what)
        return region(self._source, at, size, dtype, shape, what=what)

    @staticmethod
    def _region(file: FlatBuffer, table: Table) -> tuple[int, int]:
        offset = table.integer(Buffer.OFFSET, "Q")
        if offset <= _STATED:
            return table.region(Buffer.DATA)
        size = table.integer(Buffer.SIZE, "Q")
        if offset + size > file.source.size:
            raise file.corrupt(f"a buffer of {size:,} bytes is said to be at byte {offset:,}, beyond the end", table.at)
        return offset, size


class StringsPayload(Payload):
    """Strings: their number, where each begins and where the last ends, all counted from here, then the strings."""

    __slots__ = ("_offset", "_size", "_source", "_what")

    def __init__(self, source: FileSource, offset: int, size: int, shape: tuple[int, ...], what: str) -> None:
        super().__init__(DataType.STRING, shape)
        self._source = source
        self._offset = offset
        self._size = size
        self._what = what

    @property
    def content_bytes(self) -> int:
        """See :attr:`Payload.content_bytes`."""
        return super().content_bytes + self._size

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        raise TypeError("strings have no fixed-size content")

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`."""
        import numpy as np

        content = self._source.read(self._offset, self._size)
        count = int.from_bytes(content[:4], "little")
        if count != self.elements or 8 + 4 * count > len(content):
            raise self._source.corrupt(
                f"{self._what}: string {list(self.shape)} has {self.elements:,} elements, but {count:,} are stored",
                self._offset,
            )
        ends = np.frombuffer(content, "<i4", count + 1, 4)
        strings = [content[a:b] for a, b in itertools.pairwise(ends.tolist())]
        if (np.diff(ends) < 0).any() or ends[0] < 0 or ends[-1] > len(content):
            raise self._source.corrupt(f"{self._what}: strings reach beyond their buffer", self._offset)
        try:
            return np.fromiter(strings, np.object_, count).reshape(self.shape)
        except ValueError as error:
            raise UnsupportedError(
                f"{self._what}: shape {list(self.shape)[:16]}: {error}", path=self._source.path
            ) from error
