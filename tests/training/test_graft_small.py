"""Small grafts to the last number: what is reported, what is declared, and one step compared with NumPy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope.cli.terminal.wording import to_words
from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.runtime.session import open_session
from graphscope.training.data.source import DataOptions
from graphscope.training.graft.building import merge_tensors
from graphscope.training.graft.graft import graft
from graphscope.training.graft.planning import GraftOptions
from graphscope.training.graft.result import Grafted
from graphscope.training.recipe import recipe_of
from graphscope.training.tune.prepare import Request, fed_input, prepare
from graphscope.training.tune.training_job import TuneOptions
from tests.support.data_files import cache
from tests.support.running import Array, tf
from tests.support.written import graph_of, model_of

__all__ = ["cache"]

v1 = tf.compat.v1
BASE = ["x Placeholder(?,2)", "w Const=[[1,2],[3,4]]", "h MatMul x w", "out Neg h"]
X = np.array([[0.5, -1.0], [2.0, 0.25], [-0.5, 1.5]], np.float32)
W = np.array([[1, 2], [3, 4]], np.float32)


def written(*lines: str) -> Model:
    graph = graph_of(lines or BASE)
    graph.header.versions.producer = 1000
    return model_of(graph)


def grafted(*lines: str, at: Any = ("h",), **options: Any) -> Grafted:
    return graft(written(*lines), GraftOptions(**{"at": at, "head": "dense:3", "task": "classes", **options}))


def values(found: Grafted) -> dict[str, Array]:
    store = found.model.store
    assert store is not None
    return {name: store.payload(name).numpy() for name in store.entries}


# What is reported and declared


def test_a_report_to_the_last_field() -> None:
    found = grafted(width=4, learning_rate=0.5, l2=0.1, ema=0.9, optimizer="sgd", decay="step:2:0.5", seed=7)
    report = found.report
    assert (report.nodes_before, report.nodes_kept) == (4, 3)
    assert report.nodes_added == len(found.model.graph) - 3
    assert report.cuts == (TensorSpec("h:0", DataType.FLOAT, (None, 2)),)
    assert report.inputs == (TensorSpec("x:0", DataType.FLOAT, (None, 2)),)
    assert [(b.text, b.before, b.after) for b in report.layers] == [
        ("dense:3", (None, 2), (None, 3)),
        ("dense:4", (None, 3), (None, 4)),
    ]
    assert report.logits == TensorSpec("head/logits:0", DataType.FLOAT, (None, 4))
    assert report.frozen == {"w": 4}
    assert report.trainable == {
        "head/dense/kernel": 6,
        "head/dense/bias": 3,
        "head/dense_1/kernel": 12,
        "head/dense_1/bias": 4,
    }
    assert (report.task, report.width, report.is_stopped, len(report.notes), dict(report.fixed)) == (
        "classes",
        4,
        True,
        1,
        {},
    )
    recipe = found.recipe
    assert recipe is not None
    assert recipe.settings == {
        "base": "written",
        "at": "h:0",
        "head": "dense:3,dense:4",
        "optimizer": "sgd",
        "learning_rate": "0.5",
        "decay": "step:2:0.5",
        "l2": "0.1",
        "ema": "0.9",
        "unfreeze": "",
        "seed": "7",
    }
    assert (recipe.classes, recipe.inputs, recipe.features, recipe.training) == (
        4,
        {"x": "x:0"},
        ("head/stop_gradient:0",),
        "",
    )
    assert (recipe.labels, recipe.logits, recipe.predictions) == (
        "train/labels:0",
        "head/logits:0",
        "head/predictions:0",
    )
    assert (recipe.loss, recipe.metric, recipe.train_op) == ("train/loss:0", "train/metric:0", "train/train_op")
    assert set(found.model.signatures) == {"serving_default", "train"}
    assert set(found.model.signatures["train"].outputs) == {"loss", "metric"}
    names = {name: len(c.values) for name, c in found.model.collections.items()}
    assert {n: names[n] for n in ("losses", "metrics", "train_op", "trainable_variables")} == {
        "losses": 1,
        "metrics": 1,
        "train_op": 1,
        "trainable_variables": 4,
    }
    first = values(found)
    assert first["global_step"] == 0
    for name in report.trainable:
        np.testing.assert_array_equal(first[f"{name}/ExponentialMovingAverage"], first[name])


def test_scopes_are_numbered_where_they_are_taken() -> None:
    lines = [*BASE[:2], "head/a MatMul x w", "train/b Neg head/a"]
    found = grafted(*lines, at=("train/b",))
    assert found.recipe is not None
    assert found.recipe.logits == "head_1/logits:0"
    assert found.recipe.loss == "train_1/loss:0"


def test_two_tensors_are_put_side_by_side() -> None:
    found = grafted(*BASE, "k Tanh x", at=("h", "k"))
    assert found.recipe is not None
    assert found.recipe.features == ("head/stop_gradient:0", "head/stop_gradient_1:0")
    assert found.report.layers[0].before == (None, 4)
    assert len(found.report.cuts) == 2


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(None, 3)], (None, 3)),
        ([(None, 3), (None, 4)], (None, 7)),
        ([(None, 2, 3), (None, 2, 4)], (None, 2, 7)),
        ([(None, 2, 3), (None, 4)], (None, 10)),
        ([(None, 2, 3), (None, 3, 3)], (None, 15)),
        ([(None, None, 3), (None, None, 4)], (None, None, 7)),
        ([(None, None, 3), (None, 4)], None),
        ([None, (None, 4)], None),
        ([None, None], None),
    ],
)
def test_shapes_side_by_side(shapes: list[Any], expected: Any) -> None:
    with tf.Graph().as_default():
        tensors = [v1.placeholder(tf.float32, shape) for shape in shapes]
        if expected is None:
            with pytest.raises(GraphscopeError, match="cannot be concatenated"):
                merge_tensors(tf, tensors)
        else:
            assert tuple(merge_tensors(tf, tensors).shape.as_list()) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": "flatten", "at": ("x",)}, "no variable is left to train"),
        ({"head": "dense:3,flatten", "width": 3, "at": ()}, "no tensor was named for the head"),
        ({"head": "dense:3", "at": ("s",)}, "a head takes numbers"),
        ({"head": "dense:3", "at": ("odd",)}, "is given by Odd"),
        ({"head": "dense:3", "at": ("h",), "unfreeze": ["nothing"]}, "nothing"),
        ({"head": "dense:3", "at": ("scalar",)}, "dense:3 takes"),
    ],
)
def test_grafts_that_cannot_be(options: dict[str, Any], message: str) -> None:
    lines = [
        *BASE,
        "s AsString x",
        "odd Odd x",
        "scalar Sum x both",
        "both Const:int32=[0,1]",
    ]
    with pytest.raises(GraphscopeError, match=message):
        grafted(*lines, **options)


# What trains


def test_weights_of_the_base_train_where_they_are_unfrozen() -> None:
    lines = [*BASE[:3], "v Const=[[1,0],[0,1]]", "k MatMul h v"]
    some = grafted(*lines, at=("k",), unfreeze=["^v$"], ema=0.5)
    assert some.recipe is not None
    assert some.recipe.features == ()
    assert not some.report.is_stopped
    assert some.report.frozen == {"w": 4}
    assert some.report.trainable == {"v": 4, "head/dense/kernel": 6, "head/dense/bias": 3}
    assert values(some)["v/ExponentialMovingAverage"].tolist() == values(some)["v"].tolist() == [[1, 0], [0, 1]]
    every = grafted(*lines, at=("k",), stop_gradient=False)
    assert set(every.report.trainable) == {"w", "v", "head/dense/kernel", "head/dense/bias"}
    assert every.report.frozen == {}
    with pytest.raises(UnknownNameError, match="'z'"):
        grafted(*lines, at=("k",), unfreeze=["^v$", "z"])


def test_a_model_on_top_takes_the_cut() -> None:
    top = written("a Placeholder(?,2)", "u Const=[[1,2,3],[4,5,6]]", "y MatMul a u", "z Tanh y")
    found = graft(written(), GraftOptions(at=("h",), head_model=top, head_output="y"))
    assert found.recipe is None
    assert set(found.model.signatures) == {"serving_default"}
    with open_session(found.model, ["head/y:0"]) as session:
        [y] = session.run(["head/y:0"], {"x:0": X})
    assert y is not None
    np.testing.assert_allclose(y, X @ W @ np.array([[1, 2, 3], [4, 5, 6]]), rtol=1e-5)
    trained = graft(written(), GraftOptions(head_model=top, head_output="z", binds={"a": "h"}, width=3, head="dense:3"))
    assert trained.report.trainable == {"head/dense/kernel": 9, "head/dense/bias": 3}
    with pytest.raises(UnknownNameError, match="'b'"):
        graft(written(), GraftOptions(head_model=top, head_output="y", binds={"b": "h"}))
    two = written("a Placeholder(?,2)", "b Placeholder(?,2)", "y Add a b")
    with pytest.raises(GraphscopeError, match=r"b:0 float32 \(\?, 2\)"):
        graft(written(), GraftOptions(head_model=two, head_output="y", binds={"a": "h"}))
    with pytest.raises(GraphscopeError, match=r"a:0 float32 .*, b:0 float32") as caught:
        graft(written(), GraftOptions(at=("h",), head_model=two, head_output="y"))
    assert to_words(caught.value.hint) == "--bind a=h"
    whole = written("a Placeholder:int32(?,2)", "y Neg:int32 a")
    with pytest.raises(GraphscopeError, match="int32"):
        graft(written(), GraftOptions(at=("h",), head_model=whole, head_output="y"))


def softmax(z: Array) -> Array:
    p = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(p / p.sum(1, keepdims=True))


def test_steps_are_numpys() -> None:
    """Gradient descent on a softmax with L2 on the kernel alone, a rate that halves after two steps, moving averages."""
    found = grafted(learning_rate=0.5, l2=0.1, ema=0.9, optimizer="sgd", decay="step:2:0.5")
    recipe, start = found.recipe, values(found)
    assert recipe is not None
    kernel, bias = start["head/dense/kernel"].astype(float), start["head/dense/bias"].astype(float)
    average = kernel.copy()
    labels, top = np.array([0, 2, 1]), (X @ W).astype(float)
    names = [f"head/dense/{n}" for n in ("kernel", "bias", "kernel/ExponentialMovingAverage")]
    fetches = [recipe.loss, recipe.metric, recipe.learning_rate, recipe.train_op]
    graph = found.model.graph
    reads = [next(c.name for c in graph.consumers(n) if c.op == "ReadVariableOp") + ":0" for n in names]
    with open_session(found.model, [*fetches, *reads, recipe.predictions]) as session:
        for step in range(3):
            z = top @ kernel + bias
            p = softmax(z)
            rate = 0.5 if step < 2 else 0.25
            feeds = {"x:0": X, recipe.labels: labels}
            loss, metric, told, _ = session.run(fetches, feeds)
            expected = -np.log(p[np.arange(3), labels]).mean() + 0.1 * (kernel**2).sum() / 2
            assert [float(loss), float(metric), float(told)] == pytest.approx(  # type: ignore[arg-type]
                [expected, (p.argmax(1) == labels).mean(), rate], rel=1e-4
            )
            slope = (p - np.eye(3)[labels]) / 3
            kernel, bias = kernel - rate * (top.T @ slope + 0.1 * kernel), bias - rate * slope.sum(0)
            average = 0.9 * average + 0.1 * kernel
            now = session.run(reads, {})
            for one, other in zip(now, (kernel, bias, average), strict=True):
                assert one is not None
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        [predictions] = session.run([recipe.predictions], {"x:0": X})
        assert predictions is not None
        np.testing.assert_allclose(predictions, softmax(top @ kernel + bias), rtol=1e-4)


# Prepared for training


def npz(directory: Path, name: str = "d.npz", count: int = 12) -> str:
    np.savez(directory / name, x=np.resize(X, (count, 2)), y=np.arange(count) % 3)
    return str(directory / name)


def test_jobs_by_how_they_are_judged(tmp_path: Path) -> None:
    found = grafted()
    recipe = found.recipe
    assert recipe is not None
    options, reading = TuneOptions(batch=4), DataOptions(cache=tmp_path / "cache")
    data = npz(tmp_path)

    def job(validation: str, **request: Any) -> Any:
        return prepare(
            found.model, recipe, Request(data, validation, reading, **{"use_cache": False, **request}), options
        )

    made, notes = job("0")
    assert (len(made.training), made.validation, made.cached, list(notes)) == (12, None, False, [])
    assert made.feeder(0) is made.training.feeder
    feeds = made.training.feeds(np.array([1, 4]))
    assert set(feeds) == {"x:0", recipe.labels}
    np.testing.assert_array_equal(feeds["x:0"], np.resize(X, (12, 2))[[1, 4]])
    made, notes = job("0.25")
    assert made.validation is not None
    assert len(made.training) + len(made.validation) == 12
    assert made.validation.feeder is made.training.feeder
    made, _ = job(npz(tmp_path, "other.npz", 30))
    assert made.validation is not None
    assert (len(made.training), len(made.validation)) == (12, 30)
    assert made.validation.feeder is not made.training.feeder
    told: list[int] = []
    cached, notes = prepare(
        found.model, recipe, Request(data, "0", reading), options, lambda count: Noting(told, count)
    )
    assert cached.cached
    assert told[0] == -12
    assert sum(told[1:]) == 12
    [name] = recipe.features
    np.testing.assert_allclose(cached.training.feeds(np.array([2]))[name], X[[2]] @ W, rtol=1e-5)
    assert cached.split == made.split == 2


class Noting:
    """A context that is told how many examples there are, then how many are done."""

    def __init__(self, told: list[int], count: int) -> None:
        self.told = told
        told.append(-count)

    def __enter__(self) -> Any:
        return self.told.append

    def __exit__(self, *_: object) -> None:
        return None


def test_models_that_cannot_be_fed_batches(tmp_path: Path) -> None:
    found = grafted()
    recipe = recipe_of(found.model)
    assert fed_input(found.model, recipe).name == "x:0"
    two = replace(recipe, inputs={"a": "x:0", "b": "h:0"})
    with pytest.raises(GraphscopeError, match=r"needs 2 inputs, .*: x:0, h:0"):
        fed_input(found.model, two)
