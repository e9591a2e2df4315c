"""Traced runs of one graph: the source of reports, event files and timelines."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from graphscope.core.graph import Graph
from graphscope.protos import RunMetadata
from graphscope.tracing.names import NodeNames
from graphscope.tracing.partitions import Partitions
from graphscope.tracing.report import Feed, Placement
from graphscope.tracing.steps import Step, read_step


@dataclass(frozen=True)
class Trace:
    """One or more traced runs of the same graph.

    Attributes:
        path: the model, or the log directory that the traces are from.
        metadata: the metadata of each run; one of them has the partition graphs, if requested.
        numbers: the number of each run, as its tag in TensorBoard states it.
        graph: the graph that was run, with the devices that it requests; ``None`` if unknown.
        outputs: the computed outputs.
        feeds: the fed values.
        untraced_us: wall time of runs that were not traced, in microseconds, as the caller saw it.
        traced_us: wall time of the traced ones.
        placement: TensorFlow's placement of the graph's own nodes; empty if that is not known.
        present: full names of all devices of a cluster, idle ones too; empty for other traces.
        flops: node -> floating-point operations of one execution, where they are known.
    """

    path: str
    metadata: Sequence[RunMetadata]
    numbers: Sequence[int]
    graph: Graph | None = None
    outputs: Sequence[str] = ()
    feeds: Sequence[Feed] = ()
    untraced_us: Sequence[float] = ()
    traced_us: Sequence[float] = ()
    placement: Sequence[Placement] = ()
    present: Sequence[str] = ()
    flops: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def steps(self) -> list[Step]:
        """The executions of each run."""
        return [read_step(metadata.step_stats) for metadata in self.metadata]

    @cached_property
    def devices(self) -> list[str]:
        """The devices that were used, sorted."""
        return sorted({e.device for step in self.steps for e in step.executions})

    @cached_property
    def partitions(self) -> Partitions:
        """The graphs that ran; empty if no run recorded them."""
        return Partitions(next((m.partition_graphs for m in self.metadata if m.partition_graphs), ()))

    @cached_property
    def names(self) -> NodeNames:
        """Finds the graph's nodes by the trace's names; without a graph, the names are those of its nodes."""
        if self.graph is not None:
            return NodeNames(self.graph.by_name)
        return NodeNames({e.name for step in self.steps for e in step.executions if not e.name.startswith("_")})

    @cached_property
    def typical(self) -> Step:
        """The step whose span is the median (of an even number, the shorter one)."""
        spans = [step.span_ns for step in self.steps]
        return self.steps[spans.index(statistics.median_low(spans))]
