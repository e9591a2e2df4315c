"""Batch norm that was built for training is found however it is wired, and freezing says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope import GraphscopeError, load
from graphscope.transforms.findings.batch_statistics import find_batch_statistics
from tests.support.running import tf

v1 = tf.compat.v1


def layer() -> tf.Tensor:
    x = v1.placeholder(tf.float32, [None, 4, 4, 2], "x")
    return tf.nn.relu(tf.nn.conv2d(x, tf.constant(np.ones((3, 3, 2, 2), np.float32)), 1, "SAME"))


def fused(is_training: bool = True) -> tf.Tensor:
    stored = ([], []) if is_training else (tf.zeros(2), tf.ones(2))
    return v1.nn.fused_batch_norm(layer(), tf.ones(2), tf.zeros(2), *stored, is_training=is_training, name="norm")[0]


def by_moments(*axes: int) -> tf.Tensor:
    value = layer()
    mean, variance = tf.nn.moments(value, list(axes), name="norm")
    return tf.nn.batch_normalization(value, mean, variance, None, None, 1e-3)


def by_dense() -> tf.Tensor:
    value = tf.matmul(v1.placeholder(tf.float32, [None, 4], "x"), tf.constant(np.ones((4, 2), np.float32)))
    mean, variance = tf.nn.moments(value, [0], name="norm")
    return (value - mean) / tf.sqrt(variance)


def decided() -> tf.Tensor:
    return tf.cond(v1.placeholder(tf.bool, [], "is_training"), fused, lambda: fused(False))


def of_raw_pictures() -> tf.Tensor:
    mean, variance = tf.nn.moments(v1.placeholder(tf.float32, [None, 4, 4], "x"), [0, 1], name="norm")
    return tf.stack([mean, variance])


CASES: list[tuple[Callable[[], tf.Tensor], list[str]]] = [
    (fused, ["norm"]),
    (lambda: fused(False), []),
    (lambda: by_moments(0, 1, 2), ["norm/variance"]),
    (lambda: by_moments(1, 2), []),
    (by_dense, ["norm/variance"]),
    (lambda: tf.function(fused)(), ["norm"]),
    (decided, []),
    (of_raw_pictures, []),
]


@pytest.mark.parametrize(("build", "expected"), CASES)
def test_batch_norm_in_training_mode_is_found(
    build: Callable[[], tf.Tensor], expected: list[str], tmp_path: Path
) -> None:
    with tf.Graph().as_default() as graph:
        tf.identity(build(), name="out")
    (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    assert find_batch_statistics(load(tmp_path / "m.pb").graph) == expected
    if build is fused:
        with pytest.raises(GraphscopeError, match=r"depend on its batch: norm$"):
            graphscope.freeze(tmp_path / "m.pb", outputs=["out"], strict=True)
