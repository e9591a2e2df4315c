"""What is computed once and kept: inflated files, indices of records, features."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from graphscope.advice import Advice, Option
from graphscope.errors import FileError, file_errors
from graphscope.formats.io.atomic import write_file
from graphscope.formats.io.paths import exists, real_path


def default_cache() -> Path:
    """``$GRAPHSCOPE_CACHE``, else ``graphscope`` in ``$XDG_CACHE_HOME`` or ``~/.cache``. May be deleted at any time.

    Raises:
        FileError: neither variable is set, and nobody knows of a home directory.
    """
    if own := os.environ.get("GRAPHSCOPE_CACHE"):
        return Path(own)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "graphscope"
    try:
        return Path.home() / ".cache" / "graphscope"
    except RuntimeError as error:
        hint = Advice(Option("cache", "DIR"), ", or set GRAPHSCOPE_CACHE to a directory")
        raise FileError(
            "there is no home directory for the cache of features and decompressed data", hint=hint
        ) from error


def digest(*parts: object) -> str:
    """A name for what ``parts`` (JSON values) say: 64 hexadecimal digits of SHA-256."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def stamp(path: str | os.PathLike[str]) -> list[str | int]:
    """Changes when the file is written to or replaced: its place, size in bytes, and times of change in nanoseconds.

    Raises:
        FileError: it cannot be found.
    """
    with file_errors(path):
        found = os.stat(path)
    return [str(real_path(path)), found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def keep(cache: Path, name: str, make: Callable[[], Iterable[bytes]]) -> Path:
    """The file ``name`` in ``cache``; written whole by ``make``, if it is not there yet.

    Raises:
        FileError: it cannot be written (no space, no permission).
    """
    path = cache / name
    if not exists(path):
        make_directory(path.parent)
        write_file(path, make(), overwrite=True)
    return path


def make_directory(path: Path) -> None:
    """Makes a directory and those above it, where they are missing.

    Raises:
        FileError: that is not possible.
    """
    with file_errors(path):
        path.mkdir(parents=True, exist_ok=True)
