"""Dropout of a constant rate: what counts as its mask, its rate and its product, node by node."""

from __future__ import annotations

import numpy as np
import pytest

from graphscope.core.changes.build import make_node
from graphscope.core.graph import Graph, Node
from graphscope.transforms.findings.drops import constant_drops
from tests.support.graphs import const, graph_of, op, placeholder

DRAWN = [placeholder("x"), const("size", [2], np.int32), make_node("u", "RandomUniform", ["size"]), const("rate", 0.5)]
OTHERS = [
    const("zero", 0),
    const("one", 1),
    const("zeros", [0, 0]),
    const("some", [0, 1]),
    const("nothing", 0, np.int32),
    const("p", True, bool),
]


def chain(count: int, kind: str, first: str, name: str, *others: str) -> list[Node]:
    """``count`` nodes of ``kind`` one behind the other; the last is called ``name``."""
    names = [*(f"{name}_{i}" for i in range(1, count)), name][-count:] if count else []
    return [op(new, kind, source, *others) for source, new in zip([first, *names], names)]


def drawn(*nodes: Node) -> Graph:
    return graph_of(*DRAWN, *OTHERS, *nodes)


def floored(*sides: str, kind: str = "Add", between: int = 0) -> list[Node]:
    made = [op("sum", kind, *sides)]
    return [*made, *chain(between, "Identity", "sum", "same"), op("mask", "Floor", "same" if between else "sum")]


def product(mask: str = "mask") -> Node:
    return op("out", "Mul", "x", mask)


@pytest.mark.parametrize(
    ("mask", "is_found"),
    [
        (floored("rate", "u"), True),
        (floored("u", "rate", kind="AddV2"), True),
        (floored("u", "rate", kind="Sub"), False),
        (floored("u", "u"), False),
        (floored("x", "rate"), False),
        (floored("u", "x"), False),
        (floored("u", "rate", between=6), True),
        (floored("u", "rate", between=7), False),
        ([op("mask", "Floor", "u")], False),
        ([op("mask", "Ceil", "u")], False),
        ([op("sum", "Sub", "u", "rate"), op("mask", "Ceil", "sum")], True),
        ([op("mask", "Round", "u")], True),
        ([op("mask", "Rint", "u")], True),
        ([op("sum", "Add", "rate", "u"), op("mask", "Round", "sum")], True),
        ([op("sum", "Add", "x", "u"), op("mask", "Round", "sum")], False),
        ([op("mask", "Round", "x")], False),
        ([op("mask", "Round", "nowhere")], False),
        ([op("mask", "Floor", "nowhere")], False),
        ([op("mask", "Greater", "u")], False),
        ([op("mask", "Equal", "u", "rate")], False),
        *([([op("mask", kind, *sides)], True) for kind in ("GreaterEqual", "Greater", "LessEqual", "Less")
           for sides in (("u", "rate"), ("rate", "u"))]),
        ([op("mask", "Less", "u", "u")], False),
        ([op("mask", "Less", "rate", "one")], False),
        ([op("mask", "Less", "u", "nowhere")], False),
        ([op("known", "Sub", "one", "rate"), op("mask", "Less", "u", "known")], True),
        ([op("fed", "Sub", "one", "x"), op("mask", "Less", "u", "fed")], False),
        ([op("fed", "Sub", "x", "one"), op("mask", "Less", "u", "fed")], False),
        ([op("ring", "Neg", "ring"), op("mask", "Less", "u", "ring")], True),
        ([*chain(6, "Mul", "u", "v", "one"), op("mask", "Less", "v", "rate")], True),
        ([*chain(7, "Mul", "u", "v", "one"), op("mask", "Less", "v", "rate")], False),
        ([op("v", "Sub", "one", "u"), op("mask", "Less", "v", "rate")], True),
        ([op("flat", "Reshape", "u", "size"), op("mask", "Less", "flat", "rate")], True),
        ([op("v", "Div", "u", "one"), op("mask", "Less", "v", "rate")], False),
    ],
)  # fmt: skip
def test_a_mask_compares_what_is_drawn_with_what_is_known(mask: list[Node], is_found: bool) -> None:
    assert constant_drops(drawn(*mask, product())) == ["out"] * is_found


@pytest.mark.parametrize(
    "kind", ["RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2", "StatefulUniform"]
)
def test_numbers_are_uniform(kind: str) -> None:
    nodes = [make_node("v", kind, ["size"]), op("mask", "Less", "v", "rate"), product()]
    assert constant_drops(graph_of(DRAWN[0], DRAWN[1], DRAWN[3], *nodes)) == ["out"]
    normal = [make_node("v", "RandomStandardNormal", ["size"]), op("mask", "Less", "v", "rate"), product()]
    assert constant_drops(drawn(*normal)) == []


@pytest.mark.parametrize(("count", "is_found"), [(0, True), (1, True), (6, True), (7, False)])
def test_between_mask_and_product_lies_little(count: int, is_found: bool) -> None:
    between = chain(count, "Cast", "mask", "cast")
    found = constant_drops(drawn(op("mask", "Less", "u", "rate"), *between, product("cast" if count else "mask")))
    assert found == ["out"] * is_found


@pytest.mark.parametrize(
    ("changed", "is_found"),
    [
        *((kind, True) for kind in ("RealDiv", "Div", "Sub", "LogicalNot", "Enter", "Switch")),
        *((kind, False) for kind in ("Add", "Sum")),
    ],
)
def test_a_mask_may_be_changed_before_it_is_applied(changed: str, is_found: bool) -> None:
    between = op("changed", changed, "mask", *(["rate"] if changed in ("RealDiv", "Div", "Sub", "Add", "Sum") else []))
    graph = drawn(op("mask", "Less", "u", "rate"), between, op("out", "MulNoNan", "x", "changed"))
    assert constant_drops(graph) == ["out"] * is_found


@pytest.mark.parametrize(
    ("values", "is_found"),
    [
        (("x", "zero"), True),
        (("zero", "x"), True),
        (("x", "like"), True),
        (("x", "same"), True),
        (("x", "one"), False),
        (("x", "zeros"), True),
        (("x", "some"), False),
        (("x", "nothing"), False),
        (("x", "nowhere"), False),
        (("x", "x"), False),
    ],
)
@pytest.mark.parametrize("kind", ["Select", "SelectV2"])
def test_a_selection_drops_where_it_takes_zeros(kind: str, values: tuple[str, str], is_found: bool) -> None:
    zeros = [op("like", "ZerosLike", "x"), op("same", "Identity", "zero")]
    graph = drawn(*zeros, op("mask", "Less", "u", "rate"), op("out", kind, "mask", *values))
    assert constant_drops(graph) == ["out"] * is_found


def test_every_product_is_named_in_file_order() -> None:
    masks = [op("mask", "Less", "u", "rate"), op("cast", "Cast", "mask")]
    graph = drawn(op("b", "Mul", "cast", "x"), *masks, op("a", "Mul", "x", "cast"), op("sum", "Add", "x", "cast"))
    assert constant_drops(graph) == ["b", "a"]
