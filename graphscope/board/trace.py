"""Traced runs in TensorBoard's log directories: written for its Graphs page, and read from any writer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import BinaryIO

from graphscope.board.dump import run_name
from graphscope.board.run_directory import MARK, LogRun, RunFile, run_directory, write_run
from graphscope.board.writer import EventStream, event_file_name
from graphscope.core.changes.build import without_attrs
from graphscope.core.graph import Graph
from graphscope.core.model import Model
from graphscope.errors import GraphscopeError
from graphscope.formats import load
from graphscope.formats.events.event_file import Tagged, run_metadata
from graphscope.formats.io.paths import is_file
from graphscope.protos import MetaGraphDef, RunMetadata
from graphscope.tracing.step_stats import MEDIAN_STEP, board_median, board_steps
from graphscope.tracing.trace import Trace


def dump_trace(model: Model, trace: Trace, logdir: Path) -> LogRun:
    """Writes a run of ``logdir``: the graph, each traced run, and one with the median times of each node.

    The run is named after the model: ``lenet5-profile``. Only an earlier profile is replaced.

    Raises:
        FileError: it cannot be written; an existing run is kept.
    """
    directory = run_directory(logdir, f"{run_name(model)}-profile")
    return write_run(directory, [RunFile(event_file_name(MARK), _Events(model.meta, trace).write)])


class _Events:
    """The event file of a profile."""

    def __init__(self, meta: MetaGraphDef, trace: Trace) -> None:
        self.meta = meta
        self.trace = trace

    def write(self, file: BinaryIO) -> tuple[str, ...]:
        stream = EventStream(file)
        if self.trace.graph is not None:
            graph = with_devices_in_full(self.trace.graph, self.trace.devices)
            stream.graph(graph, self.meta if self.meta.ByteSize() else None)
        for number, (tag, metadata) in zip(self.trace.numbers, board_steps(self.trace)):
            stream.run_metadata(tag, metadata, number)
        tag, metadata = board_median(self.trace)
        stream.run_metadata(tag, metadata, self.trace.numbers[-1])
        return "graph", f"{len(self.trace.numbers)} traced steps", tag


def with_devices_in_full(graph: Graph, devices: Collection[str]) -> Graph:
    """Returns ``graph`` with device names as in the trace: ``/job:localhost/replica:0/task:0/device:CPU:1``.

    The page colors by the literal name, so nodes of the same device would have two colors: nodes that ran have the name in the
    trace, the others that in the graph. A name that matches several of ``devices``, or none, is kept.
    """
    full: dict[str, list[str]] = {}
    for device in devices:
        full.setdefault(device[device.rfind("/device:") :], []).append(device)
    only = {short: found[0] for short, found in full.items() if len(found) == 1}
    return graph.with_nodes(without_attrs(n, (), device=only[n.device]) if n.device in only else n for n in graph.nodes)


def read_trace(path: Path) -> Trace:
    """Reads the traces in an event file, or in a log directory with one run. Needs no TensorFlow.

    Raises:
        FileError: there is no event file.
        CorruptFileError: an event file is damaged.
        GraphscopeError: no run has traces, or several runs do.
    """
    found: dict[Path, list[tuple[Tagged, RunMetadata]]] = {}
    for tagged in run_metadata(path):
        metadata = tagged.metadata()
        if any(device.node_stats for device in metadata.step_stats.dev_stats) and not MEDIAN_STEP.fullmatch(tagged.tag):
            found.setdefault(tagged.path.parent, []).append((tagged, metadata))
    if len(found) != 1:
        raise _not_one(path, sorted(found))
    [(directory, traces)] = found.items()
    return _read(path, path if is_file(path) else directory, traces)


def _read(path: Path, place: Path, traces: Sequence[tuple[Tagged, RunMetadata]]) -> Trace:
    return Trace(
        path=str(path),
        metadata=[metadata for _, metadata in traces],
        numbers=[tagged.step for tagged, _ in traces],
        graph=_graph(place),
    )


def _not_one(path: Path, runs: Sequence[Path]) -> GraphscopeError:
    if not runs:
        return GraphscopeError(
            f"{path}: no event file holds a traced run",
            hint="a training logs one with RunOptions(trace_level=FULL_TRACE) and FileWriter.add_run_metadata",
        )
    listed = "\n".join(f"  {run}" for run in runs[:6])
    return GraphscopeError(
        f"{path}: {len(runs)} runs have traces:\n{listed}",
        hint=f"name one of them: {runs[0]}",
    )


def _graph(place: Path) -> Graph | None:
    """The graph that was logged with the traces, if there is one that can be read."""
    try:
        return load(place).graph
    except GraphscopeError:
        return None
