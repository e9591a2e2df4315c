"""Facts that hold for every iteration of a loop: shapes are widened until nothing changes."""

from __future__ import annotations

from collections.abc import Callable

from graphscope.analysis.shapes.facts import UNKNOWN, Fact, Facts, join_facts
from graphscope.analysis.shapes.sizes import Dim, Dims

MAX_TURNS = 32
"""Shapes of a loop that has not converged after this many iterations are unknown."""


class Widening:
    """Joins what enters a loop with what comes round; each size that differs becomes one unknown size, once."""

    def __init__(self) -> None:
        self._own: set[Dim] = set()

    def widen(self, before: Fact | None, joined: Fact) -> Fact:
        """What the loop's beginning gives, if it gave ``before`` up to now and ``joined`` is true of all that arrives."""
        shape, handle = joined.shape, joined.handle
        if before is not None and shape is not None:
            shape = self._shape(before.shape, shape)
        if before is not None and before.handle != handle:
            handle = None
        result = Fact(shape, joined.value, handle)
        return before if before is not None and before.same(result) else result

    def _shape(self, before: Dims, joined: tuple[int | Dim, ...]) -> Dims:
        if before is None or len(before) != len(joined):
            return None
        result = []
        for old, new in zip(before, joined):
            if isinstance(old, Dim) and old in self._own:
                new = old
            elif new is not old and isinstance(new, Dim):
                self._own.add(new)
            result.append(new)
        return tuple(result)


def fixed_point(turn: Callable[[Facts], Facts], start: Facts) -> Facts:
    """What is true of the variables of a loop before every turn, if they are ``start`` before the first."""
    widenings = [Widening() for _ in start]
    current = start
    for _ in range(MAX_TURNS):
        after = turn(current)
        after = after + (UNKNOWN,) * (len(current) - len(after))
        joined = tuple(w.widen(a, join_facts(a, b)) for w, a, b in zip(widenings, current, after))
        if all(a is b for a, b in zip(joined, current)):
            return current
        current = joined
    return (UNKNOWN,) * len(start)
