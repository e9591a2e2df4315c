"""Streams of bytes side by side."""

from __future__ import annotations

from collections.abc import Iterator


def align(*streams: Iterator[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Streams cut at the same places; what one has more than others comes with nothing beside it."""
    heads = [next(stream, b"") for stream in streams]
    while any(heads):
        size = min(len(head) for head in heads if head)
        yield tuple(head[:size] for head in heads)
        heads = [head[size:] or next(stream, b"") for head, stream in zip(heads, streams)]
