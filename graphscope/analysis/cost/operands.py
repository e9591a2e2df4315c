"""The argument of an op's formula: the shapes of a node's inputs and outputs, and its attributes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Facts
from graphscope.analysis.shapes.sizes import Dims, ShapeError, all_known


class UnsizedError(Exception):
    """A formula needs an unknown size."""


class Operands:
    """One node whose shapes are inferred.

    Attributes:
        call: the node, its inputs and attributes.
    """

    __slots__ = ("_outputs", "call")

    def __init__(self, call: Call, outputs: Facts) -> None:
        self.call = call
        self._outputs = outputs

    @property
    def inputs(self) -> int:
        """How many data inputs there are."""
        return len(self.call.inputs)

    def input(self, index: int) -> tuple[int, ...]:
        """The shape of input ``index``; negative numbers count from the end.

        Raises:
            UnsizedError: it is not known, or there is no such input.
        """
        try:
            return _require_known(self.call.shape(index))
        except ShapeError as error:
            raise UnsizedError from error

    def output(self, index: int = 0) -> tuple[int, ...]:
        """The shape of output ``index``; raises as :meth:`input`."""
        if index >= len(self._outputs):
            raise UnsizedError
        return _require_known(self._outputs[index].shape)

    def taken(self, index: int = 0) -> int:
        """The elements of input ``index``; raises as :meth:`input`."""
        return math.prod(self.input(index))

    def given(self, index: int = 0) -> int:
        """The elements of output ``index``; raises as :meth:`input`."""
        return math.prod(self.output(index))

    def numbers(self, attribute: str, index: int) -> list[int]:
        """A list of integers: an attribute, or input ``index`` where the op has it there.

        Raises:
            UnsizedError: neither is known.
        """
        stated = self.call.numbers(attribute)
        if stated:
            return stated
        values = self.call.integers(index) if index < self.inputs else None
        if values is None:
            raise UnsizedError
        return values


def _require_known(shape: Dims) -> tuple[int, ...]:
    if not all_known(shape):
        raise UnsizedError
    return shape


def at(shape: Sequence[int], axis: int) -> int:
    """The size at ``axis``.

    Raises:
        UnsizedError: there is no such axis.
    """
    try:
        return shape[axis]
    except IndexError:
        raise UnsizedError from None
