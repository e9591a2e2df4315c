"""Writes files that belong together, or a directory, as a whole or not at all.

Everything is written to temporary names, flushed to the disk and then renamed. If anything fails before or while renaming, the
existing files are kept. A directory is exchanged with the old one in one step, if the system supports it; otherwise, and for
several files, a journal makes the renames atomic (:mod:`graphscope.formats.io.journal`). Left-over files of a killed process
are called ``.<name>.<random>.graphscope``, and the next writer removes them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from graphscope.advice import Advice, Option
from graphscope.errors import FileError, file_errors
from graphscope.formats.io.exchange import exchange
from graphscope.formats.io.journal import Move, commit, is_awaited, recover
from graphscope.formats.io.paths import JOURNAL, exists, is_directory, real_path
from graphscope.formats.io.places import (
    beside,
    create,
    directory_of,
    keep_attributes,
    real_place,
    refuse_closed,
    refuse_unwritable,
    remove,
    remove_left_over,
)


@contextlib.contextmanager
def staged_files(
    paths: Sequence[Path], *, overwrite: bool = False, shared: Sequence[tuple[Path, Path]] = ()
) -> Iterator[list[BinaryIO]]:
    """Files to be written, which take the places ``paths`` when the block ends without an exception.

    They do so in this order, after those of ``shared``: the index of a checkpoint is the last, and promises the others.

    Args:
        shared: pairs of a file that is there already and a further place that it takes with the others: as a hard link, or
            as a copy where the file system has none.

    Raises:
        FileError: one exists and ``overwrite`` is not set, or the operating system refuses (no space, no permission).
    """
    named = [*paths, *(place for _, place in shared)]
    made: list[Path] = []
    try:
        for path in named:
            recover(path.parent)
            refuse_unwritable(path, overwrite)
        places = [real_place(path) for path in named]
        _refuse_scattered(named, places)
        with contextlib.ExitStack() as stack:
            files: list[BinaryIO] = []
            for place in places[: len(paths)]:
                made.append(beside(place))
                files.append(stack.enter_context(create(made[-1], place)))
            for (source, _), place in zip(shared, places[len(paths) :], strict=True):
                made.append(beside(place))
                _share(source, made[-1])
            yield files
            for file in files:
                file.flush()
                os.fsync(file.fileno())
            pairs = list(zip(made, places, strict=True))
            _publish([*pairs[len(paths) :], *pairs[: len(paths)]])
        remove_left_over([*places, *(place.parent / JOURNAL for place in places[:1])])
    except OSError as error:
        _remove(made)
        raise FileError.from_os_error(error, named[0]) from error
    except BaseException:
        _remove(made)
        raise


@contextlib.contextmanager
def together(files: Sequence[BinaryIO], paths: Sequence[Path]) -> Iterator[Path]:
    """Files of :func:`staged_files` side by side under the names that they will have, by which one finds the other.

    Gives the first, in a directory beside ``paths`` that goes when the block ends, with what else was written there.

    Raises:
        FileError: the operating system refuses.
    """
    folder = beside(real_place(paths[0]))
    with file_errors(paths[0]):
        folder.mkdir()
        try:
            with _lock(folder):
                for file, path in zip(files, paths, strict=True):
                    os.link(file.name, folder / path.name)
                yield folder / paths[0].name
        finally:
            for name in os.listdir(folder):
                os.unlink(folder / name)
            folder.rmdir()


def _remove(made: Iterable[Path]) -> None:
    """Removes unneeded files; files that a journal still needs stay until it is finished."""
    for path in made:
        if os.path.lexists(path) and not is_awaited(path):
            remove(path)


def _refuse_scattered(named: Sequence[Path], places: Sequence[Path]) -> None:
    """Only within one directory files can be renamed as one; a link may lead elsewhere."""
    for path, place in zip(named, places, strict=True):
        if place.parent != places[0].parent:
            raise FileError(
                f"{path}: a link to {place}, but it is replaced together with files in {places[0].parent}",
                hint="write to another name",
            )


@contextlib.contextmanager
def made_directory(directory: Path) -> Iterator[None]:
    """Makes ``directory`` and those above it; where the block fails, those that were made go again, if nothing is in them.

    Raises:
        FileError: the operating system refuses, here or in the block.
    """
    missing = [path for path in (directory, *directory.parents) if not exists(path)]
    try:
        with file_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
            yield
    except BaseException:
        _remove_empty(missing)
        raise


def _remove_empty(directories: Iterable[Path]) -> None:
    for path in directories:
        with contextlib.suppress(OSError, ValueError):  # it holds something, or was not made, or cannot be
            path.rmdir()


@contextlib.contextmanager
def staged_directory(
    path: Path, *, overwrite: bool = False, replaceable: Callable[[Path], None] = lambda _: None
) -> Iterator[Path]:
    """An empty directory to be filled, which takes the place ``path`` when the block ends without an exception.

    What the block writes there has to be flushed to the disk by the block. An empty directory may always be replaced.

    Args:
        replaceable: raises an error, if the directory that is there must not be replaced even so.

    Raises:
        FileError: something is there and ``overwrite`` is not set, it is not a directory, or the operating system refuses.
    """
    place = real_path(path)
    temporary = beside(place)
    try:
        recover(place.parent)
        refuse_directory(path, overwrite, replaceable)
        temporary.mkdir()
        with _lock(temporary):
            yield temporary
            _publish([(temporary, place)])
        remove_left_over([place, place.parent / JOURNAL])
    except OSError as error:
        _remove([temporary])
        raise FileError.from_os_error(error, path) from error
    except FileError as error:  # what was being written is known by its place, not by its temporary name
        _remove([temporary])
        raise FileError(error.message.replace(str(temporary), str(path)), hint=error.hint) from error
    except BaseException:
        _remove([temporary])
        raise


@contextlib.contextmanager
def _lock(directory: Path) -> Iterator[None]:
    """Others see by the lock that someone writes there."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def refuse_directory(path: Path, overwrite: bool, replaceable: Callable[[Path], None] = lambda _: None) -> None:
    """Raises an error if the directory ``path`` cannot be written or replaced. Called before the work, and when writing.

    Args:
        replaceable: see :func:`staged_directory`.

    Raises:
        FileError: it is not empty and ``overwrite`` is not set, it is a file, or its parent is missing or not writable.
    """
    refuse_closed(directory_of(path), is_made=False)
    if not exists(path):
        return
    if not is_directory(path):
        raise FileError(f"{path}: a file, but a directory would be written")
    if any(path.iterdir()):
        replaceable(path)
        if not overwrite:
            raise FileError(f"{path}: the file exists", hint=Advice(Option("overwrite", True), " replaces it"))


def _share(source: Path, place: Path) -> None:
    source = real_path(source)
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)
        with open(place, "rb") as copy:
            os.fsync(copy.fileno())


def _publish(pairs: Sequence[tuple[Path, Path]]) -> None:
    """Renames each pair's first to its second, all in the same directory. One file replaces another in one step."""
    if not pairs:
        return
    new, place = pairs[0]
    if len(pairs) > 1:
        commit(place.parent, [Move(new.name, place.name, beside(place).name) for new, place in pairs])
    elif not is_directory(place):
        os.rename(new, place)
    else:
        _publish_directory(new, place)


def _publish_directory(new: Path, place: Path) -> None:
    keep_attributes(new, place)
    if exchange(new, place):
        remove(new)
    else:
        commit(place.parent, [Move(new.name, place.name, beside(place).name)])
