"""Attributes, names and places: what TensorFlow does not import for them is a problem, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import graphscope
from graphscope.core.changes.build import make_node
from graphscope.core.checks.attributes import find_wrong_attributes
from graphscope.core.checks.validity import find_problems
from graphscope.core.graph import Function, Graph, Node
from graphscope.errors import GraphscopeError
from graphscope.protos import FunctionDef, NodeDef
from tests.support.running import built, refusal, serialized, tf

v1 = tf.compat.v1


def make() -> None:
    x = v1.placeholder(tf.float32, [1, 4, 4, 1], "x")
    tf.nn.max_pool2d(x, 2, 2, "SAME", name="pool")
    tf.concat([x, x], 3, name="joined")
    tf.constant([1.0, 2], name="c")
    tf.identity_n([x, x], name="both")
    tf.matmul(tf.ones([2, 2]), tf.ones([2, 2]), name="product")
    v1.cond(tf.constant(True), lambda: x, lambda: -x, name="branch")


@pytest.fixture(scope="module")
def graph() -> Graph:
    return built(make)


CHANGES: dict[str, tuple[str, Callable[[NodeDef], object], str]] = {
    "nothing": ("x", lambda n: None, ""),
    "no type": ("pool", lambda n: n.attr.pop("T"), ""),  # it has a default
    "no type that has no default": ("joined", lambda n: n.attr.pop("T"), "lacks the attribute T"),
    "no value": ("c", lambda n: n.attr.pop("value"), "lacks the attribute value"),
    "no padding": ("pool", lambda n: n.attr.pop("padding"), "lacks the attribute padding"),
    "no switch that has a default": ("product", lambda n: n.attr.pop("transpose_a"), ""),
    "no list": ("pool", lambda n: n.attr.pop("ksize"), "lacks the attribute ksize"),
    "text for a type": ("joined", lambda n: setattr(n.attr["T"], "s", b"x"), "T of kind string, not type"),
    "a number for a switch": (
        "product",
        lambda n: setattr(n.attr["transpose_a"], "i", 1),
        "transpose_a of kind int, not bool",
    ),
    "a type for a tensor": ("c", lambda n: setattr(n.attr["value"], "type", 1), "value of kind type, not tensor"),
    "a switch for text": ("pool", lambda n: setattr(n.attr["padding"], "b", True), "padding of kind bool, not string"),
    "nothing for a type": ("joined", lambda n: n.attr["T"].Clear(), "has no T"),
    "a number for a list": ("pool", lambda n: setattr(n.attr["ksize"], "i", 1), "ksize of kind int, not list(int)"),
    "a list of others": (
        "pool",
        lambda n: n.attr["ksize"].list.f.append(1),
        "ksize of kind list(int, float), not list(int)",
    ),
    "an empty list of types": ("both", lambda n: n.attr["T"].list.ClearField("type"), "takes"),
    "no such type": ("joined", lambda n: setattr(n.attr["T"], "type", 200), "the number 200, which no type has"),
    "an invalid type": ("joined", lambda n: setattr(n.attr["T"], "type", 0), "the number 0, which no type has"),
    "a reference": ("joined", lambda n: setattr(n.attr["T"], "type", 101), "the number 101, which no type has"),
    "no such type in a list": (
        "both",
        lambda n: n.attr["T"].list.type.__setitem__(0, 200),
        "the number 200, which no type has",
    ),
    "an unknown attribute": ("product", lambda n: setattr(n.attr["_mine"], "i", 1), ""),
    "a place that is not there": (
        "c",
        lambda n: n.attr["_class"].list.s.append(b"loc:@gone"),
        "placed with the node gone",
    ),
    "a place that is there": ("c", lambda n: n.attr["_class"].list.s.append(b"loc:@x"), ""),
    "another class": ("c", lambda n: n.attr["_class"].list.s.append(b"mine"), ""),
    "a name": ("both", lambda n: setattr(n, "name", "two words"), "has a name that TensorFlow does not take"),
    "a hidden name": ("both", lambda n: setattr(n, "name", "_both"), "has a name that TensorFlow does not take"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_attributes_are_judged_as_tensorflow_does(graph: Graph, change: str) -> None:
    name, act, expected = CHANGES[change]
    proto = NodeDef()
    proto.CopyFrom(graph[name].proto)
    act(proto)
    changed = graph.with_nodes(Node(proto, n.payloads) if n.name == name else n for n in graph)
    found = [p.text for p in find_problems(changed, changed.catalog(), closely=True)]
    assert bool(found) == bool(refusal(changed)) == bool(expected), (found, refusal(changed))
    assert not found or expected in found[0]


def test_in_a_function() -> None:
    """Attributes may stand for those of the call, and what colocation names is not there to be found."""
    proto = FunctionDef()
    proto.signature.name = "f"
    inner = make_node("_inner", "Identity", ["x"])
    inner.proto.attr["T"].placeholder = "T"
    inner.proto.attr["_class"].list.s.append(b"loc:@133")
    function = Function(proto, [inner, make_node("broken", "Identity", ["x"])])
    catalog = built(make).catalog()
    assert [text for _, text in find_wrong_attributes(function, catalog, is_inner=True)] == [
        "node broken (Identity) lacks the attribute T"
    ]
    assert len(list(find_wrong_attributes(function, catalog))) == 4


def test_what_a_graph_lacks_is_not_written(graph: Graph, tmp_path: Path) -> None:
    path = tmp_path / "m.pb"
    nodes = v1.GraphDef.FromString(serialized(graph))
    for node in nodes.node:
        if node.name == "pool":
            del node.attr["padding"]
            node.attr["_class"].list.s.append(b"loc:@gone")
    path.write_bytes(nodes.SerializeToString())
    texts = [problem.text for problem in graphscope.summarize(path).problems]
    assert texts == [
        "node pool (MaxPool) lacks the attribute padding",
        "node pool (MaxPool) is to be placed with the node gone, which does not exist",
    ]
    with pytest.raises(GraphscopeError, match="lacks the attribute padding"):
        graphscope.convert(path, tmp_path / "m.pbtxt")
    frozen = graphscope.freeze(path, outputs="joined")  # it does not need the pool
    frozen.save(tmp_path / "joined.pb")
    assert graphscope.load(tmp_path / "joined.pb").problems == []
