"""Loop invariants that every iteration consumes anew: TF.js computes them in the first iteration only.

TensorFlow runs every node of a loop in each turn. TF.js runs a node when one of its inputs has been computed, so a constant
enters an inner loop, or becomes the next state, only once. Source: ``tfjs-converter/src/executor/graph_executor.ts``
(``processChildNodes``), 4.22.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphscope.core.checks.frames import frames_of
from graphscope.core.graph import Body, Node
from graphscope.core.ops.sets import ENTERS, MERGES, NEXT_ITERATIONS
from graphscope.core.tensors import node_of


def steady_inputs(body: Body) -> Mapping[str, str]:
    """Nodes that enter a loop or its next iteration with an invariant input -> the ``LoopCond`` of the enclosing loop."""
    if ENTERS.isdisjoint(body.ops):
        return {}
    frames = frames_of(body)
    conditions = {frames.get(node.name, ()): node.name for node in body if node.op == "LoopCond"}
    changing = body.reach(_states(body), lambda node: _takers(body, node))
    sources = {n.name: node_of(n.inputs[0]) for n in body if n.op in ENTERS or n.op in NEXT_ITERATIONS}
    return {
        name: conditions[frame]
        for name, source in sources.items()
        if source not in changing and (frame := frames.get(source, ())) in conditions
    }


def _states(body: Body) -> list[str]:
    return [n.name for n in body if n.op in MERGES and any(p.op in NEXT_ITERATIONS for p in body.producers(n))]


def _takers(body: Body, node: Node) -> Iterator[Node]:
    """The consumers of ``node``'s data; invariants of an inner loop do not change in it."""
    for taker in body.consumers(node.name):
        is_kept = taker.op in ENTERS and taker.attrs["is_constant"].b
        if not is_kept and node.name in map(node_of, taker.data_inputs()):
            yield taker
