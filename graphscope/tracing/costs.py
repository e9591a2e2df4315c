"""Computes the cost of each node from traced steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from graphscope.core.tensors import TensorSpec
from graphscope.tracing.fused import covered_nodes, plain_op
from graphscope.tracing.quantiles import times_of_ns
from graphscope.tracing.report import NodeCost, Times
from graphscope.tracing.steps import Execution
from graphscope.tracing.trace import Trace

Key = tuple[str, str]
"""Node (or, if none was found, the trace's name) and device."""


def node_costs(trace: Trace) -> list[NodeCost]:
    """The cost of each node, highest first. A node that sends something to another device counts on both."""
    steps = [_by_key(trace, step.executions) for step in trace.steps]
    keys = list(dict.fromkeys(key for step in steps for key in step))
    times = {key: times_of_ns([_wall_ns(step.get(key, ())) for step in steps]) for key in keys}
    total = sum(t.wall_us for t in times.values())
    ran = {e.name for step in trace.steps for e in step.executions} | trace.partitions.nodes.keys()
    last = {key: step[key] for step in steps for key in step}
    costs = [_cost(trace, key, last[key], times[key], total, ran) for key in keys]
    return sorted(costs, key=lambda cost: -cost.times.wall_us)


def _by_key(trace: Trace, executions: Sequence[Execution]) -> Mapping[Key, list[Execution]]:
    found: dict[Key, list[Execution]] = defaultdict(list)
    for execution in executions:
        found[trace.names.node(execution.name) or execution.name, execution.device].append(execution)
    return found


def _wall_ns(executions: Sequence[Execution]) -> int:
    return sum(execution.wall_ns for execution in executions)


def _cost(
    trace: Trace, key: Key, executions: Sequence[Execution], times: Times, total: float, ran: set[str]
) -> NodeCost:
    name, device = key
    node = trace.graph.get(name) if trace.graph is not None else None
    main = _main(name, executions)
    kernel = main[0].op
    flops = trace.flops.get(name) if main[0].name == name else None
    return NodeCost(
        name=name,
        is_found=bool(trace.names.node(name)),
        op=node.op if node is not None else "",
        kernel=plain_op(kernel),
        covers=covered_nodes(trace.graph, name, kernel, ran) if trace.graph is not None else (),
        device=device,
        executions=len(main),
        times=times,
        share=times.wall_us / total if total else 0.0,
        outputs=tuple(TensorSpec(f"{name}:{o.slot}", o.dtype, o.shape) for o in main[0].outputs),
        output_bytes=sum(e.output_bytes for e in main),
        allocated_bytes=sum(e.allocated_bytes for e in executions),
        flops=None if flops is None else flops * len(main),
        flops_per_s=flops * len(main) / times.wall_us * 1e6 if flops is not None and times.wall_us else None,
    )


def _main(name: str, executions: Sequence[Execution]) -> list[Execution]:
    """The executions of the node itself, without added nodes; if it did not run itself, those of the longest one."""
    own = [e for e in executions if e.name == name and not e.stream]
    if own:
        return own
    longest = max(executions, key=lambda e: e.wall_ns)
    return [e for e in executions if (e.name, e.op) == (longest.name, longest.op)]
