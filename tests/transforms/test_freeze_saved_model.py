"""SavedModels, frozen: each signature gives what TensorFlow's own loader of SavedModels gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.model import Model
from graphscope.core.signatures import BOOKKEEPING, Signature
from graphscope.core.tensors import node_of
from graphscope.errors import GraphscopeError
from graphscope.feeding.random_values import random_feeds
from graphscope.transforms.freeze import FreezeOptions, freeze
from tests.support.running import Array, run_graph, tf
from tests.support.verified import assert_same
from tests.support.zoo_files import ZOO, needs_zoo
from tests.transforms.test_freeze import compared, frozen_file
from tests.transforms.test_freeze_graphs import NO_LONGER, ops_of

FSERVED = pytest.mark.parametrize("fold", [False, True], ids=["whole", "folded"])


def check(directory: Path, place: Path, fold: bool, given: Mapping[str, Array] | None = None) -> dict[str, Model]:
    """Freezes each signature and compares it with TensorFlow's; gives the frozen models.

    Args:
        given: argument -> value, for arguments of its type; random where nothing is said.
    """
    model = graphscope.load(directory)
    loaded = tf.saved_model.load(str(directory), tags=sorted(model.meta.meta_info_def.tags))
    return {
        name: check_signature(model, signature, loaded.signatures[name], place, fold, given or {})
        for name, signature in model.signatures.items()
        if name not in BOOKKEEPING
    }


def check_signature(
    model: Model, signature: Signature, oracle: Any, place: Path, fold: bool, given: Mapping[str, Array]
) -> Model:
    inputs = {name: spec for name, [spec] in signature.inputs.items()}
    outputs = {name: spec.name for name, [spec] in signature.outputs.items()}
    feeds = {n: random_feeds([s], seed=1)[s.name] for n, s in inputs.items()}
    feeds |= {n: value for n, value in given.items() if n in feeds and feeds[n].dtype == value.dtype}
    expected = oracle(**{name: tf.constant(value) for name, value in feeds.items()})
    _, result = frozen_file(model, FreezeOptions(outputs=list(outputs.values()), fold=fold), place / "f.pb")
    assert not NO_LONGER & ops_of(result)
    fed = {inputs[n].name: value for n, value in feeds.items() if node_of(inputs[n].name) in result.graph}
    for (name, _), found in zip(outputs.items(), run_graph(result.graph, list(outputs.values()), fed)):
        theirs = expected[name].numpy()
        assert (found.dtype, found.shape) == (theirs.dtype, theirs.shape)
        if found.dtype.kind == "f":
            np.testing.assert_allclose(
                found, theirs, rtol=1e-5, atol=1e-6
            )  # the loader lets Grappler rewrite the graph
        else:
            assert found.tolist() == theirs.tolist()
    return result


# Modules that are saved here


class Served(tf.Module):  # type: ignore[misc]
    """Reads, gathers, loops and branches, in functions that call one another."""

    def __init__(self) -> None:
        super().__init__()
        self.v = tf.Variable([1.5, -2.0, 3.0], name="v")
        self.w = tf.Variable(tf.reshape(tf.range(30, dtype=tf.float32), [10, 3]), name="w")
        self.count = tf.Variable(4, name="count")

    @tf.function
    def inner(self, a: Any) -> Any:
        for i in tf.range(self.count):
            a = a * 0.5 + tf.gather(self.w, i) if i % 2 == 0 else a - self.v
        return a

    @tf.function(input_signature=[tf.TensorSpec([None, 3], name="a")])
    def serve(self, a: Any) -> Any:
        return {"b": self.inner(a) + self.v, "c": tf.nn.softmax(a)}

    @tf.function(input_signature=[tf.TensorSpec([3], name="a"), tf.TensorSpec([], tf.bool, name="positive")])
    def branch(self, a: Any, positive: Any) -> Any:
        return {"out": tf.cond(positive, lambda: a * self.v, lambda: a - self.v)}


class Layers(tf.Module):  # type: ignore[misc]
    """A convolution, a batch norm that knows no training, a captured constant, variables in a list, half precision."""

    def __init__(self) -> None:
        super().__init__()
        draw = np.random.default_rng(3)
        self.kernel = tf.Variable(draw.normal(size=(3, 3, 2, 4)).astype(np.float32))
        self.norm = [tf.Variable(draw.uniform(0.5, 1.5, 4).astype(np.float32)) for _ in range(4)]
        self.table = tf.constant(draw.normal(size=(600, 4)).astype(np.float32))
        self.half = tf.Variable(draw.normal(size=(4, 4)).astype(np.float16))

    @tf.function(
        input_signature=[tf.TensorSpec([None, 5, 5, 2], name="image"), tf.TensorSpec([None], tf.int32, name="row")]
    )
    def serve(self, image: Any, row: Any) -> Any:
        scale, shift, mean, variance = self.norm
        features = tf.nn.conv2d(image, self.kernel, 1, "SAME")
        normal, *_ = tf.compat.v1.nn.fused_batch_norm(features, scale, shift, mean, variance, is_training=False)
        pooled = tf.reduce_mean(tf.nn.relu(normal), [1, 2]) * tf.gather(self.table, row)
        return {"features": pooled, "mixed": tf.matmul(tf.cast(pooled, tf.float16), self.half)}


@FSERVED
def test_functions_loops_and_branches(fold: bool, tmp_path: Path) -> None:
    served = Served()
    signatures = {"serving_default": served.serve, "branch": served.branch}
    tf.saved_model.save(served, str(tmp_path / "saved"), signatures=signatures)
    frozen = check(tmp_path / "saved", tmp_path, fold)
    assert not {"PartitionedCall", "StatefulPartitionedCall"} & set(frozen["serving_default"].graph.ops)


@FSERVED
def test_layers(fold: bool, tmp_path: Path) -> None:
    layers = Layers()
    tf.saved_model.save(layers, str(tmp_path / "saved"), signatures=layers.serve)
    [frozen] = check(tmp_path / "saved", tmp_path, fold, {"row": np.array([3, 599], np.int32)}).values()
    assert not frozen.graph.functions
    assert "FusedBatchNormV3" in frozen.graph.ops


def test_batch_norms_in_functions_fold(tmp_path: Path) -> None:
    layers = Layers()
    tf.saved_model.save(layers, str(tmp_path / "saved"), signatures=layers.serve)
    model = graphscope.load(tmp_path / "saved")
    found, result = compared(
        model, tmp_path / "f.pb", batch_norms=True, feeds={"serving_default_row": np.array([1, 2])}
    )
    assert found.is_within
    assert "FusedBatchNormV3" not in result.graph.ops


def sequential(*layers: Any) -> Any:
    return tf.keras.Sequential(list(layers))


def convolutions() -> Any:
    keras = tf.keras.layers
    return sequential(
        keras.Input((8, 8, 3)), keras.Conv2D(4, 3), keras.BatchNormalization(), keras.ReLU(), keras.Dropout(0.5),
        keras.MaxPool2D(), keras.Flatten(), keras.Dense(3, activation="softmax"),
    )  # fmt: skip


def recurrence() -> Any:
    keras = tf.keras.layers
    return sequential(keras.Input((5, 3)), keras.LSTM(4, return_sequences=True), keras.GRU(3))


@pytest.mark.parametrize("build", [convolutions, recurrence])
def test_keras(build: Callable[[], Any], tmp_path: Path) -> None:
    tf.keras.utils.set_random_seed(1)
    build().export(str(tmp_path / "saved"), verbose=False)
    frozen = check(tmp_path / "saved", tmp_path, fold=True)
    assert len(frozen) == 2
    for result in frozen.values():
        assert not {"PartitionedCall", "StatefulPartitionedCall"} & set(result.graph.ops)


# Those of the zoo

SERVABLES = "tensorflow+serving/tensorflow_serving/servables/tensorflow/testdata"
HALF = f"{SERVABLES}/saved_model_half_plus_two"
KERAS = "tensorflow+tfx/tfx/components/testdata/trainer/keras/Format-Serving"
TABLES = (
    "tensorflow+serving/390732ac/tensorflow_serving/servables/tensorflow/testdata/tf_text_regression/01",
    "tensorflow+tfx/tfx/benchmarks/datasets/chicago_taxi/model/tft_tf2_saved_model",
)
SERVED = f"{HALF}_tf2_cpu/00000123"
OBJECTS = {SERVED, KERAS, *TABLES}
"""The SavedModels of TensorFlow 2. Keras' cannot be opened by ``tf.saved_model.load`` (2.21): its optimizer has no slots."""

ML = "dotnet+machinelearning-testdata/Microsoft.ML.TensorFlow.TestModels"
VESPA = "vespa-engine+vespa/tensorflow"
RUNNABLE = (
    SERVED, f"{HALF}_cpu/00000123", f"{HALF}_mlmd/00000123", f"{HALF}_2_versions/00000124",
    f"{ML}/cifar_saved_model", f"{ML}/mnist_conv_model", f"{ML}/mnist_lr_model", f"{ML}/model_string_test",
    f"{VESPA}/dropout/saved", f"{VESPA}/softmax/saved",
    "onnx+tensorflow-onnx/tests/models/regression/saved_model",
)  # fmt: skip


def examples(*features: str) -> Array:
    """Two serialized ``tf.train.Example``."""
    made = []
    for row in (1.0, -2.5):
        example = tf.train.Example()
        for i, feature in enumerate(features):
            example.features.feature[feature].float_list.value.append(row + i)
        made.append(example.SerializeToString())
    return np.array(made, object)


@needs_zoo
def test_these_are_all_of_tensorflow_2() -> None:
    directories = {path.parent for path in (ZOO / "saved_model").rglob("saved_model.pb*")}
    of_objects = (path for path in directories if graphscope.load(path).meta.HasField("object_graph_def"))
    assert {str(path.relative_to(ZOO / "saved_model")) for path in of_objects} == OBJECTS


@needs_zoo
@FSERVED
@pytest.mark.parametrize("name", RUNNABLE)
def test_every_signature(name: str, fold: bool, tmp_path: Path) -> None:
    check(ZOO / "saved_model" / name, tmp_path, fold, {"inputs": examples("x", "x2")} if HALF in name else None)


@needs_zoo
def test_an_argument_with_a_default_stays_an_input(tmp_path: Path) -> None:
    model = graphscope.load(ZOO / "saved_model" / SERVED)
    name = node_of(model.signatures["serving_default"].inputs["x"][0].name)
    assert model.graph[name].op == "PlaceholderWithDefault"
    frozen = freeze(model, FreezeOptions(outputs=["StatefulPartitionedCall_5"]))
    assert frozen.graph[name].op == "PlaceholderWithDefault"
    fixed = freeze(model, FreezeOptions(outputs=["StatefulPartitionedCall_5"], values={name: np.float32([7])}))
    assert fixed.graph.ops == ["Const"]
    assert run_graph(fixed.graph, ["StatefulPartitionedCall_5:0"])[0].tolist() == [5.5]


@needs_zoo
@FSERVED
def test_keras_with_an_optimizer(fold: bool, tmp_path: Path) -> None:
    model = graphscope.load(ZOO / "saved_model" / KERAS)
    features = ("body_mass_g", "culmen_depth_mm", "culmen_length_mm", "flipper_length_mm")
    feeds = {"serving_default_examples:0": examples(*features)}
    found, result = compared(model, tmp_path / "f.pb", fold=fold, feeds=feeds)
    assert_same(found)
    assert not NO_LONGER & ops_of(result)


@needs_zoo
@pytest.mark.parametrize("name", TABLES)
def test_tables_are_refused(name: str) -> None:
    model = graphscope.load(ZOO / "saved_model" / name)
    outputs = [spec.name for specs in model.signatures["serving_default"].outputs.values() for spec in specs]
    with pytest.raises(GraphscopeError, match=r"lookup tables.*hash_table"):
        freeze(model, FreezeOptions(outputs=outputs))
