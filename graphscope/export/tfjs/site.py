"""A node of a graph or a function, with its context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.core.graph import Body, Node
from graphscope.core.ops.table import attribute, input_types, registered_ops
from graphscope.core.tensors import Shape, TensorName, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST = 1 << 16
"""Maximum number of elements of a constant to inspect."""


@dataclass(frozen=True, slots=True)
class Site:
    """A node for TF.js to run.

    Attributes:
        node: the node.
        body: the graph or function that contains it.
        shapes: tensor -> shape, for the graph; unknown in functions.
    """

    node: Node
    body: Body
    shapes: Mapping[str, Shape]

    def shape(self, place: int) -> Shape:
        """The shape of a data input."""
        return self.shapes.get(str(TensorName.parse(self.node.inputs[place])))

    def rank(self, place: int) -> int | None:
        """The rank of a data input."""
        shape = self.shape(place)
        return None if shape is None else len(shape)

    def dtype(self, place: int = 0) -> DataType:
        """The type of a data input."""
        definition = registered_ops().get(self.node.op)
        types = input_types(definition, self.node.attrs) if definition is not None else []
        return types[place] if place < len(types) else DataType.INVALID

    def value(self, name: str) -> AttrValue:
        """An attribute: stated, or TensorFlow's default; empty if neither exists."""
        definition = registered_ops().get(self.node.op)
        found = attribute(definition, name, self.node.attrs) if definition is not None else self.node.attr(name)
        return found if found is not None else AttrValue()

    def ints(self, name: str) -> list[int]:
        """An attribute that lists integers."""
        return list(self.value(name).list.i)

    def text(self, name: str) -> str:
        """An attribute that is a text."""
        return self.value(name).s.decode("utf-8", "replace")

    def constant(self, place: int) -> NDArray[Any] | None:
        """The content of a data input that is a small constant."""
        producer = self.body.get(node_of(self.node.inputs[place]))
        payload = producer.tensor() if producer is not None and producer.op == "Const" else None
        return payload.numpy() if payload is not None and payload.elements <= _MOST else None
