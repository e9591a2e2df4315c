"""Variables and their values: which key of a checkpoint belongs to which variable, as TensorFlow's own savers have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.model import Model
from graphscope.core.restore import Source, restore_sources
from graphscope.core.roles import role_by_name
from graphscope.core.slices import SlicePayload, parse_slice
from graphscope.core.variables import Role, Variable
from graphscope.errors import IncompleteModelError, UnknownNameError
from tests.fixture_files import FIXTURES
from tests.saving import Array, assert_equal, tf
from tests.zoo_files import ZOO, needs_zoo

v1 = tf.compat.v1
CONFIG = v1.ConfigProto(device_count={"CPU": 2})
BOTH = pytest.mark.parametrize("use_resource", [False, True], ids=["reference", "resource"])

Values = dict[str, Array]


def trained(prefix: str, savers: Callable[[], Any], **options: Any) -> tuple[Model, Values]:
    """Saves the default graph with the saver that ``savers`` makes; the model, and what each variable op holds."""
    saver = savers()
    with v1.Session(config=CONFIG) as session:
        for variable in every_variable():
            session.run(variable.initializer)
        for number, variable in enumerate(every_variable()):
            session.run(variable.assign(values_for(variable, number)))
        saver.save(session, prefix, **options)
        found = {v.op.name: np.asarray(session.run(v)) for v in every_variable()}
    return graphscope.load(prefix), found


def every_variable() -> list[Any]:
    return [*v1.global_variables(), *v1.local_variables()]


def values_for(variable: Any, number: int) -> Array:
    """Different ones for each variable."""
    shape = variable.shape.as_list()
    count = int(np.prod(shape))
    array: Array = (np.arange(count).reshape(shape) + 100 * number).astype(variable.dtype.base_dtype.as_numpy_dtype)
    return array


def assert_values(model: Model, expected: Mapping[str, Array]) -> None:
    """Each of the graph's variables has the value of that name; there are no others."""
    found = {v.name: v for v in model.variables if v.in_graph and v.entry is not None}
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert_equal(model.value(found[name]).numpy(), array, name)
        assert found[name].shape == array.shape
        assert b"".join(model.value(found[name]).chunks()) == array.tobytes()


def by_name(model: Model) -> dict[str, Variable]:
    names = [v.name for v in model.variables]
    assert len(set(names)) == len(names)
    return {v.name: v for v in model.variables}


def roles(model: Model) -> dict[str, Role]:
    return {name: v.role for name, v in by_name(model).items()}


# Savers


@BOTH
@pytest.mark.parametrize(
    "options", [{}, {"sharded": True}, {"write_version": 1}, {"sharded": True, "write_version": 1}]
)
def test_a_plain_saver(tmp_path: Path, use_resource: bool, options: dict[str, Any]) -> None:
    with tf.Graph().as_default():
        with v1.variable_scope("net", use_resource=use_resource):
            for number in range(3):
                with tf.device(f"/cpu:{number % 2}"):
                    v1.get_variable(f"w{number}", [2, number + 1])
            v1.get_variable("frozen", [3], tf.int64, v1.zeros_initializer(), trainable=False)
        model, expected = trained(f"{tmp_path}/m", lambda: v1.train.Saver(**options))
    assert model.store_version == ("V1" if "write_version" in options else "V2")
    assert_values(model, expected)
    for name, variable in by_name(model).items():
        assert variable.key == name
        assert variable.trainable is (name != "net/frozen")
        assert variable.role is Role.MODEL
        assert not variable.is_missing
        assert variable.slice is None


@BOTH
@pytest.mark.parametrize("sharded", [False, True])
def test_a_saver_with_names_of_its_own(tmp_path: Path, use_resource: bool, sharded: bool) -> None:
    """The names go round in a circle: taking an op's name for the key would give another variable's value."""
    with tf.Graph().as_default():
        with v1.variable_scope("", use_resource=use_resource):
            a, b, c = (v1.get_variable(name, [4]) for name in "abc")
        names = {"b": a, "c": b, "a": c}
        model, expected = trained(f"{tmp_path}/m", lambda: v1.train.Saver(names, sharded=sharded))
    assert_values(model, expected)
    assert {v.name: v.key for v in model.variables} == {"a": "b", "b": "c", "c": "a"}
    assert model.variable("b").name == "a", "the first that has this name or is stored under it"


@BOTH
def test_two_savers(tmp_path: Path, use_resource: bool) -> None:
    """Each writes its own saver_def: that one decides; the other one's names count where it has none."""
    with tf.Graph().as_default():
        with v1.variable_scope("", use_resource=use_resource):
            a, b = (v1.get_variable(name, [4]) for name in "ab")
        first, second = v1.train.Saver({"first/a": a, "first/b": b}), v1.train.Saver({"second/a": a})
        model, expected = trained(f"{tmp_path}/one", lambda: first)
        assert_values(model, expected)
        assert {v.name: v.key for v in model.variables} == {"a": "first/a", "b": "first/b"}
        model, expected = trained(f"{tmp_path}/two", lambda: second)
    assert_values(model, {"a": expected["a"]})
    assert model.variable("a").key == "second/a"
    assert [v.name for v in model.variables if v.is_missing] == ["b"]
    with pytest.raises(IncompleteModelError, match="no checkpoint holds a value of b"):
        model.value(model.variable("b"))
    sources = restore_sources(model.graph, model.meta.saver_def.restore_op_name)
    assert sources == {"a": Source("second/a"), "b": Source("first/b")}
    assert restore_sources(model.graph) == {"a": Source("first/a"), "b": Source("first/b")}


@BOTH
def test_moving_averages(tmp_path: Path, use_resource: bool) -> None:
    with tf.Graph().as_default():
        with v1.variable_scope("net", use_resource=use_resource):
            w, b = v1.get_variable("w", [2, 2]), v1.get_variable("b", [2])
            v1.get_variable("steps", [], tf.int32, v1.zeros_initializer(), trainable=False)
        average = v1.train.ExponentialMovingAverage(0.9)
        average.apply([w, b])
        model, expected = trained(f"{tmp_path}/all", v1.train.Saver)
        assert_values(model, expected)
        suffix = "/ExponentialMovingAverage"
        wanted = {f"net/{n}": Role.MODEL for n in ("w", "b", "steps")}
        assert roles(model) == wanted | {f"net/{n}{suffix}": Role.MOVING_AVERAGE for n in ("w", "b")}
    with tf.Graph().as_default():  # for inference: the averages become the variables' values
        with v1.variable_scope("net", use_resource=use_resource):
            for name, shape in (("w", [2, 2]), ("b", [2])):
                v1.get_variable(name, shape)
        renaming = average.variables_to_restore()
        assert set(renaming) == {f"net/{n}{suffix}" for n in ("w", "b")}
        model, expected = trained(f"{tmp_path}/averages", lambda: v1.train.Saver(renaming))
    assert_values(model, expected)
    assert {v.name: v.key for v in model.variables} == {f"net/{n}": f"net/{n}{suffix}" for n in ("w", "b")}


# Partitions


@BOTH
@pytest.mark.parametrize(("shape", "parts", "axis"), [([7, 3], 3, 0), ([2, 7], 4, 1), ([10], 3, 0), ([4, 1, 5], 2, 2)])
def test_partitions(tmp_path: Path, use_resource: bool, shape: list[int], parts: int, axis: int) -> None:
    with tf.Graph().as_default():
        partitioner = v1.fixed_size_partitioner(parts, axis)
        with v1.variable_scope("net", use_resource=use_resource, partitioner=partitioner):
            w = v1.get_variable("w", shape)
        loss = tf.reduce_sum(tf.add_n([tf.reduce_sum(tf.square(part)) for part in w]))
        v1.train.AdamOptimizer(0.1).minimize(loss)
        model, expected = trained(f"{tmp_path}/m", v1.train.Saver)
    assert_values(model, expected)
    names = [f"net/w/part_{n}" for n in range(parts)]
    assert [v.name for v in model.variables if v.role is Role.MODEL] == names
    slots = {f"{name}/{slot}" for name in names for slot in ("Adam", "Adam_1")}
    assert {v.name for v in model.variables if v.role is Role.SLOT} == slots | {"beta1_power", "beta2_power"}
    assert {model.variable(name).key for name in names} == {"net/w"}
    whole = np.concatenate([expected[name] for name in names], axis)
    assert model.store is not None
    assert_equal(model.store.payload("net/w").numpy(), whole, "net/w")
    start = 0
    for name in names:
        variable = model.variable(name)
        assert variable.slice is not None
        assert variable.slice[axis] == (start, expected[name].shape[axis])
        assert variable.entry is not None
        assert variable.entry.shape == tuple(shape)
        start += variable.slice[axis][1]
    assert start == shape[axis]
    assert not [v.name for v in model.variables if not v.in_graph or v.is_missing]


def test_partitions_in_v1(tmp_path: Path) -> None:
    with tf.Graph().as_default():
        with v1.variable_scope("net", partitioner=v1.fixed_size_partitioner(3)):
            v1.get_variable("w", [8, 2])
        model, expected = trained(f"{tmp_path}/m", lambda: v1.train.Saver(write_version=1))
    assert_values(model, expected)


def test_partitions_of_a_fixture() -> None:
    model = graphscope.load(FIXTURES / "partitioned")
    parts = [v for v in model.variables if v.slice is not None]
    assert len(parts) == 4
    assert len({v.key for v in parts}) == 1
    assert parts[0].key not in {v.name for v in parts}
    assert model.store is not None
    whole = model.store.payload(parts[0].key or "").numpy()
    assert whole.shape == (784, 10)
    assert_equal(np.concatenate([model.value(v).numpy() for v in parts]), whole, "all parts")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("784 10 0,196:0,10", ((0, 196), (0, 10))),
        ("784 10 196,196:-", ((196, 196), (0, 10))),
        ("784 10 -:-", ((0, 784), (0, 10))),
        ("5 2,3", ((2, 3),)),
        ("", None),
        ("784 10", None),
        ("784 10 0,1", None),
        ("784 x 0,1:-", None),
        ("784 10 0,1:10", None),
        ("784 10 0,1:0,-1", None),
        ("5 " + "9" * 5000 + ",1", None),
        ("a,b", None),
    ],
)
def test_the_text_of_a_slice(text: str, expected: Any) -> None:
    assert parse_slice(text) == expected


def test_a_part_that_is_not_there() -> None:
    """A checkpoint that belongs to another graph: NumPy would cut the slice off without a word."""
    model = graphscope.load(FIXTURES / "softmax")
    whole = model.value(model.variable("inference/weights"))
    assert SlicePayload(whole, ((780, 4), (0, 10))).numpy().shape == (4, 10)
    for part in (((780, 5), (0, 10)), ((0, 784),), ((0, 1), (0, 1), (0, 1)), ((0, 784), (10, 1))):
        with pytest.raises(IncompleteModelError, match=r"is wanted of a stored tensor of \[784, 10\]"):
            SlicePayload(whole, part).numpy()
        with pytest.raises(IncompleteModelError, match="is wanted"):
            list(SlicePayload(whole, part).chunks())


# Optimizers

OPTIMIZERS: dict[str, tuple[Callable[[], Any], tuple[str, ...], tuple[str, ...]]] = {
    "Adam": (lambda: v1.train.AdamOptimizer(0.1), ("Adam", "Adam_1"), ("beta1_power", "beta2_power")),
    "Adam, renamed": (lambda: v1.train.AdamOptimizer(0.1, name="O"), ("O", "O_1"), ("beta1_power", "beta2_power")),
    "Momentum": (lambda: v1.train.MomentumOptimizer(0.1, 0.9), ("Momentum",), ()),
    "Momentum, renamed": (lambda: v1.train.MomentumOptimizer(0.1, 0.9, name="O"), ("O",), ()),
    "Adagrad": (lambda: v1.train.AdagradOptimizer(0.1), ("Adagrad",), ()),
    "RMSProp": (lambda: v1.train.RMSPropOptimizer(0.1), ("RMSProp", "RMSProp_1"), ()),
    "centered RMSProp": (
        lambda: v1.train.RMSPropOptimizer(0.1, centered=True),
        ("RMSProp", "RMSProp_1", "RMSProp_2"),
        (),
    ),
    "Ftrl": (lambda: v1.train.FtrlOptimizer(0.1), ("Ftrl", "Ftrl_1"), ()),
    "Adadelta": (lambda: v1.train.AdadeltaOptimizer(0.1), ("Adadelta", "Adadelta_1"), ()),
    "ProximalAdagrad": (lambda: v1.train.ProximalAdagradOptimizer(0.1), ("ProximalAdagrad",), ()),
    "gradient descent": (lambda: v1.train.GradientDescentOptimizer(0.1), (), ()),
}


@BOTH
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(tmp_path: Path, name: str, use_resource: bool) -> None:
    """Dense gradients; an optimizer that is made within a variable scope puts the scope before its slots' names."""
    make, slots, others = OPTIMIZERS[name]
    scope = "opt/" if use_resource else ""
    with tf.Graph().as_default():
        step = v1.train.get_or_create_global_step()
        with v1.variable_scope("net", use_resource=use_resource):
            w, b = v1.get_variable("w", [4, 3]), v1.get_variable("b", [5], trainable=True)
        v1.get_variable("seen", [2], trainable=False, collections=[v1.GraphKeys.LOCAL_VARIABLES])
        with v1.variable_scope(scope.rstrip("/")) if scope else tf.name_scope(""):
            make().minimize(tf.reduce_sum(w) + tf.reduce_sum(b), step)
        model, expected = trained(f"{tmp_path}/m", v1.train.Saver)
    del expected["seen"]
    assert_values(model, expected)
    wanted = {"net/w": Role.MODEL, "net/b": Role.MODEL, "global_step": Role.STEP, "seen": Role.LOCAL}
    wanted |= {f"{scope}net/{v}/{slot}": Role.SLOT for v in ("w", "b") for slot in slots}
    wanted |= dict.fromkeys(((scope + other) for other in others), Role.SLOT)
    assert roles(model) == wanted
    assert not [v.name for v in model.variables if v.is_missing]
    assert [v.name for v in model.variables if v.trainable] == ["net/w", "net/b"]
    Path(f"{tmp_path}/m.meta").unlink()
    del wanted["seen"]
    if "renamed" not in name:  # without the graph only the names are left to tell by
        assert roles(graphscope.load(f"{tmp_path}/m")) == wanted


@BOTH
def test_sparse_gradients(tmp_path: Path, use_resource: bool) -> None:
    """Adam's rule for them is no single op that names its slots."""
    with tf.Graph().as_default():
        with v1.variable_scope("net", use_resource=use_resource):
            table = v1.get_variable("table", [5, 3])
        with v1.variable_scope("training"):
            v1.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(tf.nn.embedding_lookup(table, [1, 2])))
        model, expected = trained(f"{tmp_path}/m", v1.train.Saver)
    assert_values(model, expected)
    slots = {f"training/net/table/{slot}" for slot in ("Adam", "Adam_1")}
    slots |= {f"training/beta{n}_power" for n in (1, 2)}
    assert {n for n, role in roles(model).items() if role is Role.SLOT} == slots


@pytest.mark.parametrize(
    ("name", "key", "names", "expected"),
    [
        ("w/Adam", None, ["w"], Role.SLOT),
        ("w/Adam", None, [], Role.MODEL),
        ("w/Adam_12", None, ["w"], Role.SLOT),
        ("a/b/w/Momentum", None, ["w"], Role.SLOT),
        ("w/Adam", None, ["aw"], Role.MODEL),
        ("Adam", None, ["w"], Role.MODEL),
        ("w/Adamant", None, ["w"], Role.MODEL),
        ("w/ExponentialMovingAverage", None, [], Role.MOVING_AVERAGE),
        ("x/beta1_power_3", None, [], Role.SLOT),
        ("x/global_step", None, [], Role.STEP),
        ("not_global_step", None, [], Role.MODEL),
        ("save_counter", None, [], Role.STEP),
        ("w", "net/w/.OPTIMIZER_SLOT/opt/m/.ATTRIBUTES/VARIABLE_VALUE", [], Role.SLOT),
        ("d/kernel", "optimizer/_trainable_variables/0/.ATTRIBUTES/VARIABLE_VALUE", [], Role.MODEL),
        ("iter", "optimizer/iter/.ATTRIBUTES/VARIABLE_VALUE", [], Role.SLOT),
        ("total", "keras_api/metrics/0/total/.ATTRIBUTES/VARIABLE_VALUE", [], Role.LOCAL),
    ],
)
def test_roles_by_name(name: str, key: str | None, names: list[str], expected: Role) -> None:
    assert role_by_name(name, key, names) is expected


# What one has and the other lacks


def test_missing_and_extra(tmp_path: Path) -> None:
    with tf.Graph().as_default():
        v1.get_variable("kept", [2])
        v1.get_variable("dropped", [3])
        trained(f"{tmp_path}/m", v1.train.Saver)
    with tf.Graph().as_default():
        v1.get_variable("kept", [2])
        v1.get_variable("added", [4])
        v1.get_variable("seen", [2], trainable=False, collections=[v1.GraphKeys.LOCAL_VARIABLES])
        v1.train.export_meta_graph(f"{tmp_path}/m.meta", saver_def=v1.train.Saver().saver_def)
    model = graphscope.load(f"{tmp_path}/m")
    found = by_name(model)
    assert {n: (v.in_graph, v.is_missing, v.key) for n, v in found.items()} == {
        "kept": (True, False, "kept"),
        "added": (True, True, None),
        "seen": (True, False, None),
        "dropped": (False, False, "dropped"),
    }
    assert [n for n, v in found.items() if v.trainable] == ["kept", "added"]
    assert found["dropped"].trainable is None
    assert model.value(found["dropped"]).shape == (3,)
    with pytest.raises(UnknownNameError, match="no variable is named 'droped'; closest: dropped"):
        model.variable("droped")


def test_a_graph_without_collections(tmp_path: Path) -> None:
    """Nothing says what is trainable, and nothing is made up."""
    with tf.Graph().as_default():
        v1.get_variable("w", [2])
        trained(f"{tmp_path}/m", v1.train.Saver)
        v1.train.export_meta_graph(f"{tmp_path}/m.meta", collection_list=[])
    [variable] = graphscope.load(f"{tmp_path}/m").variables
    assert (variable.name, variable.trainable, variable.is_missing) == ("w", None, False)


def test_no_graph(tmp_path: Path) -> None:
    with tf.Graph().as_default():
        v1.get_variable("w", [2])
        trained(f"{tmp_path}/m", v1.train.Saver, write_meta_graph=False)
    [variable] = graphscope.load(f"{tmp_path}/m").variables
    assert (variable.name, variable.key, variable.in_graph, variable.is_missing) == ("w", "w", False, False)


# TensorFlow 2


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


# The zoo


@needs_zoo
def test_variables_of_the_zoo_have_their_values() -> None:
    """Of every complete model of the zoo; what lacks a value is listed here, after a look at the file."""
    lacking: dict[str, int] = {}
    loaded = 0
    for place in sorted([*(ZOO / "meta_ckpt").rglob("*.meta"), *(ZOO / "saved_model").rglob("saved_model.pb*")]):
        model = graphscope.load(place)
        if model.store is None:
            continue
        loaded += 1
        missing = [v.name for v in model.variables if v.is_missing]
        if missing:
            lacking[str(place.relative_to(ZOO))] = len(missing)
        for variable in model.variables:
            if variable.entry is not None and variable.slice is None and variable.shape is not None:
                stated = tuple(d if s is None else s for s, d in zip(variable.shape, variable.entry.shape, strict=True))
                assert variable.entry.shape == stated, f"{place} {variable.name}"
                assert variable.entry.dtype is variable.dtype
    assert loaded > 30
    assert lacking == {
        # a saver of the weights alone: Adam's slots and powers are in the graph, and not in the file
        "meta_ckpt/tegg89+SRCNN-Tensorflow/pretrained_checkpoints/gaussian sigma=2/SRCNN.model-203320.meta": 14,
    }


@needs_zoo
def test_keras_in_the_zoo() -> None:
    model = graphscope.load(ZOO / "saved_model/tensorflow+tfx/tfx/components/testdata/trainer/keras/Format-Serving")
    count = {role: sum(v.role is role for v in model.variables) for role in Role}
    assert count == {Role.MODEL: 6, Role.SLOT: 17, Role.LOCAL: 4, Role.STEP: 0, Role.MOVING_AVERAGE: 0}
    assert all(v.entry is not None and v.in_graph for v in model.variables)
    assert model.variable("Adam/dense/kernel/v").key == (
        "layer_with_weights-0/kernel/.OPTIMIZER_SLOT/optimizer/v/.ATTRIBUTES/VARIABLE_VALUE"
    )


# Shapes that the graph does not know


@BOTH
def test_shapes_that_only_the_checkpoint_knows(tmp_path: Path, use_resource: bool) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        start = v1.placeholder_with_default(np.ones([4, 3], np.float32), None)
        rows = v1.placeholder_with_default(np.ones([5, 3], np.float32), [None, 3])
        with v1.variable_scope("", use_resource=use_resource):
            v1.get_variable("unknown", initializer=start, validate_shape=False)
            v1.get_variable("rows", initializer=rows, validate_shape=False)
            v1.get_variable("known", [])
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, f"{tmp_path}/m")
    model = graphscope.load(f"{tmp_path}/m")
    assert {v.name: (v.shape, v.elements) for v in model.variables} == {
        "unknown": ((4, 3), 12),
        "rows": ((5, 3), 15),
        "known": ((), 1),
    }
    graphscope.save(graphscope.load(f"{tmp_path}/m"), f"{tmp_path}/graph.pb")
    declared = {v.name: v.shape for v in graphscope.load(f"{tmp_path}/graph.pb").variables}
    assert set(declared) == {v.name for v in model.variables}
    assert declared["known"] == ()
    assert declared["unknown"] is None
    assert declared["rows"] in (None, (None, 3))


@pytest.mark.parametrize("op", ["Variable", "VariableV2"])
def test_the_first_variable_op_wrote_no_shape(tmp_path: Path, op: str) -> None:
    """TensorFlow takes the empty shape of a ``Variable`` for an unknown one."""
    with tf.Graph().as_default():
        v1.get_variable("w", [])
        model, _ = trained(f"{tmp_path}/m", v1.train.Saver)
    for node in model.graph:
        if node.name == "w":
            node.proto.op = op
    graphscope.save(model, tmp_path / "alone.meta")
    [alone] = graphscope.load(tmp_path / "alone.meta").variables
    assert alone.shape == (None if op == "Variable" else ())
    (tmp_path / "alone.meta").replace(tmp_path / "m.meta")
    [joined] = graphscope.load(tmp_path / "m").variables
    assert joined.shape == ()
