"""What may be replaced: regular files alone, through links, with their permissions; and what killed writers left."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import socket
import stat
import zlib
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import graphscope
from graphscope.cli.app import app
from graphscope.cli.terminal.wording import to_words
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import CorruptFileError, FileError
from graphscope.formats.checkpoint.writer import write_checkpoint
from graphscope.formats.io.atomic import write_file
from graphscope.formats.io.journal import Move, commit, recover
from graphscope.formats.io.paths import JOURNAL
from graphscope.formats.io.places import _is_in_use, beside
from graphscope.formats.io.staging import staged_directory, staged_files, together
from tests.support.fixture_files import FIXTURES

TENSORS = [("w", ArrayPayload(np.ones(3, np.float32)))]


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(path.parent)  # the name of a socket must be short
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)


def link_to_device(path: Path) -> None:
    path.symlink_to("/dev/null")


KINDS = {"a FIFO": fifo, "a socket": unix_socket, "a device": link_to_device, "a directory": Path.mkdir}


@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_are_replaced(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pb"
    KINDS[kind](path)
    before = os.lstat(path)
    for overwrite in (False, True):
        with pytest.raises(FileError, match=rf"x\.pb: {kind}, but only regular files can be written"):
            write_file(path, [b"new"], overwrite=overwrite)
        with pytest.raises(FileError, match="only regular files"), staged_files([tmp_path / "y", path], overwrite=True):
            raise AssertionError("nothing is to be written")
    after = os.lstat(path)
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert [p.name for p in tmp_path.iterdir()] == ["x.pb"]


@pytest.mark.parametrize("suffix", [".pb", ".npz", ".pbtxt", ".safetensors", ".meta"])
def test_a_fifo_stays_one(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    os.mkfifo(path)
    done = CliRunner().invoke(app, ["convert", str(FIXTURES / "softmax"), str(path), "--force"])
    assert done.exit_code == 1
    assert "a FIFO" in done.output
    assert stat.S_ISFIFO(os.lstat(path).st_mode)


def test_links_are_written_through(tmp_path: Path) -> None:
    """A chain, one into another directory, one that points at nothing yet."""
    (tmp_path / "other").mkdir()
    target, first, second = tmp_path / "other" / "x", tmp_path / "first", tmp_path / "second"
    second.symlink_to("first")
    first.symlink_to("other/x")
    write_file(second, [b"1"])
    assert target.read_bytes() == b"1"
    with pytest.raises(FileError, match="second: the file exists"):
        write_file(second, [b"2"])
    write_file(second, [b"2"], overwrite=True)
    assert target.read_bytes() == b"2"
    assert first.is_symlink()
    assert second.is_symlink()
    circle = tmp_path / "circle"
    circle.symlink_to("circle")
    with pytest.raises(FileError, match="circle: Too many levels"):
        write_file(circle, [b"3"], overwrite=True)
    with pytest.raises(FileError, match="null"):
        write_file("a\0b", [b"3"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["circle", "first", "other", "second"]


def test_permissions_stay(tmp_path: Path) -> None:
    path, other = tmp_path / "x", tmp_path / "other"
    path.write_bytes(b"old")
    path.chmod(0o640)
    os.link(path, other)
    write_file(path, [b"new"], overwrite=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert other.read_bytes() == b"old"
    with staged_files([path, tmp_path / "y"], overwrite=True) as files:
        files[0].write(b"newer")
    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (0o640, b"newer")
    (tmp_path / "directory").mkdir(mode=0o750)
    (tmp_path / "directory" / "z").write_bytes(b"")
    with staged_directory(tmp_path / "directory", overwrite=True) as place:
        (place / "new").write_bytes(b"")
    assert stat.S_IMODE((tmp_path / "directory").stat().st_mode) == 0o750


def test_a_set_stays_in_one_directory(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "model.index").symlink_to("other/index")
    with pytest.raises(FileError, match=r"model\.index: a link to"):
        write_checkpoint(str(tmp_path / "model"), TENSORS, overwrite=True)
    (tmp_path / "linked").symlink_to("other")
    write_checkpoint(str(tmp_path / "linked" / "model"), TENSORS)
    assert sorted(p.name for p in (tmp_path / "other").iterdir()) == ["model.data-00000-of-00001", "model.index"]


def test_a_long_name(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 125 + ".pb")
    write_file(path, [b"x"])
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"x"]


def test_what_was_left_over_goes(tmp_path: Path) -> None:
    """But not what somebody writes at this moment, nor what only looks similar."""
    path = tmp_path / "x.pb"
    dead, alive, foreign = beside(path), beside(path), tmp_path / ".x.pb.abc.graphscope"
    for file in (dead, alive, foreign, beside(tmp_path / "y.pb")):
        file.write_bytes(b"")
    with open(alive, "rb") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)  # type: ignore[attr-defined]
        write_file(path, [b"x"])
    names = {p.name for p in tmp_path.iterdir()}
    assert dead.name not in names
    assert {alive.name, foreign.name, "x.pb"} < names
    assert len(names) == 4


# Journals


def write_journal(directory: Path, moves: object) -> Path:
    body = json.dumps({"moves": moves}).encode()
    (directory / JOURNAL).write_bytes(body + b"\n%08x\n" % zlib.crc32(body))
    return directory / JOURNAL


def named(place: str, number: int) -> str:
    return f".{place}.{number:016x}.graphscope"


HOSTILE = [
    [["../x", "x", named("x", 1)]],
    [[named("x", 0), "../x", named("x", 1)]],
    [[named("../x", 0), "../x", named("../x", 1)]],
    [[named("x", 0), "/etc/x", named("x", 1)]],
    [["innocent", "x", named("x", 1)]],
    [[named("x", 0), "x", "innocent"]],
    [[named("x", 0), "innocent", named("x", 1)]],
    [[named("..", 0), "..", named("..", 1)]],
    [[named("x", 0), "x", named("x", 0)]],
    [[named("x\0", 0), "x\0", named("x\0", 1)]],
    [[1, 2, 3]],
    [["x"]],
    "x",
    None,
]


@pytest.mark.parametrize("moves", HOSTILE)
def test_a_journal_moves_nothing_foreign(moves: object, tmp_path: Path) -> None:
    model = tmp_path / "inner"
    shutil.copytree(FIXTURES / "softmax", model)
    (model / "innocent").write_bytes(b"innocent")
    (tmp_path / "x").write_bytes(b"outside")
    (model / named("x", 0)).write_bytes(b"new")
    write_journal(model, moves)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(CorruptFileError, match=r"graphscope-journal.*a journal"):
        graphscope.load(model)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_journals_that_are_none(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "softmax", tmp_path / "m")
    path = tmp_path / "m" / JOURNAL
    for make in (fifo, Path.mkdir, lambda p: p.symlink_to("/etc/passwd"), lambda p: p.write_bytes(b"[" * 100_000)):
        make(path)
        with pytest.raises(CorruptFileError, match="graphscope-journal"):
            graphscope.load(tmp_path / "m")
        path.rmdir() if stat.S_ISDIR(path.lstat().st_mode) else path.unlink()
    assert graphscope.load(tmp_path / "m").variables


def test_a_link_is_not_moved(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "softmax", tmp_path / "m")
    (tmp_path / "m" / named("x", 0)).symlink_to("/etc/passwd")
    write_journal(tmp_path / "m", [[named("x", 0), "x", named("x", 1)]])
    with pytest.raises(CorruptFileError, match="which is not a file"):
        graphscope.load(tmp_path / "m")
    assert not (tmp_path / "m" / "x").exists()


@pytest.mark.parametrize("begun", [False, True])
def test_where_nothing_can_be_renamed(begun: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only place: the whole old model opens, a mixture does not."""
    shutil.copytree(FIXTURES / "softmax", tmp_path / "m")
    names = [f"model.ckpt-6000.{end}" for end in ("data-00000-of-00001", "index", "meta")]
    for name in names[begun:]:
        shutil.copy(tmp_path / "m" / name, tmp_path / "m" / named(name, 0))
    write_journal(tmp_path / "m", [[named(name, 0), name, named(name, 1)] for name in names])

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    for name in ("rename", "link", "unlink"):
        monkeypatch.setattr(os, name, refuse)
    if begun:
        with pytest.raises(FileError, match="a write was interrupted here and cannot be finished: Read-only") as caught:
            graphscope.load(tmp_path / "m")
        assert "copy the directory" in to_words(caught.value.hint)
    else:
        assert graphscope.load(tmp_path / "m").variables
    monkeypatch.undo()
    assert graphscope.load(tmp_path / "m").variables
    assert not [p for p in (tmp_path / "m").iterdir() if "graphscope" in p.name]


def test_a_read_only_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be made, and nothing be removed: one error, no traceback."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("graphscope.formats.io.writeback.open", refuse, raising=False)
    for name in ("unlink", "mkdir", "link"):
        monkeypatch.setattr(os, name, refuse)
    with pytest.raises(FileError, match="Read-only"):
        write_file(tmp_path / "x", [b""])
    with pytest.raises(FileError, match="Read-only"):
        write_checkpoint(str(tmp_path / "x"), TENSORS)
    with pytest.raises(FileError, match="Read-only"), staged_directory(tmp_path / "y"):
        raise AssertionError("nothing is to be written")


@pytest.mark.parametrize("broken", ["mkdir", "link", ""])
def test_files_are_seen_side_by_side_under_their_names(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    def write() -> None:
        paths = (tmp_path / "x.xml", tmp_path / "x.bin")
        with staged_files(paths) as files, together(files, paths) as first:
            files[1].write(b"weights")
            files[1].flush()
            assert first.name == "x.xml"
            assert first.with_suffix(".bin").read_bytes() == b"weights"
            first.with_suffix(".more").write_bytes(b"what somebody needed meanwhile")
            refuse()

    if broken:
        monkeypatch.setattr(os, broken, refuse)
    with pytest.raises(FileError, match="No space"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_stdout_is_not_a_file() -> None:
    with pytest.raises(FileError, match="-: output is written to a file, not to stdout"):
        write_file("-", [b""], overwrite=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="optional: only root may give files away")
def test_the_journal_of_another_user(tmp_path: Path) -> None:
    """It moves nothing of ours, and a writer does not wait for it for ever."""
    shutil.copytree(FIXTURES / "softmax", tmp_path / "m")
    (tmp_path / "m" / named("x", 0)).write_bytes(b"new")
    os.chown(write_journal(tmp_path / "m", [[named("x", 0), "x", named("x", 1)]]), 12345, 12345)
    assert graphscope.load(tmp_path / "m").variables
    assert not (tmp_path / "m" / "x").exists()
    with pytest.raises(FileError, match="only its owner can finish it"):
        write_checkpoint(str(tmp_path / "m" / "new"), TENSORS)
    assert not [p for p in (tmp_path / "m").iterdir() if p.name.startswith((".new", "new"))]


# Moves


def moves_of(directory: Path, *names: str) -> list[Move]:
    """Each of ``names`` is there, with new content beside it."""
    for name in names:
        (directory / name).write_bytes(b"old " + name.encode())
        (directory / named(name, 0)).write_bytes(b"new " + name.encode())
    return [Move(named(name, 0), name, named(name, 1)) for name in names]


def files_in(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in directory.iterdir()}


def test_what_is_on_the_disk_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New content before the journal, the journal before the first move, all moves before the journal goes."""
    moves, events = moves_of(tmp_path, "x", "y"), list[str]()

    def noted(name: str) -> None:
        function = getattr(os, name)

        def call(*arguments: Any) -> Any:
            place = arguments[-1]
            if name != "fsync":
                events.append(
                    f"{name} {Path(place).name}".replace(named("x", 1), "x.old").replace(named("y", 1), "y.old")
                )
            elif stat.S_ISDIR(os.fstat(place).st_mode):
                events.append("names")
            else:
                events.append("content")
            if name == "rename":
                assert _is_in_use(tmp_path / JOURNAL), "another writer would not wait"
            return function(*arguments)

        monkeypatch.setattr(os, name, call)

    for name in ("fsync", "link", "rename", "unlink"):
        noted(name)
    commit(tmp_path, moves)
    temporary = events[-3]
    assert events == [
        "names",
        "content",
        f"link {JOURNAL}",
        "names",
        "link x.old",
        "rename x",
        "link y.old",
        "rename y",
        "names",
        f"unlink {JOURNAL}",
        temporary,
        "unlink x.old",
        "unlink y.old",
    ]
    monkeypatch.undo()
    assert files_in(tmp_path) == {"x": b"new x", "y": b"new y"}


def test_what_is_finished_is_on_the_disk_before_the_journal_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_journal(tmp_path, [astuple(move) for move in moves_of(tmp_path, "x", "y")])
    events, fsync, unlink = list[str](), os.fsync, os.unlink

    def synced(descriptor: int) -> None:
        events.append(f"names with {sorted(set(os.listdir(tmp_path)) & {named('x', 0), named('y', 0)})}")
        fsync(descriptor)

    def unlinked(path: Any, **options: Any) -> None:
        events.append(f"unlink {Path(path).name}")
        unlink(path, **options)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "unlink", unlinked)
    recover(tmp_path)
    assert events == ["names with []", *(f"unlink {name}" for name in (JOURNAL, named("x", 1), named("y", 1)))]
    assert files_in(tmp_path) == {"x": b"new x", "y": b"new y"}


def test_a_system_without_links_finishes_first_what_was_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There a journal takes the place of another: nobody may wait behind it."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    [begun] = moves_of(tmp_path, "x")
    write_journal(tmp_path, [astuple(begun)])
    commit(tmp_path, moves_of(tmp_path, "y"))
    assert files_in(tmp_path) == {"x": b"new x", "y": b"new y"}


def test_old_content_stays_where_moves_can_neither_go_on_nor_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves, left, rename = moves_of(tmp_path, "x", "y"), iter([1]), os.rename

    def once(*arguments: Any) -> None:
        if next(left, None) is None:
            raise OSError(errno.EIO, "Input/output error")
        rename(*arguments)

    monkeypatch.setattr(os, "rename", once)
    with pytest.raises(OSError, match="Input/output"):
        commit(tmp_path, moves)
    assert {b"old x", b"new x", b"old y", b"new y"} < set(files_in(tmp_path).values())
    monkeypatch.undo()
    recover(tmp_path)
    assert files_in(tmp_path) == {"x": b"new x", "y": b"new y"}


@pytest.mark.parametrize("name", ["link", "rename"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_all_moves_or_none(name: str, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system refuses one link or rename: everything is as before, and no journal is left."""
    moves = moves_of(tmp_path, "x", "y", "z")
    before, left, function = files_in(tmp_path), iter(range(at + (name == "link"))), getattr(os, name)
    refused: list[int] = []

    def refuse_one(*arguments: Any) -> None:
        if next(left, None) is None and not refused:
            refused.append(1)
            raise OSError(errno.ENOSPC, "No space left on device")
        function(*arguments)

    monkeypatch.setattr(os, name, refuse_one)
    with pytest.raises(OSError, match="No space"):
        commit(tmp_path, moves)
    assert refused
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("at", [0, 1])
def test_a_directory_comes_back(at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot have a second name: it is away for a moment."""
    for name in ("x", named("x", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "content").write_text(name)
    move, left, rename = Move(named("x", 0), "x", named("x", 1)), iter(range(at)), os.rename
    refused: list[int] = []

    def refuse_one(*arguments: Any) -> None:
        if next(left, None) is None and not refused:
            refused.append(1)
            raise OSError(errno.EIO, "Input/output error")
        rename(*arguments)

    monkeypatch.setattr(os, "rename", refuse_one)
    with pytest.raises(OSError, match="Input/output"):
        commit(tmp_path, [move])
    assert (tmp_path / "x" / "content").read_text() == "x"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["x", named("x", 0)])
    monkeypatch.undo()
    commit(tmp_path, [move])
    assert (tmp_path / "x" / "content").read_text() == named("x", 0)
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_journal_that_cannot_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    moves = moves_of(tmp_path, "x")
    before = files_in(tmp_path)
    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="No space"):
        commit(tmp_path, moves)
    assert files_in(tmp_path) == before


def test_a_writer_that_was_killed_a_moment_ago(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its journal appears after we looked for one: it is finished, then ours gets the name."""
    [other] = moves_of(tmp_path, "x")
    moves, link, begun = moves_of(tmp_path, "y"), os.link, iter([1])

    def appear(*arguments: Any) -> None:
        if next(begun, None):
            write_journal(tmp_path, [astuple(other)])
        link(*arguments)

    monkeypatch.setattr(os, "link", appear)
    commit(tmp_path, moves)
    assert files_in(tmp_path) == {"x": b"new x", "y": b"new y"}


@pytest.mark.parametrize(("more", "is_read"), [(0, True), (2, False)])
def test_a_journal_has_16_mib_at_most(more: int, is_read: bool, tmp_path: Path) -> None:
    [move] = moves_of(tmp_path, "x")
    body = json.dumps({"moves": [astuple(move)]}).encode()
    body += b" " * ((1 << 24) + more - len(body) - 10)
    (tmp_path / JOURNAL).write_bytes(body + b"\n%08x\n" % zlib.crc32(body))
    if is_read:
        recover(tmp_path)
        assert files_in(tmp_path) == {"x": b"new x"}
    else:
        with pytest.raises(CorruptFileError, match="not a journal"):
            recover(tmp_path)
