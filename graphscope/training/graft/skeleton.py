"""What TensorFlow builds on: a copy of a graph whose large constants are placeholders.

TensorFlow needs types and shapes to add nodes, not weights: those stay in their files until the result is written.
"""

from __future__ import annotations

from graphscope.core.graph import Function, Graph, Node
from graphscope.core.tensors import TensorSpec
from graphscope.protos import FunctionDef, GraphDef
from graphscope.transforms.opening import placeholder


def skeleton(graph: Graph) -> Graph:
    """``graph`` with a placeholder in the place of each constant whose content is not in its message."""
    return graph.with_nodes(_hollow(n) for n in graph.nodes)


def _hollow(original: Node) -> Node:
    tensor = original.tensor() if original.op == "Const" and original.payloads else None
    if tensor is None:
        return original
    made = placeholder(original.name, TensorSpec(original.name, tensor.dtype, tensor.shape))
    made.proto.input.extend(original.inputs)
    return made


def restore_constants(grown: GraphDef, original: Graph) -> Graph:
    """``grown``, which was built on the skeleton of ``original``, with the constants and functions of ``original``."""
    held = {n.name: n for n in original.nodes if n.op == "Const" and n.payloads}
    nodes = [held.get(proto.name) or Node(proto) for proto in grown.node]
    functions = [original.functions.get(f.signature.name) or _function(f) for f in grown.library.function]
    header = GraphDef()
    header.versions.CopyFrom(grown.versions)
    header.library.gradient.extend(grown.library.gradient)
    return Graph(header, nodes, functions)


def _function(proto: FunctionDef) -> Function:
    body = [Node(found) for found in proto.node_def]
    head = FunctionDef()
    head.CopyFrom(proto)
    head.ClearField("node_def")
    return Function(head, body)
