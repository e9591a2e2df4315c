"""What ends a freeze whose result does not compute what the model does, or of which nobody can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphscope.advice import Advice, Call, Option, Part, join_options
from graphscope.errors import GraphscopeError, some
from graphscope.transforms.randomness import random_sources

if TYPE_CHECKING:
    from graphscope.runtime.verify import Verification
    from graphscope.transforms.freeze import FreezeOptions, FrozenGraph

_MAX_NAMES = 4


def refuse_unproven(found: Verification, options: FreezeOptions, frozen: FrozenGraph) -> None:
    """Refuses a result that differs, or that could not be compared.

    Raises:
        GraphscopeError: it does; the message lists the outputs, the hint a likely remedy.
    """
    if not found.is_within:
        raise _disagreement(found, options, frozen)
    if not found.is_proven:
        raise _unproven(found, frozen)


def _disagreement(found: Verification, options: FreezeOptions, frozen: FrozenGraph) -> GraphscopeError:
    """State, half precision and folded batch norms are likely causes."""
    lines = [f"  {o.tensor} {o.difference}" for o in found.outputs if not o.difference.is_within]
    tolerance = f"atol {found.atol:g}, rtol {found.rtol:g}"
    text = f"the frozen graph computes something else ({tolerance}); nothing was written"
    return GraphscopeError("\n".join([text, *lines]), hint=_remedy(options, frozen))


def _remedy(options: FreezeOptions, frozen: FrozenGraph) -> Advice:
    tolerance = (Option("atol"), " and ", Option("rtol"), " widen the tolerance")
    if options.float16:
        return Advice(Option("float16", True), " makes differences: ", *tolerance)
    if options.batch_norms:
        return Advice(Option("fold_batch_norms", True), " makes differences: ", *tolerance)
    if frozen.carried:
        return Advice("state that carries over needs variables: ", Call("convert", ("MODEL", "saved_model/")))
    return Advice(Option("fold", False), " leaves constants alone")


def _unproven(found: Verification, frozen: FrozenGraph) -> GraphscopeError:
    """Two runs of the model differ as much as the model and the frozen graph: nothing can be verified."""
    lines = []
    sources: dict[str, str] = {}
    for output in found.outputs:
        if output.is_random:
            causes = random_sources(frozen.graph, output.tensor)
            sources |= causes
            lines.append(f"  {output.tensor} {output.difference}; random by {_named(causes)}")
    text = "the frozen graph cannot be verified: two runs of the model itself differ as much; nothing was written"
    return GraphscopeError("\n".join([text, *lines]), hint=Advice(*_unproven_hint(frozen, list(sources))))


def _named(causes: dict[str, str]) -> str:
    return some((f"{name} ({op})" for name, op in causes.items()), _MAX_NAMES) or "nothing that the graph shows"


def _unproven_hint(frozen: FrozenGraph, sources: list[str]) -> tuple[Part, ...]:
    without = ("without ", Option("verify", True), " the file is written unverified")
    switches = [Option("set", f"{name}={value}") for name, value in frozen.open_switches.items()]
    if switches:
        return (*join_options(" ", switches), "   fixes what is still open")
    if sources:
        return (Option("inputs", sources[0]), "   feeds the random numbers; ", *without)
    return without
