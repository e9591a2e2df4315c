"""Masked CRC-32C, as leveldb tables, tensor bundles and TFRecords store it.

Source: ``tensorflow/tsl/lib/hash/crc32c.h``: ``((crc >> 15) | (crc << 17)) + 0xa282ead8``, modulo 2**32.
"""

from __future__ import annotations

import google_crc32c

_MASK_DELTA = 0xA282EAD8


def crc32c(data: bytes, crc: int = 0) -> int:
    """CRC-32C (Castagnoli) of ``data``, going on from ``crc``."""
    return int(google_crc32c.extend(crc, data))


def mask(crc: int) -> int:
    """What is stored for ``crc``."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """What is stored for ``data``."""
    return mask(crc32c(data))
