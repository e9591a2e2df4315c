"""Static shapes of a whole graph: no TensorFlow, no weights read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphscope.analysis.shapes.assumptions import assume_demands
from graphscope.analysis.shapes.facts import Fact, Facts
from graphscope.analysis.shapes.flow import Flow, Revise
from graphscope.analysis.shapes.result import Shapes
from graphscope.analysis.shapes.sizes import ShapeError, merge, private, text
from graphscope.core.graph import Function, Graph
from graphscope.core.model import Model
from graphscope.core.ops.table import OpCatalog
from graphscope.core.stated_shapes import stated_shape
from graphscope.core.tensors import Shape, TensorName, shape_text
from graphscope.errors import GraphscopeError

MAX_DEPTH = 64
"""Maximum depth of function calls."""

SPARE_WORK = 100_000
"""How many more nodes of functions are looked at than 20 times those of the file."""


def infer(
    source: Model | Graph,
    feeds: Mapping[str, Shape] | None = None,
    values: Mapping[str, float] | None = None,
    *,
    revise: Revise | None = None,
) -> Shapes:
    """Infers the shape of every tensor of a graph. Reads no weights.

    A placeholder whose shape the file does not state takes what its consumers demand; see :meth:`Shapes.known`.

    Args:
        source: a model, or a graph.
        feeds: tensor name -> shape that is going to be fed there; it takes the place of what the graph says of it.
        values: tensor name -> number that a scalar is going to be fed.
        revise: see :class:`Flow`; it is asked of the graph's own nodes, not of those of its functions.

    Raises:
        UnknownNameError: a feed names no node.
        GraphscopeError: a feed does not fit the shape that the graph states.
        IncompleteModelError: the model is a checkpoint without a graph.
    """
    graph = source.graph if isinstance(source, Model) else source
    shared = _Shared(graph, source.catalog if isinstance(source, Model) else source.catalog())
    flow = Flow(shared, graph)
    flow.revise = revise
    for name, shape in (feeds or {}).items():
        _state(flow, graph, TensorName.parse(name), Fact(private(shape)))
    for name, value in (values or {}).items():
        _state(flow, graph, TensorName.parse(name), Fact((), (value,)))
    flow.infer()
    assumed = assume_demands(flow, shared.errors)
    return Shapes(graph, shared.catalog, flow, assumed, shared.errors, shared.lacking)


def _state(flow: Flow, graph: Graph, name: TensorName, fact: Fact) -> None:
    node = graph[name.node]
    stated = stated_shape(node, name.index, graph.producer, graph)
    try:
        merge(private(stated), fact.shape)
    except ShapeError as error:
        raise GraphscopeError(f"{name} is {shape_text(stated)} and cannot be fed {text(fact.shape)}") from error
    place = flow.wiring.places[node.name]
    flow.stated.setdefault(place, {})[name.index] = fact


class _Shared:
    """State shared between the flows through a graph and its functions."""

    def __init__(self, graph: Graph, catalog: OpCatalog) -> None:
        self.catalog = catalog
        self.producer = graph.producer
        self.errors: dict[str, str] = {}
        self.lacking: dict[str, str] = {}
        self._graph = graph
        self._results: dict[object, Facts] = {}
        self._calling: list[str] = []
        self._work = SPARE_WORK + 20 * sum(len(body) for _, body in graph.bodies)

    def note_error(self, function: str, node: str, message: str | None) -> None:
        """See :class:`Surroundings`."""
        key = _qualify(function, node)
        if message is None:
            self.errors.pop(key, None)
        else:
            self.errors[key] = message

    def note_lack(self, function: str, node: str, op: str) -> None:
        """See :class:`Surroundings`."""
        self.lacking[_qualify(function, node)] = op

    def run(self, function: str, arguments: Sequence[Fact]) -> Facts | None:
        """See :class:`Surroundings`. A function that calls itself gives what nothing is known of."""
        body = self._graph.functions.get(function)
        if body is None:
            return None
        if function in self._calling or len(self._calling) >= MAX_DEPTH or self._work < 0:
            return ()
        key = (function, *((fact.shape, fact.value, fact.handle) for fact in arguments))
        if key not in self._results:
            self._work -= len(body) + 1
            self._calling.append(function)
            flow = self._through(body, arguments)
            self._results[key] = tuple(flow.fact(body.proto.ret[arg.name]) for arg in body.signature.output_arg)
            self._calling.pop()
        return self._results[key]

    def enter(self, function: str, arguments: Sequence[Fact]) -> Flow | None:
        """See :class:`Surroundings`."""
        body = self._graph.functions.get(function)
        if body is None or self._work < 0:
            return None
        self._work -= len(body) + 1
        return self._through(body, arguments)

    def _through(self, function: Function, arguments: Sequence[Fact]) -> Flow:
        flow = Flow(self, function, function.name, _by_argument(function, tuple(arguments)))
        flow.infer()
        return flow


def _by_argument(function: Function, facts: Facts) -> dict[str, Facts]:
    """The facts of each argument. Each takes one tensor, except for list arguments, which no program writes."""
    names = [arg.name for arg in function.signature.input_arg]
    return {name: facts[place : place + 1] for place, name in enumerate(names)}


def _qualify(function: str, node: str) -> str:
    return f"{function}/{node}" if function else node
