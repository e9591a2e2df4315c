"""Large values that protobuf's text parser leaves in the text, and where in the message each of them belongs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from google.protobuf.message_factory import GetMessageClass

from graphscope.formats.text.fields import Field, Table

# A wanted value is left in the text where its source, quotes included, is longer than this, in bytes.
CUT_ABOVE = 1024

Key = int | str | bool
PathStep = tuple[str, Key | None]


@dataclass(frozen=True)
class TextRegion:
    """A value that was left in the text; :func:`graphscope.formats.text.lexer.decode_region` reads it.

    Attributes:
        field: the full name of the field, such as ``tensorboard.TensorProto.tensor_content``.
        offset: of the first literal's opening quote, in bytes from the start of the buffer.
        end: after the last literal's closing quote; adjacent literals, with what stands between them, are one region.
        path: from the root message to the field itself, the field's name at each step together with the index in a
            repeated field, the key in a map, ``None`` otherwise: ``(("node", 3), ("attr", "value"), ("value", None),
            ("tensor", None), ("tensor_content", None))``.
    """

    field: str
    offset: int
    end: int
    path: tuple[PathStep, ...]


@dataclass
class Cut:
    """What the parser shall leave in the text, and what it left there.

    Attributes:
        wants: full names of ``bytes`` or ``string`` fields. Their values above ``CUT_ABOVE`` bytes of text become empty
            in the message. A value inside an expanded ``google.protobuf.Any`` is never left.
        found: the regions in the order of the text, filled when the parser succeeds. The escapes in a region are
            checked when it is decoded.
    """

    wants: frozenset[str]
    found: list[TextRegion] = attribute(default_factory=list)


@dataclass(eq=False)
class Pending:
    """A value that was left in the text, while the messages around it are still being read.

    Attributes:
        steps: the path so far, the innermost step first.
        is_lost: whether a later entry of a map with the same key took its place.
    """

    field: Field
    offset: int
    end: int
    steps: list[PathStep] = attribute(default_factory=list)
    is_lost: bool = False

    def region(self) -> TextRegion:
        """The finished record, once every message around the value has been settled."""
        return TextRegion(self.field.full_name, self.offset, self.end, tuple(reversed(self.steps)))


class Frame:
    """A message while its text is read.

    Attributes:
        parts: the wire bytes of its fields so far, one item for each value.
        seen: the bits of the singular fields so far.
        close: the text that ends it; ``b""`` for the root, which the end of the text ends.
        is_separable: whether a comma or semicolon may come next.
        parent, via: the message that holds it, and by which field; ``None`` for the root.
        depth: how many messages hold it.
        held: the values inside it that were left in the text, with the field of this message that they stand under and
            the index of that field's value.
    """

    __slots__ = ("_counted", "close", "depth", "held", "is_separable", "parent", "parts", "seen", "table", "via")

    def __init__(self, table: Table, close: bytes, parent: Frame | None, via: Field | None) -> None:
        self.table = table
        self.close = close
        self.parent = parent
        self.via = via
        self.depth: int = parent.depth + 1 if parent else 0
        self.parts: list[bytes] = []
        self.seen = 0
        self.is_separable = False
        self.held: list[tuple[Field, int, Pending]] | None = None
        self._counted: dict[Field, tuple[int, int]] | None = None

    def hold(self, field: Field, pending: Pending) -> None:
        """Notes in this message and in all around it that the next value of ``field`` is, or holds, ``pending``."""
        if self.held is None:
            self.held = []
        self.held.append((field, self._index(field) if field.repeated else 0, pending))
        if self.parent and self.via:
            self.parent.hold(self.via, pending)

    def settle(self) -> None:
        """Adds this message's step to the paths of the values in it. To be called when all of its text was read."""
        keys: dict[Field, list[Key]] = {}
        last: dict[tuple[Field, Key], int] = {}
        for via, index, pending in self.held or ():
            if not via.is_map:
                pending.steps.append((via.name, index if via.repeated else None))
                continue
            if via not in keys:
                keys[via] = list(self._keys(via))
                last.update(((via, key), number) for number, key in enumerate(keys[via]))
            key = keys[via][index]
            pending.steps.append((via.name, key))
            pending.is_lost |= last[via, key] != index

    def _index(self, field: Field) -> int:
        """How many values of ``field`` there are so far; linear over all calls for one field."""
        counted = self._counted = self._counted if self._counted is not None else {}
        done, count = counted.get(field, (0, 0))
        count += sum(part.startswith(field.tag) for part in self.parts[done:])
        counted[field] = len(self.parts), count
        return count

    def _keys(self, field: Field) -> Iterator[Key]:
        """The keys of a map's entries in the order of the text."""
        if field.message is not None:
            entry: Any = GetMessageClass(field.message)
            for part in self.parts:
                if part.startswith(field.tag):
                    yield entry.FromString(_payload(part, field.tag)).key


def _payload(part: bytes, tag: bytes) -> bytes:
    """What follows the tag and the length, a varint."""
    start = len(tag)
    while part[start] & 0x80:
        start += 1
    return part[start + 1 :]
