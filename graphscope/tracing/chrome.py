"""Traced runs as a timeline for Perfetto (https://ui.perfetto.dev) and ``chrome://tracing``.

Source: Chrome's "Trace Event Format": complete events (X), flows (s, f), counters (C), metadata (M); times in microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from graphscope.core.tensors import shape_text
from graphscope.tracing.critical import Runs
from graphscope.tracing.lanes import rows_of
from graphscope.tracing.memory import allocated_over_time
from graphscope.tracing.step_stats import tag_of
from graphscope.tracing.steps import NS, Execution, OutputSlot, Step
from graphscope.tracing.trace import Trace

Event = dict[str, Any]

STEPS = 0
"""The process whose row shows the steps; devices follow."""


def chrome_trace(trace: Trace) -> Iterator[bytes]:
    """The JSON file in pieces: a row for each device and thread, ops with inputs, outputs and dependencies, memory."""
    start = min((step.start_ns for step in trace.steps if step.executions), default=0)
    head = {"displayTimeUnit": "ns", "otherData": {"model": trace.path, "outputs": ", ".join(trace.outputs)}}
    yield json.dumps(head)[:-1].encode() + b', "traceEvents": [\n'
    yield b",\n".join(json.dumps(event).encode() for event in events(trace, start))
    yield b"\n]}\n"


def events(trace: Trace, start_ns: int) -> list[Event]:
    """All events: names first, then by time, an op before the arrows that end at it."""
    rows = _Rows(trace.steps)
    found = [event for i, step in enumerate(trace.steps) for event in _of_step(trace, i, step, rows)]
    for event in found:
        event["ts"] = (event["ts"] - start_ns) / NS
    found.sort(key=lambda event: (event["ts"], _ORDER[event["ph"]], -event.get("dur", 0)))
    return [*rows.names(), *found]


_ORDER = {"X": 0, "s": 1, "f": 2, "C": 3}


class _Rows:
    """Numbers of processes (devices) and threads (rows)."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._rows = rows_of(steps)
        names = dict.fromkeys(self._rows.values())
        self.devices = {device: i for i, device in enumerate(sorted({device for device, _ in names}), STEPS + 1)}
        self._threads = {name: i for i, name in enumerate(sorted(names), 1)}

    def place(self, execution: Execution) -> Event:
        row = self._rows[id(execution)]
        return {"pid": self.devices[row[0]], "tid": self._threads[row]}

    def names(self) -> Iterator[Event]:
        yield _name("process_name", STEPS, 0, "steps")
        for device, pid in self.devices.items():
            yield _name("process_name", pid, 0, device)
            yield {"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": {"sort_index": pid}}
        for (device, row), tid in self._threads.items():
            yield _name("thread_name", self.devices[device], tid, row)


def _name(kind: str, pid: int, tid: int, name: str) -> Event:
    return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "args": {"name": name}}


def _of_step(trace: Trace, index: int, step: Step, rows: _Rows) -> Iterator[Event]:
    if not step.executions:
        return
    name = tag_of(trace.numbers[index])
    place = {"pid": STEPS, "tid": 0}
    yield _span("step", name, step.start_ns, step.span_ns, place, {"step": trace.numbers[index]})
    for execution in step.executions:
        yield _complete(trace, execution, rows)
    yield from _flows(trace, index, step, rows)
    for device, pid in rows.devices.items():
        yield from _counters(pid, [e for e in step.executions if e.device == device])


def _complete(trace: Trace, execution: Execution, rows: _Rows) -> Event:
    args = {
        "node": trace.names.node(execution.name) or execution.name,
        "name": execution.name,
        "op": execution.op,
        "inputs": ", ".join(execution.inputs),
        "outputs": ", ".join(map(_output_text, execution.outputs)),
        "output_bytes": execution.output_bytes,
        "allocated_bytes": execution.allocated_bytes,
        "waited_us": max(0, execution.start_ns - execution.scheduled_ns) / NS,
    }
    name = execution.op or execution.name
    return _span("op", name, execution.start_ns, execution.wall_ns, rows.place(execution), args)


def _span(category: str, name: str, start_ns: int, wall_ns: int, place: Event, args: Event) -> Event:
    return {"ph": "X", "cat": category, "name": name, "ts": start_ns, "dur": wall_ns / NS, **place, "args": args}


def _output_text(output: OutputSlot) -> str:
    return f"{output.dtype.label} {shape_text(output.shape)}"


def _flows(trace: Trace, index: int, step: Step, rows: _Rows) -> Iterator[Event]:
    """An arrow from the end of each execution to the start of each one that waited for it."""
    runs = Runs(step.executions)
    number = 0
    for consumer in step.executions:
        for producer in runs.waited_for(consumer, trace.partitions):
            number += 1
            both = {"cat": "dataflow", "name": producer.name, "id": f"{index}.{number}"}
            leaving = max(producer.start_ns, min(producer.end_ns - 1, consumer.start_ns))
            yield {"ph": "s", **both, "ts": leaving, **rows.place(producer)}
            yield {"ph": "f", "bp": "e", **both, "ts": max(leaving, consumer.start_ns), **rows.place(consumer)}


def _counters(pid: int, executions: Iterable[Execution]) -> Iterator[Event]:
    for when, allocated in dict(allocated_over_time(executions)).items():
        yield {"ph": "C", "name": "allocated", "pid": pid, "tid": 0, "ts": when, "args": {"bytes": allocated}}
