"""Variables and their values: which key of a checkpoint belongs to which variable, as TensorFlow's own savers have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.values.slices import SlicePayload, parse_slice
from graphscope.core.variables.restore import RestoreSource, restore_sources
from graphscope.core.variables.variables import Role
from graphscope.errors import IncompleteModelError, UnknownNameError
from tests.support.fixture_files import FIXTURES
from tests.support.saving import assert_equal, tf
from tests.support.trained import BOTH, assert_values, by_name, roles, trained, v1
from tests.support.zoo_files import ZOO, needs_zoo

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
    assert sources == {"a": RestoreSource("second/a"), "b": RestoreSource("first/b")}
    assert restore_sources(model.graph) == {"a": RestoreSource("first/a"), "b": RestoreSource("first/b")}


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
        v1.get_variable("w", [], use_resource=False)
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
