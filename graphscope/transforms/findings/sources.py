"""Where a graph takes its data from by itself: iterators, queues, readers, Python. Handed on alone, a graph cannot run them.

Source: ``tensorflow/core/ops/{dataset_ops,data_flow_ops,io_ops,script_ops}.cc``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from graphscope.advice import SAVED_MODEL, Advice, Option, Options
from graphscope.core.graph import Body, Graph, Node, reached_functions
from graphscope.core.ops.sets import DATA_KINDS, DEFAULTED, PYTHON_OPS
from graphscope.core.tensors import TensorName, node_of
from graphscope.errors import GraphscopeError, some
from graphscope.transforms.callers import producer_of
from graphscope.transforms.feedable import places_to_open

_BY_THEMSELVES = frozenset({"OneShotIterator"})
"""Resources that need no initialization."""

_POPS = frozenset({"StackPop", "StackPopV2"})
_PUSHES = frozenset({"StackPush", "StackPushV2"})
_MAX_STEPS = 16
_MAX_LISTED = 4


@dataclass(frozen=True, slots=True)
class DataSource:
    """A node that brings data into a graph.

    Attributes:
        node, op: its name and op.
        kind: what it takes the data from: "a queue".
        runs_alone: whether a graph that is handed on alone still gets data from it: the author's own, always the same.
        function: the library function that it is in; empty for the graph itself.
        places: what to open the graph at, so that it is not needed: names of nodes and tensors.
    """

    node: str
    op: str
    kind: str
    runs_alone: bool
    function: str
    places: tuple[str, ...]


def data_sources(graph: Graph) -> list[DataSource]:
    """The nodes that bring data into ``graph``, in file order; then those in the functions that it calls."""
    catalog = graph.catalog()
    found = []
    for kind, node in _bringing(graph):
        alone = _runs_alone(graph, "", node)
        found.append(DataSource(node.name, node.op, kind, alone, "", tuple(places_to_open(graph, catalog, node))))
    for function in reached_functions(graph, graph.nodes):
        for kind, node in _bringing(function):
            callers = (n for n in graph.nodes if function in reached_functions(graph, [n]))
            places = [place for caller in callers for place in places_to_open(graph, catalog, caller)]
            alone = _runs_alone(graph, function.name, node)
            found.append(DataSource(node.name, node.op, kind, alone, function.name, tuple(dict.fromkeys(places))))
    return found


def _bringing(body: Body) -> Iterator[tuple[str, Node]]:
    kinds = {op: kind for op in set(body.ops) for kind, pattern in DATA_KINDS.items() if pattern.fullmatch(op)}
    return ((kinds[op], node) for op, node in zip(body.ops, body.nodes) if op in kinds)


def fed_places(graph: Graph, source: DataSource, within: Iterable[str] | None = None) -> list[str]:
    """The tensors to feed, so that ``source`` is not needed: of its places those outputs that something takes.

    Args:
        within: the nodes that count as takers; default: all.
    """
    takers = graph.nodes if within is None else [graph[name] for name in within if name in graph]
    taken = {str(TensorName.parse(text)) for node in takers for text in node.data_inputs()}
    found = []
    for place in source.places:
        found += sorted(t for t in taken if node_of(t) == place) if place in graph else [str(TensorName.parse(place))]
    return [tensor.removesuffix(":0") for tensor in found or source.places]


def gives_defaults(graph: Graph, source: DataSource) -> bool:
    """Whether ``source`` only gives the values that placeholders have if nothing is fed."""
    return all(place in graph and graph[place].op == DEFAULTED for place in source.places)


def refuse_sources(graph: Graph, path: str) -> None:
    """Raises an error if ``graph``, or a function that it calls, takes data from what a graph alone cannot run.

    Raises:
        GraphscopeError: it does; the hint says where to open it.
    """
    found = [source for source in data_sources(graph) if not source.runs_alone]
    if found:
        listed = some((f"{s.node} ({s.op}, {s.kind}{_inside(s.function)})" for s in found), _MAX_LISTED)
        raise GraphscopeError(
            f"{path}: the outputs take their data from {listed}, which only the program that built the graph can run",
            hint=Advice(
                Options(tuple(Option("inputs", name) for name in dict.fromkeys(_nearest(graph, found)))),
                "   turns what they produce into inputs",
            ),
        )


def _inside(function: str) -> str:
    return f", in function {function}" if function else ""


def refuse_python(graph: Graph, path: str) -> None:
    """Raises an error if ``graph``, or a library function of it, calls Python functions.

    Raises:
        GraphscopeError: it does; the hint says where to open it.
    """
    calls = [(name, node) for name, body in graph.bodies for op, node in zip(body.ops, body.nodes) if op in PYTHON_OPS]
    if calls:
        listed = some((f"{node.name} ({node.op}{_inside(f)})" for f, node in calls), _MAX_LISTED)
        own = [Option("inputs", node.name) for function, node in calls if not function]
        cut = (Options(tuple(own)), "   makes inputs of what they give") if own else ()
        raise GraphscopeError(
            f"{path}: the outputs need Python functions of the program that built the graph, which no file holds: {listed}",
            hint=Advice(*cut) if own else Advice(Option("outputs", "NAME"), "   names what comes before them"),
        )


def refuse_emptied_stacks(graph: Graph, path: str) -> None:
    """Raises an error if ``graph`` takes values off a stack that nothing is left to put on it.

    The gradient of a ``tf.while_loop`` (control flow v1) takes the values of each turn off stacks; what puts them there
    hangs on control edges only.

    Raises:
        GraphscopeError: it does.
    """
    pops = [n.name for op, n in zip(graph.ops, graph.nodes) if op in _POPS]
    if pops and _PUSHES.isdisjoint(graph.ops):
        raise GraphscopeError(
            f"{path}: the outputs need the gradient of a loop, which takes values off a stack that is filled on the way: "
            f"{some(pops, _MAX_LISTED)}",
            hint=Advice(SAVED_MODEL, "   keeps the whole graph"),
        )


def _nearest(graph: Graph, sources: list[DataSource]) -> Iterator[str]:
    """The places of those that no other one feeds through: opening them is enough."""
    nodes = {source: {source.node} if not source.function else set(map(node_of, source.places)) for source in sources}
    every = set().union(*nodes.values())
    for source, own in nodes.items():
        if (every - own).isdisjoint(graph.descendants(own)):
            yield from source.places


def _runs_alone(graph: Graph, function: str, node: Node) -> bool:
    """Whether the resource that ``node`` takes data out of fills itself."""
    place = (function, node)
    for _ in range(_MAX_STEPS + 2):  # the node itself, handles, and the resource
        function, found = place
        if found.op in _BY_THEMSELVES:
            return True
        if (found.op not in _HANDLES and found is not node) or not found.inputs:
            return False
        producer = producer_of(graph, function, node_of(found.inputs[0]))
        if producer is None:
            return False
        place = producer
    return False


_HANDLES = frozenset({"Identity", "IteratorToStringHandle", "IteratorFromStringHandle", "IteratorFromStringHandleV2"})
