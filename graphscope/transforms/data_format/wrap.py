"""Each op of a graph by itself in the other data format, between two transposes: slow, plain, and easy to see that it is right.

TensorFlow has kernels for channels first on GPUs only, or with oneDNN. This is what a graph in that format is compared with.
"""

from __future__ import annotations

from graphscope.core.changes.build import type_attr, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.tensors import TensorName
from graphscope.core.values.dtypes import DataType
from graphscope.transforms.data_format.layouts import IMAGE_INPUTS, Layouts
from graphscope.transforms.data_format.naming import NewNodes


def wrap_layout_ops(graph: Graph, layouts: Layouts) -> Graph:
    """``graph`` in which each op that states the old format computes in the new one. Functions stay as they are."""
    wrapped = {n.name for n in graph if n.op in IMAGE_INPUTS and layouts.is_old(n)}
    made = NewNodes(graph.names)
    inner = {name: made.free(f"{name}/{layouts.new}") for name in wrapped}
    for node in graph:
        node = with_inputs(node, [_beside(text, inner) for text in node.inputs])
        if node.name in wrapped:
            _wrap(node, inner[node.name], layouts, made)
        else:
            made.nodes.append(node)
    return graph.with_nodes(made.nodes)


def _beside(text: str, inner: dict[str, str]) -> str:
    """Outputs behind the first hold no images: they come from the op itself."""
    tensor = TensorName.parse(text)
    return f"{inner[tensor.node]}:{tensor.index}" if tensor.index > 0 and tensor.node in inner else text


def _wrap(node: Node, name: str, layouts: Layouts, made: NewNodes) -> None:
    dtype = node.attr("T") or type_attr(DataType.FLOAT)
    inputs = list(node.inputs)
    place = IMAGE_INPUTS[node.op]
    before = made.free(f"{node.name}/input_{layouts.new}")
    made.transpose(before, inputs[place], layouts.forth, dtype)
    inputs[place] = before
    if node.op == "Conv2DBackpropInput":
        inputs[0] = made.reordered_sizes(f"{node.name}/sizes", inputs[0], layouts.forth)
    made.nodes.append(layouts.written(node, name, inputs))
    made.transpose(node.name, name, layouts.back, dtype)
