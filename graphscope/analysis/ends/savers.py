"""The part of a graph that saves and restores, which users never feed or fetch."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from graphscope.core.graph import Function, Graph
from graphscope.core.ops.sets import CALL_OPS, VARIABLE_OPS
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType

SAVER_OPS = frozenset(
    "Save SaveV2 SaveSlices Restore RestoreV2 RestoreSlice ShardedFilename ShardedFilespec MergeV2Checkpoints".split()
)
_ASSIGNING = frozenset({"Assign", "AssignVariableOp", "NoOp"})
_TEXT = frozenset({"Const", "PlaceholderWithDefault", "StringJoin", "Identity", "Pack"})
"""The node that passes on the file name after a saver has saved: ``control_dependency``."""

_known: WeakKeyDictionary[Graph, frozenset[str]] = WeakKeyDictionary()
"""Inputs and outputs both ask; a graph does not change."""


def saver_nodes(graph: Graph) -> frozenset[str]:
    """Names of the nodes that belong to savers: their own ops, and what leads to them or away from them alone.

    That is the file name with all that is made of it, keys, slices and shards, reads for the saver alone, assignments of
    what was restored, and the file name that is handed on when everything is saved. Control edges count.
    TensorFlow 2 saves and restores in functions: the calls of these belong to savers as well.
    """
    result = _known.get(graph)
    if result is None:
        result = _known[graph] = _saver_nodes(graph)
    return result


def _saver_nodes(graph: Graph) -> frozenset[str]:
    found = {node.name for op, node in zip(graph.ops, graph.nodes) if op in SAVER_OPS}
    if not CALL_OPS.isdisjoint(graph.ops):
        found.update(_saver_calls(graph))
    if not found:
        return frozenset()
    by_name, consumers = graph.by_name, graph.consumer_names
    readers: dict[str, int] = {}
    unseen: dict[str, set[str]] = {}
    waiting = list(found)
    while waiting:
        name = waiting.pop()
        fresh = []
        for consumer in consumers.get(name, ()):
            if consumer not in found:
                inputs = unseen.get(consumer)
                if inputs is None:
                    inputs = unseen[consumer] = set(map(node_of, by_name[consumer].inputs))
                inputs.discard(name)
                if _follows(graph, by_name[consumer].op, inputs):
                    fresh.append(consumer)
        for producer in dict.fromkeys(map(node_of, by_name[name].inputs)):
            left = readers[producer] = readers.get(producer, len(consumers[producer])) - 1
            if not left and producer not in found and producer in by_name and by_name[producer].op not in VARIABLE_OPS:
                fresh.append(producer)
        found.update(fresh)
        waiting += fresh
    return frozenset(found)


def _saver_calls(graph: Graph) -> Iterator[str]:
    savers = {name for name, function in graph.functions.items() if _saves_or_restores(function)}
    for op, node in zip(graph.ops, graph.nodes):
        called = node.attr("f") if savers and op in CALL_OPS else None
        if called is not None and called.func.name in savers:
            yield node.name


def _saves_or_restores(function: Function) -> bool:
    """Whether a function is a saver's: it saves or restores, and gives nothing but the file name."""
    given = function.signature.output_arg
    return not SAVER_OPS.isdisjoint(function.ops) and all(arg.type == DataType.STRING for arg in given)


def _follows(graph: Graph, op: str, elsewhere: set[str]) -> bool:
    """Whether a node only handles what a saver gave; what comes in from elsewhere is the variable, or the file name."""
    if len(elsewhere) > 1:
        return False
    if not elsewhere or op in _ASSIGNING:
        return True
    [name] = elsewhere
    return op == "Identity" and name in graph and graph.by_name[name].op in _TEXT
