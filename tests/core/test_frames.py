"""Constants stay in the loop and the branch that they were made in, and every frozen graph is one that TensorFlow runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphscope.core.checks.frames import refuse_mixed_frames
from graphscope.core.model import Model, ModelKind
from graphscope.errors import GraphscopeError
from graphscope.transforms.freeze import FreezeOptions, freeze
from tests.support.graphs import const, graph_of, op
from tests.support.running import built, run_graph, tf

v1 = tf.compat.v1


def decided_in_map() -> None:
    x = v1.placeholder(tf.float32, [3], name="x")
    tf.identity(tf.map_fn(lambda v: tf.cond(tf.constant(True), lambda: v + 1.0, lambda: v * 2.0), x), name="out")


def constant_branch_in_map() -> None:
    x = v1.placeholder(tf.float32, [3], name="x")

    def step(v: Any) -> Any:
        return v * tf.cond(tf.constant(False), lambda: tf.constant(3.0), lambda: tf.constant(2.0))

    tf.identity(tf.map_fn(step, x), name="out")


def decided_outside() -> None:
    x = v1.placeholder(tf.float32, [3], name="x")
    flag = tf.constant(True)
    tf.identity(tf.map_fn(lambda v: tf.cond(flag, lambda: v + 1.0, lambda: v * 2.0), x), name="out")


def nested_loops() -> None:
    x = v1.placeholder(tf.float32, [2, 3], name="x")

    def row(r: Any) -> Any:
        return tf.map_fn(lambda v: tf.cond(tf.constant(True), lambda: v * 3.0 + 1.0, lambda: v), r)

    tf.identity(tf.map_fn(row, x), name="out")


def loop_in_branch() -> None:
    x = v1.placeholder(tf.float32, [3], name="x")

    def yes() -> Any:
        return tf.map_fn(lambda v: tf.cond(tf.constant(False), lambda: v, lambda: v - 5.0), x)

    tf.identity(
        tf.cond(tf.reduce_sum(x) > 0, yes, lambda: tf.cond(tf.constant(True), lambda: x * 2.0, yes)), name="out"
    )


def branch_in_branch() -> None:
    x = v1.placeholder(tf.float32, [3], name="x")

    def yes() -> Any:
        return tf.cond(tf.constant(True), lambda: tf.constant(1.0), lambda: tf.constant(2.0))

    tf.identity(tf.cond(tf.reduce_sum(x) > 0, yes, lambda: tf.constant(3.0)) + x, name="out")


def open_branch_in_loop() -> None:
    x = v1.placeholder(tf.float32, [3], name="x")

    def step(v: Any) -> Any:
        inner = lambda: tf.cond(tf.constant(True), lambda: v + tf.constant(2.0) * 3.0, lambda: v)  # noqa: E731
        return tf.cond(v > 0, inner, lambda: tf.constant(7.0))

    tf.identity(tf.map_fn(step, x), name="out")


def replaced_in_while() -> None:
    x = v1.placeholder(tf.float32, [3], name="x")

    def body(i: Any, _: Any) -> tuple[Any, Any]:
        return i + 1, tf.cond(tf.constant(True), lambda: tf.constant([4.0, 5.0, 6.0]), lambda: tf.zeros([3]))

    _, last = tf.while_loop(lambda i, _: i < 3, body, [tf.constant(0), x])
    tf.identity(last, name="out")


def array_loop() -> None:
    x = v1.placeholder(tf.float32, [3], name="x")
    made = tf.TensorArray(tf.float32, 3)

    def body(i: Any, array: Any) -> tuple[Any, Any]:
        value = tf.cond(tf.constant(True), lambda: x[i] + 1.0, lambda: tf.constant(0.0))
        return i + 1, array.write(i, tf.ensure_shape(value, []))

    _, made = tf.while_loop(lambda i, _: i < 3, body, [tf.constant(0), made])
    tf.identity(made.stack(), name="out")


def recurrent() -> None:
    x = v1.placeholder(tf.float32, [3], name="x")
    sequence = tf.reshape(x, [1, 3, 1])

    def cell(state: Any, value: Any) -> Any:
        kept = tf.cond(tf.constant(True), lambda: state * 0.5, lambda: state)
        return tf.tanh(kept + value)

    tf.identity(tf.scan(cell, tf.transpose(sequence, [1, 0, 2]), initializer=tf.zeros([1, 1])), name="out")


BUILDERS = [
    decided_in_map,
    constant_branch_in_map,
    decided_outside,
    nested_loops,
    loop_in_branch,
    branch_in_branch,
    open_branch_in_loop,
    replaced_in_while,
    array_loop,
    recurrent,
]


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("build", BUILDERS)
def test_what_is_decided_in_a_loop_stays_in_its_frame(build: Callable[[], None], fold: bool) -> None:
    graph = built(build)
    frozen = freeze(Model("m", ModelKind.GRAPH, "", (), graph), FreezeOptions(["out"], fold=fold, float16=True)).graph
    for sign in (1, -1):
        shape = (2, 3) if build is nested_loops else (3,)
        x = sign * np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)
        [expected], [found] = (run_graph(g, ["out:0"], {"x:0": x}) for g in (graph, frozen))
        np.testing.assert_array_equal(found, expected)


def test_a_graph_of_mixed_frames_is_refused() -> None:
    enter = op("enter", "Enter", "a", frame_name=b"loop")
    with pytest.raises(GraphscopeError, match=r"node sum .AddV2. would take inputs from"):
        refuse_mixed_frames(graph_of(const("a", 1.0), enter, op("sum", "AddV2", "enter", "a")))


def test_an_input_inside_a_loop_is_refused() -> None:
    graph = built(decided_in_map)
    [inside] = [n.name for n in graph if n.op == "TensorArrayReadV3"]
    with pytest.raises(GraphscopeError, match="TensorFlow does not run such a graph"):
        freeze(Model("m", ModelKind.GRAPH, "", (), graph), FreezeOptions(["out"], inputs=[inside]))
