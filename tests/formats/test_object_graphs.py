"""TensorFlow 2: names, keys and values of the variables of object-based checkpoints and SavedModels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.analysis.ends.outputs import rank_outputs
from graphscope.core.model import Model
from graphscope.core.variables.variables import Role, Variable
from graphscope.errors import GraphscopeError
from tests.support.saving import assert_equal, tf
from tests.support.trained import by_name, v1
from tests.support.zoo_files import ZOO, needs_zoo


class Dense(tf.Module):  # type: ignore[misc]
    def __init__(self, size: int, name: str) -> None:
        super().__init__(name=name)
        self.kernel = tf.Variable(np.full([size, 2], size, np.float32), name="kernel")
        self.bias = tf.Variable(np.arange(size, dtype=np.float32), name=f"bias_{size}", trainable=False)


class Net(tf.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="net")
        self.layers = [Dense(1, "first"), Dense(2, "second")]
        self.by_name = {"third": Dense(3, "third")}
        self.count = tf.Variable(7, dtype=tf.int64, name="count")

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
    def __call__(self, x):  # type: ignore[no-untyped-def]
        return [x * layer.kernel for layer in [*self.layers, self.by_name["third"]]]


def test_object_based_checkpoints(tmp_path: Path) -> None:
    """Names come from the object graph; where two variables share one, the path through the objects tells them apart."""
    net = Net()
    slot = tf.Variable([5.0], name="w/momentum")
    prefix = tf.train.Checkpoint(net=net, extra=slot, step=tf.Variable(3, dtype=tf.int64)).save(f"{tmp_path}/ckpt")
    model = graphscope.load(prefix)
    expected = {
        "net/layers/0/kernel": net.layers[0].kernel,
        "net/layers/1/kernel": net.layers[1].kernel,
        "net/by_name/third/kernel": net.by_name["third"].kernel,
        "bias_1": net.layers[0].bias,
        "bias_2": net.layers[1].bias,
        "bias_3": net.by_name["third"].bias,
        "count": net.count,
        "w/momentum": slot,
    }
    found = by_name(model)
    assert set(found) == {*expected, "save_counter", "Variable"}
    for name, variable in expected.items():
        assert_equal(model.value(found[name]).numpy(), np.asarray(variable.numpy()), name)
        assert found[name].key is not None
    assert found["save_counter"].role is Role.STEP
    assert graphscope.load(tmp_path).path == prefix


def test_keras_and_its_optimizer(tmp_path: Path) -> None:
    """The checkpoint reaches the model's variables by way of the optimizer first: they are no slots for that."""
    keras = pytest.importorskip("keras", reason="Keras makes this checkpoint")
    model = keras.Sequential(
        [keras.layers.Input((2,)), keras.layers.Dense(3, name="d1"), keras.layers.Dense(1, name="d2")]
    )
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    for owner in ({"optimizer": optimizer}, {"o": optimizer}):
        prefix = tf.train.Checkpoint(model=model, **owner).save(f"{tmp_path}/{next(iter(owner))}/ckpt")
        loaded = graphscope.load(prefix)
        found = by_name(loaded)
        weights = {w.path: w.numpy() for w in model.weights}
        assert {n for n, v in found.items() if v.role is Role.MODEL} == set(weights)
        for name, array in weights.items():
            assert_equal(loaded.value(found[name]).numpy(), array, name)
        slots = {v.path for v in optimizer.variables}
        assert {n for n, v in found.items() if v.role is Role.SLOT} == slots


def test_a_saved_model(tmp_path: Path) -> None:
    net = Net()
    tf.saved_model.save(net, str(tmp_path))
    model = graphscope.load(tmp_path)
    found = by_name(model)
    single = {v.name.partition(":")[0]: v for v in net.variables if not v.name.startswith("kernel")}
    assert set(single) == {"bias_1", "bias_2", "bias_3", "count"}
    assert set(found) == {*single, "kernel", "kernel_1", "kernel_2"}
    for name, variable in single.items():
        assert_same(model, found[name], variable)
    kernels = [net.layers[0].kernel, net.layers[1].kernel, net.by_name["third"].kernel]
    by_size = {v.shape[0]: v for n, v in found.items() if n.startswith("kernel") and v.shape is not None}
    for kernel in kernels:
        assert_same(model, by_size[kernel.shape[0]], kernel)
    for variable in found.values():
        assert variable.in_graph
        assert not variable.is_missing
        assert model.graph[variable.name].op == "VarHandleOp"
        node_shape = model.graph[variable.name].attrs["shape"].shape
        assert tuple(d.size for d in node_shape.dim) == variable.shape, "the op of this name is this variable's"


def assert_same(model: Model, found: Variable, variable: Any) -> None:
    assert found.trainable is variable.trainable
    assert found.dtype.label == variable.dtype.name
    assert found.role is Role.MODEL
    assert_equal(model.value(found).numpy(), np.asarray(variable.numpy()), found.name)


def test_a_saved_model_of_equal_shapes(tmp_path: Path) -> None:
    """What runs when TensorFlow loads it is the measure: the values that each signature gives."""
    net = tf.Module()
    net.parts = [tf.Variable(float(n), name="w") for n in range(5)]
    net.all = tf.function(lambda: {f"o{n}": part + 0.0 for n, part in enumerate(net.parts)}, input_signature=[])
    tf.saved_model.save(net, str(tmp_path), signatures=net.all)
    model = graphscope.load(tmp_path)
    found = by_name(model)
    assert len(found) == 5
    with tf.Graph().as_default() as graph, v1.Session() as session:
        v1.saved_model.load(session, ["serve"], str(tmp_path))
        for name, variable in found.items():
            read = v1.raw_ops.ReadVariableOp(resource=graph.get_tensor_by_name(f"{name}:0"), dtype=tf.float32)
            assert_equal(model.value(variable).numpy(), np.asarray(session.run(read)), name)


def test_a_saved_model_without_signatures(tmp_path: Path) -> None:
    """Its graph has two calls, and both are the saver's; reads of variables are no model. Its functions stay callable."""
    net = tf.Module()
    net.v = tf.Variable([4.0])
    net.more, net.less = (tf.function(f, input_signature=[]) for f in (lambda: net.v + 1.0, lambda: net.v - 1.0))
    tf.saved_model.save(net, str(tmp_path / "m"))
    model = graphscope.load(tmp_path / "m")
    assert not rank_outputs(model)
    with pytest.raises(GraphscopeError, match="has no signatures"):
        graphscope.freeze(model)
    graphscope.save(model, f"{tmp_path}/again/")
    loaded = tf.saved_model.load(str(tmp_path / "again"))
    assert [loaded.more().numpy().tolist(), loaded.less().numpy().tolist()] == [[5.0], [3.0]]


def test_a_table_of_which_the_graph_calls_the_file_like_a_variable(tmp_path: Path) -> None:
    """Both are called Variable; only one of them is in the checkpoint, and the model can be saved again."""
    (tmp_path / "words.txt").write_text("a")
    index = tf.lookup.TextFileIndex
    net = tf.Module()
    net.v = tf.Variable([4.0])
    words = tf.lookup.TextFileInitializer(
        str(tmp_path / "words.txt"), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER
    )
    net.table = tf.lookup.StaticHashTable(words, -1)
    net.get = tf.function(lambda: {"v": net.v + 1.0}, input_signature=[])
    tf.saved_model.save(net, str(tmp_path / "m"), signatures=net.get)
    model = graphscope.load(tmp_path / "m")
    stored = [(v.dtype.label, v.key) for v in model.variables if v.entry is not None]
    assert stored == [("float32", "v/.ATTRIBUTES/VARIABLE_VALUE")]
    graphscope.save(model, f"{tmp_path}/again/")
    loaded = tf.saved_model.load(str(tmp_path / "again"))
    assert loaded.get()["v"].numpy().tolist() == [5.0]


def test_a_saved_model_of_tensorflow_1(tmp_path: Path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        w = v1.get_variable("w", initializer=[1.0, 2.0])
        v1.get_variable("seen", [2], trainable=False, collections=[v1.GraphKeys.LOCAL_VARIABLES])
        session.run(w.initializer)
        builder = v1.saved_model.Builder(str(tmp_path / "s"))
        builder.add_meta_graph_and_variables(session, ["serve"], saver=v1.train.Saver({"other": w}))
        builder.save()
    model = graphscope.load(tmp_path / "s")
    assert {v.name: (v.key, v.role) for v in model.variables} == {
        "w": ("other", Role.MODEL),
        "seen": (None, Role.LOCAL),
    }
    assert model.value(model.variable("w")).numpy().tolist() == [1.0, 2.0]


@needs_zoo
def test_keras_in_the_zoo() -> None:
    model = graphscope.load(ZOO / "saved_model/tensorflow+tfx/tfx/components/testdata/trainer/keras/Format-Serving")
    count = {role: sum(v.role is role for v in model.variables) for role in Role}
    assert count == {Role.MODEL: 6, Role.SLOT: 17, Role.LOCAL: 4, Role.STEP: 0, Role.MOVING_AVERAGE: 0}
    assert all(v.entry is not None and v.in_graph for v in model.variables)
    assert model.variable("Adam/dense/kernel/v").key == (
        "layer_with_weights-0/kernel/.OPTIMIZER_SLOT/optimizer/v/.ATTRIBUTES/VARIABLE_VALUE"
    )
