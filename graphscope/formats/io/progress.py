"""Progress of reading and writing, in bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

Progress = Callable[[int], None]
"""Takes the number of bytes of each piece."""


def quiet(size: int) -> None:
    """A :data:`Progress` that says nothing."""


def report_chunks(chunks: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    """Passes on ``chunks``, and reports each to ``progress``."""
    for chunk in chunks:
        yield chunk
        progress(len(chunk))
