"""Shapes on the edges of a drawn graph."""

from __future__ import annotations

from collections.abc import Iterable

from graphscope.analysis.tensors import Shapes, TensorLister
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model
from graphscope.core.tensors import Shape
from graphscope.protos import AttrValue, NodeDef

OUTPUT_SHAPES = "_output_shapes"
"""The attribute from which TensorBoard takes the shapes of a node's outputs (``Graph.as_graph_def(add_shapes=True)``)."""


def with_shapes(model: Model, shapes: Shapes) -> Graph:
    """The graph of ``model``, with the shapes of each node's outputs: inferred, or otherwise as stated in the file."""
    lister = TensorLister(model.catalog, model.graph.producer, shapes)
    return model.graph.with_nodes(_with_shapes(node, lister, model.graph) for node in model.graph)


def _with_shapes(node: Node, lister: TensorLister, graph: Graph) -> Node:
    outputs = lister.outputs(node, graph)
    if not outputs:
        return node
    proto = NodeDef()
    proto.CopyFrom(node.proto)
    proto.attr[OUTPUT_SHAPES].CopyFrom(_list_attr(spec.shape for spec in outputs))
    return Node(proto, node.payloads)


def _list_attr(shapes: Iterable[Shape]) -> AttrValue:
    value = AttrValue()
    for shape in shapes:
        message = value.list.shape.add(unknown_rank=shape is None)
        for size in shape or ():
            message.dim.add(size=-1 if size is None else size)
    return value
