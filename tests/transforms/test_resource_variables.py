"""Reference variables as resources: TensorFlow computes the same, step by step, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphscope.core.graph import Graph
from graphscope.core.model import Model, ModelKind
from graphscope.errors import UnsupportedError
from graphscope.transforms.resource_variables import with_resource_variables
from tests.support.running import built, serialized, tf

OPTIMIZERS = {
    "sgd": lambda train: train.GradientDescentOptimizer(0.1),
    "momentum": lambda train: train.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
    "adam": lambda train: train.AdamOptimizer(0.1),
    "adagrad": lambda train: train.AdagradOptimizer(0.1),
    "adadelta": lambda train: train.AdadeltaOptimizer(0.1),
    "rmsprop": lambda train: train.RMSPropOptimizer(0.1, centered=True),
    "ftrl": lambda train: train.FtrlOptimizer(0.1),
}


def reference(name: str, value: Any, **options: Any) -> Any:
    return tf.compat.v1.Variable(value, name=name, use_resource=False, **options)


def training(optimizer: Any) -> None:
    """A matrix, rows that are looked up, and a moving average."""
    v1 = tf.compat.v1
    x = v1.placeholder(tf.float32, [None, 3], "x")
    rows = v1.placeholder(tf.int32, [None], "rows")
    with v1.variable_scope("", use_resource=False):
        weights = reference("weights", np.linspace(-1, 1, 6).reshape(3, 2).astype(np.float32))
        table = reference("table", np.linspace(0, 1, 8).reshape(4, 2).astype(np.float32))
        step = reference("step", np.int64(0), trainable=False)
        loss = tf.reduce_mean((x @ weights + tf.nn.embedding_lookup(table, rows)) ** 2, name="loss")
        minimized = optimizer(v1.train).minimize(loss, global_step=step)
        with tf.control_dependencies([minimized]):
            average = v1.train.ExponentialMovingAverage(0.9).apply([weights])
        tf.group(average, name="step_done")
        tf.group(*[v.initializer for v in v1.global_variables()], name="start")


def other_uses() -> None:
    """What writes and gives the new value on, writes twice, counts, asks, and takes a variable without a read."""
    v1 = tf.compat.v1
    v = reference("v", np.arange(4, dtype=np.float32))
    w = reference("w", np.ones(4, np.float32))
    n = reference("n", np.int32(0))
    twice = v1.assign_sub(v1.assign_add(v, [1, 2, 3, 4]), w, name="twice")
    scattered = v1.scatter_update(twice, [0], [7.0], name="scattered")
    with tf.control_dependencies([scattered]):
        late = tf.raw_ops.Mul(x=v._variable, y=w._variable, name="late")
    tf.identity(scattered * 2, "doubled")
    tf.identity(late, "late_too")
    tf.raw_ops.CountUpTo(ref=n._variable, limit=3, name="counted")
    tf.raw_ops.IsVariableInitialized(ref=v._variable, name="is_there")
    tf.group(v.initializer, w.initializer, n.initializer, name="start")


def as_model(graph: Graph) -> Model:
    return Model("m", ModelKind.GRAPH, "binary", (), graph)


def values(graph: Graph, runs: list[list[str]], feeds: dict[str, Any]) -> list[Any]:
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(serialized(graph)), name="")
        session.run("start")
        return [session.run(wanted, feeds) for wanted in runs]


def converted(graph: Graph) -> Graph:
    names = [node.name for node in graph if node.op == "VariableV2"]
    found = with_resource_variables(as_model(graph), names).graph
    assert not any(node.op == "VariableV2" for node in found)
    assert {node.name for node in graph} <= {node.name for node in found}, "names stay"
    return found


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_steps(name: str) -> None:
    graph = built(lambda: training(OPTIMIZERS[name]))
    feeds = {"x:0": np.linspace(0, 1, 15).reshape(5, 3).astype(np.float32), "rows:0": [0, 1, 1, 3, 0]}
    reads = sorted(f"{n.name}:0" for n in graph if n.name.endswith("/read"))
    runs = [["step_done"], ["loss:0"], reads] * 3
    before, after = (values(g, runs, feeds) for g in (graph, converted(graph)))
    assert len(reads) > 3
    for expected, found in zip(before, after):
        for one, other in zip(expected, found):
            np.testing.assert_array_equal(one, other)


def test_other_uses() -> None:
    graph = built(other_uses)
    runs = [["doubled:0", "late_too:0"], ["v/read:0"], ["counted:0"], ["counted:0", "is_there:0"], ["n/read:0"]]
    before, after = (values(g, runs, {}) for g in (graph, converted(graph)))
    for expected, found in zip(before, after):
        for one, other in zip(expected, found):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(before[0][0], [14, 4, 8, 12])


def test_one_of_several_variables() -> None:
    graph = built(other_uses)
    found = with_resource_variables(as_model(graph), ["n"]).graph
    assert [found[name].op for name in ("n", "v", "counted", "twice")] == [
        "VarHandleOp",
        "VariableV2",
        "ResourceCountUpTo",
        "AssignSub",
    ]
    assert with_resource_variables(as_model(found), ["n"]).graph is found


def select() -> None:
    one, other = (reference(name, np.float32(1))._variable for name in ("v", "w"))
    tf.raw_ops.RefSelect(index=0, inputs=[one, other], name="select")


def test_what_has_no_equivalent_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"node select \(RefSelect\) takes a variable by reference"):
        with_resource_variables(as_model(built(select)), ["v"])
