"""The critical path: the chain of executions, each waiting for the one before it, that took longest."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence

from graphscope.tracing.partitions import Partitions
from graphscope.tracing.steps import NS, Execution

_ROUNDING_NS = NS
"""Traces of whole microseconds may let an op end after what waited for it has started."""


def critical_path(executions: Sequence[Execution], partitions: Partitions) -> list[Execution]:
    """The executions on the longest path, first to last; its length is the sum of their times.

    An execution waits for the last run of each of its inputs that ended before it started, so that loops unroll into the
    iterations that ran.

    Args:
        executions: of one step.
        partitions: tells control inputs and transfers; without it the inputs in the trace's labels count.
    """
    runs = Runs(executions)
    longest: dict[int, int] = {}
    before: dict[int, Execution | None] = {}
    for execution in sorted(executions, key=lambda e: (e.end_ns, e.start_ns)):
        waited = (e for e in runs.waited_for(execution, partitions) if id(e) in longest)
        last = max(waited, key=lambda e: longest[id(e)], default=None)
        longest[id(execution)] = execution.wall_ns + (longest[id(last)] if last is not None else 0)
        before[id(execution)] = last
    end = max(executions, key=lambda e: longest[id(e)], default=None)
    return list(_backwards(end, before))[::-1]


def _backwards(end: Execution | None, before: dict[int, Execution | None]) -> Iterator[Execution]:
    while end is not None:
        yield end
        end = before[id(end)]


class Runs:
    """The executions of each node, in the order in which they ended."""

    def __init__(self, executions: Sequence[Execution]) -> None:
        self._runs: dict[str, list[Execution]] = {}
        for execution in sorted(executions, key=lambda e: e.end_ns):
            if not execution.stream:
                self._runs.setdefault(execution.name, []).append(execution)
        self._ends = {name: [e.end_ns for e in runs] for name, runs in self._runs.items()}

    def waited_for(self, execution: Execution, partitions: Partitions) -> Iterator[Execution]:
        """The runs of its inputs that ``execution`` took: of each the last that ended before it started."""
        for name in partitions.sources(execution.name, execution.inputs):
            number = bisect.bisect_right(self._ends.get(name, ()), execution.start_ns + _ROUNDING_NS)
            if number and self._runs[name][number - 1] is not execution:
                yield self._runs[name][number - 1]
