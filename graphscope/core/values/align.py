"""Byte streams cut at the same places."""

from __future__ import annotations

from collections.abc import Iterator


def align(*streams: Iterator[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Cuts streams at the same places; shorter streams are padded with empty pieces."""
    heads = [next(stream, b"") for stream in streams]
    while any(heads):
        size = min(len(head) for head in heads if head)
        yield tuple(head[:size] for head in heads)
        heads = [head[size:] or next(stream, b"") for head, stream in zip(heads, streams)]
