"""GraphDef: the graph in a message, with its weights left where they are.

Source: ``tensorflow/core/framework/graph.proto``, ``node_def.proto``, ``function.proto``.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphscope.core.graph import Function, Graph, Node
from graphscope.formats.lazy.holders import Holder
from graphscope.formats.lazy.split_weights import Place
from graphscope.protos import GraphDef, NodeDef


def graph_from(proto: GraphDef, holder: Holder, place: Place) -> Graph:
    """The graph in ``proto``, which lies at ``place`` and is emptied: its nodes move over, nothing is copied."""
    nodes = _nodes(proto.node, holder, place)
    proto.ClearField("node")
    functions = []
    if proto.HasField("library"):
        for i, function in enumerate(proto.library.function):
            body = _nodes(function.node_def, holder, (*place, ("function", i)))
            function.ClearField("node_def")
            functions.append(Function(function, body))
        proto.library.ClearField("function")
    return Graph(proto, nodes, functions)


def _nodes(protos: Iterable[NodeDef], holder: Holder, place: Place) -> list[Node]:
    return [Node(proto, holder.payloads((*place, ("node", i)), proto)) for i, proto in enumerate(protos)]
