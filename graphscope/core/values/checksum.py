"""CRC-32C, the checksum of TensorFlow's files.

Source: ``tensorflow/tsl/lib/hash/crc32c.h``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

_Extend = Callable[[int, bytes], int]


def crc32c(data: bytes, crc: int = 0) -> int:
    """CRC-32C (Castagnoli) of ``data``, going on from ``crc``."""
    return _extend()(crc, data)


@functools.cache
def _extend() -> _Extend:
    """The function in C; a frozen graph has no checksums."""
    import google_crc32c

    extend: _Extend = google_crc32c.extend
    return extend
