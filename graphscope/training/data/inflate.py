"""Compressed files, inflated once into the cache."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from graphscope.core.payload import CHUNK_BYTES
from graphscope.errors import CorruptFileError, FileError, file_errors
from graphscope.training.data.cache import digest, kept, stamp

_GZIP = b"\x1f\x8b"
_ZLIB_STARTS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
"""RFC 1950: deflate with a window of 32 KiB, at the four levels."""

_GZIP_WINDOW = 31
_ZLIB_WINDOW = 15
"""What zlib calls the two formats."""

_READ_BYTES = 16 << 10
"""Compressed bytes taken at a time: where a member of a gzip file ends, what was taken beyond it is copied."""

Announced = Callable[[Iterator[bytes]], Iterator[bytes]]
"""Passes on what a file's own header announces of its content; raises CorruptFileError where that is not what follows."""


def inflate(path: Path, cache: Path, announced: Announced) -> Path:
    """``path``, or what it holds where it is compressed by gzip or zlib, in ``cache``.

    Args:
        announced: is given the content piece by piece. A stream is read no further than it reads.

    Raises:
        FileError: it cannot be read, or its content cannot be written.
        CorruptFileError: its compression is damaged, or ``announced`` refuses.
    """
    window = _window(path)
    if window is None:
        return path
    return kept(cache, f"inflated-{digest(stamp(path))}", lambda: announced(_inflated(path, window)))


def head(path: Path, size: int) -> bytes:
    """The first ``size`` bytes of what the file holds, inflated if it is compressed; fewer where it is short or damaged."""
    window = _window(path)
    content = b""
    try:
        for chunk in _inflated(path, window) if window is not None else [_start(path, size)]:
            content += chunk
            if len(content) >= size:
                break
    except CorruptFileError:
        pass
    return content[:size]


def _start(path: Path, size: int) -> bytes:
    with file_errors(path), open(path, "rb") as file:
        return file.read(size)


def _window(path: Path) -> int | None:
    start = _start(path, 2)
    return _GZIP_WINDOW if start == _GZIP else _ZLIB_WINDOW if start in _ZLIB_STARTS else None


def _inflated(path: Path, window: int) -> Iterator[bytes]:
    """The content; a gzip file may have several members."""
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
        raise CorruptFileError("its compression breaks off", path=path)
