"""Shape inference for given input shapes and batch size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from graphscope.analysis.ends.inputs import find_inputs
from graphscope.analysis.shapes.inference import infer
from graphscope.analysis.shapes.result import Shapes
from graphscope.core.model import Model
from graphscope.core.tensors import MAX_SIZE, Shape, TensorName
from graphscope.errors import ArgumentError


@dataclass(frozen=True, slots=True)
class Concrete:
    """Inferred shapes, and what they were inferred for.

    Attributes:
        shapes: of all tensors.
        inputs: tensor name -> its shape, of what is fed.
        batch: the size that open batch dimensions were given; ``None`` if there was none.
        values: tensor name -> number that is fed.
    """

    shapes: Shapes
    inputs: Mapping[str, Shape]
    batch: int | None
    values: Mapping[str, float]


def infer_concrete(
    model: Model,
    shape: Mapping[str, Shape] | None = None,
    batch: int | None = None,
    values: Mapping[str, float] | None = None,
) -> Concrete:
    """Infers the shapes of a model for given inputs.

    Args:
        shape: node or tensor name -> its shape; ``None`` for a size that stays open.
        batch: the size of each other input's first dimension, if that is open; ``None`` leaves it open.
        values: tensor name -> number that a scalar is fed.

    Raises:
        UnknownNameError: ``shape`` names no node.
        GraphscopeError: a shape does not fit the one that the graph states.
        IncompleteModelError: the model is a checkpoint without a graph.
        ArgumentError: the batch is below 1, or larger than any dimension.
    """
    return next(infer_batches(model, shape, (batch,), values))


def infer_batches(
    model: Model, shape: Mapping[str, Shape] | None, batches: Iterable[int | None], values: Mapping[str, float] | None
) -> Iterator[Concrete]:
    """Infers the shapes for one batch after the other; once, where no batch is open. As :func:`infer_concrete`."""
    given = {str(TensorName.parse(name)): sizes for name, sizes in (shape or {}).items()}
    shapes = infer(model, given, values)
    inputs = {row.tensor: shapes.shape(row.tensor) for row in find_inputs(model)} | given
    opened = {name: sizes for name, sizes in inputs.items() if name not in given and sizes and sizes[0] is None}
    for batch in batches:
        if batch is not None and not 1 <= batch <= MAX_SIZE:
            raise ArgumentError(f"{batch} is not a number of examples")
        if batch is None or not opened:
            yield Concrete(shapes, inputs, None, values or {})
            return
        fed = given | {name: (batch, *sizes[1:]) for name, sizes in opened.items()}
        yield Concrete(infer(model, fed, values), inputs | fed, batch, values or {})
