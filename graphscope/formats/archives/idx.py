"""MNIST's idx files: one array each.

::

    file     0:u8 0:u8 type:u8 rank:u8 size:u32be * rank content      content in row-major order, big-endian

Source: http://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import itertools
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.values.payload import CHUNK_BYTES
from graphscope.errors import CorruptFileError, UnsupportedError, file_errors
from graphscope.formats.archives.npy import MAX_DIMENSIONS
from graphscope.formats.io.compressed import head, inflate_file, window_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = re.compile(r"idx\d[-.]ubyte(\.gz)?$", re.IGNORECASE)
"""The suffixes of such files."""

TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""Type byte -> NumPy's name."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a file.

    Attributes:
        dtype: NumPy's name of the type.
        shape: of the array.
        size: of the header itself, in bytes.
    """

    dtype: str
    shape: tuple[int, ...]
    size: int

    @property
    def end(self) -> int:
        """Where the array ends, in bytes."""
        return self.size + math.prod(self.shape) * int(self.dtype[-1])


_MAX_HEADER_BYTES = 4 + 4 * MAX_DIMENSIONS


def read_header(place: Path, path: Path) -> Header:
    """The header of the file at ``place``.

    Args:
        path: what errors call the file.

    Raises:
        FileError: it cannot be read.
        CorruptFileError: it ends within its header.
        UnsupportedError: it is not an idx file.
    """
    return _header(head(place, _MAX_HEADER_BYTES), path)


def read_idx(path: Path) -> NDArray[Any]:
    """The array in a file that may be gzipped, in the machine's byte order. Reads no more than the header announces.

    Raises:
        FileError: it cannot be read.
        CorruptFileError: it holds more or less than its header announces.
        UnsupportedError: it is not an idx file.
    """
    import numpy as np

    window = window_of(path)
    header = read_header(path, path)
    content = b"".join(check_announced(inflate_file(path, window) if window is not None else _pieces(path), path))
    dtype = np.dtype(header.dtype)
    array = np.frombuffer(content, dtype, offset=header.size).reshape(header.shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _pieces(path: Path) -> Iterator[bytes]:
    with file_errors(path), open(path, "rb") as file:
        yield from iter(lambda: file.read(CHUNK_BYTES), b"")


def _header(start: bytes, path: Path) -> Header:
    """The header that ``start`` begins with."""
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in TYPES or not start[3]:
        raise UnsupportedError(f"not an idx file: it starts with {start[:4].hex(' ')}", path=path)
    rank = start[3]
    if rank > MAX_DIMENSIONS:
        raise UnsupportedError(f"an array of {rank} dimensions; the limit is {MAX_DIMENSIONS}", path=path)
    if len(start) < 4 + 4 * rank:
        raise CorruptFileError("the file ends within its header", path=path, offset=len(start))
    return Header(TYPES[start[2]], struct.unpack_from(f">{rank}I", start, 4), 4 + 4 * rank)


def check_announced(content: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """``content``, which is the array that its header announces, no less and no more.

    Raises:
        CorruptFileError: it is not.
        UnsupportedError: it is not an idx file.
    """
    start = b""
    for piece in content:
        start += piece
        if len(start) >= _MAX_HEADER_BYTES:
            break
    header, at = _header(start, path), 0
    for piece in itertools.chain([start], content):
        at += len(piece)
        refuse_more(header, at, path)
        yield piece
    if at < header.end:
        raise CorruptFileError(f"the array ends at byte {header.end:,}; the file has {at:,}", path=path)


def refuse_more(header: Header, size: int, path: Path) -> None:
    """Raises an error if a file of ``size`` bytes has more than ``header`` announces.

    Raises:
        CorruptFileError: so.
    """
    if size > header.end:
        message = f"more bytes than the {header.end:,} that its header announces: {list(header.shape)}, {header.dtype}"
        raise CorruptFileError(message, path=path, offset=header.end)
