"""CRC-32C, the checksum of TensorFlow's files.

Source: ``tensorflow/tsl/lib/hash/crc32c.h``.
"""

from __future__ import annotations

import google_crc32c


def crc32c(data: bytes, crc: int = 0) -> int:
    """CRC-32C (Castagnoli) of ``data``, going on from ``crc``."""
    return int(google_crc32c.extend(crc, data))
