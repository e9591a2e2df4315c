"""Shapes through one graph, or through one function's body for given arguments."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, reduce
from typing import Protocol, cast

from graphscope.analysis.shapes.call import Call, Setting
from graphscope.analysis.shapes.facts import UNKNOWN, Fact, Facts, join_facts, outputs
from graphscope.analysis.shapes.loops import MAX_TURNS, Widening
from graphscope.analysis.shapes.order import Wiring
from graphscope.analysis.shapes.rules import find_rule
from graphscope.analysis.shapes.sizes import ShapeError
from graphscope.core.graph import Body, Node
from graphscope.core.ops.sets import MERGES
from graphscope.core.ops.table import OpCatalog

Revise = Callable[[Node, Sequence[Fact]], Sequence[Fact]]

_NOTHING = (UNKNOWN,)
"""What is taken for the outputs of a node that was not looked at yet, or has none."""


class Surroundings(Protocol):
    """State shared between the flows through a graph and its functions."""

    @property
    def catalog(self) -> OpCatalog:
        """The ops that the graph may use."""

    @property
    def producer(self) -> int:
        """The graph's producer version."""

    def run(self, function: str, arguments: Sequence[Fact]) -> Facts | None:
        """See :meth:`Setting.run`."""

    def enter(self, function: str, arguments: Sequence[Fact]) -> Flow | None:
        """The body of a library function for ``arguments``; ``None`` if there is none, or too much was looked at."""

    @property
    def errors(self) -> Mapping[str, str]:
        """The errors of nodes."""

    def note_error(self, function: str, node: str, message: str | None) -> None:
        """Keeps what is wrong with a node; ``None`` takes back what was said of it before."""

    def note_lack(self, function: str, node: str, op: str) -> None:
        """Records that there is no rule for a node."""


class Flow(Setting):
    """Infers facts for the outputs of all nodes of one body.

    Args:
        shared: see :class:`Surroundings`.
        body: the graph, or a function.
        name: the function's; empty for the graph.
        arguments: name of a function's argument -> what is known of its tensors.

    Attributes:
        stated: facts about outputs that the caller supplies, by node number: they replace the result of the rule.
        revise: gives what a node's inputs are taken for, in place of what is known of them.
    """

    revise: Revise | None = None

    def __init__(
        self,
        shared: Surroundings,
        body: Body,
        name: str = "",
        arguments: Mapping[str, Facts] | None = None,
    ) -> None:
        arguments = arguments or {}
        self._shared = shared
        self.body = body
        self._name = name
        self.wiring = Wiring(body, list(arguments), shared.catalog)
        self.stated: dict[int, dict[int, Fact]] = {}
        self.facts: list[Facts | None] = [None] * len(body.nodes) + list(arguments.values())
        self._ops = body.ops
        self._wires = self.wiring.wires
        self._widenings: dict[int, Widening] = {}
        self._order = self.wiring.order()

    @property
    def producer(self) -> int:
        """See :class:`Setting`."""
        return self._shared.producer

    def run(self, function: str, arguments: Sequence[Fact]) -> Facts | None:
        """See :class:`Setting`."""
        return self._shared.run(function, arguments)

    def enter(self, function: str, arguments: Sequence[Fact]) -> Flow | None:
        """See :meth:`Surroundings.enter`."""
        return self._shared.enter(function, arguments)

    def call(self, place: int) -> Call:
        """The call for the node with a given number."""
        node, inputs = self.body.nodes[place], self.inputs(place)
        return Call(node, inputs if self.revise is None else self.revise(node, inputs), self)

    @property
    def order(self) -> Sequence[int]:
        """See :meth:`Wiring.order`."""
        return self._order

    @cached_property
    def consumers(self) -> list[list[int]]:
        """See :meth:`Wiring.consumers`."""
        return self.wiring.consumers()

    @cached_property
    def _ranks(self) -> list[int]:
        """The place of each node in the order."""
        ranks = [0] * len(self._order)
        for rank, place in enumerate(self._order):
            ranks[place] = rank
        return ranks

    def infer(self) -> None:
        """Visits every node once, then repeats the loops until nothing changes."""
        self._sweep(self._order)

    def infer_again(self, changed: Iterable[int]) -> None:
        """Looks again at the nodes ``changed`` and at all that depend on them."""
        affected: set[int] = set()
        waiting = list(changed)
        while waiting:
            place = waiting.pop()
            if place not in affected:
                affected.add(place)
                waiting += self.consumers[place]
        for place in affected:
            self.facts[place] = None
            self._widenings.pop(place, None)
        self._sweep([place for place in self._order if place in affected])

    def _sweep(self, order: Sequence[int]) -> None:
        facts = self.facts
        for place in order:
            facts[place] = self._look_at(place)
        self._settle(self._open_merges(order))

    def _open_merges(self, order: Sequence[int]) -> list[int]:
        """The beginnings of loops among ``order``: a node that merges what was not known yet when it was looked at."""
        return [
            place
            for place in order
            if self._ops[place] in MERGES
            and any(
                p >= 0 and p < len(self._ranks) and self._ranks[p] >= self._ranks[place]
                for p, _ in self.wiring.sources_of(place)
            )
        ]

    def _settle(self, merges: Sequence[int]) -> None:
        """Looks again at what depends on ``merges`` until nothing changes."""
        if not merges:
            return
        turns: Counter[int] = Counter()
        queue = [(self._ranks[place], place) for place in merges]
        heapq.heapify(queue)
        waiting = set(merges)
        while queue:
            _, place = heapq.heappop(queue)
            waiting.discard(place)
            turns[place] += 1
            new = self._look_at(place) if turns[place] <= MAX_TURNS else ()
            if _are_same(self.facts[place] or (), new):
                continue
            self.facts[place] = new
            for consumer in self.consumers[place]:
                if consumer not in waiting:
                    waiting.add(consumer)
                    heapq.heappush(queue, (self._ranks[consumer], consumer))

    def _look_at(self, place: int) -> Facts:
        op = self._ops[place]
        given = self._merge(place) if op in MERGES else self._by_rule(place, op)
        stated = self.stated.get(place)
        if stated is None:
            return given
        count = max(len(given), max(stated) + 1)
        return tuple(stated.get(k, given[k] if k < len(given) else UNKNOWN) for k in range(count))

    def _by_rule(self, place: int, op: str) -> Facts:
        rule = find_rule(op)
        node = self.body.nodes[place]
        call = self.call(place)
        if rule is None:
            return self._without_rule(call)
        try:
            given = rule(call)
        except ShapeError as error:
            self._shared.note_error(self._name, node.name, str(error))
            return ()
        if self._shared.errors:
            self._shared.note_error(self._name, node.name, None)
        return given

    def _without_rule(self, call: Call) -> Facts:
        """A call of a library function by its name; if there is none, what the graph states."""
        given = self.run(call.node.op, call.inputs)
        if given is not None:
            return given
        self._shared.note_lack(self._name, call.node.name, call.node.op)
        return outputs(*call.shape_attrs("_output_shapes"))

    def inputs(self, place: int) -> list[Fact]:
        """What is known of the data inputs of a node."""
        facts, wired = self.facts, self._wires[place]
        if None not in wired:
            return [(facts[producer] or _NOTHING)[0] for producer in cast("list[int]", wired)]
        return [
            given[index] if producer >= 0 and (given := facts[producer]) is not None and index < len(given) else UNKNOWN
            for producer, index in self.wiring.sources[place]
        ]

    def fact_at(self, place: int, index: int) -> Fact:
        """What is known of an output of the node with a number."""
        given = self.facts[place]
        return given[index] if given is not None and index < len(given) else UNKNOWN

    def fact(self, text: str) -> Fact:
        """What is known of a tensor, by any of its names within this body."""
        producer, index = self.wiring.source(text)
        return self.fact_at(producer, index) if producer >= 0 else UNKNOWN

    def _merge(self, place: int) -> Facts:
        """What is true of all inputs that were looked at already: one that comes round a loop is not, the first time."""
        arrived = []
        for producer, index in self.wiring.sources_of(place):
            given = self.facts[producer] if producer >= 0 else ()
            if given is not None:
                arrived.append(given[index] if index < len(given) else UNKNOWN)
        joined = reduce(join_facts, arrived) if arrived else UNKNOWN
        before = self.facts[place]
        widening = self._widenings.setdefault(place, Widening())
        return widening.widen(before[0] if before else None, joined), Fact(())


def _are_same(one: Facts, other: Facts) -> bool:
    return len(one) == len(other) and all(a.same(b) for a, b in zip(one, other))
