"""Archives at the edge of what is accepted: counts, sizes, limits, one more and one less."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import CorruptFileError, FileError, NotTensorFlowError, UnsupportedError
from graphscope.formats.archives import npz_writer, safetensors
from graphscope.formats.archives.npy import header_bytes
from graphscope.formats.archives.npz import NpzStore
from graphscope.formats.archives.npz_writer import write_npz
from graphscope.formats.archives.open_archive import open_archive
from graphscope.formats.archives.safetensors import SafetensorsStore, is_safetensors, write_safetensors
from graphscope.formats.io.wire import FileSource

ARRAY = np.arange(4, dtype=np.float32)
LISTED = b"PK\1\2"
"""Begins an entry of a zip file's list of members."""
END = b"PK\5\6"


@pytest.fixture(params=[np.savez, np.savez_compressed], ids=["stored", "deflated"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    request.param(tmp_path / "a.npz", a=ARRAY, b=np.zeros(3))
    return tmp_path / "a.npz"


def changed(path: Path, start: bytes, offset: int, value: bytes) -> Path:
    """The file with ``value`` at ``offset`` after the last ``start``."""
    data = bytearray(path.read_bytes())
    at = data.rindex(start) + offset
    data[at : at + len(value)] = value
    path.write_bytes(data)
    return path


# NumPy archives


@pytest.mark.parametrize("comment", [b"", b"PK", b"c" * 0xFFFF])
@pytest.mark.parametrize("count", [0, 1, 3, 0xFFFE])
def test_another_number_of_members_than_listed(count: int, comment: bytes, archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as opened:
        opened.comment = comment
    at = archive.read_bytes().rindex(END)
    changed(archive, END, 8, struct.pack("<HH", count, count))
    with pytest.raises(CorruptFileError, match=f"{count:,} members are announced, 2 listed") as error:
        NpzStore(archive)
    assert error.value.offset == at
    changed(archive, END, 8, b"\xff\xff\xff\xff")  # as where the number does not fit
    assert [*NpzStore(archive).entries] == ["a", "b"]


def test_members_larger_than_the_file(archive: Path) -> None:
    size = archive.stat().st_size
    [first, _] = zipfile.ZipFile(archive).infolist()
    changed(archive, LISTED, 20, struct.pack("<I", size - first.compress_size + 1))
    with pytest.raises(CorruptFileError, match="its members claim to be larger than the file"):
        NpzStore(archive)
    changed(archive, LISTED, 20, struct.pack("<I", size - first.compress_size))
    if zipfile.ZipFile(archive).infolist()[0].compress_type == zipfile.ZIP_STORED:
        NpzStore(archive)


@pytest.mark.parametrize(("more", "message"), [(0, "its header announces"), (1, "bytes cannot come out of")])
def test_what_cannot_come_out(more: int, message: str, archive: Path) -> None:
    """zlib makes 1032 bytes of one at most."""
    member = zipfile.ZipFile(archive).infolist()[-1]
    size = (member.compress_size + 64) * 1032 + more
    changed(archive, LISTED, 24, struct.pack("<I", size))
    with pytest.raises(CorruptFileError, match=message) as error:
        NpzStore(archive)
    assert error.value.offset == member.header_offset


def test_where_content_lies(archive: Path) -> None:
    store = NpzStore(archive)
    with pytest.raises(KeyError):
        store.place("c")
    for name, array in (("a", ARRAY), ("b", np.zeros(3))):
        found = store.place(name)
        if zipfile.ZipFile(archive).infolist()[0].compress_type != zipfile.ZIP_STORED:
            assert found is None
            continue
        assert found is not None
        offset, header = found
        assert FileSource(archive).read(offset, array.nbytes) == array.tobytes()
        assert (header.dtype, header.shape, header.is_fortran) == (array.dtype, array.shape, False)
        assert store.entries[name].stored_bytes == array.nbytes


@pytest.mark.parametrize("letter", [0xD800, 0x110000, 0xFFFFFFFF])
def test_text_that_is_none(letter: int, tmp_path: Path) -> None:
    """Half a pair of surrogates, and numbers that are no letters."""
    header = header_bytes(np.dtype("<U1"), (2,))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as opened:
        opened.writestr("a.npy", header + struct.pack("<II", 65, letter))
    with pytest.raises(CorruptFileError, match=r"a\.npy: "):
        NpzStore(tmp_path / "a.npz").payload("a").numpy()


def test_an_archive_that_lost_its_content_meanwhile(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.zeros(100_000))
    payload = NpzStore(tmp_path / "a.npz").payload("a")
    with open(tmp_path / "a.npz", "r+b") as file:
        file.truncate(5000)
    with pytest.raises(CorruptFileError, match=r"a\.npy: the file ends within it"):
        payload.numpy()


@pytest.mark.parametrize(("width", "fits"), [(4, True), (5, False)])
def test_texts_of_one_width(width: int, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz_writer, "MAX_TEXT_BYTES", 12)
    texts = ArrayPayload(np.array([b"x" * width, b"", b"y"], object))
    if not fits:
        with pytest.raises(UnsupportedError, match="t: 3 strings of up to 5 bytes"):
            write_npz(tmp_path / "t.npz", [("t", texts)])
        return
    write_npz(tmp_path / "t.npz", [("t", texts), ("none", ArrayPayload(np.empty(0, object), DataType.STRING))])
    with np.load(tmp_path / "t.npz") as archive:
        assert (archive["t"].dtype, archive["t"].tolist()) == (np.dtype("S4"), [b"xxxx", b"", b"y"])
        assert (archive["none"].dtype, archive["none"].shape) == (np.dtype("S1"), (0,))


# safetensors


def test_the_beginning_of_safetensors() -> None:
    head = struct.pack("<Q", 10) + b"{"
    assert [is_safetensors(head, size) for size in (17, 18, 19)] == [False, True, True]
    assert not is_safetensors(struct.pack("<Q", 10) + b"[", 100)
    assert not is_safetensors(b"{" * 8, 1 << 20)


def stored(path: Path, header: Any, content: bytes) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)
    return path


def entry(shape: Any, start: int, end: int, dtype: str = "U8") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"a": entry([3], 0, 3), "b": entry([2], 3, 5)}, ""),
        ({"b": entry([2], 3, 5), "a": entry([3], 0, 3)}, ""),
        ({"a": entry([5], 0, 5), "e": entry([0], 5, 5)}, ""),
        ({"a": entry([5], 0, 5), "__metadata__": {"x": "y"}}, ""),
        ({"a": entry([1] * 32 + [5], 0, 5)}, "these do not fit together"),
        ({"a": entry([1] * 31 + [5], 0, 5)}, ""),
        ({"a": entry([6], 0, 6)}, "these do not fit together"),
        ({"a": entry([4], 1, 5)}, "it begins at byte 1 of the contents, but the one before ends at 0"),
        ({"a": entry([4], 0, 4)}, "1 bytes at its end belong to no tensor"),
        ({"a": entry([2], 0, 5)}, "does not take 5 bytes"),
        ({"a": entry([2], 0, 5, "F4")}, ""),
        ({}, ""),
    ],
)
def test_places_in_safetensors(header: Any, message: str, tmp_path: Path) -> None:
    path = stored(tmp_path / "a", header, b"abcde" if header else b"")
    if message:
        with pytest.raises(CorruptFileError, match=message):
            SafetensorsStore(path)
        return
    store = SafetensorsStore(path)
    assert store.entries.keys() == header.keys() - {"__metadata__"}
    for name, found in store.entries.items():
        start, end = header[name]["data_offsets"]
        assert found.stored_bytes == end - start
        if found.dtype is DataType.UINT8:
            assert store.payload(name).numpy().tobytes() == b"abcde"[start:end]


def test_safetensors_are_aligned(tmp_path: Path) -> None:
    """The longest items come first, and the contents begin at a multiple of eight."""
    for length in range(9):
        tensors = [("n" * length + "a", np.zeros(3, np.uint8)), ("b", np.ones(2)), ("c", np.ones(1, np.float32))]
        path = tmp_path / f"{length}.safetensors"
        size = write_safetensors(path, [(name, ArrayPayload(array)) for name, array in tensors])
        content = path.read_bytes()
        [header_size] = struct.unpack_from("<Q", content)
        assert (header_size % 8, len(content)) == (0, size)
        places = {n: e["data_offsets"] for n, e in json.loads(content[8 : 8 + header_size]).items()}
        assert places == {"b": [0, 16], "c": [16, 20], "n" * length + "a": [20, 23]}
    with pytest.raises(FileError, match="the file exists"):
        write_safetensors(path, [])


def test_the_longest_list_of_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert safetensors.MAX_HEADER_BYTES == 100_000_000  # as in ``tensor.rs``: other readers refuse more
    tensors, path = [("a", ArrayPayload(ARRAY))], tmp_path / "a.safetensors"
    write_safetensors(path, tensors)
    [size] = struct.unpack_from("<Q", path.read_bytes())
    for limit in (size, size - 1):
        monkeypatch.setattr(safetensors, "MAX_HEADER_BYTES", limit)
        if limit == size:
            write_safetensors(path, tensors, overwrite=True)
            assert SafetensorsStore(path).payload("a").numpy().tolist() == ARRAY.tolist()
            continue
        with pytest.raises(UnsupportedError, match=f"the list of tensors takes {size} bytes, more than readers accept"):
            write_safetensors(path, tensors, overwrite=True)
        with pytest.raises(CorruptFileError, match=f"its header claims {size} bytes"):
            SafetensorsStore(path)


# Either


def test_archives_are_told_apart(archive: Path, tmp_path: Path) -> None:
    assert isinstance(open_archive(archive), NpzStore)
    write_safetensors(tmp_path / "a", [("a", ArrayPayload(ARRAY))])
    assert isinstance(open_archive(tmp_path / "a"), SafetensorsStore)
    (tmp_path / "a").write_text("something else")
    with pytest.raises(NotTensorFlowError, match="neither a NumPy archive nor a safetensors file"):
        open_archive(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(NotTensorFlowError, match="an HDF5 file"):
        open_archive(tmp_path / "a")
