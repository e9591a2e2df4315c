"""Matches nodes by structure, regardless of names: the same op with the same inputs or consumers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from graphscope.analysis.diff.sides import Matching, Side
from graphscope.core.graph import Node
from graphscope.core.order import needed_first
from graphscope.core.tensors import node_of

_PAIR, _ENOUGH, _MOST = 3, 4, 99
"""How many nodes a pair counts for, from how many on agreement in one direction is no accident, and where counting ends."""


@dataclass(frozen=True, slots=True)
class _Hashes:
    """For each node, by its number, what it agrees in with others of the same hash, and how much that says.

    Attributes:
        hashes: 0 for a node that has none yet, where a loop closes.
        evidence: the number of nodes that the hash goes through, a pair counting for several.
    """

    hashes: Sequence[int]
    evidence: Sequence[int]


def match_by_structure(matching: Matching) -> int:
    """Pairs open nodes by the hashes of what is above and below them; returns how many.

    A hash covers unmatched nodes only: a node that already has a partner is represented by that pair. Nodes that agree in both
    hashes are paired in file order; those that agree in one of them if nothing else does.
    """
    open_a, open_b = matching.find_searched()
    if not open_a or not open_b:
        return 0
    before = len(matching.forward)
    a, b = _Part(matching.a, open_a, matching.forward), _Part(matching.b, open_b, {})
    above, below = (a.above(), b.above()), (a.below(), b.below())
    _pair(matching, a, b, *map(_both, above, below), is_alone=False)
    _pair(matching, a, b, *above, is_alone=True)
    _pair(matching, a, b, *below, is_alone=True)
    return len(matching.forward) - before


def _both(above: _Hashes, below: _Hashes) -> _Hashes:
    return _Hashes(
        list(map(hash, zip(above.hashes, below.hashes))),
        [one + other - 1 for one, other in zip(above.evidence, below.evidence)],
    )


def _pair(matching: Matching, a: _Part, b: _Part, ones: _Hashes, others: _Hashes, *, is_alone: bool) -> None:
    groups = a.groups(ones, matching.forward)
    other_groups = b.groups(others, matching.backward)
    for key, group in groups.items():
        partners = other_groups.get(key, ())
        if len(group) == len(partners) and (len(group) == 1 or not is_alone):
            for name, other in zip(group, partners):
                matching.add(name, other)


class _Part:
    """The open nodes of a body. Nodes go by their numbers.

    Args:
        partners: node that is not open -> its name in the second body.
    """

    def __init__(self, side: Side, nodes: Iterable[Node], partners: Mapping[str, str]) -> None:
        self.side = side
        self.body = side.body
        self.names = side.body.names
        self.partners = partners
        numbers = side.body.numbers
        self.numbers = [numbers[node.proto.name] for node in nodes]
        self.is_open = bytearray(len(self.names))
        for number in self.numbers:
            self.is_open[number] = 1

    @cached_property
    def keys(self) -> list[int]:
        """By number: :meth:`Side.key` of open nodes, 0 of others."""
        found = [0] * len(self.names)
        for number in self.numbers:
            found[number] = self.side.key(number)
        return found

    @cached_property
    def order(self) -> list[int]:
        """The unmatched nodes, each after its inputs; a cycle is entered anywhere."""
        wires = self.body.wires
        if all(source is not None and source < number for number in self.numbers for source in wires[number]):
            return self.numbers
        find, names = self.body.numbers, self.names

        def sources(name: str) -> Iterator[str]:
            for source in self._sources(find[name]):
                if source is not None and self.is_open[source]:
                    yield names[source]

        return [find[name] for name in needed_first([names[number] for number in self.numbers], sources)]

    def _sources(self, number: int) -> list[int | None]:
        """The producer of each input; ``None`` for an argument of a function."""
        wired = self.body.wires[number]
        if None not in wired:
            return wired
        find = self.body.numbers.get
        return [find(node_of(text)) for text in self.body.nodes[number].proto.input]

    def above(self) -> _Hashes:
        """Of what open nodes do and of what they are made of."""
        hashes, evidence = [0] * len(self.names), [0] * len(self.names)
        is_open, wires, keys = self.is_open, self.body.wires, self.keys
        for number in self.order:
            wired = wires[number]
            if None in wired:
                hashes[number], evidence[number] = self._above_with_names(number, hashes, evidence)
                continue
            weight, sources = 1, [keys[number]]
            for source in wired:
                assert source is not None
                if is_open[source]:
                    weight += evidence[source]
                    sources.append(hashes[source])
                else:
                    weight += _PAIR
                    sources.append(self._outside(self.names[source]))
            hashes[number], evidence[number] = hash(tuple(sources)), min(weight, _MOST)
        return _Hashes(hashes, evidence)

    def _above_with_names(self, number: int, hashes: Sequence[int], evidence: Sequence[int]) -> tuple[int, int]:
        """The same for a node with inputs that are not the first output of a node: others, control inputs, arguments."""
        data: list[object] = [self.keys[number]]
        control, weight = [], 1
        for text, source in zip(self.body.nodes[number].proto.input, self._sources(number)):
            name, _, port = text.partition(":")
            if source is not None and self.is_open[source]:
                found, counted = hashes[source], evidence[source]
            else:
                found, counted = self._outside(name.removeprefix("^")), _PAIR
            weight += counted
            if name.startswith("^"):
                control.append(found)
            else:
                data.append(found if port in ("", "0") else (found, port))
        whole = hash((tuple(data), *sorted(control))) if control else hash(tuple(data))
        return whole, min(weight, _MOST)

    def _outside(self, name: str) -> int:
        """The key of a matched node: its name in the second body."""
        return hash(self.partners.get(name, name))

    def below(self) -> _Hashes:
        """Of what open nodes do and of what is made of them."""
        hashes, evidence = [0] * len(self.names), [1] * len(self.names)
        uses: list[list[int]] = [[] for _ in self.names]
        for number, name in enumerate(self.names):
            if not self.is_open[number]:
                self._tell_sources(number, self._outside(name), _PAIR, uses, evidence)
        for number in reversed(self.order):
            taken = uses[number]
            taken.sort()
            hashes[number] = hash((self.keys[number], *taken))
            evidence[number] = min(evidence[number], _MOST)
            self._tell_sources(number, hashes[number], evidence[number], uses, evidence)
        return _Hashes(hashes, evidence)

    def _tell_sources(self, number: int, taker: int, weight: int, uses: list[list[int]], evidence: list[int]) -> None:
        """Adds a taker, by its hash and the number of the input, to all that it takes."""
        is_open = self.is_open
        wired = self.body.wires[number]
        is_plain = None not in wired
        for position, source in enumerate(wired if is_plain else self._sources(number)):
            if source is not None and is_open[source]:
                is_control = not is_plain and self.body.nodes[number].proto.input[position].startswith("^")
                uses[source].append(hash((taker, -1 if is_control else position)))
                evidence[source] += weight

    def groups(self, found: _Hashes, taken: Mapping[str, str]) -> dict[int, list[str]]:
        """Hash -> the open nodes that have it, of those that are not ``taken`` and whose hash says enough."""
        groups: defaultdict[int, list[str]] = defaultdict(list)
        for number in self.numbers:
            if found.evidence[number] >= _ENOUGH and self.names[number] not in taken:
                groups[found.hashes[number]].append(self.names[number])
        return groups


def match_neighbours(matching: Matching) -> int:
    """Pairs open nodes of one op in the same place beside nodes that are paired; returns how many.

    The place is one input of both partners, or being the only taker of its op as that input.
    """
    before = len(matching.forward)
    around = (name for node in matching.find_searched()[0] for name in _around(matching.a, node))
    pending = [name for name in dict.fromkeys(around) if name in matching.forward]
    while pending:
        name = pending.pop()
        for found, other in (*_same_inputs(matching, name), *_same_takers(matching, name)):
            if found not in matching.forward and other not in matching.backward:
                matching.add(found, other)
                pending.append(found)
    return len(matching.forward) - before


def _around(side: Side, node: Node) -> Iterator[str]:
    yield from map(node_of, node.inputs)
    yield from (taker for taker, _ in side.takers(node.name))


def _same_inputs(matching: Matching, name: str) -> Iterable[tuple[str, str]]:
    a, b = matching.a.body.get(name), matching.b.body.get(matching.forward[name])
    if a is None or b is None:
        return
    for text, other in zip(a.data_inputs(), b.data_inputs()):
        found, found_other = node_of(text), node_of(other)
        if _is_open_pair(matching, found, found_other):
            yield found, found_other


def _same_takers(matching: Matching, name: str) -> Iterable[tuple[str, str]]:
    ones = _open_takers(matching.a, name, matching.forward)
    others = _open_takers(matching.b, matching.forward[name], matching.backward)
    for key, names in ones.items():
        if len(names) == 1 and len(others.get(key, ())) == 1:
            yield names[0], others[key][0]


def _open_takers(side: Side, name: str, taken: Mapping[str, str]) -> dict[tuple[str, int], list[str]]:
    found: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for taker, position in side.takers(name):
        if taker not in taken and position >= 0:
            found[side.body.by_name[taker].op, position].append(taker)
    return found


def _is_open_pair(matching: Matching, name: str, other: str) -> bool:
    if name in matching.forward or other in matching.backward:
        return False
    a, b = matching.a.body.get(name), matching.b.body.get(other)
    return a is not None and b is not None and a.op == b.op
