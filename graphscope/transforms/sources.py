"""Where a graph takes its data from by itself: iterators, queues, readers, Python. Handed on alone, a graph cannot run them.

Source: ``tensorflow/core/ops/{dataset_ops,data_flow_ops,io_ops,script_ops}.cc``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphscope.advice import SAVED_MODEL, Advice, Option, Options
from graphscope.core.graph import Graph, Node
from graphscope.core.op_sets import DATA_KINDS, PYTHON_OPS
from graphscope.core.tensors import node_of
from graphscope.errors import GraphscopeError, some

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
    """

    node: str
    op: str
    kind: str
    runs_alone: bool


def data_sources(graph: Graph) -> list[DataSource]:
    """The nodes of ``graph`` that bring data in, in file order."""
    kinds = {op: kind for op in set(graph.ops) for kind, pattern in DATA_KINDS.items() if pattern.fullmatch(op)}
    found = (n for op, n in zip(graph.ops, graph.nodes) if op in kinds)
    return [DataSource(n.name, n.op, kinds[n.op], _runs_alone(graph, n)) for n in found]


def refuse_sources(graph: Graph, path: str) -> None:
    """Raises an error if ``graph`` takes data from what a graph alone cannot run.

    Raises:
        GraphscopeError: it does; the hint says where to open it.
    """
    found = [source for source in data_sources(graph) if not source.runs_alone]
    if found:
        listed = some((f"{s.node} ({s.op}, {s.kind})" for s in found), _MAX_LISTED)
        raise GraphscopeError(
            f"{path}: the outputs take their data from {listed}, which only the program that built the graph can run",
            hint=Advice(
                Options(tuple(Option("inputs", name) for name in _nearest(graph, found))),
                "   turns what they produce into inputs",
            ),
        )


def refuse_python(graph: Graph, path: str) -> None:
    """Raises an error if ``graph``, or a library function of it, calls Python functions.

    Raises:
        GraphscopeError: it does; the hint says where to open it.
    """
    calls = [(name, node) for name, body in graph.bodies for op, node in zip(body.ops, body.nodes) if op in PYTHON_OPS]
    if calls:
        listed = some((f"{node.name} ({node.op}{', in function ' * bool(f)}{f})" for f, node in calls), _MAX_LISTED)
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
    """Those that no other one feeds through: opening them is enough."""
    names = {source.node for source in sources}
    for source in sources:
        if not any(name in names for name in graph.descendants([source.node]) if name != source.node):
            yield source.node


def _runs_alone(graph: Graph, node: Node) -> bool:
    """Whether the resource that ``node`` takes data out of fills itself."""
    resource = graph.get(node_of(node.inputs[0])) if node.inputs else None
    for _ in range(_MAX_STEPS):
        if resource is None or resource.op not in (
            "Identity",
            "IteratorToStringHandle",
            "IteratorFromStringHandle",
            "IteratorFromStringHandleV2",
        ):
            break
        resource = graph.get(node_of(resource.inputs[0])) if resource.inputs else None
    return resource is not None and resource.op in _BY_THEMSELVES
