"""Tables: what is written is read back, and whatever is broken is said to be."""

from __future__ import annotations

import itertools
import random
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphscope.errors import CorruptFileError
from graphscope.formats.io.sstable import Table
from graphscope.formats.io.sstable_writer import _above, _between, table_chunks
from graphscope.formats.io.table_footer import is_table
from graphscope.formats.io.wire import FileSource
from tests.support.counted import lines_run
from tests.support.tables import (
    block_contents,
    compressed_block,
    read_table,
    stored_block,
    table_bytes,
    tail_bytes,
    varint,
    write_table,
)

ITEMS = {b"": b"header", **{f"layer_{n}/kernel".encode(): bytes([n]) * n for n in range(0, 40, 3)}, b"z": b"y" * 300}
MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def read(path: Path, data: bytes) -> dict[bytes, bytes]:
    path.write_bytes(data)
    return read_table(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table"


@MANY
@given(
    items=st.dictionaries(st.binary(max_size=200), st.binary(max_size=200), max_size=30),
    compress=st.booleans(),
    per_block=st.integers(1, 9),
    interval=st.integers(1, 9),
    other=st.binary(max_size=5),
)
def test_items_and_look_ups_give_what_was_written(
    path: Path, items: dict[bytes, bytes], compress: bool, per_block: int, interval: int, other: bytes
) -> None:
    write_table(path, items, compress=compress, per_block=per_block, interval=interval)
    table = Table(FileSource(path))
    assert [(key, bytes(value)) for key, value in table.items()] == sorted(items.items())
    for key in [*items, other]:
        value = table.get(key)
        assert (None if value is None else bytes(value)) == items.get(key)


@pytest.mark.parametrize("size", [127, 128, 129])
def test_sizes_where_a_second_byte_begins(path: Path, size: int) -> None:
    items = {b"": bytes(size), b"k" * size: b""}
    write_table(path, items)
    assert read_table(path) == items


def test_a_look_up_reads_one_block_and_keeps_small_ones_only(path: Path) -> None:
    items = {b"large": bytes(3 << 20), b"small 1": b"1", b"small 2": b"2"}
    write_table(path, items, per_block=1)
    table = Table(FileSource(path))
    reads: list[int] = []

    class Counted(FileSource):
        def read(self, offset: int, size: int) -> bytes:
            reads.append(size)
            return super().read(offset, size)

    table.source = Counted(path)
    for _ in range(2):
        assert bytes(table.get(b"small 1") or b"") == b"1"
    assert len(reads) == 2, "contents and checksum, once"
    assert sum(reads) < 100
    for _ in range(2):
        assert len(table.get(b"large") or b"") == 3 << 20
    assert len(reads) == 6
    assert bytes(table.get(b"small 1") or b"") == b"1"
    assert len(reads) == 6, "the small block was kept, the large one was not"


@pytest.mark.parametrize("compress", [False, True])
def test_truncated_anywhere(path: Path, compress: bool) -> None:
    write_table(path, ITEMS, compress=compress)
    whole = path.read_bytes()
    assert read(path, whole) == ITEMS
    for size in range(len(whole)):
        with pytest.raises(CorruptFileError):
            read(path, whole[:size])


@pytest.mark.parametrize("compress", [False, True])
def test_every_byte_flipped(path: Path, compress: bool) -> None:
    write_table(path, ITEMS, compress=compress)
    whole = path.read_bytes()
    rng = random.Random(0)
    right = 0
    for at in range(len(whole)):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << rng.randrange(8)
        try:
            found = read(path, bytes(flipped))
        except CorruptFileError:
            continue
        assert found == ITEMS
        right += 1
    assert right < 70, "only the metaindex and the footer's padding are not looked at"


def keyed(contents: bytes, last_key: bytes = b"k") -> bytes:
    return table_bytes([(last_key, stored_block(contents))])


def with_entries(entries: bytes, restarts: int = 1) -> bytes:
    return entries + struct.pack("<II", 0, restarts)


GOOD = stored_block(block_contents([(b"k", b"v")]))
BOMB = stored_block(varint(1 << 31) + bytes(100), 1)
WRONG = {
    "an unknown block type": (table_bytes([(b"k", stored_block(b"x", 2))]), "2 is not a block type"),
    "more restarts than block": (keyed(with_entries(b"\0\1\1kv", 9)), "shorter than its list of restarts"),
    "a block of three bytes": (keyed(b"\0\0\0"), "shorter than its list of restarts"),
    "a key longer than its base": (keyed(with_entries(b"\3\1\1kv")), "entry at byte 0"),
    "a value past the end": (keyed(with_entries(b"\0\1\x7fkv")), "entry at byte 0"),
    "an endless varint": (keyed(with_entries(b"\0\1" + b"\xff" * 11)), "entry at byte 0"),
    "a size of 2**63": (keyed(with_entries(b"\0\1" + varint(1 << 63) + b"kv")), "entry at byte 0"),
    "an entry of one byte": (keyed(with_entries(b"\0")), "entry at byte 0"),
    "keys that descend": (keyed(block_contents([(b"b", b""), (b"a", b"")], 1)), "keys do not ascend"),
    "a key twice": (keyed(block_contents([(b"k", b""), (b"k", b"")])), "keys do not ascend"),
    "a key above the index's": (keyed(block_contents([(b"l", b"")])), "do not match the index"),
    "a key below the block": (table_bytes([(b"x", GOOD), (b"z", GOOD)]), "keys do not ascend"),
    "an index that descends": (table_bytes([(b"k", GOOD), (b"j", GOOD)]), "keys do not ascend"),
    "blocks over each other": (GOOD + tail_bytes(len(GOOD), [(b"k", b"\0\7"), (b"l", b"\0\7")]), "overlapping blocks"),
    "the last blocks over each other": (
        GOOD * 2 + tail_bytes(2 * len(GOOD), [(b"k", b"\0\7"), (b"l", b"\x0f\7"), (b"m", b"\x0f\7")]),
        "overlapping blocks",
    ),
    "a block past the end": (
        GOOD + tail_bytes(len(GOOD), [(b"k", b"\0" + varint(1 << 40))]),
        "is declared at byte 0",
    ),
    "no handle in the index": (GOOD + tail_bytes(len(GOOD), [(b"k", b"")]), "does not end"),
    "a snappy bomb": (table_bytes([(b"k", BOMB)]), "2,147,483,648 bytes are declared for 105"),
    "broken snappy": (table_bytes([(b"k", stored_block(b"\x05\x00a", 1))]), "compressed block is broken"),
    "empty snappy": (table_bytes([(b"k", stored_block(b"", 1))]), "does not end"),
    "cut snappy": (
        table_bytes([(b"k", stored_block(compressed_block(bytes(99))[:-7], 1))]),
        "compressed block is broken",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_with_right_checksums(path: Path, name: str) -> None:
    data, message = WRONG[name]
    with pytest.raises(CorruptFileError, match=message):
        read(path, data)


def test_the_densest_snappy_is_believed(path: Path) -> None:
    contents = block_contents([(b"k", bytes(1 << 20))])
    block = compressed_block(contents)
    assert len(contents) / len(block) > 21
    assert read(path, table_bytes([(b"k", block)])) == {b"k": bytes(1 << 20)}


def test_a_block_cannot_be_read_many_times_over(path: Path) -> None:
    """An index of ten thousand entries for one large block would cost hours otherwise."""
    block = compressed_block(block_contents([(b"a", bytes(1 << 22))]))
    index = [(f"{n:05}".encode(), varint(0) + varint(len(block) - 5)) for n in range(10_000)]

    def refused() -> None:
        with pytest.raises(CorruptFileError, match="overlapping"):
            read(path, block + tail_bytes(len(block), index))

    assert lines_run(refused) < 1_000_000


def test_what_is_a_table(path: Path) -> None:
    write_table(path, ITEMS)
    whole = path.read_bytes()
    assert is_table(FileSource(path))
    for other in (b"", whole[-47:], whole[:-1], b"x" * 100):
        path.write_bytes(other)
        assert not is_table(FileSource(path))
        with pytest.raises(CorruptFileError, match="footer") as error:
            Table(FileSource(path))
        assert error.value.offset == max(len(other) - 8, 0)  # where the magic number should be


# Writing


@pytest.mark.parametrize("block_bytes", [1, 100, 1 << 20])
@pytest.mark.parametrize("count", [0, 1, 16, 17, 33, 100])
def test_written_tables_are_as_leveldb_makes_them(count: int, block_bytes: int) -> None:
    """Each entry shares what it can, but each sixteenth nothing; a block is closed when it has reached its size."""
    items = [(b"key%03d" % n, b"v" * (n % 5)) for n in range(count)]
    blocks: list[list[tuple[bytes, bytes]]] = []
    for item in items:
        restarts = 4 * (-(-len(blocks[-1]) // 16) + 1) if blocks else 0
        if not blocks or len(block_contents(blocks[-1])) - restarts >= block_bytes:
            blocks.append([])
        blocks[-1].append(item)
    index = [_between(block[-1][0], following[0][0]) for block, following in itertools.pairwise(blocks)]
    index += [_above(block[-1][0]) for block in blocks[-1:]]
    expected = table_bytes((key, stored_block(block_contents(block))) for key, block in zip(index, blocks, strict=True))
    assert b"".join(table_chunks(items, block_bytes)) == expected


@pytest.mark.parametrize(
    ("last", "following", "between"),
    [
        (b"abc", b"abz", b"abd"),
        (b"abc", b"abd", b"abc"),
        (b"abc", b"abe", b"abd"),
        (b"abcdef", b"az", b"ac"),
        (b"ab", b"abc", b"ab"),
        (b"a\xfe", b"a\xff", b"a\xfe"),
        (b"", b"b", b""),
    ],
)
def test_short_keys_between_blocks(last: bytes, following: bytes, between: bytes) -> None:
    assert _between(last, following) == between
    assert last <= between < following


@pytest.mark.parametrize(
    ("last", "above"),
    [(b"abc", b"b"), (b"\xffa", b"\xffb"), (b"\xff\xfe\x01", b"\xff\xff"), (b"\xff\xff", b"\xff\xff"), (b"", b"")],
)
def test_short_keys_behind_the_last_block(last: bytes, above: bytes) -> None:
    assert _above(last) == above >= last
