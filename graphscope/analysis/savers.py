"""The part of a graph that saves and restores: never what a person feeds or fetches."""

from __future__ import annotations

from graphscope.core.graph import Graph, Node
from graphscope.core.tensors import node_of

SAVER_OPS = frozenset(
    "Save SaveV2 SaveSlices Restore RestoreV2 RestoreSlice ShardedFilename ShardedFilespec MergeV2Checkpoints".split()
)
_ASSIGNING = frozenset({"Assign", "AssignVariableOp", "NoOp"})
_TEXT = frozenset({"Const", "PlaceholderWithDefault", "StringJoin", "Identity", "Pack"})
"""What a file name comes from that a saver hands on once it has saved: ``control_dependency``."""
_SHARED = frozenset("Variable VariableV2 VarHandleOp AutoReloadVariable".split())
"""What savers read and write, but do not own."""


def saver_nodes(graph: Graph) -> frozenset[str]:
    """Names of the nodes that belong to savers: their own ops, and what leads to them or away from them alone.

    That is the file name with all that is made of it, keys, slices and shards, reads for the saver alone, assignments of
    what was restored, and the file name that is handed on when everything is saved. Control edges count.
    """
    found = {node.name for op, node in zip(graph.ops, graph.nodes) if op in SAVER_OPS}
    if not found:
        return frozenset()
    others: dict[str, int] = {}
    waiting = list(found)
    while waiting:
        node = graph.by_name[waiting.pop()]
        fresh = [c.name for c in graph.consumers(node.name) if c.name not in found and _follows(graph, c, found)]
        for producer in graph.producers(node):
            name = producer.name
            left = others.get(name, len(graph.consumer_names[name])) - 1
            others[name] = left
            if not left and producer.op not in _SHARED:
                fresh.append(name)
        fresh = [name for name in dict.fromkeys(fresh) if name not in found]
        found.update(fresh)
        waiting += fresh
    return frozenset(found)


def _follows(graph: Graph, node: Node, found: set[str]) -> bool:
    """Whether ``node`` only handles what a saver gave; what comes in from elsewhere is the variable, or the file name."""
    elsewhere = {name for name in map(node_of, node.inputs) if name not in found and name in graph}
    if node.op in _ASSIGNING:
        return len(elsewhere) <= 1
    return not elsewhere or (node.op == "Identity" and all(graph[name].op in _TEXT for name in elsewhere))
