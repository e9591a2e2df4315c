"""A page for two compared graphs: side by side, with the differences colored and listed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from graphscope.analysis.diff.report import Change, Difference, DiffReport
from graphscope.core.graph import called_functions
from graphscope.drawing.boxes import Box
from graphscope.drawing.colors import PLAIN, Coloring, Swatch, by_op
from graphscope.drawing.diagram import Diagram
from graphscope.drawing.drawing import SavedDrawing
from graphscope.drawing.opening import COMFORTABLE
from graphscope.drawing.writers.html import ChangeRow, Changes, Pane, page
from graphscope.errors import ArgumentError
from graphscope.formats.io.atomic import write_file
from graphscope.formats.io.places import refuse_unwritable

ADDED, REMOVED, CHANGED, RENAMED = (change.value for change in Change)
EXPLAINED = "explained"
"""Class of nodes that differ for a reason that the report gives: frozen, folded."""

_LEGEND = {
    ADDED: "added",
    REMOVED: "removed",
    CHANGED: "changed",
    RENAMED: "renamed",
    EXPLAINED: "changed by freezing or folding",
    PLAIN: "the same",
}
_OVERALL = frozenset({RENAMED, EXPLAINED})
"""The class of a box in which some parts are equal."""


@dataclass(frozen=True, repr=False)
class DiffDrawing:
    """Two graphs and their differences, ready to be drawn.

    Attributes:
        report: the comparison of the drawn graphs.
        first, second: the graphs.
    """

    report: DiffReport
    first: Diagram
    second: Diagram

    def __repr__(self) -> str:
        return f"<DiffDrawing {self.title!r}: {len(self.report.differences):,} differences>"

    @property
    def title(self) -> str:
        """The title of the page."""
        return f"{self.first.title} → {self.second.title}"

    def html(self) -> str:
        """The page: one file that needs no network."""
        return page(self.title, self._panes, Changes(self.report.summary, list(self._rows())))

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> SavedDrawing:
        """Writes the page.

        Args:
            overwrite: replace an existing file.

        Raises:
            ArgumentError: the name does not end in ``.html``.
            FileError: the file exists and ``overwrite`` is not set, or cannot be written; an existing file is kept.
        """
        refuse_other_ending(path)
        refuse_unwritable(path, overwrite)
        size = write_file(path, [self.html().encode()], overwrite=overwrite)
        nodes = len(self.first.nodes) + len(self.second.nodes)
        return SavedDrawing(os.fspath(path), "html", size, sum(map(_count_shown, self._panes)), nodes)

    @cached_property
    def _sides(self) -> tuple[_Side, _Side]:
        partners = self.report.partners
        return _Side(self.first, partners), _Side(self.second, {other: name for name, other in partners.items()})

    @cached_property
    def _panes(self) -> tuple[Pane, Pane]:
        return self._pane(0), self._pane(1)

    @cached_property
    def _colors(self) -> tuple[list[str], list[str]]:
        """For each graph the classes of its boxes."""
        first, second = (side.colors(list(self._classes(number))) for number, side in enumerate(self._sides))
        return first, second

    def _pane(self, number: int) -> Pane:
        side, other = self._sides[number], self._sides[1 - number]
        met = {*self._colors[0], *self._colors[1]}
        legend = [Swatch(name, label) for name, label in _LEGEND.items() if name in met]
        coloring = Coloring("diff", "Differences", self._colors[number], legend)
        partners = [other.places.get(side.partners.get(name, ""), -1) for name in side.names]
        root = side.diagram.root
        return Pane(side.diagram, (coloring, by_op(side.diagram)), _open_at_changes(root, coloring), root, partners)

    def _classes(self, number: int) -> Iterator[str]:
        """For each place in one graph the class of its node."""
        side = self._sides[number]
        explained = {name for e in self.report.explanations for name in e.names if e.kind != "scope renamed"}
        changed = {d.name for d in self.report.differences if not d.function and d.change is Change.CHANGED}
        functions = {d.function for d in self.report.differences if d.function}
        for place, name in enumerate(side.names):
            partner = side.partners.get(name)
            first = (partner if number else name) or ""
            if partner is None:
                yield ADDED if number else REMOVED
            elif first in changed or (functions and side.calls(place, functions)):
                yield CHANGED
            elif first in explained:
                yield EXPLAINED
            else:
                yield PLAIN if partner == name else RENAMED

    def _rows(self) -> Iterator[ChangeRow]:
        for explanation in self.report.explanations:
            change = RENAMED if explanation.kind == "scope renamed" else EXPLAINED
            places = self._places(explanation.names[0]) if explanation.names else (-1, -1)
            yield ChangeRow(EXPLAINED, change, "", explanation.text, places)
        for found in self.report.differences:
            name = f"{found.function}/{found.name}" if found.function else found.name
            places = (-1, -1) if found.function else self._places_of(found)
            yield ChangeRow(found.section.value, found.change.value, name, found.detail, places)

    def _places_of(self, found: Difference) -> tuple[int, int]:
        if found.change is Change.ADDED:
            return -1, self._sides[1].places.get(found.name, -1)
        return self._places(found.name)

    def _places(self, name: str) -> tuple[int, int]:
        """Of a node by its name in the first graph."""
        first, second = self._sides
        return first.places.get(name, -1), second.places.get(self.report.partners.get(name, ""), -1)


class _Side:
    """One graph.

    Attributes:
        diagram: its diagram.
        partners: node -> the node of the other graph that it is compared with.
        names: place -> node.
        places: node -> place.
    """

    def __init__(self, diagram: Diagram, partners: Mapping[str, str]) -> None:
        self.diagram = diagram
        self.partners = partners
        self.names = [diagram.graph.names[number] for number in diagram.nodes]
        self.places = {name: place for place, name in enumerate(self.names)}

    def calls(self, place: int, functions: set[str]) -> bool:
        """Whether a node calls one of ``functions``."""
        return not functions.isdisjoint(called_functions([self.diagram.graph.nodes[self.diagram.nodes[place]]]))

    def colors(self, classes: Sequence[str]) -> list[str]:
        """The class of each box; that of a node follows from its own and those of what is drawn in it."""
        diagram = self.diagram
        drawn: list[set[str]] = [set() for _ in range(diagram.visible)]
        for place, found in enumerate(classes):
            if place not in diagram.unrelated:
                drawn[diagram.hosts[place]].add(found)
        own = [_of_node(classes[place], found) for place, found in enumerate(drawn)]
        return [_together(own[box.first : box.end]) for box in diagram.boxes]


def _of_node(own: str, drawn: Iterable[str]) -> str:
    return own if own in (ADDED, REMOVED) else _together(drawn)


def _together(classes: Iterable[str]) -> str:
    """The class of a box that holds these."""
    found = set(classes)
    different = found - {PLAIN}
    if len(found) == 1 or (len(different) == 1 and different <= _OVERALL):
        return max(different, default=PLAIN)
    return CHANGED if different else PLAIN


def _count_shown(pane: Pane) -> int:
    """The number of boxes shown initially."""
    return sum(len(box.children) for box in pane.diagram.boxes if box is pane.root or pane.is_open(box))


def _open_at_changes(root: Box, coloring: Coloring) -> Callable[[Box], bool]:
    """Opens scopes with both equal and different contents, level by level, up to the limit."""
    room = COMFORTABLE
    chosen: set[int] = set()
    row = [root]
    while row:
        inner = []
        for child in (child for box in row for child in box.children):
            if child.node < 0 and coloring.of(child) == CHANGED and len(child.children) <= room:
                room -= len(child.children)
                chosen.add(child.number)
                inner.append(child)
        row = inner
    return lambda box: box.number in chosen


def refuse_other_ending(path: str | os.PathLike[str]) -> None:
    """Refuses a name that does not end in ``.html``.

    Raises:
        ArgumentError: it does not.
    """
    if not os.fspath(path).lower().endswith(".html"):
        raise ArgumentError(
            f"{os.fspath(path)}: a comparison is drawn as a page", hint="give a name that ends in .html"
        )
