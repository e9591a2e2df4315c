"""Costs, paths and timelines of nodes that run several times, under several names, or not at all: to the last number."""

from __future__ import annotations

import json
from typing import Any

import pytest

from graphscope.protos import GraphDef
from graphscope.tracing.chrome import chrome_trace
from graphscope.tracing.critical import Runs, critical_path, median_walls
from graphscope.tracing.fused import covered_nodes, done_by
from graphscope.tracing.groups import DEEPEST, by_scope
from graphscope.tracing.lanes import rows_of
from graphscope.tracing.memory import allocated_over_time, peak_bytes
from graphscope.tracing.partitions import Partitions
from graphscope.tracing.profile import report
from graphscope.tracing.step_stats import SOURCE, board_median, board_steps
from graphscope.tracing.steps import Step, read_step
from graphscope.tracing.trace import Trace
from tests.support.traces import CPU0, CPU1, EPOCH_NS, graph, metadata, trace

A = graph(("a", "A", ()), ("b", "B", ["a"]), ("c", "C", ["b"]))


def timeline(*steps: Any, of: Any = None) -> list[dict[str, Any]]:
    return list(json.loads(b"".join(chrome_trace(trace(steps, of))))["traceEvents"])


def with_output(step: Any, index: int, size: int) -> None:
    tensor = step.step_stats.dev_stats[0].node_stats[index].output.add().tensor_description
    tensor.dtype = 1
    tensor.shape.dim.add(size=size)


# What a node costs


def test_a_node_that_runs_several_times_in_a_step() -> None:
    step = metadata({CPU0: [("a", "A", (), 0, 2), ("a", "A", (), 2, 2), ("a", "B", (), 4, 3)]})
    with_output(step, 0, 5)
    with_output(step, 2, 9)
    [node] = report(Trace("model", [step], [1], A, flops={"a": 5})).nodes
    assert (node.executions, node.kernel, node.op, node.times.wall_us) == (3, "A", "A", 7)
    assert [(o.name, o.shape) for o in node.outputs] == [("a:0", (5,))]
    assert node.output_bytes == 4 * 14
    assert node.flops == 15
    assert node.flops_per_s == pytest.approx(15 / 7 * 1e6)
    assert node.share == 1


def test_what_is_put_around_a_node_counts_in_its_time_alone() -> None:
    rows = [
        ("a", "A", (), 0, 2),
        ("a/_1", "_Send", (), 2, 9),
        ("b/_3", "_Send", (), 11, 1),
        ("b/_5", "_Recv", (), 12, 4),
    ]
    found = report(
        Trace("model", [metadata({CPU0: [*rows, ("b/_5", "_Recv", (), 16, 1)]})], [1], A, flops={"a": 5, "b": 7})
    )
    assert [(n.name, n.kernel, n.executions, n.times.wall_us, n.flops) for n in found.nodes] == [
        ("a", "A", 1, 11, 5),
        ("b", "Recv", 2, 6, None),
    ]


def test_a_kernel_covers_what_ran_neither_in_the_trace_nor_in_the_partitions() -> None:
    drawn = graph(("x", "X", ()), ("c", "Conv2D", ["x"]), ("b", "BiasAdd", ["c"]), ("r", "Relu", ["b"]))
    fused = [("r", "_FusedConv2D", (), 0, 4)]
    ran = GraphDef()
    ran.node.add(name="r", op="_FusedConv2D", device=CPU0)
    [node] = report(trace([metadata({CPU0: fused}, [ran])], drawn)).nodes
    assert node.covers == ("b", "c")
    ran.node.add(name="c", op="Conv2D", device=CPU0)
    [node] = report(trace([metadata({CPU0: fused}, [ran])], drawn)).nodes
    assert node.covers == ("b",)
    nodes = report(trace([metadata({CPU0: [*fused, ("b", "BiasAdd", (), 4, 1)]})], drawn)).nodes
    assert {n.name: n.covers for n in nodes} == {"r": (), "b": ()}


@pytest.mark.parametrize(
    ("kernel", "covers", "done"),
    [
        ("Relu", (), ("r",)),
        ("_MklRelu", (), ("r",)),
        ("_FusedConv2D", ("b", "c"), ("r", "b", "c")),
        ("Conv2D", ("b", "c"), ("c",)),
        ("_MklConv2DWithBias", ("b", "c"), ()),
        ("Strange", (), ()),
    ],
)
def test_what_a_kernel_did(kernel: str, covers: tuple[str, ...], done: tuple[str, ...]) -> None:
    drawn = graph(("x", "X", ()), ("c", "Conv2D", ["x", "lost"]), ("b", "BiasAdd", ["c"]), ("r", "Relu", ["b"]))
    assert covered_nodes(drawn, "r", kernel, ()) == covers
    assert done_by(drawn, "r", kernel, ()) == done
    assert covered_nodes(drawn, "nowhere", kernel, ()) == ()


# The path


def test_runs_of_a_loop_are_compared_with_their_like() -> None:
    steps = [
        read_step(
            metadata({CPU0: [("a", "A", (), 0, first), ("a", "A", (), 50, second), ("b", "B", (), 90, 3)]}).step_stats
        )
        for first, second in ((1, 10), (2, 20), (6, 30))
    ]
    walls = median_walls(steps, steps[0])
    assert [walls[id(e)] for e in steps[0].executions] == [2000, 20_000, 3000]
    other = read_step(metadata({CPU1: [("a", "A", (), 0, 40)]}).step_stats)
    assert median_walls([*steps, other], other) == {id(other.executions[0]): 40_000}


def test_an_execution_does_not_wait_for_itself() -> None:
    executions = read_step(metadata({CPU0: [("a", "A", ["a"], 0, 0), ("b", "B", ["a"], 5, 1)]}).step_stats).executions
    runs = Runs(executions)
    assert [[p.name for p in runs.waited_for(e, Partitions(()))] for e in executions] == [[], ["a"]]
    assert [e.name for e in critical_path(executions, Partitions(()), {id(e): e.wall_ns for e in executions})] == [
        "a",
        "b",
    ]


def test_a_node_on_the_path_has_the_time_of_its_runs() -> None:
    rows = [("a", "A", (), 0, 2), ("b", "_MklB", ["a"], 2, 3), ("a", "A", ["b"], 5, 4), ("a/_1", "Send", ["a"], 9, 3)]
    found = report(trace([metadata({CPU0: [*rows, ("c", "C", ["a/_1"], 12, 1)]})], A)).critical
    assert (found.wall_us, found.executions) == (13, 5)
    assert [(n.name, n.kernel, n.device, n.executions, n.wall_us) for n in found.nodes] == [
        ("a", "A", CPU0, 2, 9),
        ("b", "B", CPU0, 1, 3),
        ("c", "C", CPU0, 1, 1),
    ]


# Placement


def test_what_ran_and_where_it_was_asked_for() -> None:
    drawn = graph(("x", "X", ()), ("c", "Conv2D", ["x"]), ("r", "Relu", ["c"]))
    drawn["c"].proto.device = "/gpu:0"
    drawn["r"].proto.device = "/gpu:1"
    ran = GraphDef()
    for name, op in (("x", "X"), ("r", "_FusedConv2D"), ("odd", "Odd")):
        ran.node.add(name=name, op=op, device=CPU0)
    step = metadata({CPU0: [("r", "_FusedConv2D", (), 0, 1)]}, [ran])
    found = report(trace([step], drawn)).executed
    assert [(p.name, p.node, p.op, p.requested, p.device, p.within) for p in found] == [
        ("x", "x", "X", "", CPU0, ""),
        ("r", "r", "_FusedConv2D", "/gpu:1", CPU0, ""),
        ("c", "c", "Conv2D", "/gpu:0", CPU0, "r"),
        ("odd", "", "Odd", "", CPU0, ""),
    ]
    without = report(trace([step])).executed
    assert [(p.name, p.node, p.requested) for p in without] == [("x", "", ""), ("r", "r", ""), ("odd", "", "")]


def test_what_found_no_node_is_counted_by_name() -> None:
    rows = [("a", "A", (), 0, 6), ("odd", "O", (), 6, 3), ("odd", "O", (), 9, 1)]
    found = report(trace([metadata({CPU0: rows}), metadata({CPU0: rows, CPU1: [("odd", "O", (), 0, 10)]})], A))
    assert (found.unfound, found.unfound_stats) == (["odd"], 5)
    assert found.unfound_share == pytest.approx(9 / 15)
    assert (found.steps, found.wall_us) == (2, 15)


# Groups


def test_scopes_are_followed_a_number_of_levels() -> None:
    names = ["/".join(["s"] * depth) + "/x" for depth in (DEEPEST, DEEPEST + 1, DEEPEST + 2)]
    rows = by_scope(report(trace([metadata({CPU0: [(n, "A", (), k, 1) for k, n in enumerate(names)]})])).nodes)
    assert [row.depth for row in rows] == list(range(DEEPEST + 1))
    assert [row.nodes for row in rows] == [3] * DEEPEST + [2]
    assert DEEPEST == 50


def test_scopes_by_cost_and_nodes_called_as_they_are() -> None:
    rows = [
        ("s", "A", (), 0, 1),
        ("s/t/x", "B", (), 1, 2),
        ("s/u", "C", (), 3, 5),
        ("z/x", "D", (), 8, 20),
        ("n", "E", (), 28, 4),
    ]
    found = by_scope(report(trace([metadata({CPU0: [*rows, ("s/t", "F", (), 40, 1)]})])).nodes)
    assert [(row.name, row.depth, row.nodes, row.times.wall_us) for row in found] == [
        ("z", 0, 1, 20),
        ("s", 0, 4, 9),
        ("s/t", 1, 2, 3),
        ("", 0, 1, 4),
    ]


def test_names_that_begin_alike_are_no_scopes() -> None:
    rows = [
        ("s/a", "A", (), 0, 1),
        ("s/ab", "B", (), 1, 2),
        ("a//b", "C", (), 3, 1),
        ("a/", "D", (), 4, 1),
        ("b", "E", (), 5, 9),
    ]
    found = by_scope(report(trace([metadata({CPU0: rows})])).nodes)
    assert [(row.name, row.depth, row.nodes) for row in found] == [("", 0, 1), ("s", 0, 2), ("a", 0, 2), ("a/", 1, 2)]


def test_known_work_of_nothing_is_nothing() -> None:
    step = metadata({CPU0: [("a", "A", (), 0, 2), ("b", "A", (), 2, 2)]})
    [row] = report(Trace("model", [step], [1], A, flops={"a": 0, "b": 8})).ops
    assert (row.flops, row.flops_per_s) == (8, 2e6)


def test_devices_by_cost_with_what_was_put_there() -> None:
    ran = GraphDef()
    for name in "abc":
        ran.node.add(name=name, op="A", device=CPU0)
    first = metadata({CPU0: [("a", "A", (), 0, 2)], CPU1: [("b", "B", (), 0, 3), ("b", "B", (), 3, 3)]}, [ran])
    second = metadata({CPU0: [("a", "A", (), 0, 2)]})
    for step, size in ((first, 64), (second, 32)):
        memory = step.step_stats.dev_stats[0].node_stats[0].memory.add()
        memory.allocation_records.add(alloc_micros=EPOCH_NS // 1000, alloc_bytes=size)
        step.step_stats.dev_stats[0].node_stats[0].memory_stats.persistent_memory_size = size
    found = report(trace([first, second], A)).devices
    assert [
        (d.name, d.placed, d.nodes, d.executions, d.times.wall_us, d.peak_bytes, d.persistent_bytes) for d in found
    ] == [
        (CPU1, 1, 1, 2, 3, 0, 0),
        (CPU0, 3, 1, 1, 2, 64, 64),
    ]
    assert [d.share for d in found] == [pytest.approx(0.6), pytest.approx(0.4)]


def test_frees_of_one_moment_come_first() -> None:
    step = metadata({CPU0: [("a", "A", (), 0, 1), ("b", "B", (), 1, 1)]})
    for index, records in enumerate(([(1, 10), (5, 7)], [(5, -10), (6, 2)])):
        memory = step.step_stats.dev_stats[0].node_stats[index].memory.add()
        for when, size in records:
            memory.allocation_records.add(alloc_micros=when, alloc_bytes=size)
    executions = read_step(step.step_stats).executions
    assert allocated_over_time(executions) == [(1000, 10), (5000, 0), (5000, 7), (6000, 9)]
    assert peak_bytes(executions) == 10
    assert peak_bytes([]) == 0


# Timelines


def test_an_empty_step_has_no_span() -> None:
    events = timeline(metadata({CPU0: [("a", "A", (), 7, 2)]}), metadata({}))
    assert [(e["name"], e["ts"], e["dur"]) for e in events if e["ph"] == "X"] == [("step 0001", 0, 2), ("A", 0, 2)]
    empty = Step(())
    assert (empty.start_ns, empty.span_ns) == (0, 0)


def test_arrows_leave_before_they_arrive_and_of_one_moment_all_leave_first() -> None:
    rows = [("a", "A", (), 0, 10), ("b", "B", ["a"], 15, 1), ("d", "A", (), 0, 20.5), ("e", "A", (), 0, 20.5)]
    events = timeline(metadata({CPU0: [*rows, ("c", "C", ["d", "e"], 20, 5)]}))
    arrows = [(e["ph"], e["name"], e["ts"]) for e in events if e["ph"] in "sf"]
    assert arrows == [
        ("s", "a", 9.999),
        ("f", "a", 15),
        ("s", "d", 20),
        ("s", "e", 20),
        ("f", "d", 20),
        ("f", "e", 20),
    ]
    short = timeline(metadata({CPU0: [("a", "A", (), 5, 0), ("b", "B", ["a"], 6, 1)]}))
    assert [(e["ph"], e["ts"]) for e in short if e["ph"] in "sf"] == [("s", 0), ("f", 1)]


def test_events_tell_the_graphs_node_and_the_traces_name() -> None:
    rows = [("a/_1", "_Send", (), 0, 2), ("odd", "", (), 2, 1)]
    events = {e["args"]["name"]: e for e in timeline(metadata({CPU0: rows}), of=A) if e.get("cat") == "op"}
    assert [(name, e["name"], e["args"]["node"]) for name, e in events.items()] == [
        ("a/_1", "_Send", "a"),
        ("odd", "odd", "odd"),
    ]


def test_threads_and_streams_have_rows_of_their_own() -> None:
    step = metadata({CPU0: [("a", "A", (), 0, 9), ("b", "B", (), 1, 9)], CPU1: [("c", "C", (), 0, 1)]})
    for number, ran in enumerate(step.step_stats.dev_stats[0].node_stats):
        ran.thread_id = number * 7
    read = read_step(step.step_stats)
    placed = rows_of([read])
    assert {e.name: placed[id(e)] for e in read.executions} == {
        "a": (CPU0, "thread 0"),
        "b": (CPU0, "thread 7"),
        "c": (CPU1, "row 1"),
    }
    gpu = read_step(
        metadata(
            {"/device:GPU:0": [("a", "A", (), 0, 1)], "/device:GPU:0/stream:13": [("a:A", "", (), 0, 5)]}
        ).step_stats
    )
    assert sorted(rows_of([gpu]).values()) == [("/device:GPU:0", "row 1"), ("/device:GPU:0", "stream:13")]


# What an event file holds


def test_the_start_of_a_step_is_shared_by_what_it_starts() -> None:
    rows = [(SOURCE, "", (), 0, 9), ("a", "A", (), 9, 4), ("b", "B", ["a"], 13, 2), ("c", "C", (), 13, 1)]
    [(_, shown)] = board_steps(trace([metadata({CPU0: rows, CPU1: [("c", "C", (), 20, 1)]})], A))
    walls = {s.node_name: s.all_end_rel_nanos for d in shown.step_stats.dev_stats for s in d.node_stats}
    assert walls == {"a": 4000 + 4500, "b": 2000, "c": 1000 + 1000 + 4500}
    [(_, alone)] = board_steps(
        trace([metadata({CPU0: [(SOURCE, "", (), 0, 9), ("b", "B", ["a"], 9, 2), ("c", "C", ["b"], 11, 1)]})], A)
    )
    [device] = alone.step_stats.dev_stats
    assert {s.node_name: s.all_end_rel_nanos for s in device.node_stats} == {"b": 11_000, "c": 1000}


def test_a_node_is_shown_where_it_gave_something_under_its_own_name() -> None:
    step = metadata({CPU0: [("a/_1", "_Send", (), 0, 9), ("a", "A", ["x"], 9, 1), ("a", "A2", ["y"], 10, 3)]})
    with_output(step, 1, 3)
    for index, size in enumerate((10, 20, 30)):
        ran = step.step_stats.dev_stats[0].node_stats[index]
        ran.scheduled_nanos -= 500 * index
        ran.memory.add(total_bytes=size).allocation_records.add(alloc_micros=9 - index, alloc_bytes=size)
        ran.memory_stats.persistent_memory_size = size
    [(_, shown)] = board_steps(trace([step], A))
    [stat] = shown.step_stats.dev_stats[0].node_stats
    assert stat.timeline_label == "a = A(x)"
    assert (stat.all_start_nanos, stat.all_end_rel_nanos) == (EPOCH_NS + 9000, 13_000)
    assert stat.scheduled_nanos == EPOCH_NS
    assert (stat.memory[0].total_bytes, stat.memory_stats.persistent_memory_size) == (60, 60)
    assert [(r.alloc_micros, r.alloc_bytes) for r in stat.memory[0].allocation_records] == [(7, 30), (8, 20), (9, 10)]


def test_a_step_of_medians_counts_what_did_not_run_as_nothing() -> None:
    steps = [
        metadata({CPU0: [("a", "A", (), 0, wall), *([("b", "B", (), 50, wall)] if wall > 1 else [])]})
        for wall in (1, 4, 9)
    ]
    tag, shown = board_median(trace(steps, A))
    assert tag == "median of 3 steps"
    assert {s.node_name: s.all_end_rel_nanos for s in shown.step_stats.dev_stats[0].node_stats} == {
        "a": 4000,
        "b": 4000,
    }
    assert board_median(trace(steps))[1].step_stats.dev_stats == board_median(trace([]))[1].step_stats.dev_stats
    assert list(board_steps(trace(steps))) == []


# What a trace may tell


def test_numbers_below_nothing_are_nothing() -> None:
    step = metadata({CPU0: [("a", "A", (), 5, -3), ("b", "B", (), 6, 0)]})
    for ran, size in zip(step.step_stats.dev_stats[0].node_stats, (-7, 0), strict=True):
        ran.memory.add(total_bytes=size)
        ran.memory.add(total_bytes=40)
        ran.memory_stats.persistent_memory_size = size
        output = ran.output.add().tensor_description
        output.dtype = 7
        output.shape.dim.add(size=3)
    for found in read_step(step.step_stats).executions:
        assert (found.wall_ns, found.allocated_bytes, found.persistent_bytes, found.output_bytes) == (0, 40, 0, 0)


def test_a_stream_belongs_to_the_device_of_its_name() -> None:
    gpu = "/job:localhost/replica:0/task:0/device:GPU:1"
    step = metadata(
        {CPU0: [("x", "X", (), 0, 1)], gpu: [("a", "A", (), 0, 1)], "/device:GPU:1/stream:3": [("a:A", "", (), 1, 5)]}
    )
    step.step_stats.dev_stats.add(
        device="/device:GPU:9/memcpy",
        node_stats=metadata({CPU0: [("c:C", "", (), 2, 1)]}).step_stats.dev_stats[0].node_stats,
    )
    found = {(e.name, e.stream): e.device for e in read_step(step.step_stats).executions}
    assert found == {("x", ""): CPU0, ("a", ""): gpu, ("a", "stream:3"): gpu, ("c", "memcpy"): "/device:GPU:9"}


def test_the_shape_of_a_scalar_is_told_too() -> None:
    step = metadata({CPU0: [("a", "A", (), 0, 1)]})
    step.step_stats.dev_stats[0].node_stats[0].output.add().tensor_description.dtype = 1
    [(_, shown)] = board_steps(trace([step], A))
    [output] = shown.step_stats.dev_stats[0].node_stats[0].output
    assert output.tensor_description.HasField("shape")


@pytest.mark.parametrize(("wall_ns", "median_ns"), [(3, 2), (5, 2)])
def test_a_median_with_a_step_in_which_a_node_did_not_run(wall_ns: int, median_ns: int) -> None:
    steps = [metadata({CPU0: [("a", "A", (), 0, 9), *more]}) for more in ([("b", "B", (), 1, wall_ns / 1000)], [])]
    _, shown = board_median(trace(steps, A))
    assert {s.node_name: s.all_end_rel_nanos for s in shown.step_stats.dev_stats[0].node_stats} == {
        "a": 9000,
        "b": median_ns,
    }


def test_time_counts_from_the_first_of_several_steps() -> None:
    events = timeline(metadata({CPU0: [("a", "A", (), 50, 2)]}), metadata({CPU0: [("a", "A", (), 90, 3)]}))
    assert [(e["name"], e["ts"]) for e in events if e["ph"] == "X"] == [
        ("step 0001", 0),
        ("A", 0),
        ("step 0002", 40),
        ("A", 40),
    ]
    short = timeline(metadata({CPU0: [("a", "A", (), 5, 0), ("b", "B", ["a"], 6, 1)]}))
    assert [(e["ph"], e["name"]) for e in short if e.get("ts") == 0][-2:] == [("X", "A"), ("s", "a")]


def test_a_run_that_takes_no_time_does_not_wait_for_itself() -> None:
    rows = [("a", "A", (), 0, 3), ("a", "A", ["a"], 5, 0)]
    executions = read_step(metadata({CPU0: rows}).step_stats).executions
    assert list(Runs(executions).waited_for(executions[1], Partitions(()))) == []


def test_a_node_on_the_path_is_called_by_what_took_longest() -> None:
    rows = [("a", "A", (), 0, 2), ("a/_1", "_Send", ["a"], 2, 9), ("c", "C", ["a/_1"], 11, 1)]
    found = report(trace([metadata({CPU0: rows})], A)).critical
    assert [(n.name, n.kernel, n.executions, n.wall_us) for n in found.nodes] == [
        ("a", "Send", 1, 11),
        ("c", "C", 1, 1),
    ]
