"""Taking out what passes its input on: identities, factors of one, dropout that keeps everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import constant, make_node
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.table import registered_ops
from graphscope.transforms.bake import bake
from graphscope.transforms.fold import fold
from graphscope.transforms.identities import remove_pass_through
from tests.support.graphs import FLOAT, FLOW, branching, const, graph_of, looping, names, op, placeholder, printing
from tests.support.running import attr_value, built, run_graph, tf

v1 = tf.compat.v1
X = placeholder("x")
PASSING = ["Identity", "StopGradient", "Snapshot", "PreventGradient", "CheckNumerics"]


@pytest.mark.parametrize("kind", PASSING)
def test_consumers_read_the_source(kind: str) -> None:
    extra = {"message": b"bad"} if kind == "CheckNumerics" else {}
    graph = graph_of(X, op("i", kind, "x", **extra), op("y", "Neg", "i"), op("z", "Add", "i:0", "y", "^i"))
    found = remove_pass_through(graph)
    assert names(found) == ["x", "y", "z"]
    assert [list(n.inputs) for n in found] == [[], ["x"], ["x", "y", "^x"]]
    assert list(graph["y"].inputs) == ["i"]
    assert found["x"] is graph["x"]


def test_a_chain_leads_to_its_start() -> None:
    graph = graph_of(
        X, op("c", "Identity", "b"), op("b", "StopGradient", "a"), op("a", "Identity", "x"), op("y", "Neg", "c")
    )
    assert [list(n.inputs) for n in remove_pass_through(graph)] == [[], ["x"]]


def test_each_output_of_several_has_its_own_source() -> None:
    both = make_node("i", "IdentityN", ["x", "c"])
    both.proto.attr["T"].list.type[:] = [1, 1]
    graph = graph_of(X, const("c", 2), both, op("y", "Sub", "i:1", "i"), op("z", "Neg", "y", "^i"))
    found = remove_pass_through(graph)
    assert list(found["y"].inputs) == ["c", "x"]
    assert list(found["z"].inputs) == ["y", "^x", "^c"]


def test_an_output_that_does_not_exist_is_left_alone() -> None:
    graph = graph_of(X, op("i", "Identity", "x"), op("y", "Neg", "i:1"), op("z", "Neg", "i"))
    assert [list(n.inputs) for n in remove_pass_through(graph)] == [[], ["x"], ["i:1"], ["x"]]


def test_outputs_stay() -> None:
    graph = graph_of(
        X, op("i", "Identity", "x"), op("kept", "Identity", "i"), op("y", "Neg", "kept"), op("out", "Identity", "y")
    )
    found = remove_pass_through(graph, ["kept"])
    assert names(found) == ["x", "kept", "y", "out"]
    assert remove_pass_through(found, ["kept"]) is found


def test_colocation_with_what_went_goes() -> None:
    last = op("y", "Neg", "i")
    last.proto.attr["_class"].list.s.append(b"loc:@i")
    assert "_class" not in remove_pass_through(graph_of(X, op("i", "Identity", "x"), last))["y"].attrs


@pytest.mark.parametrize(("control", "stays"), [("^print", True), ("^after", True), ("^x", False)])
def test_an_identity_that_waits_for_an_effect_stays(control: str, stays: bool) -> None:
    graph = graph_of(*printing(), op("i", "Identity", "x", control), op("y", "Neg", "i"))
    assert ("i" in remove_pass_through(graph)) == stays


def test_a_copy_of_a_reference_stays() -> None:
    variable = make_node(
        "v", "VariableV2", [], {"dtype": FLOAT["T"], "shape": attr_value(registered_ops()["VariableV2"], "shape", [])}
    )
    graph = graph_of(variable, op("read", "Identity", "v"), op("again", "Identity", "read"), op("y", "Neg", "again"))
    assert names(remove_pass_through(graph)) == ["v", "read", "y"]


def test_an_unknown_op_may_give_a_reference() -> None:
    graph = graph_of(make_node("u", "SomebodysOp"), op("i", "Identity", "u"), op("y", "Neg", "i"))
    assert remove_pass_through(graph) is graph


def test_a_ring_of_identities_ends() -> None:
    graph = graph_of(op("a", "Identity", "b"), op("b", "Identity", "a"), op("y", "Neg", "a"))
    assert remove_pass_through(graph)["y"].inputs[0] in ("a", "b")


@pytest.mark.parametrize(
    ("build", "feeds", "fetches"),
    [
        (looping, [2.0, -1.5], ["out:0"]),
        (branching, [[1.0, 2.0], [-3.0, 1.0], [2.0, -1.0], [-1.0, -2.0]], ["out:0", "choice/Merge:0"]),
    ],
)
def test_loops_and_branches_compute_the_same(build: Callable[[], None], feeds: list[Any], fetches: list[str]) -> None:
    graph = built(build)
    found = remove_pass_through(graph)
    assert len(found) < len(graph)
    assert [n.op for n in found if n.op in FLOW] == [n.op for n in graph if n.op in FLOW]
    for fed in feeds:
        for mine, theirs in zip(run_graph(found, fetches, {"x:0": fed}), run_graph(graph, fetches, {"x:0": fed})):
            assert mine.tolist() == theirs.tolist()


def test_an_identity_that_stands_for_a_branch_stays() -> None:
    anchors = {"choice/switch_t", "choice/switch_f", "while/Identity"}
    assert {n for n in names(remove_pass_through(built(branching))) if n in anchors} == {
        "choice/switch_t",
        "choice/switch_f",
    }
    assert {n for n in names(remove_pass_through(built(looping))) if n in anchors} == {"while/Identity"}


def test_an_anchor_behind_nodes_that_go_stays() -> None:
    predicate = constant("p", np.array(True))
    switch = make_node("s", "Switch", ["x", "p"], FLOAT)
    inner = [
        op("m", "Mul", "s:1", "one"),
        op("i", "Identity", "m"),
        const("late", 1, controls=["^i"]),
        op("y", "Neg", "late"),
    ]
    found = remove_pass_through(graph_of(X, predicate, const("one", 1), switch, *inner))
    assert list(found["i"].inputs) == ["s:1"]
    assert list(found["late"].inputs) == ["^i"]


# Factors


@pytest.mark.parametrize(
    ("kind", "inputs", "goes"),
    [
        ("Mul", ["x", "one"], True),
        ("Mul", ["one", "x"], True),
        ("RealDiv", ["x", "one"], True),
        ("Div", ["x", "one"], True),
        ("RealDiv", ["one", "x"], False),
        ("Mul", ["x", "nearly"], False),
        ("Mul", ["x", "vector"], False),
        ("Mul", ["x", "minus"], False),
        ("Mul", ["x", "fed"], False),
        ("Mul", ["x", "late"], False),
        ("Add", ["x", "one"], False),
    ],
)
def test_a_factor_of_one_goes(kind: str, inputs: list[str], goes: bool) -> None:
    numbers = [
        const("one", 1),
        const("nearly", np.nextafter(np.float32(1), 2)),
        const("vector", [1]),
        const("minus", -1),
    ]
    numbers += [placeholder("fed"), const("late", 1, controls=["^print"])]
    graph = graph_of(*printing(), *numbers, op("p", kind, *inputs), op("y", "Neg", "p"))
    found = remove_pass_through(graph)
    assert ("p" not in found) == goes
    assert list(found["y"].inputs) == (["x"] if goes else ["p"])


def test_a_factor_of_one_in_other_types() -> None:
    for dtype, goes in ((np.int32, True), (np.float16, True), (np.float64, True), (np.complex64, False)):
        one = const("one", 1, dtype)
        single = make_node("p", "Mul", ["x", "one"], {"T": one.attrs["dtype"]})
        source = make_node("x", "Placeholder", [], {"dtype": one.attrs["dtype"]})
        found = remove_pass_through(
            graph_of(source, one, single, make_node("y", "Neg", ["p"], {"T": one.attrs["dtype"]}))
        )
        assert ("p" not in found) == goes


# Dropout


def by_floor(x: Any, keep: Any) -> Any:
    """As TensorFlow 1.0 to 1.13 wrote it."""
    mask = tf.floor(keep + uniform(tf.shape(x)))
    return tf.divide(x, keep) * mask


def by_cast(x: Any, keep: Any) -> Any:
    """As TensorFlow 1.14 and 1.15 wrote it."""
    rate = 1 - keep
    return x * (1 / (1 - rate)) * tf.cast(uniform(tf.shape(x)) >= rate, tf.float32)


def uniform(shape: Any) -> Any:
    """``tf.random.uniform`` with its bounds as nodes of the graph."""
    numbers = tf.raw_ops.RandomUniform(shape=shape, dtype=tf.float32, seed=1, seed2=2)
    return numbers * (tf.constant(1.0) - tf.constant(0.0)) + tf.constant(0.0)


def by_selection(x: Any, keep: Any) -> Any:
    """As this TensorFlow writes it."""
    return tf.nn.dropout(x, rate=1 - keep, seed=1)


def dropping(drop: Callable[[Any, Any], Any], shape: list[int | None]) -> Graph:
    def build() -> None:
        x = v1.placeholder(tf.float32, shape, name="x")
        dropped = drop(tf.exp(x), v1.placeholder(tf.float32, [], name="keep"))
        tf.add(dropped, 1.0, name="out")

    return built(build)


DROPS = [by_floor, by_cast, by_selection]


@pytest.mark.parametrize("shape", [[3, 4], [None, 4], None], ids=["static", "batch", "unknown"])
@pytest.mark.parametrize("drop", DROPS)
def test_dropout_that_keeps_everything_goes(drop: Callable[[Any, Any], Any], shape: Any) -> None:
    graph = dropping(drop, shape)
    fed = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    expected = run_graph(graph, ["out:0"], {"x:0": fed, "keep:0": 1.0})
    kept = fold(bake(graph, {"keep": np.array(1.0)}), keep=["out"])
    found = remove_pass_through(kept, ["out"])
    assert sorted(found.ops) == ["AddV2", "Const", "Exp", "Placeholder"]
    assert run_graph(found, ["out:0"], {"x:0": fed})[0].tolist() == expected[0].tolist()


@pytest.mark.parametrize("keep", [0.9, 0.999999, 1.1])
@pytest.mark.parametrize("drop", DROPS)
def test_dropout_that_drops_stays(drop: Callable[[Any, Any], Any], keep: float) -> None:
    graph = fold(bake(dropping(drop, [None, 4]), {"keep": np.array(keep, np.float32)}), keep=["out"])
    found = remove_pass_through(graph, ["out"])
    assert "RandomUniform" in found.ops
    assert {"Floor", "GreaterEqual"} & set(found.ops) or keep > 1


def masked(value: str, mask: list[Node], shape: str = "five") -> Graph:
    random = make_node("u", "RandomUniform", [shape], {"dtype": FLOAT["T"], "T": const("", 1, np.int32).attrs["dtype"]})
    parts = [
        *printing(),
        const("one", 1),
        const("five", [5], np.int32),
        random,
        op("size", "Shape", "x"),
        op("near", "Neg", "x"),
    ]
    return graph_of(*parts, *mask, op("p", "Mul", value, mask[-1].name), op("y", "Neg", "p"))


FLOOR = [op("a", "Add", "one", "u"), op("mask", "Floor", "a")]


@pytest.mark.parametrize(
    ("graph", "goes"),
    [
        (masked("x", FLOOR, "size"), True),
        (masked("mask", [*FLOOR, op("copy", "Identity", "x")], "size"), True),
        (masked("x", FLOOR, "five"), False),  # five values from one
        (masked("near", FLOOR, "size"), False),  # the shape of something else
        (masked("x", [op("a", "Add", "u", "u"), op("mask", "Floor", "a")], "size"), False),
        (masked("x", [op("a", "Sub", "one", "u"), op("mask", "Floor", "a")], "size"), False),
        (masked("x", [op("a", "Add", "one", "u"), op("mask", "Ceil", "a")], "size"), False),
        (masked("x", [op("mask", "GreaterEqual", "near", "one")], "size"), False),
        (masked("x", [op("a", "GreaterEqual", "near", "one"), op("mask", "Cast", "a")], "size"), False),
        (masked("x", [op("a", "GreaterEqual", "u", "near"), op("mask", "Cast", "a")], "size"), False),
        (masked("x", [op("a", "GreaterEqual", "u", "one"), op("mask", "Cast", "a")], "size"), False),
        (masked("x", [op("a", "Maximum", "one", "u"), op("mask", "Floor", "a")], "size"), False),
        (masked("x", [op("a", "Add", "one", "a"), op("mask", "Floor", "a")], "size"), False),
        (masked("x", [op("a", "Mul", "a", "a"), op("mask", "GreaterEqual", "a", "one")], "size"), False),
        (masked("x", [op("mask", "Floor")], "size"), False),
        (masked("x", [op("mask", "Cast")], "size"), False),
        (masked("x", [op("a", "GreaterEqual", "u"), op("mask", "Cast", "a")], "size"), False),
        (masked("x", [op("a", "Add", "one"), op("mask", "Floor", "a")], "size"), False),
        (masked("x", [op("a", "Add", "one", "u", "^print"), op("mask", "Floor", "a")], "size"), False),
        (masked("x", [op("a", "Add", "one", "u", "^near"), op("mask", "Floor", "a")], "size"), True),
    ],
)
def test_only_masks_of_ones_in_the_right_shape_go(graph: Graph, goes: bool) -> None:
    found = remove_pass_through(graph)
    assert ("p" not in found) == goes
    assert ("RandomUniform" not in found.ops) == goes


def test_the_shape_of_another_output_is_not_that_of_the_value() -> None:
    graph = masked("parts:1", FLOOR, "size")
    parts = [const("axis", 0, np.int32), op("parts", "Split", "axis", "x", num_split=2)]
    sized = [op("size", "Shape", "parts") if n.name == "size" else n for n in graph.nodes]
    assert "p" in remove_pass_through(graph_of(*parts, *sized))


def test_random_numbers_that_others_use_stay() -> None:
    graph = masked("x", FLOOR, "size")
    shared = graph_of(*graph.nodes, op("other", "Neg", "u"))
    found = remove_pass_through(shared)
    assert "p" not in found
    assert {"u", "size", "other"} <= set(names(found))
