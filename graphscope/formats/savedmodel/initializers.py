"""The op that a SavedModel runs when it is opened: it fills lookup tables.

Source: ``tensorflow/python/saved_model/{loader_impl,main_op_impl,signature_def_utils_impl}.py`` (2.21).
"""

from __future__ import annotations

from graphscope.core.changes.build import make_node
from graphscope.core.graph import Graph
from graphscope.core.model import Model
from graphscope.core.names import free_name
from graphscope.core.ops.sets import TABLE_FILLING_OPS
from graphscope.core.signatures import INIT_OP, LEGACY_INIT_OP, MAIN_OP, TABLE_INITIALIZERS
from graphscope.core.tensors import node_of
from graphscope.core.variables.restore import reads_checkpoint
from graphscope.protos import MetaGraphDef


def with_main_op(model: Model, graph: Graph, meta: MetaGraphDef) -> Graph:
    """``graph`` with an op that fills its tables, declared in ``meta`` as what runs on opening; as it is, if none is needed.

    The tables' initializers are those in the collection ``table_initializer``; without one, all that the graph has. What a
    saver fills is no table's initializer.
    """
    if INIT_OP in meta.signature_def or MAIN_OP in meta.collection_def or LEGACY_INIT_OP in meta.collection_def:
        return graph
    listed = model.collections[TABLE_INITIALIZERS].names if TABLE_INITIALIZERS in model.collections else ()
    names = [name for name in dict.fromkeys(map(node_of, listed)) if name in graph]
    fills = (n for op, n in zip(graph.ops, graph.nodes) if op in TABLE_FILLING_OPS)
    names = names or [n.name for n in fills if not reads_checkpoint(graph, n)]
    if not names:
        return graph
    group = free_name("init_all_tables", graph)
    meta.collection_def[MAIN_OP].node_list.value.append(group)
    return graph.with_nodes([*graph.nodes, make_node(group, "NoOp", [f"^{name}" for name in names])])
