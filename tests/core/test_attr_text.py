"""Attributes as a person writes them become what TensorFlow's own messages hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphscope.core.attr_text import attr_value, dtype_named
from graphscope.core.ops.table import registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.protos import AttrValue, OpDef
from tests.support.saving import tf


def attribute_of_tensorflow(op: Any, name: str) -> AttrValue:
    return AttrValue.FromString(op.node_def.attr[name].SerializeToString())


def written(op: str, name: str, value: Any) -> AttrValue:
    return attr_value(registered_ops()[op], name, value)


def test_values_are_those_of_tensorflow() -> None:
    with tf.Graph().as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], "x")
        scalar = tf.compat.v1.placeholder(tf.float32, [], "scalar")
        image = tf.zeros([1, 4, 4, 2])
        conv = tf.nn.conv2d(image, tf.zeros([2, 2, 2, 3]), [1, 2, 2, 1], "SAME")
        leaky = tf.raw_ops.LeakyRelu(features=x, alpha=0.25)
        squeezed = tf.raw_ops.Squeeze(input=tf.zeros([2, 1]), axis=[])
        product = tf.raw_ops.MatMul(a=x, b=x, transpose_b=True)
        split = tf.raw_ops.Split(axis=0, value=tf.zeros([6]), num_split=3)[0]
        cast = tf.cast(x, tf.bfloat16)
        iterator = tf.raw_ops.IteratorV2(
            shared_name="", container="", output_types=[tf.float32, tf.string], output_shapes=[[], []]
        )
    cases = [
        *((x.op, "shape", value) for value in ("(?, 4)", "?,4", "[-1, 4]", "None,4", [None, 4], (-1, 4))),
        *((scalar.op, "shape", value) for value in ("()", "", [], ())),
        *((conv.op, "strides", value) for value in ("[1, 2, 2, 1]", [1, 2, 2, 1], (1, 2, 2, 1), ["1", "2", "2", "1"])),
        *((conv.op, "padding", value) for value in ("SAME", b"SAME")),
        *((leaky.op, "alpha", value) for value in ("0.25", 0.25)),
        *((squeezed.op, "squeeze_dims", value) for value in ("[]", [])),
        *((product.op, "transpose_b", value) for value in ("true", "True", "1", True, 1)),
        *((product.op, "transpose_a", value) for value in ("false", "0", False)),
        *((split.op, "num_split", value) for value in ("3", 3, 3.0, np.int64(3))),
        *((cast.op, "DstT", value) for value in ("bfloat16", "DT_BFLOAT16", DataType.BFLOAT16)),
        *((iterator.op, "output_types", value) for value in ('["float32", "string"]', ["DT_FLOAT", DataType.STRING])),
    ]
    for op, name, value in cases:
        found = written(op.type, name, value)
        assert found == attribute_of_tensorflow(op, name), (name, value)
        assert found.WhichOneof("value") == attribute_of_tensorflow(op, name).WhichOneof("value"), (name, value)


def test_a_message_stays_as_it_is() -> None:
    message = AttrValue(i=7)
    assert written("MatMul", "T", message) is message


@pytest.mark.parametrize(
    ("op", "name", "value", "kind"),
    [
        ("Split", "num_split", "three", "int"),
        ("Split", "num_split", 2.5, "int"),
        ("LeakyRelu", "alpha", "x", "float"),
        ("MatMul", "transpose_a", "maybe", "bool"),
        ("Conv2D", "strides", "1", r"list\(int\)"),
        ("Conv2D", "strides", "[1, [2]]", r"list\(int\)"),
        ("Conv2D", "strides", "[1,", r"list\(int\)"),
        ("Conv2D", "strides", 3, r"list\(int\)"),
        ("Placeholder", "shape", "(a)", "shape"),
        ("Placeholder", "shape", 3, "shape"),
        ("IteratorV2", "output_shapes", "[[1]]", r"list\(shape\)"),
        ("If", "then_branch", "f", "func"),
    ],
)
def test_values_of_another_kind(op: str, name: str, value: Any, kind: str) -> None:
    with pytest.raises(GraphscopeError, match=f"{op}: .* is no {kind} for the attribute {name}"):
        written(op, name, value)


def test_names_that_nobody_knows() -> None:
    with pytest.raises(UnknownNameError, match="attribute of MatMul"):
        attr_value(OpDef(name="MatMul"), "alpha", 1)
    with pytest.raises(UnknownNameError, match="float33"):
        dtype_named("float33")
    assert [dtype_named(dtype.label) for dtype in DataType] == list(DataType)
