"""What traces tell, to the last number: the critical path, timelines, groups, event files."""

from __future__ import annotations

import json

import pytest

from graphscope.core.values.dtypes import DataType
from graphscope.protos import GraphDef
from graphscope.tracing.chrome import chrome_trace
from graphscope.tracing.critical import critical_path
from graphscope.tracing.lanes import rows_of
from graphscope.tracing.names import NodeNames
from graphscope.tracing.partitions import Partitions
from graphscope.tracing.profile import report
from graphscope.tracing.report import Feed
from graphscope.tracing.step_stats import Shown, board_steps, side_by_side
from graphscope.tracing.steps import read_step
from graphscope.tracing.trace import Trace
from tests.support.traces import CPU0, CPU1, EPOCH_NS, graph, metadata, trace


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


def test_a_row_that_is_taken_again_leaves_the_next_one() -> None:
    rows = [("a", "A", (), 0, 10), ("b", "B", (), 0, 20), ("c", "C", (), 0, 30), ("d", "D", (), 10, 15)]
    step = read_step(metadata({CPU0: [*rows, ("e", "E", (), 20, 5), ("f", "F", (), 25, 1)]}).step_stats)
    placed = rows_of([step])
    assert [placed[id(e)][1] for e in step.executions] == ["row 1", "row 2", "row 3", "row 1", "row 2", "row 1"]


# Groups


def test_costs_of_groups_to_the_last_number() -> None:
    """Two devices; one op whose work is known, one whose work is not; memory on one device alone."""
    step = metadata({CPU0: [("s/a", "A", (), 0, 4), ("s/b", "B", (), 4, 2)], CPU1: [("c", "C", (), 0, 3)]})
    step.step_stats.dev_stats[0].node_stats[0].memory.add(allocator_name="cpu", total_bytes=64).allocation_records.add(
        alloc_micros=EPOCH_NS // 1000, alloc_bytes=64
    )
    step.step_stats.dev_stats[0].node_stats[0].memory_stats.persistent_memory_size = 16
    traced = Trace(
        "model", [step], [1], graph(*((n, n[-1].upper(), ()) for n in ("s/a", "s/b", "c"))), flops={"s/a": 8}
    )
    found = report(traced)
    by_op = {row.name: (row.flops, row.flops_per_s, row.nodes, row.executions) for row in found.ops}
    assert by_op == {"A": (8, 2e6, 1, 1), "B": (None, None, 1, 1), "C": (None, None, 1, 1)}
    assert [(d.name, d.nodes, d.peak_bytes, d.persistent_bytes) for d in found.devices] == [
        (CPU0, 2, 64, 16),
        (CPU1, 1, 0, 0),
    ]
    assert [(row.name, row.depth, row.flops) for row in found.scopes] == [("s", 0, 8), ("", 0, None)]


# What an event file holds of a node


@pytest.mark.parametrize(("constants", "is_shown"), [(0, True), (1, True), (7, True), (8, False)])
def test_a_constant_is_shown_behind_a_few_others(constants: int, is_shown: bool) -> None:
    names = [f"c{i}" for i in range(constants)]
    nodes = [(name, "Const", names[i - 1 : i] if i else []) for i, name in enumerate(names)]
    drawn = graph(*nodes, ("end", "Neg", names[-1:]))
    shown = Shown(drawn, NodeNames(drawn.by_name), ())
    assert shown.node((*names, "end")[0]) == ("end" if is_shown else "")


def test_memory_and_outputs_of_a_node_are_kept() -> None:
    step = metadata({CPU0: [("a", "A", ["x"], 5, 2)]})
    [ran] = step.step_stats.dev_stats[0].node_stats
    ran.memory.add(allocator_name="cpu", total_bytes=80).allocation_records.add(alloc_micros=7, alloc_bytes=80)
    ran.memory_stats.persistent_memory_size = 16
    tensor = ran.output.add(slot=1).tensor_description
    tensor.dtype = 1
    for size in (4, 5):
        tensor.shape.dim.add(size=size)
    [(_, shown)] = board_steps(trace([step], graph(("x", "X", ()), ("a", "A", ["x"]))))
    [stat] = shown.step_stats.dev_stats[0].node_stats
    assert stat.timeline_label == "a = A(x)"
    [memory] = stat.memory
    assert (memory.total_bytes, stat.memory_stats.persistent_memory_size) == (80, 16)
    assert [(r.alloc_micros, r.alloc_bytes) for r in memory.allocation_records] == [(7, 80)]
    [output] = stat.output
    assert (output.slot, output.tensor_description.dtype) == (1, 1)
    assert [dim.size for dim in output.tensor_description.shape.dim] == [4, 5]
    assert output.tensor_description.allocation_description.requested_bytes == 80


@pytest.mark.parametrize("has_nanos", [False, True])
def test_nanoseconds_are_taken_where_they_are_told(has_nanos: bool) -> None:
    step = metadata({CPU0: [("a", "A", (), 0, 1)]})
    [ran] = step.step_stats.dev_stats[0].node_stats
    ran.scheduled_micros, ran.all_start_micros, ran.all_end_rel_micros = 3, 17, 5
    ran.scheduled_nanos, ran.all_start_nanos, ran.all_end_rel_nanos = (3100, 17200, 5300) if has_nanos else (0, 0, 0)
    [found] = read_step(step.step_stats).executions
    times = (found.scheduled_ns, found.start_ns, found.end_ns)
    assert times == ((3100, 17200, 22500) if has_nanos else (3000, 17000, 22000))


@pytest.mark.parametrize(("length", "is_found"), [(999, True), (1000, True), (1001, False)])
def test_only_long_names_are_not_what_rewriting_makes(length: int, is_found: bool) -> None:
    node = "a" * (length - 3)
    assert NodeNames({node}).node(f"{node}/_1") == (node if is_found else "")


@pytest.mark.parametrize(("words", "is_found"), [(2, True), (62, True), (63, True), (64, False)])
def test_a_bounded_number_of_spellings_is_tried(words: int, is_found: bool) -> None:
    """Each underscore may end the stage's name: so many spellings may be the node's. The given one is the first of 64."""
    name = "ArithmeticOptimizer/" + "_".join(f"w{number}" for number in range(words))
    last = f"w{words - 1}"
    assert NodeNames({last}).node(name) == (last if is_found else "")


def test_what_a_node_waited_for_is_seen_through_transfers() -> None:
    """A ``_Recv`` stands for what its ``_Send`` read; without one, only for the tensor's name. Control inputs send nothing."""
    ran = GraphDef()
    for name, kind, inputs, edge in (
        ("x", "X", [], ""),
        ("x/_1", "_Send", ["x:1", "^y"], "edge_x"),
        ("x/_2", "_Recv", [], "edge_x"),
        ("z/_3", "_HostRecv", [], "edge_z"),
        ("n/_4", "_HostSend", [], "edge_n"),
        ("n/_5", "_Recv", [], "edge_n"),
        ("a", "A", ["x/_2", "z/_3", "n/_5", "^x"], ""),
    ):
        node = ran.node.add(name=name, op=kind, device=CPU0, input=inputs)
        if edge:
            node.attr["tensor_name"].s = edge.encode()
    found = Partitions([ran])
    assert list(found.sources("a", ())) == ["edge_x", "x", "edge_z", "edge_n", "x"]
    assert list(found.sources("b", ["x/_2", "q/_7"])) == ["edge_x", "x", "q/_7", "q"]


def test_a_row_that_is_taken_again_is_not_free_meanwhile() -> None:
    rows = [("a", "A", (), 0, 10), ("b", "B", (), 0, 20), ("c", "C", (), 10, 15), ("d", "D", (), 12, 1)]
    step = read_step(metadata({CPU0: rows}).step_stats)
    placed = rows_of([step])
    assert [placed[id(e)][1] for e in step.executions] == ["row 1", "row 2", "row 1", "row 3"]


def test_known_work_that_took_no_time_has_no_speed() -> None:
    step = metadata({CPU0: [("a", "A", (), 0, 0)]})
    [row] = report(Trace("model", [step], [1], graph(("a", "A", ())), flops={"a": 8})).ops
    assert (row.depth, row.flops, row.flops_per_s) == (0, 8, None)


def test_transfers_are_not_placed() -> None:
    """The graphs that ran tell more nodes than the trace: a constant takes no time."""
    ran = GraphDef()
    for name, kind in (("a", "A"), ("one", "Const"), ("a/_1", "_Send"), ("a/_2", "_Recv")):
        ran.node.add(name=name, op=kind, device=CPU0)
    found = report(
        trace([metadata({CPU0: [("a", "A", (), 0, 1)]}, [ran])], graph(("a", "A", ()), ("one", "Const", ())))
    )
    assert [row.name for row in found.executed] == ["a", "one"]
    [device] = found.devices
    assert (device.placed, device.nodes) == (2, 1)


def test_an_op_that_is_scheduled_after_its_start_has_not_waited() -> None:
    step = metadata({CPU0: [("a", "A", (), 0, 1)]})
    step.step_stats.dev_stats[0].node_stats[0].scheduled_nanos += 5000
    events = json.loads(b"".join(chrome_trace(trace([step]))))["traceEvents"]
    assert [e["args"]["waited_us"] for e in events if e["ph"] == "X" and e["cat"] == "op"] == [0]


@pytest.mark.parametrize(
    ("untraced", "traced", "share"), [([2], [3], 0.5), ([], [3], None), ([2], [], None), ([0], [3], None)]
)
def test_what_tracing_costs_is_known_where_both_were_measured(
    untraced: list[float], traced: list[float], share: float | None
) -> None:
    step = metadata({CPU0: [("a", "A", (), 0, 1)]})
    found = report(Trace("model", [step], [1], untraced_us=untraced, traced_us=traced))
    assert found.overhead == share


def test_examples_are_counted_where_all_feeds_agree() -> None:
    def found(*shapes: tuple[int, ...], untraced: list[float]) -> tuple[int | None, float | None]:
        feeds = [Feed(f"x{i}:0", DataType.FLOAT, shape, "given") for i, shape in enumerate(shapes)]
        step = metadata({CPU0: [("a", "A", (), 0, 1)]})
        made = report(Trace("model", [step], [1], untraced_us=untraced, feeds=feeds))
        return made.examples, made.examples_per_s

    assert found((4, 2), (4,), (), untraced=[2]) == (4, 2e6)
    assert found((4, 2), (5,), untraced=[2]) == (None, None)
    assert found((), untraced=[2]) == (None, None)
    assert found((4,), untraced=[]) == (4, None)
    assert found((4,), untraced=[0]) == (4, None)


def test_what_took_no_time_takes_a_microsecond_where_scopes_are_side_by_side() -> None:
    rows = [("b/x", "A", (), 3, 0), ("a", "A", (), 1.5, 2), ("b/y", "A", (), 9, 0.4), ("c", "A", (), 4, 1)]
    placed = side_by_side({e.name: e for e in read_step(metadata({CPU0: rows}).step_stats).executions})
    first = min(e.start_ns for e in placed.values())
    assert first == EPOCH_NS + 1000, "the first begins where the first began, in whole microseconds"
    assert {name: (e.start_ns - first, e.end_ns - e.start_ns) for name, e in placed.items()} == {
        "a": (0, 2000),
        "b/x": (2000, 0),
        "b/y": (3000, 400),
        "c": (4000, 1000),
    }


@pytest.mark.parametrize("label", ["", "a", "a = A", "a = A(b", "a = Ab)", "A(b)"])
def test_a_label_of_another_form_tells_no_op(label: str) -> None:
    step = metadata({CPU0: [("a", "A", (), 0, 1)]})
    step.step_stats.dev_stats[0].node_stats[0].timeline_label = label
    [found] = read_step(step.step_stats).executions
    assert (found.name, found.op, found.inputs) == ("a", "", ())
