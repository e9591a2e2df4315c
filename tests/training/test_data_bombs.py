"""Compressed data that would become very large: it is read no further than its own header promises."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from graphscope.errors import CorruptFileError, FileError
from graphscope.formats.io import atomic
from graphscope.formats.io.checksum import masked_crc32c
from graphscope.formats.io.compressed import head
from graphscope.formats.io.records import record, unframe
from graphscope.protos import Example
from tests.support.data_files import cache, everything, idx_bytes, opened, pixels, write_idx

__all__ = ["cache"]

FLAT = np.arange(24, dtype=np.uint8).reshape(4, 6)
LABELS = np.arange(4, dtype=np.uint8)
BOMB_BYTES = 64 << 20


def bomb(start: bytes) -> bytes:
    """``start`` and 64 MiB of zeros, in a file of 65 kB."""
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 20)
    return packer.compress(start) + b"".join(packer.compress(zeros) for _ in range(BOMB_BYTES >> 20)) + packer.flush()


def in_directory(directory: Path, images: bytes) -> Path:
    write_idx(directory, "train", FLAT, LABELS, ".gz")
    (directory / "train-images-idx3-ubyte.gz").write_bytes(images)
    return directory


def cached_bytes(cache: Path) -> int:
    return sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())


def test_more_than_an_idx_header_announces(tmp_path: Path, cache: Path) -> None:
    place = in_directory(tmp_path / "d", bomb(idx_bytes(FLAT)))
    tracemalloc.start()
    with pytest.raises(CorruptFileError, match=r"images-idx3-ubyte.gz, byte 36: more bytes than the 36"):
        opened(place)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20
    assert cached_bytes(cache) < 1 << 20


def test_a_stream_is_read_no_further_than_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(*_: object) -> Iterator[bytes]:
        for _ in range(1000):
            made.append(1)
            yield idx_bytes(FLAT) if len(made) == 1 else bytes(1 << 10)

    monkeypatch.setattr("graphscope.training.data.inflate.inflate_file", counted)
    with pytest.raises(CorruptFileError, match="more bytes than"):
        opened(in_directory(tmp_path / "d", gzip.compress(b"")))
    assert len(made) < 5


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("change", [1, -1])
def test_an_idx_file_holds_what_its_header_announces(suffix: str, change: int, tmp_path: Path, cache: Path) -> None:
    write_idx(tmp_path, "train", FLAT, LABELS, suffix)
    np.testing.assert_array_equal(everything(opened(tmp_path)), FLAT)
    path = tmp_path / f"train-images-idx3-ubyte{suffix}"
    content = idx_bytes(FLAT)
    content = content + b"\0" if change > 0 else content[:change]
    path.write_bytes(gzip.compress(content) if suffix else content)
    with pytest.raises(CorruptFileError, match="more bytes than the 36" if change > 0 else "ends at byte 36"):
        opened(tmp_path)
    assert not [p for p in cache.rglob("*") if ".graphscope" in p.name or p.name.startswith(".")]


def example(values: list[float]) -> bytes:
    message = Example()
    message.features.feature.add(key="x").value.float_list.value.extend(values)
    message.features.feature.add(key="y").value.int64_list.value.append(1)
    return record(message.SerializeToString())


def test_what_follows_records_and_is_none(tmp_path: Path, cache: Path) -> None:
    good = example([1, 2, 3, 4, 5, 6]) * 2
    (tmp_path / "a.tfrecord").write_bytes(bomb(good))
    with pytest.raises(CorruptFileError, match=f"a.tfrecord, byte {len(good)}: no record starts here"):
        opened(tmp_path / "a.tfrecord", schema="x=x,y=y")
    assert cached_bytes(cache) < 4 << 20
    (tmp_path / "a.tfrecord").write_bytes(gzip.compress(good))
    assert everything(opened(tmp_path / "a.tfrecord", schema="x=x,y=y")).tolist() == [[1, 2, 3, 4, 5, 6]] * 2


def test_a_record_longer_than_the_file_can_become(tmp_path: Path) -> None:
    length = struct.pack("<Q", 1 << 50)
    (tmp_path / "a.tfrecord").write_bytes(bomb(length + struct.pack("<I", masked_crc32c(length))))
    with pytest.raises(CorruptFileError, match="a record of 1,125,899,906,842,624 bytes starts here, but"):
        opened(tmp_path / "a.tfrecord", schema="x=x,y=y")


@pytest.mark.parametrize("size", [1, 7, 12, 100, 10_000])
def test_records_in_pieces_of_any_size(size: int, tmp_path: Path) -> None:
    content = b"".join(record(bytes(n)) for n in (0, 1, 5, 300, 0, 0, 90))
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    assert b"".join(unframe(pieces, tmp_path, 300)) == content
    with pytest.raises(CorruptFileError, match="300 bytes starts here, but at most 299"):
        list(unframe(pieces, tmp_path, 299))
    broken = bytearray(content)
    broken[16 + 17] ^= 1  # the second record ends where the third's length is
    with pytest.raises(CorruptFileError, match="byte 33: no record"):
        list(unframe([bytes(broken[at : at + size]) for at in range(0, len(broken), size)], tmp_path, 300))


def test_many_small_members_take_linear_time(tmp_path: Path) -> None:
    """What is left of a piece is copied at each member's end: of large pieces, that would be gigabytes here."""
    path = tmp_path / "members.gz"
    path.write_bytes(gzip.compress(b"") * 20_000 + gzip.compress(b"end"))
    assert head(path, 3) == b"end"


def test_labels_of_another_number_are_not_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", x=np.zeros((2, 6), np.float32), y=np.zeros((BOMB_BYTES >> 3,), np.int64))
    tracemalloc.start()
    with pytest.raises(CorruptFileError, match="x has 2 rows, y 8,388,608"):
        opened(tmp_path / "d.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_full_disk_leaves_nothing_in_the_cache(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(tmp_path / "d", "train", pixels(4, 6), LABELS, ".gz")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)  # type: ignore[attr-defined]
    with pytest.raises(FileError, match="No space left on device"):
        opened(tmp_path / "d")
    assert not [path for path in cache.rglob("*") if path.is_file()]
