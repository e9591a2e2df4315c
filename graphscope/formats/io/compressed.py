"""Files compressed by gzip or zlib, read piece by piece."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from graphscope.core.values.payload import CHUNK_BYTES
from graphscope.errors import CorruptFileError, FileError, file_errors

_GZIP = b"\x1f\x8b"
_ZLIB_STARTS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
"""RFC 1950: deflate with a window of 32 KiB, at the four levels."""

_GZIP_WINDOW = 31
_ZLIB_WINDOW = 15
"""What zlib calls the two formats."""

_READ_BYTES = 16 << 10
"""Compressed bytes taken at a time: where a member of a gzip file ends, what was taken beyond it is copied."""


def head(path: Path, size: int) -> bytes:
    """The first ``size`` bytes of what the file holds, inflated if it is compressed; fewer where it is short or damaged."""
    window = window_of(path)
    content = b""
    try:
        for chunk in inflate_file(path, window) if window is not None else [_start(path, size)]:
            content += chunk
            if len(content) >= size:
                break
    except CorruptFileError:
        pass
    return content[:size]


def _start(path: Path, size: int) -> bytes:
    with file_errors(path), open(path, "rb") as file:
        return file.read(size)


def window_of(path: Path) -> int | None:
    """What zlib calls the format that a file is compressed in; ``None`` if it is not.

    Raises:
        FileError: it cannot be read.
    """
    start = _start(path, 2)
    return _GZIP_WINDOW if start == _GZIP else _ZLIB_WINDOW if start in _ZLIB_STARTS else None


def inflate_file(path: Path, window: int) -> Iterator[bytes]:
    """The content piece by piece; a gzip file may have several members.

    Args:
        window: as :func:`window_of` gives it.

    Raises:
        FileError: the file cannot be read.
        CorruptFileError: its compression is damaged.
    """
    try:
        with open(path, "rb") as file:
            stream = zlib.decompressobj(window)
            pending = file.read(_READ_BYTES)
            while pending:
                yield stream.decompress(pending, CHUNK_BYTES)
                pending = stream.unconsumed_tail or stream.unused_data or file.read(_READ_BYTES)
                if stream.eof and pending:
                    stream = zlib.decompressobj(window)
            yield stream.flush()
    except OSError as error:
        raise FileError.from_os_error(error, path) from error
    except zlib.error as error:
        raise CorruptFileError(f"its compression is damaged: {error}", path=path) from error
    if not stream.eof:
        raise CorruptFileError("its compressed data ends early", path=path)
