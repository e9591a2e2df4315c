"""Where an error says that a graph can be cut, it can."""

from __future__ import annotations

import graphscope
from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.checks.frames import frames_of
from graphscope.core.graph import Graph
from graphscope.core.values.dtypes import DataType
from graphscope.export.refusal import Refusal, order
from graphscope.protos import GraphDef
from tests.support.fixture_files import FIXTURES


def cuts_at(graph: Graph, name: str, output: str) -> list[str]:
    return order(graph, {name: Refusal(name, graph[name].op, "of a test")}, [output])[1]


def test_before_and_behind_a_loop_but_not_within() -> None:
    graph = graphscope.load(FIXTURES / "rnn").graph
    frames = frames_of(graph)
    inside = [name for name in graph.ancestors(["probs"]) if frames[name]]
    assert inside
    assert {name: cuts for name in inside if (cuts := cuts_at(graph, name, "probs:0"))} == {}
    logits = graph["probs"].inputs[0]
    assert cuts_at(graph, logits, "probs:0") == [logits]
    assert cuts_at(graph, "probs", "probs:0") == []


def test_not_at_a_handle() -> None:
    kind = {"dtype": type_attr(DataType.FLOAT)}
    size = make_node("n", "Placeholder", (), {"dtype": type_attr(DataType.INT32)})
    nodes = [size, make_node("a", "TensorArrayV3", ["n"], kind), make_node("y", "TensorArraySizeV3", ["a", "a:1"])]
    graph = Graph(GraphDef(), nodes)
    assert cuts_at(graph, "a", "y:0") == []
    assert cuts_at(graph, "n", "y:0") == ["n"]
