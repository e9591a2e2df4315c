"""What runs when a model is opened: the operations that fill its tables."""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.core.changes.build import make_node
from graphscope.core.graph import Graph
from graphscope.core.ops.sets import TABLE_FILLING_OPS, TABLES
from graphscope.core.signatures import INIT_OP, LEGACY_INIT_OP, MAIN_OP, TABLE_INITIALIZERS
from graphscope.core.tensors import node_of
from graphscope.protos import MetaGraphDef, TensorInfo

_COLLECTIONS = (MAIN_OP, LEGACY_INIT_OP)


def initializers_of(meta: MetaGraphDef) -> list[str]:
    """The operations that a SavedModel declares to run on opening; without them, those in the collection of initializers."""
    if INIT_OP in meta.signature_def:
        return [node_of(info.name) for info in meta.signature_def[INIT_OP].outputs.values()]
    for name in (*_COLLECTIONS, TABLE_INITIALIZERS):
        if name in meta.collection_def and meta.collection_def[name].node_list.value:
            return [node_of(text) for text in meta.collection_def[name].node_list.value]
    return []


def filling_nodes(meta: MetaGraphDef, graph: Graph, part: Graph) -> list[str]:
    """The nodes of ``graph`` that fill the tables which are in ``part``."""
    tables = {name for op, name in zip(part.ops, part.names) if TABLES.fullmatch(op)}
    if not tables:
        return []
    fills = [name for op, name in zip(graph.ops, graph.names) if op in TABLE_FILLING_OPS]
    members = [name for start in initializers_of(meta) if start in graph for name in _members(graph, start)]
    return [name for name in dict.fromkeys([*fills, *members]) if not tables.isdisjoint(graph.ancestors([name]))]


def _members(graph: Graph, name: str) -> Iterator[str]:
    """The nodes that a group waits for; a node that is no group itself."""
    if graph[name].op != "NoOp":
        yield name
        return
    for member in dict.fromkeys(map(node_of, graph[name].inputs)):
        yield from _members(graph, member)


def with_initializer(meta: MetaGraphDef, graph: Graph, filling: list[str]) -> Graph:
    """``graph`` with the operation that ``meta`` declares, if it was a group: of the nodes that are still there."""
    groups = [name for name in initializers_of(meta) if name not in graph]
    if not filling or len(groups) != 1:
        return graph
    return graph.with_nodes([*graph.nodes, make_node(groups[0], "NoOp", [f"^{name}" for name in filling])])


def joined_initializer(graph: Graph, meta: MetaGraphDef, first: list[str], second: list[str], name: str) -> Graph:
    """``graph`` with one operation that initializes two models, declared in ``meta``; as it is, if one needs none.

    Args:
        first, second: what initializes each of them.
        name: of the operation.
    """
    starts = [*first, *second]
    for collection in _COLLECTIONS:
        meta.collection_def.pop(collection, None)
    if not starts:
        return graph
    if len(starts) > 1:
        graph = graph.with_nodes([*graph.nodes, make_node(name, "NoOp", [f"^{start}" for start in starts])])
        starts = [name]
    info = TensorInfo(name=starts[0])
    info.tensor_shape.unknown_rank = True
    meta.signature_def[INIT_OP].Clear()
    meta.signature_def[INIT_OP].outputs[INIT_OP].CopyFrom(info)
    return graph
