"""Constant folding among control edges, loops and branches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graphscope.core.graph import Graph, Node
from graphscope.transforms.fold import fold
from tests.support.graphs import FLOW, branching, const, graph_of, looping, names, op, placeholder, printing
from tests.support.running import built, run_graph, serialized, tf

v1 = tf.compat.v1


# Control edges


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([const("c", 1), op("n", "Neg", "c", "^print")], ["^print"]),
        ([const("c", 1, controls=["^print"]), op("n", "Neg", "c")], ["^print"]),
        ([const("c", 1), op("m", "Neg", "c", "^after"), op("n", "Neg", "m")], ["^after"]),
        ([const("c", 1), op("n", "Neg", "c", "^m"), op("m", "Neg", "c", "^print")], ["^print"]),
        ([const("c", 1, controls=["^print"]), op("n", "Add", "c", "c", "^after", "^print")], ["^after", "^print"]),
        ([const("c", 1), op("n", "Neg", "c", "^x", "^pure"), op("pure", "Neg", "x")], []),
        ([const("c", 1), op("n", "Neg", "c", "^group"), op("group", "NoOp", "^pure"), op("pure", "Neg", "x")], []),
        ([const("c", 1), op("n", "Neg", "c", "^group"), op("group", "NoOp", "^print")], ["^group"]),
        ([const("c", 1), op("n", "Neg", "c", "^dangling")], ["^dangling"]),
        ([const("c", 1), op("n", "Neg", "c", "^m"), op("m", "Neg", "c", "^n", "^print")], ["^print"]),
    ],
)
def test_a_constant_waits_for_what_has_an_effect(nodes: list[Node], expected: list[str]) -> None:
    folded = fold(graph_of(*printing(), *nodes, op("y", "Add", "x", "n")))
    assert folded["n"].op == "Const"
    assert sorted(folded["n"].inputs) == expected
    assert {"x", "print", "after"} <= set(names(folded))


def test_a_placeholder_that_nobody_waits_for_any_more_stays() -> None:
    folded = fold(graph_of(placeholder("x"), const("c", 1), op("n", "Neg", "c", "^x")))
    assert names(folded) == ["x", "n"]
    assert not folded["n"].inputs


def test_an_update_before_a_constant_is_still_made() -> None:
    def build() -> None:
        variable = v1.get_variable("v", initializer=tf.constant(1.0), use_resource=False)
        with tf.control_dependencies([v1.assign_add(variable, 1.0, name="add")]):
            late = tf.constant(2.0) * tf.constant(3.0)
        with tf.control_dependencies([late]):
            tf.identity(variable.read_value(), name="out")
        v1.global_variables_initializer()

    graph = built(build)
    folded = fold(graph)
    assert folded["mul"].op == "Const"
    assert list(folded["mul"].control_inputs()) == ["add"]
    for each in (graph, folded):
        assert after_initialization(each, "out:0") == 2


def after_initialization(graph: Graph, fetch: str) -> float:
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(v1.GraphDef.FromString(serialized(graph)), name="")
        session.run("init")
        return float(session.run(fetch))


# Loops and branches


@pytest.mark.parametrize(
    ("build", "feeds", "fetches"),
    [
        (looping, [2.0, -1.5], ["out:0"]),
        (branching, [[1.0, 2.0], [-3.0, 1.0], [2.0, -1.0], [-1.0, -2.0]], ["out:0", "choice/Merge:0"]),
    ],
)
def test_loops_and_branches_compute_the_same(build: Callable[[], None], feeds: list[Any], fetches: list[str]) -> None:
    graph = built(build)
    folded = fold(graph)
    assert len(folded) < len(graph)
    flow = [(n.name, list(n.inputs)) for n in graph if n.op in FLOW]
    assert flow
    assert [(n.name, list(n.inputs)) for n in folded if n.op in FLOW] == flow
    for fed in feeds:
        for mine, theirs in zip(run_graph(folded, fetches, {"x:0": fed}), run_graph(graph, fetches, {"x:0": fed})):
            assert mine.tolist() == theirs.tolist()


def test_a_constant_in_a_loop_or_branch_stays_in_it() -> None:
    loop = fold(built(looping))
    assert [list(n.inputs) for n in loop if n.name == "while/add"] == [["^while/Identity"]]
    branches = fold(built(branching))
    assert branches["choice/stack"].op == "Const"
    assert list(branches["choice/stack"].inputs) == ["^choice/switch_t"]
