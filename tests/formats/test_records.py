"""TFRecord framing, against TensorFlow's own reader and writer."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphscope.errors import CorruptFileError, TruncatedFileError
from graphscope.formats.io.records import (
    is_event_file,
    is_event_file_name,
    read_records,
    record,
    records,
    starts_record,
    unframe,
    verify,
)
from graphscope.formats.io.wire import FileSource
from tests.support.running import tf

DATA = [b"", b"a", bytes(range(256)) * 5000, b"last"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.tfrecord"
    path.write_bytes(b"".join(map(record, DATA)))
    return path


def test_tensorflow_reads_what_is_written(file: Path) -> None:
    assert [item.numpy() for item in tf.data.TFRecordDataset(str(file))] == DATA


def test_what_tensorflow_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tf.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for data in DATA:
            writer.write(data)
    whole = path.read_bytes()
    found = list(read_records(FileSource(path)))
    assert [data for _, data in found] == DATA
    assert all(whole[start : start + len(data)] == data for start, data in found)
    assert whole == b"".join(map(record, DATA))


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert list(read_records(FileSource(tmp_path / "empty"))) == []


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    """Whole records come, then the error names where the broken one starts."""
    whole = b"".join(map(record, [b"one", b"two"]))
    boundary = len(record(b"one"))
    path = tmp_path / "cut"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        found = []
        if length in (0, boundary):
            assert len(list(read_records(FileSource(path)))) == length // boundary
            continue
        left = length if length < boundary else length - boundary
        needed = 12 if left < 12 else boundary  # the length and its checksum come first
        with pytest.raises(TruncatedFileError, match=f"of {needed} bytes starts here, and {left} are left") as error:
            found.extend(data for _, data in read_records(FileSource(path)))
        assert error.value.offset == (0 if length < boundary else boundary)


def test_every_flip_is_noticed(tmp_path: Path) -> None:
    whole = b"".join(map(record, [b"one", b"two"]))
    path = tmp_path / "flipped"
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 0x10]) + whole[i + 1 :])
        with pytest.raises(CorruptFileError, match="checksum") as error:
            list(read_records(FileSource(path)))
        assert not isinstance(error.value, TruncatedFileError)
        assert error.value.offset in (0, 12, len(record(b"one")), len(record(b"one")) + 12)


def test_data_is_checked_when_it_is_wanted(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-6] ^= 1
    file.write_bytes(content)
    source = FileSource(file)
    *good, last = records(source)
    for item in good:
        verify(source, item)
    with pytest.raises(CorruptFileError, match="the checksum of a record of 4 bytes is wrong"):
        verify(source, last)


def test_a_stated_length_takes_no_memory(tmp_path: Path) -> None:
    """A length with a good checksum that no file could have."""
    from graphscope.formats.io.checksum import masked_crc32c

    length = (1 << 60).to_bytes(8, "little")
    path = tmp_path / "long"
    path.write_bytes(length + masked_crc32c(length).to_bytes(4, "little") + b"x" * 100)
    with pytest.raises(TruncatedFileError, match="1,152,921,504,606,846,992 bytes starts here, and 112 are left"):
        list(read_records(FileSource(path)))


# Records that come in pieces


def pieces(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


@pytest.mark.parametrize("size", [1, 5, 11, 12, 13, 16, 17, 40, 1000])
def test_pieces_pass_as_long_as_records_follow_one_another(size: int, tmp_path: Path) -> None:
    content = b"".join(map(record, [b"", b"a", b"x" * 30, b"last"]))
    given = pieces(content, size)
    assert list(unframe(given, tmp_path, 30)) == given
    starts = [0, 16, 33, 79]
    for start in starts:
        wrong = content[:start] + bytes([content[start] ^ 1]) + content[start + 1 :]
        with pytest.raises(CorruptFileError, match="no record starts here") as error:
            list(unframe(pieces(wrong, size), tmp_path, 30))
        assert error.value.offset == start
    with pytest.raises(CorruptFileError, match="a record of 30 bytes starts here, but at most 29 can follow") as error:
        list(unframe(given, tmp_path, 29))
    assert error.value.offset == 33
    passed = unframe(iter([content, b"no record at all", b"more"]), tmp_path, 30)
    assert [next(passed), next(passed)] == [content, b"no record at all"], "a piece passes before it is looked at"
    with pytest.raises(CorruptFileError, match="no record starts here") as error:
        next(passed)
    assert error.value.offset == len(content)


def test_the_beginning_of_a_record() -> None:
    content = record(b"\x09" + bytes(8) + b"\x1a\x0dbrain.Event:2")
    assert [starts_record(content[:size]) for size in (11, 12, 13, len(content))] == [False, True, True, True]
    assert not starts_record(b"\1" + content[1:])
    assert is_event_file(content)
    assert not is_event_file(record(b"anything"))
    assert not is_event_file(b"\1" + content[1:])
    for before, is_one in ((0, True), (40, True), (41, False)):
        assert is_event_file(record(b"x" * before + b"brain.Event:2")) is is_one, "within 64 bytes"
    assert [is_event_file_name(name) for name in ("events.out.tfevents.1", "tfevent")] == [True, False]
