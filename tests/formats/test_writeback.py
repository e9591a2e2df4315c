"""Large files begin to move to the disk while they are written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from graphscope.errors import FileError
from graphscope.formats.io import writeback
from graphscope.formats.io.atomic import write_file


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The regions that the system was asked to begin with; a piece has 1,000 bytes."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(writeback, "PIECE_BYTES", 1000)
    monkeypatch.setattr(writeback, "begin_writing", lambda _, offset, size: found.append((offset, size)))
    return found


def test_each_region_once_and_in_order(tmp_path: Path, begun: list[tuple[int, int]]) -> None:
    chunks = [bytes([k]) * 50_000 for k in range(4)]
    write_file(tmp_path / "large", chunks)
    assert begun == [(0, 50_000), (50_000, 50_000), (100_000, 50_000), (150_000, 50_000)]
    assert (tmp_path / "large").read_bytes() == b"".join(chunks)


def test_a_small_file_is_left_to_the_system(tmp_path: Path, begun: list[tuple[int, int]]) -> None:
    write_file(tmp_path / "small", [b"x" * 999])
    assert begun == []


def test_a_hint_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with writeback.create_early(path) as file:
        file.write(b"a" * 5000)
        file.flush()
        writeback.begin_writing(file.fileno(), 0, 5000)
        file.seek(0)
        file.write(b"b")
    assert path.read_bytes() == b"b" + b"a" * 4999


def test_a_writer_that_goes_back(tmp_path: Path, begun: list[tuple[int, int]]) -> None:
    with writeback.create_early(tmp_path / "file") as file:
        file.write(b"a" * 990)
        file.seek(0)
        file.write(b"b" * 10)
    assert (tmp_path / "file").read_bytes() == b"b" * 10 + b"a" * 980
    assert begun == [(0, 1000)]


def test_without_such_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fadvise", raising=False)
    monkeypatch.setattr(writeback, "PIECE_BYTES", 1000)
    write_file(tmp_path / "file", [b"x" * 20_000])
    assert (tmp_path / "file").stat().st_size == 20_000


def test_an_existing_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        writeback.create_early(tmp_path / "file")
    with pytest.raises(FileError):
        write_file(tmp_path / "file", [b"new"])
    assert (tmp_path / "file").read_bytes() == b"old"
