"""The loops and branches that collections describe, for programs which go on building the graph."""

from __future__ import annotations

from graphscope.core.changes.refill import refill
from graphscope.core.collections import collections_of
from graphscope.core.graph import Graph
from graphscope.core.tensors import node_of
from graphscope.editing.edited import Edited, with_parts
from graphscope.protos import CondContextDef, MetaGraphDef, WhileContextDef

_COLLECTIONS = ("cond_context", "while_context")
_NEEDED = ("pivot_name", "pivot_for_pred_name", "pivot_for_body_name", "pred_name", "maximum_iterations_name")


def drop_absent_members(edited: Edited) -> Edited:
    """``edited`` whose loops and branches list only nodes that are there: TensorFlow does not import others.

    One that lost what it runs by is left out.
    """
    model = edited.model
    if not any(name in model.meta.collection_def for name in _COLLECTIONS):
        return edited
    meta = MetaGraphDef()
    meta.CopyFrom(model.meta)
    for name in _COLLECTIONS:
        found = collections_of(meta).get(name)
        contexts = [v for v in found.values if isinstance(v, (CondContextDef, WhileContextDef))] if found else []
        if not contexts:
            continue
        kept = [context.SerializeToString() for context in contexts if _trim(context, model.graph)]
        refill(meta.collection_def[name].bytes_list.value, kept)
        if not kept:
            del meta.collection_def[name]
    if meta == model.meta:
        return edited
    return Edited(with_parts(model, model.graph, meta), edited.outputs, edited.names, edited.notes)


def _trim(context: CondContextDef | WhileContextDef, graph: Graph) -> bool:
    """Takes absent nodes out of a context; False if it cannot be without one of them."""
    needed = [getattr(context, name, "") for name in _NEEDED]
    if isinstance(context, WhileContextDef):
        needed += [*context.loop_exit_names, *context.loop_enter_names]
    if not all(node_of(name) in graph for name in needed if name):
        return False
    values = context.values_def
    refill(values.values, [name for name in values.values if node_of(name) in graph])
    pairs = [
        pair for pair in values.external_values if {node_of(pair.key), node_of(pair.value)} <= graph.by_name.keys()
    ]
    refill(values.external_values, pairs)
    nested = list(context.nested_contexts)
    kept = [n for n in nested if _trim(n.while_ctxt if n.HasField("while_ctxt") else n.cond_ctxt, graph)]
    refill(context.nested_contexts, kept)
    return True
