"""What can be fed in the place of a tensor that cannot.

Resources and variants have no form that a person could give. What calls functions is replaced before a session looks at its
feeds; a value that is fed there reaches nobody.
Source: ``tensorflow/core/common_runtime/lower_functional_ops.cc``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import BRANCH_OPS, CALL_OPS, DEFAULTED
from graphscope.core.ops.table import OpCatalog
from graphscope.core.tensors import TensorName
from graphscope.core.values.dtypes import UNFEEDABLE

REPLACED = BRANCH_OPS | CALL_OPS
"""Ops of which a session makes others; the identities behind them stay."""


def used_outputs(graph: Graph, name: str, within: Collection[str] | None = None) -> list[int]:
    """The numbers of the outputs of node ``name`` that something takes, in order.

    Args:
        within: names of the nodes that count; all by default.
    """
    consumers = (c for c in graph.consumers(name) if within is None or c.name in within)
    tensors = (TensorName.parse(text) for consumer in consumers for text in consumer.data_inputs())
    return sorted({tensor.index for tensor in tensors if tensor.node == name})


def places_to_open(graph: Graph, catalog: OpCatalog, node: Node) -> list[str]:
    """Nodes, or single tensors of nodes, that have to be fed so that nothing of ``node`` is needed.

    A placeholder for which ``node`` only gives the default is such a place; so is what makes arrays of a variant.
    """
    takers = [
        c for c in graph.consumers(node.name) if any(TensorName.parse(i).node == node.name for i in c.data_inputs())
    ]
    if takers and all(taker.op == DEFAULTED for taker in takers):
        return [taker.name for taker in takers]
    if node.op in REPLACED:
        return [taker.name for taker in takers]
    used = used_outputs(graph, node.name)
    open_ones = [k for k in used if _is_feedable(catalog, node, k)]
    if len(open_ones) == len(used):
        return [node.name]
    behind = (place for k in used if k not in open_ones for place in places_behind(graph, catalog, node, k))
    return list(dict.fromkeys([*(f"{node.name}:{k}" for k in open_ones), *behind]))


def places_behind(graph: Graph, catalog: OpCatalog, node: Node, index: int) -> Iterator[str]:
    """The nearest nodes behind output ``index`` of ``node`` all of whose outputs can be fed."""
    pending = [(node.name, index)]
    seen = set(pending)
    while pending:
        name, number = pending.pop(0)
        for consumer in graph.consumers(name):
            taken = map(TensorName.parse, consumer.data_inputs())
            if not any((tensor.node, tensor.index) == (name, number) for tensor in taken):
                continue
            outputs = used_outputs(graph, consumer.name)
            if all(_is_feedable(catalog, consumer, k) for k in outputs):
                yield consumer.name
            else:
                fresh = [(consumer.name, k) for k in outputs if (consumer.name, k) not in seen]
                seen.update(fresh)
                pending += fresh


def _is_feedable(catalog: OpCatalog, node: Node, index: int) -> bool:
    types = catalog.outputs(node.op, node.attrs)
    return types is None or index >= len(types) or types[index].dtype not in UNFEEDABLE
