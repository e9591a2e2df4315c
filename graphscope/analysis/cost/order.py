"""The needed nodes, in an order in which they may run sequentially."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from graphscope.analysis.shapes.flow import Flow
from graphscope.core.ops.sets import NEXT_ITERATIONS


class Dependencies:
    """The data and control edges of a body, by number.

    Attributes:
        inputs: for each node, its predecessors, without function arguments.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._count = len(flow.body)
        self.inputs = [self._waits_for(place) for place in range(self._count)]

    def _waits_for(self, place: int) -> list[int]:
        places = self._flow.wiring.places
        data = [producer for producer, _ in self._flow.wiring.sources[place]]
        control = [places.get(text[1:], -1) for text in self._flow.body.nodes[place].proto.input if text[:1] == "^"]
        return [producer for producer in dict.fromkeys([*data, *control]) if 0 <= producer < self._count]

    def needed(self, ends: Iterable[int]) -> set[int]:
        """The nodes that ``ends`` need, themselves included."""
        result: set[int] = set()
        waiting = [end for end in ends if 0 <= end < self._count]
        while waiting:
            place = waiting.pop()
            if place not in result:
                result.add(place)
                waiting += self.inputs[place]
        return result

    def order(self, chosen: set[int]) -> Sequence[int]:
        """``chosen`` with each node after its inputs, otherwise in file order.

        Back edges of loops are ignored; the nodes of any other cycle, which cannot run, come last.
        """
        ops = self._flow.body.ops
        missing = {}
        followers: dict[int, list[int]] = {}
        for place in chosen:
            before = [p for p in self.inputs[place] if p in chosen and ops[p] not in NEXT_ITERATIONS]
            missing[place] = len(before)
            for producer in before:
                followers.setdefault(producer, []).append(place)
        ready = [place for place, count in missing.items() if not count]
        heapq.heapify(ready)
        result = []
        while ready:
            place = heapq.heappop(ready)
            result.append(place)
            for follower in followers.get(place, ()):
                missing[follower] -= 1
                if not missing[follower]:
                    heapq.heappush(ready, follower)
        return [*result, *sorted(chosen.difference(result))]
