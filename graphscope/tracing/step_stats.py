"""Traces as TensorBoard's Graphs page shows them.

The page looks each stat up by its node's name, and drops it silently where the graph that it has drawn has no such node.
It spans the time of a node from its first start to its last end, over all devices. It draws constants and summaries inside
the nodes beside them, and shows no stats for these. It takes whole microseconds, and devices called ``/device:TYPE:N``. So
each node gets one stat, on the device where it ran, under its name in the graph; a constant counts in a node that reads it,
and ``_SOURCE``, with which TensorFlow starts all nodes that wait for nothing, in these, in equal parts.

Source: ``joinStatsInfoWithGraph`` and ``DefaultBuildParams`` in ``tensorboard/plugins/graph/tf_graph_common/graph.ts``,
``NodeStats`` in ``util.ts``.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from graphscope.core.graph import Graph, Node
from graphscope.protos import NodeExecStats, RunMetadata
from graphscope.tracing.names import NodeNames
from graphscope.tracing.partitions import Partitions, without_weights
from graphscope.tracing.steps import NS, Execution, Step
from graphscope.tracing.trace import Trace

SOURCE = "_SOURCE"
"""The pseudo-node that starts, on each device, all nodes without inputs; not in any graph."""

MEDIAN_STEP = re.compile(r"median of \d+ steps")
"""The tag of an aggregated step, which is not a run."""

_INSIDE_CONSUMER = re.compile(r".*Const.*", re.DOTALL)
_INSIDE_PRODUCER = re.compile(r"[a-zA-Z]+Summary")
_OLD_DEVICE = re.compile(r"/([a-z]+)(:\d+)$")
_MAX_STEPS = 8


def tag_of(number: int) -> str:
    """The tag of step ``number``: TensorBoard sorts tags as text."""
    return f"step {number:04d}"


def median_tag(steps: int) -> str:
    """The tag of the aggregated step."""
    return f"median of {steps} steps"


class Shown:
    """Where the Graphs page shows the stats of a node.

    Args:
        graph: as it is logged.
        names: finds its nodes by the trace's names.
        steps: a constant is shown in a node that ran in one of them, if there is one.
    """

    def __init__(self, graph: Graph, names: NodeNames, steps: Sequence[Step]) -> None:
        self._graph = graph
        self._names = names
        self._ran = {names.node(e.name) for step in steps for e in step.executions}
        self._known: dict[str, str] = {}

    def node(self, name: str) -> str:
        """The drawn node under which what ran as ``name`` is shown; empty if there is none."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._find_drawn(self._names.node(name))
        return found

    def _find_drawn(self, name: str) -> str:
        """Follows constants to a consumer and summaries to a producer, until a node is drawn by itself."""
        for _ in range(_MAX_STEPS):
            node = self._graph.get(name)
            if node is None:
                return ""
            around = self._around(node)
            if around is None:
                return name
            name = min((n.name for n in around), key=lambda n: n not in self._ran, default="")
        return ""

    def _around(self, node: Node) -> Sequence[Node] | None:
        if _INSIDE_CONSUMER.fullmatch(node.op):
            return self._graph.consumers(node.name)
        return self._graph.producers(node) if _INSIDE_PRODUCER.match(node.op) else None


def board_steps(trace: Trace) -> Iterator[tuple[str, RunMetadata]]:
    """Each traced run with its tag, for TensorBoard; the first with the partition graphs, without their weights.

    ``trace`` has a graph.
    """
    if trace.graph is None:
        return
    shown = Shown(trace.graph, trace.names, trace.steps)
    for number, step, metadata in zip(trace.numbers, trace.steps, trace.metadata):
        result = _metadata(merge_executions(step, shown, trace.partitions))
        result.partition_graphs.extend(map(without_weights, metadata.partition_graphs))
        yield tag_of(number), result


def board_median(trace: Trace) -> tuple[str, RunMetadata]:
    """One step in which each node takes the median of its times, with its tag. ``trace`` has a graph."""
    if trace.graph is None:
        return median_tag(len(trace.steps)), RunMetadata()
    shown = Shown(trace.graph, trace.names, trace.steps)
    steps = [merge_executions(step, shown, trace.partitions) for step in trace.steps]
    medians = {}
    for name, execution in merge_executions(trace.typical, shown, trace.partitions).items():
        wall = round(statistics.median(s[name].wall_ns if name in s else 0 for s in steps))
        medians[name] = _lasting(execution, wall)
    return median_tag(len(trace.steps)), _metadata(side_by_side(medians))


def side_by_side(executions: Mapping[str, Execution]) -> dict[str, Execution]:
    """The same times, one after the other in the order of the scopes.

    The page colors a scope by the span from its first start to its last end. Where the nodes of each scope follow one another,
    that is the sum of their times.
    """
    result = {}
    start = min((execution.start_ns for execution in executions.values()), default=0) // NS * NS
    for name in sorted(executions, key=lambda name: name.split("/")):
        execution = executions[name]
        wall = max(1, round(execution.wall_ns / NS)) * NS  # as the page counts: in whole microseconds, one at least
        result[name] = replace(execution, start_ns=start, end_ns=start + execution.wall_ns)
        start += wall
    return result


def merge_executions(step: Step, shown: Shown, partitions: Partitions) -> Mapping[str, Execution]:
    """Drawn node -> one execution that has the time and the allocations of all that is shown under it."""
    groups: dict[str, list[Execution]] = {}
    for execution in step.executions:
        name = shown.node(execution.name)
        if name:
            groups.setdefault(name, []).append(execution)
    for source in (e for e in step.executions if e.name == SOURCE):
        started = [name for name, ran in groups.items() if _is_started_by(source, ran, partitions)] or list(groups)[:1]
        for name in started:
            groups[name].append(_lasting(source, source.wall_ns // len(started)))
    return {name: _merge(name, executions) for name, executions in groups.items()}


def _is_started_by(source: Execution, executions: Sequence[Execution], partitions: Partitions) -> bool:
    return any(e.device == source.device and not any(partitions.sources(e.name, e.inputs)) for e in executions)


def _merge(name: str, executions: Sequence[Execution]) -> Execution:
    own = [e for e in executions if e.name == name] or executions
    main = max(own, key=lambda e: (bool(e.outputs), e.wall_ns))
    whole = _lasting(main, sum(e.wall_ns for e in executions))
    return Execution(
        name=name,
        op=main.op,
        device=main.device,
        stream="",
        thread=0,
        scheduled_ns=min(e.scheduled_ns for e in executions),
        start_ns=whole.start_ns,
        end_ns=whole.end_ns,
        inputs=main.inputs,
        outputs=main.outputs,
        allocated_bytes=sum(e.allocated_bytes for e in executions),
        persistent_bytes=sum(e.persistent_bytes for e in executions),
        allocations=tuple(sorted(record for e in executions for record in e.allocations)),
    )


def _lasting(execution: Execution, wall_ns: int) -> Execution:
    return replace(execution, end_ns=execution.start_ns + wall_ns)


def _metadata(executions: Mapping[str, Execution]) -> RunMetadata:
    result = RunMetadata()
    devices: dict[str, list[NodeExecStats]] = {}
    for execution in executions.values():
        devices.setdefault(board_device(execution.device), []).append(_stat(execution))
    for device, stats in devices.items():
        result.step_stats.dev_stats.add(device=device, node_stats=stats)
    return result


def board_device(device: str) -> str:
    """``/cpu:0``, as TensorFlow wrote it before 1.4, is ``/device:CPU:0``."""
    return _OLD_DEVICE.sub(lambda m: f"/device:{m[1].upper()}{m[2]}", device)


def _stat(execution: Execution) -> NodeExecStats:
    """At least one microsecond: TensorBoard takes 0 for a time that is not known."""
    wall = max(execution.wall_ns, 1)
    label = f"{execution.name} = {execution.op}({', '.join(execution.inputs)})"
    stat = NodeExecStats(
        node_name=execution.name,
        timeline_label=label,
        scheduled_micros=execution.scheduled_ns // NS,
        scheduled_nanos=execution.scheduled_ns,
        all_start_micros=execution.start_ns // NS,
        all_start_nanos=execution.start_ns,
        all_end_rel_micros=max(1, round(wall / NS)),
        all_end_rel_nanos=wall,
    )
    if execution.allocated_bytes:
        memory = stat.memory.add(allocator_name="all", total_bytes=execution.allocated_bytes)
        for when, size_bytes in execution.allocations:
            memory.allocation_records.add(alloc_micros=when // NS, alloc_bytes=size_bytes)
    stat.memory_stats.persistent_memory_size = execution.persistent_bytes
    for output in execution.outputs:
        tensor = stat.output.add(slot=output.slot).tensor_description
        tensor.dtype = int(output.dtype)
        tensor.allocation_description.requested_bytes = output.size_bytes
        tensor.shape.SetInParent()  # a scalar has one too: the page reads it of every output, and fails without
        for size in output.shape:
            tensor.shape.dim.add(size=size)
    return stat
