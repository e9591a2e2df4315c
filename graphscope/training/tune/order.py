"""The order of training examples: a permutation for each epoch, determined only by the seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Order:
    """The batches of every epoch.

    Attributes:
        examples: int64 (n,), the indices to train on.
        batch: examples in a batch; the last of an epoch may be smaller.
        seed: with the number of the epoch, all that the order depends on.
    """

    examples: NDArray[np.int64]
    batch: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.examples) // self.batch)

    def batches(self, epoch: int, done: int = 0) -> Iterator[NDArray[np.int64]]:
        """The indices of each batch of ``epoch`` (from 0), without the first ``done`` of them."""
        import numpy as np

        shuffled = self.examples[np.random.default_rng([self.seed, epoch]).permutation(len(self.examples))]
        return batches(shuffled[done * self.batch :], self.batch)


def batches(indices: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """``indices`` in order, ``size`` at a time."""
    return (indices[start : start + size] for start in range(0, len(indices), size))
