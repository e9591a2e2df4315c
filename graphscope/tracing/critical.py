"""The critical path: the chain of executions, each waiting for the one before it, that took longest."""

from __future__ import annotations

import bisect
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from graphscope.tracing.partitions import Partitions
from graphscope.tracing.steps import NS, Execution, Step

_ROUNDING_NS = NS
"""In traces with whole microseconds, an op may seem to end after its consumer has started."""


def median_walls(steps: Sequence[Step], typical: Step) -> dict[int, int]:
    """``id(execution)`` of the ``typical`` step -> the median of its times in ns over all steps; the n-th run of a node is
    compared with its n-th run in other steps. A single step also shows interruptions by the machine.
    """
    walls = defaultdict(list)
    for step in steps:
        for key, execution in _number(step):
            walls[key].append(execution.wall_ns)
    return {id(execution): round(statistics.median(walls[key])) for key, execution in _number(typical)}


def _number(step: Step) -> Iterator[tuple[tuple[str, str, str, int], Execution]]:
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for execution in step.executions:
        key = execution.name, execution.device, execution.stream
        counts[key] += 1
        yield (*key, counts[key]), execution


def critical_path(
    executions: Sequence[Execution], partitions: Partitions, walls_ns: Mapping[int, int]
) -> list[Execution]:
    """The executions on the longest path, first to last; its length is the sum of their times.

    An execution waits for the last run of each of its inputs that ended before it started, so that loops unroll into the
    iterations that ran.

    Args:
        executions: of one step.
        partitions: provides control inputs and transfers; without it, the inputs in the trace's labels are used.
        walls_ns: ``id(execution)`` -> its duration.
    """
    runs = Runs(executions)
    longest: dict[int, int] = {}
    before: dict[int, Execution | None] = {}
    for execution in sorted(executions, key=lambda e: (e.end_ns, e.start_ns)):
        waited = (e for e in runs.waited_for(execution, partitions) if id(e) in longest)
        last = max(waited, key=lambda e: longest[id(e)], default=None)
        longest[id(execution)] = walls_ns[id(execution)] + (longest[id(last)] if last is not None else 0)
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
        for name in dict.fromkeys(partitions.sources(execution.name, execution.inputs)):
            number = bisect.bisect_right(self._ends.get(name, ()), execution.start_ns + _ROUNDING_NS)
            if number and self._runs[name][number - 1] is not execution:
                yield self._runs[name][number - 1]
