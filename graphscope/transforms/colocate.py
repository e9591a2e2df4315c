"""Nodes that shall run beside others name the device of those, so that a part of a graph is placed as the whole is.

Source: ``_class`` in ``tensorflow/core/framework/node_def.proto``: ``loc:@NODE``; ``core/common_runtime/colocation_graph.cc``.
"""

from __future__ import annotations

from graphscope.core.changes.build import without_attrs
from graphscope.core.checks.attributes import LOCATION
from graphscope.core.graph import Graph, Node

_MAX_STEPS = 16


def colocate(graph: Graph) -> Graph:
    """Each node that names no device on the device of the node that it shall run beside, if that names one.

    Colocation groups themselves fail in a part of a graph: they name nodes that are not in it.
    """
    return graph.with_nodes(_place(graph, node) for node in graph.nodes)


def _place(graph: Graph, node: Node) -> Node:
    device = "" if node.device else _device(graph, node)
    return without_attrs(node, (), device=device) if device else node


def _device(graph: Graph, node: Node | None) -> str:
    """The device at the end of a chain of nodes that each shall run beside the next; empty if none names one."""
    for _ in range(_MAX_STEPS):
        if node is None or node.device:
            break
        node = next(iter(_beside(graph, node)), None)
    return node.device if node is not None else ""


def _beside(graph: Graph, node: Node) -> list[Node]:
    value = node.attr("_class")
    names = [
        text[len(LOCATION) :].decode()
        for text in (value.list.s if value is not None else ())
        if text.startswith(LOCATION)
    ]
    return [graph[name] for name in names if name in graph and name != node.name]
