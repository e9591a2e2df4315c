"""The division of work among workers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """One worker's part.

    Attributes:
        rank: its number, from 0.
        count: of all workers.
        is_launched: whether a launcher collects the progress of all workers.
    """

    rank: int = 0
    count: int = 1
    is_launched: bool = False

    def has(self, number: int) -> bool:
        """Whether the piece with this number belongs to this worker."""
        return number % self.count == self.rank


WHOLE = Share()
"""The whole work, for a single process."""
