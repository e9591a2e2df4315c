"""Payloads with their bytes in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.inline import InlinePayload
from graphscope.core.values.payload import CHUNK_BYTES, Payload
from graphscope.errors import UnsupportedError
from graphscope.formats.io.checksum import crc32c, mask
from graphscope.formats.io.wire import FileSource
from graphscope.protos import DecodeError, TensorProto

if TYPE_CHECKING:
    from numpy.typing import NDArray


class StoredContent(Payload):
    """Content whose size is checked before it is read, in a file that errors can name.

    Attributes:
        source: the file.
        what: its name in errors: ``variable w``.
    """

    __slots__ = ("source", "what")

    source: FileSource
    what: str

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`.

        Raises:
            UnsupportedError: NumPy cannot have that many dimensions, or such large ones.
        """
        try:
            return super().numpy()
        except ValueError as error:
            raise UnsupportedError(f"{self.what}: shape {list(self.shape)}: {error}", path=self.source.path) from error


READ_BYTES = CHUNK_BYTES >> 3
"""Taken of a region at a time: memory of this size is used again, where larger pieces are mapped anew each time."""


class RegionPayload(StoredContent):
    """Raw tensor content: ``size`` bytes of ``source`` from ``offset``.

    Attributes:
        offset, size: the region.
        masked_crc: what its masked CRC-32C must be; ``None`` if the format stores none.
    """

    __slots__ = ("masked_crc", "offset", "size")

    def __init__(
        self,
        source: FileSource,
        offset: int,
        size: int,
        dtype: DataType,
        shape: tuple[int, ...],
        *,
        what: str,
        masked_crc: int | None = None,
    ) -> None:
        super().__init__(dtype, shape)
        self.source = source
        self.offset = offset
        self.size = size
        self.what = what
        self.masked_crc = masked_crc

    def check_size(self, *, scan: bool = False) -> None:  # noqa: ARG002 - the sizes are known
        """See :meth:`Payload.check_size`."""
        if self.size != self.nbytes:
            stated = f"{self.dtype.label} {list(self.shape)} takes {self.nbytes or 0:,} bytes"
            raise self.source.corrupt(f"{self.what}: {stated}, but {self.size:,} are stored", self.offset)

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        self.check_size()
        crc = 0
        for chunk in self.source.chunks(self.offset, self.size, READ_BYTES):
            if self.masked_crc is not None:
                crc = crc32c(chunk, crc)
            yield chunk
        if self.masked_crc is not None and mask(crc) != self.masked_crc:
            raise self.source.corrupt(f"{self.what}: the content's checksum is wrong", self.offset)


class EncodedPayload(Payload):
    """A ``TensorProto`` that is in a file: ``size`` bytes of ``source`` from ``offset``.

    Attributes:
        content: where its ``tensor_content`` is, if that holds all its values; ``None`` for typed fields.
    """

    __slots__ = ("content", "offset", "size", "source", "what")

    def __init__(
        self,
        source: FileSource,
        offset: int,
        size: int,
        dtype: DataType,
        shape: tuple[int, ...],
        *,
        what: str,
        content: RegionPayload | None,
    ) -> None:
        super().__init__(dtype, shape)
        self.source = source
        self.offset = offset
        self.size = size
        self.what = what
        self.content = content

    @property
    def content_bytes(self) -> int:
        """See :attr:`Payload.content_bytes`."""
        return super().content_bytes + (self.size if self.dtype is DataType.STRING else 0)

    def check_size(self, *, scan: bool = False) -> None:
        """See :meth:`Payload.check_size`."""
        if self.content is not None:
            self.content.check_size()
        elif scan:
            self._inline().check_size()

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        return self.content.chunks() if self.content is not None else self._inline().chunks()

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`."""
        return self.content.numpy() if self.content is not None else self._inline().numpy()

    def encode(self) -> Iterator[bytes]:
        """The ``TensorProto`` as it stands in the file, piece by piece."""
        return self.source.chunks(self.offset, self.size, CHUNK_BYTES)

    def _inline(self) -> InlinePayload:
        try:
            proto = TensorProto.FromString(self.source.read(self.offset, self.size))
        except DecodeError as error:
            raise self.source.corrupt(f"{self.what}: not a valid TensorProto: {error}", self.offset) from error
        return InlinePayload(proto, f"{self.source.path}, {self.what}")
