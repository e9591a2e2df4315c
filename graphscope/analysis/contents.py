"""Checksums of tensor contents, equal for equal values regardless of the file format."""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.core.values.checksum import crc32c
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload

UNREADABLE = frozenset({DataType.RESOURCE, DataType.VARIANT, DataType.INVALID})
"""Types whose values have no bytes that could be compared."""


def content_crc(payload: Payload) -> int:
    """CRC-32C of the content: little-endian elements; of strings, each after its length as eight bytes.

    Reads it, unless the file states the checksum.

    Raises:
        CorruptFileError, IncompleteModelError: as :meth:`Payload.chunks`.
    """
    stored = payload.stored_crc
    if stored is not None:
        return stored
    crc = 0
    for piece in content(payload):
        crc = crc32c(piece, crc)
    return crc


def content(payload: Payload) -> Iterator[bytes]:
    """The content piece by piece, strings included; raises as :func:`content_crc`."""
    if payload.dtype is not DataType.STRING:
        yield from payload.chunks()
        return
    for value in payload.listed():
        yield len(value).to_bytes(8, "little")
        yield bytes(value)
