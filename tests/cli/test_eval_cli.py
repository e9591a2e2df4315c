"""``graphscope eval`` and ``graphscope.evaluate``: every figure is compared with what TensorFlow computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import graphscope
from graphscope.cli.app import app
from graphscope.errors import GraphscopeError, UnknownNameError
from tests.support.board_logs import accumulated, plugin, tensors
from tests.support.data_files import Array, cache, random, write_idx, write_pictures
from tests.support.fixture_files import FIXTURES, committed_models, needs_mnist
from tests.support.graphs import v1
from tests.support.listed import opened
from tests.support.running import tf
from tests.support.tuning import CLASSES, grafted, pictures, saved, train

__all__ = ["cache"]

pytestmark = pytest.mark.tensorflow

LENET = FIXTURES / "lenet5"
COUNT = 70


def evaluated(*words: object, code: int = 0) -> Any:
    done = CliRunner().invoke(app, ["eval", *map(str, words)])
    assert done.exit_code == code, (done.stdout, done.stderr)
    return done


def noise(path: Path, count: int = COUNT) -> tuple[str, Array, Array]:
    """An archive of pictures (count, 784) and labels."""
    x, y = random(count, 784, seed=3), np.arange(count) % 10
    np.savez(path, x=x, y=y)
    return str(path), x, y


def by_tensorflow(x: Array) -> Array:
    """The logits of LeNet-5."""
    prefix = str(LENET / "model.ckpt-4690")
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(f"{prefix}.meta").restore(session, prefix)
        found: Array = session.run("logits:0", {"input:0": x})
    return found


@pytest.mark.parametrize("model", ["", "frozen.pb", "saved_model"])
def test_figures_are_tensorflows(model: str, tmp_path: Path) -> None:
    data, x, y = noise(tmp_path / "d.npz")
    logits = by_tensorflow(x)
    report = graphscope.evaluate(LENET / model, data, batch=32, wrong=COUNT)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
    assert report.loss == pytest.approx(float(tf.reduce_mean(losses)), rel=1e-5)
    assert report.top5 == pytest.approx(float(np.mean(tf.math.in_top_k(y, logits, 5))))
    confusion = np.asarray(tf.math.confusion_matrix(y, logits.argmax(1), 10))
    assert np.array(report.confusion).tolist() == confusion.tolist()
    assert report.metric == pytest.approx(confusion.trace() / COUNT)
    probabilities = np.asarray(tf.nn.softmax(logits))
    assert len(report.misclassified) == COUNT - confusion.trace()
    for wrong in report.misclassified:
        assert int(wrong.predicted) == logits[wrong.index].argmax() != int(wrong.label) == y[wrong.index]
        assert wrong.confidence == pytest.approx(probabilities[wrong.index].max(), rel=1e-4)
    confidences = [wrong.confidence for wrong in report.misclassified]
    assert confidences == sorted(confidences, reverse=True)
    for number, row in enumerate(report.classes):
        assert (row.examples, row.predicted) == (confusion[number].sum(), confusion[:, number].sum())
        assert row.recall == pytest.approx(confusion[number, number] / row.examples)
        if row.predicted:
            assert row.precision == pytest.approx(confusion[number, number] / row.predicted)
        else:
            assert row.precision is None
    assert (report.scores, report.scale) == ("logits:0", "logits of a softmax")


@needs_mnist
@pytest.mark.slow
@pytest.mark.parametrize("name", ["softmax", "lenet5"])
def test_the_tutorials_accuracies(name: str) -> None:
    from trainer import data

    place = data.find()
    assert place is not None
    report = graphscope.evaluate(FIXTURES / name, f"{place}:test", batch=500)
    assert report.examples == 10_000
    assert report.metric == pytest.approx(committed_models()[name]["test_accuracy"], abs=1e-3)


def scored(tmp_path: Path, end: Any, width: int, batch: int | None = None) -> tuple[Any, Array]:
    """A model whose output is what ``end`` makes of ``width`` logits of 6 numbers, and its inputs."""
    weights = random(6, width, seed=1) * 2
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [batch, 6], name="x")
        end(tf.matmul(x, tf.constant(weights)))
    return opened(graph, tmp_path), random(COUNT, 6, seed=2)


def logits_of(x: Array, width: int) -> Array:
    found: Array = x @ (random(6, width, seed=1) * 2)
    return found


def npz(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return str(path)


@pytest.mark.parametrize(
    ("end", "scale"),
    [
        (lambda z: tf.identity(tf.nn.softmax(z), "out"), "logits of a softmax"),
        (lambda z: tf.nn.log_softmax(z, name="out"), "logits of a softmax"),
        (lambda z: tf.argmax(tf.nn.softmax(z), 1, name="out"), "logits of a softmax"),
        (lambda z: tf.argmax(z, 1, name="out"), "logits of a softmax"),
        (lambda z: tf.add(z, 1.0, name="out"), "logits of a softmax"),
        (lambda z: tf.divide(tf.exp(z), tf.reduce_sum(tf.exp(z), 1, True), name="out"), "probabilities"),
    ],
    ids=["softmax", "log", "argmax of softmax", "argmax", "logits", "probabilities"],
)
def test_whatever_the_output_is(end: Any, scale: str, tmp_path: Path) -> None:
    model, x = scored(tmp_path, end, 4)
    y = np.arange(COUNT) % 4
    logits = logits_of(x, 4)
    expected = float(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)))
    one_hot = np.eye(4, dtype=np.float32)[y]
    for labels in (y, one_hot):
        report = graphscope.evaluate(model, npz(tmp_path / "d.npz", x=x, y=labels), outputs="out", batch=16)
        assert (report.task, report.scale, report.top5) == ("classes", scale, None)
        assert report.metric == pytest.approx((logits.argmax(1) == y).mean())
        assert report.loss == pytest.approx(expected, rel=1e-4)


def test_a_fixed_batch(tmp_path: Path) -> None:
    y = np.arange(COUNT) % 4
    figures = []
    for batch in (None, 32):
        model, x = scored(tmp_path, lambda z: tf.nn.softmax(z, name="out"), 4, batch)
        report = graphscope.evaluate(model, npz(tmp_path / "d.npz", x=x, y=y), outputs="out")
        figures.append((report.metric, pytest.approx(report.loss, rel=1e-6), report.confusion))
    assert figures[0] == figures[1]


def test_several_labels(tmp_path: Path) -> None:
    model, x = scored(tmp_path, lambda z: tf.sigmoid(z, name="out"), 3)
    y = (random(COUNT, 3, seed=5) > 0).astype(np.float32)
    logits = logits_of(x, 3)
    report = graphscope.evaluate(model, npz(tmp_path / "d.npz", x=x, y=y), outputs="out")
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits)
    assert report.task == "multilabel"
    assert report.loss == pytest.approx(float(tf.reduce_mean(losses)), rel=1e-5)
    assert report.metric == pytest.approx(((logits > 0) == (y > 0)).mean())
    assert report.confusion is None
    for k, row in enumerate(report.classes):
        both = int(((logits[:, k] > 0) & (y[:, k] > 0)).sum())
        assert (row.examples, row.predicted) == (y[:, k].sum(), (logits[:, k] > 0).sum())
        assert (row.precision, row.recall) == (
            pytest.approx(both / (logits[:, k] > 0).sum()),
            pytest.approx(both / y[:, k].sum()),
        )
    forced = graphscope.evaluate(model, npz(tmp_path / "d.npz", x=x, y=y), outputs="out", multilabel=True)
    assert forced == report


def test_one_sigmoid_for_two_classes(tmp_path: Path) -> None:
    model, x = scored(tmp_path, lambda z: tf.sigmoid(z, name="out"), 1)
    y = np.arange(COUNT) % 2
    logits = logits_of(x, 1)[:, 0]
    report = graphscope.evaluate(model, npz(tmp_path / "d.npz", x=x, y=y), outputs="out")
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=y.astype(np.float32), logits=logits)
    assert report.loss == pytest.approx(float(tf.reduce_mean(losses)), rel=1e-5)
    assert report.metric == pytest.approx(((logits > 0) == (y > 0)).mean())


@pytest.mark.parametrize("options", [{}, {"regression": True}], ids=["as stored", "forced"])
def test_a_regression(options: Any, tmp_path: Path) -> None:
    model, x = scored(tmp_path, lambda z: tf.identity(z, "out"), 2)
    y = random(COUNT, 2, seed=6)
    data = npz(tmp_path / "d.npz", x=x, y=y)
    report = graphscope.evaluate(model, data, outputs="out", **options)
    difference = logits_of(x, 2) - y
    assert report.task == "regression"
    assert (report.loss, report.metric) == (
        pytest.approx(np.square(difference).mean(), rel=1e-5),
        pytest.approx(np.abs(difference).mean(), rel=1e-5),
    )
    assert [row.error for row in report.classes] == [pytest.approx(e, rel=1e-5) for e in np.abs(difference).mean(0)]
    words = [str(tmp_path / "graph.pb"), "--data", data, "--output", "out"]
    done = evaluated(*words)
    assert done.stdout.splitlines()[0].split() == ["number", "examples", "error"]
    assert "mean absolute error" in done.stdout
    assert "a regression has no accuracy" in evaluated(*words, "--assert-accuracy", 0.5, code=2).stderr
    with pytest.raises(GraphscopeError, match="only classes have a confusion matrix"):
        graphscope.evaluate(model, data, outputs="out", confusion=tmp_path / "c.png")


def test_what_tune_says_of_its_best_checkpoint(tmp_path: Path) -> None:
    prefix = grafted(tmp_path / "m.ckpt")
    held_out = saved(tmp_path / "test.npz", *pictures(20, seed=2))
    trained = train(prefix, saved(tmp_path / "train.npz", *pictures(40)), held_out)
    report = graphscope.evaluate(trained.best, held_out)
    assert report.metric == pytest.approx(trained.metric)
    assert report.loss == pytest.approx(trained.loss, rel=1e-5)
    assert report.task == "classes"
    assert len(report.classes) == CLASSES


def test_shapes_are_joined_and_pixels_scaled(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28), np.uint8)
    labels = (np.arange(30) % 10).astype(np.uint8)
    write_idx(tmp_path / "mnist", "t10k", images, labels, ".gz")
    floats = npz(tmp_path / "d.npz", x=(images / np.float32(255)).astype(np.float32)[..., None], y=labels)
    first, second = (graphscope.evaluate(LENET, data) for data in (f"{tmp_path / 'mnist'}:test", floats))
    assert first.confusion == second.confusion
    assert first.loss == pytest.approx(second.loss, rel=1e-5)


def test_folders_name_the_classes(tmp_path: Path) -> None:
    write_pictures(tmp_path / "flowers", {"rose": 3, "tulip": 2}, (28, 28))
    done = evaluated(LENET, "--data", tmp_path / "flowers", "--wrong", 5)
    assert "the data names 2 classes, numbered in sorted order; the output has 10" in done.stderr
    names = [f"class{i}" for i in range(10)]
    names[4], names[7] = "tulip", "rose"
    (tmp_path / "labels.txt").write_text("\n".join(names), "utf-8")
    done = evaluated(LENET, "--data", tmp_path / "flowers", "--labels", tmp_path / "labels.txt", "--format", "json")
    report = json.loads(done.stdout)
    assert [row["examples"] for row in report["classes"]] == [0, 0, 0, 0, 2, 0, 0, 3, 0, 0]
    assert "numbered in sorted order" not in done.stderr
    (tmp_path / "labels.txt").write_text("rose\ntulip", "utf-8")
    done = evaluated(LENET, "--data", tmp_path / "flowers", "--labels", tmp_path / "labels.txt", code=1)
    assert "2 labels, but the output has 10 classes" in done.stderr
    names[4] = "daisy"
    (tmp_path / "labels.txt").write_text("\n".join(names), "utf-8")
    with pytest.raises(UnknownNameError, match="tulip"):
        graphscope.evaluate(LENET, str(tmp_path / "flowers"), labels=tmp_path / "labels.txt")


def test_the_page(tmp_path: Path) -> None:
    data, x, y = noise(tmp_path / "d.npz")
    right = (by_tensorflow(x).argmax(1) == y).mean()
    done = evaluated(LENET, "--data", data, "--wrong", 2, "--confusion", tmp_path / "c.png")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["class", "examples", "predicted", "precision", "recall"]
    assert lines[11:13] == ["", "example  label  predicted  confidence"]
    assert lines[16].startswith(f"accuracy {right:.2%}".replace("%", " %"))
    assert lines[17] == "softmax:0 computed from logits:0, logits of a softmax"
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.width > 360
    assert "--force replaces it" in evaluated(LENET, "--data", data, "--confusion", tmp_path / "c.png", code=1).stderr
    assert len(evaluated(LENET, "--data", data, "--wrong", 3, "--format", "names").stdout.splitlines()) == 3
    assert evaluated(LENET, "--data", data, "--assert-accuracy", right - 0.01).exit_code == 0
    assert "below the" in evaluated(LENET, "--data", data, "--assert-accuracy", right + 0.01, code=1).stderr


def test_the_log(tmp_path: Path) -> None:
    data, _, _ = noise(tmp_path / "d.npz")
    report = graphscope.evaluate(LENET, data, logdir=tmp_path / "logs")
    log = accumulated(tmp_path / "logs")
    [(step, accuracy)] = tensors(log, "accuracy")
    assert (step, accuracy) == (4690, pytest.approx(report.metric))
    assert tensors(log, "top5")[0][1] == pytest.approx(report.top5)
    assert tensors(log, "loss")[0][1] == pytest.approx(report.loss)
    assert plugin(log, "confusion")[0] == plugin(log, "misclassified/01")[0] == "images"
    assert report.misclassified == ()


def test_switches_are_set_for_inference(tmp_path: Path) -> None:
    def end(z: Any) -> None:
        keep = v1.placeholder(tf.float32, [], name="keep")
        tf.nn.softmax(v1.nn.dropout(z, keep_prob=keep), name="out")

    model, x = scored(tmp_path, end, 4)
    data = npz(tmp_path / "d.npz", x=x, y=np.arange(COUNT) % 4)
    words = [str(tmp_path / "graph.pb"), "--data", data, "--output", "out"]
    done = evaluated(*words, "--format", "json")
    assert "keep looks like a training switch and is set to 1; --set keep=VALUE chooses another value" in done.stderr
    assert json.loads(done.stdout)["metric"] == pytest.approx(
        (logits_of(x, 4).argmax(1) == np.arange(COUNT) % 4).mean()
    )
    dropping = evaluated(*words, "--set", "keep=0.5")
    assert "depend on the others in its batch, or on chance" in dropping.stderr
    assert graphscope.evaluate(model, data, outputs="out").notes == ()


def test_moving_averages(tmp_path: Path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 6], name="x")
        weights = v1.get_variable("w", initializer=random(6, 4, seed=1), use_resource=False)
        average = tf.train.ExponentialMovingAverage(0.9)
        average.apply([weights])
        tf.nn.softmax(tf.matmul(x, weights), name="out")
        session.run(weights.initializer)
        session.run(average.average(weights).assign(-weights))
        prefix = v1.train.Saver().save(session, str(tmp_path / "m.ckpt"))
    values = random(COUNT, 6, seed=2)
    labels = (values @ random(6, 4, seed=1)).argmax(1)
    data = npz(tmp_path / "d.npz", x=values, y=labels)
    assert graphscope.evaluate(prefix, data, outputs="out").metric == 1
    averaged = graphscope.evaluate(prefix, data, outputs="out", ema=True)
    assert averaged.metric == pytest.approx(((-values @ random(6, 4, seed=1)).argmax(1) == labels).mean())
    assert averaged.notes == ("moving averages taken for w",)
    data, _, _ = noise(tmp_path / "d.npz")
    with pytest.raises(GraphscopeError, match="no variable has a moving average"):
        graphscope.evaluate(LENET, data, ema=True)


def test_what_does_not_fit(tmp_path: Path) -> None:
    data = npz(tmp_path / "d.npz", x=random(20, 784), y=np.arange(20))
    assert "the model's 10 classes" in evaluated(LENET, "--data", data, code=1).stderr
    data, _, _ = noise(tmp_path / "d.npz")
    assert (
        "labels have 1 numbers for each example, the model gives 10"
        in evaluated(LENET, "--data", data, "--regression", code=1).stderr
    )
    with pytest.raises(
        GraphscopeError, match="only one output can be evaluated at a time, but there are 2: softmax:0, pool1:0"
    ):
        graphscope.evaluate(LENET, data, outputs=["softmax", "pool1"])
    done = evaluated(LENET, "--data", data, "--output", "pool1", code=1)
    assert "but a row of scores or values is needed" in done.stderr
    assert evaluated(LENET, "--data", data, "--regression", "--multilabel", code=2).stdout == ""
    broken, x = scored(tmp_path, lambda z: tf.nn.softmax(tf.math.log(z), name="out"), 4)
    with pytest.raises(GraphscopeError, match=r"Log:0 is NaN for example \d+"):
        graphscope.evaluate(broken, npz(tmp_path / "e.npz", x=x, y=np.zeros(COUNT, int)), outputs="out")
