"""The number of iterations of a loop, if constants determine it: a counter, its step and its limit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from graphscope.analysis.shapes.facts import Fact
from graphscope.analysis.shapes.flow import Flow
from graphscope.core.ops.sets import ENTERS, MERGES, NEXT_ITERATIONS, SWITCHES

Source = tuple[int, int]

_PASSES = SWITCHES | ENTERS | {"Identity", "RefIdentity", "Cast", "LoopCond"}
_ADDITIONS = frozenset({"Add", "AddV2"})
_COMPARISONS = {"Less": (1, 0), "LessEqual": (1, 1), "Greater": (-1, 0), "GreaterEqual": (-1, 1)}
"""Op -> the direction of the counter, and whether the limit itself is included."""
_MIRRORED = {"Less": "Greater", "LessEqual": "GreaterEqual", "Greater": "Less", "GreaterEqual": "LessEqual"}
_MAX_FOLLOWED = 64


@dataclass(frozen=True, slots=True)
class Turns:
    """The number of iterations of a loop.

    Attributes:
        count: the number; 1 if unknown.
        is_known: whether constants determine it.
        is_limit: whether ``count`` is an upper bound: another condition may end the loop earlier.
    """

    count: int = 1
    is_known: bool = False
    is_limit: bool = False


UNKNOWN_TURNS = Turns()


@dataclass(frozen=True, slots=True)
class Counter:
    """A loop variable: its initial value and the increment per iteration."""

    start: int | float
    step: int | float


def turns(flow: Flow, condition: Source, counter: Callable[[Source], Counter | None]) -> Turns:
    """The number of iterations of a loop.

    Args:
        flow: what the condition is computed in.
        condition: the boolean computed before each iteration.
        counter: what is known of a variable of the loop, by where it comes from.
    """
    limits = [_limit(flow, part, counter) for part in _conjuncts(flow, condition)]
    known = [limit for limit in limits if limit is not None]
    if not known:
        return UNKNOWN_TURNS
    return Turns(min(known), is_known=True, is_limit=len(known) < len(limits))


def _conjuncts(flow: Flow, condition: Source) -> Iterator[Source]:
    """The conditions that must all hold."""
    waiting = [condition]
    for _ in range(_MAX_FOLLOWED):
        if not waiting:
            return
        place, index = origin(flow, waiting.pop())
        if 0 <= place < len(flow.body) and flow.body.ops[place] == "LogicalAnd":
            waiting += flow.wiring.sources[place][:2]
        elif _number(flow, (place, index)) is not True:
            yield place, index


def _limit(flow: Flow, condition: Source, counter: Callable[[Source], Counter | None]) -> int | None:
    place, _ = condition
    if not 0 <= place < len(flow.body) or flow.body.ops[place] not in _COMPARISONS:
        return None
    op = flow.body.ops[place]
    sources = flow.wiring.sources[place]
    if len(sources) != 2:
        return None
    left, right = (origin(flow, source) for source in sources)
    for comparison, variable, limit in ((op, left, right), (_MIRRORED[op], right, left)):
        number, counted = _number(flow, limit), counter(variable)
        if number is not None and counted is not None:
            return _count(comparison, counted, number)
    return None


def _count(op: str, counter: Counter, limit: int | float) -> int | None:
    if not all(map(math.isfinite, (limit, counter.start, counter.step))):
        return None
    direction, extra = _COMPARISONS[op]
    step, distance = counter.step * direction, (limit - counter.start) * direction
    if distance < 0 or (distance == 0 and not extra):
        return 0
    if step <= 0:
        return None
    return int(distance // step + 1) if extra else int(-(-distance // step))


def function_counter(body: Flow, start: Fact, argument: Source, returned: Source) -> Counter | None:
    """A variable of a ``While``: the body computes ``returned`` from ``argument``."""
    first, step = single(start), added(body, returned, argument)
    return Counter(first, step) if first is not None and step is not None else None


def merge_counter(flow: Flow, merge: Source) -> Counter | None:
    """A variable of a loop of ``Enter``, ``Merge`` and ``NextIteration``."""
    place, _ = merge
    if not 0 <= place < len(flow.body) or flow.body.ops[place] not in MERGES:
        return None
    first = step = None
    for source in flow.wiring.sources[place]:
        if 0 <= source[0] < len(flow.body) and flow.body.ops[source[0]] in NEXT_ITERATIONS:
            step = added(flow, flow.wiring.sources[source[0]][0], merge)
        else:
            first = _number(flow, source)
    return Counter(first, step) if first is not None and step is not None else None


def added(flow: Flow, result: Source, variable: Source) -> int | float | None:
    """The constant whose sum with ``variable`` is ``result``; ``None`` if it is computed differently."""
    place, _ = origin(flow, result)
    if not 0 <= place < len(flow.body) or len(flow.wiring.sources[place]) != 2:
        return None
    op = flow.body.ops[place]
    left, right = (origin(flow, source) for source in flow.wiring.sources[place])
    if op in _ADDITIONS and right[0] == variable[0]:
        left, right = right, left
    number = _number(flow, right)
    if left[0] != variable[0] or number is None:
        return None
    return number if op in _ADDITIONS else -number if op == "Sub" else None


def origin(flow: Flow, source: Source) -> Source:
    """The origin of a tensor, looked up through pass-through nodes."""
    for _ in range(_MAX_FOLLOWED):
        place, _ = source
        if not 0 <= place < len(flow.body) or flow.body.ops[place] not in _PASSES or not flow.wiring.sources[place]:
            break
        source = flow.wiring.sources[place][0]
    return source


def _number(flow: Flow, source: Source) -> int | float | None:
    return single(flow.fact_at(*source)) if source[0] >= 0 else None


def single(fact: Fact) -> int | float | None:
    """The one number in a tensor; ``None`` if it is not known, or there are more."""
    value = fact.value[0] if fact.value is not None and len(fact.value) == 1 else None
    return value if isinstance(value, (int, float)) else None
