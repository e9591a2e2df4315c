"""The shape that the consumers of a placeholder require, if the file does not state it."""

from __future__ import annotations

from graphscope.core.tensors import TensorSpec, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.feeding.demands.demanded import Demanded
from graphscope.feeding.demands.encoded import encoded_strings
from graphscope.feeding.demands.inferred import Consumers
from graphscope.feeding.demands.lookups import looked_up_strings
from graphscope.feeding.demands.ragged import row_splits
from graphscope.feeding.demands.rules import INDEX_TYPES, Indices, demanded_shapes, index_bounds
from graphscope.feeding.demands.sparse import sparse_part


def apply_demands(spec: TensorSpec, consumers: Consumers) -> TensorSpec:
    """``spec`` with the shape that its consumers require, if its rank is unknown, and what else they demand.

    A convolution does not require a height, but needs pictures at least as large as its filter: such likely sizes come first.
    Otherwise, the shape comes from shape inference. Parts of sparse and ragged tensors, and strings that are
    decoded or looked up, are told by what takes them.

    Args:
        consumers: of the graph, shared by several of its inputs.
    """
    if spec.shape is not None and spec.dtype not in INDEX_TYPES | {DataType.STRING}:
        return spec
    graph = consumers.graph
    node = graph.get(node_of(spec.name))
    if node is None:
        return spec
    part = sparse_part(graph, spec, consumers.shapes) or row_splits(graph, spec)
    if part is not None:
        return part
    if spec.shape is None:
        likely = next(demanded_shapes(graph, node), None)
        spec = spec._replace(shape=consumers.shapes().shape(spec.name) if likely is None else likely)
    if spec.dtype in INDEX_TYPES:
        sizes = [size for size in index_bounds(graph, node, lambda text: consumers.shapes().shape(text)) if size]
        if sizes:
            return Demanded(spec, Indices(min(sizes)))
    if spec.dtype is DataType.STRING:
        return encoded_strings(graph, spec) or looked_up_strings(consumers, spec) or spec
    return spec
