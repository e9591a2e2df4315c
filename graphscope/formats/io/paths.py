"""Whether something exists at a path, and where links lead: the only module that asks.

``pathlib`` and ``os.path`` depend on the version of Python: they raise or return false if a name is too long for the file
system, has a NUL, or may not be examined.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from graphscope.errors import FileError

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL})
"""There is nothing of that name, or can be nothing."""

JOURNAL = ".graphscope-journal"
"""The file that tells how an interrupted write goes on: :mod:`graphscope.formats.io.journal`."""


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether ``path``, or what it links to, is there.

    Raises:
        FileError: the operating system refuses: a parent directory may not be searched, a disk fails.
    """
    return _mode(path) != 0


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` is a regular file, or links to one; raises as :func:`exists`."""
    return stat.S_ISREG(_mode(path))


def is_directory(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` is a directory, or links to one; raises as :func:`exists`."""
    return stat.S_ISDIR(_mode(path))


def real_path(path: str | os.PathLike[str]) -> Path:
    """``path`` from the root, without links; whether something is there or not.

    Raises:
        FileError: no file can have that name.
    """
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as error:
        raise FileError.from_os_error(error, path) from error


def _mode(path: str | os.PathLike[str]) -> int:
    """Kind and permissions; 0 if nothing is."""
    try:
        return os.stat(path).st_mode
    except ValueError:  # NUL in the name
        return 0
    except OSError as error:
        if error.errno in _ABSENT:
            return 0
        raise FileError.from_os_error(error, path) from error


def is_below(path: str, directory: Path) -> bool:
    """Whether ``path``, with every link followed, is in ``directory`` or below it."""
    if "\0" in path:
        return False
    root = real_path(directory)
    return real_path(path).is_relative_to(root)
