"""The results of a comparison."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphscope.core.shown import Shown
from graphscope.core.units import count


class Section(str, enum.Enum):
    """The subject of a difference, in report order."""

    SIGNATURES = "signatures"
    INPUTS = "inputs"
    NAMES = "names"
    NODES = "nodes"
    WIRING = "wiring"
    ATTRIBUTES = "attributes"
    WEIGHTS = "weights"
    FUNCTIONS = "functions"
    OBJECTS = "objects"
    COLLECTIONS = "collections"
    ASSETS = "assets"
    VERSIONS = "versions"


class Change(str, enum.Enum):
    """The kind of change from the first model to the second."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    RENAMED = "renamed"


class Method(str, enum.Enum):
    """How a node was matched."""

    NAME = "by name"
    STRUCTURE = "by structure"
    SCOPE = "by scope"


@dataclass(frozen=True, slots=True)
class WeightChange:
    """How much the values of one tensor changed; ``None`` for measures that were not taken or are undefined.

    Attributes:
        elements: number of elements.
        changed: how many of them differ, bit for bit.
        max_abs: the largest absolute difference of two finite elements.
        relative: L2 norm of the difference over that of the first tensor; ``None`` if that is zero.
        cosine: of the angle between the two; ``None`` if one of them is zero.
        not_finite: how many of the changed elements are NaN or infinite in one of the two; the other measures leave them out.
    """

    elements: int
    changed: int | None = None
    max_abs: float | None = None
    relative: float | None = None
    cosine: float | None = None
    not_finite: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        section, change: the subject and the kind of change.
        name: of the node, variable, function, object, signature or collection; in the second model where the first has none.
        detail: what differs: ``strides: [1, 1, 1, 1] -> [1, 2, 2, 1]``; of a node that was added or removed, its op.
        other: its name in the second model, if that is another one.
        function: the library function that it is in, as the first model calls it.
        weight: for values.
    """

    section: Section
    change: Change
    name: str
    detail: str = ""
    other: str = ""
    function: str = ""
    weight: WeightChange | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Differences that one known transformation explains: reported together.

    Attributes:
        kind: ``inlined``, ``frozen``, ``specialized``, ``folded``, ``batch norm folded`` or ``scope renamed``, for instance.
        text: a sentence without its full stop.
        names: the nodes of the first model that it is about.
        differences: number of differences it replaces.
    """

    kind: str
    text: str
    names: tuple[str, ...]
    differences: int


@dataclass(frozen=True, slots=True, repr=False)
class DiffReport(Shown):
    """The comparison of two models.

    Attributes:
        first, second: their paths.
        nodes: number of nodes of each, including library functions.
        matched: how many nodes were matched, and how.
        differences: in the order of :class:`Section`, each in the first model's order of nodes.
        explanations: transformations of the whole model.
        notes: parts that were not compared.
        partners: node of the first graph -> the node of the second that it was compared with, library functions aside.
    """

    first: str
    second: str
    nodes: tuple[int, int]
    matched: Mapping[Method, int] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    notes: tuple[str, ...] = ()
    partners: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<DiffReport {self.first!r}, {self.second!r}: {len(self.differences):,} differences>"

    @property
    def is_equal(self) -> bool:
        """Whether there are no differences."""
        return not self.differences and not self.explanations

    @property
    def summary(self) -> str:
        """A one-line summary of what matched and what differs."""
        matched = ", ".join(f"{number:,} {method.value}" for method, number in self.matched.items())
        first, second = self.nodes
        sizes = f"{first:,} and {second:,} nodes, matched {matched or 'none'}; " if first or second else ""
        differences = "no differences" if self.is_equal else count(len(self.differences), "difference")
        explained = f", {count(len(self.explanations), 'explanation')}" if self.explanations else ""
        return f"{sizes}{differences}{explained}"

    def of(self, section: Section) -> Iterator[Difference]:
        """The differences of one section."""
        return (difference for difference in self.differences if difference.section is section)
