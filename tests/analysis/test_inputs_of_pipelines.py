"""Of an input pipeline within the graph, the inputs are what the model gets, not what fills a queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphscope.analysis.ends.inputs import find_inputs
from graphscope.core.graph import Graph, Node
from graphscope.protos import GraphDef
from tests.support.running import tf
from tests.support.truth_graphs import train, weights
from tests.support.written import model_of

v1 = tf.compat.v1


@pytest.mark.parametrize("is_batched", [True, False])
def test_readers_and_parsers_that_fill_a_queue_are_no_inputs(is_batched: bool, tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        files = v1.train.string_input_producer(["a.tfrecord"])
        _, record = v1.TFRecordReader(name="reader").read(files)
        keys = {"x": tf.io.FixedLenFeature([4], tf.float32), "y": tf.io.FixedLenFeature([1], tf.float32)}
        one = tf.io.parse_single_example(record, keys, name="parser")
        v1.summary.histogram("one", one["x"])
        x, y = v1.train.batch([one["x"], one["y"]], 8, name="batch") if is_batched else (one["x"][None], one["y"][None])
        train(tf.reduce_mean((tf.matmul(x, weights((4, 1))) - y) ** 2))
    message = GraphDef.FromString(graph.as_graph_def().SerializeToString())
    tensors = [row.tensor for row in find_inputs(model_of(Graph(message, map(Node, message.node))))]
    assert [tensor[-2:] for tensor in tensors] == [":0", ":1"]
    assert {tensor.partition(":")[0].partition("/")[0] for tensor in tensors} == {"batch" if is_batched else "parser"}
