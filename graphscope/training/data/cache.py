"""The cache: decompressed files, indices of records, features."""

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
        FileError: neither variable is set, and there is no home directory.
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
    """A digest of ``parts`` (JSON values): 64 hexadecimal digits of SHA-256."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def stamp(path: str | os.PathLike[str]) -> list[str | int]:
    """A value that changes when the file is written or replaced: its path, size in bytes, and change times in nanoseconds.

    Raises:
        FileError: the file cannot be found.
    """
    with file_errors(path):
        found = os.stat(path)
    return [str(real_path(path)), found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def keep(cache: Path, name: str, make: Callable[[], Iterable[bytes]]) -> Path:
    """The file ``name`` in ``cache``; if it does not exist, the output of ``make`` is written to it.

    Raises:
        FileError: it cannot be written (no space, no permission).
    """
    path = cache / name
    if not exists(path):
        make_directory(path.parent)
        write_file(path, make(), overwrite=True)
    return path


def make_directory(path: Path) -> None:
    """Creates a directory and missing parents.

    Raises:
        FileError: the operating system refuses.
    """
    with file_errors(path):
        path.mkdir(parents=True, exist_ok=True)
