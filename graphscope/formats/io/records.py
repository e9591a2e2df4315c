"""TFRecord framing, used by event files and files of examples.

A record is a length (uint64), the masked CRC-32C of those eight bytes, the data, and the masked CRC-32C of the data; numbers
are little-endian. Source: ``tensorflow/tsl/lib/io/record_writer.h``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from graphscope.core.values.payload import CHUNK_BYTES
from graphscope.errors import CorruptFileError, TruncatedFileError
from graphscope.formats.io.checksum import crc32c, mask, masked_crc32c
from graphscope.formats.io.wire import FileSource
from graphscope.named_tuple import NamedTuple

_NO_RECORD = "no record starts here: the checksum of its length is wrong"

HEADER_BYTES = 12
FOOTER_BYTES = 4


def starts_record(head: bytes) -> bool:
    """Whether a file that begins with ``head`` begins with a record: its length has the right checksum."""
    return len(head) >= HEADER_BYTES and int.from_bytes(head[8:HEADER_BYTES], "little") == masked_crc32c(head[:8])


def is_event_file(head: bytes) -> bool:
    """Whether a file that begins with ``head`` begins with an event that states the version of event files."""
    return b"brain.Event:" in head[HEADER_BYTES:64] and starts_record(head)


def is_event_file_name(name: str) -> bool:
    """What TensorBoard takes for an event file (``event_processing/io_wrapper.py``)."""
    return "tfevents" in name


class Record(NamedTuple):
    """Where the data of one record lies: ``size`` bytes from ``start``, counted from the start of the file."""

    start: int
    size: int


def records(source: FileSource) -> Iterator[Record]:
    """The records of ``source`` in order. Reads their lengths only; the checksums of the lengths are compared.

    Raises:
        TruncatedFileError: the file ends within a record.
        CorruptFileError: the checksum of a length is wrong: nothing after it can be found.
    """
    at = 0
    while at < source.size:
        if source.size - at < HEADER_BYTES:
            raise _truncated_error(source, at, HEADER_BYTES)
        header = source.read(at, HEADER_BYTES)
        size, stated = struct.unpack("<QI", header)
        if masked_crc32c(header[:8]) != stated:
            raise source.corrupt(_NO_RECORD, at)
        whole = HEADER_BYTES + size + FOOTER_BYTES
        if whole > source.size - at:
            raise _truncated_error(source, at, whole)
        yield Record(at + HEADER_BYTES, size)
        at += whole


def unframe(content: Iterable[bytes], path: Path, most: int) -> Iterator[bytes]:
    """``content`` of a file of records, piece by piece, as long as one record follows the other.

    Args:
        path: what errors call the file.
        most: bytes; no record is longer.

    Raises:
        CorruptFileError: where the next record starts there is none, or one that is longer.
    """
    start, pending = 0, b""  # of the next record, from the first byte of ``pending``; what of the content may hold it
    passed = 0
    for piece in content:
        yield piece
        pending += piece
        while len(pending) - start >= HEADER_BYTES:
            size, stated = struct.unpack_from("<QI", pending, start)
            if masked_crc32c(pending[start : start + 8]) != stated:
                raise CorruptFileError(_NO_RECORD, path=path, offset=passed + start)
            if size > most:
                message = f"a record of {size:,} bytes starts here, but at most {most:,} can follow"
                raise CorruptFileError(message, path=path, offset=passed + start)
            start += HEADER_BYTES + size + FOOTER_BYTES
        gone = min(start, len(pending))
        passed, start, pending = passed + gone, start - gone, pending[gone:]


def _truncated_error(source: FileSource, at: int, size: int) -> TruncatedFileError:
    message = f"a record of {size:,} bytes starts here, and {source.size - at:,} are left"
    return TruncatedFileError(message, path=source.path, offset=at)


def verify(source: FileSource, record: Record) -> None:
    """Compares the checksum of the data, which is read piece by piece.

    Raises:
        CorruptFileError: it is wrong.
    """
    end = record.start + record.size
    crc = 0
    for chunk in source.chunks(record.start, record.size, CHUNK_BYTES):
        crc = crc32c(chunk, crc)
    _compare(source, record, crc, source.read(end, FOOTER_BYTES))


def _compare(source: FileSource, record: Record, crc: int, footer: bytes) -> None:
    if mask(crc) != int.from_bytes(footer, "little"):
        raise source.corrupt(f"the checksum of a record of {record.size:,} bytes is wrong", record.start)


def read(source: FileSource, record: Record) -> bytes:
    """The data; raises as :func:`verify`."""
    whole = source.read(record.start, record.size + FOOTER_BYTES)
    data = whole[: record.size]
    _compare(source, record, crc32c(data), whole[record.size :])
    return data


def read_records(source: FileSource) -> Iterator[tuple[int, bytes]]:
    """Start of the data in the file and the data itself, for each record; raises as :func:`records` and :func:`read`."""
    for record in records(source):
        yield record.start, read(source, record)


def record(data: bytes) -> bytes:
    """``data`` as one record."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, struct.pack("<I", masked_crc32c(length)), data, struct.pack("<I", masked_crc32c(data))))
