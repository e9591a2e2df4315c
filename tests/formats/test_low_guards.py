"""The lowest floor of the formats: bounds of reads, places in messages, slices and their keys, partitions, versions."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, IncompleteModelError, UnsupportedError
from graphscope.formats.checkpoint import bundle_payloads
from graphscope.formats.checkpoint.partitioned import Part, PartitionedPayload, StoredPayload
from graphscope.formats.checkpoint.rules import check_versions, is_shape
from graphscope.formats.checkpoint.tensor_slice import WHOLE, TensorSlice
from graphscope.formats.io.wire import Cursor, FileSource
from graphscope.formats.io.wire import varint as written
from graphscope.formats.lazy.payloads import EncodedPayload, RegionPayload
from graphscope.formats.savedmodel.assets import asset_place
from graphscope.protos import TensorProto, TensorSliceProto, VersionDef
from tests.support.tables import varint


def source(directory: Path, content: bytes) -> FileSource:
    (directory / "f").write_bytes(content)
    return FileSource(directory / "f")


# Files


def test_reads_end_with_the_file(tmp_path: Path) -> None:
    file = source(tmp_path, b"0123456789")
    assert (file.size, file.read(0, 10), file.read(9, 1), file.read(10, 0), file.read(3, 2)) == (
        10,
        b"0123456789",
        b"9",
        b"",
        b"34",
    )
    for offset, size, at in ((0, 11, 0), (9, 2, 9), (11, 0, 11), (-1, 1, 0), (3, -1, 3)):
        with pytest.raises(CorruptFileError, match="needed, but the file ends at byte 10") as error:
            file.read(offset, size)
        assert error.value.offset == at
    assert list(file.chunks(1, 9, 4)) == [b"1234", b"5678", b"9"]
    assert list(file.chunks(2, 8, 4)) == [b"2345", b"6789"]
    assert list(file.chunks(10, 0, 4)) == []


def test_a_small_file_is_viewed_whole_and_a_large_one_is_not(tmp_path: Path) -> None:
    small = source(tmp_path, bytes(4 << 20)).view()
    assert isinstance(small, bytes)
    large = source(tmp_path, bytes(4 << 20) + b"x")
    window = large.view()
    assert not isinstance(window, bytes)
    assert (len(window), window[4 << 20]) == ((4 << 20) + 1, ord("x"))
    assert large.view() is not window


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        FileSource(tmp_path / "nothing")
    with pytest.raises(FileError):
        FileSource(tmp_path)
    with pytest.raises(FileError, match="a device"):
        FileSource("/dev/null")


# Numbers


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, (1 << 35) - 1, 1 << 63, (1 << 64) - 1])
def test_numbers_of_any_length(number: int) -> None:
    cursor = Cursor(b"--" + varint(number) + b"rest", "f", 2)
    assert cursor.uvarint() == number
    assert written(number) == varint(number)
    assert cursor.take(4) == b"rest"
    assert cursor.at == cursor.end


def test_negative_numbers_have_64_bits() -> None:
    assert [written(number) for number in (-1, -(1 << 63))] == [varint((1 << 64) - 1), varint(1 << 63)]


@pytest.mark.parametrize(
    ("content", "result"),
    [
        (b"\xff" * 9 + b"\x01", (1 << 64) - 1),
        (b"\xff" * 9 + b"\x7f", (1 << 64) - 1),
        (b"\x80" * 9 + b"\x00", 0),
        (b"\x80" * 10 + b"\x00", None),
        (b"\x80" * 9, None),
        (b"", None),
    ],
)
def test_a_number_has_ten_bytes_at_most(content: bytes, result: int | None) -> None:
    cursor = Cursor(content, "f", base=100)
    if result is not None:
        assert cursor.uvarint() == result
    else:
        with pytest.raises(CorruptFileError, match="does not end") as error:
            cursor.uvarint()
        assert error.value.offset == 100


def test_fixed_numbers_and_places_in_messages() -> None:
    cursor = Cursor(b"xx" + struct.pack("<IQ", 7, 1 << 40) + b"yz", "f", 2, 15, base=10)
    assert (cursor.fixed32(), cursor.fixed64(), cursor.at, cursor.skip(1)) == (7, 1 << 40, 14, 14)
    with pytest.raises(CorruptFileError, match="1 bytes announced, 0 left") as error:
        cursor.take(1)
    assert error.value.offset == 25
    assert cursor.corrupt("m", 3).offset == 13
    assert cursor.corrupt("m", 0).offset == 10


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b"", []),
        (b"\x08\x05", [(1, 0, 1, 2)]),
        (b"\x08\x85\x01\x12\x02ab", [(1, 0, 1, 3), (2, 2, 5, 7)]),
        (b"\x09" + bytes(8) + b"\x0d" + bytes(4), [(1, 1, 1, 9), (1, 5, 10, 14)]),
        (b"\x12\x00", [(2, 2, 2, 2)]),
        (b"\x12\x03ab", None),
        (b"\x09" + bytes(7), None),
        (b"\x0d" + bytes(3), None),
        (b"\x0b", None),
        (b"\x0c", None),
        (b"\x0e", None),
        (b"\x08", None),
    ],
)
def test_the_fields_of_a_message(content: bytes, fields: list[tuple[int, ...]] | None) -> None:
    if fields is not None:
        assert list(Cursor(content, "f").fields()) == fields
    else:
        with pytest.raises(CorruptFileError):
            list(Cursor(content, "f").fields())


# Regions


@pytest.mark.parametrize(("size", "fits"), [(12, True), (11, False), (13, False)])
def test_a_region_has_the_size_of_its_tensor(size: int, fits: bool, tmp_path: Path) -> None:
    payload = RegionPayload(
        source(tmp_path, b"--" + bytes(range(20))), 2, size, DataType.INT32, (3,), what="variable w"
    )
    if fits:
        payload.check_size()
        assert b"".join(payload.chunks()) == payload.numpy().tobytes() == bytes(range(12))
        return
    for read in (payload.check_size, payload.numpy, lambda: list(payload.chunks())):
        with pytest.raises(
            CorruptFileError, match=rf"variable w: int32 \[3\] takes 12 bytes, but {size} are stored"
        ) as error:
            read()
        assert error.value.offset == 2


@pytest.mark.parametrize(("count", "fits"), [(3, True), (1, True), (4, False)])
def test_typed_fields_are_counted_when_they_are_scanned(count: int, fits: bool, tmp_path: Path) -> None:
    """The last value counts for those that are not there; there may not be more than elements."""
    proto = TensorProto(dtype=1, float_val=range(count))
    proto.tensor_shape.dim.add(size=3)
    content = proto.SerializeToString()
    file = source(tmp_path, b"--" + content)
    payload = EncodedPayload(file, 2, len(content), DataType.FLOAT, (3,), what="node w", content=None)
    payload.check_size()
    assert b"".join(payload.encode()) == content
    if fits:
        payload.check_size(scan=True)
        assert payload.numpy().tolist() == [min(i, count - 1) for i in range(3)]
    else:
        for read in (lambda: payload.check_size(scan=True), payload.numpy):
            with pytest.raises(CorruptFileError, match="node w"):
                read()


# Slices


def sliced(*extents: tuple[int, int]) -> TensorSlice:
    return TensorSlice(tuple(extents))


@pytest.mark.parametrize(
    ("part", "region"),
    [
        (sliced((0, 2), (1, 3)), (slice(0, 2), slice(1, 4))),
        (sliced((0, WHOLE), (0, WHOLE)), (slice(0, 4), slice(0, 5))),
        (sliced((0, 4), (0, 5)), (slice(0, 4), slice(0, 5))),
        (sliced((3, 1), (4, 1)), (slice(3, 4), slice(4, 5))),
        (sliced((3, 2), (0, 5)), None),
        (sliced((0, 0), (0, 5)), None),
        (sliced((1, WHOLE), (0, 5)), None),
        (sliced((-1, 2), (0, 5)), None),
        (sliced((0, 4)), None),
        (sliced((0, 4), (0, 5), (0, 1)), None),
    ],
)
def test_what_a_slice_takes(part: TensorSlice, region: tuple[slice, ...] | None) -> None:
    assert part.region((4, 5)) == region


def test_the_text_and_the_key_of_a_slice() -> None:
    """Keys as ``EncodeTensorNameSlice`` makes them: they sort as name, rank and extents do."""
    proto = TensorSliceProto()
    proto.extent.add(start=3, length=4)
    proto.extent.add()
    assert (str(TensorSlice.of(proto)), TensorSlice.of(proto)) == ("3,4:-", sliced((3, 4), (0, WHOLE)))
    assert str(sliced((0, 0), (1, WHOLE))) == "0,0:1,-1"
    assert sliced((0, 2)).key(b"w") == b"\x00w\x00\x01\x01\x01\x80\x82"
    assert sliced((0, WHOLE)).key(b"a\x00b\xffc") == b"\x00a\x00\xffb\xff\x00c\x00\x01\x01\x01\x80\x7f"
    numbers = [0, 1, 63, 64, 8191, 8192, 1 << 20, 1 << 27, 1 << 34, 1 << 62]
    keys = [sliced((n, 1)).key(b"w") for n in numbers]
    assert keys == sorted(keys)
    sizes = [len(key) - len(keys[0]) for key in keys]
    assert sizes == [0, 0, 0, 1, 1, 2, 3, 4, 5, 9]


class Piece(StoredPayload):
    """A stored slice that is in memory; remembers whether it was verified."""

    def __init__(self, array: Any) -> None:
        super().__init__(DataType.from_numpy(array.dtype), array.shape)
        self.array = array
        self.verified = False

    def verify(self) -> None:
        self.verified = True

    def chunks(self) -> Iterator[bytes]:
        return ArrayPayload(self.array).chunks()

    def numpy(self) -> Any:
        return self.array


def whole(shape: tuple[int, ...], *regions: tuple[slice, ...]) -> tuple[Payload, Any, list[Piece]]:
    array = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    pieces = [Piece(np.ascontiguousarray(array[region])) for region in regions]
    parts = [Part(region, piece) for region, piece in zip(regions, pieces, strict=True)]
    return PartitionedPayload(parts, DataType.INT32, shape, IncompleteModelError), array, pieces


ROWS = (slice(0, 2), slice(0, 3)), (slice(2, 3), slice(0, 3)), (slice(3, 6), slice(0, 3))
COLUMNS = (slice(0, 6), slice(0, 1)), (slice(0, 6), slice(1, 3))


@pytest.mark.parametrize("regions", [ROWS, ROWS[::-1], (ROWS[1], ROWS[2], ROWS[0]), COLUMNS, COLUMNS[::-1]])
def test_partitions_in_any_order(regions: tuple[tuple[slice, ...], ...]) -> None:
    payload, array, pieces = whole((6, 3), *regions)
    assert b"".join(payload.chunks()) == array.tobytes()
    assert payload.numpy().tolist() == array.tolist()
    assert all(piece.verified for piece in pieces)


def test_partitions_that_do_not_make_up_the_whole() -> None:
    with pytest.raises(GraphscopeError, match="its 2 slices hold 9 of 18 elements"):
        whole((6, 3), *ROWS[:2])
    with pytest.raises(GraphscopeError, match="hold 21 of 18"):
        whole((6, 3), *ROWS, ROWS[1])
    for regions in ((ROWS[0], ROWS[0], (slice(4, 6), slice(0, 3))), (COLUMNS[1], (slice(0, 6), slice(1, 2)))):
        payload, _, _ = whole((6, 3), *regions)
        with pytest.raises(GraphscopeError, match="its slices overlap"):
            list(payload.chunks())
        with pytest.raises(GraphscopeError, match="its slices overlap"):
            payload.numpy()


# Versions and shapes


@pytest.mark.parametrize(
    ("least", "bad", "needed"),
    [(0, [], None), (1, [], None), (2, [], 2), (7, [], 7), (0, [1], 2), (0, [2], None), (3, [1], 3)],
)
def test_versions_of_checkpoints(least: int, bad: list[int], needed: int | None, tmp_path: Path) -> None:
    versions = VersionDef(producer=9, min_consumer=least, bad_consumers=bad)
    if needed is None:
        check_versions(versions, source(tmp_path, b""))
    else:
        with pytest.raises(UnsupportedError, match=f"format version {needed};"):
            check_versions(versions, source(tmp_path, b""))


@pytest.mark.parametrize(
    ("shape", "can_be"),
    [
        ((), True),
        ((0,), True),
        ((-1,), False),
        ((3, -1), False),
        ((1,) * 254, True),
        ((1,) * 255, False),
        ((1 << 59,), True),
        (((1 << 59) + 1,), False),
        ((0, 1 << 59), True),
        ((0, (1 << 59) + 1), False),
        ((1 << 30, 1 << 29), True),
        ((1 << 30, 1 << 30), False),
    ],
)
def test_which_shapes_tensors_can_have(shape: tuple[int, ...], can_be: bool) -> None:
    assert is_shape(shape) is can_be


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("a.txt", "assets/a.txt"),
        ("sub/a.txt", "assets/sub/a.txt"),
        ("sub\\a.txt", "assets/sub/a.txt"),
        ("", None),
        ("..", None),
        ("../a", None),
        ("a/../b", None),
        ("/a", None),
        ("\\a", None),
        ("a\0b", None),
        ("...", "assets/..."),
    ],
)
def test_names_of_assets_stay_in_their_directory(name: str, place: str | None) -> None:
    assert asset_place(Path("m"), name) == (None if place is None else Path("m") / place)


def test_few_data_files_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_payloads, "_MAX_OPEN", 3)
    shards = bundle_payloads.Shards(str(tmp_path / "m"), 8)
    for number in range(8):
        shards.path(number).write_bytes(bytes(100 + number))
    numbers = [*range(8), 6, 0]
    opened = [shards.open(number, "w") for number in numbers]
    assert [file.size for file in opened] == [100 + number for number in numbers]
    assert opened[7] is not opened[0]
    assert opened[8] is opened[6]  # still open
    assert len(shards._open) <= 3
