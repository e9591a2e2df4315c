"""``graphscope.diff``: the differences between two models, as a report or as a page with both graphs."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from graphscope.analysis.diff.compare import DiffOptions
from graphscope.analysis.diff.compare import diff as compare
from graphscope.analysis.diff.explain import FOLDED
from graphscope.analysis.diff.report import DiffReport
from graphscope.analysis.diff.weights import Depth
from graphscope.api.opening import ModelLike, as_model, without_calls
from graphscope.core.arguments import check_arguments
from graphscope.core.graph import Graph
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model
from graphscope.core.ops.sets import CALL_OPS
from graphscope.errors import GraphscopeError, UnknownNameError

if TYPE_CHECKING:
    from graphscope.drawing.comparison import DiffDrawing

_IN_PLACE_OF_CALLS = frozenset({"Identity", "IdentityN", "NoOp", "Const"})
"""Ops of nodes that have the names of inlined calls; constants where the results were folded."""


@check_arguments
def diff(
    a: ModelLike,
    b: ModelLike,
    *,
    weights: str = "stat",
    strict: bool = False,
    explain: bool = True,
    tags: str | Collection[str] = (),
    listener: Listener = SILENT,
) -> DiffReport:
    """Compares two models: signatures, nodes, wiring, attributes, weights, functions, objects, collections.

    Needs no TensorFlow.

    Args:
        a, b: models, or what :func:`graphscope.load` opens.
        weights: how values are compared: ``none``, ``stat`` (stored checksums suffice) or ``exact`` (every byte).
        strict: also compare devices, colocation, inferred shapes and versions.
        explain: whether to report freezing and folding as such, instead of the single differences that they cause.
        tags: see :func:`graphscope.load`; only for paths.
        listener: receives the progress of the comparison.

    Raises:
        UnknownNameError: ``weights`` is none of the three.
        GraphscopeError: as :func:`graphscope.load`; or a value cannot be read.
    """
    depths = {depth.value: depth for depth in Depth}
    if weights not in depths:
        raise UnknownNameError("depth of comparison", weights, depths, hint="one of: " + ", ".join(depths))
    one, other = (as_model(model, tags=tags) for model in (a, b))
    inlined: tuple[str, ...] = ()
    if explain and one.has_graph and other.has_graph:
        one, other, inlined = _inlined_alike(one, other)
    total = sum(variable.size_bytes or 0 for variable in one.variables)
    with listener.reading("comparing values", total) as progress:
        report = compare(one, other, DiffOptions(depths[weights], strict, explain, inlined), progress)
    if any(explanation.kind == FOLDED for explanation in report.explanations):
        from graphscope.api.folded import with_judged_constants

        return with_judged_constants(report, one, other, depths[weights])
    return report


def _inlined_alike(one: Model, other: Model) -> tuple[Model, Model, tuple[str, ...]]:
    """Both models, and the calls that were inlined in one of them because they are in the other.

    A model whose calls would make too many nodes stays as it is.
    """
    calls, others = (_replaced(*pair) for pair in ((one.graph, other.graph), (other.graph, one.graph)))
    try:
        return without_calls(one) if calls else one, without_calls(other) if others else other, (*calls, *others)
    except GraphscopeError:
        return one, other, ()


def _replaced(graph: Graph, other: Graph) -> list[str]:
    """Calls in ``graph`` in whose place ``other`` has what passes on the results of a body, or a constant."""
    return [
        name
        for op, name in zip(graph.ops, graph.names)
        if (op in CALL_OPS or op in graph.functions) and name in other and other[name].op in _IN_PLACE_OF_CALLS
    ]


@check_arguments
def draw_diff(
    a: ModelLike,
    b: ModelLike,
    *,
    weights: str = "stat",
    strict: bool = False,
    explain: bool = True,
    tags: str | Collection[str] = (),
    listener: Listener = SILENT,
) -> DiffDrawing:
    """Compares two models and draws a page: both graphs side by side, the differences colored and listed.

    Functions are drawn, and compared, in place of their calls, unless that would make too many nodes.

    Args:
        a, b, weights, strict, explain, tags, listener: see :func:`diff`.

    Raises:
        GraphscopeError: as :func:`diff`.
        IncompleteModelError: a model is a checkpoint without a graph.
    """
    from graphscope.board.dump import run_name
    from graphscope.drawing.bodies import closed_bodies
    from graphscope.drawing.comparison import DiffDrawing
    from graphscope.drawing.diagram import diagram

    one, other = _drawable(*(as_model(model, tags=tags) for model in (a, b)))
    report = diff(one, other, weights=weights, strict=strict, explain=explain, listener=listener)
    titles = [run_name(model) for model in (one, other)]
    if titles[0] == titles[1]:
        titles = [one.path, other.path]
    first, second = (diagram(closed_bodies(m), title) for m, title in zip((one, other), titles))
    return DiffDrawing(report, first, second)


def _drawable(one: Model, other: Model) -> tuple[Model, Model]:
    """Both models with function calls inlined, or unchanged if one of them would have too many nodes."""
    try:
        return without_calls(one), without_calls(other)
    except GraphscopeError:
        return one, other


__all__ = ["diff", "draw_diff"]
