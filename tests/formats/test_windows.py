"""Windows on large files, and the tokens of a text that is read through one: the same as where all is in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from graphscope.errors import CorruptFileError
from graphscope.formats.io import window as windows
from graphscope.formats.io.window import Window, window_on
from graphscope.formats.text.lexer import CHUNK, SourceText, decode_region

STEPS = [(1, 1), (1, 4), (2, 3), (7, 7), (1 << 12, 1 << 17)]
"""Sizes of the first read and of the largest."""


@pytest.fixture(params=STEPS, ids=str)
def steps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    found: tuple[int, int] = request.param
    monkeypatch.setattr(windows, "_SMALLEST", found[0])
    monkeypatch.setattr(windows, "_LARGEST", found[1])
    return found


def window(content: bytes, log: list[tuple[int, int]] | None = None) -> Window:
    def fetch(offset: int, size: int) -> bytes:
        assert 0 <= offset <= offset + size <= len(content), "nothing is read that is not there"
        if log is not None:
            log.append((offset, size))
        return content[offset : offset + size]

    return Window(fetch, len(content))


# Windows

CONTENT = bytes(range(40))


def places() -> Iterator[int]:
    """Forwards, backwards, and by leaps."""
    yield from range(len(CONTENT))
    yield from reversed(range(len(CONTENT)))
    yield from (n * 17 % len(CONTENT) for n in range(len(CONTENT)))


def test_bytes_and_parts(steps: tuple[int, int]) -> None:
    view = window(CONTENT)
    assert len(view) == 40
    for at in places():
        assert view[at] == at
        assert view.base <= at < view.base + len(view.data)
        for size in (0, 1, 2, 5, 40):
            assert view[at : at + size] == CONTENT[at : at + size]
    assert (view[7:3], view[38:], view[:2], view[40:]) == (b"", b"\x26\x27", b"\0\1", b"")
    for at in (-1, 40, 41):
        with pytest.raises(IndexError):
            view[at]


def test_what_is_reached_is_in_the_window(steps: tuple[int, int]) -> None:
    view = window(CONTENT)
    for at in places():
        for size in (1, 2, 5, 40):
            data, base, last = view.around(at, size)
            assert (data, base) == (view.data, view.base)
            assert data[at - base : at - base + size] == CONTENT[at : at + size]
            assert last == (40 if base + len(data) == 40 else base + len(data) - size)
            assert base <= at <= last


def test_parts_in_the_window_are_not_read_again() -> None:
    log: list[tuple[int, int]] = []
    content = bytes(1 << 20)
    view = window(content, log)
    view.reach(4096, 1)
    assert log == [(4096, 4096)]
    for part in (slice(4096, 8192), slice(5000, 5001), slice(8191, 8192), slice(5000, 5000)):
        assert len(view[part]) == part.stop - part.start
    view.reach(4096, 4096)
    view.reach(8191, 1)
    assert len(log) == 1
    assert len(view[4095:4097]) == len(view[8191:8193]) == 2
    assert log[1:] == [(4095, 2), (8191, 2)]
    assert view[8192] == 0
    assert log[3:] == [(8192, 8192)], "a part moves the window no further, one byte does"


def test_who_goes_forward_reads_ever_more_and_who_leaps_little() -> None:
    log: list[tuple[int, int]] = []
    view = window(bytes(1 << 20), log)
    at = 0
    while at < 1 << 19:
        view.reach(at, 1)
        at = view.base + len(view.data)
    kib = 1 << 10
    assert [size // kib for _, size in log] == [8, 16, 32, 64, 128, 128, 128, 128]
    assert [offset for offset, _ in log[1:]] == [sum(size for _, size in log[:n]) for n in range(1, len(log))]
    del log[:]
    view.reach(0, 1)
    view.reach(4096 + 1, 1)
    view.reach(4096 + 2, 9000)
    view.reach(4097, 1)
    view.reach((1 << 20) - 5, 100)
    assert log == [(0, 4096), (4097, 4096), (4098, 9000), (4097, 4096), ((1 << 20) - 5, 5)]


def test_a_window_on_what_is_in_memory() -> None:
    for buffer in (CONTENT, memoryview(CONTENT)):
        view = window_on(buffer)
        assert isinstance(view.data, bytes)
        assert (view.data, view.base, len(view), view[3], view[1:3]) == (CONTENT, 0, 40, 3, b"\1\2")
    assert window_on(view) is view
    view.reach(39, 5)
    assert view.base == 0


# Tokens

TEXT = (
    b'# c "x"\n\n \t"a\\"b" \'c\\\\\' # "no" \'no\n\'d\' name: 12 #\r\n "e"\n\x0c\'\\\'\' "\xc3\xa9" x'
    + b"y" * 30
    + b"\n#end # "
)
SPACE = re.compile(rb"(?:\s+|#[^\n]*)*")
LITERAL = re.compile(rb"([\"'])(?:(?!\1)[^\\\n]|\\[^\n])*\1")
WORD = re.compile(rb"\w+|\xc3\xa9")


def end_of(pattern: re.Pattern[bytes], at: int) -> int | None:
    found = pattern.match(TEXT, at)
    return found.end() if found else None


def test_tokens_through_a_window(steps: tuple[int, int]) -> None:
    text = SourceText(window(TEXT), "x")
    for at in (*range(len(TEXT) + 1), *reversed(range(len(TEXT) + 1))):
        assert text.at(at) == TEXT[at : at + 1]
        assert text.skip(at) == end_of(SPACE, at)
        found = text.match(WORD, at)
        assert (found and text.window.base + found.end()) == end_of(WORD, at)
        if TEXT[at : at + 1] in (b'"', b"'"):
            end = end_of(LITERAL, at)
            if end is None:
                with pytest.raises(CorruptFileError, match="not closed before the end of its line") as error:
                    text.literal_end(at)
                assert error.value.offset == at
            else:
                assert text.literal_end(at) == end


@pytest.mark.parametrize("size", [1, 511, 512, 513, 1023, 1024, 1025, 4095, 4096, 4097, 9000, 300_000])
def test_a_token_of_any_length(size: int) -> None:
    for before, after in ((b"", b""), (b" ", b"-"), (b"#\n" * 3000, b" x")):
        content = before + b"w" * size + after
        text = SourceText(window(content), "x")
        found = text.match(WORD, len(before))
        assert found
        assert found[0] == b"w" * size
        assert text.match(WORD, len(before) + size) is None
        literal = before + b"'" + b"w" * size + b"'" + after
        assert SourceText(window(literal), "x").literal_end(len(before)) == len(before) + size + 2
        comment = before + b"#" + b"w" * size + b"\n'"
        assert SourceText(window(comment), "x").skip(0) == len(comment) - 1
        assert SourceText(window(before + b"#" + b"w" * size), "x").skip(0) == len(before) + size + 1


@pytest.mark.parametrize("count", [*range(24), *range(60, 90), *range(268, 276), 1023, 1024, 1025])
def test_a_quote_behind_backslashes(count: int) -> None:
    """After an even number of them it closes the string."""
    for before in (b"", b"x"):
        body = before + b"\\" * count + b"'"
        content = b"'" + body + b"  '"
        text = SourceText(window(content), "x")
        end = len(body) + 1 if count % 2 == 0 else len(content)
        assert text.literal_end(0) == end
        value = decode_region(content, 0, end, source="x")
        assert value == before + b"\\" * (count // 2) + (b"'  " if count % 2 else b"")
        pieces = list(text.pieces(0, end, 20))
        assert b"".join(pieces) == value
        assert all(pieces)


def test_values_end_with_their_last_literal(steps: tuple[int, int]) -> None:
    text = SourceText(window(TEXT), "x")
    for first, last, value in ((11, 38, b'a"bc\\d'), (18, 38, b"c\\d"), (35, 38, b"d"), (52, 66, "e'é".encode())):
        assert text.region_end(first) == last
        assert b"".join(text.pieces(first, last)) == value


@pytest.mark.parametrize(
    ("rest", "shown"),
    [
        (b"", "the end of the text"),
        (b"a" * 40, repr("a" * 40)),
        (b"a" * 41, repr("a" * 40)),
        (b"-+.9_z;", "'-+.9_z'"),
        (b";;", "';'"),
        (b"\n", r"'\n'"),
        ("é".encode() * 90, repr("é" * 40)),
        ("𝄞".encode() * 50, "'𝄞'"),
        ("文".encode() * 50, repr("文" * 40)),
        ("\U00020000".encode() * 50, repr("\U00020000" * 40)),
    ],
)
def test_what_was_found_is_shown(rest: bytes, shown: str) -> None:
    error = SourceText(b"\n x" + rest, "f").expected(3, "a name")
    assert error.message.endswith(f"line 2, column 3: expected a name, found {shown}")
    assert error.offset == 3


def test_the_line_of_a_place_behind_a_chunk() -> None:
    content = b"x" * (CHUNK - 1) + b"\n" + b"y" * CHUNK + b"\nz"
    for at, line, column in ((CHUNK - 1, 1, CHUNK), (CHUNK, 2, 1), (2 * CHUNK, 2, CHUNK + 1), (2 * CHUNK + 1, 3, 1)):
        assert f"line {line:,}, column {column:,}: m" in SourceText(window(content), "f").error(at, "m").message
