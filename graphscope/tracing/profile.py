"""Creates the report from traced runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphscope.tracing.costs import node_costs
from graphscope.tracing.critical import critical_path, median_walls
from graphscope.tracing.fused import covered_nodes, plain_op
from graphscope.tracing.groups import by_device, by_op, by_scope, group_rows
from graphscope.tracing.partitions import RanNode
from graphscope.tracing.quantiles import times_of, times_of_ns
from graphscope.tracing.report import CriticalPath, Executed, NodeCost, PathCost, Profile
from graphscope.tracing.steps import NS, Execution
from graphscope.tracing.trace import Trace


def report(trace: Trace) -> Profile:
    """The cost of the traced runs. ``trace`` has at least one step."""
    nodes = node_costs(trace)
    unfound = [node for node in nodes if not node.is_found]
    return Profile(
        path=trace.path,
        outputs=trace.outputs,
        feeds=trace.feeds,
        steps=len(trace.steps),
        untraced=times_of(trace.untraced_us) if trace.untraced_us else None,
        traced=times_of(trace.traced_us) if trace.traced_us else None,
        span=times_of_ns(step.span_ns for step in trace.steps),
        wall_us=sum(node.times.wall_us for node in nodes),
        unfound=list(dict.fromkeys(node.name for node in unfound)),
        unfound_stats=_unfound_stats(trace, unfound),
        unfound_share=sum(node.share for node in unfound),
        nodes=nodes,
        ops=by_op(nodes),
        scopes=by_scope(nodes),
        devices=by_device(nodes, trace),
        placement=trace.placement,
        executed=list_executed(trace),
        critical=_critical(trace),
    )


def _unfound_stats(trace: Trace, unfound: Sequence[NodeCost]) -> int:
    names = {node.name for node in unfound}
    return sum(e.name in names for step in trace.steps for e in step.executions)


def list_executed(trace: Trace) -> list[Executed]:
    """What ran on each device, by the partition graphs; nodes that a fused kernel stands for are with it."""
    found = []
    for ran in trace.partitions.computing:
        node = trace.names.node(ran.name)
        found.append(Executed(ran.name, node, ran.op, _requested_device(trace, node), ran.device))
        found += _executed_within(trace, node, ran)
    return found


def _executed_within(trace: Trace, node: str, ran: RanNode) -> Iterator[Executed]:
    if trace.graph is not None:
        for name in covered_nodes(trace.graph, node, ran.op, trace.partitions.nodes):
            op, requested = trace.graph[name].op, _requested_device(trace, name)
            yield Executed(name, name, op, requested, ran.device, ran.name)


def _requested_device(trace: Trace, name: str) -> str:
    node = trace.graph.get(name) if trace.graph is not None else None
    return node.device if node is not None else ""


def _critical(trace: Trace) -> CriticalPath:
    step = trace.typical
    walls = median_walls(trace.steps, step)
    path = critical_path(step.executions, trace.partitions, walls)
    by_name = group_rows(path, lambda e: f"{trace.names.node(e.name) or e.name}\n{e.device}")
    wall_us = sum(walls[id(e)] for e in path) / NS
    nodes = [_on_path(trace, runs, walls) for runs in by_name.values()]
    return CriticalPath(wall_us, len(path), nodes)


def _on_path(trace: Trace, runs: Sequence[Execution], walls_ns: Mapping[int, int]) -> PathCost:
    longest = max(runs, key=lambda e: e.wall_ns)
    name = trace.names.node(longest.name) or longest.name
    wall_us = sum(walls_ns[id(e)] for e in runs) / NS
    own = sum(e.name == longest.name for e in runs)
    return PathCost(name, plain_op(longest.op), longest.device, own, wall_us)
