"""A graph's edges by number are its edges by name."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphscope
from graphscope.core.changes.build import make_node
from graphscope.core.graph import Body, Node
from graphscope.core.tensors import node_of
from graphscope.protos import NodeDef
from tests.support.fixture_files import FIXTURES


def node(name: str, op: str, *inputs: str) -> Node:
    return Node(NodeDef(name=name, op=op, input=inputs))


ODD = Body(
    [
        node("a", "Placeholder"),
        node("b", "Split", "a", "a"),
        node("c", "Add", "b:1", "later"),
        node("d", "NoOp", "^b", "^nowhere", "b"),
        node("later", "Identity", "gone:2", "d", "d"),
        node("a", "Const"),
    ]
)


def bodies() -> list[Body]:
    paths = ("rnn", "lenet5/saved_model", "batchnorm_resource", "softmax/graph.pbtxt")
    models = [graphscope.load(FIXTURES / path) for path in paths]
    return [ODD, *(body for model in models for _, body in model.graph.bodies)]


def test_wires_and_consumers() -> None:
    for body in bodies():
        last = {n.name: i for i, n in enumerate(body.nodes)}
        assert body.names == [n.name for n in body]
        assert body.numbers == last
        assert body.wires == [[last.get(text) for text in n.inputs] for n in body]
        users: list[list[int]] = [[] for _ in body]
        for i, n in enumerate(body):
            for producer in {last.get(node_of(text), -1) for text in n.inputs} - {-1}:
                users[producer].append(i)
        assert body.consumer_numbers == users
        by_name: dict[str, list[str]] = {}
        for n in body:
            for producer in dict.fromkeys(map(node_of, n.inputs)):
                by_name.setdefault(producer, []).append(n.name)
        assert body.consumer_names == by_name


def test_a_name_twice_is_the_last() -> None:
    assert ODD["a"].op == "Const"
    assert ODD.get("nowhere") is None
    assert "later" in ODD
    assert ODD.by_name["a"] is ODD.nodes[-1]


@pytest.mark.parametrize("path", [FIXTURES / "softmax" / "frozen.pb", FIXTURES / "softmax" / "graph.pbtxt"])
def test_nodes_without_payloads_share_nothing_to_change(path: Path) -> None:
    nodes = graphscope.load(path).graph.nodes
    empty = [n.payloads for n in nodes if not n.payloads]
    assert len(empty) > 3
    with pytest.raises(TypeError):
        empty[0]["value"] = None  # type: ignore[index]
    assert not make_node("x", "NoOp").payloads
