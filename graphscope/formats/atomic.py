"""Writes a file whole or not at all: beside its place, flushed to the disk, then renamed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from graphscope.errors import FileError


def write_file(
    path: str | os.PathLike[str],
    chunks: Iterable[bytes],
    *,
    overwrite: bool = False,
    check: Callable[[Path], None] = lambda _: None,
) -> int:
    """Writes ``chunks`` to ``path`` and returns the number of bytes; whatever goes wrong, an old file stands.

    Args:
        check: looks at the finished file before it takes its place; what it raises leaves no file behind.

    Raises:
        FileError: the file exists and ``overwrite`` is not set, or the operating system refuses (no space, no permission).
    """
    target = Path(path)
    refuse_existing(target, overwrite)
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with open(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            size = file.tell()
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        check(Path(temporary))
        os.replace(temporary, target)
    except OSError as error:
        raise FileError.from_os_error(error, target) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    return size


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raises an error, if ``path`` exists and must not be replaced.

    Raises:
        FileError: it does.
    """
    if path.exists() and not overwrite:
        raise FileError(f"{path}: the file exists", hint="--force replaces it")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
