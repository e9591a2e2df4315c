"""``nodes`` for a model of another runtime."""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.analysis.listing import Listing, NodeFilter, NodeRow, refuse_unknown, select
from graphscope.core.foreign import ForeignGraph, ForeignModel, ForeignNode


def list_foreign_nodes(model: ForeignModel, listing: Listing) -> Iterator[NodeRow]:
    """The nodes in file order, one by one; those of other graphs, where ``listing.functions`` asks for them.

    Raises:
        UnknownNameError: ``inputs_of``, ``consumers_of`` or ``scope`` names nothing, or no node has one of the ops.
    """
    graphs = list(model.graphs if listing.functions else [("", model.graph)])
    refuse_unknown([graph for _, graph in graphs], listing.filter)
    for body, graph in graphs:
        for node, distance in select(graph, listing.filter, _near(graph, listing.filter, body)):
            yield row_of(graph, node, body, distance)


def row_of(graph: ForeignGraph, node: ForeignNode, body: str = "", distance: int | None = None) -> NodeRow:
    """The row of ``node`` of ``graph``, which is called ``body`` where it is not the one that runs."""
    outputs = tuple(graph.tensor(name) for name in node.outputs if name)
    return NodeRow(body, node.name, node.op, "", node.inputs, outputs, distance)


def _near(graph: ForeignGraph, chosen: NodeFilter, body: str) -> dict[str, int] | None:
    """Name -> distance from the nodes given in the filter; ``None`` if none were given."""
    if not (chosen.inputs_of or chosen.consumers_of):
        return None
    if body:
        return {}
    near = graph.needed_by(chosen.inputs_of, chosen.depth) if chosen.inputs_of else {}
    return near | (graph.needing(chosen.consumers_of, chosen.depth) if chosen.consumers_of else {})
