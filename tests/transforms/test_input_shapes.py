"""Other shapes for inputs: equal to the original graph, row by row, whatever the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphscope.analysis.shapes import infer
from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Graph
from graphscope.core.tensors import Shape
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.protos import GraphDef
from graphscope.transforms.input_shapes import batch_shapes, reshape_inputs
from tests.support.graphs import graph_of, op, placeholder
from tests.support.running import Array, parsed, run_graph, tf

v1 = tf.compat.v1


def weights(*shape: int) -> Any:
    return tf.constant(np.random.default_rng(1).uniform(-0.3, 0.3, shape).astype(np.float32))


def flattened(x: Any, batch: int) -> Any:
    hidden = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 2, 4), 1, "SAME"))
    flat = tf.reshape(hidden, [batch, 6 * 6 * 4])
    return tf.reshape(flat @ weights(144, 5), [batch, 1, 5])


def merged(x: Any, batch: int) -> Any:
    """The batch times the steps in one size, and apart again."""
    rows = tf.reshape(x, [batch * 6, 12]) @ weights(12, 3)
    return tf.reshape(rows, [batch, 6, 3])


def inferred(x: Any, batch: int) -> Any:
    return tf.reshape(x, [batch, -1]) @ weights(72, 3)


def deconvolved(x: Any, batch: int) -> Any:
    return tf.nn.conv2d_transpose(x, weights(2, 2, 3, 2), [batch, 12, 12, 3], 2)


def recurrent(x: Any, batch: int) -> Any:
    state = tf.zeros([batch, 4])
    for step in tf.unstack(tf.reshape(x, [batch, 6, 12]), axis=1):
        state = tf.tanh(tf.concat([step, state], 1) @ weights(16, 4))
    return state


def filled(x: Any, batch: int) -> Any:
    state = tf.fill([batch, 3], 0.5)
    return tf.concat([tf.reshape(x, [batch, 72]), state], 1) @ weights(75, 2)


def sliced(x: Any, batch: int) -> Any:
    return tf.slice(x, [0, 1, 1, 0], [batch, 4, 4, 2]) * 2.0


def squeezed(x: Any, _: int) -> Any:
    return tf.squeeze(tf.reduce_mean(x, [1, 2], keepdims=True))


def broadcast(x: Any, batch: int) -> Any:
    return tf.broadcast_to(tf.reduce_sum(x, [3], keepdims=True), [batch, 6, 6, 3])


def open_sized(x: Any, batch: int) -> Any:
    """The size of an example is not known either."""
    return tf.reshape(tf.nn.avg_pool2d(x, 2, 2, "SAME"), [batch, -1, 2])


BUILDERS: list[Callable[[Any, int], Any]] = [
    flattened, merged, inferred, deconvolved, recurrent, filled, sliced, squeezed, broadcast, open_sized,
]  # fmt: skip


def built(build: Callable[[Any, int], Any], batch: int | None, size: int | None = 6) -> Graph:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [batch, size, size, 2], name="x")
        tf.identity(build(x, batch or 0), name="y")
        return parsed(graph.as_graph_def(add_shapes=True).SerializeToString())


def in_batches(graph: Graph, x: Array, batch: int) -> Array:
    return np.concatenate([run_graph(graph, ["y:0"], {"x:0": x[i : i + batch]})[0] for i in range(0, len(x), batch)])


CASES = [(build, batch) for build in BUILDERS for batch in (1, 4) if (build, batch) != (squeezed, 1)]


@pytest.mark.parametrize(("build", "batch"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_every_row_is_equal(build: Callable[[Any, int], Any], batch: int) -> None:
    graph = built(build, batch, None if build is open_sized else 6)
    x = np.random.default_rng(0).uniform(-1, 1, (28, 6, 6, 2)).astype(np.float32)
    expected = in_batches(graph, x, batch)
    for new in (None, 7, 1):
        result = reshape_inputs(graph, batch_shapes(graph, new), ["y"]).graph
        for size in (1, 7) if new is None else (new,):
            np.testing.assert_allclose(in_batches(result, x, size), expected, rtol=1e-5, atol=1e-6)


def test_what_changed_is_told() -> None:
    found = reshape_inputs(built(flattened, 4), {"x:0": (None, 6, 6, 2)}, ["y"])
    assert found.inputs == {"x": ((4, 6, 6, 2), (None, 6, 6, 2))}
    assert found.rewritten == {"Reshape": "(4, 144) -> (?, 144)", "Reshape_1": "(4, 1, 5) -> (?, 1, 5)"}
    assert not [n for n in found.graph if "_output_shapes" in n.attrs]


def test_a_scalar_in_an_old_graph() -> None:
    """An empty shape says nothing there."""
    header = GraphDef()
    header.versions.producer = 20
    nodes = [make_node("x", "Placeholder", (), {"dtype": type_attr(DataType.FLOAT)}), op("y", "Abs", "x")]
    found = reshape_inputs(Graph(header, nodes), {"x": ()}).graph
    assert infer(found).shape("y") == ()
    assert run_graph(found, ["y:0"], {"x:0": -2.0}) == [2]
    with pytest.raises(ValueError, match="Cannot feed value of shape"):
        run_graph(found, ["y:0"], {"x:0": [-2.0]})


def test_nothing_to_do() -> None:
    graph = built(flattened, 4)
    assert reshape_inputs(graph, {"x": (4, 6, 6, 2)}, ["y"]).graph is graph


@pytest.mark.parametrize("size", [9, None])
def test_another_size_of_a_convolutional_net(size: int | None) -> None:
    def build(x: Any, _: int) -> Any:
        return tf.reduce_mean(tf.nn.conv2d(x, weights(3, 3, 2, 4), 1, "SAME"), [1, 2])

    result = reshape_inputs(built(build, None), {"x": (None, size, size, 2)}, ["y"]).graph
    x = np.random.default_rng(0).uniform(-1, 1, (2, 9, 9, 2)).astype(np.float32)
    [found] = run_graph(result, ["y:0"], {"x:0": x})
    [expected] = run_graph(built(build, 2, 9), ["y:0"], {"x:0": x})
    np.testing.assert_array_equal(found, expected)


def dense(x: Any, _: int) -> Any:
    return tf.reshape(x, [-1, 72]) @ weights(72, 3)


def first_example(x: Any, _: int) -> Any:
    return tf.nn.relu(x[0])[tf.newaxis] * 2.0


@pytest.mark.parametrize(
    ("build", "batch", "shape", "message"),
    [
        (dense, None, (None, 7, 7, 2), r"node Reshape \(Reshape\).*cannot reshape"),
        (dense, None, (None, 12, 12, 2), r"output y:0 would have 4 rows for each example, by node Reshape \(Reshape\)"),
        (first_example, 1, (None, 6, 6, 2), r"output y:0 stays of \(1, 6, 6, 2\), fixed by node strided_slice"),
        (squeezed, 1, (None, 6, 6, 2), r"output y:0 would have 2 dimensions instead of 1, by node Squeeze"),
        (flattened, 4, (4, 6, 6, 3), r"node Conv2D \(Conv2D\) does not allow it"),
    ],
)
def test_what_forbids_it_is_named(build: Any, batch: int | None, shape: Shape, message: str) -> None:
    with pytest.raises(GraphscopeError, match=message):
        reshape_inputs(built(build, batch), {"x": shape}, ["y"])


def test_names_are_checked() -> None:
    graph = graph_of(placeholder("x"), op("y", "Neg", "x"))
    with pytest.raises(UnknownNameError, match="'z'"):
        reshape_inputs(graph, {"z": (1,)})
    with pytest.raises(GraphscopeError, match="y is a Neg, not a placeholder"):
        reshape_inputs(graph, {"y": (1,)})
    with pytest.raises(GraphscopeError, match="no placeholder states a batch"):
        batch_shapes(graph, 3)
