"""A graph without its weights, as TensorBoard shows it."""

from __future__ import annotations

from graphscope.core.graph import Graph, Node
from graphscope.core.values.payload import PAYLOAD_BYTES
from graphscope.formats.events.logged_graph import TOO_LARGE
from graphscope.protos import NodeDef, TensorProto


def blank_weights(graph: Graph) -> Graph:
    """Returns ``graph`` with only type and shape of each tensor above :data:`PAYLOAD_BYTES`. Reads no weights.

    A node with omitted values lists the attributes in :data:`TOO_LARGE`, because a tensor without content would mean zeros.
    """
    functions = [f.with_nodes(map(_blank, f.nodes)) for f in graph.functions.values()]
    return graph.with_nodes(map(_blank, graph.nodes)).with_functions(functions)


def _blank(node: Node) -> Node:
    large = [key for key, value in node.attrs.items() if key in node.payloads or _is_large(value.tensor)]
    if not large:
        return node
    proto = NodeDef()
    proto.CopyFrom(node.proto)
    for key in large:
        stated = proto.attr[key].tensor
        proto.attr[key].tensor.CopyFrom(TensorProto(dtype=stated.dtype, tensor_shape=stated.tensor_shape))
    named = proto.attr[TOO_LARGE].list.s
    named.extend(key.encode() for key in sorted(large) if key.encode() not in named)
    return Node(proto)


def _is_large(tensor: TensorProto) -> bool:
    """Whether a tensor in the message, as in a graph created in memory, is a weight."""
    return tensor.ByteSize() > PAYLOAD_BYTES
