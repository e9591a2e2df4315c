"""The batch size of a graph's inputs."""

from __future__ import annotations

from typing import Literal

from graphscope.core.tensors import MAX_SIZE, parse_sizes
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
    try:
        [batch] = parse_sizes(text)
    except ValueError as error:
        raise _no_batch(text) from error
    return checked_batch(batch)


def checked_batch(batch: Batch) -> Batch:
    """``batch`` itself.

    Raises:
        ArgumentError: it is a number below 1, or larger than any dimension.
    """
    if isinstance(batch, int) and not 1 <= batch <= MAX_SIZE:
        raise _no_batch(batch)
    return batch


def _no_batch(batch: object) -> ArgumentError:
    return ArgumentError(f"{batch} is neither a number of examples nor ?")
