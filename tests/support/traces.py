"""Traces made by hand: what each op is, what it read, when it ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphscope.core.changes.build import make_node
from graphscope.core.graph import Graph
from graphscope.protos import GraphDef, NodeExecStats, RunMetadata
from graphscope.tracing.trace import Trace

CPU0 = "/job:localhost/replica:0/task:0/device:CPU:0"
CPU1 = "/job:localhost/replica:0/task:0/device:CPU:1"
EPOCH_NS = 1_700_000_000_000_000_000

Ran = tuple[str, str, Sequence[str], float, float]
"""Name, op, inputs, start and wall time in microseconds."""


def stat(name: str, op: str, inputs: Sequence[str], start_us: float, wall_us: float) -> NodeExecStats:
    start = EPOCH_NS + round(start_us * 1000)
    return NodeExecStats(
        node_name=name,
        timeline_label=f"{name} = {op}({', '.join(inputs)})",
        all_start_micros=start // 1000,
        all_start_nanos=start,
        all_end_rel_micros=round(wall_us),
        all_end_rel_nanos=round(wall_us * 1000),
        scheduled_nanos=start,
    )


def metadata(devices: Mapping[str, Iterable[Ran]], partitions: Iterable[GraphDef] = ()) -> RunMetadata:
    result = RunMetadata(partition_graphs=partitions)
    for device, ran in devices.items():
        result.step_stats.dev_stats.add(device=device, node_stats=[stat(*row) for row in ran])
    return result


def graph(*nodes: tuple[str, str, Sequence[str]]) -> Graph:
    return Graph(GraphDef(), [make_node(name, op, inputs) for name, op, inputs in nodes])


def trace(steps: Sequence[RunMetadata], of: Graph | None = None) -> Trace:
    return Trace("model", steps, range(1, len(steps) + 1), of)
