"""What writes files and directories: shared files, directories on the way, exchanges, compressed and small files."""

from __future__ import annotations

import ctypes
import errno
import gzip
import os
import zlib
from pathlib import Path
from typing import Any

import pytest

from graphscope.errors import ArgumentError, CorruptFileError, FileError, UnsupportedError
from graphscope.formats.io import small_files
from graphscope.formats.io.checksum import mask, unmask
from graphscope.formats.io.compressed import head, inflate_file, window_of
from graphscope.formats.io.exchange import exchange
from graphscope.formats.io.interrupted import finish_around
from graphscope.formats.io.paths import JOURNAL
from graphscope.formats.io.small_files import read_small
from graphscope.formats.io.staging import made_directory, staged_directory, staged_files
from graphscope.formats.media import label_files
from graphscope.formats.media.label_files import read_labels


def files_in(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in directory.iterdir() if p.is_file()}


# Shared files


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_takes_a_further_place(has_links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a hard link; as a copy where the file system has none; a link is followed."""
    if not has_links:

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "there").write_bytes(b"content")
    (tmp_path / "named").symlink_to("there")
    for shared in ("there", "named"):
        with staged_files([tmp_path / "x"], overwrite=True, shared=[(tmp_path / shared, tmp_path / "y")]) as [file]:
            file.write(b"new")
        assert files_in(tmp_path) == {"there": b"content", "named": b"content", "x": b"new", "y": b"content"}
        assert (tmp_path / "y").samefile(tmp_path / "there") is has_links
        assert not (tmp_path / "y").is_symlink()
    with (
        pytest.raises(FileError, match="y: the file exists"),
        staged_files([], shared=[(tmp_path / "x", tmp_path / "y")]),
    ):
        raise AssertionError("nothing is to be written")
    with staged_files([]) as none:
        assert none == []


def test_one_of_several_cannot_be_made(tmp_path: Path) -> None:
    with (
        pytest.raises(FileError, match="No such file"),
        staged_files([tmp_path / "x"], shared=[(tmp_path / "gone", tmp_path / "y")]),
    ):
        raise AssertionError("nothing is to be written")
    with pytest.raises(ZeroDivisionError), staged_files([tmp_path / "x", tmp_path / "y"]) as files:
        files[0].write(b"%d" % (1 // 0))
    assert not files_in(tmp_path)


# Directories


def test_directories_on_the_way(tmp_path: Path) -> None:
    """Where the block fails, those that it made go again, unless something is in them."""
    deep = tmp_path / "a" / "b" / "c"

    def fail(error: BaseException, *more: Path) -> None:
        with made_directory(deep):
            assert deep.is_dir()
            for path in more:
                path.write_bytes(b"")
            raise error

    with pytest.raises(FileError, match="c: No space"):
        fail(OSError(errno.ENOSPC, "No space left on device"))
    assert not list(tmp_path.iterdir())
    with pytest.raises(KeyError):
        fail(KeyError())
    assert not list(tmp_path.iterdir())
    with pytest.raises(KeyError):
        fail(KeyError(), tmp_path / "a" / "kept")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "kept"]
    with made_directory(deep):
        pass
    with pytest.raises(KeyError):
        fail(KeyError())
    assert deep.is_dir(), "it was there before"


def test_a_directory_takes_its_place(tmp_path: Path) -> None:
    place = tmp_path / "d"
    refused: list[Path] = []
    for overwrite in (False, True):
        with staged_directory(place, overwrite=overwrite, replaceable=refused.append) as made:
            assert list(made.iterdir()) == []
            (made / "x").write_bytes(str(overwrite).encode())
        assert files_in(place) == {"x": str(overwrite).encode()}
        assert os.listdir(tmp_path) == ["d"]
    assert refused == [place], "asked only where something is there"
    with pytest.raises(FileError, match="d: the file exists"), staged_directory(place):
        raise AssertionError("nothing is to be written")
    with pytest.raises(FileError, match="x: a file, but a directory would be written"), staged_directory(place / "x"):
        raise AssertionError("nothing is to be written")

    def failing(error: BaseException) -> None:
        with staged_directory(place, overwrite=True) as made:
            (made / "y").write_bytes(b"")
            raise error if not isinstance(error, FileError) else FileError(f"{made}/y: broken", hint="mend it")

    with pytest.raises(FileError, match=rf"^{place}/y: broken$") as caught:
        failing(FileError(""))
    assert caught.value.hint == "mend it"
    with pytest.raises(FileError, match="d: No space"):
        failing(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(KeyError):
        failing(KeyError())
    assert os.listdir(tmp_path) == ["d"]
    assert files_in(place) == {"x": b"True"}


@pytest.mark.parametrize("number", [0, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EACCES, None])
def test_exchanges(number: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one step, not at all where the system cannot, and an error where it will not."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if number is None:
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    elif number:

        class Function:
            def __call__(self, *_: object) -> int:
                ctypes.set_errno(number)
                return -1

        class Library:
            renameat2 = Function()

        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library())
    if number == errno.EACCES:
        with pytest.raises(OSError, match="Permission denied") as error:
            exchange(tmp_path / "a", tmp_path / "b")
        assert (error.value.errno, error.value.filename) == (errno.EACCES, str(tmp_path / "a"))
        return
    assert exchange(tmp_path / "a", tmp_path / "b") is (number == 0)
    assert os.listdir(tmp_path / "a") == (["b"] if number == 0 else ["a"])


@pytest.mark.parametrize("above", range(6))
def test_how_far_above_a_write_is_finished(above: int, tmp_path: Path) -> None:
    """``saved_model/variables/variables.index`` is the deepest member by which a model is opened."""
    place = tmp_path.joinpath(*"12345")
    place.mkdir(parents=True)
    directory = (place, *place.parents)[above]
    (directory / JOURNAL).write_bytes(b"none")
    if above <= 4:
        with pytest.raises(CorruptFileError, match="not a journal"):
            finish_around(str(place))
    else:
        finish_around(str(place))
    finish_around(f"{place}\0")


# Compressed files

CONTENT = bytes(range(256)) * 300


@pytest.mark.parametrize(
    ("data", "window"),
    [
        (gzip.compress(CONTENT), 31),
        *((zlib.compress(CONTENT, level), 15) for level in (0, 1, 5, 6, 9)),
        (CONTENT, None),
        (b"\x1f", None),
        (b"", None),
    ],
)
def test_what_is_compressed(data: bytes, window: int | None, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(data)
    assert window_of(tmp_path / "f") == window
    content = CONTENT if window is not None else data
    for size in (0, 1, 100, len(CONTENT), len(CONTENT) + 1):
        assert head(tmp_path / "f", size) == content[:size]
    if window is None:
        return
    assert b"".join(inflate_file(tmp_path / "f", window)) == CONTENT
    (tmp_path / "f").write_bytes(data[:-1])
    with pytest.raises(CorruptFileError, match="its compressed data ends early"):
        list(inflate_file(tmp_path / "f", window))
    assert head(tmp_path / "f", 100) == CONTENT[:100]
    (tmp_path / "f").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CorruptFileError, match="its compression is damaged"):
        list(inflate_file(tmp_path / "f", window))


@pytest.mark.parametrize("size", [0, 1, 16_000, 16_384, 40_000])
def test_members_follow_one_another(size: int, tmp_path: Path) -> None:
    """Wherever a member ends in what is read at a time."""
    parts = [os.urandom(size), b"", os.urandom(100), os.urandom(size)]
    (tmp_path / "f").write_bytes(b"".join(map(gzip.compress, parts)))
    assert b"".join(inflate_file(tmp_path / "f", 31)) == b"".join(parts)
    (tmp_path / "f").write_bytes(gzip.compress(parts[0]) + b"no member")
    with pytest.raises(CorruptFileError, match="its compression is damaged"):
        list(inflate_file(tmp_path / "f", 31))
    with pytest.raises(FileError, match="No such file"):
        list(inflate_file(tmp_path / "gone", 31))


# Small files and labels


def test_a_small_file_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_files, "MAX_BYTES", 5)
    (tmp_path / "f").write_bytes(b"12345")
    assert read_small(tmp_path / "f", "a recipe") == b"12345"
    (tmp_path / "f").write_bytes(b"123456")
    with pytest.raises(ArgumentError, match="f: a recipe is limited to 5 bytes"):
        read_small(tmp_path / "f", "a recipe")
    with pytest.raises(FileError, match="No such file"):
        read_small(tmp_path / "gone", "a recipe")


@pytest.mark.parametrize(
    ("text", "examples", "classes", "truth"),
    [
        ("cat\ndog\n", (), ["cat", "dog"], {}),
        ("\ufeffcat\n\n dog \n\n\n", (), ["cat", "", "dog"], {}),
        ("n01\ttench, a fish\nn02\tgold fish\n", (), ["tench, a fish", "gold fish"], {}),
        ("a.png 3\nb.png\t a cat \n", ("a.png", "b.png"), [], {"a.png": "3", "b.png": "a cat"}),
        ("a.png 3\nb.png 4\nc.png 5", ("a.png",), [], {"a.png": "3", "b.png": "4", "c.png": "5"}),
        ("a.png 3\nb.png 4", ("a.png", "c.png"), ["a.png 3", "b.png 4"], {}),
        ("a.png 3\nb.png 4", (), ["a.png 3", "b.png 4"], {}),
        ("", (), [], {}),
    ],
)
def test_labels(text: str, examples: tuple[str, ...], classes: list[str], truth: Any, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text(text, "utf-8")
    found = read_labels(tmp_path / "labels.txt", examples)
    assert (list(found.classes), found.truth) == (classes, truth)


def test_files_that_are_no_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_files, "MAX_BYTES", 5)
    (tmp_path / "l").write_bytes(b"a\nb\nc")
    assert read_labels(tmp_path / "l").classes == ("a", "b", "c")
    (tmp_path / "l").write_bytes(b"a\nb\nc\n")
    with pytest.raises(UnsupportedError, match="6 bytes; a label file has at most 5"):
        read_labels(tmp_path / "l")
    (tmp_path / "l").write_bytes(b"ab\xff")
    with pytest.raises(CorruptFileError, match="not UTF-8 text") as error:
        read_labels(tmp_path / "l")
    assert error.value.offset == 2
    monkeypatch.undo()
    with pytest.raises(FileError, match="Is a directory"):
        read_labels(tmp_path)


@pytest.mark.parametrize("more", [0, 1])
def test_labels_take_64_mib_at_most(more: int, tmp_path: Path) -> None:
    with open(tmp_path / "l", "wb") as file:
        file.truncate((64 << 20) + more)
    if more:
        with pytest.raises(UnsupportedError, match="a label file has at most 67,108,864"):
            read_labels(tmp_path / "l")
    else:
        assert len(read_labels(tmp_path / "l").classes) == 1


@pytest.mark.parametrize("crc", [0, 1, 1 << 14, 1 << 15, 1 << 17, 1 << 31, 0x12345678, 0x5D7D1527, 0xFFFFFFFF])
def test_masks(crc: int) -> None:
    """As ``crc32c.h`` computes it in 32 bits."""
    rotated = int(f"{crc:032b}"[-15:] + f"{crc:032b}"[:-15], 2)
    assert mask(crc) == (rotated + 0xA282EAD8) % (1 << 32)
    assert unmask(mask(crc)) == crc
