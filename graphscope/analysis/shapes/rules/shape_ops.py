"""Ops that read shapes."""

from __future__ import annotations

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Fact, Facts, outputs
from graphscope.analysis.shapes.sizes import (
    Dim,
    Dims,
)
from graphscope.analysis.shapes.table import rule
from graphscope.analysis.shapes.values import product_of


def _as_vector(shape: Dims) -> Fact:
    """The tensor that holds ``shape``."""
    return Fact((Dim(),)) if shape is None else Fact((len(shape),), shape)


@rule("Shape")
def shape_op(call: Call) -> Facts:
    """A vector, whose elements are the sizes."""
    return (_as_vector(call.shape(0)),)


@rule("ShapeN")
def shape_n(call: Call) -> Facts:
    """The shape of each input."""
    return tuple(_as_vector(fact.shape) for fact in call.inputs)


@rule("VariableShape")
def variable_shape(call: Call) -> Facts:
    """The shape of a variable."""
    handle = call.input(0).handle
    return (_as_vector(handle[0] if handle else None),)


@rule("Size")
def size_op(call: Call) -> Facts:
    """The number of elements."""
    shape = call.shape(0)
    return (Fact((), (product_of(shape, call.type("out_type")),) if shape is not None else None),)


@rule("Rank")
def rank_op(call: Call) -> Facts:
    """The number of dimensions."""
    shape = call.shape(0)
    return (Fact((), (len(shape),) if shape is not None else None),)


@rule("BroadcastArgs")
def broadcast_args(call: Call) -> Facts:
    """The shape, as a vector, to which two shapes are broadcast."""
    one, other = call.ranked(0, 1)[0], call.ranked(1, 1)[0]
    if isinstance(one, int) and isinstance(other, int):
        return outputs((max(one, other),))
    return outputs((Dim(),))
