"""Branches of ``Switch`` and ``Merge``: which nodes run only if a predicate is true, or false; and which branch is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from graphscope.analysis.cost.order import Dependencies
from graphscope.analysis.cost.turns import origin
from graphscope.analysis.shapes.flow import Flow
from graphscope.core.ops.sets import MERGES, SWITCHES

Predicate = tuple[int, int]
Guard = tuple[Predicate, int]
"""A predicate, and its value (0 or 1) for which a node runs."""

Guards = frozenset[Guard]

MAX_DEPTH = 64
"""Conds nested more deeply are not analyzed: both of their branches count."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A ``cond`` of which one branch was counted.

    Attributes:
        name: of the node that decides.
        taken: the value for which the counted branch runs.
        flops, other_flops: of the branch that is counted, and of the other.
    """

    name: str
    taken: str
    flops: int
    other_flops: int


def guards(flow: Flow, dependencies: Dependencies, order: Sequence[int]) -> dict[int, Guards]:
    """For each node of ``order``, the conditions under which it runs. Switches of loops are ignored."""
    ops, sources = flow.body.ops, flow.wiring.sources
    result: dict[int, Guards] = {}
    for place in order:
        through = {producer: index for producer, index in sources[place] if producer >= 0}
        arriving = [
            _guards_of(flow, result.get(producer, frozenset()), producer, through.get(producer))
            for producer in dependencies.inputs[place]
        ]
        if ops[place] in MERGES:
            result[place] = frozenset.intersection(*arriving) if arriving else frozenset()
        else:
            result[place] = frozenset().union(*arriving)
    return result


def _guards_of(flow: Flow, guards: Guards, producer: int, index: int | None) -> Guards:
    """What must be true for the output ``index`` of a producer that runs under ``guards``; ``None`` for a control edge."""
    return guards if len(guards) >= MAX_DEPTH else guards | _guard(flow, producer, index)


def _guard(flow: Flow, producer: int, index: int | None) -> Guards:
    if index is None or flow.body.ops[producer] not in SWITCHES or len(flow.wiring.sources[producer]) != 2:
        return frozenset()
    predicate = flow.wiring.sources[producer][1]
    if 0 <= predicate[0] < len(flow.body) and flow.body.ops[predicate[0]] == "LoopCond":
        return frozenset()
    return frozenset({(origin(flow, predicate), min(index, 1))})


Totals = Callable[[Iterable[int]], tuple[int, int]]
"""Operations and bytes of nodes."""


def choose(flow: Flow, guarded: dict[int, Guards], totals: Totals) -> tuple[set[int], list[Branch]]:
    """The nodes that run, and the conds whose larger branch was counted because the predicate is unknown.

    Inner conds are decided first, so that the cost of an outer branch includes the larger inner one.
    """
    alive = set(guarded)
    taken: list[Branch] = []
    members: dict[Guard, list[int]] = {}
    for place, found in guarded.items():
        for guard in found:
            members.setdefault(guard, []).append(place)
    for predicate in _inner_first(guarded):
        sides = [[place for place in members.get((predicate, value), ()) if place in alive] for value in (0, 1)]
        known = _known_value(flow, predicate)
        costs = [totals(side) for side in sides]
        value = known if known is not None else int(costs[1] >= costs[0])
        alive.difference_update(sides[1 - value])
        if known is None and costs[0] != costs[1]:
            name, text = _name(flow, predicate), str(bool(value)).lower()
            taken.append(Branch(name, text, costs[value][0], costs[1 - value][0]))
    return alive, taken


def _inner_first(guarded: dict[int, Guards]) -> list[Predicate]:
    depths: dict[Predicate, int] = {}
    for found in guarded.values():
        for predicate, _ in found:
            depths[predicate] = min(len(found), depths.get(predicate, len(found)))
    return sorted(depths, key=lambda predicate: (-depths[predicate], predicate))


def _known_value(flow: Flow, predicate: Predicate) -> int | None:
    value = flow.fact_at(*predicate).value if predicate[0] >= 0 else None
    return int(bool(value[0])) if value is not None and len(value) == 1 and value[0] in (0, 1) else None


def _name(flow: Flow, predicate: Predicate) -> str:
    place, _ = predicate
    if 0 <= place < len(flow.body):
        return flow.body.nodes[place].name
    return next((name for name, number in flow.wiring.places.items() if number == place), "?")
