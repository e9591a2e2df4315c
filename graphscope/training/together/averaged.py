"""A value that is averaged over the parts of a step's examples."""

from __future__ import annotations

from dataclasses import dataclass

SCOPE = "graphscope_average"
"""Of the nodes that are added."""


@dataclass(frozen=True, slots=True)
class Averaged:
    """A value of a step that is to be averaged.

    Attributes:
        tensor: ``node:0``.
        shape: known in full; float32.
        takers: which input of which nodes takes the average in its place; empty for what is only looked at.
    """

    tensor: str
    shape: tuple[int, ...]
    takers: tuple[tuple[str, int], ...] = ()


def full_name(tensor: str) -> str:
    """``node:0`` of a tensor that may be spelled ``node``."""
    return tensor if ":" in tensor else f"{tensor}:0"
