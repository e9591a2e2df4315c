"""Writes tables in leveldb's format, as TensorFlow does: blocks of 256 KiB, uncompressed, a restart every 16 entries.

See :mod:`graphscope.formats.io.sstable` for the layout. Source: ``tsl/lib/io/{table_builder,block_builder}.cc`` and
``table_options.h`` in TensorFlow 2.21.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from graphscope.formats.io.checksum import masked_crc32c
from graphscope.formats.io.table_footer import FOOTER_BYTES, MAGIC
from graphscope.formats.io.wire import varint

BLOCK_BYTES = 256 << 10
_RESTART_INTERVAL = 16
_PLAIN = b"\0"


def table_chunks(items: Iterable[tuple[bytes, bytes]], block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The bytes of a table of ``items``, piece by piece: each key above the one before it, bytewise.

    Args:
        block_bytes: a block is closed when it has reached this size.
    """
    index = _Block(restart_interval=1)
    block = _Block(_RESTART_INTERVAL)
    offset = 0
    for key, value in items:
        if block.size >= block_bytes:
            yield (stored := block.stored())
            index.add(_between(block.last_key, key), _handle(offset, stored))
            offset += len(stored)
            block = _Block(_RESTART_INTERVAL)
        block.add(key, value)
    if block.size:
        yield (stored := block.stored())
        index.add(_above(block.last_key), _handle(offset, stored))
        offset += len(stored)
    yield _tail(offset, index)


def _tail(offset: int, index: _Block) -> bytes:
    """What stands at ``offset``, after the data blocks: an empty metaindex, the index, the footer."""
    metaindex, stored = _Block(_RESTART_INTERVAL).stored(), index.stored()
    handles = _handle(offset, metaindex) + _handle(offset + len(metaindex), stored)
    return metaindex + stored + handles.ljust(FOOTER_BYTES - 8, b"\0") + struct.pack("<Q", MAGIC)


def _handle(offset: int, stored: bytes) -> bytes:
    """Where a block is; its size without type and checksum."""
    return varint(offset) + varint(len(stored) - 5)


class _Block:
    """Entries that share the beginnings of their keys.

    Attributes:
        last_key: of the entry added last.
    """

    def __init__(self, restart_interval: int) -> None:
        self.last_key = b""
        self._interval = restart_interval
        self._entries = bytearray()
        self._restarts = [0]
        self._since_restart = 0

    @property
    def size(self) -> int:
        """Bytes of the entries so far."""
        return len(self._entries)

    def add(self, key: bytes, value: bytes) -> None:
        """Appends an entry."""
        shared = _shared_length(self.last_key, key)
        if self._since_restart == self._interval:
            self._restarts.append(len(self._entries))
            self._since_restart = shared = 0
        self._entries += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        self._since_restart += 1
        self.last_key = key

    def stored(self) -> bytes:
        """The block as it is in the file: contents, type, checksum."""
        restarts = [*self._restarts, len(self._restarts)]
        body = bytes(self._entries) + struct.pack(f"<{len(restarts)}I", *restarts) + _PLAIN
        return body + struct.pack("<I", masked_crc32c(body))


def _between(last: bytes, following: bytes) -> bytes:
    """A short key from ``last`` on and below ``following`` (``FindShortestSeparator``)."""
    at = _shared_length(last, following)
    if at < len(last) and at < len(following) and last[at] + 1 < following[at]:
        return last[:at] + bytes([last[at] + 1])
    return last


def _above(last: bytes) -> bytes:
    """A short key from ``last`` on (``FindShortSuccessor``)."""
    rest = last.lstrip(b"\xff")
    return last[: len(last) - len(rest)] + bytes([rest[0] + 1]) if rest else last


def _shared_length(before: bytes, key: bytes) -> int:
    """How many bytes both begin with."""
    for at, (a, b) in enumerate(zip(before, key)):
        if a != b:
            return at
    return min(len(before), len(key))
