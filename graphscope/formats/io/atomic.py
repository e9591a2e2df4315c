"""Writes a file as a whole or not at all: to a temporary name, flushed to the disk, then renamed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from graphscope.errors import file_errors
from graphscope.formats.io.places import beside, create, real_place, refuse_unwritable, remove_left_over


def write_file(
    path: str | os.PathLike[str],
    chunks: Iterable[bytes],
    *,
    overwrite: bool = False,
    check: Callable[[Path], None] = lambda _: None,
) -> int:
    """Writes ``chunks`` to ``path`` and returns the number of bytes; whatever goes wrong, an existing file is kept.

    A symbolic link is written through; permissions of an existing file are kept.

    Args:
        check: checks the finished file before it is renamed; if it raises an error, no file is kept.

    Raises:
        FileError: the file exists and ``overwrite`` is not set, the path is not a regular file, or the operating system refuses
            (no space, no permission).
    """
    target = Path(path)
    refuse_unwritable(target, overwrite)
    place = real_place(target)
    temporary = beside(place)
    with file_errors(target):
        with create(temporary, place) as file:
            try:
                for chunk in chunks:
                    file.write(chunk)
                size = file.tell()
                file.flush()
                os.fsync(file.fileno())
                check(temporary)
                os.replace(temporary, place)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        remove_left_over([place])
    return size
