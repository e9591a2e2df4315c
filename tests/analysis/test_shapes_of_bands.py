"""Ops that random nodes seldom hit: bands of diagonals, fused convolutions, quantized concatenation, and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from graphscope.analysis.shapes import Shapes, infer
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.table import registered_ops
from graphscope.protos import GraphDef
from tests.support.running import attr_value, tf

v1 = tf.compat.v1
raw = tf.raw_ops


def fed(*shape: int | None, dtype: Any = tf.float32) -> Any:
    return v1.placeholder(dtype, shape)


def found(graph: Any) -> Shapes:
    message = GraphDef.FromString(graph.as_graph_def().SerializeToString())
    return infer(Graph(message, [Node(node) for node in message.node]))


def bands(graph: Any) -> None:
    for k in (0, 2, -1, [0, 1], [-2, 1], [-1, -1]):
        for size in ((5,), (3, 5), (None, 2, 4), (4, 4, 3)):
            sizes = [(-1, -1), (9, -1), (-1, 8), (6, 6), (4, 9)]
            for matrix, (rows, columns) in itertools.product(("MatrixDiagV2", "MatrixDiagV3"), sizes):
                give(getattr(raw, matrix), diagonal=fed(*size), k=k, num_rows=rows, num_cols=columns, padding_value=0.0)
        for shape in ((4, 6), (None, 5, 3), (2, 2, 2), (None, None)):
            for part in (raw.MatrixDiagPartV2, raw.MatrixDiagPartV3):
                give(part, input=fed(*shape), k=k, padding_value=0.0)


def give(op: Any, **arguments: Any) -> None:
    try:
        op(**arguments)
    except ValueError:
        return


def fused(graph: Any) -> None:
    paddings = [[0, 0], [1, 2], [3, 3], [0, 0]]
    for padding, stride, height in itertools.product(("SAME", "VALID"), (1, 2), (7, None)):
        common = {"mode": "REFLECT", "padding": padding, "strides": [1, stride, stride, 1]}
        x, kernel = fed(None, height, 9, 3), fed(3, 2, 3, 5)
        raw.FusedPadConv2D(input=x, paddings=paddings, filter=kernel, **common)
        for size in ([6, 8], fed(2, dtype=tf.int32)):
            raw.FusedResizeAndPadConv2D(input=x, size=size, paddings=paddings, filter=kernel, **common)
        raw.FusedPadConv2D(input=x, paddings=fed(4, 2, dtype=tf.int32), filter=kernel, **common)


def joined(graph: Any) -> None:
    ranges = {"input_mins": [0.0, 0.0], "input_maxes": [1.0, 1.0]}
    parts = [v1.placeholder(tf.quint8, [2, None, 3]), v1.placeholder(tf.quint8, [None, 4, 5])]
    for axis in (2, -1, fed(dtype=tf.int32)):
        raw.QuantizedConcat(concat_dim=axis, values=parts, **ranges)


@pytest.mark.parametrize("rows", [4, None, 3])
def test_paddings_of_a_fused_convolution_are_as_many_as_tensorflow_wants(rows: int | None) -> None:
    with tf.Graph().as_default() as graph:
        x, kernel = fed(None, 7, 9, 3), fed(3, 2, 3, 5)
        common = {"mode": "REFLECT", "padding": "SAME", "strides": [1, 1, 1, 1], "name": "y"}
        node = raw.FusedPadConv2D(input=x, paddings=fed(4, 2, dtype=tf.int32), filter=kernel, **common).op
        other = graph.as_graph_def()
        [paddings] = [n for n in other.node if n.name == node.inputs[1].op.name]
        paddings.attr["shape"].shape.dim[0].size = -1 if rows is None else rows
    message = GraphDef.FromString(other.SerializeToString())
    errors = infer(Graph(message, map(Node, message.node))).errors
    try:
        with tf.Graph().as_default():
            tf.import_graph_def(other)
    except ValueError:
        assert set(errors) == {"y"}
    else:
        assert errors == {}


@pytest.mark.parametrize("build", [bands, fused, joined])
def test_the_shapes_are_those_of_tensorflow(build: Any) -> None:
    with tf.Graph().as_default() as graph:
        build(graph)
    ours = found(graph)
    assert ours.errors == {}
    compared = 0
    for operation in graph.get_operations():
        if operation.type.startswith(("MatrixDiag", "Fused", "QuantizedConcat")):
            for output in operation.outputs:
                theirs = None if output.shape.rank is None else tuple(output.shape.as_list())
                mine = ours.shape(output.name)
                assert theirs is None or mine == theirs, operation.node_def
                compared += theirs is not None
    assert compared >= 6


REFUSED: Mapping[str, tuple[str, Sequence[Any], Mapping[str, Any]]] = {
    "no elements and -1": ("Reshape", [(2, 3), [0, -1]], {"T": 1, "Tshape": 3}),
    "one unknown size that cannot be": ("Reshape", [(3, None), [2]], {"T": 1, "Tshape": 3}),
    "groups": ("Conv2D", [(2, 8, 8, 6), (3, 3, 2, 4)], {"T": 1, "strides": [1, 1, 1, 1], "padding": b"SAME"}),
    "pictures in blocks": (
        "Conv2D",
        [(2, 8, 8, 4), (3, 3, 4, 4)],
        {"T": 1, "strides": [1, 1, 1, 1], "padding": b"SAME", "data_format": b"NCHW_VECT_C"},
    ),
    "pooled blocks": (
        "MaxPool",
        [(2, 8, 8, 4)],
        {"T": 1, "strides": [1, 1, 1, 1], "ksize": [1, 1, 2, 2], "padding": b"SAME", "data_format": b"NCHW_VECT_C"},
    ),
    "a window that is too large by less than a stride": (
        "AvgPool",
        [(2, 2, 1, 1)],
        {"T": 1, "strides": [1, 1, 2, 1], "ksize": [1, 1, 2, 1], "padding": b"VALID"},
    ),
    "paddings that are not asked for": (
        "Conv2D",
        [(2, 8, 8, 4), (3, 3, 4, 4)],
        {"T": 1, "strides": [1, 1, 1, 1], "padding": b"SAME", "explicit_paddings": [0, 0, 1, 1, 1, 1, 0, 0]},
    ),
    "diagonals in the wrong order": ("MatrixDiagPartV3", [(4, 4), [1, 0], 0.0], {"T": 1}),
    "a diagonal outside": ("MatrixDiagPartV2", [(4, 4), [5], 0.0], {"T": 1}),
    "as many rows as diagonals": ("MatrixDiagV3", [(2, 4), [0, 2], -1, -1, 0.0], {"T": 1}),
    "a matrix that is too small": ("MatrixDiagV2", [(4,), [1], 3, -1, 0.0], {"T": 1}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_tensorflow_refuses_is_refused(name: str) -> None:
    op, inputs, attrs = REFUSED[name]
    with tf.Graph().as_default() as graph:
        names = [(fed(*value) if isinstance(value, tuple) else tf.constant(value)).op.name for value in inputs]
    message = GraphDef.FromString(graph.as_graph_def().SerializeToString())
    node = message.node.add(name="n", op=op, input=names)
    for key, value in attrs.items():
        node.attr[key].CopyFrom(attr_value(registered_ops()[op], key, value))
    with tf.Graph().as_default(), pytest.raises(ValueError, match="n"):
        tf.import_graph_def(v1.GraphDef.FromString(message.SerializeToString()), name="")
    assert "n" in infer(Graph(message, [Node(node) for node in message.node])).errors
