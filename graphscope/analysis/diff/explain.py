"""Separates transformations from edits: freezing or folding a model changes many nodes for one reason.

Each explanation names what it is about and takes the place of the differences that follow from it. Only the graph itself is
looked at, not library functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from graphscope.analysis.diff.batchnorm import Folding, find_foldings
from graphscope.analysis.diff.nodes import WAITS, is_frozen
from graphscope.analysis.diff.report import Change, Difference, Explanation, Section
from graphscope.analysis.diff.sides import FREEZES, Matching
from graphscope.core.graph import Node
from graphscope.core.model import Model
from graphscope.core.op_sets import MERGES, SWITCHES
from graphscope.core.tensors import node_of

_PASSING = frozenset({"Identity", "ReadVariableOp", "StopGradient", "Snapshot", *SWITCHES, *MERGES})
"""Ops that a transformation may remove without changing any value, provided that their branch is the one that runs."""

_OF_NODES = frozenset({Section.INPUTS, Section.NODES, Section.WIRING, Section.ATTRIBUTES, Section.WEIGHTS})
_CONVERSIONS = frozenset(text for op, other in FREEZES.items() for text in (f"{op} -> {other}", f"{other} -> {op}"))
_MAX_STEPS = 64
_FEW = 3
"""Up to this many nodes are named."""


def explain(
    a: Model, b: Model, matching: Matching, differences: Iterable[Difference]
) -> tuple[list[Difference], list[Explanation]]:
    """The unexplained differences, and the explanations of the others.

    Raises:
        CorruptFileError, IncompleteModelError: as :func:`find_foldings`.
    """
    explainer = _Explainer(matching)
    explainer.find(find_foldings(a, b, matching))
    kept = [difference for difference in differences if not explainer.covers(difference)]
    return kept, list(explainer.explanations())


class _Explainer:
    """Collects the explained differences.

    Attributes:
        kept: variables that became constants, or the reverse.
        lost, new: nodes that only the first, or only the second, body has, and whose reason is known.
        converted: nodes that read what became constant, or a constant that became a variable.
        takers: nodes whose op or inputs differ for a known reason.
        weights: constants whose values do.
        savers: nodes that save and restore, and differ.
    """

    def __init__(self, matching: Matching) -> None:
        self.matching = matching
        removed, added = matching.open()
        self.removed = {node.name: node for node in removed}
        self.added = {node.name for node in added}
        self.lost: set[str] = set()
        self.new: set[str] = set()
        self.converted: set[str] = set()
        self.takers: set[str] = set()
        self.weights: set[str] = set()
        self.kept: set[str] = set()
        self.frozen: list[str] = []
        self.unfrozen: list[str] = []
        self.constant: list[str] = []
        self.bypassed: list[str] = []
        self.cut: list[str] = []
        self.savers: dict[str, None] = {}
        self.foldings: list[Folding] = []

    def find(self, foldings: Iterable[Folding]) -> None:
        """Looks for every transformation; each removed node is explained once."""
        for a, b in self.matching.changed:
            self._pair(a, b)
        for folding in foldings:
            self.foldings.append(folding)
            self.takers |= {folding.node, folding.layer}
            self.weights.add(folding.weights)
            self.new |= folding.new
        self.lost |= self._above(self.takers)
        self.kept.update(self.frozen, self.unfrozen)
        if self.frozen or self.unfrozen:
            self.cut = [name for name in self._find_unneeded() if name not in self.lost]
            self.lost.update(self.cut)

    def _pair(self, a: Node, b: Node) -> None:
        if is_frozen(a, b) or is_frozen(b, a):
            if b.op == "Const":
                self.frozen.append(a.name)
            elif a.op == "Const":
                self.unfrozen.append(a.name)
            else:
                self.converted.add(a.name)
        elif b.op == "Const" and a.op != "Const" and a.inputs:
            self.constant.append(a.name)
            self.takers.add(a.name)
        elif a.op == b.op and self._is_bypassed(a, b):
            self.bypassed.append(a.name)
            self.takers.add(a.name)

    def _is_bypassed(self, a: Node, b: Node) -> bool:
        """Whether all inputs that differ come from the same node, less removed nodes that only pass on what they take."""
        ones, others = a.data_inputs(), b.data_inputs()
        if len(ones) != len(others):
            return False
        moved = [(one, other) for one, other in zip(ones, others) if not self._is_same(one, other)]
        return bool(moved) and all(self._leads_to(one, other) for one, other in moved)

    def _is_same(self, text: str, other: str) -> bool:
        return self.matching.forward.get(node_of(text)) == node_of(other)

    def _leads_to(self, text: str, other: str) -> bool:
        """Whether removed nodes that pass on their inputs lead from ``text`` up to ``other``."""
        pending, seen = [text], set[str]()
        while pending and len(seen) < _MAX_STEPS:
            source = pending.pop()
            if self._is_same(source, other):
                return True
            node = self.removed.get(node_of(source))
            if node is None or node.name in seen or node.op not in _PASSING:
                continue
            seen.add(node.name)
            pending += node.data_inputs() if node.op in MERGES else node.data_inputs()[:1]
        return False

    def _above(self, roots: Iterable[str]) -> set[str]:
        """Removed nodes whose data only ``roots`` and one another need."""
        found: set[str] = set()
        waiting = [name for root in roots for name in self._inputs(root)]
        while waiting:
            name = waiting.pop()
            if name in found or name not in self.removed:
                continue
            if all(taker in found or taker in self.takers or taker in self._loose for taker in self._takers(name)):
                found.add(name)
                waiting += self._inputs(name)
        return found

    @cached_property
    def _saving(self) -> frozenset[str]:
        return self.matching.a.bookkeeping | self.matching.b.bookkeeping

    @cached_property
    def _loose(self) -> frozenset[str]:
        return frozenset(self._find_unneeded())

    def _find_unneeded(self) -> list[str]:
        """Removed nodes that no node which is still there needs."""
        needed: set[str] = set()
        pending = [name for a, _ in self.matching.pairs for name in self._inputs(a.name)]
        while pending:
            name = pending.pop()
            if name in self.removed and name not in needed:
                needed.add(name)
                pending += self._inputs(name)
        return [name for name in self.removed if name not in needed]

    def _inputs(self, name: str) -> Iterator[str]:
        node = self.matching.a.body.get(name)
        return map(node_of, node.data_inputs() if node is not None else ())

    def _takers(self, name: str) -> Iterator[str]:
        return (taker for taker, position in self.matching.a.takers(name) if position >= 0)

    def covers(self, difference: Difference) -> bool:
        """Whether an explanation says as much as ``difference``."""
        name = difference.name
        has_frozen = bool(self.frozen or self.unfrozen)
        if difference.function:
            return has_frozen and difference.section is Section.NODES and difference.detail in _CONVERSIONS
        if name in self._saving and difference.section in _OF_NODES and name not in self.lost:
            self.savers[name] = None
            return True
        if difference.section in (Section.NODES, Section.INPUTS) and difference.change is not Change.CHANGED:
            return name in (self.lost if difference.change is Change.REMOVED else self.new)
        if difference.section is Section.WIRING and difference.detail.startswith(WAITS):
            return self._waits_for_lost(name)
        if difference.section in (Section.NODES, Section.WIRING) and name in self.takers:
            return True
        if difference.section is Section.NODES:
            return name in self.kept or (has_frozen and name in self.converted)
        return difference.section is Section.WEIGHTS and name in self.weights

    def _waits_for_lost(self, name: str) -> bool:
        """Whether a node waits for the same nodes as before, less some that are gone for a known reason."""
        a = self.matching.a.body.by_name[name]
        b = self.matching.b.body.by_name[self.matching.forward[name]]
        kept = {self.matching.forward.get(source) for source in a.control_inputs() if source not in self.lost}
        return name in self.takers or kept == set(b.control_inputs())

    def explanations(self) -> Iterator[Explanation]:
        """The explanations, in the order in which transformations are applied."""
        yield from _some("frozen", self.frozen, "variables that became constants")
        yield from _some("unfrozen", self.unfrozen, "constants that became variables")
        yield from _some("cut", self.cut, "nodes removed that nothing else in the second model needs")
        yield from _some("bypassed", self.bypassed, "nodes whose inputs no longer pass identities or switches")
        yield from _some("folded", self.constant, "nodes that became constants")
        for folding in self.foldings:
            text = f"{folding.layer}: batch norm folded, weights x gamma/sqrt(var)"
            yield Explanation("batch norm folded", text, (folding.layer, folding.node), 1)
        yield from _some("saver", list(self.savers), "nodes of savers that differ")


def _some(kind: str, names: list[str], text: str) -> Iterator[Explanation]:
    if names:
        shown = f"{len(names):,} {text}" if len(names) > _FEW else f"{text}: {', '.join(names)}"
        yield Explanation(kind, shown, tuple(names), len(names))
