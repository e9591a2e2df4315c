"""The critical path in traces whose times are whole microseconds."""

from __future__ import annotations

import json

import pytest

from graphscope.tracing.chrome import chrome_trace
from graphscope.tracing.critical import critical_path
from graphscope.tracing.lanes import rows_of
from graphscope.tracing.metadata import board_steps
from graphscope.tracing.partitions import Partitions
from graphscope.tracing.steps import read_step
from tests.traces import CPU0, CPU1, EPOCH_NS, graph, metadata, trace


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


# Timelines


def test_a_timeline_to_the_last_number() -> None:
    """Two devices, two ops at a time on one of them, an op that waited 3 us, one that takes no time, memory."""
    rows = [("a", "A", (), 0, 10), ("b", "B", ["a"], 10, 5), ("side", "S", (), 4, 6), ("c", "C", ["b"], 15, 0)]
    step = metadata({CPU1: [("far", "F", (), 2, 1)], CPU0: rows})
    late = step.step_stats.dev_stats[1].node_stats[1]
    late.scheduled_nanos = late.all_start_nanos - 3000
    late.memory.add(allocator_name="cpu", total_bytes=64).allocation_records.add(
        alloc_micros=late.all_start_micros, alloc_bytes=64
    )
    events = json.loads(b"".join(chrome_trace(trace([step]))))["traceEvents"]
    names = {(e["name"], e["pid"], e["tid"]): e["args"] for e in events if e["ph"] == "M"}
    assert names == {
        ("process_name", 0, 0): {"name": "steps"},
        ("process_name", 1, 0): {"name": CPU0},
        ("process_sort_index", 1, 0): {"sort_index": 1},
        ("process_name", 2, 0): {"name": CPU1},
        ("process_sort_index", 2, 0): {"sort_index": 2},
        ("thread_name", 1, 1): {"name": "row 1"},
        ("thread_name", 1, 2): {"name": "row 2"},
        ("thread_name", 2, 3): {"name": "row 1"},
    }
    spans = [(e["name"], e["pid"], e["tid"], e["ts"], e["dur"]) for e in events if e["ph"] == "X"]
    assert spans == [
        ("step 0001", 0, 0, 0, 15),
        ("A", 1, 1, 0, 10),
        ("F", 2, 3, 2, 1),
        ("S", 1, 2, 4, 6),
        ("B", 1, 1, 10, 5),
        ("C", 1, 1, 15, 0),
    ]
    waited = {e["name"]: e["args"]["waited_us"] for e in events if e["ph"] == "X" and e["cat"] == "op"}
    assert waited == {"A": 0, "F": 0, "S": 0, "B": 3, "C": 0}
    arrows = [(e["ph"], e["name"], e["id"], e["tid"]) for e in events if e["ph"] in "sf"]
    assert sorted(arrows) == [("f", "a", "0.1", 1), ("f", "b", "0.2", 1), ("s", "a", "0.1", 1), ("s", "b", "0.2", 1)]
    counters = [(e["ts"], e["pid"], e["tid"], e["args"]) for e in events if e["ph"] == "C"]
    assert counters == [(10, 1, 0, {"bytes": 64})]
    assert [e["ph"] for e in events if e["ph"] != "M" and e["ts"] == 10] == ["X", "f", "C"]


def test_three_rows_are_freed_one_by_one() -> None:
    rows = [
        ("a", "A", (), 0, 10),
        ("b", "B", (), 0, 20),
        ("c", "C", (), 0, 30),
        ("d", "D", (), 10, 5),
        ("e", "E", (), 20, 5),
    ]
    step = read_step(metadata({CPU0: rows}).step_stats)
    placed = rows_of([step])
    assert {e.name: placed[id(e)][1] for e in step.executions} == {
        "a": "row 1",
        "b": "row 2",
        "c": "row 3",
        "d": "row 1",
        "e": "row 1",
    }


@pytest.mark.parametrize(("wall_us", "shown_us", "shown_ns"), [(0, 1, 1), (0.4, 1, 400), (1.6, 2, 1600), (7, 7, 7000)])
def test_what_took_no_time_is_shown_with_the_least_there_is(wall_us: float, shown_us: int, shown_ns: int) -> None:
    """TensorBoard takes 0 for a time that is not known."""
    steps = trace([metadata({CPU0: [("a", "A", (), 5, wall_us)]})], graph(("a", "A", ())))
    [(tag, shown)] = board_steps(steps)
    [stat] = shown.step_stats.dev_stats[0].node_stats
    assert (tag, stat.node_name) == ("step 0001", "a")
    assert (stat.all_end_rel_micros, stat.all_end_rel_nanos) == (shown_us, shown_ns)
    assert stat.all_start_nanos == stat.scheduled_nanos == EPOCH_NS + 5000
    assert stat.all_start_micros == stat.scheduled_micros == EPOCH_NS // 1000 + 5
