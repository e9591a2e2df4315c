"""Event files as models: those of TensorFlow's own writers, of the zoo, cut short and damaged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import graphscope
from graphscope.board.writer import EventWriter
from graphscope.cli.terminal.wording import to_words
from graphscope.core.model import Model, ModelKind
from graphscope.core.values.payload import CHUNK_BYTES, AbsentPayload
from graphscope.errors import CorruptFileError, FileError, IncompleteModelError
from graphscope.formats.events.event_file import _TRACED_WORD, GRAPH, SUMMARY, Part, holds_traces, run_metadata
from graphscope.formats.events.logged_graph import TOO_LARGE
from graphscope.formats.events.scalars import scalars_in
from graphscope.formats.io.records import Record, records
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.payloads import EncodedPayload
from graphscope.protos import Event, GraphDef, NodeDef, RunMetadata
from tests.support.board_logs import accumulated
from tests.support.fixture_files import FIXTURES
from tests.support.graphs import const, graph_of, v1
from tests.support.running import serialized, tf
from tests.support.zoo_files import needs_zoo, zoo_files, zoo_id

BIG = np.random.default_rng(0).standard_normal((50, 100)).astype(np.float32)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training's log: graph, meta graph, two traces, a scalar."""
    directory = tmp_path_factory.mktemp("logs") / "run"  # what is above it is read as well
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 50], name="x")
        y = tf.nn.softmax(x @ tf.constant(BIG, name="big"), name="y")
        v1.add_to_collection("losses", tf.reduce_sum(y, name="loss"))
        with v1.summary.FileWriter(str(directory), session.graph) as writer:
            for step in (1, 2):
                trace = v1.RunMetadata()
                full = v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE)
                session.run(y, {x: np.ones((step, 50), np.float32)}, options=full, run_metadata=trace)
                writer.add_run_metadata(trace, f"step {step}", step)
            writer.add_summary(v1.Summary(value=[v1.Summary.Value(tag="a", simple_value=1)]), 2)
    return directory


def event_file(directory: Path) -> Path:
    [file] = directory.iterdir()
    return file


def the_graph(model: Model) -> GraphDef:
    return GraphDef.FromString(serialized(model.graph))


# What TensorFlow writes


def test_the_meta_graph_is_taken(logged: Path) -> None:
    file = event_file(logged)
    model = graphscope.load(file)
    log = accumulated(logged)
    assert (model.kind, model.path, model.notes) == (ModelKind.EVENT_FILE, str(file), ())
    assert the_graph(model) == log.MetaGraph().graph_def
    assert list(model.collections) == ["losses"]
    assert model.meta.meta_info_def.tensorflow_version == tf.__version__


def test_weights_stay_in_the_file(logged: Path) -> None:
    payload = graphscope.load(logged).graph["big"].tensor()
    assert isinstance(payload, EncodedPayload)
    assert payload.content is not None
    np.testing.assert_array_equal(payload.numpy(), BIG)


def test_a_graph_alone(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph, v1.summary.FileWriter(str(tmp_path)) as writer:
        tf.constant(BIG, name="big")
        writer.add_event(v1.Event(graph_def=graph.as_graph_def().SerializeToString()))
    model = graphscope.load(tmp_path)
    assert the_graph(model) == accumulated(tmp_path).Graph()
    assert not model.meta.ByteSize()
    payload = model.graph["big"].tensor()
    assert payload is not None
    np.testing.assert_array_equal(payload.numpy(), BIG)


@pytest.mark.parametrize("count", [1, 2])
def test_traced_functions(tmp_path: Path, count: int) -> None:
    """``trace_export`` of TensorFlow 2; of several functions each has a scope of its own, as in TensorBoard."""
    from tensorboard.plugins.graph.graph_util import merge_graph_defs

    inner = tf.function(lambda x: tf.nn.relu(x @ x), autograph=False)
    outer = tf.function(lambda x: inner(x) + 1.0, autograph=False)
    writer = tf.summary.create_file_writer(str(tmp_path))
    tf.summary.trace_on(graph=True)
    for function in (outer, inner)[:count]:
        function(tf.ones((2, 2)))
    with writer.as_default():
        tf.summary.trace_export("traced", step=3)
    writer.close()
    data = accumulated(tmp_path).Tensors("traced")[0].tensor_proto.string_val[0]
    merged = merge_graph_defs([g.pre_optimization_graph for g in RunMetadata.FromString(data).function_graphs])
    graph = the_graph(graphscope.load(tmp_path))
    assert [(n.name, n.op, list(n.input)) for n in graph.node] == [(n.name, n.op, list(n.input)) for n in merged.node]
    assert len(graph.node) > 5
    assert len(graph.library.function) == 1
    assert list(run_metadata(tmp_path)) == []  # graphs, and no trace


def test_the_last_of_several_graphs(tmp_path: Path) -> None:
    with EventWriter(tmp_path) as writer:
        for name in ("first", "second"):
            writer.graph(graph_of(const(name, 1)))
    model = graphscope.load(tmp_path)
    assert [node.name for node in model.graph] == ["second"]
    assert model.notes == (f"2 graphs in {event_file(tmp_path)}: using the last",)


def write_events(path: Path, *events: Event) -> None:
    with EventWriter(path.parent) as writer:
        for event in events:
            writer.add(event)
    os.replace(writer.path, path)


def test_the_latest_file_with_a_graph(tmp_path: Path) -> None:
    files = [tmp_path / f"events.out.tfevents.{i}00.host" for i in range(1, 4)]
    for number, file in enumerate(files[:2]):
        write_events(file, Event(graph_def=serialized(graph_of(const(f"n{number}", 1)))))
    write_events(files[2], Event(step=1))
    model = graphscope.load(tmp_path)
    assert model.path == str(files[1])
    assert [node.name for node in model.graph] == ["n1"]
    assert model.notes == (f"3 event files in {tmp_path}: {files[1].name}, the latest with a graph, is used",)


def test_a_checkpoint_comes_first(tmp_path: Path, logged: Path) -> None:
    """A training's directory has both."""
    for file in [*(FIXTURES / "softmax" / "v1").iterdir(), event_file(logged)]:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert graphscope.load(tmp_path).kind is not ModelKind.EVENT_FILE


def test_runs_below_are_named(tmp_path: Path) -> None:
    with EventWriter(tmp_path / "train") as writer:
        writer.graph(graph_of(const("a", 1)))
    with pytest.raises(FileError, match="no model here, but 1 below it") as error:
        graphscope.load(tmp_path)
    assert to_words(error.value.hint) == f"graphscope info {tmp_path / 'train'}"


# Run metadata


def test_run_metadata_of_a_file_and_of_directories(logged: Path) -> None:
    file = event_file(logged)
    for place in (file, logged, logged.parent):
        found = [t for t in run_metadata(place) if t.path == file]
        assert [(t.tag, t.step) for t in found] == [("step 1", 1), ("step 2", 2)]
    log = accumulated(logged)
    for tagged in run_metadata(logged):
        [event] = log.Tensors(tagged.tag)
        assert event.tensor_proto.string_val == [tagged.data]
        names = {n.node_name for d in tagged.metadata().step_stats.dev_stats for n in d.node_stats}
        assert "y" in names


def test_run_metadata_of_tensorflow_2(tmp_path: Path) -> None:
    value: Any = tf.compat.v1.Summary.Value(tag="profile")
    value.metadata.plugin_data.plugin_name = "graph_run_metadata"
    value.tensor.CopyFrom(tf.make_tensor_proto([b"\x0a\x00"]))
    with EventWriter(tmp_path) as writer:
        writer.add(Event(step=4, summary={"value": []}))
        event = tf.compat.v1.Event(step=5, summary=tf.compat.v1.Summary(value=[value]))
        writer.add(Event.FromString(event.SerializeToString()))
    [tagged] = run_metadata(tmp_path)
    assert (tagged.tag, tagged.step, tagged.data) == ("profile", 5, b"\x0a\x00")
    assert tagged.metadata().HasField("step_stats")


def test_no_run_metadata(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no event file here"):
        list(run_metadata(tmp_path))
    with EventWriter(tmp_path) as writer:
        writer.add(Event(step=1, tagged_run_metadata={"tag": "t", "run_metadata": b"\xff"}))
    [tagged] = run_metadata(tmp_path)
    with pytest.raises(CorruptFileError, match="t: not a valid RunMetadata"):
        tagged.metadata()


@pytest.mark.parametrize(
    "before", [0, 1, CHUNK_BYTES - len(_TRACED_WORD), CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES - 3]
)
def test_traces_are_noticed_wherever_they_are_named(before: int, tmp_path: Path) -> None:
    """A long summary is looked through piece by piece, and no further than it reaches."""
    (tmp_path / "f").write_bytes(b"--" + b"x" * before + _TRACED_WORD + b"--")
    source, end = FileSource(tmp_path / "f"), 2 + before + len(_TRACED_WORD)
    record = Record(0, source.size)
    assert holds_traces(source, Part(SUMMARY, 2, end, record))
    assert not holds_traces(source, Part(SUMMARY, 2, end - 1, record))
    assert not holds_traces(source, Part(SUMMARY, 3 + before, end, record))
    assert not holds_traces(source, Part(GRAPH, 2, end, record))


# Weights that were not logged


def test_weights_that_were_left_out_are_no_zeros(tmp_path: Path) -> None:
    original = graphscope.load(FIXTURES / "lenet5" / "frozen.pb")
    with EventWriter(tmp_path / "log") as writer:
        writer.graph(original.graph)
    model = graphscope.load(tmp_path / "log")
    payload = model.graph["fc1/weights"].tensor()
    assert isinstance(payload, AbsentPayload)
    assert payload.shape == (400, 120)
    for read in (payload.numpy, lambda: graphscope.save(model, tmp_path / "x.pb")):
        with pytest.raises(IncompleteModelError, match="its values were left out when the graph was logged"):
            read()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    kept = model.graph["fc3/biases"].tensor()
    there = original.graph["fc3/biases"].tensor()
    assert kept is not None
    assert there is not None
    np.testing.assert_array_equal(kept.numpy(), there.numpy())


def unlogged(name: str, keys: list[bytes], sizes: list[int], content: bytes = b"") -> NodeDef:
    node = NodeDef(name=name, op="Const")
    tensor = node.attr["value"].tensor
    tensor.dtype, tensor.tensor_content = 1, content
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)
    node.attr["other"].tensor.CopyFrom(tensor)
    node.attr["number"].i = 3
    node.attr[TOO_LARGE].list.s.extend(keys)
    return node


def test_which_tensors_were_left_out(tmp_path: Path) -> None:
    """Those that are named, are tensors, and have no content; in functions too."""
    graph = GraphDef(node=[unlogged("n", [b"value", b"number", b"none", b"\xff"], [2, -1, 0])])
    graph.node.append(unlogged("kept", [b"value"], [2], b"12345678"))
    graph.node.append(unlogged("plain", [], [2]))
    function = graph.library.function.add(node_def=[unlogged("inner", [b"other", b"value"], [3])])
    function.signature.name = "f"
    with EventWriter(tmp_path) as writer:
        writer.add(Event(graph_def=graph.SerializeToString()))
    model = graphscope.load(tmp_path)
    found = {
        node.name: {key: (payload.dtype.label, payload.shape) for key, payload in node.payloads.items()}
        for node in [*model.graph, *model.graph.functions["f"].nodes]
    }
    assert found == {
        "n": {"value": ("float32", (2, 0, 0))},
        "kept": {},
        "plain": {},
        "inner": {"other": ("float32", (3,)), "value": ("float32", (3,))},
    }
    assert set(model.graph["n"].attrs) == {"value", "other", "number", TOO_LARGE}


# Scalars


def test_which_values_are_scalars(tmp_path: Path) -> None:
    """What its first value says of a tag holds for the later ones; what is no number is none."""
    tensor_values: dict[str, list[tuple[str, Any]]] = {
        "said once": [("scalars", np.float32(1.5)), ("", np.float64(2.5)), ("", np.int64(3))],
        "unsaid": [("", np.float32(1))],
        "another": [("histograms", np.float32(1))],
        "long": [("scalars", np.ones(1, np.float32))],
        "text": [("scalars", np.array(b"x", object))],
        "complex": [("scalars", np.complex64(1))],
        "truth": [("scalars", np.bool_(True))],
        "narrow": [("scalars", ml_dtypes.bfloat16(0.5)), ("", np.float16(0.25)), ("", np.uint8(7))],
    }
    events = []
    for tag, values in tensor_values.items():
        for step, (plugin, number) in enumerate(values):
            value = v1.Summary.Value(tag=tag)
            value.metadata.plugin_data.plugin_name = plugin
            value.tensor.CopyFrom(tf.make_tensor_proto(number))
            events.append(v1.Event(step=step, wall_time=step + 0.5, summary=v1.Summary(value=[value])))
    plain = v1.Summary(value=[v1.Summary.Value(tag="a", simple_value=1.25), v1.Summary.Value(tag="b", simple_value=2)])
    events += [v1.Event(step=9, graph_def=b""), v1.Event(step=7, wall_time=3, summary=plain)]
    with EventWriter(tmp_path) as writer:
        for event in events:
            writer.add(Event.FromString(event.SerializeToString()))
    notes: list[str] = []
    assert list(scalars_in(event_file(tmp_path), notes)) == [
        ("said once", 0, 0.5, 1.5),
        ("said once", 1, 1.5, 2.5),
        ("said once", 2, 2.5, 3.0),
        ("narrow", 0, 0.5, 0.5),
        ("narrow", 1, 1.5, 0.25),
        ("narrow", 2, 2.5, 7.0),
        ("a", 7, 3.0, 1.25),
        ("b", 7, 3.0, 2.0),
    ]
    assert not notes


# Damage


def test_every_cut(tmp_path: Path) -> None:
    """What is whole is read, with a note; without a whole graph there is none."""
    with EventWriter(tmp_path / "whole") as writer:
        writer.graph(graph_of(const("a", 1)))
        writer.add(Event(step=1))
    content = writer.path.read_bytes()
    ends = [r.start + r.size + 4 for r in records(FileSource(writer.path))]
    assert len(ends) == 3
    path = tmp_path / "cut"
    for length in range(ends[0], len(content)):
        path.write_bytes(content[:length])
        if length < ends[1]:
            with pytest.raises(IncompleteModelError, match="no event holds a graph"):
                graphscope.load(path)
        else:
            model = graphscope.load(path)
            assert [node.name for node in model.graph] == ["a"]
            assert bool(model.notes) == (length not in ends)
            assert all(f"byte {ends[1]:,}" in note and "may still be writing" in note for note in model.notes)


def test_every_flip(tmp_path: Path) -> None:
    """The graph is never another one."""
    with EventWriter(tmp_path / "whole") as writer:
        writer.graph(graph_of(const("a", 1)))
    content = writer.path.read_bytes()
    graph = serialized(graphscope.load(writer.path).graph)
    path = tmp_path / "flipped"
    first = next(iter(records(FileSource(writer.path))))
    for i in range(first.start + first.size + 4, len(content)):
        path.write_bytes(content[:i] + bytes([content[i] ^ 0x10]) + content[i + 1 :])
        with pytest.raises(CorruptFileError, match="checksum") as error:
            graphscope.load(path)
        assert error.value.offset is not None
    assert serialized(graphscope.load(writer.path).graph) == graph


def test_a_graph_event_that_holds_none(tmp_path: Path) -> None:
    with EventWriter(tmp_path) as writer:
        writer.add(Event(graph_def=b"\x0a\x05ab"))
    with pytest.raises(CorruptFileError, match="byte") as error:
        graphscope.load(tmp_path)
    assert error.value.offset is not None


def test_events_without_a_graph(tmp_path: Path) -> None:
    with EventWriter(tmp_path) as writer:
        writer.add(Event(step=1))
    for place in (tmp_path, event_file(tmp_path)):
        with pytest.raises(IncompleteModelError, match="no event holds a graph") as error:
            graphscope.load(place)
        assert error.value.hint


# The zoo

FILES = zoo_files("*tfevents*", below="events")
WITHOUT_A_GRAPH = ("end_to_end.tfevents", "1515280094")


@needs_zoo
@pytest.mark.parametrize("file", FILES, ids=zoo_id)
def test_the_zoos_graphs_are_those_that_tensorboard_reads(file: Path, tmp_path: Path) -> None:
    if any(part in file.name for part in WITHOUT_A_GRAPH):
        with pytest.raises(IncompleteModelError, match="no event holds a graph"):
            graphscope.load(file)
        return
    (tmp_path / file.name).symlink_to(file)
    log = accumulated(tmp_path)
    model = graphscope.load(file)
    assert the_graph(model) == log.MetaGraph().graph_def
    assert len(model.graph) > 200
