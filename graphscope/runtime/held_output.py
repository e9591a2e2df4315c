"""Holds back what TensorFlow's own code writes to a descriptor of the process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def held_back(descriptor: int) -> Iterator[bytearray]:
    """Holds back what is written to ``descriptor`` (1 or 2) of the process meanwhile; gives it when that is over.

    Raises:
        OSError: the descriptor is closed, or there is no place for temporary files.
    """
    held = bytearray()
    with tempfile.TemporaryFile() as file:
        kept = os.dup(descriptor)
        try:
            _flush()
            os.dup2(file.fileno(), descriptor)
            try:
                yield held
            finally:
                _flush()
                os.dup2(kept, descriptor)
        finally:
            os.close(kept)
            file.seek(0)
            held += file.read()


def _flush() -> None:
    """Hands on what Python and the C library have buffered."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)
