"""What stays an input when a graph is frozen: placeholders with a default, and what a person cuts open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from graphscope import load
from graphscope.cli.app import app
from graphscope.core.tensors import Shape, shape_of
from graphscope.transforms.findings.switches import open_switches
from graphscope.transforms.freeze import FreezeOptions, FrozenGraph, freeze
from tests.support.running import parsed, run_graph, tf

v1 = tf.compat.v1
raw = tf.raw_ops
FLOAT = tf.float32


def saved(build: Callable[[], object], path: Path) -> Path:
    """A meta checkpoint, where there are variables, or a pb."""
    with tf.Graph().as_default() as graph:
        build()
        if not v1.global_variables():
            (path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
            return path / "m.pb"
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            v1.train.Saver().save(session, str(path / "m"))
    return path / "m"


def frozen_of(build: Callable[[], object], path: Path, outputs: list[str], **options: Any) -> FrozenGraph:
    return freeze(load(saved(build, path)), FreezeOptions(outputs=outputs, **options))


def cli(*words: object) -> Any:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


# Defaults


def defaulted() -> None:
    x = v1.placeholder_with_default(np.zeros([2, 4], np.float32), [None, 4], "images")
    w = v1.get_variable("w", [4, 3], use_resource=False)
    tf.nn.softmax(tf.matmul(x, w), name="prob")


def test_a_placeholder_with_a_default_stays_an_input(tmp_path: Path) -> None:
    path = saved(defaulted, tmp_path)
    result = cli("freeze", path, "-o", tmp_path / "f.pb", "--output", "prob", "--verify")
    assert result.exit_code == 0, result.output
    assert "verified on 3 random batches" in result.output  # so it was fed
    graph = load(tmp_path / "f.pb").graph
    assert graph["images"].op == "PlaceholderWithDefault"
    x = np.random.default_rng(0).random((5, 4), np.float32)
    fed, default = run_graph(graph, ["prob:0"], {"images:0": x})[0], run_graph(graph, ["prob:0"])[0]
    assert (fed.shape, default.shape) == ((5, 3), (2, 3))
    assert cli("run", tmp_path / "f.pb", "--feed", "images=[[1,2,3,4]]", "--output", "prob").exit_code == 0


def test_input_makes_a_plain_placeholder_of_it(tmp_path: Path) -> None:
    graph = frozen_of(defaulted, tmp_path, ["prob"], inputs=["images"]).graph
    node = graph["images"]
    assert (node.op, list(node.inputs), shape_of(node.attrs["shape"].shape)) == ("Placeholder", [], (None, 4))
    assert not [n for n in graph if "images/" in n.name]


def test_set_fixes_it(tmp_path: Path) -> None:
    frozen = frozen_of(defaulted, tmp_path, ["prob"], values={"images": np.ones([2, 4], np.float32)})
    assert not {"Placeholder", "PlaceholderWithDefault"} & set(frozen.graph.ops)


def test_convert_puts_it_into_the_signature(tmp_path: Path) -> None:
    path = saved(defaulted, tmp_path)
    assert cli("convert", path, f"{tmp_path}/sm/", "--output", "prob").exit_code == 0
    assert set(load(tmp_path / "sm").signatures["serving_default"].inputs) == {"images"}


def test_features_and_graft_feed_it(tmp_path: Path) -> None:
    path = saved(defaulted, tmp_path)
    np.savez(tmp_path / "d.npz", x=np.ones([6, 4], np.float32), y=np.arange(6) % 2)
    words = ("features", path, "--at", "prob", "--data", tmp_path / "d.npz", "-o", tmp_path / "f.npz")
    result = cli(*words, "--cache", tmp_path / "c")
    assert result.exit_code == 0, result.output
    assert (6, 3) in [value.shape for value in np.load(tmp_path / "f.npz").values()]
    result = cli("graft", path, "-o", tmp_path / "g" / "m", "--at", "prob", "--head", "dense:2")
    assert result.exit_code == 0, result.output
    assert load(tmp_path / "g" / "m").graph["images"].op == "Placeholder"


# Switches


def keep_of(x: Any, keep: Any) -> Any:
    return x / keep * tf.floor(keep + tf.random.uniform(tf.shape(x)))


def with_keep_prob(default: bool) -> Callable[[], None]:
    def build() -> None:
        x = v1.placeholder(FLOAT, [None, 4], "x")
        keep = v1.placeholder_with_default(0.5, []) if default else v1.placeholder(FLOAT, [])
        tf.identity(keep_of(x, keep), "y")

    return build


def modern_dropout(kind: str) -> Callable[[], None]:
    def build() -> None:
        x, p = v1.placeholder(FLOAT, [None, 4], "x"), v1.placeholder(FLOAT, [])
        dropped = v1.nn.dropout(x, keep_prob=p) if kind == "keep" else v1.nn.dropout(x, rate=p)
        tf.identity(dropped, "y")

    return build


def norm(training: Any) -> None:
    x = v1.placeholder(FLOAT, [None, 5, 5, 3], "x")
    scale, offset = v1.get_variable("s", [3]), v1.get_variable("o", [3])
    mean, variance = v1.get_variable("m", [3]), v1.get_variable("v", [3])
    trained, predicted = (
        lambda: v1.nn.fused_batch_norm(x, scale, offset, is_training=True)[0],
        lambda: v1.nn.fused_batch_norm(x, scale, offset, mean, variance, is_training=False)[0],
    )
    tf.identity(tf.cond(training, trained, predicted), "y")


def moments() -> None:
    x, p = v1.placeholder(FLOAT, [None, 4], "x"), v1.placeholder(tf.bool, [])
    mean, _ = tf.nn.moments(x, [0])
    kept = v1.get_variable("m", [4])
    tf.identity(x - tf.cond(p, lambda: mean, lambda: tf.identity(kept)), "y")


def not_training() -> None:
    norm(tf.logical_not(v1.placeholder(tf.bool, [])))


def a_real_condition() -> None:
    x, p = v1.placeholder(FLOAT, [None, 4], "x"), v1.placeholder(tf.bool, [])
    tf.identity(tf.cond(p, lambda: x * 2.0, lambda: x + 1.0), "y")


def a_temperature() -> None:
    x = v1.placeholder(FLOAT, [None, 4], "x")
    tf.nn.softmax(x / v1.placeholder(FLOAT, []), name="y")


SWITCHES: dict[str, tuple[Callable[[], None], str | None]] = {
    "keep": (with_keep_prob(False), "1"),
    "keep with a default": (with_keep_prob(True), "1"),
    "keep, today": (modern_dropout("keep"), "1"),
    "rate": (modern_dropout("rate"), "0"),
    "batch norm": (lambda: norm(v1.placeholder(tf.bool, [])), "false"),
    "batch norm with a default": (lambda: norm(v1.placeholder_with_default(True, [])), "false"),
    "batch norm, turned round": (not_training, "true"),
    "batch norm of moments": (moments, "false"),
    "a condition": (a_real_condition, None),
    "a temperature": (a_temperature, None),
}


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("case", SWITCHES)
def test_unnamed_switches_are_known_by_what_they_do(case: str, modern: bool) -> None:
    build, value = SWITCHES[case]
    was_modern = v1.control_flow_v2_enabled()
    (v1.enable_control_flow_v2 if modern else v1.disable_control_flow_v2)()
    try:
        with tf.Graph().as_default() as graph:
            build()
    finally:
        (v1.enable_control_flow_v2 if was_modern else v1.disable_control_flow_v2)()
    found = open_switches(parsed(graph.as_graph_def().SerializeToString()))
    expected = {n.name: value for n in graph.as_graph_def().node if n.op.startswith("Placeholder") and n.name != "x"}
    assert found == (expected if value is not None else {})


def test_an_open_cut_is_no_switch(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(FLOAT, [None, 4], "x")
        dropped = tf.nn.relu(x, name="dropout_in")
        tf.identity(dropped * 2, "y")

    assert frozen_of(build, tmp_path, ["y"], inputs=["dropout_in"]).open_switches == {}


# Iterators, queues, parsers


def iterating() -> None:
    data = tf.data.Dataset.from_tensor_slices((np.zeros([6, 4], np.float32), np.zeros([6], np.int64))).batch(2)
    x, y = v1.data.make_one_shot_iterator(data).get_next()
    w = v1.get_variable("w", [4, 3], use_resource=False)
    logits = tf.matmul(x, w, name="logits")
    v1.losses.sparse_softmax_cross_entropy(y, logits)


def iterating_named() -> None:
    data = tf.data.Dataset.from_tensor_slices((np.zeros([6, 4], np.float32), np.ones([6, 3], np.float32))).batch(2)
    x, y = v1.data.make_one_shot_iterator(data).get_next()
    images, masks = tf.identity(x, "images"), tf.identity(y, "masks")
    tf.identity(images @ v1.get_variable("w", [4, 3], use_resource=False) * masks, "logits")


def dequeuing() -> None:
    queue = v1.FIFOQueue(10, [FLOAT, tf.int64], [[4], []], name="queue")
    x, _ = queue.dequeue_many(8, name="batch")
    tf.matmul(x, v1.get_variable("w", [4, 3], use_resource=False), name="logits")


def test_only_the_tensors_that_are_needed_become_inputs(tmp_path: Path) -> None:
    graph = frozen_of(iterating, tmp_path, ["logits"], inputs=["IteratorGetNext"]).graph
    [node] = [n for n in graph if n.op == "Placeholder"]
    assert (node.name, shape_of(node.attrs["shape"].shape)) == ("IteratorGetNext", (None, 4))


def test_each_tensor_is_named_by_what_it_becomes_and_verified(tmp_path: Path) -> None:
    path = saved(iterating_named, tmp_path)
    result = cli(
        "freeze", path, "-o", tmp_path / "f.pb", "--output", "logits", "--input", "IteratorGetNext", "--verify"
    )
    assert result.exit_code == 0, result.output
    placeholders = {
        n.name: shape_of(n.attrs["shape"].shape) for n in load(tmp_path / "f.pb").graph if n.op == "Placeholder"
    }
    assert placeholders == {"images": (None, 4), "masks": (None, 3)}


def test_tensors_without_a_name_of_their_own_are_numbered_and_verified(tmp_path: Path) -> None:
    def build() -> None:
        data = tf.data.Dataset.from_tensor_slices((np.zeros([6, 4], np.float32), np.ones([6, 3], np.float32))).batch(2)
        x, y = v1.data.make_one_shot_iterator(data).get_next()
        tf.identity(x @ v1.get_variable("w", [4, 3], use_resource=False) * y, "logits")

    path = saved(build, tmp_path)
    result = cli(
        "freeze", path, "-o", tmp_path / "f.pb", "--output", "logits", "--input", "IteratorGetNext", "--verify"
    )
    assert result.exit_code == 0, result.output
    assert [n.name for n in load(tmp_path / "f.pb").graph if n.op == "Placeholder"] == [
        "IteratorGetNext_0",
        "IteratorGetNext_1",
    ]


def test_a_queue_states_the_shapes_of_what_it_gives(tmp_path: Path) -> None:
    graph = frozen_of(dequeuing, tmp_path, ["logits"], inputs=["batch"]).graph
    [node] = [n for n in graph if n.op == "Placeholder"]
    assert (node.name, shape_of(node.attrs["shape"].shape)) == ("batch", (8, 4))


def test_shapes_that_the_file_does_not_state_are_inferred(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(FLOAT, [None, 4], "x")
        middle = tf.matmul(x, np.ones([4, 7], np.float32), name="middle")
        tf.matmul(middle, np.ones([7, 2], np.float32), name="y")

    path = saved(build, tmp_path)
    assert cli("freeze", path, "-o", tmp_path / "f.pb", "--output", "y", "--input", "middle").exit_code == 0
    assert shape_of(load(tmp_path / "f.pb").graph["middle"].attrs["shape"].shape) == (None, 7)


def test_tensorflow_is_asked_for_shapes_once_and_where_no_rule_tells_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of inputs that the file says nothing of, though the graph is opened several times on the way."""
    from graphscope.runtime import shapes

    def build() -> None:
        w = np.ones([4, 7], np.float32)
        x = v1.placeholder(FLOAT, [None, 4], "x")
        tf.add(tf.matmul(x, w, name="one"), tf.matmul(x, w, name="two"), name="y")
        sizes = v1.placeholder(tf.int32, [4], "sizes")
        both = [tf.raw_ops.DataFormatVecPermute(x=sizes, name=name) for name in ("without_rule", "another")]
        tf.add(*both, name="z")

    asked = []
    infer = shapes.infer_shapes
    monkeypatch.setattr(shapes, "infer_shapes", lambda model: [asked.append(model), infer(model)][1])  # type: ignore[func-returns-value]

    def frozen_shapes(output: str, *inputs: str) -> list[Shape]:
        chosen = [word for name in inputs for word in ("--input", name)]
        words = ("freeze", path, "-o", tmp_path / "f.pb", "--force", "--output", output, *chosen)
        assert cli(*words).exit_code == 0
        graph = load(tmp_path / "f.pb").graph
        return [shape_of(graph[name].attrs["shape"].shape) for name in inputs]

    path = saved(build, tmp_path)
    assert frozen_shapes("y", "one", "two") == [(None, 7), (None, 7)]
    assert not asked
    assert frozen_shapes("z", "without_rule", "another") == [(4,), (4,)]
    assert len(asked) == 1


def test_a_shape_that_a_consumer_demands_is_not_written(tmp_path: Path) -> None:
    """What demands it may be cut away, and the rest take any."""

    def build() -> None:
        x = v1.placeholder(FLOAT, None, "x")
        middle = tf.negative(x, name="middle")
        tf.matmul(middle, np.ones([4, 7], np.float32), name="cut_away")
        tf.abs(middle, name="y")

    path = saved(build, tmp_path)
    assert cli("freeze", path, "-o", tmp_path / "f.pb", "--output", "y", "--input", "middle").exit_code == 0
    assert load(tmp_path / "f.pb").graph["middle"].attrs["shape"].shape.unknown_rank
