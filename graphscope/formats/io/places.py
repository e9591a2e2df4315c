"""Destinations of writers: what may be replaced, and names of temporary files.

A symbolic link is written through. Of everything else only regular files are replaced: a device, a FIFO or a socket that took
part in a rename would be gone. Other hard links to a file that is replaced keep its old content.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shlex
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from graphscope.advice import Advice, Option
from graphscope.core.patterns import Pattern
from graphscope.errors import FileError
from graphscope.formats.io.paths import exists, is_directory, real_path
from graphscope.formats.io.writeback import create_early

SUFFIX = ".graphscope"
_NAME_BYTES = 200
"""So much of a file's name stands in the names beside it, which have an end as well."""

_TEMPORARY = Pattern(r"\.(?P<name>.*)\.[0-9a-f]{16}\.graphscope\Z", re.DOTALL)
_KINDS = (
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISDIR, "a directory"),
)


def real_place(path: Path) -> Path:
    """Where a file written to ``path`` lies: links are followed, also one that points at nothing yet.

    Raises:
        FileError: something is there that is not a regular file, the links lead in a circle, or ``-`` asks for stdout.
    """
    if str(path) == "-":
        raise FileError("-: output is written to a file, not to stdout", hint="name a file to create")
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return real_path(path)
    except (OSError, ValueError) as error:
        raise FileError.from_os_error(error, path) from error
    kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), None)
    if kind is not None:
        raise FileError(f"{path}: {kind}, but only regular files can be written", hint="name a file to create")
    return real_path(path)


def refuse_unwritable(path: str | os.PathLike[str], overwrite: bool, *, makes_directory: bool = False) -> None:
    """Raises an error if the file ``path`` cannot be written. Called before the work, and again by what writes.

    Args:
        makes_directory: whether the writer creates a missing directory.

    Raises:
        FileError: the file exists and ``overwrite`` is not set, it is not a regular file, or as :func:`refuse_closed`.
    """
    file = Path(path)
    if exists(real_place(file)) and not overwrite:
        raise FileError(f"{file}: the file exists", hint=Advice(Option("overwrite", True), " replaces it"))
    refuse_closed(directory_of(file), is_made=makes_directory)


def directory_of(path: Path) -> Path:
    """The directory that ``path`` is written to: as it was given, unless ``path`` is a link that leads elsewhere."""
    real = real_path(path).parent
    return path.parent if real_path(path.parent) == real else real


def refuse_closed(directory: Path, *, is_made: bool = True) -> None:
    """Raises an error if nothing can be written to ``directory``.

    Args:
        is_made: whether the directory is created if it is missing, with its parents.

    Raises:
        FileError: the directory, or its first existing parent, is not a directory or not writable.
    """
    around = directory.parents if is_made else ()
    place = next((path for path in (directory, *around) if exists(path)), None)
    if place is None:
        raise FileError(f"{directory}: no such directory", hint=f"mkdir -p {shlex.quote(str(directory))}")
    if not is_directory(place):
        raise FileError(f"{place}: not a directory")
    if not os.access(place, os.W_OK | os.X_OK):
        raise FileError(f"{place}: {os.strerror(errno.EROFS if _is_read_only(place) else errno.EACCES)}")


def _is_read_only(place: Path) -> bool:
    return bool(os.statvfs(place).f_flag & os.ST_RDONLY)


def beside(place: Path) -> Path:
    """An unused name in the directory of ``place`` that :func:`is_beside` can attribute to it."""
    return place.parent / f".{_short(place.name)}.{os.urandom(8).hex()}{SUFFIX}"


def is_beside(name: str, place: str) -> bool:
    """Whether ``name`` is one that :func:`beside` makes for a file called ``place``."""
    match = _TEMPORARY.match(name)
    return match is not None and match["name"] == _short(place)


def _short(name: str) -> str:
    return os.fsdecode(os.fsencode(name)[:_NAME_BYTES])


def create(temporary: Path, place: Path) -> BinaryIO:
    """A new file, locked while it is open, with the permissions and the owner of the file at ``place``, if there is one."""
    file = create_early(temporary)
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        if exists(place):
            keep_attributes(temporary, place)
    except BaseException:
        file.close()
        temporary.unlink(missing_ok=True)
        raise
    return file


def keep_attributes(new: Path, old: Path) -> None:
    """Gives ``new`` the permissions of ``old``, and its owner if that is another and we may."""
    have, want = os.stat(new), os.stat(old)
    if (have.st_uid, have.st_gid) != (want.st_uid, want.st_gid) and os.geteuid() == 0:
        os.chown(new, want.st_uid, want.st_gid)
    os.chmod(new, stat.S_IMODE(want.st_mode))


def remove(path: Path) -> None:
    """Removes a file or a directory, if it is there."""
    if is_directory(path) and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_left_over(places: Iterable[Path]) -> list[Path]:
    """Removes abandoned files of killed writers beside ``places``, which are no longer open; returns their names."""
    left = []
    for directory, names in _by_directory(places).items():
        owners = {_short(name) for name in names}
        with os.scandir(directory) as entries:
            found = [e.name for e in entries if (match := _TEMPORARY.match(e.name)) and match["name"] in owners]
        left += [directory / name for name in found if not _is_in_use(directory / name)]
    for path in left:
        remove(path)
    return left


def being_written(directory: Path) -> dict[str, Path]:
    """Name of a file -> what a living process is writing in ``directory`` to take its place."""
    with os.scandir(directory) as entries:
        found = {match["name"]: directory / e.name for e in entries if (match := _TEMPORARY.match(e.name))}
    return {name: path for name, path in found.items() if _is_in_use(path)}


def _by_directory(places: Iterable[Path]) -> dict[Path, list[str]]:
    found: dict[Path, list[str]] = {}
    for place in places:
        found.setdefault(place.parent, []).append(place.name)
    return found


def _is_in_use(path: Path) -> bool:
    """Whether a living process holds the lock on ``path``."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # gone, a link, or not ours: left alone
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Flushes the names in ``directory`` to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
