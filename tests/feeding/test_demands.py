"""Placeholders of unknown rank: what is made for them runs, in TensorFlow, whatever takes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope import load
from graphscope.cli.terminal.wording import to_words
from graphscope.errors import GraphscopeError
from graphscope.feeding.feeds import required_inputs, resolve_tensors
from graphscope.feeding.missing_feeds import refuse_unfed
from graphscope.feeding.random_values import random_feeds
from tests.support.running import run_graph, tf

v1 = tf.compat.v1


def weight(*shape: int) -> Any:
    return tf.constant(np.ones(shape, np.float32))


def normalized(x: Any) -> Any:
    return tf.nn.relu(x / 255.0 - 0.5)


TAKERS: dict[str, tuple[Any, Callable[[Any], Any], int]] = {
    "matmul": (tf.float32, lambda x: tf.matmul(x, weight(5, 3)), 2),
    "transposed": (tf.float32, lambda x: tf.matmul(x, weight(3, 5), transpose_b=True), 2),
    "transposed a": (tf.float32, lambda x: tf.matmul(x, weight(5, 3), transpose_a=True), 2),
    "right": (tf.float32, lambda x: tf.matmul(weight(4, 5), x), 2),
    "prepared": (tf.float32, lambda x: tf.matmul(normalized(x), weight(5, 3)), 2),
    "convolution": (tf.float32, lambda x: tf.nn.conv2d(x, weight(3, 3, 4, 2), 1, "VALID"), 4),
    "prepared convolution": (
        tf.uint8,
        lambda x: tf.nn.conv2d(normalized(tf.cast(x, tf.float32)), weight(3, 3, 1, 2), 1, "SAME"),
        4,
    ),
    "depthwise": (tf.float32, lambda x: tf.nn.depthwise_conv2d(x, weight(3, 3, 4, 1), [1, 1, 1, 1], "SAME"), 4),
    "solid": (tf.float32, lambda x: tf.nn.conv3d(x, weight(2, 2, 2, 3, 2), [1] * 5, "SAME"), 5),
    "row": (tf.float32, lambda x: tf.nn.conv1d(x, weight(3, 4, 2), 1, "SAME"), 3),
    "bias": (tf.float32, lambda x: tf.nn.bias_add(x, weight(6)), 2),
    "added": (tf.float32, lambda x: x + weight(6), 2),
    "reshaped": (tf.float32, lambda x: tf.reshape(x, [-1, 4, 4, 1]), 4),
    "permuted": (tf.float32, lambda x: tf.transpose(x, [0, 2, 1]), 3),
    "permuted convolution": (
        tf.float32,
        lambda x: tf.nn.conv2d(tf.transpose(x, [0, 2, 3, 1]), weight(3, 3, 4, 2), 1, "SAME"),
        4,
    ),
    "resized": (tf.float32, lambda x: v1.image.resize_bilinear(x, [4, 4]), 4),
    "gathered": (tf.int32, lambda x: tf.gather(weight(3, 2), x), 1),
    "gathered column": (tf.int64, lambda x: tf.gather(weight(20, 2), x, axis=1), 1),
    "gathered of few": (tf.int32, lambda x: tf.gather(tf.boolean_mask(weight(3, 2), [True, False, False]), x), 1),
    "gathered by sums": (tf.int32, lambda x: tf.gather(weight(12, 2), tf.add(tf.expand_dims(x, -1), [4, 11])), 1),
    "one hot": (tf.int32, lambda x: tf.one_hot(x, 3), 1),
}


PICTURES = {"convolution", "prepared convolution", "depthwise", "reshaped", "permuted convolution"}


@pytest.mark.parametrize("name", TAKERS)
def test_what_is_made_for_an_unknown_rank_runs(name: str, tmp_path: Path) -> None:
    dtype, take, rank = TAKERS[name]
    with tf.Graph().as_default() as graph:
        tf.identity(take(v1.placeholder(dtype, None, "x")), "out")
    path = tmp_path / "g.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    model = load(path)
    for seed in range(3):
        feeds = random_feeds(required_inputs(model, ["out"]), seed=seed, unknown=4)
        assert feeds["x:0"].ndim == rank
        run_graph(path.read_bytes(), ["out:0"], feeds)
    given = resolve_tensors(model, ["x=random"])["x:0"]
    assert given.ndim == rank
    with pytest.raises(GraphscopeError) as error:
        refuse_unfed(model, ["out"], [])
    assert ("@picture" in to_words(error.value.hint)) == (name in PICTURES)


def lookup(x: Any) -> Any:
    ids = tf.SparseTensor(x.indices, tf.cast(tf.abs(x.values) * 3, tf.int64), x.dense_shape)
    return tf.nn.embedding_lookup_sparse(weight(4, 2), ids, None, combiner="sum")


SPARSE: dict[str, tuple[list[int | None] | None, Callable[[Any], Any]]] = {
    "matmul": ([None, 3], lambda x: v1.sparse.sparse_dense_matmul(x, weight(3, 2))),
    "matmul of any shape": (None, lambda x: v1.sparse.sparse_dense_matmul(x, weight(5, 2))),
    "adjoint": ([None, None], lambda x: v1.sparse.sparse_dense_matmul(x, weight(5, 2), adjoint_a=True)),
    "adjoint b": ([None, None], lambda x: v1.sparse.sparse_dense_matmul(x, weight(2, 5), adjoint_b=True)),
    "dense": ([None, 4, 5], lambda x: v1.sparse.to_dense(x)),
    "dense of any shape": (None, lambda x: v1.sparse.to_dense(x)),
    "sum": ([7, None], lambda x: v1.sparse.reduce_sum(x, 1)),
    "softmax": ([None, 3], lambda x: v1.sparse.softmax(x).values),
    "filled": ([None, 3], lambda x: v1.sparse.fill_empty_rows(x, 0.0)[0].values),
    "joined": ([None, 3], lambda x: v1.sparse.to_dense(v1.sparse.concat(1, [x, x]))),
    "lookup": ([None, None], lookup),
    "huge": ([2**40, 2**20, None], lambda x: v1.sparse.reduce_sum(x)),
}
"""The shape of a sparse placeholder, and what takes it."""


@pytest.mark.parametrize("name", SPARSE)
def test_what_is_made_for_a_sparse_tensor_runs(name: str, tmp_path: Path) -> None:
    """TensorFlow ends the process where a sparse tensor has the shape -1, which is the default of such a placeholder."""
    shape, take = SPARSE[name]
    with tf.Graph().as_default() as graph:
        x = v1.sparse_placeholder(tf.float32, shape, name="x")
        tf.identity(take(x), "out")
    path = tmp_path / "g.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    model = load(path)
    for seed in range(3):
        feeds = random_feeds(required_inputs(model, ["out"]), seed=seed, unknown=4)
        indices = feeds["x/indices:0"]
        sizes = feeds.get("x/shape:0", [4, 4])
        assert len(indices) == 4
        assert ((indices >= 0) & (indices < sizes)).all()
        assert sorted(indices.tolist()) == indices.tolist()
        assert all(size in (None, stated) for size, stated in zip(shape or sizes, sizes, strict=True))
        run_graph(path.read_bytes(), ["out:0"], feeds)


def test_encoded_pictures_are_scalars(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.identity(tf.io.decode_jpeg(v1.placeholder(tf.string, None, "x")), "out")
    path = tmp_path / "g.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    [spec] = required_inputs(load(path), ["out"])
    assert spec.shape == ()


@pytest.mark.parametrize(
    "shape",
    [
        [None, 4],
        [None, 16],
        [None, None],
        [None, None, None],
        [None, 7, 5],
        [12],
        [None, 9, 4],
        [None, 3, 4],
        [None, None, 3],
    ],
)
def test_the_hint_for_what_is_no_picture_names_none(shape: list[int | None], tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.identity(v1.placeholder(tf.float32, shape, "x"), "out")
    path = tmp_path / "g.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(GraphscopeError) as error:
        refuse_unfed(load(path), ["out"], [])
    assert to_words(error.value.hint) == "--feed x=random"
