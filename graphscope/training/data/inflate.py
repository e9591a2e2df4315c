"""Compressed files, decompressed once into the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from graphscope.formats.io.compressed import inflate_file, window_of
from graphscope.training.data.cache import digest, keep, stamp

Announced = Callable[[Iterator[bytes]], Iterator[bytes]]
"""Passes on what a file's own header announces of its content; raises CorruptFileError if that is not what follows."""


def inflate(path: Path, cache: Path, announced: Announced) -> Path:
    """``path``, or what it holds where it is compressed by gzip or zlib, in ``cache``.

    Args:
        announced: is given the content piece by piece. A stream is read no further than it reads.

    Raises:
        FileError: it cannot be read, or its content cannot be written.
        CorruptFileError: its compression is damaged, or ``announced`` refuses.
    """
    window = window_of(path)
    if window is None:
        return path
    return keep(cache, f"inflated-{digest(stamp(path))}", lambda: announced(inflate_file(path, window)))
