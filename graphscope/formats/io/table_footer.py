"""How a table of :mod:`graphscope.formats.io.sstable` is recognized, by its last bytes."""

from __future__ import annotations

from graphscope.formats.io.wire import FileSource

MAGIC = 0xDB4775248B80FB57
FOOTER_BYTES = 48


def is_table(source: FileSource) -> bool:
    """Whether ``source`` ends as a table does; reads eight bytes."""
    return source.size >= FOOTER_BYTES and source.read(source.size - 8, 8) == MAGIC.to_bytes(8, "little")
