"""Captures output of TensorFlow's native code to a descriptor of the process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def held_back(descriptor: int) -> Iterator[bytearray]:
    """Captures output to ``descriptor`` (1 or 2) of the process during the block, and yields it afterwards.

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
    """Flushes the buffers of Python and the C library."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)
