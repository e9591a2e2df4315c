"""Profiles a model: runs it with and without traces, and reports the cost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from graphscope.analysis.cost.measured import MeasuredFlops
from graphscope.core.graph import Graph
from graphscope.core.model import Model
from graphscope.core.tensors import Shape
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import GraphscopeError
from graphscope.feeding.default_feeds import fill_feeds, fit_feeds
from graphscope.protos import RunMetadata
from graphscope.runtime.config import AS_STATED, DEFAULT, Placing, SessionOptions
from graphscope.runtime.session import Session, open_session, unsuitable
from graphscope.runtime.tasks.answers import name_silent
from graphscope.runtime.tasks.master import placed_config
from graphscope.runtime.tensorflow import tensorflow
from graphscope.tracing.fused import done_by
from graphscope.tracing.partitions import without_weights
from graphscope.tracing.report import Feed
from graphscope.tracing.trace import Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 10
WARMUP = 3


def trace(
    model: Model,
    outputs: Sequence[str],
    feeds: Mapping[str, NDArray[Any]] | None = None,
    *,
    steps: int = STEPS,
    warmup: int = WARMUP,
    batch: int = 1,
    seed: int = 0,
    values: Mapping[str, Payload] | None = None,
    options: SessionOptions = DEFAULT,
    placing: Placing = AS_STATED,
    trust: bool = False,
) -> Trace:
    """Runs ``outputs`` alternately with full traces and without. Starts TensorFlow, with its default kernels.

    The model's files do not change: a train op updates the variables in memory.

    Args:
        outputs: tensors or nodes, such as train ops.
        feeds: node or tensor name -> value; of every other input that is needed, training switches are set for inference
            and the rest is random.
        steps: number of traced runs and of untraced runs; 1 or more.
        warmup: number of untraced runs before.
        batch: the size of unknown dimensions.
        seed: of what is random.
        values: variable op -> content that replaces the checkpoint's.
        options: of the session.
        placing: where nodes run.
        trust: also run nodes that touch files, the network or processes.

    Raises:
        UnknownNameError: the model has no such output or tensor.
        IncompleteModelError: a variable has no value.
        UnsupportedError: the run needs an op that TensorFlow does not have.
        UntrustedError: the graph does more than compute, and ``trust`` is not set.
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: a value does not fit, a device or the master is not available, or TensorFlow cannot run the graph.
    """
    given = fit_feeds(model, feeds or {})
    switches, random = fill_feeds(model, outputs, list(given), seed=seed, unknown=batch)
    fed = _Fed({spec.name: value for spec, value in given.items()}, switches, random)
    with (
        name_silent(placing),
        open_session(
            model,
            outputs,
            given=list(given),
            values=values,
            placing=placing,
            config=lambda: placed_config(options, placing),
            trust=trust,
        ) as session,
    ):
        runs = _Runs(session, outputs, fed.values)
        try:
            runs.warm_up(warmup)
            runs.run(steps)
        except GraphscopeError as error:
            raise _with_hint(error, random) from error.__cause__
        found = _trace(model, outputs, placing, fed, runs)
        return replace(found, placement=session.placement, present=session.devices if placing.master else ())


@dataclass(frozen=True, slots=True)
class _Fed:
    """What is fed, by where it comes from."""

    given: Mapping[str, NDArray[Any]]
    switches: Mapping[str, NDArray[Any]]
    random: Mapping[str, NDArray[Any]]

    @property
    def values(self) -> dict[str, NDArray[Any]]:
        return {**self.given, **self.switches, **self.random}

    def told(self) -> Iterator[Feed]:
        for how, values in (("given", self.given), ("for inference", self.switches), ("random", self.random)):
            for name, value in values.items():
                yield Feed(name, DataType.from_numpy(value.dtype), value.shape, how)


class _Runs:
    """Runs of one session.

    Attributes:
        metadata: of the traced ones, the first with the partition graphs.
        untraced_us, traced_us: wall times.
    """

    def __init__(self, session: Session, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> None:
        self.session = session
        self.outputs = outputs
        self.feeds = feeds
        self.metadata: list[RunMetadata] = []
        self.untraced_us: list[float] = []
        self.traced_us: list[float] = []
        self.partitions: list[Any] = []

    def warm_up(self, count: int) -> None:
        """Lets TensorFlow optimize the graph, for traced runs too; the partition graphs come of this, for they take time."""
        self.untraced()
        self.partitions = [without_weights(graph) for graph in self.traced(partitions=True)[1].partition_graphs]
        for _ in range(count - 1):
            self.untraced()
            self.traced()

    def run(self, steps: int) -> None:
        """Alternates traced and untraced runs, so that other load on the machine affects both equally."""
        for _ in range(steps):
            self.untraced_us.append(self.untraced())
            wall_us, metadata = self.traced()
            self.traced_us.append(wall_us)
            self.metadata.append(metadata)
        self.metadata[0].partition_graphs.extend(self.partitions)

    def untraced(self) -> float:
        """One run; its wall time in microseconds."""
        return self.time_run()

    def traced(self, *, partitions: bool = False) -> tuple[float, RunMetadata]:
        """One traced run: its wall time in microseconds, and its metadata."""
        tf1 = tensorflow().compat.v1
        told = tf1.RunMetadata()
        asked = tf1.RunOptions(trace_level=tf1.RunOptions.FULL_TRACE, output_partition_graphs=partitions)
        wall_us = self.time_run(options=asked, run_metadata=told)
        return wall_us, RunMetadata.FromString(told.SerializeToString())

    def time_run(self, **options: Any) -> float:
        """One run; its wall time in microseconds."""
        start = time.perf_counter_ns()
        self.session.run(self.outputs, self.feeds, **options)
        return (time.perf_counter_ns() - start) / 1000


def _trace(model: Model, outputs: Sequence[str], placing: Placing, fed: _Fed, runs: _Runs) -> Trace:
    graph = placing.graph(model.graph)
    found = Trace(
        path=model.path,
        metadata=runs.metadata,
        numbers=range(1, len(runs.metadata) + 1),
        graph=graph,
        outputs=outputs,
        feeds=list(fed.told()),
        untraced_us=runs.untraced_us,
        traced_us=runs.traced_us,
    )
    return replace(found, flops=_flops(found, graph))


def _flops(trace: Trace, graph: Graph) -> dict[str, int]:
    """Node -> operations of one execution; of a fused kernel those of all nodes that it stands for.

    What passes between the nodes of a fused kernel is of the shape that it gives: only element-wise ops follow the first.
    """
    ran = {e.name: e for step in trace.steps for e in step.executions if not e.stream}
    shapes: dict[str, Shape] = {feed.tensor: feed.shape for feed in trace.feeds}
    shapes |= {f"{e.name}:{o.slot}": o.shape for e in ran.values() for o in e.outputs}
    counter = MeasuredFlops(graph, shapes)
    names = ran.keys() | trace.partitions.nodes.keys()
    found = {}
    for name, execution in ran.items():
        members = done_by(graph, name, execution.op, names)
        given = execution.outputs[0].shape if execution.outputs else None
        found[name] = counter.of(members, {f"{member}:0": given for member in members})
    return {name: flops for name, flops in found.items() if flops is not None}


def _with_hint(error: GraphscopeError, random: Mapping[str, NDArray[Any]]) -> GraphscopeError:
    """The error; if random inputs may be the reason, it lists them."""
    if not random or error.hint is not None or type(error) is not GraphscopeError:
        return error
    fed = ", ".join(f"{name} {value.dtype} {value.shape}" for name, value in random.items())
    hint = unsuitable(fed)
    return GraphscopeError(error.message, hint=hint)
