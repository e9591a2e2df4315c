"""Tensors of branches, which have a value only if the branch is taken."""

from __future__ import annotations

from collections.abc import Iterable

from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import EXITS, MERGES, SWITCHES
from graphscope.core.tensors import node_of

_ENDS = MERGES | EXITS


def deciding_switch(graph: Graph, tensor: str) -> Node | None:
    """A ``Switch`` that decides whether ``tensor`` has a value; ``None`` if it always has one."""

    def steps(node: Node) -> Iterable[Node]:
        return () if node.op in _ENDS else graph.producers(node)

    if SWITCHES.isdisjoint(graph.ops):
        return None
    reached = graph.reach([node_of(tensor)], steps)
    return next((graph[name] for name in reached if graph[name].op in SWITCHES), None)
