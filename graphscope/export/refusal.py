"""Nodes that another runtime cannot express, and where to cut the graph to leave them out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphscope.advice import Advice, Option, Options
from graphscope.analysis.tensors import TensorLister
from graphscope.core.checks.frames import frames_of
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError

if TYPE_CHECKING:
    from graphscope.core.graph import Graph

_MAX_LISTED = 12
_HANDLES = frozenset({DataType.RESOURCE, DataType.VARIANT})

UNSHAPED = "its shape is unknown"
"""Why an input of unknown rank cannot be expressed."""


class NotExpressibleError(Exception):
    """A rule does not cover a node. Internal: the reason is collected.

    Attributes:
        reason: a few words that follow the op's name.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BrokenInputError(Exception):
    """A node needs a tensor of another refused node. Internal."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One node that cannot be expressed.

    Attributes:
        node, op: its name and op.
        reason: why not.
        is_unshaped: whether it is an input of unknown rank.
    """

    node: str
    op: str
    reason: str
    is_unshaped: bool = False


class NotExportableError(GraphscopeError):
    """A graph that another runtime cannot express.

    Attributes:
        refusals: every node that is in the way, in the order of computation.
        cuts: the nodes at which ``--input`` would leave all of them out.
    """

    def __init__(self, path: str, refusals: Sequence[Refusal], cuts: Sequence[str], target: str) -> None:
        self.refusals = tuple(refusals)
        self.cuts = tuple(cuts)
        super().__init__(
            f"{path}: {_count(refusals)} cannot be expressed in {target}:\n{_lines(refusals)}",
            hint=_hint(refusals, cuts),
        )


def order(graph: Graph, refusals: Mapping[str, Refusal], outputs: Sequence[str]) -> tuple[list[Refusal], list[str]]:
    """The refusals in order of computation, and the nodes at which the graph can be cut to leave them all out, if it can.

    Args:
        refusals: by node.
        outputs: tensors that are computed; none of them may be cut off.
    """
    reached = graph.reach(map(node_of, outputs), lambda node: () if node.name in refusals else graph.producers(node))
    order = {name: place for place, name in enumerate(node.name for node in graph)}
    listed = sorted(refusals.values(), key=lambda refusal: order.get(refusal.node, len(order)))
    cuts = [refusal.node for refusal in listed if refusal.node in reached]
    is_useless = set(map(node_of, outputs)).intersection(cuts) or not _can_be_cut(graph, cuts)
    return listed, [] if is_useless else cuts


def _can_be_cut(graph: Graph, names: Collection[str]) -> bool:
    """Whether all nodes are outside loops and have outputs that can be fed."""
    frames, lister = frames_of(graph), TensorLister(graph.catalog(), graph.producer)
    outputs = (spec for name in names if name in graph for spec in lister.outputs(graph[name], graph))
    return not any(map(frames.get, names)) and _HANDLES.isdisjoint(spec.dtype for spec in outputs)


def _count(refusals: Sequence[Refusal]) -> str:
    return "1 node" if len(refusals) == 1 else f"{len(refusals):,} nodes"


def _lines(refusals: Sequence[Refusal]) -> str:
    """One line for each op and reason, with one node of it."""
    groups: dict[tuple[str, str], list[str]] = {}
    for refusal in refusals:
        groups.setdefault((refusal.op, refusal.reason), []).append(refusal.node)
    lines = [f"  {label_nodes(op, names)}: {reason}" for (op, reason), names in groups.items()]
    if len(lines) > _MAX_LISTED:
        lines[_MAX_LISTED:] = [f"  and {len(lines) - _MAX_LISTED:,} more ops"]
    return "\n".join(lines)


def label_nodes(op: str, names: Sequence[str]) -> str:
    """Nodes of one op, by the first of their names."""
    return f"{op} ({names[0]}{f' and {len(names) - 1:,} more' if names[1:] else ''})"


def _hint(refusals: Sequence[Refusal], cuts: Sequence[str]) -> Advice | None:
    unshaped = [refusal.node for refusal in refusals if refusal.is_unshaped]
    if len(unshaped) == len(refusals):
        return Advice(Options(tuple(Option("shape", f"{n}=1,224,224,3") for n in unshaped)), "   gives shapes")
    if not cuts or len(cuts) > _MAX_LISTED:
        return None
    options = [Option("inputs", name) for name in cuts]
    return Advice(Options(tuple(options)), "   starts the graph after what cannot be expressed")


def refuse_unknown_names(asked: Iterable[str], known: Collection[str]) -> None:
    """Refuses to rename a tensor that is neither an input nor an output.

    Raises:
        GraphscopeError: one of the tensors ``asked`` is not in ``known``.
    """
    for old in asked:
        if old not in known:
            raise GraphscopeError(
                f"{old} cannot be renamed: it is neither an input nor an output",
                hint=f"inputs and outputs: {', '.join(sorted(known)[:8])}",
            )


def refuse_clashes(names: Iterable[str]) -> None:
    """Refuses two inputs or outputs with the same name.

    Raises:
        GraphscopeError: there are.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise GraphscopeError(f"two inputs or outputs would be called {name}")
        seen.add(name)
