"""A run of a log directory: files that are written together and replaced together.

A run is a directory below the log directory. All its files are written to temporary names and renamed when all are complete;
then files of an earlier dump are removed. Other files are kept: a dump's files have :data:`MARK` in their names, and its
projector configuration is marked in the first line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from graphscope.advice import Advice, Option
from graphscope.errors import FileError, GraphscopeError, file_errors
from graphscope.formats.detect.locate import PROJECTOR_CONFIG
from graphscope.formats.io.paths import exists, is_directory, is_file
from graphscope.formats.io.staging import made_directory, staged_files

MARK = ".graphscope-dump"
"""Part of the names of all files of a dump, except for the projector's configuration, whose name is fixed."""

CONFIG_HEAD = b"# Written by graphscope dump.\n"
"""The first line of a projector's configuration that a dump may replace."""


@dataclass(frozen=True, slots=True)
class RunFile:
    """A file to be written.

    Attributes:
        name: within the run.
        write: writes the file, and returns descriptions of its content.
    """

    name: str
    write: Callable[[BinaryIO], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A written file of a run: path, size, and descriptions of its content."""

    path: Path
    size_bytes: int
    holds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogRun:
    """A written run.

    Attributes:
        directory: the directory of the run.
        files: the written files.
        replaced: number of replaced files of an earlier dump.
    """

    directory: Path
    files: tuple[WrittenFile, ...]
    replaced: int


def run_directory(logdir: Path, name: str) -> Path:
    """The directory of the run ``name``: slashes separate nested directories, ``.`` is the log directory itself.

    Raises:
        GraphscopeError: ``name`` leads out of the log directory.
    """
    if not name or os.path.isabs(name) or ".." in Path(name).parts or "\0" in name:
        raise GraphscopeError(
            f"{name!r} is not a name for a run", hint=Advice(Option("run", "NAME"), "   names a directory below LOGDIR")
        )
    return logdir / name


def write_run(directory: Path, files: Sequence[RunFile]) -> LogRun:
    """Writes ``files`` in place of an earlier dump to ``directory``, which is created if necessary.

    Raises:
        FileError: a file cannot be written, or the projector's configuration there is not a dump's; the old run is kept.
    """
    with file_errors(directory):
        _refuse_foreign(directory, files)
        old = earlier_files(directory)
    paths = [directory / file.name for file in files]
    with made_directory(directory), staged_files(paths, overwrite=True) as streams:
        holds = [file.write(stream) for file, stream in zip(files, streams)]
        sizes = [stream.tell() for stream in streams]
    for path in set(old) - set(paths):
        with file_errors(path):
            path.unlink(missing_ok=True)
    return LogRun(directory, tuple(map(WrittenFile, paths, sizes, holds)), len(old))


def earlier_files(directory: Path) -> list[Path]:
    """The files in ``directory`` of an earlier dump."""
    if not is_directory(directory):
        return []
    return [path for path in sorted(directory.iterdir()) if is_file(path) and _is_own(path)]


def _is_own(path: Path) -> bool:
    if path.name != PROJECTOR_CONFIG:
        return MARK in path.name
    with open(path, "rb") as file:
        return file.read(len(CONFIG_HEAD)) == CONFIG_HEAD


def _refuse_foreign(directory: Path, files: Sequence[RunFile]) -> None:
    config = directory / PROJECTOR_CONFIG
    if any(file.name == PROJECTOR_CONFIG for file in files) and exists(config) and not _is_own(config):
        raise FileError(
            f"{config}: the projector configuration was not written by dump",
            hint=Advice(Option("run", "NAME"), "   writes another run"),
        )
