"""Which part of the work is whose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """One worker's part.

    Attributes:
        rank: its number, from 0.
        count: of all workers.
        is_launched: whether a launcher adds up what all of them tell.
    """

    rank: int = 0
    count: int = 1
    is_launched: bool = False

    def has(self, number: int) -> bool:
        """Whether the piece of this number is this worker's."""
        return number % self.count == self.rank


WHOLE = Share()
"""All of it, by one process."""
