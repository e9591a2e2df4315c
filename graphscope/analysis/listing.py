"""``nodes``: the nodes of a model, filtered, one row each or one row for each tensor."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from graphscope.analysis.tensors import Shapes, TensorLister
from graphscope.core.graph import Body
from graphscope.core.model import Model
from graphscope.core.patterns import PATTERN_ERRORS
from graphscope.core.tensors import StatedShape, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, UnknownNameError


class Named(Protocol):
    """A node of any graph."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def op(self) -> str:
        """What it does."""


N = TypeVar("N", bound=Named)


class Output(Protocol):
    """A tensor of any graph: a :class:`graphscope.core.tensors.TensorSpec`, or another runtime's."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def dtype(self) -> DataType:
        """Its element type."""

    @property
    def shape(self) -> StatedShape:
        """Its shape."""

    @property
    def is_ref(self) -> bool:
        """Whether it is a reference to a variable's buffer."""

    @property
    def container(self) -> str:
        """What holds such tensors, where it is not one; only other runtimes have that."""


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node.

    Attributes:
        function: the library function whose body it is in; empty for the graph itself.
        name, op, device: as in the graph.
        inputs: as in the graph, control inputs included.
        outputs: its tensors, in order.
        distance: steps from the node given in the filter; ``None`` if none was given.
    """

    function: str
    name: str
    op: str
    device: str
    inputs: tuple[str, ...]
    outputs: tuple[Output, ...]
    distance: int | None = None


@dataclass(frozen=True, slots=True)
class NodeFilter:
    """Which nodes to list; each criterion that is given must hold.

    Attributes:
        ops: exact op names, any of them.
        names: regular expressions, searched in the node's name, any of them.
        scope: a name scope: nodes whose name is it or starts with it and a slash.
        inputs_of: a node or tensor: what it needs, itself left out.
        consumers_of: a node or tensor: what needs it, itself left out.
        depth: how many steps those two follow; ``None`` for all.
    """

    ops: Sequence[str] = ()
    names: Sequence[re.Pattern[str]] = ()
    scope: str = ""
    inputs_of: str = ""
    consumers_of: str = ""
    depth: int | None = 1

    @property
    def takes_all(self) -> bool:
        """Whether no criterion is given."""
        return not (self.ops or self.names or self.scope or self.inputs_of or self.consumers_of)


EVERYTHING = NodeFilter()


@dataclass(frozen=True, slots=True)
class Listing:
    """What to list, and in which form.

    Attributes:
        filter: see :class:`NodeFilter`.
        functions: whether library functions' bodies are listed too.
        inferred: shapes that take precedence over those that the file states, by tensor name.
        outputs: whether rows have outputs; names alone take a third of the time.
    """

    filter: NodeFilter = EVERYTHING
    functions: bool = False
    inferred: Shapes = field(default_factory=dict)
    outputs: bool = True


def compile_patterns(texts: Collection[str]) -> list[re.Pattern[str]]:
    """Regular expressions.

    Raises:
        GraphscopeError: one of them is not valid.
    """
    return [_compile(text) for text in texts]


def _compile(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except PATTERN_ERRORS as error:
        raise GraphscopeError(
            f"{text!r} is not a valid regular expression: {error}", hint="escape special characters with \\"
        ) from error


def list_nodes(model: Model, listing: Listing) -> Iterator[NodeRow]:
    """The nodes in file order, one by one.

    Raises:
        IncompleteModelError: the model has no graph.
        UnknownNameError: ``inputs_of``, ``consumers_of`` or ``scope`` names nothing, or no node has one of the ops.
    """
    lister = TensorLister(model.catalog, model.graph.producer, listing.inferred)
    bodies = model.graph.bodies if listing.functions else iter([("", model.graph)])
    chosen = listing.filter
    refuse_unknown([body for _, body in model.graph.bodies] if listing.functions else [model.graph], chosen)
    for function, body in bodies:
        for node, distance in select(body, chosen, _neighbourhood(body, chosen, function)):
            yield NodeRow(
                function,
                node.name,
                node.op,
                node.device,
                tuple(node.inputs),
                tuple(lister.outputs(node, body)) if listing.outputs else (),
                distance,
            )


def refuse_unknown(bodies: Sequence[Iterable[Named]], chosen: NodeFilter) -> None:
    """Raises an error for names that select nothing, instead of an empty list.

    Raises:
        UnknownNameError: no node has one of the ops, or none is in the scope.
    """
    known_ops = {node.op for body in bodies for node in body} if chosen.ops else set()
    for op in chosen.ops:
        if op not in known_ops:
            raise UnknownNameError("op of this graph", op, sorted(known_ops))
    scope = chosen.scope.rstrip("/")
    if scope and not any(_in_scope(node.name, scope) for body in bodies for node in body):
        scopes = {node.name.rpartition("/")[0] for body in bodies for node in body}
        raise UnknownNameError("name scope", scope, sorted(scopes - {""}))


def _in_scope(name: str, scope: str) -> bool:
    return name == scope or name.startswith(scope + "/")


def select(body: Iterable[N], chosen: NodeFilter, near: Mapping[str, int] | None) -> Iterator[tuple[N, int | None]]:
    """The nodes that ``chosen`` takes, each with its distance from the node that was asked about.

    Args:
        near: the nodes around that one, by name; ``None`` if none was asked about.
    """
    scope = chosen.scope.rstrip("/")
    ops = frozenset(chosen.ops)
    if chosen.takes_all:
        yield from ((node, None) for node in body)
        return
    for node in body:
        name = node.name
        if near is not None and name not in near:
            continue
        if ops and node.op not in ops:
            continue
        if scope and not _in_scope(name, scope):
            continue
        if chosen.names and not any(pattern.search(name) for pattern in chosen.names):
            continue
        yield node, near[name] if near is not None else None


def _neighbourhood(body: Body, chosen: NodeFilter, function: str) -> dict[str, int] | None:
    """Name -> distance from the nodes given in the filter; ``None`` if none were given."""
    if not (chosen.inputs_of or chosen.consumers_of):
        return None
    if function:
        return {}
    near: dict[str, int] = {}
    for name, walk in ((chosen.inputs_of, body.ancestors), (chosen.consumers_of, body.descendants)):
        if name:
            start = node_of(name)
            found = walk([start], chosen.depth)
            near.update((n, d) for n, d in found.items() if n != start)
    return near
