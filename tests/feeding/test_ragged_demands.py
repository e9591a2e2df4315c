"""Parts of ragged and sparse tensors: what is made for them runs, whatever takes them and however deep in functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope import freeze, load, run
from graphscope.feeding.feeds import required_inputs
from graphscope.feeding.random_values import random_feeds
from tests.support.running import run_graph, tf

v1 = tf.compat.v1
ROWS = np.ones([10, 3], np.float32)


def looked_up(x: Any) -> Any:
    return tf.ragged.map_flat_values(lambda ids: tf.gather(ROWS, tf.cast(tf.abs(ids) * 9, tf.int32)), x)


RAGGED: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "sum": (1, lambda x: tf.reduce_sum(x, 1)),
    "padded": (1, lambda x: x.to_tensor()),
    "padded rows of rows": (2, lambda x: x.to_tensor()),
    "sum of rows of rows": (2, lambda x: tf.reduce_sum(tf.reduce_sum(x, 2), 1)),
    "sparse": (2, lambda x: tf.sparse.to_dense(x.to_sparse())),
    "looked up": (1, lambda x: tf.reduce_mean(looked_up(x), 1)),
    "gathered": (1, lambda x: tf.gather(x, tf.range(x.nrows())).to_tensor()),
    "joined": (1, lambda x: tf.concat([x, x], 1).to_tensor()),
    "lengths": (1, lambda x: x.row_lengths()),
    "in a loop": (1, lambda x: tf.map_fn(tf.reduce_sum, x, fn_output_signature=tf.float32)),
}
"""The number of ragged dimensions, and what takes the placeholder."""


@pytest.mark.parametrize("unknown", [1, 4])
@pytest.mark.parametrize("name", RAGGED)
def test_what_is_made_for_a_ragged_tensor_runs(name: str, unknown: int, tmp_path: Path) -> None:
    rank, take = RAGGED[name]
    with tf.Graph().as_default() as graph:
        tf.identity(take(v1.ragged.placeholder(tf.float32, rank, [], name="x")), "out")
    path = tmp_path / "g.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    model = load(path)
    for seed in range(3):
        feeds = random_feeds(required_inputs(model, ["out"]), seed=seed, unknown=unknown)
        for splits in (feeds[name] for name in feeds if "splits" in name):
            assert [splits[0], splits[-1]] == [0, unknown]
            assert sorted(splits) == splits.tolist()
        run_graph(path.read_bytes(), ["out:0"], feeds)


@pytest.mark.parametrize(
    "spec",
    [
        tf.RaggedTensorSpec([None, None], tf.float32, 1, tf.int32),
        tf.RaggedTensorSpec([None, None, None], tf.float32, 2, tf.int64),
        tf.SparseTensorSpec([None, 6], tf.float32),
        tf.SparseTensorSpec([None, None], tf.float32),
    ],
)
def test_parts_that_functions_take_run(spec: Any, tmp_path: Path) -> None:
    class Module(tf.Module):
        @tf.function
        def inner(self, x: Any) -> Any:
            if isinstance(x, tf.SparseTensor):
                return tf.sparse.sparse_dense_matmul(x, tf.ones([6, 3]))
            return tf.reduce_sum(x, 1)

        @tf.function(input_signature=[spec])
        def serve(self, x: Any) -> Any:
            result = self.inner(x)
            return {"y": result.to_tensor() if isinstance(result, tf.RaggedTensor) else result}

    module = Module()
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve)
    model = load(tmp_path)
    frozen = freeze(model)
    assert frozen.verify().is_within
    inputs = [spec.name for specs in model.signatures["serving_default"].inputs.values() for spec in specs]
    run(model, dict.fromkeys(inputs, "random"))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_splits_of_a_stated_size(count: int, tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.negative(v1.placeholder(tf.int64, [count], "row_splits_0"), "out")
    path = tmp_path / "g.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    made = random_feeds(required_inputs(load(path), ["out"]), seed=1, unknown=3)["row_splits_0:0"]
    assert made.shape == (count,)
    assert made.tolist() == sorted(made)
    assert made.tolist()[-1:] == ([3] if count > 1 else [0] * count)
