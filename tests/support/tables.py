"""Writes tables in leveldb's format, right or wrong in a stated way, and reads checkpoints whole."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cramjam

from graphscope.core.variables.variables import VariableStore
from graphscope.formats.io.checksum import masked_crc32c
from graphscope.formats.io.sstable import Table
from graphscope.formats.io.wire import FileSource

MAGIC = bytes.fromhex("57fb808b247547db")


def varint(number: int) -> bytes:
    """``number`` in base 128, the lowest digit first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def block_contents(items: Iterable[tuple[bytes, bytes]], interval: int = 16) -> bytes:
    """Entries with shared prefixes, a restart every ``interval`` entries."""
    out, restarts, before = bytearray(), [0], b""
    for number, (key, value) in enumerate(items):
        if number % interval == 0:
            before = b""
            if number:
                restarts.append(len(out))
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return bytes(out) + b"".join(struct.pack("<I", r) for r in (*restarts, len(restarts)))


def stored_block(contents: bytes, kind: int = 0) -> bytes:
    """A block as it lies in the file: contents, type, checksum."""
    body = contents + bytes([kind])
    return body + struct.pack("<I", masked_crc32c(body))


def compressed_block(contents: bytes) -> bytes:
    """The same, compressed."""
    return stored_block(bytes(cramjam.snappy.compress_raw(contents)), 1)


def table_bytes(blocks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A table of ready-made blocks, each given with its key in the index."""
    out = bytearray()
    index = []
    for last_key, block in blocks:
        index.append((last_key, varint(len(out)) + varint(len(block) - 5)))
        out += block
    return bytes(out) + tail_bytes(len(out), index)


def tail_bytes(offset: int, index: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Metaindex, index and footer, to stand at ``offset``."""
    metaindex = stored_block(block_contents([]))
    index_block = stored_block(block_contents(index, 1))
    handles = varint(offset) + varint(len(metaindex) - 5)
    handles += varint(offset + len(metaindex)) + varint(len(index_block) - 5)
    return metaindex + index_block + handles.ljust(40, b"\0") + MAGIC


def write_table(
    path: Path, items: Mapping[bytes, bytes], *, compress: bool = False, per_block: int = 4, interval: int = 3
) -> None:
    """A table of ``items``, ``per_block`` entries to a block."""
    ordered = sorted(items.items())
    pack = compressed_block if compress else stored_block
    groups = [ordered[at : at + per_block] for at in range(0, len(ordered), per_block)]
    path.write_bytes(table_bytes((group[-1][0], pack(block_contents(group, interval))) for group in groups))


def read_table(path: Path) -> dict[bytes, bytes]:
    """All items of a table."""
    return {key: bytes(value) for key, value in Table(FileSource(path)).items()}


def read_all(store: VariableStore) -> dict[str, tuple[str, tuple[int, ...], Any]]:
    """Every tensor: type, shape, and content in a form that can be compared."""
    found = {}
    for key, entry in store.entries.items():
        array = store.payload(key).numpy()
        content = array.reshape(-1).tolist() if array.dtype.hasobject else array.tobytes()
        found[key] = (entry.dtype.label, entry.shape, content)
    return found
