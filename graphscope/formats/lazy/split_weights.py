"""Takes large tensors out of a serialized graph, of TensorFlow or ONNX, without reading them.

One pass over the wire format (https://protobuf.dev/programming-guides/encoding) follows the tables below from the
outermost message down to each tensor. Messages of at most :data:`PAYLOAD_BYTES` are copied
whole; of a larger tensor only dtype and shape are copied, and where it lies is remembered. What comes out, the skeleton,
is an ordinary message that protobuf parses at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType

from graphscope.core.values.payload import PAYLOAD_BYTES
from graphscope.formats.io.window import window_on
from graphscope.formats.io.wire import Buffer, Cursor, varint
from graphscope.named_tuple import NamedTuple


class Level(NamedTuple):
    """What is below one message of the path from a graph to its tensors.

    Attributes:
        name: what :attr:`CutTensor.place` calls a message of this kind; ``None`` for those that are not counted.
        below: field number -> the message in that field, for the fields that are followed.
        content: of a tensor, the field that holds its elements as they are in memory; 0 for other messages.
        kept: of a tensor, the fields that are copied.
    """

    name: str | None
    below: Mapping[int, Level] = MappingProxyType({})
    content: int = 0
    kept: frozenset[int] = frozenset()


TENSOR = Level(None, content=4, kept=frozenset({1, 2, 3}))
ATTR_VALUE = Level(None, {8: TENSOR})
ATTR = Level(None, {2: ATTR_VALUE})
NODE = Level("node", {5: ATTR})
FUNCTION = Level("function", {3: NODE})
LIBRARY = Level(None, {1: FUNCTION})
GRAPH = Level(None, {1: NODE, 2: LIBRARY})
META_GRAPH = Level("meta_graph", {2: GRAPH})
SAVED_MODEL = Level(None, {2: META_GRAPH})

MAX_DEPTH = 100
"""Messages within messages, as many as protobuf reads."""

_HEAD = 3
"""Bytes of a small field's tag and length, which the walk looks at together."""

Place = tuple[tuple[str, int], ...]
"""Which of its siblings each counted message is, outermost first: ``(("meta_graph", 0), ("node", 5))``."""


class CutTensor(NamedTuple):
    """A tensor that the skeleton lacks.

    Attributes:
        place: where it belongs.
        key: the attribute's name, of a TensorFlow graph.
        start, end: its message, in bytes from the start of the file.
        content: start and end of the field with its elements, if that is all there is besides what the skeleton keeps.
    """

    place: Place
    key: str
    start: int
    end: int
    content: tuple[int, int] | None


class Skeleton(NamedTuple):
    """A message without its large tensors."""

    message: bytes
    tensors: list[CutTensor]


def cut(buffer: Buffer, path: str | os.PathLike[str], level: Level, start: int = 0, end: int | None = None) -> Skeleton:
    """Splits the message of kind ``level`` that fills ``buffer``, or ``buffer[start:end]``.

    Raises:
        CorruptFileError: the wire format is broken on the way down, with the offset.
    """
    cutter = _Cutter(buffer, path)
    return Skeleton(bytes(cutter.message(level, start, len(buffer) if end is None else end, ())), cutter.tensors)


class _Cutter:
    def __init__(self, buffer: Buffer, path: str | os.PathLike[str]) -> None:
        self.buffer = buffer
        self.window = window_on(buffer)
        self.path = path
        self.tensors: list[CutTensor] = []
        self.key = ""
        self.depth = 0

    def message(self, level: Level, start: int, end: int, place: Place) -> bytearray:
        """The skeleton of ``buffer[start:end]``: runs of small fields are copied, large ones followed."""
        buffer, below = self.buffer, level.below
        cursor = Cursor(buffer, self.path, start, end)
        out = bytearray()
        counts: dict[int, int] = {}
        copied = at = start
        data, base, last = self.window.around(start, _HEAD)
        while at < end:
            if at > last:
                data, base, last = self.window.around(at, _HEAD)
            local = at - base
            tag = data[local]
            if tag < 0x80 and tag & 7 == 2 and tag > 7 and at + 2 < end:
                # The hot path, most nodes of most graphs: a small field with a length of one or two bytes.
                length = data[local + 1]
                head = 2
                if length >= 0x80:
                    length += (data[local + 2] << 7) - 0x80
                    head = 3 if data[local + 2] < 0x80 else PAYLOAD_BYTES
                if head + length <= PAYLOAD_BYTES:
                    counts[tag >> 3] = counts.get(tag >> 3, 0) + 1
                    at += head + length
                    continue
            cursor.at = at
            number, wire_type = _tag(cursor)
            body = _skip(cursor, wire_type, number)
            if wire_type == 2:
                ordinal = counts.get(number, 0)
                counts[number] = ordinal + 1
                if cursor.at - body > PAYLOAD_BYTES and number in below:
                    out += buffer[copied:at]
                    copied = cursor.at
                    out += self._follow(below[number], number, body, cursor.at, place, ordinal)
            at = cursor.at
        if at != end:
            raise cursor.corrupt(f"a field runs {at - end:,} bytes past the end of its message", copied)
        if copied != start:
            if level is NODE:
                self._refuse_duplicate_keys(start, end)
            else:
                self._refuse_repeated(level, counts, start)
        out += buffer[copied:end]
        return out

    def _follow(self, level: Level, number: int, start: int, end: int, place: Place, ordinal: int) -> bytes:
        """One large field again, tag and new length included."""
        inner = place if level.name is None else (*place, (level.name, ordinal))
        if level.content:
            body = self._tensor(level, start, end, inner)
            return varint(number << 3 | 2) + varint(len(body)) + body
        if level is ATTR:
            self.key = self._key(start, end)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Cursor(self.buffer, self.path).corrupt(f"more than {MAX_DEPTH} messages within one another", start)
        body = self.message(level, start, end, inner)
        self.depth -= 1
        return varint(number << 3 | 2) + varint(len(body)) + body

    def _refuse_repeated(self, level: Level, counts: Mapping[int, int], start: int) -> None:
        """Protobuf would merge a singular message that occurs twice; no writer does that, and places would be wrong."""
        for number, below in level.below.items():
            if below.name is None and counts.get(number, 0) > 1:
                raise Cursor(self.buffer, self.path).corrupt(f"field {number} occurs twice in one message", start)

    def _refuse_duplicate_keys(self, start: int, end: int) -> None:
        """Of two attributes of one name protobuf takes the last; the skeleton could mix them up."""
        cursor = Cursor(self.buffer, self.path, start, end)
        seen = set()
        while cursor.at < end:
            number, wire_type = _tag(cursor)
            body = _skip(cursor, wire_type, number)
            if number == 5 and wire_type == 2:
                key = self._key(body, cursor.at)
                if key in seen:
                    raise cursor.corrupt(f"the attribute {key!r} occurs twice in one node", body)
                seen.add(key)

    def _key(self, start: int, end: int) -> str:
        """The key of a map entry: its field 1, the last if there are several, as protobuf has it."""
        cursor = Cursor(self.buffer, self.path, start, end)
        key = b""
        while cursor.at < end:
            number, wire_type = _tag(cursor)
            body = _skip(cursor, wire_type, number)
            if number == 1 and wire_type == 2:
                key = bytes(self.buffer[body : cursor.at])
        return key.decode(errors="replace")

    def _tensor(self, level: Level, start: int, end: int, place: Place) -> bytearray:
        """What is kept of a tensor: dtype, shape and the like; the rest is remembered as a region."""
        cursor = Cursor(self.buffer, self.path, start, end)
        out = bytearray()
        content: tuple[int, int] | None = None
        others = 0
        while cursor.at < end:
            at = cursor.at
            number, wire_type = _tag(cursor)
            body = _skip(cursor, wire_type, number)
            if number in level.kept:
                out += self.buffer[at : cursor.at]
            elif number == level.content and wire_type == 2 and content is None:
                content = (body, cursor.at)
            else:
                others += 1
        self.tensors.append(CutTensor(place, self.key, start, end, None if others else content))
        return out


def _tag(cursor: Cursor) -> tuple[int, int]:
    tag = cursor.uvarint()
    if tag < 8 or tag > 0xFFFFFFFF:
        raise cursor.corrupt(f"{tag:,} is not a field tag")
    return tag >> 3, tag & 7


def _skip(cursor: Cursor, wire_type: int, number: int) -> int:
    """Steps over a field's body; returns where the body starts (after the length, where it has one)."""
    if wire_type == 0:
        start = cursor.at
        cursor.uvarint()
        return start
    if wire_type == 2:
        return cursor.skip(cursor.uvarint())
    if wire_type in (1, 5):
        return cursor.skip(8 if wire_type == 1 else 4)
    raise cursor.corrupt(f"field {number} has wire type {wire_type}, which these messages do not use")
