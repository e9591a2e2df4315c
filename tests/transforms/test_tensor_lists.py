"""Arrays of v1 loops as lists: TensorFlow computes the same of both, and what is more than a list stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.transforms.tensor_lists import with_tensor_lists
from tests.support.fixture_files import FIXTURES
from tests.support.running import built, run_graph, tf

X = np.random.default_rng(3).random((5, 2, 3), np.float32)


def loops() -> None:
    """The array that is written is read within the loop too, an inner loop included, and counted behind it."""
    x = tf.compat.v1.placeholder(tf.float32, [None, 2, 3], "x")
    count = tf.shape(x)[0]
    source = tf.TensorArray(tf.float32, count, clear_after_read=False, element_shape=[2, 3]).unstack(x)
    target = tf.TensorArray(tf.float32, count, clear_after_read=False, element_shape=[2, 3]).write(0, source.read(0))

    def body(i: Any, array: Any) -> Any:
        _, inner = tf.while_loop(lambda k, _: k < 2, lambda k, s: (k + 1, s + source.read(i)), [0, array.read(i - 1)])
        return i + 1, array.write(i, inner)

    _, filled = tf.while_loop(lambda i, _: i < count, body, [1, target])
    tf.identity(filled.stack(), "y")
    tf.identity(filled.size(), "n")


def more_than_lists() -> None:
    """An array that grows, one of which two elements are taken, one that is written twice, and one of unknown elements."""
    x = tf.constant(X)
    tf.TensorArray(tf.float32, 5, name="unknown").write(3, tf.compat.v1.placeholder(tf.float32, None))
    tf.TensorArray(tf.float32, 0, dynamic_size=True, name="grows", element_shape=X.shape).write(3, x)
    tf.TensorArray(tf.float32, 5, name="taken").unstack(x).gather([3, 1])
    tf.TensorArray(tf.float32, 5, name="twice").unstack(x).scatter([4, 1], x[:2])


def test_a_loop_that_reads_and_writes() -> None:
    graph = built(loops)
    lists = with_tensor_lists(graph)
    assert sum(node.op.startswith("TensorArray") for node in graph) > 6
    assert not any(node.op.startswith("TensorArray") for node in lists)
    for expected, found in zip(*(run_graph(g, ["y:0", "n:0"], {"x:0": X}) for g in (graph, lists))):
        np.testing.assert_array_equal(found, expected)


def test_what_is_written_says_the_shape_that_an_array_does_not() -> None:
    """As in graphs that TensorFlow 1.4 wrote."""
    graph = built(loops)
    arrays = [node for node in graph if node.op == "TensorArrayV3"]
    for node in arrays:
        node.proto.attr["element_shape"].shape.Clear()
        node.proto.attr["element_shape"].shape.unknown_rank = True
    lists = with_tensor_lists(graph)
    assert [lists[f"{node.name}/element_shape"].tensor().numpy().tolist() for node in arrays] == [[2, 3]] * 2  # type: ignore[union-attr]
    for expected, found in zip(*(run_graph(g, ["y:0", "n:0"], {"x:0": X}) for g in (graph, lists))):
        np.testing.assert_array_equal(found, expected)


def test_a_trained_network() -> None:
    graph = graphscope.freeze(FIXTURES / "rnn", outputs="probs").model.graph
    lists = with_tensor_lists(graph)
    feeds = {"input:0": np.random.default_rng(4).random((3, 784), np.float32)}
    assert {node.op for node in lists if "TensorArray" in node.op} == set()
    np.testing.assert_array_equal(run_graph(lists, ["probs:0"], feeds)[0], run_graph(graph, ["probs:0"], feeds)[0])


@pytest.mark.parametrize("name", ["grows", "taken", "twice", "unknown"])
def test_what_is_more_than_a_list_stays(name: str) -> None:
    graph = built(more_than_lists)
    needed = set(graph.ancestors(graph.descendants([name])))
    part = graph.with_nodes([node for node in graph if node.name in needed])
    assert [node.name for node in part if node.op == "TensorArrayV3"] == [name]
    assert with_tensor_lists(part) is part
