"""Tracks the batch through a graph with a number that occurs nowhere else in it.

A size that is a multiple of such a number stands for the batch, or for the batch times something.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from graphscope.analysis.shapes.facts import Value
from graphscope.analysis.shapes.sizes import Dims
from graphscope.core.tensors import Shape

_PRIMES = (10_007, 20_011, 50_021, 100_003, 1_000_003)


@dataclass(frozen=True, slots=True)
class Batches:
    """Three batch sizes: that of the graph, the probe, and the new one.

    Attributes:
        old: for which the graph was built; ``None`` if it takes any number.
        probe: a prime that no size of the graph is a multiple of.
        new: ``None`` for any number.
    """

    old: int | None
    probe: int
    new: int | None

    def is_batch(self, size: object) -> bool:
        """Whether ``size``, as seen with the probe, is the batch or a multiple of it."""
        return isinstance(size, int) and size > 0 and size % self.probe == 0

    def before(self, size: int) -> int:
        """What the graph was built with where the probe shows ``size``."""
        return size // self.probe * (self.old or self.probe) if self.is_batch(size) else size

    def after(self, size: int) -> int:
        """What it shall be; the batch must be fixed."""
        return size // self.probe * (self.new or self.probe) if self.is_batch(size) else size

    def carries(self, shape: Dims | Shape) -> bool:
        """Whether a tensor of ``shape`` has a part for each example."""
        return shape is not None and any(map(self.is_batch, shape))

    def examples(self, value: Value) -> list[int]:
        """The places of the elements that are a number of examples."""
        return [place for place, element in enumerate(value) if self.is_batch(element)]


def prime_apart(sizes: Iterable[int]) -> int:
    """A prime that none of ``sizes`` is a multiple of."""
    known = [size for size in sizes if size > 0]
    return next(prime for prime in (*_PRIMES, 2_147_483_647) if all(size % prime for size in known))
