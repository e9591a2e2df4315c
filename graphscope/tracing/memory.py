"""Memory over the time of one step, by device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

from graphscope.tracing.steps import Execution


def allocated_over_time(executions: Iterable[Execution]) -> list[tuple[int, int]]:
    """(ns since 1970, bytes that are allocated then), by time; what was allocated before the step is not known.

    Of what is recorded for one moment, frees come first.
    """
    records = sorted(record for execution in executions for record in execution.allocations)
    return list(zip((when for when, _ in records), accumulate(size for _, size in records)))


def peak_bytes(executions: Sequence[Execution]) -> int:
    """The peak allocation during the step."""
    return max((size for _, size in allocated_over_time(executions)), default=0)


def persistent_bytes(executions: Iterable[Execution]) -> int:
    """The persistent memory of variables and constants: once per node."""
    return sum({e.name: e.persistent_bytes for e in executions}.values())
