"""The argument of a shape rule: a node with input facts, and attributes with their defaults."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from graphscope.analysis.shapes.facts import Element, Fact, Facts, Value
from graphscope.analysis.shapes.sizes import MAX_RANK, Dim, Dims, ShapeError, Size, Sizes, private, with_rank
from graphscope.core.graph import Node
from graphscope.core.ops.table import registered_ops
from graphscope.core.tensors import shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue, TensorShapeProto


class Setting(Protocol):
    """The context of a node during inference."""

    @property
    def producer(self) -> int:
        """The graph's producer version."""

    def run(self, function: str, arguments: Sequence[Fact]) -> Facts | None:
        """The results of a library function for ``arguments``; ``None`` if they cannot be inferred."""


class Call:
    """A node with the known facts about its inputs.

    Attributes:
        node: the node.
        inputs: the known facts about its data inputs, in order.
        setting: see :class:`Setting`.
    """

    __slots__ = ("inputs", "node", "setting")

    def __init__(self, node: Node, inputs: Sequence[Fact], setting: Setting) -> None:
        self.node = node
        self.inputs = inputs
        self.setting = setting

    def input(self, index: int) -> Fact:
        """The facts about input ``index``; negative numbers count from the end.

        Raises:
            ShapeError: the node has no such input.
        """
        try:
            return self.inputs[index]
        except IndexError:
            wanted = index + 1 if index >= 0 else -index
            raise ShapeError(f"{self.node.op} takes {wanted} inputs or more but has {len(self.inputs)}") from None

    def shape(self, index: int) -> Dims:
        """The shape of input ``index``; raises as :meth:`input`."""
        return self.input(index).shape

    def ranked(self, index: int, rank: int) -> Sizes:
        """The shape of input ``index``, which must have ``rank`` dimensions.

        Raises:
            ShapeError: it has not, or there is no such input.
        """
        return with_rank(self.shape(index), rank)

    def check_scalars(self, indices: Iterable[int]) -> None:
        """Refuses inputs ``indices`` that have dimensions; raises as :meth:`ranked`."""
        for index in indices:
            self.ranked(index, 0)

    def value(self, index: int) -> Value | None:
        """The elements of input ``index``; raises as :meth:`input`."""
        return self.input(index).value

    def element(self, index: int) -> Element:
        """The one element of input ``index``; ``None`` if it is unknown or there are more; raises as :meth:`input`."""
        value = self.value(index)
        return value[0] if value is not None and len(value) == 1 else None

    def integer(self, index: int) -> int | None:
        """The number in input ``index``; ``None`` if it is unknown; raises as :meth:`input`."""
        element = self.element(index)
        return element if isinstance(element, int) else None

    def integers(self, index: int) -> list[int] | None:
        """The numbers in input ``index``; ``None`` if one is unknown; raises as :meth:`input`."""
        value = self.value(index)
        if value is None:
            return None
        numbers = [element for element in value if isinstance(element, int)]
        return numbers if len(numbers) == len(value) else None

    def sizes(self, index: int) -> Dims:
        """Input ``index`` read as a shape: -1 is an unknown size. ``None`` if not even its length is known.

        Raises:
            ShapeError: it is not a vector, or there is no such input.
        """
        fact = self.input(index)
        if fact.value is None:
            length = with_rank(fact.shape, 1)[0]
            return tuple(Dim() for _ in range(length)) if isinstance(length, int) and length < MAX_RANK else None
        with_rank(fact.shape, 1)
        return tuple(map(_size, fact.value))

    def size(self, index: int) -> Size:
        """Input ``index`` read as a size; raises as :meth:`input`."""
        element = self.element(index)
        if isinstance(element, int) and element < 0:
            raise ShapeError(f"a size cannot be negative but is {element}")
        return element if isinstance(element, (int, Dim)) else Dim()

    def attr(self, name: str) -> AttrValue | None:
        """An attribute, or its default; ``None`` if there is neither."""
        value = self.node.proto.attr.get(name)
        return value if value is not None else _default(self.node.op, name)

    def flag(self, name: str) -> bool:
        """A boolean attribute; False where it is absent."""
        value = self.attr(name)
        return value is not None and value.b

    def number(self, name: str) -> int:
        """An integer attribute; 0 if it is absent."""
        value = self.attr(name)
        return value.i if value is not None else 0

    def numbers(self, name: str) -> list[int]:
        """A list of integers; empty where it is absent."""
        value = self.attr(name)
        return list(value.list.i) if value is not None else []

    def text(self, name: str) -> str:
        """A text attribute; empty where it is absent."""
        value = self.attr(name)
        return value.s.decode("latin-1") if value is not None else ""

    def type(self, name: str) -> DataType:
        """A type attribute; ``INVALID`` where it is absent."""
        value = self.attr(name)
        return DataType.of(value.type) if value is not None else DataType.INVALID

    def types(self, name: str) -> list[DataType]:
        """A list of types; empty where it is absent."""
        value = self.attr(name)
        return [DataType.of(number) for number in value.list.type] if value is not None else []

    def shape_attr(self, name: str) -> Dims:
        """A shape attribute; ``None`` if it is absent or of unknown rank."""
        value = self.attr(name)
        if value is None or value.WhichOneof("value") != "shape":
            return None
        return _stated_dims(value.shape)

    def shape_attrs(self, name: str) -> list[Dims]:
        """A list of shapes; empty where it is absent."""
        value = self.attr(name)
        return [_stated_dims(shape) for shape in value.list.shape] if value is not None else []

    def function(self, name: str) -> str:
        """The name of the library function in an attribute; empty where it is absent."""
        value = self.attr(name)
        return value.func.name if value is not None else ""


Rule = Callable[[Call], Facts]
"""Gives the outputs of a node; what it leaves out at the end is unknown.

Raises:
    ShapeError: the node does not fit its op.
"""


def _stated_dims(proto: TensorShapeProto) -> Dims:
    if len(proto.dim) > MAX_RANK:
        raise ShapeError(f"a shape of {len(proto.dim):,} dimensions")
    return private(shape_of(proto))


@functools.cache
def _default(op: str, name: str) -> AttrValue | None:
    definition = registered_ops().get(op)
    for attr in definition.attr if definition is not None else ():
        if attr.name == name:
            return attr.default_value if attr.HasField("default_value") else None
    return None


def _size(element: Element) -> Size:
    if isinstance(element, int):
        if element < -1:
            raise ShapeError(f"a size must be -1 or more but is {element}")
        return Dim() if element == -1 else element
    return element if isinstance(element, Dim) else Dim()
