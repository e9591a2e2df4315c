"""Writes files that belong together, or a directory, whole or not at all.

Everything is written beside its place and flushed to the disk; when all is there, it is renamed. Whatever goes wrong before
or while renaming, the old files stand. Where several files, or a directory, are replaced, the old ones are renamed first: a
process that is killed at that moment leaves them complete beside their places, as ``.<random>.tmp``.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from graphscope.errors import FileError
from graphscope.formats.atomic import refuse_existing

Progress = Callable[[int], None]
"""Is told the number of bytes after each piece."""


def quiet(size: int) -> None:
    """A :data:`Progress` that says nothing."""


def told(chunks: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    """``chunks``; ``progress`` is told of each."""
    for chunk in chunks:
        yield chunk
        progress(len(chunk))


@contextlib.contextmanager
def staged_files(
    paths: Sequence[Path], *, overwrite: bool = False, shared: Sequence[tuple[Path, Path]] = ()
) -> Iterator[list[BinaryIO]]:
    """Files to be written, which take the places ``paths`` when the block ends without an exception.

    Args:
        shared: pairs of a file that is there already and a further place that it takes with the others: as a hard link, or
            as a copy where the file system has none.

    Raises:
        FileError: one exists and ``overwrite`` is not set, or the operating system refuses (no space, no permission).
    """
    places = [*paths, *(place for _, place in shared)]
    temporaries = [_beside(path) for path in places]
    try:
        with contextlib.ExitStack() as stack:
            for path in places:
                refuse_existing(path, overwrite)
            for (source, _), temporary in zip(shared, temporaries[len(paths) :], strict=True):
                _share(source, temporary)
            files: list[BinaryIO] = [
                stack.enter_context(open(temporary, "xb")) for temporary in temporaries[: len(paths)]
            ]
            yield files
            for file in files:
                file.flush()
                os.fsync(file.fileno())
        _publish(list(zip(temporaries, places, strict=True)))
    except OSError as error:
        raise FileError.from_os_error(error, places[0]) from error
    finally:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def staged_directory(
    path: Path, *, overwrite: bool = False, replaceable: Callable[[Path], None] = lambda _: None
) -> Iterator[Path]:
    """An empty directory to be filled, which takes the place ``path`` when the block ends without an exception.

    What the block writes there has to be flushed to the disk by the block. An empty directory may always be replaced.

    Args:
        replaceable: raises an error, if the directory that is there must not be replaced even so.

    Raises:
        FileError: something is there and ``overwrite`` is not set, it is no directory, or the operating system refuses.
    """
    place = Path(os.path.realpath(path))
    temporary = _beside(place)
    try:
        _refuse_directory(place, overwrite, replaceable)
        temporary.mkdir()
        yield temporary
        _publish([(temporary, place)])
    except OSError as error:
        raise FileError.from_os_error(error, path) from error
    except FileError as error:  # what was being written is known by its place, not by its temporary name
        raise FileError(error.message.replace(str(temporary), str(path)), hint=error.hint) from error
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


def _refuse_directory(path: Path, overwrite: bool, replaceable: Callable[[Path], None]) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise FileError(f"{path}: a file, where a directory is to be written")
    if any(path.iterdir()):
        refuse_existing(path, overwrite)
        replaceable(path)


def _share(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)
        with open(place, "rb") as copy:
            os.fsync(copy.fileno())


def _beside(path: Path) -> Path:
    return path.parent / f".{secrets.token_hex(8)}.tmp"


def _publish(pairs: Sequence[tuple[Path, Path]]) -> None:
    """Renames each pair's first to its second. One file replaces another in one step; more take two."""
    if len(pairs) == 1 and not pairs[0][1].is_dir():
        os.replace(*pairs[0])
        return
    old = [(path, _beside(path)) for _, path in pairs if path.exists()]
    _rename([*old, *pairs])
    for _, backup in old:
        if backup.is_dir():
            shutil.rmtree(backup)
        else:
            backup.unlink()


def _rename(pairs: Sequence[tuple[Path, Path]]) -> None:
    """All or none."""
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in pairs:
            os.rename(source, target)
            done.append((source, target))
    except BaseException:
        for source, target in reversed(done):
            os.rename(target, source)
        raise
