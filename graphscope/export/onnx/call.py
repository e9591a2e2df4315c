"""One node of the graph during conversion: the argument of a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphscope.core.graph import Node
from graphscope.core.ops.table import attribute, registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.export.onnx.builder import Attribute, Builder, Operand, vector
from graphscope.export.onnx.element_types import element_type, is_expressible
from graphscope.export.onnx.value import Value
from graphscope.export.refusal import NotExpressibleError
from graphscope.protos import AttrValue

if TYPE_CHECKING:
    from graphscope.export.onnx.region import Region


class Call:
    """A node, its ONNX inputs, and the graph to which it is added.

    Attributes:
        node: the TensorFlow node.
        inputs: its data inputs.
        types: the element types of its outputs.
        builder: receives new nodes.
        region: the part of the graph that the node is in.
    """

    def __init__(
        self, node: Node, inputs: Sequence[Value], types: Sequence[DataType], builder: Builder, region: Region
    ) -> None:
        self.node = node
        self.inputs = inputs
        self.types = types
        self.builder = builder
        self.region = region

    def __getitem__(self, index: int) -> Value:
        if not -len(self.inputs) <= index < len(self.inputs):
            raise NotExpressibleError(f"has {len(self.inputs)} inputs, too few")
        return self.inputs[index]

    # Building.

    def op(self, op: str, *operands: Operand, **attrs: Attribute) -> Value:
        """See :meth:`Builder.op`."""
        return self.builder.op(op, *operands, **attrs)

    def cast(self, value: Value, dtype: DataType) -> Value:
        """``value`` in another type.

        Raises:
            NotExpressibleError: ONNX has no such type.
        """
        if not is_expressible(dtype):
            raise NotExpressibleError(f"ONNX has no type {dtype.label}")
        return self.builder.cast(value, dtype)

    def scalar(self, number: float, like: Value) -> Value:
        """``number`` as a constant of the type of ``like``."""
        return self.builder.constant(np.array(number, like.dtype.numpy))

    def vector(self, value: Value) -> Value:
        """A scalar or a vector as the int64 vector that ONNX requires for axes, sizes and positions."""
        long = self.cast(value, DataType.INT64)
        if long.rank == 1:
            return long
        return self.op("Reshape", long, vector([-1]))

    def transpose(self, value: Value, perm: Sequence[int]) -> Value:
        """``value`` transposed by ``perm``; adds nothing for the identity."""
        return value if list(perm) == sorted(perm) else self.op("Transpose", value, perm=list(perm))

    def unsqueeze(self, value: Value, *axes: int) -> Value:
        """``value`` with further axes of size 1."""
        return self.op("Unsqueeze", value, vector(axes))

    def squeeze(self, value: Value, *axes: int) -> Value:
        """``value`` without these axes of size 1."""
        return self.op("Squeeze", value, vector(axes)) if axes else value

    def where(self, condition: Value, yes: Operand, no: Operand) -> Value:
        """Elements of ``yes`` or ``no``."""
        return self.op("Where", condition, yes, no)

    def reduced(self, op: str, value: Value, axes: Value | Sequence[int], keep: bool = False) -> Value:
        """A reduction over ``axes``, possibly none."""
        moved_at = 13 if op == "ReduceSum" else 18
        if self.builder.opset >= moved_at:
            given: Operand = axes if isinstance(axes, Value) else vector(axes)
            return self.op(op, value, given, keepdims=int(keep), noop_with_empty_axes=1)
        known = self.known(axes, "axes") if isinstance(axes, Value) else axes
        return self.op(op, value, axes=[int(a) for a in known], keepdims=int(keep)) if len(known) else value

    def transform(
        self, value: Value, transform: Callable[[NDArray[Any]], NDArray[Any]], shape: Sequence[int]
    ) -> Value | None:
        """A constant whose elements are rearranged when it is written, not before. ``None`` for other tensors.

        Args:
            transform: applied to the content during writing.
            shape: what it gives.
        """
        if value.payload is None:
            return None
        return self.builder.constant(TransformedPayload(value.payload, tuple(shape), transform))

    # Asking.

    def known(self, value: Value, what: str) -> NDArray[Any]:
        """The content of a constant.

        Raises:
            NotExpressibleError: it is computed in the graph.
        """
        array = value.numpy()
        if array is None:
            raise NotExpressibleError(f"its {what} must be constant, but are computed in the graph")
        return array

    def numbers(self, value: Value, what: str) -> list[int]:
        """The integers of a constant scalar or vector, or of one whose elements are all known; raises like :meth:`known`."""
        found = [n for n in value.items or () if n is not None]
        if value.payload is None and value.items is not None and len(found) == len(value.items):
            return found
        return [int(n) for n in self.known(value, what).reshape(-1)]

    def rank(self, value: Value) -> int:
        """The number of dimensions.

        Raises:
            NotExpressibleError: it is not known.
        """
        if value.rank is None:
            raise NotExpressibleError("the rank of its input is unknown")
        return value.rank

    def axis(self, value: Value, rank: int) -> int:
        """A constant axis, counted from the front."""
        [number] = self.numbers(value, "axis")
        return number % rank if rank else 0

    def attr(self, name: str) -> AttrValue:
        """An attribute of the node, or the op's default; empty if neither exists."""
        stated = self.node.attr(name)
        if stated is not None:
            return stated
        definition = registered_ops().get(self.node.op)
        default = attribute(definition, name, {}) if definition is not None else None
        return default if default is not None else AttrValue()

    def text(self, name: str) -> str:
        """A string attribute."""
        return self.attr(name).s.decode(errors="replace")

    def integers(self, name: str) -> list[int]:
        """An attribute that lists integers."""
        return list(self.attr(name).list.i)

    def dtype(self, name: str) -> DataType:
        """An attribute that holds a type."""
        return DataType.of(self.attr(name).type)

    def element(self, name: str) -> int:
        """An attribute that holds a type, as ONNX's number."""
        dtype = self.dtype(name)
        if not is_expressible(dtype):
            raise NotExpressibleError(f"ONNX has no type {dtype.label}")
        return element_type(dtype)


class TransformedPayload(Payload):
    """A constant whose elements are rearranged on reading, such as a transposed weight. Any read loads all of it."""

    __slots__ = ("stored", "transform")

    def __init__(
        self, stored: Payload, shape: tuple[int, ...], transform: Callable[[NDArray[Any]], NDArray[Any]]
    ) -> None:
        super().__init__(stored.dtype, shape)
        self.stored = stored
        self.transform = transform

    def chunks(self) -> Any:
        """See :meth:`Payload.chunks`."""
        from graphscope.core.values.payload import ArrayPayload

        return ArrayPayload(self.numpy(), self.dtype).chunks()

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`."""
        return np.ascontiguousarray(self.transform(self.stored.numpy())).reshape(self.shape)
