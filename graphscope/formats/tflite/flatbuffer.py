"""Flatbuffers: tables, vectors and strings, each found by an offset that is checked before it is followed.

::

    file     offset of the root table:u32, identifier
    table    distance back to its vtable:i32, fields
    vtable   its size:u16, size of the table:u16, for each field its place in the table:u16 or 0
    vector   number of items:u32, items; of tables and strings, the distance from each item to it:u32
    string   a vector of bytes

Numbers are little-endian. Offsets may share what they point at, so a small file can describe very much: all that is read
counts, and a file that is counted several times over is refused.

Source: https://flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from graphscope.errors import CorruptFileError
from graphscope.formats.io.wire import FileSource

Number = int | float | bool

_SHARED = 4
"""How often each byte of a file may be read; strings are often shared, little else is."""

_SPARE = 1 << 16
"""Bytes that may be read of a file of any size."""


class FlatBuffer:
    """A file, read by position.

    Attributes:
        source: the file.
    """

    def __init__(self, source: FileSource) -> None:
        self.source = source
        self._view = source.view()
        self._left = _SHARED * source.size + _SPARE

    def root(self) -> Table:
        """The outermost table.

        Raises:
            CorruptFileError: its place is outside the file; so do all other ways in.
        """
        return Table(self, self.number(0, "I"))

    def read(self, at: int, size: int) -> bytes:
        """``size`` bytes from byte ``at``.

        Raises:
            CorruptFileError: the file ends before that, or has been read several times over.
        """
        if at < 0 or at + size > self.source.size:
            raise self.corrupt(f"{size:,} bytes needed, but the file ends at byte {self.source.size:,}", at)
        self._left -= size
        if self._left < 0:
            raise self.corrupt("its parts share more bytes than any writer would produce", at)
        return bytes(self._view[at : at + size])

    def number(self, at: int, code: str) -> int:
        """The integer of type ``code`` (of :mod:`struct`) at byte ``at``; raises as :meth:`read`."""
        [value] = struct.unpack(f"<{code}", self.read(at, struct.calcsize(f"<{code}")))
        return int(value)

    def vector(self, at: int, itemsize: int) -> tuple[int, int]:
        """Where the first item of the vector at byte ``at`` lies, and how many there are; raises as :meth:`read`."""
        count = self.number(at, "I")
        if at + 4 + count * itemsize > self.source.size:
            raise self.corrupt(f"{count:,} items announced, but the file ends at byte {self.source.size:,}", at)
        return at + 4, count

    def corrupt(self, message: str, at: int) -> CorruptFileError:
        """An error that names the file and the place."""
        return self.source.corrupt(message, max(at, 0))


class Table:
    """A table: its fields by slot, in the order of the schema."""

    __slots__ = ("_at", "_buffer", "_places")

    def __init__(self, buffer: FlatBuffer, at: int) -> None:
        self._buffer = buffer
        self._at = at
        vtable = at - buffer.number(at, "i")
        size = buffer.number(vtable, "H")
        if size < 4 or size % 2:
            raise buffer.corrupt(f"a table's list of fields cannot have {size:,} bytes", vtable)
        self._places: tuple[int, ...] = struct.unpack(f"<{size // 2 - 2}H", buffer.read(vtable + 4, size - 4))

    @property
    def at(self) -> int:
        """Its place in the file, in bytes."""
        return self._at

    def has(self, slot: int) -> bool:
        """Whether the file states the field."""
        return slot < len(self._places) and self._places[slot] != 0

    def number(self, slot: int, code: str, default: Number = 0) -> Number:
        """A scalar of type ``code`` (of :mod:`struct`); raises as :meth:`FlatBuffer.read`."""
        if not self.has(slot):
            return default
        form = f"<{code}"
        value: Number
        [value] = struct.unpack(form, self._buffer.read(self._at + self._places[slot], struct.calcsize(form)))
        return value

    def integer(self, slot: int, code: str, default: int = 0) -> int:
        """As :meth:`number`, of an integer."""
        return int(self.number(slot, code, default))

    def numbers(self, slot: int, code: str) -> tuple[Number, ...]:
        """A vector of scalars of type ``code``; raises as :meth:`FlatBuffer.read`."""
        if not self.has(slot):
            return ()
        at, count = self._buffer.vector(self._target(slot), struct.calcsize(f"<{code}"))
        return struct.unpack(f"<{count}{code}", self._buffer.read(at, count * struct.calcsize(f"<{code}")))

    def integers(self, slot: int, code: str = "i") -> tuple[int, ...]:
        """As :meth:`numbers`, of integers."""
        return tuple(map(int, self.numbers(slot, code)))

    def region(self, slot: int) -> tuple[int, int]:
        """Where the bytes of a vector lie, and how many; none if the file states none. Nothing of them is read."""
        return self._buffer.vector(self._target(slot), 1) if self.has(slot) else (0, 0)

    def text(self, slot: int) -> str:
        """A string; empty if the file states none; raises as :meth:`FlatBuffer.read`."""
        at, size = self.region(slot)
        return self._buffer.read(at, size).decode("utf-8", "replace")

    def table(self, slot: int) -> Table | None:
        """A table; ``None`` if the file states none; raises as :meth:`FlatBuffer.read`."""
        return Table(self._buffer, self._target(slot)) if self.has(slot) else None

    def tables(self, slot: int) -> Iterator[Table]:
        """A vector of tables; raises as :meth:`FlatBuffer.read`."""
        if not self.has(slot):
            return
        at, count = self._buffer.vector(self._target(slot), 4)
        for place in range(at, at + 4 * count, 4):
            yield Table(self._buffer, place + self._buffer.number(place, "I"))

    def _target(self, slot: int) -> int:
        place = self._at + self._places[slot]
        return place + self._buffer.number(place, "I")
