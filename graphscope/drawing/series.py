"""Groups repeated blocks: similar siblings are put into one box, ``×12``."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence

from graphscope.core.patterns import NamePattern
from graphscope.drawing.boxes import Box

_NUMBERED = NamePattern(r"(?P<before>.*?)_?(?P<number>\d+)(?P<after>\D*)", re.DOTALL)
CHAIN = 3
"""Minimum number of consecutive equal blocks that are grouped."""
MANY = 24
"""Number of boxes in a scope from which similar ones are grouped, chained or not."""
FEWEST = 4
"""Minimum size of such a group."""
TOO_MANY = 60
"""Number of boxes in a scope from which nodes of one op, and scopes of one name, are grouped, similar or not."""
MOST = 300
"""Maximum number of boxes in one scope; more are split into groups."""


class Grouping:
    """Groups similar siblings everywhere below a box.

    Args:
        describe: the properties by which nodes are similar: op, types and shapes.
        op: the op of a node, by its number.
        inputs: the numbers of the nodes that feed a node, as drawn.
    """

    def __init__(
        self, describe: Callable[[int], Hashable], op: Callable[[int], str], inputs: Callable[[int], Sequence[int]]
    ) -> None:
        self._describe = describe
        self._op = op
        self._inputs = inputs
        self._ids: dict[Hashable, int] = {}
        self._likeness: dict[int, int] = {}

    def apply(self, root: Box) -> None:
        """Changes the children of ``root`` and of all scopes in it."""
        order = [root]
        for box in order:
            order.extend(child for child in box.children if child.node < 0)
        for box in reversed(order):  # from within: a scope's own likeness is that of what it holds
            box.children = self._group(box)

    def _group(self, scope: Box) -> list[Box]:
        children = scope.children
        if len(children) >= MANY:
            children = self._together(children, self._alike, _are_many)
        elif sum(child.node < 0 for child in children) >= CHAIN:
            children = self._together(children, self._alike_scopes, self._is_repeated)
        if len(children) > TOO_MANY:
            children = self._together(children, self._similar, _are_many)
        return list(_pieces(children))

    def _alike(self, box: Box) -> Hashable:
        if box.is_series:
            return None
        return (_stem(box.label), box.is_outside, self._like(box))

    def _alike_scopes(self, box: Box) -> Hashable:
        return self._alike(box) if box.node < 0 else None

    def _similar(self, box: Box) -> Hashable:
        if box.is_series:
            return None
        return (self._op(box.node) if box.node >= 0 else _stem(box.label), box.node >= 0, box.is_outside)

    def _is_repeated(self, members: Sequence[Box]) -> bool:
        """Whether they are consecutive blocks: each feeds another one."""
        if len(members) < CHAIN:
            return False
        owner = {leaf.node: place for place, box in enumerate(members) for leaf in box.leaves()}
        fed = {
            owner[source]
            for node, place in owner.items()
            for source in self._inputs(node)
            if owner.get(source, place) != place
        }
        return len(fed) >= len(members) - 1

    def _like(self, box: Box) -> int:
        """A number that boxes with equal contents in the same order share."""
        known = self._likeness.get(id(box))
        if known is None:
            what: Hashable = (
                self._describe(box.node) if box.node >= 0 else tuple(self._like(child) for child in box.children)
            )
            known = self._likeness[id(box)] = self._ids.setdefault(what, len(self._ids))
        return known

    def _together(
        self, children: Sequence[Box], key: Callable[[Box], Hashable], wanted: Callable[[Sequence[Box]], bool]
    ) -> list[Box]:
        groups: dict[Hashable, list[Box]] = {}
        keys = [key(child) for child in children]
        for name, child in zip(keys, children):
            groups.setdefault(name, []).append(child)
        taken = {
            name: members
            for name, members in groups.items()
            if name is not None and 1 < len(members) < len(children) and wanted(members)
        }
        result: list[Box] = []
        for name, child in zip(keys, children):
            members = taken.get(name)
            if members is None:
                result.append(child)
            elif members[0] is child:
                result.append(self._series(members))
        return result

    def _series(self, members: list[Box]) -> Box:
        first, last = members[0], members[-1]
        label = _range(first.label, last.label) if _stem(first.label) == _stem(last.label) else self._op(first.node)
        box = Box(label, "", is_series=True)
        box.children = list(_pieces(members))
        box.is_outside = all(member.is_outside for member in members)
        return box


def _are_many(members: Sequence[Box]) -> bool:
    return len(members) >= FEWEST


def _range(first: str, last: str) -> str:
    """``block_1…12``."""
    match = _NUMBERED.fullmatch(last)
    return f"{first}…{match['number']}" if match is not None and not match["after"] else f"{first}…{last}"


def _stem(label: str) -> tuple[str, str]:
    match = _NUMBERED.fullmatch(label)
    return (match["before"], match["after"]) if match is not None else (label, "")


def _pieces(children: list[Box]) -> Iterator[Box]:
    """The boxes themselves; too many are split into groups of neighbors."""
    if len(children) <= MOST:
        yield from children
        return
    size = max(MOST // 3, -(-len(children) // MOST))
    for place in range(0, len(children), size):
        part = children[place : place + size]
        box = Box(f"{part[0].label} … {part[-1].label}", "", is_series=True)
        box.children = part
        box.is_outside = all(member.is_outside for member in part)
        yield box
