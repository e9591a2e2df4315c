"""Medians and quartiles of step times."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from graphscope.tracing.report import Times
from graphscope.tracing.steps import NS


def times_of(walls_us: Sequence[float]) -> Times:
    """Median and quartiles (linear between the two nearest steps, as NumPy takes them)."""
    if len(walls_us) < 2:
        wall = float(walls_us[0]) if walls_us else 0.0
        return Times(wall, wall, wall)
    low, median, high = statistics.quantiles(walls_us, n=4, method="inclusive")
    return Times(median, low, high)


def times_of_ns(walls_ns: Iterable[int]) -> Times:
    """As :func:`times_of`, of nanoseconds."""
    return times_of([wall / NS for wall in walls_ns])


def add_up(times: Iterable[Times]) -> Times:
    """Sums of medians and of quartiles."""
    found = list(times)
    return Times(sum(t.wall_us for t in found), sum(t.low_us for t in found), sum(t.high_us for t in found))
