"""Reads the times of nodes from a timeline written by :mod:`graphscope.tracing.chrome`, as in a report of the same traces."""

from __future__ import annotations

import bisect
import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from graphscope.tracing.quantiles import times_of

_Key = tuple[str, int]
"""A node, and the number of the device that it ran on."""


def timeline_times(text: bytes) -> dict[str, float]:
    """Node -> the time of one step in microseconds: the median over the steps of all its runs in one.

    Raises:
        ValueError: it is not JSON, or not a timeline written by graphscope.
    """
    try:
        events = json.loads(text)["traceEvents"]
        starts = [event["ts"] for event in events if event.get("cat") == "step"]
        walls = _walls([event for event in events if event.get("cat") == "op"], starts)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not a timeline that graphscope wrote") from error
    if not starts:
        raise ValueError("a timeline without steps")
    result: dict[str, float] = defaultdict(float)
    for (node, _), by_step in walls.items():
        result[node] += times_of([by_step.get(step, 0.0) for step in range(len(starts))]).wall_us
    return result


def _walls(ops: list[dict[str, Any]], starts: list[float]) -> Mapping[_Key, dict[int, float]]:
    """For each node and device: the number of a step -> the time of its runs in it."""
    walls: dict[_Key, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for event in ops:
        key = str(event["args"]["node"]), int(event["pid"])
        walls[key][bisect.bisect_right(starts, event["ts"]) - 1] += float(event["dur"])
    return walls
