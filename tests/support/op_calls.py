"""Nodes that TensorFlow takes, and each as it is with one input a little different: less known, of another rank or size.

A row is an op, its inputs and attributes: ``(2,?)`` a placeholder (``?`` one of unknown rank), ``=[3,4]`` a constant,
``@(2,3)`` the handle of a variable, ``name:value`` an attribute. Types that a row does not state are floats, or whole
numbers where floats are not allowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphscope.core.ops.table import input_types, registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue, GraphDef, NodeDef
from tests.support.op_graphs import OpGraph, import_last, set_shape
from tests.support.saving import tf

LABELS = {dtype.label: int(dtype) for dtype in DataType}


@dataclass(frozen=True)
class Input:
    """One input of a node.

    Attributes:
        shape: of a placeholder or a variable; None where its rank is unknown.
        value: of a constant.
        is_handle: of a variable.
    """

    shape: tuple[int | None, ...] | None = None
    value: Any = None
    is_handle: bool = False

    @classmethod
    def of(cls, text: str) -> Input:
        """What a row states."""
        if text.startswith("="):
            return cls(value=json.loads(text[1:]))
        sizes = [None if size == "?" else int(size) for size in text.strip("@()").split(",") if size]
        return cls(None if text == "?" else tuple(sizes), is_handle=text.startswith("@"))

    def others(self) -> Iterator[Input]:
        """The same, a little different."""
        if self.value is None:
            return (replace(self, shape=shape) for shape in _other_shapes(self.shape or ()))
        shape = np.shape(self.value)
        return (
            Input(shape),
            Input(None),
            *(Input(shape=other) for other in _other_shapes(shape)),
            *(Input(value=other) for other in _other_values(self.value)),
        ).__iter__()


def _other_shapes(shape: Sequence[int | None]) -> Iterator[tuple[int | None, ...] | None]:
    yield None
    yield (*shape, 1)
    if shape:
        yield tuple(shape[:-1])
        yield (None,) * len(shape)
    for place, size in enumerate(shape):
        for other in (None, 1, (size or 0) + 1):
            yield (*shape[:place], other, *shape[place + 1 :])


def _other_values(value: Any) -> Iterator[Any]:
    yield [value]
    if not isinstance(value, list):
        yield from (-2, -1, 0, 1, value + 1)
        return
    if value and isinstance(value[0], list):
        yield from ([*value[:k], other, *value[k + 1 :]] for k, row in enumerate(value) for other in _same_size(row))
        return
    yield value[:-1]
    yield [*value, 1]
    yield from _same_size(value)


def _same_size(row: Sequence[int]) -> Iterator[list[int]]:
    for place, number in enumerate(row):
        for other in (-2, -1, 0, number + 1):
            yield [*row[:place], other, *row[place + 1 :]]


class OpCall:
    """A row, as graphs."""

    def __init__(self, row: str) -> None:
        self.op, *words = row.split()
        self.inputs = [Input.of(word) for word in words if word[0] in "(=@?"]
        self.stated = dict(word.split(":", 1) for word in words if word[0] not in "(=@?")
        self._graph = tf.Graph()
        self._count = 0

    def make(self) -> Iterator[OpGraph]:
        """The node itself first."""
        yield self._case(self.inputs)
        for place, one in enumerate(self.inputs):
            for other in one.others():
                yield self._case([*self.inputs[:place], other, *self.inputs[place + 1 :]])

    def _case(self, inputs: Sequence[Input]) -> OpGraph:
        self._count += 1
        definition, name = registered_ops()[self.op], f"n{self._count}"
        final = NodeDef(name=name, op=self.op, input=[f"{name}_{k}" for k in range(len(inputs))])
        for attr in definition.attr:
            if attr.name in self.stated or not attr.HasField("default_value"):
                final.attr[attr.name].CopyFrom(_attribute(attr, self.stated.get(attr.name)))
        graph = GraphDef()
        graph.versions.producer = tf.version.GRAPH_DEF_VERSION
        types = input_types(definition, final.attr)
        for place, (one, dtype) in enumerate(zip(inputs, types, strict=True)):
            is_ref = place < len(definition.input_arg) and definition.input_arg[place].is_ref
            graph.node.add().CopyFrom(_input(f"{name}_{place}", one, dtype, is_ref=is_ref))
        graph.node.add().CopyFrom(final)
        return import_last(self._graph, graph)


def _input(name: str, one: Input, dtype: DataType, *, is_ref: bool) -> NodeDef:
    node = NodeDef(name=name, op="Placeholder")
    node.attr["dtype"].type = int(dtype)
    if one.value is not None:
        node.op = "Const"
        tensor = tf.make_tensor_proto(np.array(one.value, dtype.numpy))
        node.attr["value"].tensor.ParseFromString(tensor.SerializeToString())
        return node
    if one.is_handle:
        node.op, node.attr["dtype"].type = "VarHandleOp", int(DataType.FLOAT)
    elif is_ref:
        node.op = "VariableV2"
    set_shape(node.attr["shape"], one.shape)
    return node


def _attribute(attr: Any, stated: str | None) -> AttrValue:
    value = AttrValue()
    if attr.type == "type":
        allowed = list(attr.allowed_values.list.type)
        usual = [LABELS[stated]] if stated else [1, 3, 7, *allowed]
        value.type = next(number for number in usual if not allowed or number in allowed)
    elif attr.type == "int":
        value.i = int(stated or attr.minimum)
    elif attr.type == "bool":
        value.b = stated == "true"
    elif attr.type == "string":
        value.s = (stated or "").encode()
    elif attr.type == "float":
        value.f = float(stated or 1)
    elif attr.type == "shape":
        set_shape(value, Input.of(stated or "?").shape)
    elif attr.type == "list(int)":
        value.list.i.extend(json.loads(stated or "[]"))
    elif attr.type == "list(float)":
        value.list.f.extend(json.loads(stated or "[]"))
    elif attr.type == "list(string)":
        value.list.s.extend(text.encode() for text in (stated or "").split(",") if text)
    elif attr.type == "list(type)":
        value.list.type.extend(
            LABELS[label] for label in (stated or "float32" if attr.minimum or stated else "").split(",") if label
        )
    elif attr.type == "list(shape)":
        for text in (stated or "").split(";") if stated else ():
            item = AttrValue()
            set_shape(item, Input.of(text).shape)
            value.list.shape.add().CopyFrom(item.shape)
    return value
