"""Assigns executions to rows of a timeline: by thread, or to the first free row if the trace has no threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphscope.tracing.steps import Execution, Step


def rows_of(steps: Sequence[Step]) -> dict[int, tuple[str, str]]:
    """``id(execution)`` -> the device and the name of its row. Executions in a row without a thread never overlap."""
    result: dict[int, tuple[str, str]] = {}
    for device, executions in _by_device(steps).items():
        has_threads = any(e.thread for e in executions)
        free_ns: list[int] = []
        for execution in executions:
            result[id(execution)] = device, _row(execution, has_threads, free_ns)
    return result


def _by_device(steps: Sequence[Step]) -> dict[str, list[Execution]]:
    found: dict[str, list[Execution]] = {}
    for execution in _in_order(steps):
        found.setdefault(execution.device, []).append(execution)
    return found


def _in_order(steps: Sequence[Step]) -> Iterator[Execution]:
    for step in steps:
        yield from step.executions


def _row(execution: Execution, has_threads: bool, free_ns: list[int]) -> str:
    if execution.stream:
        return execution.stream
    if has_threads:
        return f"thread {execution.thread}"
    lane = next((i for i, free in enumerate(free_ns) if free <= execution.start_ns), len(free_ns))
    free_ns[lane : lane + 1] = [execution.end_ns]
    return f"row {lane + 1}"
