"""Protobuf's text format, as TensorFlow writes and reads it, into messages: ``.pbtxt`` files at tens of MB/s.

Source: the "Text Format Language Specification" of Protocol Buffers. The text becomes wire format from the innermost
message outwards, and the message reads that once. Two things make it fast: one regular expression takes a whole line as
printers write it (everything else goes through :meth:`_Parser._step`, which knows all of the grammar), and a short
nested message whose text was seen before is not read again.

Accepted is what both of TensorFlow's own parsers (C++ and ``google.protobuf.text_format``) accept and read alike. Left
out, though one of the two takes it, are in strings ``\\?``, ``\\X41``, ``\\u005c``, surrogate pairs and octal escapes
above ``\\377``; in numbers ``- 1``, ``+1``, an unsigned ``-0``, ``1_000``, ``0b1``, ``nanf`` and octal enum values;
white space outside ASCII; text with NUL bytes or that is not UTF-8; a second value in one Any, a separator after it.
Left out, though both take it, are a comment inside a type's URL, and messages nested more than 100 deep, which no
binary reader takes. Groups and extensions, which TensorFlow's messages do not have, are unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from graphscope.formats.io.wire import Buffer
from graphscope.formats.text.fields import CACHED, Field, RefusedError, Table
from graphscope.formats.text.large_values import CUT_ABOVE, Cut, Frame, Pending, TextRegion
from graphscope.formats.text.lexer import SourceText

__all__ = ["CUT_ABOVE", "MAX_DEPTH", "Cut", "TextRegion", "parse"]

M = TypeVar("M", bound=Message)
Resolver = Callable[[str], type[Message] | None]

# As deep as protobuf's binary readers follow nested messages by default.
MAX_DEPTH = 100

# The fast path: `name: value` before white space and another name or a `}`, `name {`, or `}`. It sees at most _WINDOW
# bytes, so that no text can make it slow; what does not fit goes the general way.
_WINDOW = 512
_LINE = re.compile(
    rb"""\s*(?:([A-Za-z_]\w*)(?:
        :\s*("[^"\\\n]*"|[A-Za-z_]\w*|-?(?:0|[1-9]\d*)(?:\.\d*)?(?:[eE][+-]?\d+)?)(?=\s+[A-Za-z_}])
        |\s*:?\s*\{
    )|\})""",
    re.VERBOSE,
)
_NAME_GROUP, _SCALAR_GROUP = 1, 2
# How the text of a message at each depth ends as printers write it.
_CLOSINGS = tuple(b"\n" + b"  " * depth + b"}" for depth in range(MAX_DEPTH + 1))

_NAME = re.compile(rb"[A-Za-z_]\w*")
_TOKEN = re.compile(rb"[-+.\w]+")
_DOTTED = rb"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_TYPE_URL = re.compile(rb"\[\s*(" + _DOTTED + rb")\s*/\s*(" + _DOTTED + rb")\s*\]")
_BRACKETS = {b"{": b"}", b"<": b">"}


def parse(
    text: Buffer,
    message: M,
    *,
    source: str,
    cut: Cut | None = None,
    resolve_any: Resolver | None = None,
    start: int = 0,
) -> M:
    """Merges ``text`` into ``message``, and returns it.

    Args:
        text: UTF-8 text in protobuf's text format.
        message: what the text describes; left as it was if an error is raised.
        source: the file's name, for errors.
        cut: asks for large values to be left in the text.
        resolve_any: gives the class for a type name in an expanded ``google.protobuf.Any``, or ``None``. What it does
            not know is looked up in the message's own pool, ``tensorflow.X`` as ``tensorboard.X`` first. The URL is
            stored as it is written.
        start: where the text begins, in bytes.

    Raises:
        CorruptFileError: the text is not text format, or does not fit the message's type.
    """
    source_text = SourceText(text, source)
    source_text.check()
    parser = _Parser(source_text, cut.wants if cut else frozenset(), _Types(_descriptor(message), resolve_any))
    parser.parse(message, start)
    if cut:
        cut.found.extend(pending.region() for pending in parser.pending if not pending.is_lost)
    return message


class _Types:
    """Finds the classes of the messages inside expanded Any values."""

    def __init__(self, root: Descriptor, resolve: Resolver | None) -> None:
        self._pool = root.file.pool
        self._resolve = resolve

    def find(self, name: str) -> type[Message] | None:
        """The class for a type's full name; ``None`` if it is unknown."""
        known = self._resolve(name) if self._resolve else None
        for spelling in (re.sub(r"^tensorflow\.", "tensorboard.", name), name):
            known = known or self._in_pool(spelling)
        return known

    def _in_pool(self, name: str) -> type[Message] | None:
        try:
            return GetMessageClass(self._pool.FindMessageTypeByName(name))
        except KeyError:
            return None


class _Parser:
    """One pass over one text. Methods that read return the offset at which they stopped."""

    def __init__(self, text: SourceText, wants: frozenset[str], types: _Types) -> None:
        self.pending: list[Pending] = []
        self._text = text
        self._wants = wants
        self._types = types
        self._tables: dict[str, Table] = {}
        # What reads the content of an Any, which is bytes in the message: nothing in there can be left in the text.
        self._whole: _Parser = _Parser(text, frozenset(), types) if wants else self

    def parse(self, message: Message, start: int) -> None:
        """Merges the text from byte ``start`` on into ``message``."""
        frame = Frame(self._table(_descriptor(message)), b"", None, None)
        self._read(frame, start)
        frame.settle()
        self._merge(message, b"".join(frame.parts))

    def _merge(self, message: Message, wire: bytes) -> None:
        try:
            message.MergeFromString(wire)
        except DecodeError as error:
            raise self._text.error(0, f"protobuf takes no {_descriptor(message).full_name} of this content") from error

    def _table(self, descriptor: Descriptor) -> Table:
        table = self._tables.get(descriptor.full_name)
        if table is None:
            table = self._tables[descriptor.full_name] = Table(descriptor, self._wants)
        return table

    def _read(self, frame: Frame, offset: int) -> int:
        """Reads the fields of ``frame`` up to what closes it; the offset after that."""
        window, table, add, match = self._text.window, frame.table, frame.parts.append, _LINE.match
        data, base, last = window.around(offset, 2 * _WINDOW)
        while True:
            if offset > last:
                data, base, last = window.around(offset, 2 * _WINDOW)
            line = match(data, offset - base, offset - base + _WINDOW)
            if line is None or line.lastindex is None:
                if line and frame.close == b"}":
                    return base + line.end()
                offset, is_over = self._step(frame, offset)
                if is_over:
                    return offset
                continue
            group = line.lastindex
            try:
                field = table[line[_NAME_GROUP]]
                if frame.seen & field.conflict:
                    raise RefusedError(_twice(field), is_name=True)
                if group == _SCALAR_GROUP:
                    wire, offset = field.wires[line[_SCALAR_GROUP]], base + line.end()
                else:
                    wire, offset = self._parse_nested(
                        frame, field, base + line.end(), data[line.end() : line.end() + _WINDOW]
                    )
                    frame.is_separable = True
            except RefusedError as refused:
                at = base + line.start(_NAME_GROUP if refused.is_name else group)
                raise self._text.error(at, str(refused)) from None
            if wire != field.zero:
                frame.seen |= field.bit
            add(wire)

    def _parse_nested(self, frame: Frame, field: Field, offset: int, ahead: bytes) -> tuple[bytes, int]:
        """A message field whose text follows a ``{`` at ``offset``: its wire bytes, and the offset after its ``}``.

        Args:
            ahead: the next bytes from ``offset`` on.
        """
        closing = _CLOSINGS[frame.depth]
        # A guess at the text up to the closing brace. It may be wrong, or the few bytes that find's -1 gives: equal
        # texts after an opening brace give equal messages, as long as they reach to the message's end.
        key = ahead[: ahead.find(closing) + len(closing)]
        known = field.memo.get(key)
        if known:
            return known[0], offset + known[1]
        wire, end = self._body(frame, field, offset, b"}")
        if end - offset <= len(key) and len(field.memo) < CACHED:
            field.memo[key] = wire, end - offset
        return wire, end

    def _body(self, frame: Frame, field: Field, offset: int, close: bytes) -> tuple[bytes, int]:
        if field.message is None:
            raise self._text.expected(offset - 1, f"a value for {field.full_name}")
        self._check_depth(frame, offset - 1)
        if field.table is None:
            field.table = self._table(field.message)
        inner = Frame(field.table, close, frame, field)
        end = self._read(inner, offset)
        inner.settle()
        return field.delimit(b"".join(inner.parts)), end

    def _check_depth(self, frame: Frame, offset: int) -> None:
        if frame.depth == MAX_DEPTH:
            raise self._text.error(offset, f"messages are nested more than {MAX_DEPTH} deep")

    def _step(self, frame: Frame, offset: int) -> tuple[int, bool]:
        """One field, separator or end of a message in any spelling: the offset after it, and whether it was the end."""
        offset = self._text.skip(offset)
        token = self._text.at(offset)
        if token == frame.close:
            return offset + len(token), True
        if frame.is_separable and token in (b",", b";"):
            offset += 1
        elif frame.table.is_any and token == b"[":
            offset = self._expanded_any(frame, offset)
        else:
            offset = self._separator(self._field(frame, offset))
        frame.is_separable = False
        return offset, False

    def _separator(self, offset: int) -> int:
        offset = self._text.skip(offset)
        return offset + 1 if self._text.at(offset) in (b",", b";") else offset

    def _field(self, frame: Frame, offset: int) -> int:
        """``name: value``, ``name { }``, ``name: { }``, ``name < >``, ``name: [value, value]``."""
        name = self._text.match(_NAME, offset)
        if name is None:
            raise self._text.expected(offset, f"a field of {frame.table.descriptor.full_name}{_or_close(frame)}")
        try:
            field = frame.table[name[0]]
        except RefusedError as refused:
            raise self._text.error(offset, str(refused)) from None
        if frame.seen & field.conflict:
            raise self._text.error(offset, _twice(field))
        offset = self._text.skip(offset + len(name[0]))
        if self._text.at(offset) == b":":
            offset = self._text.skip(offset + 1)
        elif field.message is None:
            raise self._text.expected(offset, f"':' after {field.name}")
        if field.repeated and self._text.at(offset) == b"[":
            return self._list(frame, field, offset)
        return self._value(frame, field, offset)

    def _list(self, frame: Frame, field: Field, offset: int) -> int:
        offset = self._text.skip(offset + 1)
        if self._text.at(offset) == b"]":
            return offset + 1
        while True:
            offset = self._text.skip(self._value(frame, field, offset))
            if self._text.at(offset) == b"]":
                return offset + 1
            if self._text.at(offset) != b",":
                raise self._text.expected(offset, f"',' or ']' in the list of {field.name}")
            offset = self._text.skip(offset + 1)

    def _value(self, frame: Frame, field: Field, offset: int) -> int:
        """One value of ``field``, added to ``frame``."""
        token = self._text.at(offset)
        if field.message and token in _BRACKETS:
            wire, offset = self._body(frame, field, offset + 1, _BRACKETS[token])
        elif field.is_string and token in (b'"', b"'"):
            wire, offset = self._string(frame, field, offset)
        else:
            wire, offset = self._scalar(field, offset)
        if wire != field.zero:
            frame.seen |= field.bit
        frame.parts.append(wire)
        return offset

    def _scalar(self, field: Field, offset: int) -> tuple[bytes, int]:
        token = self._text.match(_TOKEN, offset)
        if token is None:
            raise self._text.expected(offset, f"{'a message' if field.message else 'a value'} for {field.full_name}")
        try:
            return field.wires[token[0]], offset + len(token[0])
        except RefusedError as refused:
            raise self._text.error(offset, str(refused)) from None

    def _string(self, frame: Frame, field: Field, offset: int) -> tuple[bytes, int]:
        """Adjacent literals as one value, or nothing in its place if it is wanted where it is."""
        end = self._text.region_end(offset)
        if field.is_wanted and end - offset > CUT_ABOVE:
            pending = Pending(field, offset, end)
            self.pending.append(pending)
            frame.hold(field, pending)
            return field.delimit(b""), end
        value = b"".join(self._text.pieces(offset, end))
        if field.is_text:
            try:
                value.decode()
            except UnicodeDecodeError as error:
                raise self._text.error(offset, f"{field.full_name} is text, and this is not UTF-8") from error
        return field.delimit(value), end

    def _expanded_any(self, frame: Frame, offset: int) -> int:
        """``[type.googleapis.com/name.of.Type] { fields of that type }`` as the whole content of an Any."""
        url = _TYPE_URL.match(self._text.window[offset : offset + 2 * _WINDOW])
        if url is None:
            raise self._text.error(offset, "expected a type in brackets, as [type.googleapis.com/tensorflow.NodeDef]")
        if frame.seen:
            raise self._text.error(offset, "google.protobuf.Any holds one value only")
        message_class = self._types.find(url[2].decode())
        if message_class is None:
            raise self._text.error(offset, f"the type {url[2].decode()} inside google.protobuf.Any is not known")
        start = self._text.skip(offset + url.end())
        if self._text.at(start) == b":":
            start = self._text.skip(start + 1)
        content, end = self._any_content(frame, message_class, start)
        for name, value in ((b"type_url", url[1] + b"/" + url[2]), (b"value", content)):
            field = frame.table[name]
            frame.parts.append(field.delimit(value))
            frame.seen |= field.bit
        return end

    def _any_content(self, frame: Frame, message_class: type[Message], offset: int) -> tuple[bytes, int]:
        close = _BRACKETS.get(self._text.at(offset))
        if close is None:
            raise self._text.expected(offset, f"'{{' before the fields of {_descriptor(message_class).full_name}")
        self._check_depth(frame, offset)
        inner = Frame(self._whole._table(_descriptor(message_class)), close, frame, None)
        end = self._whole._read(inner, offset + 1)
        message = message_class()
        self._merge(message, b"".join(inner.parts))
        return message.SerializeToString(deterministic=True), end


def _descriptor(message: Message | type[Message]) -> Descriptor:
    return cast(Descriptor, message.DESCRIPTOR)


def _or_close(frame: Frame) -> str:
    return f" or {frame.close.decode()!r}" if frame.close else ""


def _twice(field: Field) -> str:
    return f"{field.full_name}, or another member of its oneof, is given a second time"
