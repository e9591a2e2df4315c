"""The flow of data through loops, whatever the order of the nodes in the file."""

from __future__ import annotations

from typing import Any

import pytest

from graphscope.analysis.ends.flow import Flow
from graphscope.analysis.ends.losses import trace
from graphscope.core.graph import Graph
from graphscope.core.ops.sets import NEXT_ITERATIONS
from tests.support.running import built, tf

v1 = tf.compat.v1


def recurrent() -> None:
    """A state goes round through a weight; one loop lies within another."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    labels = v1.placeholder(tf.float32, [None, 4], name="labels")
    w = v1.get_variable("w", [4, 4], use_resource=False)

    def inner(state: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 2, lambda i, s: (i + 1, tf.matmul(s, w)), [0, state], name="inner")[1]

    _, state = tf.while_loop(lambda i, _: i < 3, lambda i, s: (i + 1, inner(s)), [0, x], name="outer")
    out = tf.identity(state, name="out")
    tf.reduce_mean(tf.square(out - labels), name="loss")


def forgetful() -> None:
    """The next state is a constant, which waits for the iteration by a control edge alone."""
    x = v1.placeholder(tf.float32, [4], name="x")
    tf.while_loop(lambda i, _: i < 2, lambda i, _: (i + 1, tf.constant(1.0, shape=[4])), [0, tf.abs(tf.sqrt(x))])


def number(flow: Flow, name: str) -> int:
    return next(i for i, found in enumerate(flow.nodes) if found.name == name)


@pytest.mark.parametrize("backwards", [False, True])
def test_what_goes_round_a_loop_is_followed(backwards: bool) -> None:
    graph = built(recurrent)
    if backwards:
        graph = Graph(graph.header, reversed(graph.nodes))
    flow = trace(graph)
    out, loss = number(flow, "out"), number(flow, "loss")
    assert flow.forward()[out]
    assert out not in flow.meeting_labels()
    assert loss in flow.meeting_labels()
    assert not flow.forward()[loss]
    assert flow.features
    assert flow.sources[number(flow, "x")] & flow.features == flow.features
    assert not flow.sources[number(flow, "labels")] & flow.features
    assert flow.depth[out] >= 1


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("build", [recurrent, forgetful])
def test_only_the_edge_that_closes_a_loop_is_left_out_of_the_order(build: Any, backwards: bool) -> None:
    graph = built(build)
    if backwards:
        graph = Graph(graph.header, reversed(graph.nodes))
    flow = trace(graph)
    assert sorted(flow.order) == list(range(len(graph)))
    place = {i: k for k, i in enumerate(flow.order)}
    for i, producers in enumerate(flow.inputs):
        for producer in producers:
            if flow.ops[producer] not in NEXT_ITERATIONS:
                assert place[producer] < place[i], (flow.nodes[producer].name, flow.nodes[i].name)
