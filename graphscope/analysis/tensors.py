"""What each node gives: tensor names with type and shape, as far as the file says without running shape inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphscope.core.dtypes import REF, DataType
from graphscope.core.graph import Body, Node
from graphscope.core.ops import MAX_OUTPUTS, OpCatalog, OutputType
from graphscope.core.tensors import Shape, TensorName, TensorSpec, shape_of

UNCONSTRAINED_BEFORE = 24
"""Before this producer version a placeholder's empty shape meant an unknown one (``array_ops.cc``, ``Placeholder``)."""

Shapes = Mapping[str, Shape]
"""Tensor name -> shape, as inferred by TensorFlow."""


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
        """The output tensors of ``node`` in order; for an op that nobody knows, those that its consumers take."""
        types = self._catalog.outputs(node.op, node.attrs)
        if types is None:
            types = _unknown_types(node, body)
        name = node.name
        return [TensorSpec(f"{name}:{i}", t.dtype, self._shape(node, i), t.is_ref) for i, t in enumerate(types)]

    def _shape(self, node: Node, index: int) -> Shape:
        if self._inferred:
            key = f"{node.name}:{index}"
            if key in self._inferred:
                return self._inferred[key]
        return stated_shape(node, index, self._producer)


def stated_shape(node: Node, index: int, producer: int) -> Shape:
    """The shape that the file states for output ``index``; ``None`` where it states none."""
    stated = node.attr("_output_shapes")
    if stated is not None and index < len(stated.list.shape):
        return shape_of(stated.list.shape[index])
    rule = _SHAPES.get(node.op)
    return rule(node, producer) if rule is not None and index == 0 else None


def _attribute(node: Node, _: int) -> Shape:
    value = node.attr("shape")
    return shape_of(value.shape) if value is not None else None


def _variable(node: Node, producer: int) -> Shape:
    """The first ``Variable`` op wrote an unknown shape as an empty one (``state_ops.cc``)."""
    return _attribute(node, producer) or None


def _placeholder(node: Node, producer: int) -> Shape:
    value = node.attr("shape")
    if value is None or (producer < UNCONSTRAINED_BEFORE and not value.shape.dim):
        return None
    return shape_of(value.shape)


def _constant(node: Node, _: int) -> Shape:
    tensor = node.tensor()
    return tensor.shape if tensor is not None else None


def _scalar(_: Node, __: int) -> Shape:
    return ()


_SHAPES: Mapping[str, Callable[[Node, int], Shape]] = {
    "Placeholder": _placeholder,
    "PlaceholderV2": _attribute,
    "PlaceholderWithDefault": _attribute,
    "Variable": _variable,
    "VariableV2": _attribute,
    "AutoReloadVariable": _attribute,
    "TemporaryVariable": _attribute,
    "VarHandleOp": _scalar,
    "Const": _constant,
}


def _unknown_types(node: Node, body: Body) -> tuple[OutputType, ...]:
    """As many outputs as the consumers of ``node`` use, at least one; their types by the usual attribute ``T``."""
    used = [-1]
    for consumer in body.consumers(node.name):
        names = map(TensorName.parse, consumer.data_inputs())
        used += [name.index for name in names if name.node == node.name]
    value = node.attr("T") or node.attr("dtype")
    number = value.type if value is not None and value.WhichOneof("value") == "type" else 0
    dtype = DataType.of(number)
    return (OutputType(dtype, number > REF, "output"),) * min(max(1, max(used) + 1), MAX_OUTPUTS)
