"""Loops of ``Enter``, ``Exit`` and ``NextIteration``: their nodes and numbers of iterations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphscope.analysis.cost.order import Dependencies
from graphscope.analysis.cost.turns import Turns, merge_counter, turns
from graphscope.analysis.shapes.flow import Flow
from graphscope.core.checks.frames import Frame, entered, left


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop.

    Attributes:
        name: of its frame, or of the node that runs it.
        turns: number of iterations.
    """

    name: str
    turns: Turns


def frames(flow: Flow, dependencies: Dependencies, order: Sequence[int]) -> dict[int, Frame]:
    """For each node of ``order``, the enclosing loops. The condition runs once more, which is not counted."""
    ops = flow.body.ops
    result: dict[int, Frame] = {}
    for place in order:
        inner: Frame = ()
        for producer in dependencies.inputs[place]:
            inner = max(inner, left(ops[producer], result.get(producer, ())), key=len)
        result[place] = entered(flow.body.nodes[place], inner)
    return result


def loops(flow: Flow, framed: dict[int, Frame]) -> dict[Frame, Loop]:
    """Each loop by its frame."""
    result = {frame: Loop(frame[-1], Turns()) for frame in framed.values() if frame}
    for place, frame in framed.items():
        if flow.body.ops[place] == "LoopCond" and frame:
            condition = flow.wiring.sources[place][0] if flow.wiring.sources[place] else (-1, 0)
            result[frame] = Loop(frame[-1], turns(flow, condition, lambda source: merge_counter(flow, source)))
    return result


def executions(frame: Frame, known: dict[Frame, Loop]) -> int:
    """How often a node of a frame runs."""
    count = 1
    for depth in range(1, len(frame) + 1):
        count *= known[frame[:depth]].turns.count if frame[:depth] in known else 1
    return count
