"""What a graft stands on, rule by rule: cuts, weights that may train, where gradients end, features on disk."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import constant, make_node
from graphscope.core.graph import Graph
from graphscope.core.tensors import Shape
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, UnknownNameError
from graphscope.protos import GraphDef
from graphscope.training.data.source import Examples
from graphscope.training.evaluation.evaluate import row_width
from graphscope.training.features import store as stores
from graphscope.training.features.compute import _Computing, base_of, input_spec
from graphscope.training.features.export import feature_arrays
from graphscope.training.features.key import below_stop
from graphscope.training.features.store import (
    FeatureSpec,
    FeatureStore,
    Layout,
    missing_shards,
    read_layout,
    refuse_too_large,
    remove_left_over,
    rows_of,
    shard_path,
    write_part,
)
from graphscope.training.graft.base import Base, open_base
from graphscope.training.graft.gradients import refuse_blocked
from graphscope.training.graft.optimizers import Decay, default_rate, parse_decay
from graphscope.training.graft.planning import GraftOptions, make_plan, pattern
from graphscope.training.graft.skeleton import restore_constants, skeleton
from graphscope.training.graft.sources import refuse_unfeedable
from graphscope.training.graft.trainable import candidates, constant_weights, matching, unfreeze_constants
from graphscope.training.graft.variable_defs import declare_variables
from graphscope.training.graft.weights_by_use import used_as_weights
from graphscope.training.heads.chain import parse_chain
from tests.support.data_files import cache
from tests.support.running import tf
from tests.support.written import graph_of, model_of

__all__ = ["cache"]

v1 = tf.compat.v1


def base(*lines: str, at: tuple[str, ...] = ("out:0",), values: Any = None) -> Base:
    return Base("m", graph_of(lines), at, values or {})


# Cuts


def opened(*lines: str, at: str = "out", **options: Any) -> Base:
    return open_base(model_of(graph_of(lines)), [at], **options)


X, W = "x Placeholder(?,2)", "w Const=[[1,2],[3,4]]"


@pytest.mark.parametrize(
    ("lines", "shape"),
    [
        (('c Const:string="abc"', "s Identity:string c", "out Identity:string s"), ()),  # the content of one file
        (('c Const:string=["abc"]', "s Identity:string c", "out Identity:string s"), (None,)),
        (("c Const=2", "s Neg c", "out Neg s"), None),
        (("c Const=[[2,3]]", "s Neg c", "out Neg s"), (None, 2)),
    ],
)
def test_shapes_where_a_graph_is_cut_open(lines: tuple[str, ...], shape: Shape) -> None:
    graph = graph_of(lines)
    graph.header.versions.producer = 1000
    [found] = open_base(model_of(graph), ["out"], inputs=["s"]).inputs
    assert (found.name, found.shape) == ("s:0", shape)


@pytest.mark.parametrize(
    ("op", "assign", "read"),
    [("VariableV2", "Assign", "Identity"), ("VarHandleOp", "AssignVariableOp", "ReadVariableOp")],
)
def test_what_reads_a_variable_gives_its_value_and_nothing_else(op: str, assign: str, read: str) -> None:
    """No write does, no read that waits for something, none of another variable."""
    nodes = [
        make_node("v", op),
        make_node("u", op),
        make_node("write", assign, ["v", "zero"]),
        make_node("late", read, ["v", "^write"]),
        make_node("other", read, ["u", "^v"]),
        make_node("takes", "Mul", ["v", "v"]),
    ]
    values = {"v": ArrayPayload(np.zeros(2, np.float32))}
    for more, snapshot in (([], "v/read:0"), ([make_node("plain", read, ["v"])], "plain:0")):
        made, found = declare_variables(Graph(GraphDef(), [*nodes, *more]), values)
        assert found["v"].snapshot_name == snapshot
        assert (made[snapshot.removesuffix(":0")].op, list(made[snapshot.removesuffix(":0")].inputs)) == (read, ["v"])
        assert found["v"].is_resource == (op == "VarHandleOp")
        written = made[found["v"].initializer_name]
        assert (written.op, list(written.inputs)) == (assign, ["v", found["v"].initial_value_name.removesuffix(":0")])
        assert made[written.inputs[1]].op == "Fill"


def test_a_base_is_what_the_cut_needs() -> None:
    found = opened(X, W, "out MatMul x w", "more Neg out")
    assert [n.name for n in found.graph] == ["x", "w", "out"]
    assert [(spec.name, spec.shape) for spec in found.inputs] == [("x:0", (None, 2))]
    assert (found.at, found.nodes_before, found.fixed, found.notes) == (("out:0",), 4, {}, ())


@pytest.mark.parametrize(
    ("lines", "inputs"),
    [
        ((W, "x PlaceholderWithDefault w", "out MatMul x w"), {"x:0"}),
        ((X, "two Const=2", "k PlaceholderWithDefault two", "out Mul x k"), {"x:0"}),
        (("two Const=2", "k PlaceholderWithDefault two", "out Neg k"), {"k:0"}),
        ((X, W, 'k PlaceholderWithDefault{"x":1} w', "out Mul x k"), {"x:0", "k:0"}),
    ],
)
def test_placeholders_with_a_default_that_take_data(lines: tuple[str, ...], inputs: set[str]) -> None:
    made = graph_of(lines)
    for node in made:
        if node.op == "PlaceholderWithDefault":
            node.proto.attr["shape"].shape.SetInParent()
            source = made[node.inputs[0]].tensor()
            assert source is not None
            for size in source.shape:
                node.proto.attr["shape"].shape.dim.add(size=size)
    found = open_base(model_of(made), ["out"])
    assert {spec.name for spec in found.inputs} == inputs


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            (X, "p Placeholder:bool()", "s Switch x p", "out Neg s"),
            r"out:0 lies in a branch .*: it depends on node s \(Switch\)",
        ),
        ((X, 'e Enter{"frame_name":"f"} x', "out Neg e"), ""),  # the same in each turn
        (
            (X, 'e Enter{"frame_name":"f"} x', "m Merge e n", "out Neg m", "n NextIteration out"),
            r"out:0 is inside the loop f: it has a value for each iteration",
        ),
        ((X, "p Placeholder:bool()", "s Switch x p", "t Neg s:1", "m Merge s t", "out Neg m"), ""),
        ((X, 'e Enter{"frame_name":"f"} x', "q Exit e", "out Neg q"), ""),
        ((X, "v Variable(2)", "a AssignAdd v x", "out Neg a"), r"node a \(AssignAdd\) writes to v"),
        ((X, "t HashTableV2", "k LookupTableFindV2 t x x", "out Neg k"), "the cut needs lookup tables: t"),
    ],
)
def test_cuts_that_are_refused(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(GraphscopeError, match=message) if message else nullcontext():
        opened(*lines)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((X, "out Neg x"), ""),
        (
            ("it IteratorGetNext", "q QueueDequeueV2", "out Neg it"),
            r"it takes its data from it \(IteratorGetNext\), q \(QueueDequeueV2\)",
        ),
        (("r RandomUniform", "f ReadFile", "out Neg r"), r"from r \(RandomUniform\), f \(ReadFile\)"),
        (("it IteratorGetNext", "r RandomUniform", "out Neg it"), r"from it \(IteratorGetNext\)$"),
        (
            ("r Range", "a RandomUniform", "b RandomNormal", "c ReadFile", "out Neg r"),
            r"r \(Range\), a \(RandomUniform\), b \(RandomNormal\)$",
        ),
        (("c Const=1", "out Neg c"), "it consists of constants and variables"),
    ],
)
def test_bases_that_cannot_be_fed(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(GraphscopeError, match=message) if message else nullcontext():
        refuse_unfeedable(base(*lines))


# Weights that may train


NORM = ("n FusedBatchNormV3 x scale offset read cast", "read Identity mean", "cast Cast variance")


def test_candidates_are_floating_weights_without_statistics() -> None:
    lines = [
        f"{n} Const=[1,2]"
        for n in ("scale", "offset", "mean", "variance", "a/moving_mean", "k/ExponentialMovingAverage")
    ]
    made = base(X, *lines, "i Const:int32=[1,2]", "one Const=[1]", "eps Const=1", *NORM)
    assert candidates(made) == ["scale", "offset"]
    assert constant_weights(made.graph) == dict.fromkeys(
        ["scale", "offset", "mean", "variance", "a/moving_mean", "k/ExponentialMovingAverage"], 2
    )
    payloads = {"w": ArrayPayload(np.zeros(1, np.float32)), "step": ArrayPayload(np.zeros(2, np.int64))}
    assert candidates(base(X, *lines, *NORM, values=payloads)) == ["w"]


def test_names_are_matched_in_order_and_each_once() -> None:
    names = ["a/w", "a/b", "c/w"]
    assert matching(names, [pattern("w$"), pattern("^c")], names) == ["a/w", "c/w"]
    with pytest.raises(UnknownNameError, match="'d'"):
        matching(names, [pattern("w$"), pattern("d")], names)
    with pytest.raises(UnknownNameError) as error:
        matching(names, [pattern("mean")], [*names, "a/mean", "b/mean", "c/mean", "d/mean"])
    assert error.value.hint == "a/mean, b/mean, c/mean cannot train (statistics, steps, integers)"
    with pytest.raises(GraphscopeError, match="regular expression"):
        pattern("(")


def test_constants_become_variables_that_are_read() -> None:
    lines = [
        "c Const=[[1,2,3]] ^x",
        "taken/ReadVariableOp Neg c",
        "taken Const=[5,6]",
        X,
        "out Add c:0 taken",
        "after NoOp ^c ^taken",
    ]
    graph, values = unfreeze_constants(graph_of(lines), ["c", "taken"])
    nodes = {n.name: (n.op, list(n.inputs)) for n in graph}
    assert nodes["c"] == ("VarHandleOp", [])
    assert nodes["c/ReadVariableOp"] == ("ReadVariableOp", ["c", "^x"]) or nodes["c/ReadVariableOp"] == (
        "ReadVariableOp",
        ["c"],
    )
    assert nodes["taken"] == ("VarHandleOp", [])
    [read] = [name for name, (op, inputs) in nodes.items() if op == "ReadVariableOp" and inputs[0] == "taken"]
    assert read != "taken/ReadVariableOp"
    assert nodes["taken/ReadVariableOp"] == ("Neg", ["c/ReadVariableOp"])
    assert nodes["out"] == ("Add", ["c/ReadVariableOp", read])
    assert nodes["after"] == ("NoOp", ["^c", "^taken"])
    assert [d.size for d in graph["c"].attrs["shape"].shape.dim] == [1, 3]
    assert graph["c"].attrs["dtype"].type == 1
    assert {name: value.numpy().tolist() for name, value in values.items()} == {"c": [[1, 2, 3]], "taken": [5, 6]}


def test_a_skeleton_has_no_large_constants_and_gets_them_back() -> None:
    big = constant("big", ArrayPayload(np.zeros((40, 40), np.float32)), ["^x"])
    graph = Graph(GraphDef(), [*graph_of([X, "small Const=[1,2]", "out Neg x"]), big])
    hollow = skeleton(graph)
    assert [n.op for n in hollow] == ["Placeholder", "Const", "Neg", "Placeholder"]
    assert list(hollow["big"].inputs) == ["^x"]
    assert hollow["small"] is graph["small"]
    grown = GraphDef()
    grown.versions.producer = 9
    grown.node.extend([n.proto for n in hollow])
    grown.node.add(name="new", op="Neg", input=["out"])
    whole = restore_constants(grown, graph)
    assert whole["big"] is big
    assert [n.name for n in whole] == ["x", "small", "out", "big", "new"]
    assert whole.producer == 9


# Where gradients end


def blocked(build: Any) -> str:
    with tf.Graph().as_default():
        w = v1.get_variable("w", [2], use_resource=True)
        logits = build(w)
        try:
            refuse_blocked(tf, logits, [w])
        except GraphscopeError as error:
            return error.message
    return ""


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda w: tf.exp(w * 2), ""),
        (lambda w: tf.exp(tf.stop_gradient(w)), "node StopGradient (StopGradient) lets no gradient through"),
        (lambda w: tf.exp(tf.stop_gradient(w) + w), ""),
        (lambda w: tf.cast(tf.cast(w, tf.int32), tf.float32), "node Cast_1 (Cast) lets no gradient through"),
        (lambda w: tf.constant([1.0]), "w is to train, but the logits do not depend on it"),
        (lambda w: tf.cast(tf.argmax(w), tf.float32), "node Cast (Cast) lets no gradient through"),
        (lambda w: tf.function(lambda a: a * 2)(w), ""),
    ],
)
def test_what_lets_no_gradient_through(build: Any, message: str) -> None:
    assert message in blocked(build)
    assert bool(message) == bool(blocked(build))


# Plans


def test_decays() -> None:
    assert parse_decay("step:10:0.5") == Decay(True, 10, 0.5)
    assert parse_decay("exponential:1:1") == Decay(False, 1, 1.0)
    for text in (
        "step:0:0.5",
        "step:10:0",
        "step:10:1.1",
        "step:10:-1",
        "step:x:1",
        "step:1",
        "linear:1:1",
        "",
        "step:1:nan",
    ):
        with pytest.raises(GraphscopeError, match="decay"):
            parse_decay(text)
    assert [default_rate(name) for name in ("sgd", "momentum", "adam", "rmsprop")] == [0.01, 0.01, 0.001, 0.001]
    with pytest.raises(UnknownNameError, match="closest: adam"):
        default_rate("adm")


@pytest.mark.parametrize(
    ("options", "layers", "task", "notes"),
    [
        ({"head": "dense:3"}, "dense:3", "", 0),
        ({"head": "dense:3", "width": 3}, "dense:3", "classes", 0),
        ({"head": "dense:3", "width": 4}, "dense:3,dense:4", "classes", 1),
        ({"head": "flatten", "width": 4}, "flatten,dense:4", "classes", 1),
        ({"head": "maxpool:3", "width": 3}, "maxpool:3,dense:3", "classes", 1),
        ({"head_model": True}, "", "", 0),
        ({"head_model": True, "width": 4}, "", "classes", 0),
        ({"head_model": True, "head": "dense:2", "task": "regression"}, "dense:2", "regression", 0),
    ],
)
def test_plans(options: dict[str, Any], layers: str, task: str, notes: int) -> None:
    told: list[str] = []
    plan = make_plan(GraftOptions(**options), told)
    assert (plan.head_text, plan.task, len(told)) == (layers, task, notes)
    assert (plan.learning_rate, plan.decay, plan.function) == (0.001, None, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no head"),
        ({"head": "dense:3", "prefix": "a b"}, "'a b' .* name scope"),
        ({"head": "dense:3", "prefix": ""}, "'' .* name scope"),
        ({"head": "dense:3", "seed": -1}, "seed -1: it must be from 0 to"),
        ({"head": "dense:3", "seed": 1 << 31}, "seed 2147483648: it must be"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(GraphscopeError, match=message):
        make_plan(GraftOptions(**options), [])
    sensible = make_plan(
        GraftOptions(head="dense:3", seed=0, learning_rate=0.0, decay="step:1:0.5", optimizer="sgd"), []
    )
    assert (sensible.seed, sensible.learning_rate, sensible.decay) == (0, 0.0, Decay(True, 1, 0.5))


@pytest.mark.parametrize(
    "text",
    [
        "dense:16777217",
        "dense:1000000000",
        "dense:٣",
        "dropout:-0.1",
        "dropout:0.5:1",
        "dropout:nan",
        "relu:2",
        "conv",
        "conv:3x3x8:0",
        "dense:3:same",
    ],
)
def test_parts_that_are_no_layers(text: str) -> None:
    with pytest.raises(GraphscopeError):
        parse_chain(text)
    assert parse_chain("dense:16777216")[0].units == 1 << 24
    assert parse_chain("dropout:0")[0].rate == 0
    assert parse_chain("dense:1")[0].units == 1


# Features on disk


SPECS = (FeatureSpec("a:0", DataType.FLOAT, (2,)), FeatureSpec("b:0", DataType.UINT8, ()))


def filled(directory: Path, count: int = 5, shard_rows: int = 2) -> tuple[FeatureStore, list[Any]]:
    layout = Layout(SPECS, count, shard_rows)
    a, b = np.arange(2 * count, dtype=np.float32).reshape(count, 2), np.arange(count, dtype=np.uint8)
    write_part(directory / stores.MANIFEST, [layout.to_json().encode()])
    for shard in layout.shards():
        rows = slice(shard.start, shard.stop)
        write_part(shard_path(directory, shard.start), [rows_of([a[rows], b[rows]])])
    return FeatureStore(directory, layout), [a, b]


def test_rows_lie_in_shards() -> None:
    assert [spec.nbytes for spec in SPECS] == [8, 1]
    layout = Layout(SPECS, 5, 2)
    assert (layout.row_bytes, layout.size_bytes, list(layout.shards())) == (
        13,
        65,
        [range(2), range(2, 4), range(4, 5)],
    )
    assert Layout.from_json(layout.to_json()) == layout
    assert Layout.of(SPECS, 9, 10).shard_rows == 1020
    assert Layout.of(SPECS, 9, 2000).shard_rows == 2000
    large = (FeatureSpec("a:0", DataType.FLOAT, ((1 << 20) - 1,)),)
    assert Layout.of(large, 9, 1).shard_rows == 8
    assert Layout.of(large, 9, 3).shard_rows == 6
    assert Layout.of((FeatureSpec("a:0", DataType.FLOAT, (1 << 24,)),), 9, 3).shard_rows == 3


def test_how_many_rows_a_shard_has() -> None:
    assert Layout.of(SPECS, 9, 1).shard_rows == stores.SHARD_ROWS == 1024
    megabyte = (FeatureSpec("a:0", DataType.FLOAT, (1 << 18,)),)
    assert Layout.of(megabyte, 9, 1).shard_rows == 31
    assert FeatureSpec("a:0", DataType.STRING, (3,)).nbytes == 0
    assert Layout(SPECS, 5, 2).to_json().startswith('{\n "tensors": [\n  {\n   "name": "a:0",\n')


def test_parts_are_written_over_and_say_where_else_they_may_lie(tmp_path: Path) -> None:
    write_part(tmp_path / "a", [b"one"])
    write_part(tmp_path / "a", [b"two"])
    assert (tmp_path / "a").read_bytes() == b"two"
    with pytest.raises(FileError) as error:
        write_part(tmp_path / "a" / "b", [b"one"])
    assert "cache" in str(error.value.hint)
    assert FeatureStore(tmp_path, Layout(SPECS, 5, 2)).computed == 0


def test_rows_are_read_in_any_order_and_checked(tmp_path: Path) -> None:
    store, tensors = filled(tmp_path)
    assert len(store) == 5
    for indices in ([4, 0, 3, 3], [], [2]):
        found = store.read(np.array(indices, np.int64))
        for one, whole in zip(found, tensors, strict=True):
            np.testing.assert_array_equal(one, whole[np.array(indices, np.int64)])
    arrays = dict(feature_arrays(store, Examples(lambda i: i, np.arange(5), [*"abcde"], ("n",), "")))
    assert list(arrays) == ["x0", "x1", "y", "keys", "classes"]
    np.testing.assert_array_equal(arrays["x0"].numpy(), tensors[0])
    np.testing.assert_array_equal(arrays["x1"].numpy(), tensors[1])
    damaged = bytearray(shard_path(tmp_path, 2).read_bytes())
    damaged[14] ^= 1
    shard_path(tmp_path, 2).write_bytes(damaged)
    other = FeatureStore(tmp_path, store.layout)
    assert other.read(np.array([2, 4]))[1].tolist() == [2, 4]
    with pytest.raises(CorruptFileError, match="the features of example 3 is wrong"):
        other.read(np.array([3]))


def test_shards_that_are_missing_or_cut_short_are_computed(tmp_path: Path) -> None:
    store, _ = filled(tmp_path)
    assert missing_shards(tmp_path, store.layout) == []
    path = shard_path(tmp_path, 2)
    path.write_bytes(path.read_bytes()[:-1])
    shard_path(tmp_path, 4).unlink()
    assert missing_shards(tmp_path, store.layout) == [range(2, 4), range(4, 5)]
    with pytest.raises(FileError):
        FeatureStore(tmp_path, store.layout).read(np.array([4]))


@pytest.mark.parametrize(
    "change",
    [
        {"tensors": []},
        {"shard_rows": 0},
        {"shard_rows": True},
        {"count": -1},
        {"count": 1.0},
        {"count": 1 << 61, "shard_rows": 2},
        {"tensors": [{"name": "a", "dtype": "string", "shape": []}]},
        {"tensors": [{"name": "a", "dtype": "odd", "shape": []}]},
        {"tensors": [{"name": "a", "dtype": "float32", "shape": []}, {"name": "b", "dtype": "string", "shape": []}]},
        {"tensors": [{"name": "a", "dtype": "float32", "shape": [-1]}]},
        {"tensors": [{"name": "a", "dtype": "float32"}]},
        {"tensors": 5},
        {"count": [1]},
    ],
)
def test_manifests_that_are_none(change: dict[str, Any], tmp_path: Path) -> None:
    assert read_layout(tmp_path) is None
    whole = json.loads(Layout(SPECS, 5, 2).to_json())
    (tmp_path / stores.MANIFEST).write_text(json.dumps(whole))
    assert read_layout(tmp_path) == Layout(SPECS, 5, 2)
    (tmp_path / stores.MANIFEST).write_text(json.dumps(whole | {"count": 0}))
    assert read_layout(tmp_path) == Layout(SPECS, 0, 2)
    (tmp_path / stores.MANIFEST).write_text(json.dumps(whole | change))
    with pytest.raises(CorruptFileError, match="manifest"):
        read_layout(tmp_path)
    (tmp_path / stores.MANIFEST).write_text(json.dumps(whole | {"count": (1 << 61) - 1, "shard_rows": 2}))
    assert read_layout(tmp_path) is not None


def test_only_old_left_overs_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 2_000_000_000
    monkeypatch.setattr("graphscope.training.features.store.time.time", lambda: now)
    for name, age in ((".a.rows.1", 3601), (".b.rows.1", 3600), ("c.rows", 9999), (".d.other", 9999)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (now - age, now - age))
    remove_left_over(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".b.rows.1", ".d.other", "c.rows"]


def test_what_does_not_fit_is_refused_before(tmp_path: Path) -> None:
    refuse_too_large(tmp_path, 5, lambda _: 5)
    with pytest.raises(GraphscopeError, match=r"the features take 2\.50 GB, 1\.00 GB are free"):
        refuse_too_large(tmp_path, 2_500_000_000, lambda _: 1_000_000_000)


# Computing features


def computing(run: Any, shape: Any = (None, 2), count: int = 5, batch: int = 2) -> Any:
    made = base(f"x Placeholder({','.join('?' if d is None else str(d) for d in shape)})", "out Neg x")
    session: Any = SimpleNamespace(run=lambda at, feeds: [run(feeds["x:0"])], model=SimpleNamespace(path="m"))
    x = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    return _Computing(
        session, made, Examples(lambda i: x[i], np.zeros(count), [str(i) for i in range(count)], (), ""), Path(), batch
    )


def test_features_are_computed_batch_by_batch() -> None:
    sizes: list[int] = []
    told: list[int] = []
    meter: Any = SimpleNamespace(compute=told.append)
    made = computing(lambda x: (sizes.append(len(x)), -x)[1])
    layout = made.plan()
    assert (layout.specs, layout.count, layout.shard_rows) == ((FeatureSpec("out:0", DataType.FLOAT, (2,)),), 5, 1024)
    assert sizes == [2, 2]
    rows = b"".join(made.rows(range(1, 5), layout, meter))
    assert rows == rows_of([-np.arange(2, 10, dtype=np.float32).reshape(4, 2)])
    assert told == [2, 2]
    b"".join(made.rows(range(5), layout, meter))
    assert (told[2:], sizes[-1]) == ([2, 2, 1], 1)
    alone = computing(lambda x: x, count=1)
    assert alone.plan().count == 1


def test_a_base_of_a_fixed_batch_gets_the_last_example_repeated() -> None:
    seen: list[Any] = []
    made = computing(lambda x: (seen.append(x.tolist()), x)[1], shape=(4, 2), batch=9)
    assert made.batch == 4
    found = made.features(made.inputs(range(3, 5)))
    assert found[0].tolist() == [[6, 7], [8, 9]]
    assert seen == [[[6, 7], [8, 9], [8, 9], [8, 9]]]
    assert made.features(made.inputs(range(4)))[0].shape == (4, 2)


@pytest.mark.parametrize(
    ("run", "what"),
    [
        (lambda x: None, "nothing for 2 examples"),
        (lambda x: np.float32(1), r"float32 \(\) for 2 examples"),
        (lambda x: x[:1], r"float32 \(1, 2\) for 2 examples"),
        (lambda x: np.array([b"a", b"b"], object), "object"),
        (lambda x: np.array(["a", "b"]), "U1"),
        (lambda x: x * len(x) if x[0, 0] != x[1, 0] else x, "depends on the others in its batch"),
        (lambda x: x + (x[1, 0] != x[0, 0]) * 2e-3, "depends on the others"),
    ],
)
def test_what_is_no_row_for_each_example_is_refused(run: Any, what: str) -> None:
    with pytest.raises(GraphscopeError, match=what):
        computing(run).plan()


def test_rounding_is_no_dependence() -> None:
    assert computing(lambda x: x + (x[1, 0] != x[0, 0]) * 5e-4).plan().count == 5


@pytest.mark.parametrize("odd", [np.nan, np.inf])
@pytest.mark.parametrize(("change", "is_refused"), [(0.0, False), (0.9, True)])
def test_features_that_are_no_numbers_are_compared_with_the_others(odd: float, change: float, is_refused: bool) -> None:
    made = computing(lambda x: np.where(x == x[0, 0], odd, 100 + (x[1, 0] != x[0, 0]) * change).astype(np.float32))
    with pytest.raises(GraphscopeError, match="depends on the others") if is_refused else nullcontext():
        assert made.plan().count == 5


def test_one_input_is_fed() -> None:
    assert input_spec(base(X, "out Neg x")).name == "x:0"
    with pytest.raises(GraphscopeError, match=r"out:0 needs 2 inputs, .*: x:0 \(\?, 2\), y:0 \(\?\)") as error:
        input_spec(base(X, "y Placeholder(?)", "out Add x y"))
    assert "set" in str(error.value.hint)
    with pytest.raises(GraphscopeError, match=r"needs 0 inputs, .*none") as error:
        input_spec(base("c Const=1", "out Neg c"))
    assert error.value.hint is None
    graph = graph_of([X, "a Split x x", "s StopGradient a:1", "t StopGradient s"])
    assert [below_stop(graph, name) for name in ("t:0", "s", "a:1", "x")] == ["a:1", "a:1", "a:1", "x:0"]
    model: Any = SimpleNamespace(path="m")
    recipe: Any = SimpleNamespace(features=())
    with pytest.raises(GraphscopeError, match="gradients reach the base"):
        base_of(model, recipe)


def test_constants_are_weights_by_what_takes_them() -> None:
    lines = (
        "x Placeholder(?,2)", "ids Placeholder:int64(?)", "mean Const=[1,2]", "centred Sub x mean",
        "kernel Const=[[1,2],[3,4]]", "read Identity kernel", "m MatMul centred read",
        "left Const=[[1,2],[3,4]]", "n MatMul left m", "bias Const=[1,2]", "b BiasAdd n bias",
        "scale Const=[1,2]", "offset Const=[3,4]", "average Const=[5,6]", "spread Const=[7,8]",
        "norm FusedBatchNormV3 b scale offset average spread", "factor Const=2", "f Mul norm factor",
        "both Add scale offset", "table Const=[[1,2],[3,4]]", "axis Const:int32=0", "g GatherV2 table ids axis",
        "rows Const:int64=[0]", "h GatherV2 f rows axis", "alone Const=[1,2]", "shape Const:int32=[1,2]", "r Reshape h shape",
    )  # fmt: skip
    graph = graph_of(lines)
    names = [node.name for node in graph if node.op == "Const"]
    found = used_as_weights(graph, names)
    assert found == ["kernel", "left", "bias", "scale", "offset", "factor", "table"]


@pytest.mark.parametrize(
    ("shape", "width"),
    [(None, None), ((), None), ((5,), 1), ((5, 2), 2), ((5, 1, 1, 3), 3), ((None, None), None), ((5, 3, 1), "more")],
)
def test_scores_are_a_row(shape: Shape, width: int | str | None) -> None:
    if width == "more":
        with pytest.raises(GraphscopeError, match=r"y:0 is \(3, 1\) for each example, but a row of scores"):
            row_width("y:0", shape)
    else:
        assert row_width("y:0", shape) == width


@pytest.mark.parametrize(
    ("takes_one", "error", "added"),
    [
        (True, GraphscopeError("no JPEG", hint="look"), ", for example d"),
        (False, GraphscopeError("no JPEG", hint="look"), ""),
        (True, UnknownNameError("array", "x", ["y"]), ""),
    ],
)
def test_an_error_names_the_example_that_was_computed_alone(
    takes_one: bool, error: GraphscopeError, added: str
) -> None:
    """What goes wrong in a batch may be any of its examples; what says more than a message keeps its kind."""
    computing: Any = SimpleNamespace(
        features=SimpleNamespace(takes_one=takes_one), source=SimpleNamespace(keys="abcde")
    )
    with pytest.raises(type(error)) as caught, _Computing.naming(computing, range(3, 4)):
        raise error
    assert (caught.value.message, caught.value.hint) == (f"{error.message}{added}", error.hint)
