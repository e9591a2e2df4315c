"""The only checked access to bytes: files, variable-length and fixed-width integers; and encoding of the former.

Every size in a file is checked against the available bytes before memory is allocated for it.
"""

from __future__ import annotations

import functools
import os
import stat
import weakref
from collections.abc import Iterator
from pathlib import Path

from graphscope.core.values.payload import CHUNK_BYTES
from graphscope.errors import CorruptFileError, FileError
from graphscope.formats.io.window import Window

Buffer = bytes | memoryview | Window

_WHOLE = 4 << 20
"""Bytes; a file of at most this size is read whole, which takes a millisecond."""


class FileSource:
    """One open file, read by position. Stays open as long as something refers to it.

    Attributes:
        path: as given.
        size: bytes, when it was opened.
    """

    __slots__ = ("__weakref__", "_file", "_whole", "path", "size")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Opens ``path``.

        Raises:
            FileError: the file is missing, not a regular file, or not readable.
        """
        self.path = Path(path)
        refuse_special(self.path)
        try:
            self._file = open(self.path, "rb", buffering=0)  # noqa: SIM115 - lives as long as its payloads
            weakref.finalize(self, self._file.close)
            self.size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise FileError.from_os_error(error, path) from error
        self._whole: bytes | None = None

    def view(self) -> Buffer:
        """The whole file: a small one read, a large one through a window of its own, which reads what is looked at.

        Raises:
            CorruptFileError: the file is shorter than it was when it was opened; so do the window's reads.
            FileError: the operating system refuses.
        """
        if self.size > _WHOLE:
            return Window(self.read, self.size)
        if self._whole is None:
            self._whole = self.read(0, self.size)
        return self._whole

    def read(self, offset: int, size: int) -> bytes:
        """Exactly ``size`` bytes from ``offset``.

        Raises:
            CorruptFileError: the file ends before that.
            FileError: the operating system refuses.
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise self.corrupt(f"{size:,} bytes needed, but the file ends at byte {self.size:,}", max(offset, 0))
        data = self._read(offset, size)
        if len(data) != size:
            raise self.corrupt("the file became shorter while it was read", offset + len(data))
        return data

    def _read(self, offset: int, size: int) -> bytes:
        """Reads until done: one call may give less than was asked for (2 GiB at most on Linux)."""
        parts = []
        try:
            while size > 0 and (part := os.pread(self._file.fileno(), size, offset)):
                parts.append(part)
                offset += len(part)
                size -= len(part)
        except OSError as error:
            raise FileError.from_os_error(error, self.path) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def chunks(self, offset: int, size: int, chunk: int = CHUNK_BYTES) -> Iterator[bytes]:
        """``size`` bytes from ``offset``, at most ``chunk`` at a time; raises as :meth:`read`."""
        for start in range(offset, offset + size, chunk):
            yield self.read(start, min(chunk, offset + size - start))

    def corrupt(self, message: str, offset: int | None = None, hint: str | None = None) -> CorruptFileError:
        """An error that names this file."""
        return CorruptFileError(message, path=self.path, offset=offset, hint=hint)


_SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def refuse_special(path: Path) -> None:
    """Raises an error if ``path`` never ends or waits for a writer: a pipe, a socket, a device.

    Raises:
        FileError: it is one, or cannot be found.
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
    except (OSError, ValueError) as error:
        raise FileError.from_os_error(error, path) from error
    if kind in _SPECIAL:
        raise FileError(f"{path}: {_SPECIAL[kind]}, not a regular file", hint=f"cat {path} > FILE, then name FILE")


@functools.lru_cache(maxsize=1 << 14)
def varint(value: int) -> bytes:
    """A number from -2**63 to 2**64 - 1 as a base-128 varint, negative ones in two's complement of 64 bits."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


class Cursor:
    """Reads numbers from ``buffer[start:end]``, never beyond; ``base`` is what its first byte is called in messages.

    Attributes:
        at: the next byte, as an index of ``buffer``.
        end: one past the last byte that may be read.
    """

    __slots__ = ("_base", "_buffer", "_path", "at", "end")

    def __init__(
        self, buffer: Buffer, path: str | os.PathLike[str], start: int = 0, end: int | None = None, base: int = 0
    ) -> None:
        self._buffer = buffer
        self._path = path
        self._base = base
        self.at = start
        self.end = len(buffer) if end is None else end

    def corrupt(self, message: str, at: int | None = None) -> CorruptFileError:
        """An error that names the file and the place, the next byte unless told otherwise."""
        return CorruptFileError(message, path=self._path, offset=self._base + (self.at if at is None else at))

    def uvarint(self) -> int:
        """A base-128 varint of at most 64 bits.

        Raises:
            CorruptFileError: it runs past the end or is longer than ten bytes.
        """
        result = shift = 0
        for at in range(self.at, min(self.at + 10, self.end)):
            byte = self._buffer[at]
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                self.at = at + 1
                return result & 0xFFFFFFFFFFFFFFFF
            shift += 7
        raise self.corrupt("a variable-length integer does not end")

    def fixed32(self) -> int:
        """Four bytes, little-endian, unsigned; raises as :meth:`take`."""
        return int.from_bytes(self.take(4), "little")

    def fixed64(self) -> int:
        """Eight bytes, little-endian, unsigned; raises as :meth:`take`."""
        return int.from_bytes(self.take(8), "little")

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes.

        Raises:
            CorruptFileError: fewer are left.
        """
        start = self.skip(size)
        return bytes(self._buffer[start : start + size])

    def fields(self) -> Iterator[tuple[int, int, int, int]]:
        """Field number, wire type, start and end of the body, for each field of the message that fills the rest.

        Source: https://protobuf.dev/programming-guides/encoding.

        Raises:
            CorruptFileError: the message breaks off, or has a group or an unknown wire type.
        """
        while self.at < self.end:
            number, wire_type = divmod(self.uvarint(), 8)
            if wire_type == 0:
                start = self.at
                self.uvarint()
            elif wire_type in (1, 2, 5):
                start = self.skip({1: 8, 5: 4}.get(wire_type) or self.uvarint())
            else:
                raise self.corrupt(
                    f"field {number:,} has wire type {wire_type}, which TensorFlow's messages do not use"
                )
            yield number, wire_type, start, self.at

    def skip(self, size: int) -> int:
        """Steps over ``size`` bytes and returns where they start; raises as :meth:`take`."""
        if size > self.end - self.at:
            raise self.corrupt(f"{size:,} bytes announced, {self.end - self.at:,} left")
        start = self.at
        self.at += size
        return start
