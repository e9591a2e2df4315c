"""Two models compared tensor by tensor: the node that was changed is the one that is named."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.changes.build import constant, make_node
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model, ModelKind
from graphscope.core.ops.sets import VARIABLE_OPS
from graphscope.protos import AttrValue
from graphscope.runtime.comparing import layers
from graphscope.runtime.comparing.comparison import Comparison
from graphscope.runtime.comparing.layers import LayerComparison
from tests.support.fixture_files import FIXTURES
from tests.support.running import built, tf

t = tf.compat.v1
LOOSE = {"atol": 1e-4, "rtol": 1e-3}
"""oneDNN, where it is on, rounds differently from one run to the next."""


def in_memory(graph: Graph, name: str = "changed") -> Model:
    return Model(name, ModelKind.GRAPH, "binary", (), graph)


@functools.cache
def lenet() -> Graph:
    """LeNet-5 frozen, without the shapes that the file states: TensorFlow refuses those that a change makes wrong."""
    graph = graphscope.freeze(FIXTURES / "lenet5", outputs="softmax").model.graph
    return graph.with_nodes(n if n.op == "Const" else with_attrs(n, {}) for n in graph)


def with_attrs(node: Node, attrs: dict[str, AttrValue]) -> Node:
    kept = {name: value for name, value in node.attrs.items() if name != "_output_shapes"}
    return make_node(node.name, node.op, node.inputs, {**kept, **attrs})


def changed(name: str, change: Callable[[Node], Node]) -> Model:
    graph = lenet()
    assert name in graph
    return in_memory(graph.with_nodes(change(n) if n.name == name else n for n in graph))


def moved(by: float) -> Callable[[Node], Node]:
    def change(node: Node) -> Node:
        payload = node.tensor()
        assert payload is not None
        value = payload.numpy().copy()
        value.flat[0] += by
        return constant(node.name, value)

    return change


def stated(**attrs: AttrValue) -> Callable[[Node], Node]:
    return lambda node: with_attrs(node, attrs)


def compared(a: Any, b: Any, **options: Any) -> LayerComparison:
    return graphscope.compare_layers(a, b, outputs="softmax", **{**LOOSE, **options})


STRIDES = AttrValue(list=AttrValue.ListValue(i=[1, 2, 2, 1]))  # type: ignore[attr-defined]
PLANTED = {
    "a weight": ("conv2/weights", moved(1e-3), "conv2/weights:0"),
    "a bias": ("fc2/biases", moved(1.0), "fc2/biases:0"),
    "a stride": ("conv2/conv", stated(strides=STRIDES), "conv2/conv:0"),
    "a padding": ("conv1/conv", stated(padding=AttrValue(s=b"VALID")), "conv1/conv:0"),
    "an op": ("fc1/relu", lambda n: make_node(n.name, "Elu", n.inputs, n.attrs), "fc1/relu:0"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_the_changed_node_is_the_first_that_differs(what: str) -> None:
    name, change, first = PLANTED[what]
    found = compared(in_memory(lenet()), changed(name, change))
    assert found.first is not None
    assert found.first.tensor == first
    assert found.growth[0] == found.first
    assert not found.is_within


def test_models_that_are_equal_differ_nowhere() -> None:
    found = compared(FIXTURES / "lenet5", in_memory(lenet()))
    assert found.differing == found.growth == ()
    assert (found.compared, found.unmatched, found.unreachable) == (31, 0, 0)


def test_where_nothing_can_be_compared_nothing_is_equal() -> None:
    """A variant has no array form."""
    model = in_memory(lenet().with_nodes([make_node("w", "OptionalNone")]))
    with pytest.raises(graphscope.GraphscopeError, match="nothing was compared"):
        graphscope.compare_layers(model, model, outputs="w", map={"w:0": "w:0"})


def test_a_tensor_that_cannot_be_computed_is_named_behind_its_cause() -> None:
    """The smaller picture no longer fits the layer that flattens it."""
    found = compared(in_memory(lenet()), changed("conv1/conv", stated(padding=AttrValue(s=b"VALID"))))
    assert found.differing[-1].tensor == "flatten:0"
    assert "node flatten" in found.differing[-1].failure
    assert found.worst(1)[0].difference is not None
    assert found.compared < 31


def test_differences_are_measured_against_the_size_of_the_tensor() -> None:
    found = compared(in_memory(lenet()), changed("fc2/biases", moved(1.0)))
    biases = lenet()["fc2/biases"].tensor()
    assert biases is not None
    assert found.first is not None
    assert found.first.relative == pytest.approx(1 / np.linalg.norm(biases.numpy()), rel=1e-5)
    assert found.first.difference is not None
    assert found.first.difference.max_absolute == pytest.approx(1)
    assert [layer.size for layer in found.worst(3)] == sorted((x.size for x in found.differing), reverse=True)[:3]


def test_renamed_scopes_are_compared_all_the_same() -> None:
    def rename(text: str) -> str:
        return text if text == "input" else f"net/{text}"

    graph = lenet()
    renamed = []
    for node in graph:
        proto = type(node.proto)()
        proto.CopyFrom(node.proto)
        proto.name = rename(node.name)
        proto.input[:] = map(rename, node.inputs)
        renamed.append(Node(proto, node.payloads))
    other = in_memory(graph.with_nodes(renamed))
    found = graphscope.compare_layers(in_memory(graph), other, outputs="net/softmax", **LOOSE)
    assert (found.compared, found.unmatched, found.differing) == (31, 0, ())


def test_small_groups_find_the_same() -> None:
    other = changed("conv2/weights", moved(1e-2))
    groups: list[int] = []
    run = Comparison(in_memory(lenet()), other, ["softmax"])
    small = layers.compare_layers(run, **LOOSE, max_bytes=200_000, progress=groups.append)
    whole = compared(in_memory(lenet()), other)
    assert len(groups) > 2
    assert sum(groups) == whole.compared
    assert [layer.tensor for layer in small.differing] == [layer.tensor for layer in whole.differing]


def looping() -> None:
    x = t.placeholder(t.float32, [2], "x")
    doubled = t.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, v * 2), (0, x + 1), name="loop")[1]
    t.identity(t.cond(t.reduce_sum(doubled) > 0, lambda: doubled + 1, lambda: doubled - 1), "y")


def test_loops_and_branches_are_left_out_and_what_follows_them_is_compared() -> None:
    graph = built(looping)
    other = in_memory(graph.with_nodes(make_node("y", "Neg", n.inputs, n.attrs) if n.name == "y" else n for n in graph))
    same = graphscope.compare_layers(in_memory(graph), in_memory(graph), outputs="y", **LOOSE)
    found = graphscope.compare_layers(in_memory(graph), other, outputs="y", **LOOSE)
    assert same.is_within
    assert same.unreachable > 5
    assert found.first is not None
    assert found.first.tensor == "y:0"


# The first number that is not finite


def broken() -> None:
    x = t.placeholder(t.float32, [2, 3], "x")
    mask = t.constant([-np.inf, 0.0, 0.0], name="mask")
    masked = t.nn.softmax(x + mask, name="masked")
    logs = t.log(masked - 0.5, name="logs")
    t.identity(logs * 2, "y")


def test_the_node_that_makes_a_nan_is_named_with_what_it_took() -> None:
    found = graphscope.find_nonfinite(in_memory(built(broken)), outputs="y", feeds={"x": np.zeros((2, 3), np.float32)})
    assert (found.node, found.op) == ("logs", "Log")
    assert found.output is not None
    assert (found.output.nans, found.output.infinities) == (2, 4)
    [took] = found.inputs
    assert (took.nans, took.infinities, took.low, took.high) == (0, 0, -0.5, 0.0)


def test_an_infinity_that_the_author_wrote_is_no_finding() -> None:
    found = graphscope.find_nonfinite(in_memory(built(broken)), outputs="masked")
    assert found.is_finite
    assert found.checked > 3


def test_a_stored_nan_is_the_finding() -> None:
    model = changed("fc2/biases", moved(float("nan")))
    found = graphscope.find_nonfinite(model, outputs="softmax")
    assert (found.node, found.op, found.inputs) == ("fc2/biases", "Const", ())
    assert found.op not in VARIABLE_OPS
