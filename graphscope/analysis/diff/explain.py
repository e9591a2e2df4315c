"""Separates transformations from edits: freezing or folding a model changes many nodes for one reason.

Each explanation names what it is about and takes the place of the differences that follow from it. Of library
functions, only what freezing does to their types and ops is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from graphscope.analysis.diff.batchnorm import Folding, find_foldings
from graphscope.analysis.diff.functions import specialized_from
from graphscope.analysis.diff.nodes import TYPES, WAITS, is_frozen
from graphscope.analysis.diff.report import Change, Difference, Explanation, Section
from graphscope.analysis.diff.sides import FREEZES, GATHERS, Matching
from graphscope.core.graph import Body, Function, Graph, Node, called_functions, reached_functions
from graphscope.core.model import Model
from graphscope.core.ops.sets import MERGES, SWITCHES
from graphscope.core.tensors import TensorName, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue

_PASSING = frozenset({"Identity", "IdentityN", "ReadVariableOp", "StopGradient", "Snapshot", *SWITCHES, *MERGES})
"""Ops that a transformation may remove without changing any value, provided that their branch is the one that runs."""

_OF_NODES = frozenset({Section.INPUTS, Section.NODES, Section.WIRING, Section.ATTRIBUTES, Section.WEIGHTS})
_CONVERSIONS = frozenset(
    text for op, other in (*FREEZES.items(), GATHERS) for text in (f"{op} -> {other}", f"{other} -> {op}")
)
FOLDED = "folded"
"""The kind of explanation for nodes that became constants."""
_MAX_STEPS = 64
_FEW = 3
"""Up to this many nodes are named."""


def explain(
    a: Model,
    b: Model,
    matchings: Mapping[str, Matching],
    differences: Iterable[Difference],
    inlined: tuple[str, ...] = (),
) -> tuple[list[Difference], list[Explanation]]:
    """The unexplained differences, and the explanations of the others.

    Args:
        matchings: of the graphs, under the empty name, and of the library functions.
        inlined: calls that were replaced before the comparison.

    Raises:
        CorruptFileError, IncompleteModelError: as :func:`find_foldings`.
    """
    explainer = _Explainer(matchings, inlined)
    explainer.find(find_foldings(a, b, matchings[""]))
    kept = [difference for difference in differences if not explainer.covers(difference)]
    return kept, list(explainer.explanations())


class _Explainer:
    """Collects the explained differences.

    Attributes:
        inlined: calls that their bodies replaced.
        kept: variables that became constants, or the reverse.
        lost, new: nodes that only the first, or only the second, body has, and whose reason is known.
        converted: nodes that read what became constant, or a constant that became a variable.
        takers: nodes whose op or inputs differ for a known reason.
        weights: constants whose values do.
        savers: nodes that save and restore, and differ.
        specialized: functions that take values instead of variables, or the reverse.
        unused: functions that only removed nodes call.
    """

    def __init__(self, matchings: Mapping[str, Matching], inlined: tuple[str, ...]) -> None:
        self.matchings = matchings
        matching = self.matching = matchings[""]
        self.inlined = list(inlined)
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
        self.specialized: list[str] = []
        self.unused: list[str] = []
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
        if self.frozen or self.unfrozen or self.inlined:
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
        one, two = TensorName.parse(text), TensorName.parse(other)
        return self.matching.forward.get(one.node) == two.node and one.index == two.index

    def _leads_to(self, text: str, other: str) -> bool:
        """Whether removed nodes that pass on their inputs lead from ``text`` up to ``other``."""
        pending, seen = [text], set[str]()
        while pending and len(seen) < _MAX_STEPS:
            source = pending.pop()
            if self._is_same(source, other):
                return True
            node = self.removed.get(node_of(source))
            if node is None or source in seen or node.op not in _PASSING:
                continue
            seen.add(source)
            pending += self._passed(node, TensorName.parse(source).index)
        return False

    @staticmethod
    def _passed(node: Node, output: int) -> list[str]:
        """The inputs of which a node passes one on as ``output``."""
        inputs = node.data_inputs()
        if node.op in MERGES:
            return inputs
        return inputs[output : output + 1] if node.op == "IdentityN" else inputs[:1]

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
        if difference.section is Section.FUNCTIONS:
            return self._covers_function(difference, has_frozen=has_frozen)
        if difference.section is Section.ATTRIBUTES and has_frozen and self._is_of_specialized(difference):
            return True
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

    def _covers_function(self, difference: Difference, *, has_frozen: bool) -> bool:
        """Whether a function is another one because variables are values, or is gone with the nodes that called it."""
        name = difference.name
        is_specialized = name == specialized_from(difference.other) or specialized_from(name) == difference.other
        if difference.change is Change.RENAMED and has_frozen and is_specialized:
            self.specialized.append(name)
            return True
        if difference.change is Change.REMOVED and (has_frozen or self.inlined) and name not in self._called:
            self.unused.append(name)
            return True
        return difference.detail == TYPES and has_frozen and name in self._takes_values

    @cached_property
    def _takes_values(self) -> frozenset[str]:
        """Functions of which one takes values where the other takes variables, and that do not differ in other types."""
        return frozenset(
            name
            for name, matching in self.matchings.items()
            if name and _are_specialized(matching.a.body, matching.b.body)
        )

    def _is_of_specialized(self, difference: Difference) -> bool:
        """Whether an attribute of a node that calls a specialized function differs for that reason."""
        matching = self.matchings[difference.function]
        a = matching.a.body.get(difference.name)
        b = matching.b.body.get(difference.other or difference.name)
        if a is None or b is None or self._takes_values.isdisjoint(called_functions([a])):
            return False
        name = difference.detail.partition(":")[0]
        one, other = (node.attrs.get(name, AttrValue()).list for node in (a, b))
        if name == "output_shapes":
            return not one.shape or not other.shape
        return name == "_read_only_resource_inputs" or (bool(one.type) and _differ_in_handles(one.type, other.type))

    @cached_property
    def _called(self) -> frozenset[str]:
        """Functions of the first model that nodes call which the second has, too, directly or through other functions."""
        graph = self.matching.a.body
        assert isinstance(graph, Graph)
        return frozenset(function.name for function in reached_functions(graph, [a for a, _ in self.matching.pairs]))

    def _waits_for_lost(self, name: str) -> bool:
        """Whether a node waits for the same nodes as before, less some that are gone for a known reason."""
        a = self.matching.a.body.by_name[name]
        b = self.matching.b.body.by_name[self.matching.forward[name]]
        kept = {self.matching.forward.get(source) for source in a.control_inputs() if source not in self.lost}
        return name in self.takers or kept == set(b.control_inputs())

    def explanations(self) -> Iterator[Explanation]:
        """The explanations, in the order in which transformations are applied."""
        yield from _some("inlined", self.inlined, "calls replaced with the bodies of their functions")
        yield from _some("frozen", self.frozen, "variables that became constants")
        yield from _some("unfrozen", self.unfrozen, "constants that became variables")
        yield from _some(
            "specialized", self.specialized, "functions that take values in place of variables, or the reverse"
        )
        yield from _some("unused", self.unused, "functions removed that nothing in the second model calls")
        yield from _some("cut", self.cut, "nodes removed that nothing else in the second model needs")
        yield from _some("bypassed", self.bypassed, "nodes whose inputs no longer pass identities or switches")
        yield from folded_nodes(self.constant)
        for folding in self.foldings:
            text = f"{folding.layer}: batch norm folded, weights x gamma/sqrt(var)"
            yield Explanation("batch norm folded", text, (folding.layer, folding.node), 1)
        yield from _some("saver", list(self.savers), "nodes of savers that differ")


def _are_specialized(a: Body, b: Body) -> bool:
    if not isinstance(a, Function) or not isinstance(b, Function):
        return False
    taken = [[argument.type for argument in f.signature.input_arg] for f in (a, b)]
    given = [[argument.type for argument in f.signature.output_arg] for f in (a, b)]
    return taken[0] != taken[1] and _differ_in_handles(*taken) and _differ_in_handles(*given)


def _differ_in_handles(ones: Sequence[int], others: Sequence[int]) -> bool:
    """Whether, wherever two lists of types differ, one of them has a resource."""
    pairs = zip(ones, others)
    return len(ones) == len(others) and all(a == b or DataType.RESOURCE in (a, b) for a, b in pairs)


def folded_nodes(names: list[str]) -> Iterator[Explanation]:
    """The explanation of nodes that became constants; nothing if there are none."""
    yield from _some(FOLDED, names, "nodes that became constants")


def _some(kind: str, names: list[str], text: str) -> Iterator[Explanation]:
    if names:
        shown = f"{len(names):,} {text}" if len(names) > _FEW else f"{text}: {', '.join(names)}"
        yield Explanation(kind, shown, tuple(names), len(names))
