"""Indexes of V2 checkpoints whose checksums are right, and what they cover is not: no memory is taken on trust."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphscope.errors import CorruptFileError, GraphscopeError, UnsupportedError
from graphscope.formats.checkpoint import writer
from graphscope.formats.checkpoint.bundle_payloads import _checked_form
from graphscope.formats.checkpoint.v2 import BundleStore, _type_and_shape
from graphscope.formats.io.checksum import crc32c, mask
from graphscope.protos import BundleEntryProto, BundleHeaderProto
from tests.support.counted import lines_run
from tests.support.fixture_files import FIXTURES
from tests.support.saving import save_named_v2, small_v2, tf
from tests.support.tables import read_table, write_table

INDEX, DATA = "model.index", "model.data-00000-of-00001"


@pytest.fixture(scope="module")
def good_v2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_v2(tmp_path_factory.mktemp("v2"))


def rewritten(good: Path, directory: Path, changes: dict[bytes, Callable[[Any], object]]) -> str:
    """A copy of a V2 checkpoint whose index entries have been through ``changes``; returns its prefix."""
    shutil.copytree(good, directory, dirs_exist_ok=True)
    items = read_table(good / INDEX)
    for key, change in changes.items():
        kind = BundleEntryProto if key else BundleHeaderProto
        message = kind.FromString(items.get(key, b""))
        change(message)
        items[key] = message.SerializeToString()
    write_table(directory / INDEX, items)
    return f"{directory}/model"


def given_to(name: str, value: Any) -> Callable[[Any], object]:
    return lambda message: setattr(message, name, value)


def proto(dtype: int, *sizes: int) -> bytes:
    """An entry's type and shape."""
    entry = BundleEntryProto(dtype=dtype)
    entry.shape.SetInParent()
    for size in sizes:
        entry.shape.dim.add(size=size)
    return entry.SerializeToString()


def shape(*sizes: int) -> Callable[[Any], object]:
    def change(message: Any) -> None:
        del message.shape.dim[:]
        for size in sizes:
            message.shape.dim.add(size=size)

    return change


def all_of(*changes: Callable[[Any], object]) -> Callable[[Any], object]:
    def change(message: Any) -> None:
        for one in changes:
            one(message)

    return change


def unknown_rank(message: Any) -> None:
    message.shape.unknown_rank = True


W = b"a/weights"
AT_OPEN: dict[str, tuple[dict[bytes, Callable[[Any], object]], type[GraphscopeError], str]] = {
    "negative size": ({W: given_to("size", -1)}, CorruptFileError, "variable a/weights: -1 bytes"),
    "negative offset": ({W: given_to("offset", -(1 << 62))}, CorruptFileError, "variable a/weights: .* is not a place"),
    "a data file too many": (
        {W: given_to("shard_id", 1)},
        CorruptFileError,
        "data file 1 is not a place in the file, with 1",
    ),
    "a negative data file": ({W: given_to("shard_id", -1)}, CorruptFileError, "variable a/weights"),
    "a negative dimension": ({W: shape(2, -3)}, CorruptFileError, r"variable a/weights: \[2, -3\] is not the shape"),
    "too many elements": ({W: shape(1 << 40, 1 << 40)}, CorruptFileError, "variable a/weights: .* is not the shape"),
    "rows too long for none": ({W: shape(0, 1 << 62)}, CorruptFileError, "variable a/weights: .* is not the shape"),
    "too many dimensions": ({W: shape(*[1] * 255)}, CorruptFileError, "is not the shape"),
    "unknown rank after a scalar": (
        {W: shape(), b"step": unknown_rank},
        CorruptFileError,
        "variable step: .* is not the shape",
    ),
    "values over each other": ({W: given_to("offset", 1)}, CorruptFileError, "variable .* overlaps another"),
    "an endless overlap": ({W: given_to("size", 1 << 62)}, CorruptFileError, "variable a/weights/Adam: .* overlaps"),
    "big-endian": ({b"": given_to("endianness", 1)}, UnsupportedError, "big-endian"),
    "an unknown byte order": ({b"": given_to("endianness", 7)}, UnsupportedError, "big-endian"),
    "a newer format": ({b"": lambda m: setattr(m.version, "min_consumer", 5)}, UnsupportedError, "format version 5"),
    "a refused reader": ({b"": lambda m: m.version.bad_consumers.append(1)}, UnsupportedError, "knows version 1"),
    "two thousand million files": ({b"": given_to("num_shards", 2**31 - 1)}, CorruptFileError, "2,147,483,647 data"),
    "fewer than no files": ({b"": given_to("num_shards", -1)}, CorruptFileError, "announces -1"),
}


@pytest.mark.parametrize("name", AT_OPEN)
def test_v2_index_that_cannot_be(tmp_path: Path, good_v2: Path, name: str) -> None:
    changes, error, message = AT_OPEN[name]
    with pytest.raises(error, match=message):
        BundleStore(rewritten(good_v2, tmp_path, changes))


def slices(*extents: tuple[int, int]) -> Callable[[Any], object]:
    """Replaces the rows that the entry of a partitioned tensor of two dimensions lists."""

    def change(message: Any) -> None:
        del message.slices[:]
        for start, length in extents:
            added = message.slices.add()
            added.extent.add(start=start, length=length)
            added.extent.add()

    return change


AT_READING: dict[str, tuple[dict[bytes, Callable[[Any], object]], type[GraphscopeError], str]] = {
    "a wrong size": (
        {W: shape(2, 2)},
        CorruptFileError,
        r"variable a/weights: float32 \[2, 2\] takes 16 bytes, but 24",
    ),
    "a terabyte": ({W: shape(1 << 38)}, CorruptFileError, "variable a/weights: .* takes 1,099,511,627,776 bytes"),
    "past the end": (
        {b"step": all_of(given_to("offset", 1 << 60), shape(1))},
        CorruptFileError,
        "variable step: its value ends at byte 1,152,921,504,606,846,984, but the file at byte",
    ),
    "a terabyte of file": (
        {b"step": all_of(given_to("offset", 1 << 50), given_to("size", 1 << 40), shape(1 << 37))},
        CorruptFileError,
        "variable step: its value ends at",
    ),
    "a wrong checksum": ({W: given_to("crc32c", 1)}, CorruptFileError, "variable a/weights: .*checksum is wrong"),
    "a wrong checksum of strings": ({b"names": given_to("crc32c", 1)}, CorruptFileError, "names: .*checksum is wrong"),
    "strings without end": ({b"names": shape(1 << 50)}, CorruptFileError, "strings do not fit in 15 bytes"),
    "more strings": ({b"names": shape(4)}, CorruptFileError, "variable names: the checksum of the strings' lengths"),
    "strings for numbers": ({W: given_to("dtype", 7)}, CorruptFileError, "variable a/weights: "),
    "an unknown type": (
        {W: given_to("dtype", 99)},
        UnsupportedError,
        "variable a/weights: type 99 has no NumPy equivalent",
    ),
    "a resource": (
        {W: given_to("dtype", 20)},
        UnsupportedError,
        "variable a/weights: resource has no NumPy equivalent",
    ),
    "too many dimensions for NumPy": ({W: shape(2, 3, *[1] * 90)}, UnsupportedError, "variable a/weights: "),
    "a slice that is not there": ({b"split": slices((0, 2), (2, 2))}, CorruptFileError, "slice 0,2:- is not in the"),
    "a slice too few": ({b"split": slices((0, 1))}, CorruptFileError, "its 1 slices hold 2 of 8 elements"),
    "a slice twice": ({b"split": slices((0, 1), (0, 1), (1, 3))}, CorruptFileError, "hold 10 of 8 elements"),
    "a slice outside": ({b"split": shape(3, 2)}, CorruptFileError, "slice 1,3:- of shape .* does not fit"),
    "slices of another type": ({b"split": given_to("dtype", 3)}, CorruptFileError, "has another type"),
}


@pytest.mark.parametrize("name", AT_READING)
def test_v2_values_that_cannot_be(tmp_path: Path, good_v2: Path, name: str) -> None:
    changes, error, message = AT_READING[name]
    store = BundleStore(rewritten(good_v2, tmp_path, changes))
    broken = {next(iter(changes)).decode()}
    assert len(store.entries) >= 5, "they are listed nevertheless"
    for key in ("a/weights/Adam", *broken):

        def read(key: str = key) -> None:
            if key in broken:
                with pytest.raises(error, match=message):
                    store.payload(key).numpy()
            else:
                store.payload(key).numpy()

        tracemalloc.start()
        try:
            lines = lines_run(read)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 4 << 20
        assert lines < 50_000


def sliced_store(
    tmp_path: Path, specs: list[str], shapes: list[list[int]], full: tuple[int, ...] | None
) -> BundleStore:
    save_named_v2(f"{tmp_path}/saved", ["w"] * len(specs), [tf.ones(s) for s in shapes], specs)
    (tmp_path / "saved.data-00000-of-00001").rename(tmp_path / DATA)
    items = read_table(tmp_path / "saved.index")
    if full is not None:
        message = BundleEntryProto.FromString(items[b"w"])
        shape(*full)(message)
        items[b"w"] = message.SerializeToString()
    write_table(tmp_path / INDEX, items)
    return BundleStore(f"{tmp_path}/model")


def test_slices_that_overlap(tmp_path: Path) -> None:
    """Of four slices one lies over another and one corner is empty: the volumes alone do not tell."""
    specs = ["4 4 0,2:0,2", "4 4 1,2:1,2", "4 4 2,2:2,2", "4 4 0,2:2,2"]
    store = sliced_store(tmp_path, specs, [[2, 2]] * 4, None)
    with pytest.raises(CorruptFileError, match="variable w: its slices overlap"):
        store.payload("w").numpy()
    with pytest.raises(CorruptFileError, match="variable w: its slices overlap"):
        list(store.payload("w").chunks())


def test_rows_that_overlap(tmp_path: Path) -> None:
    specs = ["6 0,2", "6 1,2", "6 4,2"]
    store = sliced_store(tmp_path, specs, [[2]] * 3, None)
    for read in (lambda p: p.numpy(), lambda p: list(p.chunks())):
        with pytest.raises(CorruptFileError, match="variable w: its slices overlap"):
            read(store.payload("w"))


def test_slices_of_a_terabyte(tmp_path: Path) -> None:
    """The last one promises what its file cannot hold: nothing is taken for the whole before that is seen."""
    save_named_v2(f"{tmp_path}/saved", ["w", "w"], [tf.ones([1]), tf.ones([2])], ["3 0,1", "3 1,2"])
    (tmp_path / "saved.data-00000-of-00001").rename(tmp_path / DATA)
    items = read_table(tmp_path / "saved.index")
    whole = BundleEntryProto.FromString(items[b"w"])
    size = 1 << 38
    shape(1 + size)(whole)
    old_key = next(key for key in items if key.endswith(b"\x81\x82"))
    whole.slices[1].extent[0].length = size
    new_key = old_key[:-1] + (size | 0xFC << 40).to_bytes(6, "big")
    last = BundleEntryProto.FromString(items.pop(old_key))
    shape(size)(last)
    last.size = 4 * size
    items[b"w"], items[new_key] = whole.SerializeToString(), last.SerializeToString()
    write_table(tmp_path / INDEX, items)
    store = BundleStore(f"{tmp_path}/model")
    assert store.entries["w"].shape == (1 + size,)
    with pytest.raises(CorruptFileError, match="variable w, slice 1,274877906944: its value ends at byte"):
        store.payload("w").numpy()


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ({b"w": b""}, "does not start with a header"),
        ({}, "does not start with a header"),
        ({b"": b"\xff"}, "the header: no BundleHeaderProto"),
        ({b"": b"\x08\x01", b"w": b"\xff"}, "variable w: no BundleEntryProto"),
        ({b"": b"\x08\x01", b"\xff": b"", b"\\xff": b""}, "cannot be distinguished"),
    ],
)
def test_tables_that_are_no_index(tmp_path: Path, items: dict[bytes, bytes], message: str) -> None:
    write_table(tmp_path / INDEX, items)
    with pytest.raises(CorruptFileError, match=message):
        BundleStore(f"{tmp_path}/model")


def test_long_strings_have_lengths_of_eight_bytes() -> None:
    """Above 4 GiB, which no test can write: the rule alone, as in ``WriteStringTensor``."""
    assert _checked_form([5, 1 << 32]) == b"\5\0\0\0" + b"\0\0\0\0\1\0\0\0"
    written = [writer._checked_form(length) for length in (0, 5, (1 << 32) - 1, 1 << 32)]
    assert written == [bytes(4), b"\5\0\0\0", b"\xff" * 4, b"\0\0\0\0\1\0\0\0"]


@pytest.mark.parametrize(("spare", "message"), [(b"", None), (b"x", "4 bytes of strings, where 3 are announced")])
def test_strings_with_bytes_to_spare(tmp_path: Path, spare: bytes, message: str | None) -> None:
    lengths, texts = b"\1\2", b"abc" + spare
    crc = crc32c(_checked_form(list(lengths)))
    check = mask(crc).to_bytes(4, "little")
    (tmp_path / DATA).write_bytes(lengths + check + texts)
    entry = BundleEntryProto(dtype=7, size=6 + len(texts), crc32c=mask(crc32c(texts, crc32c(check, crc))))
    shape(2)(entry)
    write_table(tmp_path / INDEX, {b"": b"\x08\x01", b"w": entry.SerializeToString()})
    payload = BundleStore(f"{tmp_path}/model").payload("w")
    if message is None:
        assert payload.numpy().tolist() == [b"a", b"bc"]
    else:
        with pytest.raises(CorruptFileError, match=message):
            payload.numpy()


SECOND_SHAPES = {
    "more dimensions": (proto(1, 2, 3) + proto(0, 4), (2, 3, 4)),
    "other ones": (proto(1, 2, 3) + proto(0, 5), (2, 3, 5)),
    "no more": (proto(1, 2, 3) + proto(0), (2, 3)),
    "a type of two bytes": (proto(0x12 << 7 | 1, 2, 3), (2, 3)),
    "another shape behind it": (proto(0x12 << 7 | 1, 2, 4), (2, 4)),
    "fields in another order": (proto(0, 5) + proto(1), (5,)),
    "one long dimension": (proto(1, 1 << 40), (1 << 40,)),
    "many dimensions": (proto(1, *[1] * 60), (1,) * 60),
    "a scalar": (proto(1), ()),
}


@pytest.mark.parametrize(
    ("entry", "size"),
    [
        (proto(1, 2, 3), 12),
        (proto(1, 2, 3) + b"more", 12),
        (proto(1), 4),
        (proto(1)[:3], 0),
        (b"", 0),
        (b"\x09" + proto(1, 2)[1:], 0),
        (b"\x08\x01\x1a\0", 0),
        (b"\x08\x7f\x12\0", 4),
        (b"\x08\x80\x12\0", 0),
        (b"\x08\x01\x12\x7f" + bytes(127), 131),
        (b"\x08\x01\x12\x80\x01" + bytes(128), 0),
    ],
)
def test_the_beginning_of_an_entry(entry: bytes, size: int) -> None:
    """Type and shape, where each takes a byte; what begins otherwise has no beginning that could be shared."""
    assert _type_and_shape(memoryview(entry)) == entry[:size]


def test_places_at_the_end_of_what_numbers_hold(good_v2: Path, tmp_path: Path) -> None:
    """The last bytes that an entry can name lie before the first of the next data file."""
    first, second = [key for key in read_table(good_v2 / INDEX) if key and min(key) > 0x20][:2]
    end = all_of(given_to("offset", 2**63 - 2), given_to("size", 4), given_to("shard_id", 0))
    start = all_of(given_to("offset", 0), given_to("size", 4), given_to("shard_id", 1))
    prefix = rewritten(good_v2, tmp_path, {b"": given_to("num_shards", 2), first: end, second: start})
    assert {first.decode(), second.decode()} <= BundleStore(prefix).entries.keys()


def test_an_index_of_nothing(tmp_path: Path) -> None:
    write_table(tmp_path / INDEX, {b"": BundleHeaderProto(num_shards=0).SerializeToString()})
    store = BundleStore(f"{tmp_path}/model")
    assert (store.entries, store.files) == ({}, [])


def test_entries_that_begin_alike() -> None:
    """Entries of the same type and shape are told by their first bytes: what follows them still counts."""
    store = BundleStore(str(FIXTURES / "softmax" / "model.ckpt-6000"))

    def shape(entry: bytes) -> tuple[int, ...]:
        [(_, found, *_)] = store._read_entries([(b"w", entry)])
        return found.shape

    for _ in range(2):
        assert shape(proto(1, 2, 3)) == (2, 3)
        for entry, expected in SECOND_SHAPES.values():
            assert shape(entry) == expected
        unknown = BundleEntryProto()
        unknown.shape.unknown_rank = True
        with pytest.raises(CorruptFileError, match="is not the shape of a tensor"):
            shape(proto(1, 2, 3) + unknown.SerializeToString())
