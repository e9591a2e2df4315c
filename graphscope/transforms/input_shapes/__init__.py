"""Other shapes for a graph's inputs: another batch, any batch, another size."""

from graphscope.transforms.input_shapes.batch import Batch, parse_batch
from graphscope.transforms.input_shapes.reshape import (
    Reshaped,
    batch_shapes,
    reshape_inputs,
    wanted_shapes,
    with_placeholder_shapes,
)

__all__ = [
    "Batch",
    "Reshaped",
    "batch_shapes",
    "parse_batch",
    "reshape_inputs",
    "wanted_shapes",
    "with_placeholder_shapes",
]
