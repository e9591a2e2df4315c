"""The critical path in traces whose times are whole microseconds."""

from __future__ import annotations

import pytest

from graphscope.tracing.critical import critical_path
from graphscope.tracing.partitions import Partitions
from graphscope.tracing.steps import read_step
from tests.traces import CPU0, metadata


@pytest.mark.parametrize(
    ("start_us", "waited"),
    [(10.0, True), (9.5, True), (9.0, True), (8.999, False), (8.0, False)],
)
def test_an_op_may_start_a_rounded_microsecond_before_its_input_ends(start_us: float, waited: bool) -> None:
    step = metadata({CPU0: [("a", "A", (), 0, 10), ("b", "B", ["a"], start_us, 5)]})
    executions = read_step(step.step_stats).executions
    path = critical_path(executions, Partitions(()), {id(e): e.wall_ns for e in executions})
    assert [e.name for e in path] == (["a", "b"] if waited else ["a"])


def test_of_several_runs_the_last_that_ended_is_waited_for() -> None:
    rows = [("a", "A", (), 0, 10), ("a", "A", (), 20, 30), ("b", "B", ["a"], 50, 5), ("a", "A", (), 60, 1)]
    executions = read_step(metadata({CPU0: rows}).step_stats).executions
    path = critical_path(executions, Partitions(()), {id(e): e.wall_ns for e in executions})
    assert [(e.name, e.wall_ns) for e in path] == [("a", 30_000), ("b", 5_000)]
