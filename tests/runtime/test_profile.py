"""Models are run with traces: what is reported is what TensorFlow measured, and all of it is shown in TensorBoard."""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope.analysis.ends.choose_outputs import choose_outputs
from graphscope.board.trace import dump_trace, read_trace
from graphscope.cli.terminal.wording import to_words
from graphscope.core.graph import Graph
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.formats import load
from graphscope.protos import NodeExecStats
from graphscope.runtime.config import Placing, SessionOptions
from graphscope.runtime.profile import trace
from graphscope.runtime.tensorflow import tensorflow
from graphscope.tracing.profile import report
from graphscope.tracing.step_stats import MEDIAN_STEP, board_median, board_steps, tag_of
from graphscope.tracing.trace import Trace
from graphscope.transforms.device_placement import parse_rule
from tests.support.fixture_files import FIXTURES, committed_models
from tests.support.traces import CPU0, CPU1
from tests.support.zoo_files import ZOO, needs_zoo
from tests.tracing.test_tracing import assert_adds_up

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
tf = tensorflow(native=True)
tf1 = tf.compat.v1

MODELS = committed_models()
TWO = SessionOptions(devices={"CPU": 2})
BATCH = 16


@functools.cache
def traced(name: str, is_training: bool) -> Trace:
    model, entry = load(FIXTURES / name), MODELS[name]
    outputs = model.collections["train_op"].names if is_training else [entry["output"]]
    feeds = {k: np.asarray(v) for k, v in entry["training_feeds" if is_training else "inference_feeds"].items()}
    if is_training:
        feeds["labels"] = np.arange(BATCH) % len(entry["digits"])
    return trace(model, outputs, feeds, steps=3, warmup=1, batch=BATCH, options=TWO)


RUNS = [(name, is_training) for name in MODELS for is_training in (False, True)]
IDS = [f"{name}-{'train' if is_training else 'infer'}" for name, is_training in RUNS]


@pytest.mark.parametrize(("name", "is_training"), RUNS, ids=IDS)
def test_of_every_fixture_the_whole_time_is_shown(name: str, is_training: bool) -> None:
    """As TensorBoard's Graphs page finds nodes: by exact name, constants and summaries drawn inside others."""
    found = traced(name, is_training)
    assert found.graph is not None
    drawn = drawn_nodes(load(FIXTURES / name).graph)
    for number, (tag, shown) in enumerate(board_steps(found)):
        stats = [(d.device, s) for d in shown.step_stats.dev_stats for s in d.node_stats]
        assert tag == tag_of(number + 1)
        assert {s.node_name for _, s in stats} <= drawn
        assert len({s.node_name for _, s in stats}) == len(stats)
        assert all(re.search(r"/device:\w+:\d+$", device) for device, _ in stats)
        whole = sum(e.wall_ns for e in found.steps[number].executions)
        assert sum(s.all_end_rel_nanos for _, s in stats) >= 0.99 * whole
        assert all(s.all_end_rel_micros > 0 for _, s in stats)
    ran = {e.name for step in found.steps for e in step.executions}
    _, median = board_median(found)
    in_graph = {name for name in ran if name in drawn}
    assert in_graph <= {s.node_name for d in median.step_stats.dev_stats for s in d.node_stats}
    assert {name for name in ran if not found.names.node(name)} <= {"_SOURCE"}
    assert_spans_are_sums([s for d in median.step_stats.dev_stats for s in d.node_stats])


def assert_spans_are_sums(stats: Sequence[NodeExecStats]) -> None:
    """Of each scope, from the first start to the last end, as the page colours it."""
    scopes: dict[str, list[NodeExecStats]] = {}
    for stat in stats:
        parts = stat.node_name.split("/")
        for depth in range(len(parts)):
            scopes.setdefault("/".join(parts[:depth]), []).append(stat)
    for inside in scopes.values():
        ends = max(s.all_start_micros + s.all_end_rel_micros for s in inside)
        assert ends - min(s.all_start_micros for s in inside) == sum(s.all_end_rel_micros for s in inside)


def drawn_nodes(graph: Graph) -> set[str]:
    return {
        node.name for node in graph if not re.search("Const", node.op) and not re.match("[a-zA-Z]+Summary", node.op)
    }


@pytest.mark.parametrize(("name", "is_training"), RUNS, ids=IDS)
def test_of_every_fixture_the_tables_add_up(name: str, is_training: bool) -> None:
    found = report(traced(name, is_training))
    assert_adds_up(found)
    raw = sum(e.wall_ns for step in traced(name, is_training).steps[:1] for e in step.executions)
    one = report(Trace("", traced(name, is_training).metadata[:1], [1], traced(name, is_training).graph))
    assert one.wall_us == pytest.approx(raw / 1000)
    assert 0 < found.critical.wall_us <= found.wall_us * 1.000001
    assert {row.device for row in found.executed} == {row.name for row in found.devices}
    assert sum(row.placed for row in found.devices) == sum(not row.within for row in found.executed)


def test_towers_run_on_both_devices() -> None:
    found = report(traced("towers", False))
    assert {row.name for row in found.devices} == {CPU0, CPU1}
    convolutions = {n.name: n.device for n in found.nodes if n.kernel.endswith("Conv2D")}
    assert convolutions
    assert all(device == (CPU1 if name.startswith("tower_1/") else CPU0) for name, device in convolutions.items())
    asked = {row.name: row for row in found.placement if row.requested}
    assert all(row.device.endswith(row.requested) for row in asked.values() if row.requested.startswith("/device"))
    assert len(asked) > 30


def test_loops_run_often() -> None:
    found = report(traced("rnn", False))
    costs = {node.name: node for node in found.nodes}
    assert costs["rnn/while/lstm_cell/BiasAdd"].executions == 28
    assert costs["rnn/while/lstm_cell/BiasAdd"].flops == 28 * (2 * BATCH * 92 * 256 + BATCH * 256)
    assert len(found.critical.nodes) < found.critical.executions
    shown = {
        s.node_name: s
        for _, m in list(board_steps(traced("rnn", False)))[:1]
        for s in m.step_stats.dev_stats[0].node_stats
    }
    first = traced("rnn", False).steps[0].executions
    whole = sum(e.wall_ns for e in first if e.name == "rnn/while/lstm_cell/BiasAdd")
    assert shown["rnn/while/lstm_cell/BiasAdd"].all_end_rel_nanos == whole


def test_what_is_fed_is_told() -> None:
    told = {feed.tensor: (feed.shape, feed.how) for feed in report(traced("convnet_slim", True)).feeds}
    assert told == {
        "keep_prob:0": ((), "given"),
        "labels:0": ((BATCH,), "given"),
        "input:0": ((BATCH, 784), "random"),
    }
    switched = report(trace(load(FIXTURES / "batchnorm"), ["predictions"], steps=1, warmup=1)).feeds
    assert {feed.tensor: feed.how for feed in switched} == {"is_training:0": "for inference", "input:0": "random"}


def test_train_steps_change_no_file(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(FIXTURES / "softmax", tmp_path / "copy"))
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in copy.rglob("*") if path.is_file()}
    found = report(trace(load(copy), ["train_step"], steps=1, warmup=1))
    assert any(row.kernel == "ApplyGradientDescent" for row in found.nodes)
    assert {p: hashlib.sha256(p.read_bytes()).digest() for p in copy.rglob("*") if p.is_file()} == before


# Beside TensorFlow's own numbers


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Trace]:
    """A convolution, its bias and a relu (which TensorFlow fuses), a matrix product, and a square."""
    rng = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        x = tf1.placeholder(tf.float32, [8, 12, 12, 3], name="x")
        filters = tf.constant(rng.random((3, 3, 3, 5), np.float32), name="net/filters")
        added = tf.nn.bias_add(
            tf.nn.conv2d(x, filters, 1, "SAME", name="net/conv"), tf.constant(rng.random(5, np.float32))
        )
        flat = tf.reshape(tf.nn.relu(added, name="net/relu"), [8, 720])
        product = tf.matmul(flat, tf.constant(rng.random((720, 7), np.float32)), name="fc/product")
        tf.square(product, name="fc/square")
    path = tmp_path_factory.mktemp("net") / "net.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return graph, trace(load(path), ["fc/square"], steps=2, warmup=1)


def test_flops_are_those_of_the_formulas(net: tuple[Any, Trace]) -> None:
    costs = {node.name: node for node in report(net[1]).nodes}
    bias = 8 * 12 * 12 * 5
    assert costs["net/relu"].kernel == "FusedConv2D"
    assert costs["net/relu"].covers == ("BiasAdd", "net/conv")
    assert costs["net/relu"].flops == 2 * (8 * 12 * 12 * 5) * (3 * 3 * 3) + bias + bias  # and the Relu itself
    assert costs["fc/product"].flops == 2 * 8 * 720 * 7
    assert costs["fc/square"].flops == 8 * 7
    assert costs["net/filters"].flops is None
    assert costs["fc/product"].flops_per_s == pytest.approx(80_640 / costs["fc/product"].times.wall_us * 1e6)


def test_times_and_flops_are_those_of_tensorflows_profiler(net: tuple[Any, Trace]) -> None:
    """Its times are of the kernel alone, in whole microseconds, one at least; ours count what is around it too."""
    graph, found = net
    theirs = profiled(graph, tf1.RunMetadata.FromString(found.metadata[-1].SerializeToString()))
    last = Trace("", found.metadata[-1:], [1], found.graph, flops=found.flops)
    ours = {node.name: node for node in report(last).nodes if node.name in theirs}
    assert {"net/relu", "fc/product", "net/filters", "Reshape"} <= ours.keys()
    kernels = {s.node_name: s for d in found.metadata[-1].step_stats.dev_stats for s in d.node_stats}
    for name, node in ours.items():
        micros, flops = theirs[name]
        assert micros <= node.times.wall_us + 1
        if name in kernels:
            assert node.times.wall_us * 1000 >= kernels[name].op_end_rel_nanos - kernels[name].op_start_rel_nanos
        if flops and not node.covers:
            assert node.flops == flops
    assert theirs["fc/product"][1] == 80_640


def profiled(graph: Any, metadata: Any) -> dict[str, tuple[int, int]]:
    builder = tf1.profiler.ProfileOptionBuilder
    options = builder(builder.time_and_memory()).with_empty_output().select(["micros", "float_ops"]).build()
    root = tf1.profiler.profile(graph, run_meta=metadata, cmd="scope", options=options)
    return {node.name: (node.exec_micros, node.float_ops) for node in walk(root)}


def walk(node: Any) -> Iterator[Any]:
    yield node
    for child in node.children:
        yield from walk(child)


# In and out of log directories


def test_tensorboard_reads_what_is_written(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = traced("towers", False)
    run = dump_trace(load(FIXTURES / "towers"), found, tmp_path)
    assert run.directory == tmp_path / "towers-profile"
    events = EventAccumulator(str(run.directory))
    events.Reload()
    tags = ["median of 3 steps", "step 0001", "step 0002", "step 0003"]
    assert sorted(events.Tags()["run_metadata"]) == tags
    assert events.Tags()["graph"]
    assert {node.name for node in events.Graph().node} == {node.name for node in load(FIXTURES / "towers").graph}
    assert {d.device for d in events.RunMetadata("step 0002").step_stats.dev_stats} == {CPU0, CPU1}
    assert MEDIAN_STEP.fullmatch(tags[0])
    assert dump_trace(load(FIXTURES / "towers"), found, tmp_path).replaced == 1


def test_what_was_written_reports_the_same(tmp_path: Path) -> None:
    for name in ("rnn", "towers"):
        found = traced(name, False)
        dump_trace(load(FIXTURES / name), found, tmp_path / name)
        ours, again = report(found), report(read_trace(tmp_path / name))
        assert again.steps == 3
        first = replace(found, metadata=found.metadata[:1], numbers=found.numbers[:1])  # of one step, sums are medians
        dump_trace(load(FIXTURES / name), first, tmp_path / f"{name}_first")
        assert report(read_trace(tmp_path / f"{name}_first")).wall_us == pytest.approx(report(first).wall_us, rel=1e-3)
        assert {d.name: d.peak_bytes for d in again.devices} == {d.name: d.peak_bytes for d in ours.devices}
        places = [{(row.name, row.op, row.device) for row in told.executed} for told in (ours, again)]
        assert places[0] == places[1] != set()


def test_somebody_elses_training(tmp_path: Path) -> None:
    """As TensorFlow's own writer logs it, raw: names of what really ran, and no step left out."""
    found = traced("convnet_slim", True)
    model = load(FIXTURES / "convnet_slim")
    with tf.Graph().as_default():
        writer = tf1.summary.FileWriter(str(tmp_path / "train"))
        meta = tf1.MetaGraphDef.FromString((FIXTURES / "convnet_slim/model.ckpt-12000.meta").read_bytes())
        writer.add_graph(None, graph_def=meta.graph_def)
        for number, metadata in zip((500, 600, 700), found.metadata):
            told = tf1.RunMetadata.FromString(metadata.SerializeToString())
            writer.add_run_metadata(told, f"step{number:05d}", number)
        writer.close()
    read = read_trace(tmp_path)
    assert list(read.numbers) == [500, 600, 700]
    assert read.graph is not None
    assert len(read.graph) == len(model.graph)
    ours, theirs = report(found), report(read)
    assert [(n.name, n.kernel, n.times) for n in theirs.nodes] == [(n.name, n.kernel, n.times) for n in ours.nodes]
    assert theirs.critical.wall_us == ours.critical.wall_us
    dump_trace(model, found, tmp_path)
    with pytest.raises(GraphscopeError, match="2 runs have traces"):
        read_trace(tmp_path)


@needs_zoo
def test_the_zoos_logs_hold_no_traces() -> None:
    for path in (ZOO / "events").rglob("*tfevents*"):
        with pytest.raises(GraphscopeError, match="no event file holds a traced run"):
            read_trace(path)


# Placing


def test_nodes_go_where_they_are_placed() -> None:
    rules = [parse_rule("inference=/cpu:1")]
    found = report(
        trace(
            load(FIXTURES / "softmax"),
            ["inference/prediction"],
            steps=1,
            warmup=1,
            options=TWO,
            placing=Placing(place=rules),
        )
    )
    placed = [row for row in found.placement if row.name.startswith("inference/")]
    assert len(placed) > 3
    assert all((row.requested, row.device) == ("/device:CPU:1", CPU1) for row in placed)
    ran = [row for row in found.executed if row.node.startswith("inference/") and not row.op.startswith("_")]
    assert ran
    assert all((row.requested, row.device) == ("/device:CPU:1", CPU1) for row in ran)


def test_nodes_beside_others_go_with_them() -> None:
    found = report(traced("partitioned", True))
    places = {row.name: row.device for row in found.placement}
    on_second = {name for name, device in places.items() if device == CPU1}
    assert on_second >= {"model/weights/part_1", "train_step/update_model/weights/part_1/ApplyGradientDescent"}


def test_devices_that_are_not_here() -> None:
    model = load(FIXTURES / "towers")
    strict = SessionOptions(soft_placement=False)
    with pytest.raises(GraphscopeError, match=r"/device:CPU:1, which is not available; available: CPU:0") as caught:
        report(trace(model, ["prediction"], steps=1, warmup=1, options=strict))
    assert "--clear-devices" in to_words(caught.value.hint)
    for options, placing in ((SessionOptions(), Placing()), (strict, Placing(clear_devices=True))):
        found = report(trace(model, ["prediction"], steps=1, warmup=1, options=options, placing=placing))
        assert {row.name for row in found.devices} == {CPU0}


def test_nothing_can_be_run() -> None:
    model = load(FIXTURES / "lenet5_0to4")
    with pytest.raises(UnknownNameError):
        trace(model, ["nowhere"])
    with pytest.raises(UnknownNameError):
        trace(model, ["softmax"], {"nowhere": np.zeros(1)})
    with pytest.raises(GraphscopeError, match="outside the valid range") as caught:
        trace(model, ["train/Adam"], batch=50)
    assert "random inputs may not suit the model" in to_words(caught.value.hint)


@needs_zoo
def test_functions_and_loops_of_the_zoo() -> None:
    """Calls whose bodies were put in their places, loops that were lowered: their time is on nodes of the graph."""
    mtcnn = {"min_size": 40.0, "thresholds": [0.6, 0.7, 0.7], "factor": 0.7}
    picture = np.random.default_rng(0).random((60, 60, 3), np.float32) * 255
    feeds = {"input": picture, **{k: np.asarray(v, np.float32) for k, v in mtcnn.items()}}
    keras = "saved_model/vespa-engine+vespa/tensorflow/batch_norm/saved"
    for path, outputs, given in (("frozen_pb/blaueck+tf-mtcnn/mtcnn.pb", ("prob",), feeds), (keras, (), {})):
        model = load(ZOO / path)
        found = report(trace(model, outputs or choose_outputs(model, ()).outputs, given, steps=2, warmup=1))
        assert set(found.unfound) <= {"_SOURCE"}
        assert_adds_up(found)
