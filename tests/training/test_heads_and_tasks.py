"""Heads without a task, regressions per pixel, models that are trained as they are, models joined by a scaled tensor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.cli.terminal.wording import to_words
from graphscope.errors import ArgumentError, GraphscopeError
from graphscope.training.data import DataOptions
from graphscope.training.graft.bound_tensor import BoundTensor, parse_bound
from tests.support.fixture_files import FIXTURES
from tests.support.invoked import code_of
from tests.support.running import Array, assert_same_values, tf

v1 = tf.compat.v1
LENET = FIXTURES / "lenet5"
FROZEN = LENET / "frozen.pb"


def written(path: Path, build: Callable[[], object]) -> Path:
    """The graph that ``build`` makes, as a pb."""
    with v1.Graph().as_default() as graph:
        build()
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def weights(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(0, 0.3, shape).astype(np.float32)


def vgg() -> None:
    """VGG's first two convolutions, frozen, for pictures of one size."""
    x = v1.placeholder(tf.float32, [None, 16, 16, 3], name="images")
    mean = tf.constant(np.array([123.68, 116.779, 103.939], np.float32))
    x = tf.subtract(x, mean, name="centred")
    for name, channels in (("conv1_1", 3), ("conv1_2", 8)):
        x = tf.nn.conv2d(x, tf.constant(weights(3, 3, channels, 8), name=f"{name}/filter"), 1, "SAME")
        x = tf.nn.relu(tf.nn.bias_add(x, tf.constant(weights(8), name=f"{name}/biases")), name=name)


# A head without a task


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """The known example: conv1_2, stop_gradient, a 1x1 convolution to 32 channels, ReLU."""
    base = written(tmp_path / "vgg.pb", vgg)
    assert code_of("graft", base, "-o", tmp_path / "m/model.ckpt", "--at", "conv1_2", "--head", "conv:1x1x32:relu") == 0
    return tmp_path / "m/model.ckpt"


def test_a_head_without_a_task_has_variables_and_no_loss(grown: Path) -> None:
    """What the tutorial's code computes of the same weights, and TensorFlow's own optimizer trains the head alone."""
    images = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype(np.float32)
    with v1.Graph().as_default() as graph, v1.Session() as session:
        v1.train.import_meta_graph(f"{grown}.meta").restore(session, str(grown))
        trained = v1.trainable_variables()
        kernel, bias, below, found = session.run([*trained, "conv1_2:0", "head/logits:0"], {"images:0": images})
        loss = tf.reduce_mean(tf.square(graph.get_tensor_by_name("head/logits:0")))
        step = v1.train.GradientDescentOptimizer(0.01).minimize(loss)
        before = session.run(loss, {"images:0": images})
        session.run(step, {"images:0": images})
        assert session.run(loss, {"images:0": images}) < before
        expected = session.run(tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(below, kernel, 1, "SAME"), bias)))
    assert found.shape == (2, 16, 16, 32)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert {variable.op.name.split("/")[0] for variable in trained} == {"head"}


def test_tune_says_what_is_missing(grown: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((4, 16, 16, 3), np.float32), y=np.zeros(4))
    with pytest.raises(GraphscopeError, match="no loss to train") as error:
        graphscope.tune(grown, str(tmp_path / "d.npz"))
    assert "--classes N" in to_words(error.value.hint)
    assert "--regression" in to_words(error.value.hint)


def test_a_row_of_numbers_is_no_task_either() -> None:
    grafted = graphscope.graft(FIXTURES / "lenet5", "fc2/relu", "dense:5")
    assert grafted.recipe is None
    assert grafted.report.trainable == {"head/dense/kernel": 84 * 5, "head/dense/bias": 5}
    assert not [node.name for node in grafted.model.graph if "Apply" in node.op]


def test_the_missing_loss_is_told(tmp_path: Path) -> None:
    grafted = graphscope.graft(written(tmp_path / "vgg.pb", vgg), "conv1_2", "conv:1x1x32:relu")
    assert grafted.recipe is None
    assert set(grafted.report.trainable.values()) == {8 * 32, 32}
    assert "without a task, such as classes, the head gets neither loss nor optimizer" in grafted.report.notes
    with pytest.raises(GraphscopeError, match=r"dense:32 takes \(batch, features\)"):
        graphscope.graft(tmp_path / "vgg.pb", "conv1_2", "conv:1x1x32:relu", multilabel=32)


def test_classes_without_a_head_are_a_dense_layer() -> None:
    grafted = graphscope.graft(LENET, "fc2/relu", classes=7)
    assert [layer.text for layer in grafted.report.layers] == ["dense:7"]
    assert grafted.report.task == "classes"


# A regression per pixel


def test_a_regression_per_pixel_trains_on_pictures(tmp_path: Path) -> None:
    base = written(tmp_path / "vgg.pb", vgg)
    graphscope.graft(base, "centred", "conv:1x1x1", regression=True, out=tmp_path / "m/model.ckpt", learning_rate=0.01)
    x = np.random.default_rng(1).uniform(0, 255, (64, 16, 16, 3)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x, y=x.mean(axis=-1, keepdims=True) / 255)
    reading = DataOptions(cache=tmp_path / "cache")
    report = graphscope.tune(
        tmp_path / "m/model.ckpt", str(tmp_path / "d.npz"), validation=0, epochs=60, batch=16, reading=reading
    )
    assert len(report.classes) == 1
    assert report.epochs[-1].loss < report.epochs[0].loss / 10
    with v1.Graph().as_default() as graph, v1.Session() as session:
        v1.train.import_meta_graph(f"{report.last}.meta").restore(session, report.last)
        assert graph.get_tensor_by_name("train/labels:0").shape.as_list() == [None, 16, 16, 1]
        [found] = session.run(["head/predictions:0"], {"images:0": x})
    distance = np.abs(found - x.mean(axis=-1, keepdims=True) / 255).mean()
    assert report.metric == pytest.approx(distance, rel=1e-3)


def test_labels_of_another_size_are_refused(tmp_path: Path) -> None:
    base = written(tmp_path / "vgg.pb", vgg)
    graphscope.graft(base, "centred", "conv:1x1x1", regression=True, out=tmp_path / "m/model.ckpt")
    np.savez(tmp_path / "d.npz", x=np.zeros((4, 16, 16, 3), np.float32), y=np.zeros((4, 8, 8, 1)))
    with pytest.raises(GraphscopeError, match="labels have 64 numbers for each example, the model gives 256"):
        graphscope.tune(tmp_path / "m/model.ckpt", str(tmp_path / "d.npz"))


# A frozen graph that trains again


def test_a_frozen_graph_trains_again(tmp_path: Path) -> None:
    """LeNet's constants become variables of the same values; TensorFlow's session finds them, and a step changes them."""
    assert code_of("graft", FROZEN, "-o", tmp_path / "m/model.ckpt", "--train", "--classes", 10) == 0
    prefix = str(tmp_path / "m/model.ckpt")
    pictures = np.random.default_rng(0).uniform(0, 1, (8, 784)).astype(np.float32)
    [expected] = [graphscope.run(FROZEN, {"input": pictures}, outputs="softmax")["softmax"]]
    recipe = graphscope.graft(FROZEN, train=True, classes=10).recipe
    assert recipe is not None
    with v1.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(f"{prefix}.meta").restore(session, prefix)
        variables = {variable.op.name: variable for variable in v1.trainable_variables()}
        before = session.run(variables)
        assert_same_values(session.run(recipe.predictions, {"input:0": pictures}), expected)
        feed = {"input:0": pictures, recipe.labels: np.arange(8) % 10}
        losses = [session.run([recipe.loss, recipe.train_op], feed)[0] for _ in range(30)]
        after = session.run(variables)
    stored = graphscope.load(FROZEN)
    assert sorted(before) == sorted(n.name for n in stored.graph if n.op == "Const" and n.tensor().elements > 5)
    for name, value in before.items():
        np.testing.assert_array_equal(value, np.asarray(stored[name]))
        assert (after[name] != value).any()
    assert losses[-1] < losses[0] / 2


def test_what_is_done_to_pixels_is_no_weight(tmp_path: Path) -> None:
    def build() -> None:
        vgg()
        x = v1.get_default_graph().get_tensor_by_name("conv1_2:0")
        x = tf.reduce_mean(x, [1, 2]) * tf.constant(weights(8), name="scale")
        tf.nn.softmax(tf.matmul(x, tf.constant(weights(8, 3), name="fc")), name="prob")

    grafted = graphscope.graft(written(tmp_path / "net.pb", build), train=True)
    convolutions = {f"{layer}/{part}" for layer in ("conv1_1", "conv1_2") for part in ("filter", "biases")}
    assert grafted.report.trainable.keys() == {*convolutions, "scale", "fc"}
    assert [spec.name for spec in grafted.report.cuts] == ["MatMul:0"]
    named = graphscope.graft(tmp_path / "net.pb", train=True, at="prob").report
    assert [spec.name for spec in named.cuts] == ["MatMul:0"]
    assert "MatMul:0 is trained, of which the loss makes prob" in named.notes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": "dense:3"}, "is trained as it is, or gets a head, not both"),
        ({"classes": 4}, r"the model's own .* gives \(\?, 10\), but \(\?, 4\) was expected"),
    ],
)
def test_what_does_not_go_with_training_as_it_is(options: dict[str, Any], message: str) -> None:
    with pytest.raises(GraphscopeError, match=message):
        graphscope.graft(FROZEN, train=True, **options)


# Two models, joined by a scaled tensor


def encoder() -> None:
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    tf.tanh(tf.matmul(x, tf.constant(weights(4, 3))), name="z")


def decoder() -> None:
    z = v1.placeholder(tf.float32, [None, 3], name="z")
    tf.matmul(z, tf.constant(weights(3, 5)), name="y")


@pytest.mark.parametrize(
    ("text", "scale", "shift"),
    [("z", 1, 0), ("z*0.107+0", 0.107, 0), ("z*2-1", 2, -1), ("z*-.5", -0.5, 0), ("z+1e-1", 1, 0.1)],
)
def test_a_scale_and_a_shift_between_two_models(text: str, scale: float, shift: float, tmp_path: Path) -> None:
    below, above = written(tmp_path / "e.pb", encoder), written(tmp_path / "d.pb", decoder)
    words = ["--head-model", above, "--bind", f"z={text}"]
    assert code_of("graft", below, "-o", tmp_path / "both.ckpt", *words) == 0
    x = np.random.default_rng(2).normal(size=(6, 4)).astype(np.float32)
    found = graphscope.run(tmp_path / "both.ckpt", {"x": x}, outputs="head/y")["head/y"]
    z = graphscope.run(below, {"x": x}, outputs="z")["z"]
    expected = graphscope.run(above, {"z": z * np.float32(scale) + np.float32(shift)}, outputs="y")["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("text", ["z*", "z*2+", "*2", "z*x", "z+-1", "z*2*3"])
def test_what_is_no_scaled_tensor(text: str) -> None:
    with pytest.raises(ArgumentError, match=r"is not of the form TENSOR\*NUMBER\+NUMBER"):
        parse_bound(text)


def test_a_dash_belongs_to_the_name_unless_a_factor_comes_first() -> None:
    assert parse_bound("a-1") == BoundTensor("a-1")
    assert parse_bound("a-b/z:1*3-1.5") == BoundTensor("a-b/z:1", 3, -1.5)
    assert parse_bound("z+2") == BoundTensor("z", 1, 2)
    assert parse_bound("z*3") == BoundTensor("z", 3, 0)
    assert [BoundTensor("z", *numbers).is_plain for numbers in [(1, 0), (2, 0), (1, 1)]] == [True, False, False]
