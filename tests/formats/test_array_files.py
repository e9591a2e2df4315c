"""NumPy's and MNIST's arrays at the edges: every version and type, the longest header, the highest rank, one byte more."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, UnsupportedError
from graphscope.formats.archives.idx import check_announced, read_idx
from graphscope.formats.archives.npy import data_type, read_header

P = Path("f")

# idx

TYPED = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""As http://yann.lecun.com/exdb/mnist/ lists them."""


def idx(kind: int, shape: tuple[int, ...], content: bytes) -> bytes:
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("kind", TYPED)
def test_idx_of_every_type(tmp_path: Path, kind: int, pack: Callable[[bytes], bytes]) -> None:
    values = np.array([[1, 2, 3], [100, 0, 7]])
    (tmp_path / "f").write_bytes(pack(idx(kind, (2, 3), values.astype(TYPED[kind]).tobytes())))
    found = read_idx(tmp_path / "f")
    assert found.tolist() == values.tolist()
    assert found.dtype == np.dtype(TYPED[kind]).newbyteorder("=")
    assert found.flags.owndata == (found.itemsize > 1), "bytes have no order: they are not copied"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"\0\0",
        b"\0\0\10",
        b"\1\0\10\1\0\0\0\0",
        b"\0\1\10\1\0\0\0\0",
        b"\0\0\12\1\0\0\0\0",
        b"\0\0\10\0\0\0\0\0",
    ],
)
def test_what_is_no_idx(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(UnsupportedError, match="not an idx file"):
        read_idx(tmp_path / "f")


@pytest.mark.parametrize("shape", [(3,), (1,) * 31 + (3,)])
def test_idx_cut_short_anywhere(tmp_path: Path, shape: tuple[int, ...]) -> None:
    whole = idx(8, shape, b"abc")
    for size in range(4, len(whole) + 2):
        (tmp_path / "f").write_bytes((whole + b"x")[:size])
        if size == len(whole):
            assert read_idx(tmp_path / "f").tobytes() == b"abc"
            continue
        message = (
            "within its header" if size < len(whole) - 3 else "more bytes" if size > len(whole) else "array ends at"
        )
        with pytest.raises(CorruptFileError, match=message):
            read_idx(tmp_path / "f")
    with pytest.raises(UnsupportedError, match="33 dimensions; the limit is 32"):
        list(check_announced(iter([idx(8, (1,) * 33, b"a")]), P))


def test_no_more_of_an_idx_is_taken_than_is_needed() -> None:
    """What is inflated may never end."""
    taken: list[int] = []

    def pieces(size: int) -> Iterator[bytes]:
        while len(taken) < 1000:
            taken.append(size)
            yield bytes(idx(8, (200,), b"")[:8].ljust(size, b"\0") if len(taken) == 1 else bytes(size))

    content = check_announced(pieces(132), P)  # 4 bytes and 32 sizes: the longest header
    assert (len(next(content)), len(taken)) == (132, 1)
    with pytest.raises(CorruptFileError, match="more bytes than the 208"):
        list(content)
    assert len(taken) == 2
    whole = idx(14, (1,) * 32, bytes(8))
    assert b"".join(check_announced((bytes([byte]) for byte in whole), P)) == whole


# npy


def npy(text: str, version: int = 1, encoding: str = "latin-1") -> bytes:
    content = text.encode(encoding)
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(content)) + content


def described(shape: object, descr: object = "<f4", length: int = 0) -> str:
    return repr({"descr": descr, "fortran_order": False, "shape": shape}).ljust(length)


@pytest.mark.parametrize(("version", "name"), [((1, 0), "é"), ((2, 0), "é"), ((3, 0), "Ж")])
def test_headers_of_every_version(version: tuple[int, int], name: str) -> None:
    array = np.zeros(2, [(name, "<i2"), ("b", "<f8")])
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    start = file.tell() - array.nbytes
    file.seek(0)
    header = read_header(file)
    assert (header.dtype, header.shape, header.is_fortran, header.size) == (array.dtype, (2,), False, start)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x93NUMPY", b"\x93NUMPY\1", b"\x93NUMPX\1\0", b"\x93NUMPY\0\0", b"\x93NUMPY\4\0"],
)
def test_what_is_no_npy(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a \.npy file"):
        read_header(io.BytesIO(content + npy(described((2,)))[len(content) :] if len(content) == 8 else content))


@pytest.mark.parametrize(
    ("text", "is_header"),
    [
        (described((2,), length=10_000), True),
        (described((2,), length=10_001), False),
        (described([2]), False),
        (described((2.0,)), False),
        (described((2, 2.0)), False),
        (described((-1,)), False),
        (described((2,) * 2, "<f5"), False),
    ],
)
def test_headers_that_numpy_takes(text: str, is_header: bool) -> None:
    content = npy(text)

    def is_taken(read: Callable[[Any], object]) -> bool:
        file = io.BytesIO(content)
        try:
            read(file)
        except ValueError:
            return False
        return True

    def of_numpy(file: Any) -> None:
        np.lib.format.read_magic(file)
        shape, _, _ = np.lib.format.read_array_header_1_0(file)
        np.broadcast_to(np.zeros((), np.uint8), shape)

    assert is_taken(read_header) == is_taken(of_numpy) == is_header


def test_ranks_and_elements_of_no_size() -> None:
    for shape, descr, can_be in (
        ((1,) * 32, "<f4", True),
        ((1,) * 33, "<f4", False),  # NumPy 1 has no such array
        ((10_000,), "|V0", True),
        ((10_001,), "|V0", False),
        ((10_001,), "|u1", True),
    ):
        if can_be:
            assert read_header(io.BytesIO(npy(described(shape, descr)))).shape == shape
        else:
            with pytest.raises(ValueError, match=r"is not the shape|elements of zero bytes"):
                read_header(io.BytesIO(npy(described(shape, descr))))


@pytest.mark.parametrize(
    ("dtype", "found"),
    [
        ([("bfloat16", "<u2")], DataType.BFLOAT16),
        ([("qint16", "<i2")], DataType.QINT16),
        ([("bfloat16", "<u4")], DataType.INVALID),
        ([("qint16", "<u2")], DataType.INVALID),
        ([("float32", "<f4")], DataType.INVALID),
        ([("string", "<u2")], DataType.INVALID),
        ([("bfloat16", "<u2"), ("x", "<u2")], DataType.INVALID),
        ([("x", "<u2"), ("bfloat16", "<u2")], DataType.INVALID),
        ([], DataType.INVALID),
        ("V2", DataType.BFLOAT16),
        ("V3", DataType.INVALID),
        ("<M8[s]", DataType.INVALID),
        ("<f4", DataType.FLOAT),
        ("?", DataType.BOOL),
        ("<c16", DataType.COMPLEX128),
        ("S3", DataType.STRING),
        ("<U3", DataType.STRING),
    ],
)
def test_types_of_arrays(dtype: Any, found: DataType) -> None:
    assert data_type(np.dtype(dtype)) is found
