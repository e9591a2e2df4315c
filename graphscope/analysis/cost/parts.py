"""A graph and the functions that it calls, as lists of running nodes with their costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from graphscope.analysis.cost.branches import Branch, choose, guards
from graphscope.analysis.cost.callees import Callee, callees
from graphscope.analysis.cost.frames import Loop, executions, frames, loops
from graphscope.analysis.cost.measure import Typed, Work, measure
from graphscope.analysis.cost.operands import Operands
from graphscope.analysis.cost.order import Dependencies
from graphscope.analysis.cost.table import Access
from graphscope.analysis.shapes.facts import Fact
from graphscope.analysis.shapes.flow import Flow
from graphscope.core.graph import Function, Node
from graphscope.core.ops.table import OpCatalog
from graphscope.core.values.dtypes import DataType

MAX_DEPTH = 64
"""Maximum depth of function calls."""

Weight = tuple[str, str]
"""The function and the name of a variable or constant that the model learned."""

Weights = tuple[Weight | None, ...]
IsWeight = Callable[[Node], bool]

_CARRIERS = frozenset({"Cast", "Dequantize"})
"""Ops that cast a weight: their consumers use the weight, as do consumers of pass-through ops."""

_CALL_WORK = Work(0, 0, 0, 0, 0, True, Access.SOURCE)


@dataclass(frozen=True, slots=True)
class Call:
    """A function that a node runs, and the number of times per run of the node."""

    part: Part
    times: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A node that runs.

    Attributes:
        place: its number in the body.
        work: of one run.
        turns: number of runs per run of the body.
        outputs: its tensors.
        weights: the learned parameters that it uses.
        calls: the functions that it runs.
    """

    place: int
    node: Node
    work: Work
    turns: int
    outputs: tuple[Typed, ...]
    weights: tuple[Weight, ...]
    calls: tuple[Call, ...]

    @property
    def totals(self) -> tuple[int, int]:
        """Known operations and bytes of all its runs, including those of the functions it calls."""
        flops, size = self.work.flops or 0, (self.work.read_bytes or 0) + (self.work.written_bytes or 0)
        for call in self.calls:
            flops += call.times * call.part.totals[0]
            size += call.times * call.part.totals[1]
        return flops * self.turns, size * self.turns


@dataclass(eq=False, slots=True)
class Part:
    """The graph, or a function for given arguments.

    Attributes:
        function: its name; empty for the graph.
        entries: the nodes that run, in order.
        ends: the numbers of the nodes whose outputs it gives.
        loops: those in it.
        branches: conds whose larger branch is in ``entries``.
        totals: the known operations and bytes.
    """

    function: str
    flow: Flow
    ends: tuple[int, ...]
    entries: list[Entry] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)
    totals: tuple[int, int] = (0, 0)


class Parts:
    """Creates parts, once per combination of facts and weights.

    Args:
        catalog: the ops of the model.
        is_weight: whether a node holds learned parameters.
    """

    def __init__(self, catalog: OpCatalog, is_weight: IsWeight) -> None:
        self._catalog = catalog
        self._is_weight = is_weight
        self._made: dict[object, Part | None] = {}
        self._calling: list[str] = []

    def of_graph(self, flow: Flow, ends: Iterable[int] | None) -> Part:
        """The part of the graph that the nodes ``ends`` need; ``None`` means all of it."""
        return self._make("", flow, range(len(flow.body)) if ends is None else ends, ())

    def of_function(self, flow: Flow, function: str, arguments: Sequence[Fact], weights: Weights) -> Part | None:
        """The part of a function that its results need; ``None`` if it is not in the file or calls itself."""
        if function in self._calling or len(self._calling) >= MAX_DEPTH:
            return None
        key = (function, weights, *((fact.shape, fact.value, fact.handle) for fact in arguments))
        if key not in self._made:
            inner = flow.enter(function, arguments)
            self._calling.append(function)
            self._made[key] = None if inner is None else self._make(function, inner, _results(inner), weights)
            self._calling.pop()
        return self._made[key]

    def _make(self, function: str, flow: Flow, ends: Iterable[int], weights: Weights) -> Part:
        ends = tuple(ends)
        dependencies = Dependencies(flow)
        order = dependencies.order(dependencies.needed(ends))
        framed = frames(flow, dependencies, order)
        known = loops(flow, framed)
        part = Part(function, flow, ends, loops=list(known.values()))
        maker = _Entries(self, part, self._catalog, self._is_weight, weights)
        made = {place: maker.entry(place, executions(framed[place], known)) for place in order}

        costs = {place: entry.totals for place, entry in made.items()}

        def totals(places: Iterable[int]) -> tuple[int, int]:
            found = [costs[place] for place in places]
            return sum(flops for flops, _ in found), sum(size for _, size in found)

        alive, part.branches = choose(flow, guards(flow, dependencies, order), totals)
        part.branches += maker.branches
        part.loops += maker.loops
        part.entries = [made[place] for place in order if place in alive]
        part.totals = totals(entry.place for entry in part.entries)
        return part


def _results(flow: Flow) -> list[int]:
    """The nodes whose outputs a function returns, or that run for their effect."""
    function = flow.body
    assert isinstance(function, Function)
    returned = [flow.wiring.source(text)[0] for text in function.proto.ret.values()]
    effects = [flow.wiring.places.get(name, -1) for name in function.proto.control_ret.values()]
    return [place for place in (*returned, *effects) if place >= 0]


class _Entries:
    """Makes the entries of one part, producers before consumers."""

    def __init__(self, parts: Parts, part: Part, catalog: OpCatalog, is_weight: IsWeight, weights: Weights) -> None:
        self._parts = parts
        self._part = part
        self._flow = part.flow
        self._catalog = catalog
        self._is_weight = is_weight
        self._types: dict[int, tuple[DataType, ...]] = {}
        count = len(part.flow.body)
        self._carried: dict[int, Weight] = {count + k: weight for k, weight in enumerate(weights) if weight is not None}
        self.loops: list[Loop] = []
        self.branches: list[Branch] = []

    def entry(self, place: int, turns: int) -> Entry:
        flow = self._flow
        node = flow.body.nodes[place]
        call = flow.call(place)
        outputs = tuple(Typed(flow.fact_at(place, k), dtype) for k, dtype in enumerate(self._dtypes(place)))
        called = self._calls_of(place)
        sources = [source for source in dict.fromkeys(flow.wiring.sources[place]) if source[0] >= 0]
        work = _CALL_WORK
        if called is None:
            inputs = [Typed(flow.fact_at(*source), self._dtype(source)) for source in sources]
            work = measure(Operands(call, flow.facts[place] or ()), inputs, outputs)
        self._carry(place, node, work)
        takes = called is None and work.access not in (Access.VIEW, Access.SOURCE) and place not in self._carried
        weights = tuple(self._carried[p] for p, _ in sources if p in self._carried) if takes else ()
        return Entry(place, node, work, turns, outputs, weights, called or ())

    def _carry(self, place: int, node: Node, work: Work) -> None:
        """Records that a node outputs a weight: it holds it, or passes it on."""
        sources = self._flow.wiring.sources[place]
        if self._is_weight(node):
            self._carried[place] = self._part.function, node.name
        elif sources and (work.access is Access.VIEW or node.op in _CARRIERS) and sources[0][0] in self._carried:
            self._carried[place] = self._carried[sources[0][0]]

    def _calls_of(self, place: int) -> tuple[Call, ...] | None:
        """The functions that a node runs, of branches the largest; ``None`` for an op that runs none that is known."""
        found = callees(self._flow, place)
        if found is None:
            return None
        sources = self._flow.wiring.sources[place]
        made = [(callee, self._part_of(callee, sources)) for callee in found.functions]
        parts = [Call(part, callee.turns.count) for callee, part in made if part is not None]
        if len(parts) < len(made):
            return None
        self.loops += [Loop(self._flow.body.nodes[place].name, found.turns)] if found.turns is not None else []
        if not found.is_branch or len(parts) < 2:
            return tuple(parts)
        best = max(parts, key=lambda call: call.part.totals)
        others = [call for call in parts if call is not best]
        if any(call.part.totals != best.part.totals for call in others):
            name, other = self._flow.body.nodes[place].name, max(call.part.totals[0] for call in others)
            self.branches.append(Branch(name, best.part.function, best.part.totals[0], other))
        return (best,)

    def _part_of(self, callee: Callee, sources: Sequence[tuple[int, int]]) -> Part | None:
        weights = tuple(self._carried.get(place) for place, _ in sources[callee.first_argument :])
        weights = (None,) * (len(callee.arguments) - len(weights)) + weights
        return self._parts.of_function(self._flow, callee.function, callee.arguments, weights)

    def _dtypes(self, place: int) -> tuple[DataType, ...]:
        if place not in self._types:
            node = self._flow.body.nodes[place]
            outputs = self._catalog.outputs(node.op, node.attrs) or ()
            self._types[place] = tuple(output.dtype for output in outputs)
        return self._types[place]

    def _dtype(self, source: tuple[int, int]) -> DataType:
        place, index = source
        count = len(self._flow.body)
        if place >= count:
            function = self._flow.body
            assert isinstance(function, Function)
            return DataType.of(function.signature.input_arg[place - count].type)
        types = self._dtypes(place)
        return types[index] if index < len(types) else DataType.INVALID
