"""Training switches: what an input does decides, and how far that is followed; only then its name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.ops.table import registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue, FunctionDef
from graphscope.transforms.findings.switches import open_switches
from tests.support.graphs import const, graph_of, op, placeholder
from tests.support.running import attr_value


def fed(name: str, dtype: DataType = DataType.BOOL, shape: tuple[int, ...] | None = None) -> Node:
    attrs = {"dtype": type_attr(dtype)}
    if shape is not None:
        attrs["shape"] = attr_value(registered_ops()["Placeholder"], "shape", shape)
    return make_node(name, "Placeholder", (), attrs)


def chain(count: int, source: str, name: str) -> list[Node]:
    names = [f"{name}_{i}" for i in range(count - 1)] + [name]
    return [op(new, "Identity", before) for before, new in zip([source, *names], names)]


# Names


@pytest.mark.parametrize(
    ("placeholder", "expected"),
    [
        (fed("net/is_training"), "false"),
        (fed("phase_train", DataType.INT32), "0"),
        (fed("is_training", DataType.FLOAT), "0"),
        (fed("keep_prob", DataType.FLOAT), "1"),
        (fed("keep_prob", DataType.INT32), "1"),
        (fed("keep_prob"), None),
        (fed("dropout_rate", DataType.DOUBLE), "0"),
        (fed("dropout_rate", DataType.INT32), None),
        (fed("x", DataType.FLOAT), None),
        (fed("is_training", shape=()), "false"),
        (fed("is_training", shape=(1,)), None),
        (fed("keep_prob", DataType.FLOAT, (2,)), None),
        (make_node("is_training", "PlaceholderWithDefault", ["yes"], {"dtype": type_attr(DataType.BOOL)}), "false"),
        (const("is_training", True, bool), None),
    ],
)
def test_a_name_and_a_type_tell_the_value(placeholder: Node, expected: str | None) -> None:
    graph = graph_of(placeholder, const("yes", True, bool))
    assert open_switches(graph) == ({} if expected is None else {placeholder.name: expected})
    assert open_switches(graph, ["other", f"{placeholder.name}:0"]) == {}


# Rates


DRAWN = [
    fed("r", DataType.FLOAT),
    const("size", [2], np.int32),
    make_node("u", "RandomUniform", ["size"]),
    *(const("zero", 0), const("one", 1), const("two", 2), const("ones", [1, 1]), const("unit", [1]), placeholder("x")),
]


LESS = op("mask", "Less", "u", "r")


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ([op("sum", "Add", "r", "u"), op("mask", "Floor", "sum")], "1"),
        ([op("sum", "AddV2", "u", "r"), op("mask", "Floor", "sum")], "1"),
        ([op("sum", "Add", "r", "u"), op("mask", "Ceil", "sum")], None),
        ([op("sum", "Add", "r", "u")], None),
        ([op("sum", "Mul", "r", "u"), op("mask", "Floor", "sum")], None),
        ([op("mask", "GreaterEqual", "u", "r")], "0"),
        ([op("mask", "Greater", "u", "r")], "0"),
        ([op("mask", "Less", "u", "r")], "1"),
        ([op("mask", "LessEqual", "u", "r")], "1"),
        ([op("mask", "GreaterEqual", "r", "u")], "1"),
        ([op("mask", "Less", "r", "u")], "0"),
        ([op("mask", "Equal", "u", "r")], None),
        ([LESS, op("s", "SelectV2", "mask", "x", "zero")], "1"),
        ([LESS, op("s", "SelectV2", "mask", "x", "one")], None),  # what is drawn now and then, or what is best
        ([LESS, op("m", "Identity", "mask"), op("s", "Select", "m", "x", "two")], None),
        ([LESS, op("s", "SelectV2", "mask", "x", "one"), op("y", "Mul", "x", "mask")], "1"),
        (
            [LESS, op("s", "Switch", "x", "mask"), op("m", "Identity", "s:1"), op("v", "RandomUniform", "size", "^m")],
            None,
        ),
        ([LESS, op("s", "Switch", "x", "mask"), op("m", "Identity", "s:1"), op("v", "Relu", "m")], "1"),
        ([op("mask", "Less", "r", "x")], None),
        ([op("mask", "Less", "r", "r")], None),
        ([op("mask", "Less", "r")], None),
        ([op("mask", "Less", "r", "u", "u")], None),
        ([op("c", "Sub", "one", "r"), op("mask", "GreaterEqual", "u", "c")], "1"),
        ([op("c", "Sub", "unit", "r"), op("mask", "Less", "u", "c")], "0"),
        ([op("c", "Sub", "one", "r"), op("d", "Sub", "one", "c"), op("mask", "Less", "u", "d")], "1"),
        ([op("c", "Sub", "two", "r"), op("mask", "Less", "u", "c")], None),
        ([op("c", "Sub", "ones", "r"), op("mask", "Less", "u", "c")], None),
        ([op("c", "Sub", "x", "r"), op("mask", "Less", "u", "c")], None),
        ([op("c", "Sub", "nowhere", "r"), op("mask", "Less", "u", "c")], None),
        ([op("c", "Sub", "r", "one"), op("mask", "Less", "u", "c")], None),
        ([op("c", "Sub", "one", "r", "r"), op("mask", "Less", "u", "c")], None),
        ([op("c", "Add", "one", "r"), op("mask", "Less", "u", "c")], None),
        ([op("c", "Cast", "r"), op("mask", "Less", "u", "c")], "1"),
        ([op("v", "Mul", "u", "two"), op("w", "Sub", "v", "one"), op("mask", "Less", "w", "r")], "1"),
        ([op("v", "Mul", "x", "u"), op("mask", "Less", "v", "r")], "1"),
        ([op("v", "Mul", "nowhere", "u"), op("mask", "Less", "v", "r")], "1"),
        ([op("v", "Sqrt", "u"), op("mask", "Less", "v", "r")], None),
        ([*chain(62, "r", "same"), op("mask", "Less", "u", "same")], "1"),
        ([*chain(63, "r", "same"), op("mask", "Less", "u", "same")], None),
        ([*chain(63, "u", "same"), op("mask", "Less", "same", "r")], "1"),
        ([*chain(64, "u", "same"), op("mask", "Less", "same", "r")], None),
        ([op("a", "Identity", "b"), op("b", "Identity", "r", "a")], None),
    ],
)
def test_a_rate_is_what_a_mask_compares_with_random_numbers(mask: list[Node], expected: str | None) -> None:
    assert open_switches(graph_of(*DRAWN, *mask)) == ({} if expected is None else {"r": expected})


# Branches


def branch(predicate: str, true: str = "", false: str = "", name: str = "s", data: str = "x") -> list[Node]:
    """A switch, with a node of op ``true`` on one side and one of ``false`` on the other."""
    sides = [op(f"{name}_{i}", kind, f"{name}:{i}") for i, kind in enumerate((false, true)) if kind]
    return [op(name, "Switch", data, predicate), *sides]


BATCH = [placeholder("x"), op("mean", "Mean", "x"), op("sum", "Sum", "x"), const("yes", True, bool)]


def decided(nodes: list[Node], dtype: DataType = DataType.BOOL, functions: tuple[Function, ...] = ()) -> str | None:
    return open_switches(Graph(graph_of().header, [fed("p", dtype), *BATCH, *nodes], functions)).get("p")


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        (branch("p", true="RandomUniform"), "false"),
        (branch("p", false="RandomUniform"), "true"),
        (branch("p", "RandomUniform", "RandomUniform"), None),
        (branch("p", "Neg", "Neg"), None),
        (branch("p"), None),
        (branch("p", "AssignAdd", "Neg"), "false"),
        (branch("p", "ResourceApplyAdam", "Neg"), "false"),
        (branch("p", "ApplyAdam", "Neg"), "false"),
        (branch("p", "ScatterAdd", "Neg"), "false"),
        (branch("p", "Applying", "Neg"), None),
        (branch("p", "SquaredDifference", "Neg"), "false"),
        (branch("p", "FusedBatchNormV3", "Neg"), "false"),
        (branch("p", "FusedBatchNormGradV3", "Neg"), None),
        (branch("p", "Neg", data="mean"), "false"),
        (branch("p", false="Neg", data="mean"), "true"),
        (branch("p", data="mean"), None),
        (branch("p", "Neg", data="sum"), None),
        ([*chain(63, "mean", "same"), *branch("p", "Neg", data="same")], "false"),
        ([*chain(64, "mean", "same"), *branch("p", "Neg", data="same")], None),
        (branch("p", "Neg", data="nowhere"), None),
        ([op("q", "LogicalNot", "p"), *branch("q", true="RandomUniform")], "true"),
        ([op("q", "LogicalNot", "p"), op("o", "LogicalNot", "q"), *branch("o", true="RandomUniform")], "false"),
        ([op("q", "LogicalAnd", "yes", "p"), *branch("q", true="RandomUniform")], "false"),
        ([op("q", "Switch", "p", "p"), *branch("q:1", true="RandomUniform")], "false"),
        ([op("q", "Neg", "p"), *branch("q", true="RandomUniform")], None),
        (branch("yes", true="RandomUniform", data="p"), None),
        ([*chain(62, "p", "same"), *branch("same", true="RandomUniform")], "false"),
        ([*chain(63, "p", "same"), *branch("same", true="RandomUniform")], None),
        ([*branch("p", "RandomUniform", name="a"), *branch("p", "", "RandomUniform", name="b")], None),
        ([*(n for i in "ab" for n in branch("p", "RandomUniform", name=i)), *branch("p", "", "RandomUniform")], "false"),
        ([*(n for i in "ab" for n in branch("p", "", "RandomUniform", name=i)), *branch("p", "RandomUniform")], "true"),
    ],
)  # fmt: skip
def test_the_side_that_trains_is_not_taken(nodes: list[Node], expected: str | None) -> None:
    assert decided(nodes) == expected
    numbers = {"true": "1", "false": "0"}
    assert decided(nodes, DataType.INT32) == (numbers[expected] if expected else None)


@pytest.mark.parametrize(("stated", "expected"), [(True, "false"), (False, None)])
def test_a_batch_norm_says_whether_it_trains(stated: bool, expected: str | None) -> None:
    *switch, norm = branch("p", "FusedBatchNorm")
    norm.proto.attr["is_training"].b = stated
    assert decided([*switch, norm]) == expected


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([op("i", "Identity", "s:1"), op("r", "RandomUniform", "i")], "false"),
        ([op("i", "Split", "x", "s:1"), op("r", "RandomUniform", "i:1")], "false"),
        ([op("i", "Identity", "s:1"), op("r", "RandomUniform", "x", "^i")], "false"),
        ([op("m", "Merge", "x", "s:1"), op("r", "RandomUniform", "m")], None),
        ([op("r", "RandomUniform", "x", "^s")], None),
        ([op("r", "RandomUniform", "s:1", "s")], None),
        ([*chain(62, "s:1", "i"), op("r", "RandomUniform", "i")], "false"),
        ([*chain(63, "s:1", "i"), op("r", "RandomUniform", "i")], None),
    ],
)
def test_a_side_reaches_as_far_as_its_merge(nodes: list[Node], expected: str | None) -> None:
    assert decided([op("s", "Switch", "x", "p"), *nodes]) == expected


# Branches that are functions


def function(name: str, *nodes: Node, result: str = "a") -> Function:
    proto = FunctionDef()
    proto.signature.name = name
    for argument in ("a", "b"):
        proto.signature.input_arg.add(name=argument, type=1)
    proto.signature.output_arg.add(name="y", type=1)
    proto.ret["y"] = result
    return Function(proto, nodes)


def calling(name: str, kind: str, *inputs: str, **functions: str) -> Node:
    attrs = {key: AttrValue() for key in functions}
    for key, called in functions.items():
        attrs[key].func.name = called
    return make_node(name, kind, inputs, attrs)


PLAIN = function("plain", op("n", "Neg", "a"), result="n:y:0")
DRAWS = function("draws", op("r", "RandomUniform", "a"), result="r:output:0")
OUTER = function("outer", calling("c", "PartitionedCall", "a", f="draws"), result="c:output:0")
RING = function("ring", calling("c", "PartitionedCall", "a", f="ring"))
LIBRARY = (PLAIN, DRAWS, OUTER, RING)


def choice(then: str, other: str, *data: str, predicate: str = "p", kind: str = "If") -> Node:
    return calling("if", kind, predicate, *data, then_branch=then, else_branch=other)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([choice("draws", "plain", "x", "x")], "false"),
        ([choice("plain", "draws", "x", "x", kind="StatelessIf")], "true"),
        ([choice("outer", "plain", "x", "x")], "false"),
        ([choice("ring", "plain", "x", "x")], None),
        ([choice("nowhere", "plain", "x", "x")], None),
        ([choice("draws", "plain", "x", "p", predicate="yes")], None),
        ([choice("plain", "nowhere", "mean", "x")], "false"),
        ([choice("plain", "nowhere", "x", "mean")], None),
        ([choice("nowhere", "plain", "mean", "x")], "true"),
    ],
)
def test_a_branch_that_is_a_function(nodes: list[Node], expected: str | None) -> None:
    assert decided(nodes, functions=LIBRARY) == expected


@pytest.mark.parametrize(("returned", "expected"), [("a", "false"), ("b", None)])
def test_a_branch_may_return_what_it_takes(returned: str, expected: str | None) -> None:
    same: Any = function("same", result=returned)
    assert decided([choice("same", "nowhere", "mean", "x")], functions=(same,)) == expected


@pytest.mark.parametrize(("count", "expected"), [(63, "false"), (64, None)])
def test_calls_are_followed_so_far(count: int, expected: str | None) -> None:
    deep = [function(f"f{i}", calling("c", "PartitionedCall", "a", f=f"f{i + 1}")) for i in range(count)]
    deep.append(function(f"f{count}", op("r", "RandomUniform", "a")))
    assert decided([choice("f0", "nowhere", "x", "x")], functions=tuple(deep)) == expected


DROPS = function(
    "drops", op("u", "RandomUniform", "b"), op("m", "Less", "u:output:0", "a"), op("y", "Mul", "b", "m:z:0")
)
FLOORS = function(
    "floors", op("u", "RandomUniform", "b"), op("s", "AddV2", "a", "u:output:0"), op("f", "Floor", "s:z:0")
)
WITHIN = function("within", calling("c", "PartitionedCall", "a", "b", f="drops"))


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([calling("w", "While", "r", "x", cond="plain", body="drops")], "1"),
        ([calling("w", "While", "x", "r", cond="plain", body="drops")], None),
        ([calling("i", "If", "p", "r", "x", then_branch="floors", else_branch="plain")], "1"),
        ([calling("i", "If", "r", "x", "x", then_branch="floors", else_branch="plain")], None),
        ([calling("c", "PartitionedCall", "r", "x", f="within")], "1"),
        ([op("d", "Sub", "one", "r"), calling("c", "PartitionedCall", "d", "x", f="within")], "0"),
        ([calling("c", "PartitionedCall", "r", "x", f="ring")], None),
        ([calling("c", "PartitionedCall", "r", "x", f="nowhere")], None),
    ],
)
def test_a_rate_is_followed_into_functions(nodes: list[Node], expected: str | None) -> None:
    graph = Graph(graph_of().header, [*DRAWN, placeholder("p"), *nodes], (*LIBRARY, DROPS, FLOORS, WITHIN))
    assert open_switches(graph).get("r") == expected
