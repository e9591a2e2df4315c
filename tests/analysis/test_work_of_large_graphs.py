"""Twice the graph is twice the work: a small file that somebody made up does not keep a command busy for minutes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from graphscope.analysis.diff.compare import diff
from graphscope.analysis.shapes import infer
from graphscope.core.changes.build import make_node
from graphscope.core.graph import Graph
from graphscope.transforms.identities import remove_pass_through
from tests.support.counted import lines_run
from tests.support.graphs import graph_of, op, placeholder
from tests.support.written import model_of


def many_inputs(size: int) -> Graph:
    return graph_of(placeholder("x"), op("y", "AddN", *["x"] * size, N=size))


def chain(size: int) -> Graph:
    nodes = [op(f"n{k}", "Identity", f"n{k - 1}" if k else "x") for k in range(size)]
    return graph_of(placeholder("x"), *nodes, op("end", "Neg", f"n{size - 1}"))


def all_of_all_before(size: int) -> Graph:
    return graph_of(*(make_node(f"n{k}", "NoOp", [f"^n{j}" for j in range(k)]) for k in range(size)))


def deep(size: int) -> Graph:
    return graph_of(op("a/" * size + "b", "Neg", "x"), placeholder("x"))


def compared(graph: Graph) -> object:
    return diff(model_of(graph), model_of(graph_of(placeholder("z"), op("s/c", "Exp", "z"))))


Work = Callable[[Graph], object]
WORKS: dict[str, tuple[Work, Callable[[int], Graph], int, float]] = {
    "shapes of many inputs": (infer, many_inputs, 100, 2.5),
    "a chain of identities": (remove_pass_through, chain, 100, 2.5),
    "comparing many edges": (compared, all_of_all_before, 25, 5),  # four times the edges
    "comparing deep scopes": (compared, deep, 1000, 1.5),
}


@pytest.mark.parametrize("name", WORKS)
def test_work_grows_as_the_graph_does(name: str) -> None:
    work, make, size, most = WORKS[name]
    small, large = make(size), make(2 * size)
    work(make(5))  # what is imported and cached once
    counts = [lines_run(lambda graph=graph: work(graph)) for graph in (small, large)]  # type: ignore[misc]
    assert counts[1] < most * counts[0], counts
