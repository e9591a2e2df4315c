"""The batch size of a graph's inputs."""

from __future__ import annotations

from typing import Literal

from graphscope.errors import ArgumentError

Batch = int | Literal["?"] | None
"""A number of examples; ``"?"`` for any number, ``None`` for the graph's own."""


def parse_batch(text: str) -> Batch:
    """Parses a batch size such as ``7`` or ``?``.

    Raises:
        ArgumentError: ``text`` is neither.
    """
    if text == "?":
        return "?"
    if not (text.isascii() and text.isdigit()):
        raise _no_batch(text)
    return checked_batch(int(text))


def checked_batch(batch: Batch) -> Batch:
    """``batch`` itself.

    Raises:
        ArgumentError: it is a number below 1.
    """
    if isinstance(batch, int) and batch < 1:
        raise _no_batch(batch)
    return batch


def _no_batch(batch: object) -> ArgumentError:
    return ArgumentError(f"{batch} is neither a number of examples nor ?")
