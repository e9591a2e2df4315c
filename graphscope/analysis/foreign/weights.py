"""``vars`` for a model of another runtime: its constants."""

from __future__ import annotations

from graphscope.analysis.variable_rows import Weight, WeightRow
from graphscope.core.foreign import ForeignGraph, ForeignModel, ForeignTensor
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload

_QUANTIZED = frozenset({DataType.INT8, DataType.UINT8, DataType.INT4, DataType.UINT4, DataType.INT2, DataType.UINT2})
"""Integers that other runtimes keep quantized weights in."""

SPARSE = "sparse"
"""The storage of a sparse tensor, which holds only the nonzero elements."""


def is_weight(tensor: ForeignTensor, content: Payload) -> bool:
    """Whether a constant is a parameter: numbers that are floating or quantized, and more than a scalar."""
    is_quantized = tensor.quantization is not None or content.dtype in _QUANTIZED
    return bool(content.shape) and (content.dtype.is_floating or is_quantized)


def foreign_weights(model: ForeignModel) -> list[Weight]:
    """The constants of all graphs, each with its content; of sparse ones the content cannot be read. No I/O."""
    return [weight_of(graph, name, body) for body, graph in model.graphs for name in graph.constants]


def weight_of(graph: ForeignGraph, name: str, body: str = "") -> Weight:
    """The constant ``name`` of ``graph``, which is called ``body`` where it is not the one that runs."""
    content = graph.constants[name]
    full = f"{body}/{name}" if body else name
    row = WeightRow(full, "constant", content.dtype, content.shape, content.elements, content.nbytes)
    return row, None if graph.tensor(name).container == SPARSE else lambda: content
