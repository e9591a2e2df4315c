"""Inputs that take one example at a time: the bytes of one JPEG, or of one WAV file, as a scalar string.

Whatever such a model computes is of one example. What it gives for several is put together: along the first dimension where
that counts the one example, along a new first dimension otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphscope.core.graph import Graph
from graphscope.core.tensors import TensorSpec, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError
from graphscope.feeding.demands.demands import apply_demands
from graphscope.feeding.demands.inferred import Consumers

if TYPE_CHECKING:
    from numpy.typing import NDArray


def demanded_string(graph: Graph, spec: TensorSpec) -> TensorSpec:
    """``spec`` with the shape that its consumers require, if it is a string tensor without a stated shape.

    A scalar placeholder of a graph of producer 23 or below looks like one of unknown rank.
    """
    return spec._replace(shape=apply_demands(spec, Consumers(graph)).shape) if spec.dtype is DataType.STRING else spec


def takes_one(spec: TensorSpec) -> bool:
    """Whether ``spec`` takes the content of one file: it is a scalar string."""
    return spec.dtype is DataType.STRING and spec.shape == ()


def as_row(value: NDArray[Any]) -> NDArray[Any]:
    """What was computed of one example, (1, ...): as it is if its first dimension is 1."""
    return value if value.ndim and len(value) == 1 else value[None]


def stack_rows(name: str, values: Sequence[NDArray[Any]], examples: Sequence[str]) -> NDArray[Any]:
    """What was computed of each example in one array, (examples, ...).

    Args:
        name: of the tensor, for messages.
        examples: what each is called, for messages.

    Raises:
        GraphscopeError: two differ in shape.
    """
    import numpy as np

    rows = [as_row(value) for value in values]
    other = next((i for i, row in enumerate(rows) if row.shape != rows[0].shape), None)
    if other is not None:
        shapes = [f"{shape_text(values[i].shape)} for {examples[i]}" for i in (0, other)]
        raise GraphscopeError(
            f"{name} is {' and '.join(shapes)}: results of different shapes cannot be stacked",
            hint="run the model for one file at a time",
        )
    return np.concatenate(rows)
