"""Masked CRC-32C, as leveldb tables, tensor bundles and TFRecords store it.

Source: ``tensorflow/tsl/lib/hash/crc32c.h``: ``((crc >> 15) | (crc << 17)) + 0xa282ead8``, modulo 2**32.
"""

from __future__ import annotations

from graphscope.core.values.checksum import crc32c

__all__ = ["crc32c", "mask", "masked_crc32c", "unmask"]

_MASK_DELTA = 0xA282EAD8


def mask(crc: int) -> int:
    """What is stored for ``crc``."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def unmask(masked: int) -> int:
    """The checksum for which ``masked`` is stored."""
    rotated = (masked - _MASK_DELTA) & 0xFFFFFFFF
    return ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """What is stored for ``data``."""
    return mask(crc32c(data))
