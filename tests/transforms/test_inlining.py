"""Bodies of library functions in place of their calls: the same values, unique names, and calls that stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import make_node
from graphscope.core.graph import Function, Graph
from graphscope.errors import GraphscopeError
from graphscope.protos import FunctionDef
from graphscope.transforms import inlining
from graphscope.transforms.inlining import MAX_DEPTH, inline_calls
from tests.support.graphs import FLOAT, graph_of, names, placeholder
from tests.support.running import built, run_graph, tf

CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
FED = {"x:0": np.float32([1, -2, 3])}


def nested() -> None:
    @tf.function
    def inner(a: Any) -> Any:
        return tf.split(a * 2.0, 3)

    @tf.function
    def outer(a: Any) -> Any:
        first, _, last = inner(a)
        again, *_ = inner(a + 1.0)
        return first - last, again, a

    x = tf.compat.v1.placeholder(tf.float32, [3], name="x")
    first, again, same = outer(x)
    tf.concat([first, again, same], 0, name="out")


def test_calls_of_calls_give_the_same_values() -> None:
    graph = built(nested)
    flat = inline_calls(graph)
    assert CALLS & set(graph.ops)
    assert not CALLS & set(flat.ops)
    assert len(set(names(flat))) == len(flat)
    assert [n.name for n in flat if n.op == "Placeholder"] == ["x"]
    [expected], [found] = run_graph(graph, ["out:0"], FED), run_graph(flat, ["out:0"], FED)
    assert found.tolist() == expected.tolist()
    assert inline_calls(flat) is flat


def function(name: str, *calls: str) -> Function:
    """``name(a)``: ``a`` negated, then each function of ``calls`` applied."""
    proto = FunctionDef()
    proto.signature.name = name
    proto.signature.input_arg.add(name="a", type=1)
    proto.signature.output_arg.add(name="b", type=1)
    body = [make_node("n", "Neg", ["a"], FLOAT)]
    source = "n:y:0"
    for i, called in enumerate(calls):
        body.append(make_node(f"c{i}", called, [source]))
        source = f"c{i}:b:0"
    proto.ret["b"] = source
    return Function(proto, body)


def test_a_function_may_be_an_op() -> None:
    graph = graph_of(placeholder("x"), make_node("f", "Outer", ["x"]))
    flat = inline_calls(graph.with_functions([function("Inner"), function("Outer", "Inner", "Inner")]))
    assert names(flat) == ["x", "f/n", "f/c0/n", "f/c0", "f/c1/n", "f/c1", "f"]
    assert [list(n.inputs) for n in flat] == [[], ["x"], ["f/n"], ["f/c0/n"], ["f/c0"], ["f/c1/n"], ["f/c1"]]


def test_names_stay_unique() -> None:
    graph = graph_of(placeholder("x"), make_node("f", "Inner", ["x"]), make_node("f/n", "Neg", ["f"], FLOAT))
    flat = inline_calls(graph.with_functions([function("Inner")]))
    assert names(flat) == ["x", "f/inlined_1/n", "f", "f/n"]


def test_a_function_that_calls_itself_ends() -> None:
    graph = graph_of(placeholder("x"), make_node("f", "Again", ["x"])).with_functions([function("Again", "Again")])
    assert len(inline_calls(graph)) == 2 + 2 * MAX_DEPTH


def doubling(levels: int) -> Graph:
    functions = [function(f"F{i}", f"F{i + 1}", f"F{i + 1}") for i in range(levels)]
    return graph_of(placeholder("x"), make_node("f", "F0", ["x"])).with_functions([*functions, function(f"F{levels}")])


@pytest.mark.parametrize("levels", [9, 30, 200])
def test_functions_that_double_are_refused_before_any_is_copied(levels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inlining, "MAX_NODES", 1000)
    monkeypatch.setattr(inlining.Inliner, "in_place_of", None)
    with pytest.raises(GraphscopeError, match=r"would add more than 1,000 nodes"):
        inline_calls(doubling(levels))


def test_functions_that_double_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = len(inline_calls(doubling(6)))
    monkeypatch.setattr(inlining, "MAX_NODES", flat)
    assert len(inline_calls(doubling(6))) == flat


def test_calls_among_switches_stay() -> None:
    graph = graph_of(placeholder("x"), make_node("s", "Switch", ["x", "p"], FLOAT), make_node("f", "Inner", ["s:1"]))
    graph = graph.with_functions([function("Inner")])
    assert inline_calls(graph) is graph


def test_a_generic_function_stays_a_call() -> None:
    generic = function("Inner")
    generic.proto.signature.attr.add(name="T", type="type")
    graph = graph_of(placeholder("x"), make_node("f", "Inner", ["x"], FLOAT)).with_functions([generic])
    assert inline_calls(graph) is graph
