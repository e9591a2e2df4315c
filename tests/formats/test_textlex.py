"""String literals, and places in a text."""

from __future__ import annotations

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from graphscope.errors import CorruptFileError
from graphscope.formats.text.lexer import CHUNK, SourceText, decode_region, iter_region, region_size
from graphscope.protos import AttrValue

MANY = settings(max_examples=300)

LITERALS = st.lists(
    st.tuples(st.binary(max_size=60) | st.sampled_from([b"\\" * 9, b"\\n" * 9, b"\xff" * 40]), st.booleans()),
    min_size=1,
    max_size=6,
)


@MANY
@given(literals=LITERALS, gap=st.sampled_from(["", " ", "\n", " # it's \"c\n"]), chunk=st.integers(1, 60))
def test_a_region_spells_what_was_printed(literals: list[tuple[bytes, bool]], gap: str, chunk: int) -> None:
    value = b"".join(data for data, _ in literals)
    text = gap.join(quoted(data, double) for data, double in literals).encode()
    end = len(text)
    text += b" "
    assert decode_region(text, 0, end, source="x") == value
    assert region_size(text, 0, end, source="x") == len(value)
    pieces = list(iter_region(memoryview(text), 0, end, chunk, source="x"))
    assert b"".join(pieces) == value
    assert max(map(len, pieces), default=0) <= max(chunk, 20)


def quoted(data: bytes, double: bool) -> str:
    literal = text_format.MessageToString(AttrValue(s=data)).strip()[len('s: "') : -1]
    return f'"{literal}"' if double else f"'{literal}'"


@MANY
@given(body=st.lists(st.sampled_from(
    [r"\x4", r"\x41", r"\7", r"\77", r"\377", r"\u00e9", r"\U0001F600", r"\\", r"\'", r"\"", r"\v", "9", "f", "x", "é"]
)).map("".join), chunk=st.integers(1, 30))  # fmt: skip
def test_escapes_are_what_text_format_reads(body: str, chunk: int) -> None:
    text = f'"{body}"'.encode()
    expected = text_format.Parse(f's: "{body}"', AttrValue()).s
    assert b"".join(iter_region(text, 0, len(text), chunk, source="x")) == expected


@pytest.mark.parametrize(
    ("body", "column"), [(r"ab\q", 4), (r"\\\477", 4), (r"\x", 2), (r"\u12", 2), (r"\U00110000", 2)]
)
def test_a_wrong_escape_in_a_region_is_found_when_it_is_decoded(body: str, column: int) -> None:
    text = f'"{body}"'.encode()
    for reader in (decode_region, region_size):
        with pytest.raises(CorruptFileError, match=f"line 1, column {column}: this backslash starts no known escape"):
            reader(text, 0, len(text), source="x")


def test_a_place_without_a_literal_is_no_region() -> None:
    with pytest.raises(CorruptFileError, match="expected a string in quotes, found 'abc'"):
        decode_region(b"abc", 0, 3, source="x")


@pytest.mark.parametrize("before", [CHUNK - 2, CHUNK - 1, CHUNK, 2 * CHUNK + 7])
@pytest.mark.parametrize(("wrong", "at", "message"), [
    ("é".encode() + b"\xff", 2, "the text is not UTF-8 (invalid start byte)"),
    (b"\xc3(", 0, "the text is not UTF-8 (invalid continuation byte)"),
    (b"ab\xe2\x82", 2, "the text is not UTF-8 (unexpected end of data)"),
    (b"\0", 0, "a NUL byte"),
])  # fmt: skip
def test_what_is_no_text_is_found_where_it_is(before: int, wrong: bytes, at: int, message: str) -> None:
    text = b"#\n" * (before // 2) + b" " * (before % 2)
    with pytest.raises(CorruptFileError) as caught:
        SourceText(text + wrong, "x").check()
    assert caught.value.offset == before + at
    line, column = before // 2 + 1, before % 2 + len(wrong[:at].decode()) + 1
    assert f"line {line:,}, column {column}: {message}" in caught.value.message


@pytest.mark.parametrize("before", [b"", b"x" * (CHUNK - 1), b"\n" * CHUNK, b"x\n" * CHUNK + b"y" * 5])
def test_line_and_column(before: bytes) -> None:
    text = before + "é".encode() + b"!"
    error = SourceText(text, "x").error(len(text) - 1, "here")
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n") + 1
    assert f"line {line:,}, column {column:,}: here" in error.message
