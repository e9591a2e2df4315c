"""Bases that were built for a fixed number of examples: their heads train as on any number, or they are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.api.graft import graft
from graphscope.cli.terminal.wording import to_words
from graphscope.errors import GraphscopeError
from graphscope.training.data import DataOptions
from graphscope.training.recipe import recipe_of
from graphscope.training.tune.prepare import Request, prepare
from graphscope.training.tune.training_job import TuneOptions
from tests.support.running import Array, tf

v1 = tf.compat.v1
WIDTH, CLASSES, EXAMPLES = 12, 3, 5
TASK_OPTIONS: dict[str, dict[str, Any]] = {
    "classes": {"classes": CLASSES},
    "regression": {"regression": True},
    "multilabel": {"multilabel": CLASSES},
}
Body = Callable[[Any, int], Any]


def weights(*shape: int) -> Any:
    return tf.constant(np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32))


def _pack(x: Any, batch: int) -> Any:
    return tf.reshape(x, tf.stack([batch, WIDTH]))


def _twice(x: Any, batch: int) -> Any:
    return tf.reshape(tf.tanh(tf.reshape(x, [batch, 3, 4, 1])), [batch, -1])


def _shared(x: Any, batch: int) -> Any:
    shape = tf.constant([batch, WIDTH])
    return tf.reshape(tf.reshape(x, shape) * 2.0, shape)


def _static_state(x: Any, batch: int) -> Any:
    return tf.reshape(x, [batch, WIDTH]) + tf.zeros([1, WIDTH])


def _called(x: Any, batch: int) -> Any:
    kinds = [tf.TensorSpec([None if x.shape[0] is None else batch, 3, 4])]
    return tf.function(lambda y: tf.reshape(y, [batch, WIDTH]), input_signature=kinds)(x)


def _state(x: Any, batch: int) -> Any:
    return tf.concat([tf.reshape(x, [batch, WIDTH])[:, :6], tf.constant(np.ones([batch, 6], np.float32))], 1)


def _merged(x: Any, batch: int) -> Any:
    return tf.reshape(tf.reshape(x, [batch * 3, 4]) @ weights(4, 4), [batch, WIDTH])


OPENED: dict[str, Body] = {
    "no shape": lambda x, batch: tf.reshape(x, [-1, WIDTH]),
    "a shape": lambda x, batch: tf.reshape(x, [batch, WIDTH]),
    "a shape with -1": lambda x, batch: tf.reshape(x, [batch, -1]),
    "a packed shape": _pack,
    "two shapes": _twice,
    "one shape for two": _shared,
    "a state for any": _static_state,
    "a function": _called,
    "a state": _state,
    "merged with time": _merged,
}


def base(path: Path, batch: int, body: Body, *, any_input: bool = False) -> Path:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None if any_input else batch, 3, 4], name="x")
        tf.identity(tf.matmul(body(x, batch), weights(WIDTH, 4)), name="top")
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def tops(path: Path, batch: int, examples: Array) -> Array:
    """What plain TensorFlow gives for each example in the graph as it was built, ``batch`` at a time."""
    graph_def = v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        found = [session.run("top:0", {"x:0": np.repeat(one[None], batch, 0)})[0] for one in examples]
    return np.array(found)


def softmax_gradient(top: Array, labels: Array, kernel: Array, bias: Array) -> tuple[float, Array]:
    """The mean loss over the examples and its gradient by the kernel."""
    logits = top @ kernel + bias
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[np.arange(len(labels)), labels]).mean()
    return float(loss), top.T @ (p - np.eye(CLASSES)[labels]) / len(labels)


@pytest.mark.parametrize("any_input", [False, True])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", OPENED)
def test_gradients_are_means_over_the_examples(tmp_path: Path, name: str, batch: int, any_input: bool) -> None:
    path = base(tmp_path / "base.pb", batch, OPENED[name], any_input=any_input)
    rng = np.random.default_rng(0)
    examples = rng.normal(size=(EXAMPLES, 3, 4)).astype(np.float32)
    labels = rng.integers(0, CLASSES, EXAMPLES)
    grafted = graft(path, "top", f"dense:{CLASSES}", classes=CLASSES, optimizer="sgd", learning_rate=1.0)
    recipe = grafted.recipe
    assert recipe is not None
    assert grafted.report.logits.shape == (None, CLASSES)
    with grafted.session() as opened:
        session, graph = opened.session, opened.graph
        kernel, bias = (graph.get_tensor_by_name(f"head/dense/{n}/Read/ReadVariableOp:0") for n in ("kernel", "bias"))
        before = session.run([kernel, bias])
        feeds = {recipe.labels: labels, **dict.fromkeys(recipe.inputs.values(), examples)}
        loss = session.run(recipe.loss, feeds)
        session.run(recipe.train_op, feeds)
        after = session.run(kernel)
    expected_loss, gradient = softmax_gradient(tops(path, batch, examples), labels, *before)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-4)
    np.testing.assert_allclose(before[0] - after, gradient, rtol=1e-3, atol=1e-5)


def _rows(x: Any, batch: int) -> Any:
    return tf.reshape(x, [batch, WIDTH]) + tf.constant(np.arange(batch * WIDTH, dtype=np.float32).reshape(batch, WIDTH))


def _one(x: Any, batch: int) -> Any:
    return tf.reshape(x[0:1], [1, WIDTH])


FIXED: dict[str, Body] = {"rows that differ": _rows, "one of them": _one}


@pytest.mark.parametrize("task", ["classes", "regression", "multilabel"])
@pytest.mark.parametrize(("name", "batch"), [("rows that differ", 4), ("one of them", 1), ("one of them", 4)])
def test_what_cannot_be_opened_is_refused(tmp_path: Path, name: str, batch: int, task: str) -> None:
    path = base(tmp_path / "base.pb", batch, FIXED[name])
    with pytest.raises(GraphscopeError, match=f"the base is built for a batch of {batch}: "):
        graft(path, "top", f"dense:{CLASSES}", **TASK_OPTIONS[task])


def test_a_batch_that_a_loop_fixes_is_refused(tmp_path: Path) -> None:
    """Functions of loops stay functions; others are put in the place of their calls, and opened."""

    def body(x: Any, batch: int) -> Any:
        kinds = [tf.TensorSpec([], tf.int32), tf.TensorSpec(None, tf.float32)]
        go = tf.function(lambda i, _: i < 2, input_signature=kinds).get_concrete_function()
        step = tf.function(lambda i, y: (i + 1, tf.reshape(y, [batch, WIDTH])), input_signature=kinds)
        looped = tf.raw_ops.StatelessWhile(
            input=[0, tf.reshape(x, [batch, WIDTH])], cond=go, body=step.get_concrete_function()
        )
        return looped[1]

    path = base(tmp_path / "base.pb", 4, body)
    with pytest.raises(GraphscopeError, match=r"built for a batch of 4: .*fixed by node StatelessWhile "):
        graft(path, "top", f"dense:{CLASSES}", classes=CLASSES)


def test_tune_refuses_what_was_grafted_for_one_example(tmp_path: Path) -> None:
    """A base whose input is one encoded example takes files or texts, no rows of numbers."""
    with tf.Graph().as_default() as graph:
        raw = v1.placeholder(tf.string, [], name="raw")
        x = tf.reshape(tf.io.decode_raw(raw, tf.float32), [1, WIDTH])
        tf.identity(tf.matmul(x, weights(WIDTH, 4)), name="top")
        (tmp_path / "base.pb").write_bytes(graph.as_graph_def().SerializeToString())
    graft(tmp_path / "base.pb", "top", f"dense:{CLASSES}", classes=CLASSES, out=tmp_path / "m")
    model = graphscope.load(tmp_path / "m")
    np.savez(tmp_path / "data.npz", x=np.zeros((4, 1)), y=np.zeros(4, np.int64))
    request = Request(str(tmp_path / "data.npz"), "0", DataOptions(cache=tmp_path))
    with pytest.raises(GraphscopeError, match="raw:0 is a scalar: it has no dimension that counts examples"):
        prepare(model, recipe_of(model), request, TuneOptions())


@pytest.mark.parametrize("task", ["classes", "regression", "multilabel"])
def test_labels_are_as_many_as_what_is_judged(tmp_path: Path, task: str) -> None:
    """A base for any number of examples that makes one row of them all."""
    path = base(tmp_path / "base.pb", 1, lambda x, _: tf.reshape(x[0:1], [-1, WIDTH]), any_input=True)
    grafted = graft(path, "top", f"dense:{CLASSES}", **TASK_OPTIONS[task])
    recipe = grafted.recipe
    assert recipe is not None
    labels = np.zeros(EXAMPLES, np.int64) if task == "classes" else np.zeros((EXAMPLES, CLASSES))
    feeds = {recipe.labels: labels, **dict.fromkeys(recipe.inputs.values(), np.zeros((EXAMPLES, 3, 4)))}
    with grafted.session() as opened, pytest.raises(tf.errors.InvalidArgumentError):
        opened.session.run(recipe.train_op, feeds)


# Nothing to feed


def _iterator() -> Any:
    data = tf.data.Dataset.from_tensor_slices(np.zeros((4, WIDTH), np.float32)).batch(2)
    return v1.data.make_one_shot_iterator(data).get_next()


def _queue() -> Any:
    queue = tf.queue.FIFOQueue(4, tf.float32, [[2, WIDTH]])
    return queue.dequeue()


SOURCES: dict[str, tuple[Callable[[], Any], str]] = {
    "an iterator": (_iterator, "IteratorGetNext"),
    "a queue": (_queue, "fifo_queue_Dequeue"),
    "random numbers": (lambda: tf.random.normal([2, WIDTH]), "random_normal/RandomStandardNormal"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_base_that_cannot_be_fed_is_refused(tmp_path: Path, name: str) -> None:
    make, source = SOURCES[name]
    with tf.Graph().as_default() as graph:
        tf.identity(tf.matmul(make(), weights(WIDTH, 4)), name="top")
        (tmp_path / "base.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(GraphscopeError, match=f"takes? (its|their) data from {source} ") as found:
        graft(tmp_path / "base.pb", "top", f"dense:{CLASSES}", classes=CLASSES)
    assert to_words(found.value.hint).startswith(f"--input {source} ")
    assert graft(tmp_path / "base.pb", "top", f"dense:{CLASSES}", classes=CLASSES, inputs=[source]).report.inputs


def test_a_base_of_constants_is_refused(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.identity(weights(2, WIDTH), name="top")
        (tmp_path / "base.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(GraphscopeError, match="it consists of constants and variables"):
        graft(tmp_path / "base.pb", "top", f"dense:{CLASSES}", classes=CLASSES)
