"""Shared parts of the NumPy kernels: the node to compute, the supported types, and the limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphscope.core.graph import Node
from graphscope.core.ops.table import ArgumentType
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import STRING_BYTES, Payload
from graphscope.protos import AttrValue, OpDef

Array = NDArray[Any]

MAX_VALUE_BYTES = 8 << 20
"""A larger tensor is neither read nor made in order to fold something."""

MAX_RANK = 254
"""Dimensions of a tensor. Source: ``TensorShape::MaxDimensions`` in ``tensorflow/core/framework/tensor_shape.h``."""

FLOATS = frozenset({DataType.FLOAT, DataType.DOUBLE})
HALVES = frozenset({DataType.HALF, DataType.BFLOAT16})
SIGNED = frozenset({DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64})
INDICES = frozenset({DataType.INT32, DataType.INT64})
INTEGERS = SIGNED | {DataType.UINT8, DataType.UINT16, DataType.UINT32, DataType.UINT64}
COMPLEX = frozenset({DataType.COMPLEX64, DataType.COMPLEX128})
BOOL = frozenset({DataType.BOOL})
REALS = FLOATS | HALVES | INTEGERS
PLAIN = REALS | COMPLEX | BOOL
ANY = frozenset(t for t in DataType if t.itemsize is not None or t is DataType.STRING)


class DeclinedError(Exception):
    """The node stays as it is: TensorFlow would refuse it, its result is not defined, or not by the op alone, or too large."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """How the nodes of one op are computed.

    Attributes:
        run: computes the outputs; raises :class:`DeclinedError`, or NumPy's own ValueError, IndexError or OverflowError.
        types: the types of inputs for which ``run`` gives what TensorFlow gives.
        flushes: whether TensorFlow's arithmetic, and so this kernel, takes subnormal numbers for zeros.
    """

    run: Callable[[Call], Sequence[Array | Payload]]
    types: frozenset[DataType]
    flushes: bool = False


class Call:
    """A node whose inputs are known.

    Attributes:
        node: the node.
        payloads: its data inputs, in order.
        outputs: the types of its outputs.
        limit: bytes that an input or output may take.
    """

    def __init__(
        self, node: Node, definition: OpDef, payloads: Sequence[Payload], outputs: Sequence[ArgumentType],
        limit: int = MAX_VALUE_BYTES, *, flushes: bool = False,
    ) -> None:  # fmt: skip
        self.node = node
        self.definition = definition
        self.payloads = payloads
        self.outputs = outputs
        self.limit = limit
        self.flushes = flushes

    @cached_property
    def arrays(self) -> list[Array]:
        """The inputs' values. Reads them.

        Raises:
            DeclinedError: together they are too large.
            CorruptFileError, IncompleteModelError: as :meth:`Payload.numpy`.
        """
        if sum(p.content_bytes for p in self.payloads) > self.limit:
            raise DeclinedError("large inputs")
        arrays = [payload.numpy() for payload in self.payloads]
        return [flush_subnormals(array) for array in arrays] if self.flushes else arrays

    def check_room(self, shape: Sequence[int]) -> None:
        """Declines a result of ``shape`` (elements of the first output's type) that takes more than the limit."""
        if len(shape) > MAX_RANK or math.prod(shape) * self._item_bytes > self.limit:
            raise DeclinedError("the result is too large")

    @property
    def _item_bytes(self) -> int:
        """What one element of the first output takes; of strings, the longest of the inputs."""
        itemsize = self.outputs[0].dtype.itemsize
        if itemsize is not None:
            return itemsize
        strings = (a for a, p in zip(self.arrays, self.payloads) if p.dtype is DataType.STRING)
        return STRING_BYTES + max((len(s) for array in strings for s in array.reshape(-1)), default=0)

    def attr(self, name: str) -> AttrValue:
        """An attribute, or its default.

        Raises:
            DeclinedError: the node does not state it and it has no default.
        """
        found = self.node.attr(name)
        if found is not None:
            return found
        for attr in self.definition.attr:
            if attr.name == name and attr.HasField("default_value"):
                return attr.default_value
        raise DeclinedError(f"{self.node.op} without {name}")

    def integer(self, name: str) -> int:
        """An integer attribute, or its default."""
        return self.attr(name).i

    def flag(self, name: str) -> bool:
        """A boolean attribute, or its default."""
        return self.attr(name).b

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy type of the first output."""
        return self.outputs[0].dtype.numpy


def scalar(array: Array) -> int:
    """The one integer in ``array``, of shape () or (1,).

    Raises:
        DeclinedError: there are several, or none.
    """
    return int(number(array))


def number(array: Array) -> Any:
    """The one element in ``array``, a NumPy scalar; raises as :func:`scalar`."""
    if array.size != 1:
        raise DeclinedError(f"{array.size} values where one belongs")
    return array.reshape(-1)[0]


def integers(array: Array) -> list[int]:
    """The elements of a vector that has one for each dimension at most: axes, sizes, multiples.

    Raises:
        DeclinedError: there are more than a tensor has dimensions.
    """
    if array.size > MAX_RANK:
        raise DeclinedError(f"{array.size} numbers for the dimensions of a tensor")
    return [int(i) for i in array.reshape(-1)]


def flush_subnormals(array: Array) -> Array:
    """``array`` with subnormal numbers as zeros of their sign: TensorFlow's threads compute so (``ScopedFlushDenormal``)."""
    if array.dtype not in (np.float32, np.float64):
        return array
    subnormal = (np.abs(array) < np.finfo(array.dtype).tiny) & (array != 0)
    return np.where(subnormal, np.copysign(array.dtype.type(0), array), array) if subnormal.any() else array
