"""Factors of one and dropout that keeps everything: at which numbers, and how far off, they are still recognized."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import make_node
from graphscope.core.graph import Graph, Node
from graphscope.transforms.identities import remove_pass_through
from tests.support.graphs import FLOAT, const, graph_of, op, placeholder


def chain(kind: str, count: int, source: str, name: str, *others: str) -> list[Node]:
    """``count`` nodes one behind the other, the last of them called ``name``; an identity where there is none."""
    names = [*(f"{name}_{i}" for i in range(1, count)), name][-count:] if count else []
    if not names:
        return [op(name, "Identity", source)]
    return [op(new, kind, before, *others) for before, new in zip([source, *names], names)]


def goes(*nodes: Node) -> bool:
    """Whether the node ``p`` is taken out, and what reads it reads ``x``."""
    graph = graph_of(placeholder("x"), *nodes, op("y", "Neg", "p"))
    found = remove_pass_through(graph)
    assert ("p" in found) == (list(found["y"].inputs) == ["p"])
    return "p" not in found


@pytest.mark.parametrize(
    ("number", "dtype", "is_one"),
    [
        *((1, dtype, True) for dtype in (np.float32, np.float64, np.float16)),
        *((1, dtype, True) for dtype in (np.int32, np.int64, np.int16, np.int8, np.uint8)),
        (0, np.int32, False),
        (2, np.int32, False),
        (True, bool, False),
        (1, np.complex64, False),
        (b"1", object, False),
    ],
)
@pytest.mark.parametrize("kind", ["Mul", "RealDiv"])
def test_a_factor_is_one_in_every_type_of_numbers(kind: str, number: Any, dtype: Any, is_one: bool) -> None:
    assert goes(const("n", number, dtype), op("p", kind, "x", "n")) is is_one


@pytest.mark.parametrize(("kind", "inputs"), [("RealDiv", ["one"]), ("Div", []), ("Select", ["x", "x"])])
def test_a_node_with_too_few_inputs_stays(kind: str, inputs: list[str]) -> None:
    assert not goes(const("one", 1), op("p", kind, *inputs))


@pytest.mark.parametrize(("count", "is_found"), [(1, True), (63, True), (64, False)])
def test_a_constant_is_looked_for_behind_identities(count: int, is_found: bool) -> None:
    first = op("p", "Mul", "x", "i")
    assert goes(const("one", 1), *chain("Identity", count, "one", "i"), first) is is_found


def test_only_the_first_output_of_what_passes_on_is_followed() -> None:
    both = make_node("both", "IdentityN", ["one", "x"])
    both.proto.attr["T"].list.type[:] = [1, 1]
    assert not goes(const("one", 1), both, op("p", "Mul", "x", "both"))
    assert not goes(const("one", 1), op("i", "Identity", "one"), op("p", "Mul", "x", "i:1"))
    assert goes(const("one", 1), op("i", "Identity", "one"), op("p", "Mul", "x", "i:0"))


# Masks

RANDOM = [
    op("size", "Shape", "x"),
    make_node("u", "RandomUniform", ["size"], {"dtype": FLOAT["T"]}),
    *(const(name, number) for name, number in (("zero", 0), ("one", 1), ("two", 2), ("three", 3), ("four", 4))),
    *(const(name, number) for name, number in (("half", 0.5), ("minus", -1), ("minus2", -2), ("five", 5))),
]


def selected(numbers: list[Node], least: str, value: str = "x") -> bool:
    """Whether a selection by ``numbers >= least`` is taken out."""
    nodes = [op("mask", "GreaterEqual", numbers[-1].name, least), op("p", "Select", "mask", value, "zero")]
    return goes(*RANDOM, *numbers, *nodes)


@pytest.mark.parametrize(
    ("numbers", "always", "not_always"),
    [
        ([op("a", "Identity", "u")], ["zero", "minus"], ["half", "one", "two", "u", "x"]),
        ([op("m", "Mul", "u", "four"), op("a", "Add", "m", "one")], ["zero", "one"], ["two", "five"]),
        ([op("m", "Mul", "minus2", "u"), op("a", "AddV2", "three", "m")], ["one"], ["two", "three"]),
        ([op("a", "Sub", "five", "u")], ["four"], ["five", "u", "nowhere"]),
        ([op("a", "Sub", "u", "one")], ["minus"], ["zero", "half"]),
        ([op("m", "Sub", "u", "one"), op("n", "Sub", "u", "two"), op("a", "Mul", "m", "n")], ["zero"], ["half", "two"]),
        ([op("a", "Add", "two", "one")], [], ["two", "zero"]),
        ([op("a", "Add", "u", "x")], [], ["minus"]),
        ([op("a", "Maximum", "u", "one")], [], ["minus"]),
    ],
)
def test_what_random_numbers_always_reach(numbers: list[Node], always: list[str], not_always: list[str]) -> None:
    assert [least for least in (*always, *not_always) if selected(numbers, least)] == always


@pytest.mark.parametrize(("count", "is_found"), [(5, True), (6, False)])
def test_random_numbers_are_looked_for_behind_a_few_sums(count: int, is_found: bool) -> None:
    assert selected(chain("Add", count, "u", "a", "zero"), "zero") is is_found


@pytest.mark.parametrize("kind", ["Mul", "RealDiv", "Div"])
@pytest.mark.parametrize(("count", "is_found"), [(6, True), (7, False)])
def test_a_value_that_dropout_scaled_by_one_needs_no_shape(kind: str, count: int, is_found: bool) -> None:
    scaled = [op("scaled", kind, "x", "one"), *chain("Add", count, "u", "a", "zero")]
    assert selected(scaled, "zero", "scaled") is is_found
    assert not selected([op("scaled", kind, "x", "two"), op("a", "Identity", "u")], "zero", "scaled")
    assert not selected([op("scaled", "Add", "x", "one"), op("a", "Identity", "u")], "zero", "scaled")


@pytest.mark.parametrize(
    ("mask", "is_found"),
    [
        ([op("a", "Add", "one", "u"), op("mask", "Floor", "a")], True),
        ([op("b", "Mul", "u", "two"), op("a", "Add", "one", "b"), op("mask", "Floor", "a")], False),
        ([op("a", "Add", "two", "u"), op("mask", "Floor", "a")], False),
        ([op("a", "Add", "half", "u"), op("mask", "Floor", "a")], False),
        ([op("a", "GreaterEqual", "u", "zero"), op("mask", "Cast", "a")], True),
        ([op("a", "GreaterEqual", "u", "half"), op("mask", "Cast", "a")], False),
        ([op("a", "Greater", "u", "minus"), op("mask", "Cast", "a")], False),
        ([op("a", "GreaterEqual", "u", "zero"), op("mask", "Cast", "a", "^x")], True),
        ([op("a", "Add", "one", "u"), op("mask", "Floor", "a", "^x")], True),
        ([op("mask", "Neg", "x")], False),
    ],
)
@pytest.mark.parametrize("sides", [("x", "mask"), ("mask", "x")])
def test_a_product_with_a_mask_of_ones(mask: list[Node], is_found: bool, sides: tuple[str, str]) -> None:
    assert goes(*RANDOM, *mask, op("p", "Mul", *sides)) is is_found


@pytest.mark.parametrize("factor", ["x", "nowhere", "size"])
def test_what_is_fed_is_no_mask(factor: str) -> None:
    assert not goes(*RANDOM, op("scaled", "Mul", "x", "one"), op("p", "Mul", "scaled", factor))
    assert not goes(*RANDOM, op("scaled", "Mul", "x", "one"), op("p", "Select", factor, "scaled", "zero"))


def test_a_graph_without_any_is_the_same_graph() -> None:
    graph: Graph = graph_of(placeholder("x"), op("y", "Neg", "x"), op("i", "Identity", "y"))
    assert remove_pass_through(graph) is graph
