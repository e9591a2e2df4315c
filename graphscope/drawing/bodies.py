"""Bodies of library functions, drawn as scopes of the nodes that call them.

The resulting graph is only for drawing and cannot run: a calling node takes the results of its functions, and their bodies take
its inputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphscope.analysis.shapes import infer
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Facts
from graphscope.analysis.shapes.flow import Flow
from graphscope.analysis.shapes.rules.control_flow import loop_variables
from graphscope.analysis.shapes.sizes import public
from graphscope.core.changes.build import with_inputs
from graphscope.core.graph import Function, Node
from graphscope.core.model import Model
from graphscope.core.ops.sets import BRANCH_OPS, CALL_OPS
from graphscope.core.tensors import Shape

MAX_CALLS = 16
"""Maximum number of times that one function is drawn; other calls stay closed and show its name."""
MAX_NODES = 50_000
"""Maximum number of function nodes drawn."""
MAX_DEPTH = 32
"""Maximum nesting depth of drawn functions."""

Origin = tuple[str, str]
"""The function that a node is in, empty for the graph, and its name there."""


@dataclass(slots=True)
class Bodies:
    """A model with the bodies of functions in its graph.

    Attributes:
        source: the original model.
        model: the one with the bodies, as described above.
        shapes: tensor name -> shape, of tensors of known rank.
        origins: nodes of bodies -> the original nodes.
        callers: the nodes of bodies -> the node of the model's own graph that calls them, through others or not.
        called: the nodes that call functions -> in which part each of them is, and its name.
    """

    source: Model
    model: Model
    shapes: Mapping[str, Shape]
    origins: dict[str, Origin] = field(default_factory=dict)
    callers: dict[str, str] = field(default_factory=dict)
    called: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


def closed_bodies(model: Model) -> Bodies:
    """``model`` unchanged, every call closed."""
    return Bodies(model, model, infer(model).by_name)


def with_bodies(model: Model) -> Bodies:
    """``model`` with the body of each function as a scope named after the node that calls it.

    A branch is in a scope of its own (``cond/then_branch``), so are the condition and the body of a loop. A function that calls
    itself stays closed, and so does what there is too much of.

    Raises:
        IncompleteModelError: the model is a checkpoint without a graph.
    """
    shapes = infer(model)
    result = Bodies(model, model, shapes.by_name)
    if not model.graph.functions:
        return result
    drawing = _Drawing(result)
    nodes = drawing.nodes(shapes.flow, "", (), ())
    if result.called:
        result.model = model.with_graph(model.graph.with_nodes(nodes))
        result.shapes = {**shapes.by_name, **drawing.shapes}
    return result


@dataclass(frozen=True, slots=True)
class _Run:
    """A function that a node runs.

    Attributes:
        part: the scope of its body; empty for the node's own.
        function: its name.
        facts: facts about its arguments.
        first: the input of the node that is the first argument.
    """

    part: str
    function: str
    facts: Facts
    first: int = 0


def _runs(call: Call, functions: Container[str]) -> Iterator[_Run]:
    """The functions that a node runs, all branches among them."""
    op, given = call.node.op, tuple(call.inputs)
    if op in functions:
        yield _Run("", op, given)
    elif op in CALL_OPS:
        yield _Run("", call.function("f"), given)
    elif op in ("While", "StatelessWhile"):
        variables = loop_variables(call)
        yield from (_Run(part, call.function(part), variables) for part in ("cond", "body"))
    elif op in BRANCH_OPS:
        named = [(part, call.function(part)) for part in ("then_branch", "else_branch")]
        branches = call.attr("branches")
        if branches is not None:
            named = [(f"branch_{i}", function.name) for i, function in enumerate(branches.list.func)]
        yield from (_Run(part, function, given[1:], 1) for part, function in named if function)


class _Drawing:
    """Creates the nodes, and fills the calls in ``result``.

    Attributes:
        shapes: those of tensors in bodies.
    """

    def __init__(self, result: Bodies) -> None:
        self._result = result
        self._functions = result.model.graph.functions
        self._taken = set(result.model.graph.by_name)
        self._calls: Counter[str] = Counter()
        self._left = MAX_NODES
        self.shapes: dict[str, Shape] = {}

    def nodes(self, flow: Flow, scope: str, arguments: Sequence[str], calling: tuple[str, ...]) -> list[Node]:
        """The nodes of a body with the bodies that they call before them.

        Args:
            scope: prefix of their names.
            arguments: the tensors that the body takes.
            calling: the functions around it.
        """
        made: list[Node] = []
        for place, node in enumerate(flow.body.nodes):
            inputs = [text for s in flow.wiring.sources[place] if (text := _tensor(flow, s, scope, arguments))]
            runs = list(_runs(flow.call(place), self._functions)) if self._may_call(node) else []
            inner = [self._inside(flow, scope + node.name, run, inputs, calling) for run in runs]
            if runs:
                self._result.called[scope + node.name] = [(run.part or "calls", run.function) for run in runs]
                bodies = [inside for body in inner if body is not None for inside in body.nodes]
                made += bodies
                if not scope:
                    self._result.callers.update((inside.name, node.name) for inside in bodies)
            if runs and None not in inner:
                results = [text for body in inner if body is not None for text in body.results]
                inputs = list(dict.fromkeys([*inputs[: runs[0].first], *results]))
            if scope or runs:
                controls = [f"^{scope}{name}" for name in node.control_inputs() if name in flow.body]
                node = self._rename(node, scope, [*inputs, *controls])
            made.append(node)
        return made

    def _may_call(self, node: Node) -> bool:
        return node.op in CALL_OPS or node.op in BRANCH_OPS or node.op in self._functions

    def _inside(
        self, flow: Flow, name: str, run: _Run, inputs: Sequence[str], calling: tuple[str, ...]
    ) -> _Inside | None:
        """The body of a function for one call; ``None`` if it stays closed."""
        function = self._functions.get(run.function)
        if function is None or run.function in calling or len(calling) >= MAX_DEPTH:
            return None
        if self._calls[run.function] >= MAX_CALLS or len(function) > self._left:
            return None
        entered = flow.enter(run.function, run.facts)
        if entered is None:
            return None
        self._calls[run.function] += 1
        self._left -= len(function)
        scope = self._free_scope(f"{name}/{run.part}" if run.part else name, function)
        arguments = inputs[run.first :]
        nodes = self.nodes(entered, f"{scope}/", arguments, (*calling, run.function))
        self._keep(entered, function, f"{scope}/")
        return _Inside(nodes, _results(entered, function, f"{scope}/", arguments))

    def _free_scope(self, scope: str, function: Function) -> str:
        """``scope``, with a number appended if the names in it are taken."""
        found, number = scope, 0
        while any(f"{found}/{node.name}" in self._taken for node in function):
            number += 1
            found = f"{scope}_{number}"
        self._taken.update(f"{found}/{node.name}" for node in function)
        return found

    def _keep(self, flow: Flow, function: Function, scope: str) -> None:
        """Records shapes and origins."""
        for node, facts in zip(function.nodes, flow.facts):
            self._result.origins[scope + node.name] = function.name, node.name
            for index, fact in enumerate(facts or ()):
                if fact.shape is not None:
                    self.shapes[f"{scope}{node.name}:{index}"] = public(fact.shape)

    def _rename(self, node: Node, scope: str, inputs: Sequence[str]) -> Node:
        copy = with_inputs(node, inputs)
        copy.proto.name = scope + node.name
        return copy


@dataclass(frozen=True, slots=True)
class _Inside:
    """The nodes of a body, and the tensors that it returns, with side effects as control inputs."""

    nodes: list[Node]
    results: list[str]


def _results(flow: Flow, function: Function, scope: str, arguments: Sequence[str]) -> list[str]:
    returned = (function.proto.ret[argument.name] for argument in function.signature.output_arg)
    found = [_tensor(flow, flow.wiring.source(text), scope, arguments) for text in returned]
    effects = [f"^{scope}{name}" for name in function.proto.control_ret.values() if name in function]
    return [text for text in found if text] + effects


def _tensor(flow: Flow, source: tuple[int, int], scope: str, arguments: Sequence[str]) -> str:
    """The name of a tensor in the drawing; empty for a dangling input."""
    place, index = source
    count = len(flow.body.nodes)
    if place >= count:
        return arguments[place - count] if place - count < len(arguments) else ""
    return f"{scope}{flow.body.nodes[place].name}:{index}" if place >= 0 else ""
