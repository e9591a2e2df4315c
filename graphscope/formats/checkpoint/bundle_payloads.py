"""The content of tensors in the data files of a V2 checkpoint.

Source: ``GetValue``, ``ReadStringTensor`` and ``WriteStringTensor`` in
``tensorflow/core/util/tensor_bundle/tensor_bundle.cc`` (2.21).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.values.dtypes import DataType
from graphscope.errors import IncompleteModelError, UnsupportedError
from graphscope.formats.checkpoint.partitioned import StoredPayload
from graphscope.formats.detect.neighbours import refuse_pointer
from graphscope.formats.io.checksum import crc32c, mask, unmask
from graphscope.formats.io.paths import exists
from graphscope.formats.io.wire import Cursor, FileSource
from graphscope.formats.lazy.payloads import RegionPayload
from graphscope.named_tuple import NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_OPEN = 64
_UINT32_MAX = 0xFFFFFFFF


class Shards:
    """The data files of one checkpoint, opened when they are needed; a few stay open.

    Attributes:
        count: how many the index announces.
    """

    def __init__(self, prefix: str, count: int) -> None:
        self.count = count
        self._prefix = prefix
        self._open: dict[int, FileSource] = {}

    def path(self, number: int) -> Path:
        """Where data file ``number`` is, or would be."""
        return Path(f"{self._prefix}.data-{number:05d}-of-{self.count:05d}")

    def open(self, number: int, what: str) -> FileSource:
        """Data file ``number``.

        Raises:
            IncompleteModelError: it is missing; the message names ``what`` it holds.
            FileError: it cannot be read.
            NotTensorFlowError: a Git LFS pointer is in its place.
        """
        if number not in self._open:
            path = self.path(number)
            if not exists(path):
                raise IncompleteModelError(
                    f"{what}: its value is in {path}, which is missing",
                    hint="copy that file from where the checkpoint was written",
                )
            if len(self._open) >= _MAX_OPEN:
                self._open.clear()
            source = FileSource(path)
            refuse_pointer(source)
            self._open[number] = source
        return self._open[number]


class SliceLocation(NamedTuple):
    """The location of a tensor: ``size`` bytes of data file ``shard`` from ``offset``, and their masked CRC-32C."""

    shard: int
    offset: int
    size: int
    masked_crc: int


class BundleTensor(StoredPayload):
    """A tensor of a type of fixed size: its elements, little-endian, in row-major order."""

    __slots__ = ("_place", "_shards", "_what")

    def __init__(
        self, shards: Shards, place: SliceLocation, dtype: DataType, shape: tuple[int, ...], what: str
    ) -> None:
        super().__init__(dtype, shape)
        self._shards = shards
        self._place = place
        self._what = what

    @property
    def stored_crc(self) -> int | None:
        """See :meth:`Payload.stored_crc`."""
        return unmask(self._place.masked_crc)

    def verify(self) -> None:
        """See :meth:`StoredPayload.verify`."""
        self._region()

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        yield from self._region().chunks()

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`.

        Raises:
            UnsupportedError: NumPy cannot have that many dimensions.
        """
        region = self._region()
        try:
            return region.numpy()
        except ValueError as error:
            raise UnsupportedError(f"{self._what}: {error}", path=region.source.path) from error

    def _region(self) -> RegionPayload:
        place = self._place
        source = self._shards.open(place.shard, self._what)
        if place.size != self.nbytes:
            stated = f"{self.dtype.label} {list(self.shape)} takes {self.nbytes:,} bytes"
            raise source.corrupt(f"{self._what}: {stated}, but {place.size:,} are stored", place.offset)
        _check_end(source, place, self._what)
        return RegionPayload(
            source,
            place.offset,
            place.size,
            self.dtype,
            self.shape,
            what=self._what,
            masked_crc=place.masked_crc,
        )


class BundleString(StoredPayload):
    """A string tensor: a varint length for each element, the masked CRC-32C of the lengths, then all bytes.

    The checksums take each length as four bytes, or as eight where it does not fit into four. The entry's checksum goes on
    over the four bytes of the first one and the strings.
    """

    __slots__ = ("_place", "_shards", "_what")

    def __init__(self, shards: Shards, place: SliceLocation, shape: tuple[int, ...], what: str) -> None:
        super().__init__(DataType.STRING, shape)
        self._shards = shards
        self._place = place
        self._what = what

    @property
    def content_bytes(self) -> int:
        """See :attr:`Payload.content_bytes`."""
        return super().content_bytes + self._place.size

    def verify(self) -> None:
        """See :meth:`StoredPayload.verify`."""
        source = self._shards.open(self._place.shard, self._what)
        _check_end(source, self._place, self._what)
        if self.elements > self._place.size:
            message = f"{self._what}: {self.elements:,} strings do not fit in {self._place.size:,} bytes"
            raise source.corrupt(message, self._place.offset)

    def chunks(self) -> Iterator[bytes]:
        """Strings have no such form."""
        raise TypeError(f"{self._what}: strings have no fixed-size content")

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`."""
        import numpy as np

        self.verify()
        source = self._shards.open(self._place.shard, self._what)
        array = np.empty(self.elements, np.object_)
        array[:] = self._strings(source, source.read(self._place.offset, self._place.size))
        try:
            return array.reshape(self.shape)
        except ValueError as error:
            raise UnsupportedError(f"{self._what}: {error}", path=source.path) from error

    def _strings(self, source: FileSource, data: bytes) -> list[bytes]:
        place = self._place
        if not data:  # written so for no elements by old releases
            return []
        lengths, at = self._lengths(source, data)
        crc = crc32c(_checked_form(lengths))
        check = data[at : at + 4]
        if mask(crc) != int.from_bytes(check, "little"):
            raise source.corrupt(f"{self._what}: the checksum of the strings' lengths is wrong", place.offset + at)
        at += 4
        if at + sum(lengths) != len(data):
            message = f"{self._what}: {len(data) - at:,} bytes of strings, where {sum(lengths):,} are announced"
            raise source.corrupt(message, place.offset + at)
        if mask(crc32c(data[at:], crc32c(check, crc))) != place.masked_crc:
            raise source.corrupt(f"{self._what}: the content's checksum is wrong", place.offset)
        strings = []
        for length in lengths:
            strings.append(data[at : at + length])
            at += length
        return strings

    def _lengths(self, source: FileSource, data: bytes) -> tuple[list[int], int]:
        """The strings' lengths, and where they end."""
        count = self.elements
        head = data[:count]
        if len(head) == count and head.isascii():
            return list(head), count  # each in one byte
        cursor = Cursor(data, source.path, base=self._place.offset)
        return [cursor.uvarint() for _ in range(count)], cursor.at


def _check_end(source: FileSource, place: SliceLocation, what: str) -> None:
    """Refuses a tensor that lies beyond the end of its file.

    Raises:
        CorruptFileError: it does.
    """
    end = place.offset + place.size
    if end > source.size:
        message = f"{what}: its value ends at byte {end:,}, but the file at byte {source.size:,}"
        raise source.corrupt(message, place.offset)


def _checked_form(lengths: list[int]) -> bytes:
    """What the lengths' checksum is taken over."""
    import numpy as np

    if max(lengths, default=0) <= _UINT32_MAX:
        return np.array(lengths, "<u4").tobytes()
    return b"".join(n.to_bytes(4 if n <= _UINT32_MAX else 8, "little") for n in lengths)
