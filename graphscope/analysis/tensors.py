"""The outputs of each node: tensor names with the types and shapes that the file states, without shape inference."""

from __future__ import annotations

from collections.abc import Mapping

from graphscope.core.graph import Body, Node
from graphscope.core.ops.table import MAX_OUTPUTS, ArgumentType, OpCatalog
from graphscope.core.stated_shapes import stated_shape
from graphscope.core.tensors import Shape, TensorName, TensorSpec
from graphscope.core.values.dtypes import REF, DataType

Shapes = Mapping[str, Shape]
"""Tensor name -> shape, as inferred."""


class TensorLister:
    """Gives the output tensors of nodes of one model.

    Args:
        catalog: the ops that its graph may use.
        producer: the graph's producer version.
        inferred: shapes that take precedence over what the file states.
    """

    def __init__(self, catalog: OpCatalog, producer: int, inferred: Shapes | None = None) -> None:
        self._catalog = catalog
        self._producer = producer
        self._inferred = inferred or {}

    def outputs(self, node: Node, body: Body) -> list[TensorSpec]:
        """The output tensors of ``node`` in order; for an unknown op, those that its consumers use."""
        types = self._catalog.outputs(node.op, node.attrs)
        if types is None:
            types = _unknown_types(node, body)
        name = node.name
        return [TensorSpec(f"{name}:{i}", t.dtype, self._shape(node, i, body), t.is_ref) for i, t in enumerate(types)]

    def _shape(self, node: Node, index: int, body: Body) -> Shape:
        stated = stated_shape(node, index, self._producer, body)
        inferred = self._inferred.get(f"{node.name}:{index}") if self._inferred else None
        return stated if inferred is None else _refine(inferred, stated)


def _refine(inferred: Shape, stated: Shape) -> Shape:
    """``inferred``, with sizes that are only stated: in attributes that Python wrote when it built the graph."""
    if inferred is None or stated is None or len(inferred) != len(stated) or None not in inferred:
        return inferred
    return tuple(b if a is None else a for a, b in zip(inferred, stated))


def _unknown_types(node: Node, body: Body) -> tuple[ArgumentType, ...]:
    """As many outputs as the consumers of ``node`` use, at least one; their types by the usual attribute ``T``."""
    used = [-1]
    for consumer in body.consumers(node.name):
        names = map(TensorName.parse, consumer.data_inputs())
        used += [name.index for name in names if name.node == node.name]
    value = node.attr("T") or node.attr("dtype")
    number = value.type if value is not None and value.WhichOneof("value") == "type" else 0
    dtype = DataType.of(number)
    return (ArgumentType(dtype, number > REF, "output"),) * min(max(1, max(used) + 1), MAX_OUTPUTS)
