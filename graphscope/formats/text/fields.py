"""What protobuf's text parser needs to know of a message type: a table of its fields, compiled from the descriptor.

Each field turns the text of a value straight into wire format, as the chapter "Encoding" of Protocol Buffers'
documentation lays it down: a tag (``number << 3 | wire type``, a varint), then the payload.
"""

from __future__ import annotations

import functools
import math
import re
import struct
from collections.abc import Callable
from typing import cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from graphscope.errors import closest_names
from graphscope.formats.io.wire import varint

Encoder = Callable[[bytes], bytes]

_Type = FieldDescriptor
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5

# How many texts each field remembers with their wire bytes: enough for what repeats, little beside the file.
CACHED = 2048
# No writer needs more digits, and reading very many takes more than linear time.
_LONGEST_NUMBER = 400

_INTEGER = re.compile(rb"-?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_OCTAL = re.compile(rb"-?0[0-7]+")
_FLOAT = re.compile(
    rb"(-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fF]?|(-?(?i:inf|infinity|nan))"
)
_TRUE, _FALSE = (b"true", b"True", b"t", b"1"), (b"false", b"False", b"f", b"0")


class RefusedError(Exception):
    """A value that a field does not take, or a name that a table does not have; the parser adds the place.

    Attributes:
        is_name: which of the two it is.
    """

    def __init__(self, message: str, *, is_name: bool = False) -> None:
        super().__init__(message)
        self.is_name = is_name


class Wires(dict[bytes, bytes]):
    """From the text of a scalar value to the field's tag and payload; a text is encoded once."""

    def __init__(self, tag: bytes, encode: Encoder) -> None:
        super().__init__()
        self.tag = tag
        self.encode = encode

    def __missing__(self, text: bytes) -> bytes:
        wire = self.tag + self.encode(text)
        if len(self) < CACHED:
            self[text] = wire
        return wire


class Field:
    """One field of a message type.

    Attributes:
        tag: the wire format's tag; a varint, so no field's tag is the beginning of another's.
        wires: from the text of a scalar to tag and payload; refuses every text where the field is a message.
        zero: the wire bytes that leave a field without presence unset; ``None`` for fields with presence.
        bit: what marks the field as given in a set of bits; 0 for repeated ones.
        conflict: the bits of the fields that may not have been given before: itself and the others of its oneof.
        is_string, is_text: whether a string literal is its value, and whether that must be UTF-8.
        message: the type of a nested message; ``None`` for scalars.
        table: that type's fields, once they were needed.
        memo: texts of nested messages read before: the wire bytes, and how much of the text the message takes.
        is_wanted: whether its large values are to be left in the text.
    """

    def __init__(self, descriptor: FieldDescriptor, *, is_wanted: bool) -> None:
        self.name = descriptor.name
        self.full_name = descriptor.full_name
        self.repeated = _is_repeated(descriptor)
        self.is_wanted = is_wanted
        self.message: Descriptor | None = descriptor.message_type
        self.is_map: bool = self.message is not None and self.message.GetOptions().map_entry
        self.is_text = descriptor.type == _Type.TYPE_STRING
        self.is_string = self.is_text or descriptor.type == _Type.TYPE_BYTES
        self.tag = varint(descriptor.number << 3 | _KINDS[descriptor.type][0])
        self.wires = Wires(self.tag, _KINDS[descriptor.type][1](descriptor))
        self.zero = None if self.repeated or descriptor.has_presence else self.wires[b'""' if self.is_string else b"0"]
        self.bit, self.conflict = (0, 0) if self.repeated else _bits(descriptor)
        self.table: Table | None = None
        self.memo: dict[bytes, tuple[bytes, int]] = {}

    def delimit(self, payload: bytes) -> bytes:
        """Tag and payload of a string or a message."""
        return self.tag + varint(len(payload)) + payload


class Table(dict[bytes, Field]):
    """The fields of one message type by their names; looking up another name raises :class:`RefusedError`.

    Groups are left out.

    Args:
        wants: the full names of the fields whose large values are to be left in the text.
    """

    def __init__(self, descriptor: Descriptor, wants: frozenset[str]) -> None:
        super().__init__()
        self.descriptor = descriptor
        self.is_any = descriptor.full_name == "google.protobuf.Any"
        for field in descriptor.fields:
            if field.type != _Type.TYPE_GROUP:
                self[field.name.encode()] = Field(field, is_wanted=field.full_name in wants)

    def __missing__(self, name: bytes) -> Field:
        shown = name[:80].decode("ascii", "replace")
        closest = closest_names(shown, (known.decode() for known in self))
        message = f"{self.descriptor.full_name} has no field named {shown!r}"
        raise RefusedError(message + ("; closest: " + ", ".join(closest) if closest else ""), is_name=True)


def _is_repeated(descriptor: FieldDescriptor) -> bool:
    if hasattr(descriptor, "is_repeated"):
        return bool(descriptor.is_repeated)
    return bool(getattr(descriptor, "label") == _Type.LABEL_REPEATED)  # noqa: B009 - protobuf before 6.31, not in its types


def _bits(descriptor: FieldDescriptor) -> tuple[int, int]:
    oneof = descriptor.containing_oneof
    members = {field.index for field in oneof.fields} if oneof else {descriptor.index}
    return 1 << descriptor.index, sum(1 << index for index in members)


def _refusal(what: str, descriptor: FieldDescriptor, text: bytes) -> RefusedError:
    return RefusedError(f"expected {what} for {descriptor.full_name}, found {text[:40].decode('utf-8', 'replace')!r}")


def _integer(text: bytes, low: int, high: int, refusal: Callable[[], RefusedError]) -> int:
    if len(text) > _LONGEST_NUMBER or not _INTEGER.fullmatch(text):
        raise refusal()
    value = int(text, 16 if b"x" in text.lower() else 8 if _OCTAL.fullmatch(text) else 10)
    if not low <= value <= high or (low == 0 and text[:1] == b"-"):
        raise refusal()
    return value


def _integers(low: int, high: int, pack: Callable[[int], bytes], descriptor: FieldDescriptor) -> Encoder:
    def encode(text: bytes) -> bytes:
        return pack(_integer(text, low, high, lambda: _refusal(f"an integer from {low} to {high}", descriptor, text)))

    return encode


def _floats(pack: Callable[[float], bytes], descriptor: FieldDescriptor) -> Encoder:
    def encode(text: bytes) -> bytes:
        found = _FLOAT.fullmatch(text) if len(text) <= _LONGEST_NUMBER else None
        if found is None:
            raise _refusal("a number", descriptor, text)
        value = float(found[1] or found[2])
        try:
            return pack(value)
        except OverflowError:  # beyond the range of float32
            return pack(math.copysign(math.inf, value))

    return encode


def _bools(descriptor: FieldDescriptor) -> Encoder:
    def encode(text: bytes) -> bytes:
        if text not in _TRUE and text not in _FALSE:
            raise _refusal("true or false", descriptor, text)
        return varint(text in _TRUE)

    return encode


def _enums(descriptor: FieldDescriptor) -> Encoder:
    enum = cast(EnumDescriptor, descriptor.enum_type)

    def refusal(text: bytes) -> RefusedError:
        return _refusal(f"a value of {enum.full_name}", descriptor, text)

    def encode(text: bytes) -> bytes:
        known = enum.values_by_name.get(text.decode("ascii", "replace"))
        if known is not None:
            return varint(known.number)
        # The Python parser takes no octal numbers here.
        number = _integer(text, -(2**31), 2**31 - 1, lambda: refusal(text))
        if _OCTAL.fullmatch(text) or (enum.is_closed and number not in enum.values_by_number):
            raise refusal(text)
        return varint(number)

    return encode


def _strings(descriptor: FieldDescriptor) -> Encoder:
    """Encodes a literal in double quotes that has no escapes."""

    def encode(text: bytes) -> bytes:
        if text[:1] != b'"':
            raise _refusal("a string in quotes", descriptor, text)
        return varint(len(text) - 2) + text[1:-1]

    return encode


def _messages(descriptor: FieldDescriptor) -> Encoder:
    def encode(text: bytes) -> bytes:
        raise _refusal("'{'", descriptor, text)

    return encode


def _zigzag(value: int) -> bytes:
    return varint(value << 1 ^ value >> 63)


_INT32, _INT64 = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)
_UINT32, _UINT64 = (0, 2**32 - 1), (0, 2**64 - 1)

# Type: wire type, and what makes the encoder.
_KINDS: dict[int, tuple[int, Callable[[FieldDescriptor], Encoder]]] = {
    _Type.TYPE_INT32: (_VARINT, functools.partial(_integers, *_INT32, varint)),
    _Type.TYPE_INT64: (_VARINT, functools.partial(_integers, *_INT64, varint)),
    _Type.TYPE_UINT32: (_VARINT, functools.partial(_integers, *_UINT32, varint)),
    _Type.TYPE_UINT64: (_VARINT, functools.partial(_integers, *_UINT64, varint)),
    _Type.TYPE_SINT32: (_VARINT, functools.partial(_integers, *_INT32, _zigzag)),
    _Type.TYPE_SINT64: (_VARINT, functools.partial(_integers, *_INT64, _zigzag)),
    _Type.TYPE_FIXED32: (_FIXED32, functools.partial(_integers, *_UINT32, struct.Struct("<I").pack)),
    _Type.TYPE_FIXED64: (_FIXED64, functools.partial(_integers, *_UINT64, struct.Struct("<Q").pack)),
    _Type.TYPE_SFIXED32: (_FIXED32, functools.partial(_integers, *_INT32, struct.Struct("<i").pack)),
    _Type.TYPE_SFIXED64: (_FIXED64, functools.partial(_integers, *_INT64, struct.Struct("<q").pack)),
    _Type.TYPE_FLOAT: (_FIXED32, functools.partial(_floats, struct.Struct("<f").pack)),
    _Type.TYPE_DOUBLE: (_FIXED64, functools.partial(_floats, struct.Struct("<d").pack)),
    _Type.TYPE_BOOL: (_VARINT, _bools),
    _Type.TYPE_ENUM: (_VARINT, _enums),
    _Type.TYPE_STRING: (_LENGTH, _strings),
    _Type.TYPE_BYTES: (_LENGTH, _strings),
    _Type.TYPE_MESSAGE: (_LENGTH, _messages),
}
