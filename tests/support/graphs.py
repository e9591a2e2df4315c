"""Small graphs, made node by node or by TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.table import registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue, GraphDef
from tests.support.running import Array, attr_value, tf

v1 = tf.compat.v1
FLOAT = {"T": type_attr(DataType.FLOAT)}


def graph_of(*nodes: Node) -> Graph:
    return Graph(GraphDef(), nodes)


def const(name: str, value: Any, dtype: Any = np.float32, controls: Sequence[str] = ()) -> Node:
    return constant(name, np.array(value, dtype), controls)


def placeholder(name: str) -> Node:
    return make_node(name, "Placeholder", (), {"dtype": type_attr(DataType.FLOAT)})


def op(name: str, kind: str, *inputs: str, **attrs: Any) -> Node:
    """A node on floats."""
    made = {key: attr_value(registered_ops()[kind], key, value) for key, value in attrs.items()}
    return make_node(name, kind, inputs, {**FLOAT, **made} if kind not in ("NoOp", "Assert") else made)


def value(graph: Graph, name: str) -> Array:
    found = graph[name]
    assert found.op == "Const"
    tensor = found.tensor()
    assert tensor is not None
    return tensor.numpy()


def names(graph: Graph) -> list[str]:
    return [n.name for n in graph]


def printing() -> list[Node]:
    """A node with an effect."""
    return [
        placeholder("x"),
        make_node("print", "Print", ["x", "x"], {**FLOAT, "U": AttrValue()}),
        op("after", "Neg", "print"),
    ]


def looping() -> None:
    x = v1.placeholder(tf.float32, [], name="x")

    def body(i: Any, total: Any) -> tuple[Any, Any]:
        step = tf.constant(2.0) * tf.constant(0.5) + tf.cast(tf.constant(1), tf.float32)
        return i + 1, total + step * x

    _, total = tf.while_loop(lambda i, _: i < tf.constant(2) * 3, body, [tf.constant(1) - 1, x])
    tf.identity(total, name="out")


def branching() -> None:
    x = v1.placeholder(tf.float32, [2], name="x")

    def yes() -> Any:
        return tf.stack([tf.constant(1.0) + 2.0, tf.constant(4.0)])

    tf.cond(tf.reduce_sum(x) > 0, yes, lambda: tf.fill([2], -1.0) * tf.sqrt(tf.constant(4.0)), name="choice")
    tf.identity(tf.cond(x[0] > x[1], lambda: x * (tf.constant(3.0) - 1), yes), name="out")


FLOW = ("Enter", "Exit", "Merge", "Switch", "NextIteration", "LoopCond")
