"""Files that people write by hand: recipes, policies, clusters. A pipe does as well, a device that never ends does not."""

from __future__ import annotations

import os

from graphscope.errors import ArgumentError, file_errors

MAX_BYTES = 1 << 20


def read_small(path: str | os.PathLike[str], kind: str) -> bytes:
    """The content of a file of the given kind, "a recipe".

    Raises:
        ArgumentError: it has more than :data:`MAX_BYTES`.
        FileError: it cannot be read.
    """
    with file_errors(path), open(path, "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ArgumentError(f"{os.fspath(path)}: {kind} is limited to {MAX_BYTES:,} bytes")
    return content
