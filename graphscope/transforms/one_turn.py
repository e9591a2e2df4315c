"""What one turn of a loop computes, as a graph without the loop.

A program for TPUs trains within a loop: the model is its body, and takes its data from the infeed. Once these are an input,
nothing of an earlier turn but variables goes into a prediction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from graphscope.core.changes.build import make_node, with_inputs
from graphscope.core.checks.frames import frames_of, left, refuse_inside_loop
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import ENTERS, MERGES, SWITCHES
from graphscope.core.tensors import node_of

_DECIDED = MERGES | SWITCHES
"""What gives values of an earlier turn, or of a branch."""


def one_turn(graph: Graph, opened: Graph, outputs: Collection[str]) -> Graph:
    """``opened``, in which ``outputs`` that lie within a loop are computed once, outside of it.

    Args:
        opened: ``graph``, cut open at inputs.

    Raises:
        GraphscopeError: one of them is made of what an earlier turn computed, or of a branch.
    """
    frames = frames_of(graph) if not ENTERS.isdisjoint(graph.ops) else {}
    places = {name: graph.get(node_of(name)) for name in outputs} if frames else {}
    inside = [name for name, node in places.items() if node and left(node.op, frames.get(node.name, ()))]
    if not inside:
        return opened

    def producers(node: Node) -> Iterator[Node]:
        found = map(opened.get, map(node_of, node.data_inputs()))
        yield from (producer for producer in found if producer is not None and frames.get(producer.name))

    body = set(opened.reach(map(node_of, inside), producers))
    if any(opened[name].op in _DECIDED for name in body):
        refuse_inside_loop(graph, inside[0])
    return opened.with_nodes(_outside(node) if node.name in body else node for node in opened)


def _outside(node: Node) -> Node:
    """``node`` of a loop's body, which waits for nothing of the loop."""
    inputs = node.data_inputs()
    if node.op in ENTERS:
        return make_node(node.name, "Identity", inputs, {"T": node.attrs["T"]})
    return node if len(inputs) == len(node.inputs) else with_inputs(node, inputs)
