"""The tokens of protobuf's text format: white space, comments, string literals, and places in a text.

Source: the "Text Format Language Specification" of Protocol Buffers, parts *Characters*, *Whitespace and comments* and
*String literals*. Where it leaves room, only what both of TensorFlow's own parsers (C++ and Python) read alike is read.
Everything here takes time linear in the text and holds no more than one chunk of it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from graphscope.errors import CorruptFileError
from graphscope.formats.io.window import Window, window_on
from graphscope.formats.io.wire import Buffer

CHUNK = 1 << 17
_LONGEST_ESCAPE = len(rb"\U0010ffff")

_SPACE = re.compile(rb"\s*(#[^\n]*)?")
_QUOTES = frozenset(b"\"'")
_NEAR = 512
"""How far a token reaches, unless it is an uncommonly long one."""
_SHOWN = re.compile(r"[-+.\w]{1,40}|.", re.DOTALL)

# What CPython's own decoder reads as the format defines it: a letter, a quote, or up to three octal digits below \400.
_PLAIN_ESCAPES = b"abfnrtv\"'0123"
_ESCAPE_CLASSES = bytes(c if c == 0x5C else 0x73 if c in _PLAIN_ESCAPES else 0x78 for c in range(256))

# \u005c is refused with the unknown: text_format takes the backslash that it spells for the start of another escape.
_ESCAPE = re.compile(
    rb"\\(?:([abfnrtv\\\"'])|([0-3][0-7]{2}|[0-7]{1,2}(?![0-7]))"
    rb"|x([0-9a-fA-F]{1,2})|u(?!005[cC])([0-9a-fA-F]{4})|U(?!0000005[cC])([0-9a-fA-F]{8})|)"
)
_LETTERS = dict(zip(b"abfnrtv\\\"'", b"\a\b\f\n\r\t\v\\\"'", strict=True))


class SourceText:
    """UTF-8 text in a buffer, together with the name that its errors carry.

    All offsets are in bytes from the start of the buffer.

    Attributes:
        window: on the buffer; the part that is read just now.
        size: of the buffer, in bytes.
    """

    __slots__ = ("size", "source", "window")

    def __init__(self, buffer: Buffer, source: str) -> None:
        self.window: Window = window_on(buffer)
        self.size = len(self.window)
        self.source = source

    def error(self, offset: int, message: str) -> CorruptFileError:
        """The error for what stands at ``offset``: file, byte, line and column (both from 1, in characters)."""
        line, column = self._place(offset)
        place = f"line {line:,}, column {column:,}: "
        return CorruptFileError(place + message, path=self.source, offset=offset)

    def expected(self, offset: int, what: str) -> CorruptFileError:
        """The error for a token at ``offset`` that is not ``what``."""
        return self.error(offset, f"expected {what}, found {self._show(offset)}")

    def check(self) -> None:
        """Reads the text once.

        Raises:
            CorruptFileError: a byte sequence is not UTF-8, or is NUL, which TensorFlow's C++ parser takes for the end.
        """
        decoder = codecs.getincrementaldecoder("utf-8")()
        start = pending = 0
        try:
            for start in range(0, self.size, CHUNK):
                pending = len(decoder.getstate()[0])
                part = self.window[start : start + CHUNK]
                decoder.decode(part, final=start + CHUNK >= self.size)
                if b"\0" in part:
                    raise self.error(start + part.index(0), "a NUL byte, which is not valid in text")
        except UnicodeDecodeError as error:
            raise self.error(start - pending + error.start, f"the text is not UTF-8 ({error.reason})") from error

    def at(self, offset: int) -> bytes:
        """The one byte at ``offset``; ``b""`` at the end."""
        window = self.window
        local = offset - window.base
        if not 0 <= local < len(window.data):
            window.reach(offset, 1)
            local = offset - window.base
        return window.data[local : local + 1]

    def match(self, pattern: re.Pattern[bytes], offset: int) -> re.Match[bytes] | None:
        """What ``pattern``, which describes one token, finds at ``offset``: the whole token, however long."""
        window, near = self.window, _NEAR
        while True:
            window.reach(offset, near)
            found = pattern.match(window.data, offset - window.base)
            end = window.base + (found.end() if found else 0)
            if found is None or end < window.base + len(window.data) or end == self.size:
                return found
            near = 2 * (end - offset)

    def skip(self, offset: int) -> int:
        """The offset of the first byte from ``offset`` on that is neither white space nor in a comment."""
        window = self.window
        while True:
            window.reach(offset, 1)
            found = _SPACE.match(window.data, offset - window.base)
            if found is None:
                return offset
            offset = window.base + found.end()
            if found.lastindex:
                offset = self._line_end(offset)
            elif offset < window.base + len(window.data) or offset == self.size:
                return offset

    def literal_end(self, offset: int) -> int:
        """The end of the one literal whose opening quote is at ``offset``.

        Raises:
            CorruptFileError: the line or the text ends first.
        """
        quote = self.at(offset)
        window, at = self.window, offset + 1
        while at < self.size:
            window.reach(at, 1)
            data, base = window.data, window.base
            found = data.find(quote, at - base)
            stop = len(data) if found < 0 else found
            if data.find(b"\n", at - base, stop) >= 0:
                break
            if found >= 0 and not self._is_escaped(offset + 1, base + found):
                return base + found + 1
            at = base + stop + (found >= 0)
        raise self.error(offset, "this string is not closed before the end of its line")

    def region_end(self, offset: int) -> int:
        """The end of the last of the adjacent literals that make the value whose first quote is at ``offset``."""
        while True:
            end = self.literal_end(offset)
            offset = self.skip(end)
            if offset >= self.size or self.window[offset] not in _QUOTES:
                return end

    def pieces(self, offset: int, end: int, chunk: int = CHUNK) -> Iterator[bytes]:
        """What the adjacent literals in ``[offset, end)`` spell, each piece from at most ``chunk`` bytes of text.

        Raises:
            CorruptFileError: an escape that is none, or no literal at ``offset``.
        """
        chunk = max(chunk, 2 * _LONGEST_ESCAPE)
        while offset < end:
            if self.window[offset] not in _QUOTES:
                raise self.expected(offset, "a string in quotes")
            after = self.literal_end(offset)
            start, last = offset + 1, after - 1
            while start < last:
                stop = self._between_escapes(start, min(start + chunk, last), last)
                yield self._unescape(start, stop)
                start = stop
            offset = self.skip(after)

    def _line_end(self, offset: int) -> int:
        """The offset of the first line feed from ``offset`` on, or the end of the text."""
        window = self.window
        while offset < self.size:
            window.reach(offset, 1)
            found = window.data.find(b"\n", offset - window.base)
            if found >= 0:
                return window.base + found
            offset = window.base + len(window.data)
        return offset

    def _place(self, offset: int) -> tuple[int, int]:
        lines, line_start = 1, 0
        for start in range(0, offset, CHUNK):
            part = self.window[start : min(start + CHUNK, offset)]
            newlines = part.count(b"\n")
            if newlines:
                lines, line_start = lines + newlines, start + part.rindex(b"\n") + 1
        return lines, len(self.window[line_start:offset].decode("utf-8", "replace")) + 1

    def _show(self, offset: int) -> str:
        found = _SHOWN.match(self.window[offset : offset + 160].decode("utf-8", "replace"))
        return repr(found[0]) if found else "the end of the text"

    def _is_escaped(self, start: int, offset: int) -> bool:
        """Whether an odd number of backslashes stands before ``offset``, none before ``start`` counted."""
        length = 16
        while True:
            before = self.window[max(start, offset - length) : offset]
            backslashes = len(before) - len(before.rstrip(b"\\"))
            if backslashes < len(before) or offset - length <= start:
                return backslashes % 2 == 1
            length *= 4

    def _between_escapes(self, start: int, stop: int, last: int) -> int:
        """The greatest offset up to ``stop`` that lies inside no escape; ``last`` is the end of the literal."""
        if stop == last:
            return stop
        tail = self.window[max(start, stop - _LONGEST_ESCAPE) : stop]
        backslash = stop - len(tail) + tail.rfind(b"\\")
        return stop if b"\\" not in tail or self._is_escaped(start, backslash) else backslash

    def _unescape(self, start: int, stop: int) -> bytes:
        text = self.window[start:stop]
        if b"\\" not in text:
            return text
        # With the pairs gone, each backslash starts an escape, and two bytes tell which.
        if b"\\x" not in text.replace(b"\\\\", b"ss").translate(_ESCAPE_CLASSES):
            return codecs.escape_decode(text)[0]
        return _ESCAPE.sub(lambda found: self._escape(start, found), text)

    def _escape(self, start: int, found: re.Match[bytes]) -> bytes:
        letter, octal, byte, short, long = found.groups()
        if letter:
            return bytes((_LETTERS[letter[0]],))
        if octal or byte:
            return bytes((int(octal, 8) if octal else int(byte, 16),))
        try:
            return chr(int(short or long or b"", 16)).encode()
        except (ValueError, OverflowError) as error:
            raise self.error(start + found.start(), "this backslash starts no known escape") from error


def iter_region(buffer: Buffer, offset: int, end: int, chunk: int = CHUNK, *, source: str) -> Iterator[bytes]:
    """The value that the string literals in ``buffer[offset:end]`` spell, in pieces of at most ``chunk`` bytes.

    Args:
        buffer: the text, as it was given to :func:`graphscope.formats.text.parser.parse`.
        offset: of the opening quote, in bytes.
        end: after the last closing quote, in bytes.
        chunk: how many bytes of text to hold at a time.
        source: the file's name, for errors.

    Raises:
        CorruptFileError: an escape that is none, or no literal at ``offset``.
    """
    return SourceText(buffer, source).pieces(offset, end, chunk)


def decode_region(buffer: Buffer, offset: int, end: int, *, source: str) -> bytes:
    """The whole value of :func:`iter_region`; raises what it raises."""
    return b"".join(iter_region(buffer, offset, end, source=source))


def region_size(buffer: Buffer, offset: int, end: int, *, source: str) -> int:
    """The length of :func:`decode_region`'s result in bytes, counted chunk by chunk; raises what it raises."""
    return sum(map(len, iter_region(buffer, offset, end, source=source)))
