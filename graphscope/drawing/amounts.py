"""How much of something each node takes, for colours."""

from __future__ import annotations

from collections.abc import Iterable

from graphscope.analysis.tensors import Shapes, TensorLister
from graphscope.core.dtypes import DataType
from graphscope.core.model import Model
from graphscope.core.tensors import Shape
from graphscope.tracing.report import NodeCost


def output_bytes(model: Model, shapes: Shapes) -> dict[str, float]:
    """Node name -> size of its outputs in bytes; unknown dimensions count as 1, an unknown rank as nothing."""
    lister = TensorLister(model.catalog, model.graph.producer, shapes)
    graph = model.graph
    return {
        node.name: float(sum(_bytes(spec.dtype, spec.shape) for spec in lister.outputs(node, graph))) for node in graph
    }


def _bytes(dtype: DataType, shape: Shape) -> int:
    size = dtype.itemsize or 0
    for length in shape or ():
        size *= 1 if length is None else length
    return 0 if shape is None else size


def times(costs: Iterable[NodeCost]) -> dict[str, float]:
    """Node name -> microseconds of one step, on all devices; what a fused kernel covers is the kernel's."""
    result: dict[str, float] = {}
    for cost in costs:
        result[cost.name] = result.get(cost.name, 0.0) + cost.times.wall_us
    return result
