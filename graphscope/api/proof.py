"""Refuses a result that does not compute the same as the model, or that cannot be verified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from graphscope.advice import Advice, Call, Option, Options, Part
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, some
from graphscope.transforms.findings.randomness import random_sources

if TYPE_CHECKING:
    from graphscope.core.graph import Graph
    from graphscope.runtime.comparing.verify import Verification
    from graphscope.transforms.freeze import FreezeOptions, FrozenGraph

_MAX_NAMES = 4
_TOLERANCE: tuple[Part, ...] = (Option("atol"), " and ", Option("rtol"), " widen the tolerance")
_UNVERIFIED: tuple[Part, ...] = ("without ", Option("verify", True), " the file is written unverified")
WIDEN = Advice(*_TOLERANCE)

Remedy = Callable[[Sequence[str]], Advice]
"""The remedy for random ops, which it names."""


def refuse_unproven_freeze(
    found: Verification, options: FreezeOptions, frozen: FrozenGraph, *, is_reported: bool = False
) -> None:
    """Refuses a frozen graph that differs, or that could not be compared; raises as :func:`refuse_unproven`."""
    refuse_unproven(
        found,
        "the frozen graph",
        frozen.graph,
        _remedy(options, frozen),
        lambda sources: Advice(*_without_chance(frozen, sources)),
        is_reported=is_reported,
    )


def refuse_unproven(
    found: Verification,
    what: str,
    graph: Graph,
    differs: Advice = WIDEN,
    is_random: Remedy = lambda _: Advice(*_UNVERIFIED),
    *,
    is_reported: bool = False,
) -> None:
    """Refuses a result that differs, or that could not be compared.

    Args:
        what: what the result is called.
        graph: of the result.
        differs, is_random: the hints for these cases.
        is_reported: differences are expected and only reported.

    Raises:
        GraphscopeError: the result differs or cannot be compared; the message lists the outputs, the hint a likely remedy.
    """
    if not found.is_within and not is_reported:
        raise _disagreement(found, what, differs)
    if not found.is_proven:
        raise _unproven(found, what, graph, is_random)


def _disagreement(found: Verification, what: str, hint: Advice) -> GraphscopeError:
    lines = [f"  {o.tensor} {o.difference}" for o in found.outputs if not o.difference.is_within]
    tolerance = f"atol {found.atol:g}, rtol {found.rtol:g}"
    text = f"{what} computes different values ({tolerance}); nothing was written"
    return GraphscopeError("\n".join([text, *lines]), hint=hint)


def _unproven(found: Verification, what: str, graph: Graph, hint: Remedy) -> GraphscopeError:
    """Two runs of the model differ as much as the model and the result: nothing can be verified."""
    lines = []
    sources: dict[str, str] = {}
    for output in found.outputs:
        if output.is_random:
            causes = random_sources(graph, output.tensor)
            sources |= causes
            lines.append(f"  {output.tensor} {output.difference}; random by {_name_causes(causes)}")
    text = f"{what} cannot be verified: two runs of the model itself differ as much; nothing was written"
    return GraphscopeError("\n".join([text, *lines]), hint=hint(list(sources)))


def _name_causes(causes: dict[str, str]) -> str:
    return some((f"{name} ({op})" for name, op in causes.items()), _MAX_NAMES) or "nothing that the graph shows"


_UNITS = {DataType.BFLOAT16: "0.03", DataType.HALF: "0.004"}
"""Type of short numbers -> four units in their last place: so far do kernels that round at other places differ."""


def _remedy(options: FreezeOptions, frozen: FrozenGraph) -> Advice:
    """State, half precision and folded batch norms are likely causes."""
    if options.float16:
        return Advice(Option("float16", True), " makes differences: ", *_TOLERANCE)
    if options.batch_norms:
        return Advice(Option("fold_batch_norms", True), " makes differences: ", *_TOLERANCE)
    if frozen.carried:
        return Advice("state that carries over needs variables: ", Call("convert", ("MODEL", "saved_model/")))
    types = {attr.type for node in frozen.graph for attr in node.attrs.values()}
    for dtype in _UNITS.keys() & types:
        tolerance = Options((Option("atol", _UNITS[dtype]), Option("rtol", _UNITS[dtype])))
        return Advice(tolerance, f"   allows for the rounding of {dtype.label}")
    return Advice(Option("fold", False), " leaves constants alone")


def _without_chance(frozen: FrozenGraph, sources: Sequence[str]) -> tuple[Part, ...]:
    switches = [Option("set", f"{name}={value}") for name, value in frozen.open_switches.items()]
    if switches:
        return (Options(tuple(switches)), "   fixes what is still open")
    if sources:
        return (Option("inputs", sources[0]), "   feeds the random numbers; ", *_UNVERIFIED)
    return _UNVERIFIED
