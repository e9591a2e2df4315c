"""Tells a caller how many bytes have been written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

Progress = Callable[[int], None]
"""Is told the number of bytes after each piece."""


def quiet(size: int) -> None:
    """A :data:`Progress` that says nothing."""


def report_chunks(chunks: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    """``chunks``; ``progress`` is told of each."""
    for chunk in chunks:
        yield chunk
        progress(len(chunk))
