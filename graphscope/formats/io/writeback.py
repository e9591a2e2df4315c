"""Files whose content moves to the disk while it is being written, so that ``fsync`` has little left to wait for."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

PIECE_BYTES = 32 << 20
"""The system begins to write after as many bytes; with much smaller pieces, the writer waits for the disk each time."""


class _EarlyWriter(io.BufferedWriter):
    def __init__(self, raw: io.FileIO) -> None:
        super().__init__(raw)
        self._waiting = 0

    def write(self, data: Buffer, /) -> int:
        written = super().write(data)
        self._waiting += written
        if self._waiting >= PIECE_BYTES:
            self.flush()
            begin_writing(self.fileno(), max(0, self.tell() - self._waiting), self._waiting)  # it may have gone back
            self._waiting = 0
        return written


def begin_writing(descriptor: int, offset: int, size: int) -> None:
    """Asks the system to begin to write a region of a file to the disk, without waiting for it.

    This is a hint. Linux begins to write what it is told that it may forget, and forgets what is written already.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_DONTNEED)


def create_early(path: Path) -> BinaryIO:
    """A new file, open for writing.

    Raises:
        OSError: there is one already, or the system refuses.
    """
    return _EarlyWriter(open(path, "xb", buffering=0))  # the caller closes it
