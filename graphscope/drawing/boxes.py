"""Name scopes as a tree of boxes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from graphscope.core.graph import Graph

MAX_LEVELS = 200
"""Names with more parts have the rest in one part."""


_NOTHING: list[Box] = []
"""What all nodes hold: one list for a hundred thousand of them."""


class Box:
    """A name scope, a series of similar boxes, or a node.

    Attributes:
        label: its name within the enclosing box.
        name: the whole name of a scope or node; empty for a series.
        node: the number of the node in its graph; -1 for a scope or series.
        children: its direct contents, in file order.
        is_series: whether its children were put together because they are alike; they are not named by it.
        is_outside: whether all its contents train, save or monitor.
        first, end: its nodes have the places from the one up to the other in the order of drawing.
        level: 0 for the outermost box.
    """

    __slots__ = ("children", "end", "first", "is_outside", "is_series", "label", "level", "name", "node", "number")

    def __init__(self, label: str, name: str, node: int = -1, is_series: bool = False) -> None:
        self.label = label
        self.name = name
        self.node = node
        self.children: list[Box] = [] if node < 0 else _NOTHING
        self.is_series = is_series
        self.is_outside = False
        self.number = self.first = self.end = self.level = 0

    @property
    def size(self) -> int:
        """The number of nodes drawn in it."""
        return self.end - self.first

    def leaves(self) -> Iterator[Box]:
        """The nodes in it, in their order."""
        stack = [self]
        while stack:
            box = stack.pop()
            if box.node >= 0:
                yield box
            stack.extend(reversed(box.children))


def scope_boxes(graph: Graph, drawn: Iterable[int]) -> Box:
    """The name scopes of the nodes ``drawn``; a scope with a single child is merged with it."""
    root = Box("", "")
    scopes = {"": root}
    names = graph.names
    numbers = list(drawn)
    inner = _inner_names(names[i] for i in numbers)
    for i in numbers:
        name = names[i]
        if name in inner:  # a scope has the name of the node
            _scope(scopes, name).children.append(Box(f"({name.rpartition('/')[2]})", name, i))
            continue
        outer, _, label = _split(name)
        _scope(scopes, outer).children.append(Box(label or name, name, i))
    for scope in reversed(scopes.values()):
        _merge_lonely(scope)
    return root


def _split(name: str) -> tuple[str, str, str]:
    if name.count("/") < MAX_LEVELS:
        return name.rpartition("/")
    rest = name.split("/", MAX_LEVELS)[-1]
    return name[: len(name) - len(rest) - 1], "/", rest


def _inner_names(names: Iterable[str]) -> set[str]:
    """All names that are scopes of others."""
    result: set[str] = set()
    for name in names:
        outer = _split(name)[0]
        while outer and outer not in result:
            result.add(outer)
            outer = outer.rpartition("/")[0]
    return result


def _scope(scopes: dict[str, Box], name: str) -> Box:
    missing = []
    outer = name
    while outer not in scopes:
        missing.append(outer)
        outer = outer.rpartition("/")[0]
    box = scopes[outer]
    for inner in reversed(missing):
        child = scopes[inner] = Box(inner.rpartition("/")[2], inner)
        box.children.append(child)
        box = child
    return box


def _merge_lonely(scope: Box) -> None:
    """A scope that is the only child of its parent is merged with it, ``a/b``; so is a single node."""
    for place, child in enumerate(scope.children):
        if child.node < 0 and len(child.children) == 1:
            [only] = child.children
            same = only.node >= 0 and only.name == child.name
            only.label = child.label if same else f"{child.label}/{only.label}"
            scope.children[place] = only


def number_boxes(root: Box) -> list[Box]:
    """All boxes in drawing order, each before its contents; fills in numbers, places and levels."""
    boxes: list[Box] = []
    stack = [root]
    place = 0
    while stack:
        box = stack.pop()
        box.number = len(boxes)
        box.first = place
        boxes.append(box)
        place += box.node >= 0
        for child in box.children:
            child.level = box.level + 1
        stack.extend(reversed(box.children))
    for box in reversed(boxes):
        if box.node >= 0:
            box.end = box.first + 1
        else:
            box.end = box.children[-1].end if box.children else box.first
    return boxes


def mark_outside(root: Box, outside: Sequence[bool]) -> None:
    """Fills ``is_outside``."""
    order = [root]
    for box in order:
        order.extend(box.children)
    for box in reversed(order):
        box.is_outside = (
            outside[box.node] if box.node >= 0 else bool(box.children) and all(c.is_outside for c in box.children)
        )
