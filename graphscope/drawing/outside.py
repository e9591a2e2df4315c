"""Finds the nodes to draw separately: those that train, save, initialize and monitor."""

from __future__ import annotations

from collections.abc import Sequence

from graphscope.analysis.ends.flow import Flow, wire
from graphscope.analysis.ends.savers import SAVER_OPS
from graphscope.core.graph import Graph
from graphscope.core.model import Model
from graphscope.core.ops.sets import PLACEHOLDER_OPS, VARIABLE_OPS, brings_data
from graphscope.core.variables.variables import Role
from graphscope.drawing.bodies import Bodies
from graphscope.drawing.kinds import kind_of


def outside_nodes(bodies: Bodies) -> list[bool]:
    """For each drawn node, whether it is outside the model's computation.

    The body of a call is drawn where the call is. A call that saves or restores is outside, including its body.
    """
    source, drawn = bodies.source.graph, bodies.model.graph
    result = _outside(bodies.source)
    if not bodies.called:
        return result
    own = dict(zip(source.names, result))
    savers = {bodies.callers.get(name, name) for name, op in zip(drawn.names, drawn.ops) if op in SAVER_OPS}
    callers = [bodies.callers.get(name, name) for name in drawn.names]
    return [own[caller] or caller in savers for caller in callers]


def _outside(model: Model) -> list[bool]:
    """For each node of the graph, whether it is outside the model's computation.

    Besides what :func:`graphscope.analysis.ends.flow.wire` finds, these are slots and steps of optimizers with what comes of
    them, and what nothing fed or trained leads to and nothing else uses: initial values, learning rates.
    """
    graph = model.graph
    flow = wire(graph)
    result = list(flow.outside)
    if not any(result):
        return result
    kept = {v.name for v in model.variables if v.in_graph and v.role not in (Role.SLOT, Role.STEP)}
    for i, (name, op) in enumerate(zip(graph.names, graph.ops)):
        if op in VARIABLE_OPS and name not in kept:
            result[i] = True
    _add_consumers(graph, flow, result)
    _add_producers(graph, flow, result)
    return result


def _add_consumers(graph: Graph, flow: Flow, result: list[bool]) -> None:
    for i in flow.order:
        result[i] = result[i] or (i not in flow.gradients and any(result[p] for p in flow.inputs[i]))
    for i, op in enumerate(graph.ops):
        if op in ("NoOp", "Identity") and not result[i]:
            found = (graph.numbers.get(name) for name in graph.nodes[i].control_inputs())
            result[i] = any(result[p] for p in found if p is not None)


def _add_producers(graph: Graph, flow: Flow, result: list[bool]) -> None:
    """Adds nodes that only outside nodes use, if they are constant, or pass something on within the same scope."""
    fixed = [False] * len(graph)
    for i in flow.order:
        op = graph.ops[i]
        is_source = op in VARIABLE_OPS or op in PLACEHOLDER_OPS or brings_data(op)
        fixed[i] = not is_source and all(fixed[p] for p in flow.inputs[i])
    for i in reversed(flow.order):
        users = graph.consumer_numbers[i]
        if users and all(result[c] for c in users) and (fixed[i] or _hands_on(graph, i, users)):
            result[i] = True


def _hands_on(graph: Graph, i: int, users: Sequence[int]) -> bool:
    scope = graph.names[i].rpartition("/")[0]
    return (
        kind_of(graph.ops[i]) == "shape" and bool(scope) and all(graph.names[c].startswith(f"{scope}/") for c in users)
    )
