"""``diff``: the differences between two models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from graphscope.analysis.attributes import Attributes
from graphscope.analysis.diff.assets import asset_differences
from graphscope.analysis.diff.explain import explain
from graphscope.analysis.diff.functions import gradient_differences, match_functions, stem
from graphscope.analysis.diff.interfaces import collection_differences, signature_differences, version_differences
from graphscope.analysis.diff.matching import match
from graphscope.analysis.diff.nodes import NodeComparison
from graphscope.analysis.diff.objects import object_differences
from graphscope.analysis.diff.report import Change, Difference, DiffReport, Explanation, Method, Section
from graphscope.analysis.diff.scopes import rename_differences
from graphscope.analysis.diff.sides import Matching, Side
from graphscope.analysis.diff.values import missing_values, weight_pairs
from graphscope.analysis.diff.weights import Depth, compare_weights
from graphscope.core.graph import Body
from graphscope.core.model import Model, ModelKind

_ORDER = {section: place for place, section in enumerate(Section)}
_BARE = frozenset({ModelKind.GRAPH, ModelKind.EVENT_FILE})
"""Kinds of files that contain only a graph."""


@dataclass(frozen=True, slots=True)
class DiffOptions:
    """Options of a comparison.

    Attributes:
        depth: how thoroughly to compare values.
        strict: also compare devices, colocation, inferred shapes and versions.
        explains: whether to report freezing and folding as such, instead of the single differences that they cause.
        inlined: the calls in one model that the bodies of their functions have replaced, as in the other.
    """

    depth: Depth = Depth.STAT
    strict: bool = False
    explains: bool = True
    inlined: tuple[str, ...] = ()


def diff(
    a: Model, b: Model, options: DiffOptions | None = None, progress: Callable[[int], None] = lambda _: None
) -> DiffReport:
    """The differences between ``a`` and ``b``. Nodes are matched by name, by structure, then within renamed scopes.

    Args:
        progress: called with the number of bytes of each compared tensor.

    Raises:
        CorruptFileError, IncompleteModelError: a value cannot be read.
    """
    return _Diff(a, b, options or DiffOptions(), progress).report()


@dataclass
class _Diff:
    a: Model
    b: Model
    options: DiffOptions
    progress: Callable[[int], None]
    counts: Counter[Method] = field(default_factory=Counter)

    def report(self) -> DiffReport:
        if not (self.a.has_graph and self.b.has_graph):
            return self._without_graph()
        bodies = list(self._bodies())
        graph = bodies[0][1]
        differences: list[Difference] = []
        explanations: list[Explanation] = []
        for function, matching in bodies:
            differences += NodeComparison(matching, function, strict=self.options.strict).differences()
            renamed, scopes = rename_differences(((a.proto.name, b.proto.name) for a, b in matching.pairs), function)
            differences += renamed
            explanations += scopes
        functions = match_functions(self.a.graph.functions, self.b.graph.functions)
        differences += self._functions(functions)
        differences += object_differences(self.a, self.b, graph.forward, functions)
        bare = [model.path for model in (self.a, self.b) if model.kind in _BARE]
        if not bare:
            differences += signature_differences(self.a, self.b, graph.forward)
            differences += collection_differences(self.a, self.b, graph.forward)
        differences += asset_differences(self.a, self.b)
        if self.options.strict:
            differences += version_differences(self.a, self.b)
        differences += self._values(bodies)
        if self.options.explains and (differences or self.options.inlined):
            differences, explained = explain(self.a, self.b, dict(bodies), differences, self.options.inlined)
            explanations += explained
        notes = (f"signatures and collections were not compared: {bare[0]} holds none",) if len(bare) == 1 else ()
        return self._report(differences, explanations, notes, graph.forward)

    def _values(self, bodies: list[tuple[str, Matching]]) -> Iterator[Difference]:
        names = bodies[0][1].forward if bodies else {}
        pairs = [pair for function, matching in bodies for pair in weight_pairs(self.a, self.b, function, matching)]
        yield from compare_weights(pairs, self.options.depth, self.progress)
        yield from missing_values(self.a, self.b, names)

    def _without_graph(self) -> DiffReport:
        pairs = weight_pairs(self.a, self.b, "", None)
        differences = [
            *compare_weights(pairs, self.options.depth, self.progress),
            *missing_values(self.a, self.b, None),
        ]
        lacking = [model.path for model in (self.a, self.b) if not model.has_graph]
        note = "only values were compared: there is no graph in " + " and ".join(lacking)
        return self._report(differences, [], (note,) if len(lacking) == 1 else ())

    def _report(
        self,
        differences: list[Difference],
        explanations: list[Explanation],
        notes: tuple[str, ...] = (),
        partners: Mapping[str, str] = MappingProxyType({}),
    ) -> DiffReport:
        ordered = sorted(differences, key=lambda difference: _ORDER[difference.section])
        sizes = [sum(len(body) for _, body in m.graph.bodies) if m.has_graph else 0 for m in (self.a, self.b)]
        nodes = sizes[0], sizes[1]
        return DiffReport(
            self.a.path, self.b.path, nodes, dict(self.counts), tuple(ordered), tuple(explanations), notes, partners
        )

    def _bodies(self) -> Iterator[tuple[str, Matching]]:
        """The graphs, then each library function that both have, with their matched nodes."""
        functions = match_functions(self.a.graph.functions, self.b.graph.functions)
        shared = {other: name for name, other in functions.items()}
        attributes = [Attributes(m.catalog, keeps_marks=self.options.strict) for m in (self.a, self.b)]
        yield "", self._match(self.a.graph, self.b.graph, attributes, shared)
        for name, other in functions.items():
            yield name, self._match(self.a.graph.functions[name], self.b.graph.functions[other], attributes, shared)

    def _match(self, a: Body, b: Body, attributes: list[Attributes], shared: dict[str, str]) -> Matching:
        matching, counts = match(Side(a, attributes[0], {}), Side(b, attributes[1], shared))
        self.counts.update(counts)
        return matching

    def _functions(self, matched: Mapping[str, str]) -> Iterator[Difference]:
        """Library functions that only one model has, and those that have another name, but for the number in it."""
        ones, others = self.a.graph.functions, self.b.graph.functions
        taken = set(matched.values())
        yield from (Difference(Section.FUNCTIONS, Change.REMOVED, n, _size(ones[n])) for n in ones if n not in matched)
        yield from (Difference(Section.FUNCTIONS, Change.ADDED, n, _size(others[n])) for n in others if n not in taken)
        for name, other in matched.items():
            if stem(name) != stem(other):
                yield Difference(Section.FUNCTIONS, Change.RENAMED, name, f"{name} -> {other}", other)
        yield from gradient_differences(self.a.graph, self.b.graph, matched)


def _size(body: Body) -> str:
    return f"{len(body):,} nodes"
