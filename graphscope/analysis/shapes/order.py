"""The order in which nodes are visited, and the producer of each input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import cast

from graphscope.core.graph import Body, Node
from graphscope.core.ops.sets import MERGES, NEXT_ITERATIONS
from graphscope.core.ops.table import OpCatalog

Source = tuple[int, int]
"""Index of the producer among the nodes and arguments, and of its output; ``(-1, 0)`` if there is no such producer."""

NOWHERE: Source = (-1, 0)


class Wiring:
    """The data edges of a graph or a function's body, by number.

    Attributes:
        places: name of a node, or of a function's argument -> its number; arguments come after the nodes. Of nodes that share a
            name (an invalid graph), the last.
        size: how many nodes and arguments there are.
        wires: for each node and each of its inputs, the number of the node whose first output it is; ``None`` for all others.
    """

    def __init__(self, body: Body, arguments: Sequence[str], catalog: OpCatalog) -> None:
        self._body = body
        self._nodes = body.nodes
        self._catalog = catalog
        self.size = len(body.nodes) + len(arguments)
        self.places: Mapping[str, int] = body.numbers
        if arguments:
            self.places = {**body.numbers, **dict(zip(arguments, range(len(body.nodes), self.size)))}
        self.wires: list[list[int | None]] = [[None]] * len(self._nodes) if arguments else body.wires

    @cached_property
    def _plain(self) -> list[list[int]] | None:
        """:attr:`wires` where every input is the first output of a node."""
        is_odd = self.size > len(self._nodes) or None in chain.from_iterable(self.wires)
        return None if is_odd else cast("list[list[int]]", self.wires)

    @cached_property
    def sources(self) -> list[list[Source]]:
        """For each node, where its data inputs come from; most are the first output of another one."""
        firsts = [(i, 0) for i in range(self.size)]
        return [
            self._inputs(node) if None in wired else list(map(firsts.__getitem__, cast("list[int]", wired)))
            for node, wired in zip(self._nodes, self.wires)
        ]

    def sources_of(self, place: int) -> list[Source]:
        """Those of one node; most are told without :attr:`sources`."""
        wired = self.wires[place]
        return self.sources[place] if None in wired else [(producer, 0) for producer in cast("list[int]", wired)]

    def _inputs(self, node: Node) -> list[Source]:
        return [self.source(text) for text in node.proto.input if text[:1] != "^"]

    def source(self, text: str) -> Source:
        """Where ``a``, ``a:1`` or, within a function, ``a:out:1`` comes from."""
        place = self.places.get(text)
        if place is not None:
            return place, 0
        name, _, rest = text.partition(":")
        place = self.places.get(name)
        if place is None:
            return NOWHERE
        if rest.isdecimal() and rest.isascii():
            return place, int(rest[:9])
        return self._named_output(place, rest)

    def _named_output(self, place: int, rest: str) -> Source:
        argument, _, index = rest.partition(":")
        if place >= len(self._nodes) or (index and not (index.isdecimal() and index.isascii())):
            return NOWHERE
        node = self._nodes[place]
        for first, output in enumerate(self._catalog.outputs(node.op, node.attrs) or ()):
            if output.argument == argument:
                return place, first + int(index[:9] or 0)
        return NOWHERE

    def consumers(self) -> list[list[int]]:
        """For each node and argument, the nodes that take its outputs."""
        if self._plain is not None:
            return self._body.consumer_numbers
        result: list[list[int]] = [[] for _ in range(self.size)]
        for node, sources in enumerate(self.sources):
            for producer, _ in sources:
                if producer >= 0 and result[producer][-1:] != [node]:
                    result[producer].append(node)
        return result

    def order(self) -> Sequence[int]:
        """The nodes so that producers stand before consumers, but for the edges that close a cycle."""
        count = len(self._nodes)
        if self._plain is not None and all(not wired or max(wired) < node for node, wired in enumerate(self._plain)):
            return range(count)
        if all(p < node or p >= count for node, sources in enumerate(self.sources) for p, _ in sources):
            return range(count)
        loops = self._beginnings()
        result: list[int] = []
        state = bytearray(self.size)
        for argument in range(count, len(state)):
            state[argument] = _DONE
        for root in range(count):
            stack = [root] if not state[root] else []
            while stack:
                node = stack[-1]
                if not state[node]:
                    state[node] = _OPEN
                    sources = loops.get(node) or self.sources[node]
                    stack += [p for p, _ in sources if p >= 0 and not state[p]]
                    if stack[-1] != node:
                        continue
                stack.pop()
                if state[node] == _OPEN:
                    state[node] = _DONE
                    result.append(node)
        return result

    def _beginnings(self) -> dict[int, list[Source]]:
        """The nodes that merge what enters a loop with what comes round it -> the former."""
        ops = self._body.ops
        count = len(ops)
        return {
            node: [s for s in self.sources[node] if not (0 <= s[0] < count and ops[s[0]] in NEXT_ITERATIONS)]
            for node, op in enumerate(ops)
            if op in MERGES
        }


_OPEN, _DONE = 1, 2
