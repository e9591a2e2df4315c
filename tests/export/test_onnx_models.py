"""Whole models in ONNX Runtime beside TensorFlow: fixtures, other people's models, loops and branches of both kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.graph import Graph
from graphscope.export.onnx.convert import OnnxOptions, convert
from graphscope.export.refusal import NotExportableError
from tests.support.fixture_files import FIXTURES
from tests.support.running import built, parsed, run_graph, tf
from tests.support.zoo_files import ZOO, needs_zoo

onnx_running = pytest.importorskip("tests.support.onnx_running", reason="optional: ONNX Runtime runs what is exported")

MODELS: Mapping[str, Mapping[str, Any]] = {
    "lenet5": {},
    "batchnorm": {"is_training": False},
    "batchnorm_resource": {"is_training": False},
    "convnet_slim": {"keep_prob": 1},
    "mlp": {},
    "partitioned": {},
    "rnn": {},
    "softmax": {},
    "lenet5/saved_model": {},
}
"""Fixture -> what is fixed."""


def compare(graph: Graph, outputs: list[str], feeds: Mapping[str, Any], opset: int = 20) -> None:
    found = onnx_running.computed(graph, outputs, feeds, opset)
    for mine, theirs in zip(found, run_graph(graph, outputs, feeds)):
        assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def random_inputs(graph: Graph, sizes: int = 3) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    feeds = {}
    for node in graph:
        if node.op == "Placeholder":
            shape = [d.size if d.size >= 0 else sizes for d in node.attrs["shape"].shape.dim]
            feeds[f"{node.name}:0"] = rng.random(shape, np.float32)
    return feeds


@pytest.mark.parametrize("opset", [17, 20, 23])
@pytest.mark.parametrize("name", MODELS)
def test_fixtures(name: str, opset: int) -> None:
    frozen = graphscope.freeze(FIXTURES / name, set=MODELS[name])
    if opset != 20 and name not in ("lenet5", "batchnorm", "rnn"):
        pytest.skip("optional: other versions are tried on three models")
    compare(frozen.model.graph, list(frozen.outputs), random_inputs(frozen.model.graph), opset)


CUT = [
    "ARM-software+ML-KWS-for-MCU/Pretrained_models/GRU/GRU_M.pb",
    "ARM-software+ML-KWS-for-MCU/Pretrained_models/LSTM/LSTM_M.pb",
    "ARM-software+ML-KWS-for-MCU/Pretrained_models/DS_CNN/DS_CNN_L.pb",
]
"""Models that decode sound in the graph."""


@needs_zoo
@pytest.mark.parametrize("path", CUT)
def test_what_cannot_be_expressed_is_named_with_where_to_cut(path: str) -> None:
    file = ZOO / "frozen_pb" / path
    outputs = graphscope.freeze(file).outputs
    with pytest.raises(NotExportableError) as error:
        convert(graphscope.freeze(file).model.graph, outputs, OnnxOptions(), str(file))
    assert [r.op for r in error.value.refusals] == ["Placeholder", "DecodeWav", "AudioSpectrogram", "Mfcc"]
    assert list(error.value.cuts) == ["Mfcc"]
    frozen = graphscope.freeze(file, outputs=outputs, inputs=error.value.cuts)
    compare(frozen.model.graph, list(outputs), random_inputs(frozen.model.graph, 1))


def graph_of(build: Callable[[], object]) -> Graph:
    """A graph with functions for its branches and loops, as TensorFlow 2 makes it."""
    with tf.Graph().as_default() as made:
        build()
    return parsed(made.as_graph_def().SerializeToString())


def placeholder(*shape: int | None) -> Any:
    return tf.compat.v1.placeholder(tf.float32, shape, "x")


def powers() -> None:
    """A loop whose state grows, with a weight that stays."""
    x, w = placeholder(2, 2), tf.constant(np.eye(2, dtype=np.float32) * 1.5)
    _, y = tf.while_loop(lambda i, _: i < 4, lambda i, y: (i + 1, tf.matmul(y, w) + tf.cast(i, tf.float32)), (0, x))
    tf.identity(y, "y")


def growing() -> None:
    """State whose shape changes, and a condition on values."""
    x = placeholder(1, 2)
    y = tf.while_loop(
        lambda y: tf.shape(y)[0] < 9,
        lambda y: tf.concat([y, y * 2], 0),
        (x,),
        shape_invariants=(tf.TensorShape([None, 2]),),
    )
    tf.identity(y[0] if isinstance(y, (tuple, list)) else y, "y")


def nested() -> None:
    x = placeholder(3)

    def outer(i: Any, y: Any) -> Any:
        _, z = tf.while_loop(lambda j, _: j < i, lambda j, z: (j + 1, z * 1.5 + 1.0), (0, y))
        return i + 1, z

    tf.identity(tf.while_loop(lambda i, _: i < 4, outer, (0, x))[1], "y")


def branches() -> None:
    x = placeholder(None, 3)
    total = tf.reduce_sum(x)
    y, z = tf.cond(total > 0, lambda: (x * 2, tf.constant(1.0)), lambda: (x - 1, total))
    tf.identity(y + z, "y")


def branch_in_branch() -> None:
    x = placeholder(4)
    total = tf.reduce_sum(x)
    tf.identity(
        tf.cond(total > 1, lambda: tf.cond(total > 2, lambda: x * 3, lambda: x + 1), lambda: tf.abs(x) - total), "y"
    )


def branch_in_loop() -> None:
    x = placeholder(4)

    def body(i: Any, y: Any) -> Any:
        return i + 1, tf.cond(tf.equal(i % 2, 0), lambda: y + 1, lambda: y * 2)

    tf.identity(tf.while_loop(lambda i, _: i < 5, body, (0, x))[1], "y")


def arrays() -> None:
    """One array is read, one written, in order."""
    x = placeholder(None, 2)
    count = tf.shape(x)[0]
    source = tf.TensorArray(tf.float32, count).unstack(x)
    target = tf.TensorArray(tf.float32, count)

    def body(i: Any, total: Any, target: Any) -> Any:
        total = total + source.read(i)
        return i + 1, total, target.write(i, tf.tanh(total))

    _, total, target = tf.while_loop(lambda i, *_: i < count, body, (0, tf.zeros([2]), target))
    tf.identity(target.stack() + total, "y")


BUILDS = [powers, growing, nested, branches, branch_in_branch, branch_in_loop, arrays]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("make", [built, graph_of], ids=["frames", "functions"])
@pytest.mark.parametrize("build", BUILDS)
def test_control_flow(build: Callable[[], object], make: Callable[..., Graph], sign: int) -> None:
    graph = make(build)
    feeds = {name: value * sign for name, value in random_inputs(graph).items()}
    compare(graph, ["y:0"], feeds)


def test_a_list_grows() -> None:
    """It is made for no elements, and each write goes beyond its end."""

    def build() -> None:
        x = placeholder(4)
        array = tf.TensorArray(tf.float32, 0, dynamic_size=True)
        count, array = tf.while_loop(lambda i, _: x[i] < 1, lambda i, a: (i + 1, a.write(i, x[i])), (0, array))
        tf.multiply(array.stack(), tf.cast(count + array.size(), tf.float32), "y")

    compare(graph_of(build), ["y:0"], {"x:0": np.array([0.5, -1, 2, 3], np.float32)})


def test_lists_that_change_places_are_refused() -> None:
    def build() -> None:
        x, arrays = placeholder(4), (tf.TensorArray(tf.float32, 4), tf.TensorArray(tf.float32, 4))
        _, a, b = tf.while_loop(
            lambda i, *_: i < 4, lambda i, a, b: (i + 1, b.write(i, x[i]), a.write(i, x[i] * 2)), (0, *arrays)
        )
        tf.subtract(a.stack(), b.stack(), "y")

    with pytest.raises(NotExportableError, match="its arrays change places"):
        convert(graph_of(build), ["y"], OnnxOptions(), "test")


def test_writes_out_of_order_are_refused() -> None:
    def build() -> None:
        x = placeholder(4)
        array = tf.TensorArray(tf.float32, 4)
        _, array = tf.while_loop(lambda i, _: i < 4, lambda i, a: (i + 1, a.write(3 - i, x[0])), (0, array))
        tf.identity(array.stack(), "y")

    with pytest.raises(NotExportableError, match="does not write the elements of an array in order"):
        convert(built(build), ["y"], OnnxOptions(), "test")


def test_elements_of_different_sizes_are_refused() -> None:
    def build() -> None:
        x = placeholder(None)
        array = tf.TensorArray(tf.float32, 3, infer_shape=False)
        _, array = tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a.write(i, x[: i + 1])), (0, array))
        tf.identity(array.concat(), "y")

    with pytest.raises(NotExportableError, match="its elements may be of different sizes"):
        convert(built(build), ["y"], OnnxOptions(), "test")


def test_a_side_that_no_merge_takes_is_refused() -> None:
    def build() -> None:
        x = placeholder(4)
        _, yes = tf.raw_ops.Switch(data=x, pred=tf.reduce_sum(x) > 0)
        tf.multiply(yes, 2.0, name="y")

    with pytest.raises(NotExportableError, match="computed in one branch only"):
        convert(built(build), ["y"], OnnxOptions(), "test")


def test_keras_layers(tmp_path: Path) -> None:
    """Layers of TensorFlow 2 as a SavedModel: lists of tensors in loops, functions in functions."""
    keras = pytest.importorskip("keras", reason="optional: Keras comes with TensorFlow")
    layers = [keras.layers.LSTM(5, return_sequences=True), keras.layers.GRU(4), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((6, 2)), *layers])
    model.export(tmp_path / "keras", verbose=False)
    frozen = graphscope.freeze(tmp_path / "keras")
    compare(frozen.model.graph, list(frozen.outputs), random_inputs(frozen.model.graph))
