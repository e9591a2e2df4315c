"""Files or directories that are renamed together, even if the process is killed in between.

All content is complete and on the disk before a journal is written, a small file in the same directory that says which name
becomes which. The journal appears in one step, and with it the change is decided: before, the existing files are kept; from
then on whoever opens something in that directory first finishes the renames (:func:`recover`). The journal goes last.

A journal may come from anywhere, so it names only files of its own directory: plain names, and only such as
:func:`~graphscope.formats.io.places.beside` makes are moved or removed. One that someone else owns is not carried out.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from graphscope.errors import CorruptFileError, FileError
from graphscope.formats.io.paths import JOURNAL as NAME
from graphscope.formats.io.paths import exists, is_directory, is_file
from graphscope.formats.io.places import beside, is_beside, remove, sync_directory

_MAX_BYTES = 1 << 24
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
"""What a file system without hard links answers."""


@dataclass(frozen=True, slots=True)
class Move:
    """``new`` takes the place ``place``; what was there is called ``old`` for that time. Names in one directory."""

    new: str
    place: str
    old: str

    @property
    def is_plain(self) -> bool:
        """Whether it stays in its directory and moves nothing but what we have named."""
        names = astuple(self)
        return (
            not any(name in ("", ".", "..", NAME) or "/" in name or "\0" in name for name in names)
            and is_beside(self.new, self.place)
            and is_beside(self.old, self.place)
            and self.new != self.old
        )


def commit(directory: Path, moves: Sequence[Move]) -> None:
    """Carries out ``moves``: all, or none if the system refuses one; a kill in between is made good by :func:`recover`."""
    recover(directory)
    sync_directory(directory)
    try:
        with _journal(directory, moves):
            _carry_out(directory, moves)
            sync_directory(directory)
    finally:
        if not any(os.path.lexists(directory / move.new) for move in moves):
            _remove_old(directory, moves)


@contextlib.contextmanager
def _journal(directory: Path, moves: Sequence[Move]) -> Iterator[None]:
    """The journal, there and locked during the block. Where the block fails and takes its moves back, it goes as well."""
    place = directory / NAME
    temporary = beside(place)
    try:
        with open(temporary, "xb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            file.write(_content(moves))
            file.flush()
            os.fsync(file.fileno())
            _name(temporary, place)
            try:
                sync_directory(directory)
                yield
            finally:
                if _is_settled(directory, moves):
                    place.unlink()
    finally:
        temporary.unlink(missing_ok=True)


def _name(temporary: Path, place: Path) -> None:
    """Gives the journal its name; waits for another writer's."""
    while True:
        try:
            os.link(temporary, place)
        except FileExistsError:
            _wait(place)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            os.rename(temporary, place)
            return
        else:
            return


def _wait(place: Path) -> None:
    """Until the journal at ``place`` is done with."""
    with contextlib.suppress(FileNotFoundError):
        before = os.lstat(place)
        recover(place.parent)
        if _is_still(place, before):
            raise FileError(
                f"{place}: a write was interrupted here, and only its owner can finish it",
                hint=f"delete {place}, or write to another directory",
            )


def _carry_out(directory: Path, moves: Iterable[Move]) -> None:
    """All or none, provided that the process survives."""
    done: list[Move] = []
    try:
        for move in moves:
            done.append(move)
            _carry_out_one(directory, move)
    except BaseException:
        for move in reversed(done):
            _take_back(directory, move)
        raise


def _carry_out_one(directory: Path, move: Move) -> None:
    """One move; what is done already is not done again."""
    new, place, old = (directory / name for name in astuple(move))
    if not os.path.lexists(new):
        return
    if is_directory(place):
        os.rename(place, old)
    elif exists(place) and not exists(old):
        _keep(place, old)
    os.rename(new, place)
    if os.path.lexists(new):  # both were names of one file: then ``rename`` does nothing
        os.unlink(new)


def _keep(place: Path, old: Path) -> None:
    """Gives a file a second name, from which it can be had back; without hard links the journal alone must do."""
    try:
        os.link(place, old)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise


def _take_back(directory: Path, move: Move) -> None:
    new, place, old = (directory / name for name in astuple(move))
    if not os.path.lexists(new):
        os.rename(place, new)
    if os.path.lexists(place):  # ``old`` was only a second name of it
        remove(old)
    elif os.path.lexists(old):
        os.rename(old, place)


def _remove_old(directory: Path, moves: Iterable[Move]) -> None:
    for move in moves:
        remove(directory / move.old)


def _content(moves: Sequence[Move]) -> bytes:
    """A line of JSON, and a line with its checksum."""
    body = json.dumps({"moves": [astuple(move) for move in moves]}).encode()
    return body + b"\n%08x\n" % zlib.crc32(body)


def is_awaited(path: Path) -> bool:
    """Whether a journal beside ``path`` still has to move it."""
    place = path.parent / NAME
    return is_file(place) and json.dumps(path.name).encode() in place.read_bytes()


def recover(directory: Path) -> None:
    """Finishes the renames that a killed process began in ``directory``; waits for one that is at it.

    Raises:
        CorruptFileError: the journal is broken, or moves what is not ours to move.
        FileError: what was begun cannot be finished here (read-only, or another user's), and files are half old, half new.
    """
    path = directory / NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        if not os.path.lexists(path):
            return
        raise CorruptFileError("not a journal that can be read", path=path, hint=f"delete {path}") from error
    try:
        _finish(directory, path, descriptor)
    finally:
        os.close(descriptor)


def _finish(directory: Path, path: Path, descriptor: int) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise CorruptFileError("not a journal: not a regular file", path=path, hint=f"delete {path}")
    with contextlib.suppress(OSError):  # a file system without locks has no other writer to wait for
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    if not _is_still(path, status):
        return
    moves = _read(path, descriptor)
    if status.st_uid != os.geteuid():
        _refuse_mixture(directory, path, moves, "another user's")
        return
    try:
        _refuse_foreign(directory, path, moves)
        for move in moves:
            _carry_out_one(directory, move)
        sync_directory(directory)
        path.unlink()
        _remove_old(directory, moves)
    except OSError as error:
        _refuse_mixture(directory, path, moves, error.strerror or str(error))


def _is_still(path: Path, status: os.stat_result) -> bool:
    """Whether the opened journal still has its name: another process may have finished it in the meantime."""
    try:
        return os.path.samestat(os.lstat(path), status)
    except FileNotFoundError:
        return False


def _read(path: Path, descriptor: int) -> list[Move]:
    content = os.pread(descriptor, _MAX_BYTES, 0)
    body, _, checksum = content.rstrip(b"\n").rpartition(b"\n")
    try:
        if int(checksum, 16) != zlib.crc32(body):
            raise ValueError("its checksum does not match")
        moves = [Move(*map(_text, names)) for names in json.loads(body)["moves"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptFileError(f"not a journal: {error}", path=path, hint=f"delete {path}") from error
    if not all(move.is_plain for move in moves):
        raise CorruptFileError("a journal that moves foreign files", path=path, hint=f"delete {path}")
    return moves


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError("a name is not text")
    return name


def _refuse_foreign(directory: Path, path: Path, moves: Iterable[Move]) -> None:
    """Only files and directories are moved, no links or devices."""
    for move in moves:
        for name in (move.new, move.old):
            if not os.path.lexists(directory / name):
                continue
            status = os.lstat(directory / name)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                raise CorruptFileError(f"a journal that moves {name}, which is not a file", path=path)


def _refuse_mixture(directory: Path, path: Path, moves: Sequence[Move], reason: str) -> None:
    """Nothing can be renamed: that is no harm where all files are still old, or all new."""
    if not _is_settled(directory, moves):
        raise FileError(
            f"{path}: a write was interrupted here and cannot be finished: {reason}",
            hint="copy the directory, hidden files included, to where you may write, and open the copy",
        )


def _is_settled(directory: Path, moves: Sequence[Move]) -> bool:
    """Whether all files are old, or all are new."""
    waiting = [os.path.lexists(directory / move.new) for move in moves]
    is_away = any(
        os.path.lexists(directory / move.old) and not os.path.lexists(directory / move.place) for move in moves
    )
    return not any(waiting) or (all(waiting) and not is_away)
