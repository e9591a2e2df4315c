"""Traces made by hand are read right: names, times, memory, sums, the critical path."""

from __future__ import annotations

import math

import numpy as np
import pytest

from graphscope.core.graph import Graph
from graphscope.core.values.dtypes import DataType
from graphscope.protos import GraphDef, NodeExecStats, RunMetadata, StepStats
from graphscope.tracing.critical import critical_path
from graphscope.tracing.fused import covered_nodes, done_by, plain_op
from graphscope.tracing.memory import allocated_over_time, peak_bytes
from graphscope.tracing.names import NodeNames
from graphscope.tracing.partitions import Partitions, without_weights
from graphscope.tracing.profile import report
from graphscope.tracing.quantiles import times_of
from graphscope.tracing.report import Profile
from graphscope.tracing.step_stats import MEDIAN_STEP, Shown, board_device, board_median, board_steps
from graphscope.tracing.steps import read_step
from tests.support.traces import CPU0, CPU1, EPOCH_NS, graph, metadata, stat, trace

# Names

NODES = {
    *("input", "prob", "conv1/Conv2D", "conv1/bias", "a/mul", "x_1", "call", "while", "s/h", "strided_slice_7/stack"),
    *("gradients/Switch_2", "gradients/b_count", "concat_grad/ConcatOffset", "v/read", "a"),
}
NAMES = {
    "conv1/Conv2D": "conv1/Conv2D",
    "_arg_input_0_0": "input",
    "_arg_x_1_0_3": "x_1",
    "_retval_prob_0_0": "prob",
    "_recv_input_0": "input",
    "_send_prob_0": "prob",
    "v/read/_4": "v/read",
    "v/read_S3": "v/read",
    "edge_5_s/h": "s/h",
    "conv1/Conv2D-0-0-TransposeNHWCToNCHW-LayoutOptimizer": "conv1/Conv2D",
    "conv1/Conv2D-0-TransposeNHWCToNCHW-LayoutOptimizer": "conv1/Conv2D",
    "conv1/Conv2D-0-1-PermConstNHWCToNCHW-LayoutOptimizer": "conv1/Conv2D",
    "ConstantFolding/strided_slice_7/stack_const_axis": "strided_slice_7/stack",
    "ConstantFolding/concat_grad/ConcatOffset-folded-2": "concat_grad/ConcatOffset",
    "ConstantFoldingCtrl/gradients/Switch_2_1": "gradients/Switch_2",
    "ConstantFolding/gradients/b_count_enter": "gradients/b_count",
    "a/ArithmeticOptimizer/ReorderCastLikeAndValuePreserving_float_mul": "a/mul",
    "ConstantFolding/a/mul-matmul_fold": "a/mul",
    "conv1/Conv2D_mkl_reorder": "conv1/Conv2D",
    "Func/call/input/_3": "call",
    "Func/call/output_control_node/_9": "call",
    "call/inner/MatMul": "call",
    "while/merge/_10": "while",
    "while/body/_12/while/add": "while",
    "a/mul/_7": "a/mul",
    "_SOURCE": "",
    "_SINK": "",
    "other/node": "",
    "conv_2/x": "",
    "inputs": "",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_brought_back_to_the_graphs(name: str) -> None:
    assert NodeNames(NODES).node(name) == NAMES[name]


def test_a_long_hostile_name_is_no_work() -> None:
    for count in (20, 5000):
        assert NodeNames(NODES).node("ConstantFolding/ArithmeticOptimizer/a_b" * count + "/_1" * count) == ""


# Reading steps


def test_old_traces_tell_microseconds_alone() -> None:
    node = NodeExecStats(node_name="a", timeline_label="a = Add(b:1, ^c)", all_start_micros=17, all_end_rel_micros=5)
    stats = StepStats()
    stats.dev_stats.add(device="/cpu:0", node_stats=[node])
    [found] = read_step(stats).executions
    assert (found.start_ns, found.wall_ns, found.scheduled_ns) == (17_000, 5_000, 17_000)
    assert (found.op, found.inputs, found.device) == ("Add", ("b:1", "^c"), "/cpu:0")


def test_outputs_and_memory() -> None:
    node = stat("a", "MatMul", ["x"], 0, 3)
    output = node.output.add(slot=1)
    output.tensor_description.dtype = int(DataType.HALF)
    for size in (4, 25):
        output.tensor_description.shape.dim.add(size=size)
    node.memory.add(allocator_name="cpu", total_bytes=300).allocation_records.add(alloc_micros=1, alloc_bytes=300)
    node.memory.add(allocator_name="gpu_host", total_bytes=40)
    node.memory_stats.persistent_memory_size = 7
    stats = StepStats()
    stats.dev_stats.add(device=CPU0, node_stats=[node])
    [found] = read_step(stats).executions
    assert (found.outputs[0].slot, found.outputs[0].shape, found.outputs[0].size_bytes) == (1, (4, 25), 200)
    assert (found.allocated_bytes, found.persistent_bytes, found.allocations) == (340, 7, ((1000, 300),))
    output.tensor_description.allocation_description.requested_bytes = 256
    again = StepStats()
    again.dev_stats.add(device=CPU0, node_stats=[node])
    assert read_step(again).executions[0].output_bytes == 256


def test_a_gpus_streams_count_once_on_the_device_of_their_ops() -> None:
    gpu = "/job:localhost/replica:0/task:0/device:GPU:0"
    kernel = stat("conv1/Conv2D:Conv2D", "", (), 2, 50)
    kernel.timeline_label = "volta_gcgemm_64x32 regs:55 @@conv1/Conv2D:Conv2D#id=7#"
    bare = stat("fc/MatMul:MatMul", "", (), 60, 4)
    bare.timeline_label = "sgemm"
    result = RunMetadata()
    result.step_stats.dev_stats.add(device=gpu, node_stats=[stat("conv1/Conv2D", "Conv2D", ["x"], 0, 5)])
    for stream in ("stream:all", "stream:13", "memcpy"):
        result.step_stats.dev_stats.add(device=f"/device:GPU:0/{stream}", node_stats=[kernel, bare])
    executions = read_step(result.step_stats).executions
    assert [(e.name, e.op, e.device, e.stream, e.wall_ns) for e in executions] == [
        ("conv1/Conv2D", "Conv2D", gpu, "", 5_000),
        ("conv1/Conv2D", "Conv2D", gpu, "stream:all", 50_000),
        ("fc/MatMul", "MatMul", gpu, "stream:all", 4_000),
    ]
    nodes = graph(("x", "Placeholder", ()), ("conv1/Conv2D", "Conv2D", ["x"]), ("fc/MatMul", "MatMul", ["x", "x"]))
    found = report(trace([result], nodes))
    assert {n.name: n.times.wall_us for n in found.nodes} == {"conv1/Conv2D": 55, "fc/MatMul": 4}
    assert found.nodes[0].executions == 1
    [(_, shown)] = board_steps(trace([result], nodes))
    assert [d.device for d in shown.step_stats.dev_stats] == [gpu]
    assert {s.node_name: s.all_end_rel_micros for s in shown.step_stats.dev_stats[0].node_stats} == {
        "conv1/Conv2D": 55,
        "fc/MatMul": 4,
    }


def test_what_tasks_send_each_other() -> None:
    label = "[39.1KiB] [1.2Gb/s] edge_12_s/r from /job:worker/replica:0/task:1/device:CPU:0 to /job:worker/..."
    received = stat("RecvTensor", "", (), 0, 9)
    received.timeline_label = label
    stats = StepStats()
    stats.dev_stats.add(device=CPU0, node_stats=[received])
    [found] = read_step(stats).executions
    assert (found.name, found.op, found.inputs) == ("edge_12_s/r", "RecvTensor", ("s/r",))


# Costs


def test_medians_and_quartiles_are_numpys() -> None:
    for walls in ([7.0], [1, 2], [3, 1, 10], [5, 1, 4, 100, 2, 8.5, 3]):
        found = times_of(walls)
        assert (found.low_us, found.wall_us, found.high_us) == pytest.approx(np.percentile(walls, [25, 50, 75]))


STEPS = [
    metadata(
        {
            CPU0: [
                ("_SOURCE", "NoOp", (), 0, 1),
                ("_arg_x_0_0", "_Arg", (), 1, 2),
                ("net/a", "Mul", ["_arg_x_0_0"], 3, first),
                ("net/a", "Mul", ["_arg_x_0_0"], 200, 10),
                ("net/in/b", "Add", ["net/a"], 300, 20),
            ],
            CPU1: [("net/c", "Mul", ["net/in/b/_3"], 400, 40)],
        }
    )
    for first in (100, 30, 50)
]
NET = graph(
    ("x", "Placeholder", ()), ("net/a", "Mul", "xx"), ("net/in/b", "Add", ["net/a"]), ("net/c", "Mul", ["net/in/b"])
)


def test_medians_over_steps() -> None:
    costs = {node.name: node for node in report(trace(STEPS, NET)).nodes}
    a = costs["net/a"]
    assert (a.times.wall_us, a.times.low_us, a.times.high_us) == (60, 50, 85)
    assert (a.executions, a.op, a.kernel, a.device) == (2, "Mul", "Mul", CPU0)
    assert a.share == pytest.approx(60 / 123)
    assert (costs["x"].times.wall_us, costs["x"].kernel, costs["x"].op) == (2, "Arg", "Placeholder")
    assert not costs["_SOURCE"].is_found


def test_what_found_no_node_is_counted() -> None:
    found = report(trace(STEPS, NET))
    assert (found.unfound, found.unfound_stats) == (["_SOURCE"], 3)
    assert found.unfound_share == pytest.approx(1 / 123)
    assert (found.span.wall_us, found.steps) == (440, 3)


def test_all_tables_add_up() -> None:
    assert_adds_up(report(trace(STEPS, NET)))
    assert_adds_up(report(trace(STEPS)))


def assert_adds_up(found: Profile) -> None:
    for rows in (found.nodes, found.ops, [s for s in found.scopes if not s.depth], found.devices):
        assert math.fsum(row.times.wall_us for row in rows) == pytest.approx(found.wall_us)
        assert math.fsum(row.share for row in rows) == pytest.approx(1)
        assert math.fsum(row.times.low_us for row in rows) == pytest.approx(
            math.fsum(node.times.low_us for node in found.nodes)
        )
    for rows in (found.ops, [s for s in found.scopes if not s.depth]):
        assert sum(row.executions for row in rows) == sum(node.executions for node in found.nodes)
        assert sum(row.output_bytes for row in rows) == sum(node.output_bytes for node in found.nodes)


def test_scopes_are_a_tree() -> None:
    found = report(trace(STEPS, NET)).scopes
    assert [(s.name, s.depth, s.nodes, s.times.wall_us) for s in found] == [
        ("net", 0, 3, 120),
        ("net/in", 1, 1, 20),
        ("", 0, 2, 3),
    ]


def test_a_node_called_as_a_scope_is_counts_in_it() -> None:
    step = metadata({CPU0: [("split", "Split", (), 0, 5), ("split/dim", "Const", (), 0, 1)]})
    [scope] = report(trace([step])).scopes
    assert (scope.name, scope.nodes, scope.times.wall_us) == ("split", 2, 6)


def test_a_hostile_name_is_no_tower_of_scopes() -> None:
    found = report(trace([metadata({CPU0: [("a/" * 9000 + "b", "A", (), 0, 5), ("a", "A", (), 0, 1)]})])).scopes
    assert 40 < len(found) < 60
    assert (found[0].name, found[0].times.wall_us) == ("a", 6)


def test_a_step_in_which_a_node_did_not_run() -> None:
    steps = [
        metadata({CPU0: rows}) for rows in ([("a", "A", (), 0, 4)], [("b", "B", (), 0, 6)], [("b", "B", (), 0, 8)])
    ]
    assert {n.name: n.times.wall_us for n in report(trace(steps)).nodes} == {"a": 0, "b": 6}


def test_an_empty_trace() -> None:
    found = report(trace([RunMetadata()]))
    assert (found.nodes, found.wall_us, found.critical.nodes, found.span.wall_us) == ([], 0, [], 0)


# The critical path


def path_of(step: RunMetadata) -> list[str]:
    executions = read_step(step.step_stats).executions
    walls = {id(e): e.wall_ns for e in executions}
    return [e.name for e in critical_path(executions, Partitions(step.partition_graphs), walls)]


def test_the_longest_chain_not_the_last_op() -> None:
    diamond = [
        ("a", "A", (), 0, 10),
        ("short", "B", ["a"], 10, 5),
        ("long", "C", ["a:1"], 10, 50),
        ("join", "D", ["short", "long"], 60, 7),
        ("alone", "E", (), 0, 66),
        ("late", "F", ["short"], 90, 1),
    ]
    assert path_of(metadata({CPU0: diamond})) == ["a", "long", "join"]


def test_control_inputs_and_transfers_come_from_the_partition_graphs() -> None:
    first, second = GraphDef(), GraphDef()
    first.node.add(name="a", op="A", device=CPU0)
    first.node.add(name="b", op="B", device=CPU0, input=["^a"])
    send = first.node.add(name="b/_1", op="_Send", device=CPU0, input=["b:1"])
    receive = second.node.add(name="b/_2", op="_Recv", device=CPU1)
    second.node.add(name="c", op="C", device=CPU1, input=["b/_2"])
    for node in (send, receive):
        node.attr["tensor_name"].s = b"edge_9_b"
    ran = {CPU0: [("a", "A", (), 0, 10), ("b", "B", (), 20, 3)], CPU1: [("c", "C", ["b/_2"], 30, 4)]}
    assert path_of(metadata(ran)) == ["a"]  # without them nothing is known but labels
    assert path_of(metadata(ran, [first, second])) == ["a", "b", "c"]
    timed = {**ran, "/job:x": []}
    with_transfer = metadata(timed, [first, second])
    received = with_transfer.step_stats.dev_stats[2].node_stats.add(node_name="RecvTensor", all_end_rel_nanos=2000)
    received.all_start_nanos = EPOCH_NS + 24_000
    received.timeline_label = "[1B] [1Mb/s] edge_9_b from /job:a to /job:b"
    assert path_of(with_transfer) == ["a", "b", "edge_9_b", "c"]


def test_a_loop_unrolls_into_its_iterations() -> None:
    rounds = [
        row
        for i in range(4)
        for row in (
            ("merge", "Merge", ["enter", "next"], 10 + 10 * i, 1),
            ("body", "Mul", ["merge"], 11 + 10 * i, 5),
            ("next", "NextIteration", ["body"], 16 + 10 * i, 1),
        )
    ]
    step = metadata({CPU0: [("enter", "Enter", (), 0, 2), *rounds, ("exit", "Exit", ["merge"], 90, 1)]})
    assert path_of(step) == ["enter", *["merge", "body", "next"] * 4]
    found = report(trace([step])).critical
    assert found.wall_us == 2 + 4 * 7
    assert {n.name: (n.executions, n.wall_us) for n in found.nodes}["body"] == (4, 20)


def test_the_path_counts_with_medians() -> None:
    """In one step the machine did something else while ``a`` ran."""
    steps = [metadata({CPU0: [("a", "A", (), 0, wall), ("b", "B", (), 0, 20)]}) for wall in (500, 3, 4)]
    found = report(trace([*steps, steps[0]])).critical
    assert [(n.name, n.wall_us) for n in found.nodes] == [("a", 252)]
    assert [n.name for n in report(trace(steps)).critical.nodes] == ["b"]


# Fused kernels

CONV = graph(
    *(("x", "Placeholder", ()), ("w", "Const", ()), ("b", "Const", ())),
    *(
        ("conv", "Conv2D", "xw"),
        ("add", "BiasAdd", ["conv", "b"]),
        ("relu", "Relu", ["add"]),
        ("y", "Mul", ["relu", "w"]),
    ),
)


def test_a_fused_kernel_covers_what_did_not_run() -> None:
    assert covered_nodes(CONV, "relu", "_FusedConv2D", {"x", "w", "b", "relu", "y"}) == ("add", "conv")
    assert covered_nodes(CONV, "relu", "_FusedConv2D", {"x", "w", "b", "relu", "conv"}) == ("add",)
    assert covered_nodes(CONV, "relu", "_MklNativeRelu", {"x"}) == ()
    assert covered_nodes(CONV, "gone", "_FusedConv2D", ()) == ()
    assert done_by(CONV, "relu", "_MklNativeFusedConv2D", {"x", "relu"}) == ("relu", "add", "conv")
    assert done_by(CONV, "y", "Conv2D", {"x", "y"}) == ("conv",)  # the multiplication went into the weights
    assert done_by(CONV, "y", "Const", {"y"}) == ()
    assert done_by(CONV, "conv", "_MklNativeConv2D", {"conv"}) == ("conv",)


@pytest.mark.parametrize(
    ("kernel", "op"),
    {
        "_MklNativeFusedConv2D": "FusedConv2D",
        "_MklSoftmax": "Softmax",
        "_FusedMatMul": "FusedMatMul",
        "_Arg": "Arg",
    }.items(),
)
def test_kernels_without_their_marks(kernel: str, op: str) -> None:
    assert plain_op(kernel) == op
    assert plain_op(op) == op


# Memory


def test_peak_is_of_what_is_allocated_at_one_time() -> None:
    one, two = stat("a", "A", (), 0, 1), stat("b", "B", (), 0, 1)
    for node, records in ((one, [(1, 100), (9, -100)]), (two, [(5, 40), (9, 70), (12, -110)])):
        memory = node.memory.add(allocator_name="cpu")
        for when, size in records:
            memory.allocation_records.add(alloc_micros=when, alloc_bytes=size)
    stats = StepStats()
    stats.dev_stats.add(device=CPU0, node_stats=[one, two])
    executions = read_step(stats).executions
    over_time = [(1000, 100), (5000, 140), (9000, 40), (9000, 110), (12000, 0)]
    assert allocated_over_time(executions) == over_time
    assert peak_bytes(executions) == 140


# For TensorBoard


def test_each_node_is_one_stat_on_the_device_where_it_ran() -> None:
    loop = metadata({CPU0: [("a", "Mul", (), 10 * i, 3) for i in range(5)], CPU1: [("a/_4", "Copy", (), 90, 2)]})
    [(tag, shown)] = board_steps(trace([loop], graph(("a", "Mul", ()))))
    [device] = shown.step_stats.dev_stats
    [node] = device.node_stats
    assert (tag, device.device, node.node_name, node.all_end_rel_micros) == ("step 0001", CPU0, "a", 17)


def test_constants_and_summaries_are_shown_beside_them() -> None:
    shown_graph = graph(
        *(("x", "Placeholder", ()), ("c", "Const", ()), ("unused", "Const", ()), ("idle", "Add", ["x", "c"])),
        *(("y", "Mul", ["x", "c"]), ("loss", "ScalarSummary", ["y", "c"]), ("chain", "HostConst", ["c"])),
    )
    ran = [
        ("x", "_Arg", (), 0, 1),
        ("c", "Const", (), 0, 2),
        ("y", "Mul", (), 5, 4),
        ("loss", "ScalarSummary", (), 9, 3),
    ]
    made = trace([metadata({CPU0: ran})], shown_graph)
    shown = Shown(shown_graph, made.names, made.steps)
    assert [shown.node(name) for name in ("c", "loss", "unused", "y", "nowhere")] == ["y", "y", "", "y", ""]
    [(_, step)] = board_steps(made)
    assert {s.node_name: s.all_end_rel_micros for s in step.step_stats.dev_stats[0].node_stats} == {"x": 1, "y": 9}


def test_short_times_are_shown_and_old_devices_renamed() -> None:
    made = trace([metadata({"/job:a/replica:0/task:0/cpu:0": [("a", "Add", (), 0, 0.2)]})], graph(("a", "Add", ())))
    [(_, step)] = board_steps(made)
    assert step.step_stats.dev_stats[0].device == "/job:a/replica:0/task:0/device:CPU:0"
    assert step.step_stats.dev_stats[0].node_stats[0].all_end_rel_micros == 1
    assert board_device("/device:GPU:1") == "/device:GPU:1"


def test_the_start_of_a_step_counts_in_what_it_starts() -> None:
    """A node that only waits for another one, by a control input, is not started by it."""
    ran = GraphDef()
    for name, inputs in (("a", ()), ("b", ()), ("c", ("^a",)), ("d", ("a",))):
        ran.node.add(name=name, op="Op", device=CPU0, input=inputs)
    rows = [("_SOURCE", "NoOp", (), 0, 10), *((n, "Op", ["a"] if n == "d" else (), 20, 1) for n in "abcd")]
    made = trace([metadata({CPU0: rows}, [ran])], graph(*((n, "Op", ()) for n in "abcd")))
    [(_, step)] = board_steps(made)
    walls = {s.node_name: s.all_end_rel_micros for s in step.step_stats.dev_stats[0].node_stats}
    assert walls == {"a": 6, "b": 6, "c": 1, "d": 1}


def test_the_aggregated_step_takes_medians() -> None:
    tag, step = board_median(trace(STEPS, NET))
    walls = {s.node_name: s.all_end_rel_micros for d in step.step_stats.dev_stats for s in d.node_stats}
    assert walls == {"x": 3, "net/a": 60, "net/in/b": 20, "net/c": 40}  # _SOURCE starts x
    assert (tag, bool(MEDIAN_STEP.fullmatch(tag)), MEDIAN_STEP.fullmatch("step 0003")) == (
        "median of 3 steps",
        True,
        None,
    )


def test_partition_graphs_lose_their_weights() -> None:
    full = GraphDef()
    full.node.add(name="w", op="Const", device=CPU0).attr["value"].tensor.tensor_content = bytes(10_000)
    full.node.add(name="w/_1", op="_Send", device=CPU0, input=["w"]).attr["tensor_name"].s = b"edge_1_w"
    light = without_weights(full)
    assert light.ByteSize() < 300
    assert Partitions([light]).nodes == Partitions([full]).nodes
    [(_, step)] = board_steps(trace([metadata({CPU0: [("w", "Const", (), 0, 1)]}, [full])], Graph(GraphDef(), [])))
    assert [node.name for node in step.partition_graphs[0].node] == ["w", "w/_1"]
