"""Sorted string tables in leveldb's format: the container of both checkpoint formats.

::

    file     block* metaindex-block index-block footer
    block    contents type:u8 masked-crc32c(contents type):u32      type 0 is plain, 1 is snappy
    contents entry* restart:u32* number-of-restarts:u32             what snappy compresses
    entry    shared:varint unshared:varint value-size:varint key-rest value
    footer   metaindex:handle index:handle padding magic:u64        48 bytes
    handle   offset:varint size:varint                              size without type and checksum

Keys ascend bytewise. An entry's key begins with the first ``shared`` bytes of the key before it. The index has an entry for
each data block: a key not below the block's last and below the next block's first, and the block's handle.

Sources: ``tsl/lib/io/{format,block,table_builder}.cc`` in TensorFlow 2.21 and leveldb's ``doc/table_format.md``;
``format_description.txt`` of snappy.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator

from graphscope.core.values.payload import CHUNK_BYTES
from graphscope.errors import CorruptFileError
from graphscope.formats.io.checksum import masked_crc32c
from graphscope.formats.io.table_footer import FOOTER_BYTES, is_table
from graphscope.formats.io.wire import Cursor, FileSource
from graphscope.named_tuple import NamedTuple

_TRAILER_BYTES = 5
_PLAIN, _SNAPPY = 0, 1

Item = tuple[bytes, "bytes | memoryview"]
"""A key and its value: a view of its block where that may be large (checkpoints V1 hold tensors), otherwise a copy."""


class Handle(NamedTuple):
    """Where a block's contents are, in bytes from the start of the file; type and checksum follow."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        """One past the block's checksum."""
        return self.offset + self.size + _TRAILER_BYTES


class Table:
    """One table file: its index in memory, its data blocks on demand.

    Memory: one block at a time, and at most 64/3 of its size in the file more where it is compressed.

    Attributes:
        source: the file.
    """

    def __init__(self, source: FileSource) -> None:
        """Reads footer and index.

        Raises:
            CorruptFileError: ``source`` is not a table, or its index is broken.
        """
        self.source = source
        self._handles: list[Handle] = []
        self._last_keys: list[bytes] = []
        self._cached: tuple[int, dict[bytes, bytes | memoryview]] = (-1, {})
        index = self._index_handle()
        for key, value in self._entries(index):
            self._add_block(key, value, index.offset)

    def items(self) -> Iterator[Item]:
        """Every key with its value, in the file's order; keys ascend.

        Raises:
            CorruptFileError: a block is broken or its checksum wrong.
        """
        for number in range(len(self._handles)):
            yield from self._block(number)

    def get(self, key: bytes) -> bytes | memoryview | None:
        """The value behind ``key``; ``None`` if there is none. Reads the one block that can hold it.

        Raises:
            CorruptFileError: that block is broken or its checksum wrong.
        """
        number = bisect.bisect_left(self._last_keys, key)
        if number == len(self._handles):
            return None
        if self._cached[0] == number:
            return self._cached[1].get(key)
        values = dict(self._block(number))
        if self._handles[number].size <= CHUNK_BYTES:
            self._cached = (number, values)
        return values.get(key)

    def _index_handle(self) -> Handle:
        if not is_table(self.source):
            raise self.source.corrupt(
                "not a table: it does not end with a LevelDB footer", max(self.source.size - 8, 0)
            )
        start = self.source.size - FOOTER_BYTES
        cursor = Cursor(self.source.read(start, FOOTER_BYTES - 8), self.source.path, base=start)
        self._handle(cursor)  # the metaindex, always empty in TensorFlow's tables
        return self._handle(cursor)

    def _handle(self, cursor: Cursor) -> Handle:
        handle = Handle(cursor.uvarint(), cursor.uvarint())
        if handle.end > self.source.size - FOOTER_BYTES:
            raise cursor.corrupt(f"a block of {handle.size:,} bytes is declared at byte {handle.offset:,}")
        return handle

    def _add_block(self, last_key: bytes, value: bytes | memoryview, index_offset: int) -> None:
        """Takes one entry of the index. Blocks in order and apart bound the work by the size of the file."""
        handle = self._handle(Cursor(value, self.source.path, base=index_offset))
        if self._handles and handle.offset < self._handles[-1].end:
            raise self.source.corrupt("the index names overlapping blocks", index_offset)
        self._handles.append(handle)
        self._last_keys.append(last_key)

    def _block(self, number: int) -> list[Item]:
        """The entries of one data block, whose keys lie where the index says."""
        handle = self._handles[number]
        items = self._entries(handle, self._last_keys[number - 1] if number else None)
        if items and items[-1][0] > self._last_keys[number]:
            raise self.source.corrupt("the keys of a block do not match the index", handle.offset)
        return items

    def _entries(self, handle: Handle, after: bytes | None = None) -> list[Item]:
        """The entries of the block at ``handle``; keys ascend, from above ``after``."""
        data = self._contents(handle)
        limit = len(data) - 4 - 4 * int.from_bytes(data[-4:], "little")
        if len(data) < 4 or limit < 0:
            raise self.source.corrupt("a block is shorter than its list of restarts", handle.offset)
        items: list[Item] = []
        key = b""
        at = 0
        while at < limit:
            shared, unshared, size = data[at], data[at + 1], data[at + 2]
            if shared | unshared | size < 0x80:
                rest = at + 3
            else:
                shared, unshared, size, rest = self._entry_head(data, at, handle)
            start = rest + unshared
            end = start + size
            if shared > len(key) or end > limit:
                raise self.source.corrupt(f"the entry at byte {at:,} of a block is broken", handle.offset)
            key = key[:shared] + data[rest:start]
            if after is not None and key <= after:
                raise self.source.corrupt(f"the keys do not ascend at byte {at:,} of a block", handle.offset)
            items.append((key, data[start:end]))
            after = key
            at = end
        return items

    def _entry_head(self, data: bytes | memoryview, at: int, handle: Handle) -> tuple[int, int, int, int]:
        """The three sizes that begin an entry, where one takes more than a byte, and where they end."""
        cursor = Cursor(data, self.source.path, at)
        try:
            return cursor.uvarint(), cursor.uvarint(), cursor.uvarint(), cursor.at
        except CorruptFileError as error:
            raise self.source.corrupt(f"the entry at byte {at:,} of a block is broken", handle.offset) from error

    def _contents(self, handle: Handle) -> bytes | memoryview:
        """A block's contents, checked and uncompressed; bytes where copies of its values cost less than views."""
        data = self.source.read(handle.offset, handle.size + 1)
        stored = int.from_bytes(self.source.read(handle.end - 4, 4), "little")
        if masked_crc32c(data) != stored:
            raise self.source.corrupt(f"the checksum of a block of {handle.size:,} bytes is wrong", handle.offset)
        contents = memoryview(data)[:-1]
        if data[-1] == _SNAPPY:
            contents = self._uncompress(contents, handle)
        elif data[-1] != _PLAIN:
            raise self.source.corrupt(f"{data[-1]} is not a block type", handle.end - _TRAILER_BYTES)
        return bytes(contents) if len(contents) <= CHUNK_BYTES else contents

    def _uncompress(self, data: memoryview, handle: Handle) -> memoryview:
        """Snappy's densest element makes 64 bytes of 3: more than that is not believed, and no memory taken for it."""
        import cramjam

        stated = Cursor(data, self.source.path, base=handle.offset).uvarint()
        if stated > len(data) * 64 // 3:
            message = f"{stated:,} bytes are declared for {len(data):,} compressed bytes"
            raise self.source.corrupt(message, handle.offset)
        try:
            return memoryview(cramjam.snappy.decompress_raw(data))
        except cramjam.DecompressionError as error:
            raise self.source.corrupt(f"a compressed block is broken: {error}", handle.offset) from error
