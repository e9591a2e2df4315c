"""Flatbuffers byte by byte: reads that end with the file, lists of fields, vectors, and buffers of strings."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, UnsupportedError
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.packed import BITS, packed_bytes, unpack
from graphscope.formats.tflite.contents import Buffers, StringsPayload
from graphscope.formats.tflite.flatbuffer import FlatBuffer, Table


def opened(directory: Path, content: bytes) -> FlatBuffer:
    (directory / "f").write_bytes(content)
    return FlatBuffer(FileSource(directory / "f"))


def test_reads_end_with_the_file(tmp_path: Path) -> None:
    file = opened(tmp_path, b"0123456789")
    assert (file.read(0, 10), file.read(10, 0), file.read(9, 1), file.number(2, "H")) == (
        b"0123456789",
        b"",
        b"9",
        struct.unpack("<H", b"23")[0],
    )
    for at, size in ((0, 11), (10, 1), (-1, 1), (11, 0)):
        with pytest.raises(CorruptFileError, match=f"{size} bytes needed, but the file ends at byte 10") as error:
            file.read(at, size)
        assert error.value.offset == max(at, 0)


def test_a_file_is_read_four_times_and_a_little(tmp_path: Path) -> None:
    size = 1000
    file = opened(tmp_path, bytes(size))
    for _ in range(4):
        file.read(0, size)
    for _ in range(65):
        file.read(0, size)
    file.read(0, (1 << 16) % 1000)
    file.read(0, 0)
    with pytest.raises(CorruptFileError, match="share more bytes than any writer would produce") as error:
        file.read(7, 1)
    assert error.value.offset == 7


@pytest.mark.parametrize(("count", "itemsize", "fits"), [(3, 2, True), (6, 1, True), (7, 1, False), (4, 2, False)])
def test_vectors_end_with_the_file(count: int, itemsize: int, fits: bool, tmp_path: Path) -> None:
    file = opened(tmp_path, b"--" + struct.pack("<I", count) + bytes(6))
    if fits:
        assert file.vector(2, itemsize) == (6, count)
    else:
        with pytest.raises(CorruptFileError, match=f"{count} items announced") as error:
            file.vector(2, itemsize)
        assert error.value.offset == 2


def table(directory: Path, places: list[int], body: bytes, size: int | None = None) -> Table:
    """A table whose list of fields has ``places``, counted from the table; the list stands before it."""
    stated = 4 + 2 * len(places) if size is None else size
    fields = struct.pack(f"<HH{len(places)}H", stated, 4 + len(body), *places)
    file = opened(directory, b"#" * 3 + fields + struct.pack("<i", len(fields)) + body)
    return Table(file, 3 + len(fields))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 7])
def test_a_list_of_fields_has_a_size(size: int, tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match=f"a table's list of fields cannot have {size} bytes") as error:
        table(tmp_path, [4, 6], bytes(8), size)
    assert error.value.offset == 3


def test_fields_that_a_table_has(tmp_path: Path) -> None:
    """Slot 1 is left out, slot 3 is newer than the file."""
    found = table(tmp_path, [4, 0, 6], struct.pack("<hi", -2, 70_000))
    assert found.at == 3 + 10
    assert [found.has(slot) for slot in range(4)] == [True, False, True, False]
    assert (found.number(0, "h"), found.number(1, "h", 5), found.number(2, "i"), found.number(3, "i")) == (
        -2,
        5,
        70_000,
        0,
    )
    assert (found.integer(1, "b", 7), found.integer(0, "h", 7), found.integer(3, "q")) == (7, -2, 0)
    for slot in (1, 3):
        assert (found.numbers(slot, "f"), found.integers(slot), found.region(slot)) == ((), (), (0, 0))
        assert (found.text(slot), found.table(slot), list(found.tables(slot))) == ("", None, [])
    assert not table(tmp_path, [], b"").has(0)


def test_what_a_table_points_at(tmp_path: Path) -> None:
    words = struct.pack("<I3H", 3, 1, 2, 40_000)
    text = struct.pack("<I", 5) + b"a\xffbcd"
    body = struct.pack("<II", 8, 4 + len(words)) + words + text
    found = table(tmp_path, [4, 8], body)
    start = found.at + 4
    assert found.integers(0, "H") == (1, 2, 40_000)
    assert found.numbers(0, "h") == (1, 2, 40_000 - (1 << 16))
    assert found.region(1) == (start + 8 + len(words) + 4, 5)
    assert found.text(1) == "a�bcd"


def test_tables_in_a_vector(tmp_path: Path) -> None:
    """Two items that point at one table, each by its own distance."""
    head = struct.pack("<HHH", 6, 8, 4)
    inner = struct.pack("<HHH", 6, 8, 4) + b"##" + struct.pack("<ii", 8, 77)
    vector = struct.pack("<III", 2, 8 + 8, 4 + 8)
    body = struct.pack("<I", 4) + vector + inner
    file = opened(tmp_path, head + struct.pack("<i", 6) + body)
    found = list(Table(file, 6).tables(0))
    assert [(inner_table.at, inner_table.integer(0, "i")) for inner_table in found] == [(6 + 4 + 4 + 12 + 8, 77)] * 2


# Buffers


def test_buffers_behind_the_file(tmp_path: Path) -> None:
    """An offset of 0 or 1 is none: the content lies in the field for it."""

    def buffer(offset: int, size: int, data: bytes = b"xyz") -> tuple[int, int]:
        body = struct.pack("<IQQ", 20, offset, size) + struct.pack("<I", len(data)) + data
        found = table(tmp_path, [4, 8, 16], body)
        return Buffers(found._buffer, iter([found])).region(0)

    end = (3 + 10) + 4 + 20 + 4 + 3
    assert buffer(0, 9) == buffer(1, 9) == (end - 3, 3)
    assert buffer(2, 9) == (2, 9)
    assert buffer(2, end - 2) == (2, end - 2)
    with pytest.raises(CorruptFileError, match=rf"a buffer of {end - 1} bytes is said to be at byte 2, beyond the end"):
        buffer(2, end - 1)


def test_no_such_buffer(tmp_path: Path) -> None:
    found = table(tmp_path, [4], struct.pack("<I", 4) + struct.pack("<I", 3) + b"x\0z")
    buffers = Buffers(found._buffer, iter([found]))
    assert (buffers.region(0)[1], buffers.region(1)) == (3, (0, 0))
    assert buffers.text(0) == "x"
    assert buffers.payload(1, DataType.FLOAT, (), "t") is None
    assert buffers.payload(0, DataType.RESOURCE, (), "t") is None
    assert buffers.payload(0, DataType.VARIANT, (), "t") is None
    assert buffers.payload(0, DataType.UINT8, (3,), "t") is not None


def strings(directory: Path, content: bytes, shape: tuple[int, ...]) -> list[bytes]:
    (directory / "f").write_bytes(b"--" + content)
    payload = StringsPayload(FileSource(directory / "f"), 2, len(content), shape, "tensor t")
    assert payload.content_bytes >= len(content)
    found: list[bytes] = payload.numpy().reshape(-1).tolist()
    return found


@pytest.mark.parametrize(
    ("numbers", "rest", "shape", "found"),
    [
        ((2, 16, 18, 21), b"abcde", (2,), [b"ab", b"cde"]),
        ((2, 16, 16, 21), b"abcde", (2, 1), [b"", b"abcde"]),
        ((2, 17, 18, 20), b"abcde", (2,), [b"b", b"cd"]),
        ((0, 8), b"", (0,), []),
        ((1, 12, 12), b"", (), [b""]),
        ((2, 16, 18, 22), b"abcde", (2,), "strings reach beyond their buffer"),
        ((2, 18, 16, 21), b"abcde", (2,), "strings reach beyond their buffer"),
        ((2, -1, 18, 21), b"abcde", (2,), "strings reach beyond their buffer"),
        ((2, 16, 18, 21), b"abcde", (3,), "has 3 elements, but 2 are stored"),
        ((3, 16, 18), b"", (3,), "has 3 elements, but 3 are stored"),
    ],
)
def test_strings_in_a_buffer(
    numbers: tuple[int, ...], rest: bytes, shape: tuple[int, ...], found: list[bytes] | str, tmp_path: Path
) -> None:
    content = struct.pack(f"<{len(numbers)}i", *numbers) + rest
    if isinstance(found, list):
        assert strings(tmp_path, content, shape) == found
        return
    with pytest.raises(CorruptFileError, match=found) as error:
        strings(tmp_path, content, shape)
    assert error.value.offset == 2


def test_strings_of_very_many_dimensions(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="tensor t: shape"):
        strings(tmp_path, struct.pack("<3i", 1, 12, 12), (1,) * 200)


# Packed elements


@pytest.mark.parametrize("dtype", BITS, ids=lambda dtype: dtype.label)
def test_packed_elements(dtype: DataType) -> None:
    """The first in the lowest bits, whatever the last byte has left over."""
    bits = BITS[dtype]
    for count in range(10):
        codes = [(7 * n + 1) % (1 << bits) for n in range(count)]
        number = sum(code << (bits * n) for n, code in enumerate(codes))
        size = -(-count * bits // 8)
        assert packed_bytes(dtype, count) == size
        spare = (1 << 8 * size) - (1 << bits * count)
        found = unpack((number | spare).to_bytes(size, "little"), dtype, count)
        if dtype.is_floating:
            expected = np.array(codes, np.uint8).view(dtype.numpy)
        else:
            low = 1 << bits if dtype in (DataType.INT4, DataType.INT2) else 0
            expected = np.array([code - low if code >= 1 << bits - 1 else code for code in codes]).astype(dtype.numpy)
        assert found.dtype == dtype.numpy
        assert found.astype(np.float32).tolist() == expected.astype(np.float32).tolist()
