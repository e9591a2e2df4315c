"""Running a graph is running a program: nodes that would touch files, the network or processes are refused, unless trusted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from graphscope.advice import Advice, Option
from graphscope.analysis.effects import NodeEffect, PathSource, find_effects
from graphscope.core.graph import Graph
from graphscope.errors import UntrustedError

_MAX_LISTED = 8


def refuse_effects(
    path: str, graph: Graph, *, fed: Collection[str] = (), own: Collection[str] = (), stored: Collection[str] = ()
) -> None:
    """Raises an error if running ``graph`` would do more than compute. Does not start TensorFlow.

    Args:
        path: of the model.
        fed: nodes, besides placeholders, whose value the caller provides: a file name that is fed is the caller's choice.
        own: constants that name the model's own files.
        stored: variables that get their values from a checkpoint.

    Raises:
        UntrustedError: it would; the error names each node and its target.
    """
    found = [e for e in find_effects(graph, fed, own, stored) if e.target.source > PathSource.FED]
    if found:
        raise UntrustedError(
            f"{path}: running this graph would do more than compute:\n" + "\n".join(_lines(found)),
            effects=found,
            hint=Advice(Option("trust", True), "   runs it anyway; use it only if you know where this file comes from"),
        )


def _lines(found: Sequence[NodeEffect]) -> Iterator[str]:
    for effect in found[:_MAX_LISTED]:
        place = f" in function {effect.function}" if effect.function else ""
        yield f"{effect.node} ({effect.op}){place} {effect.action} [{effect.does.effect.value}]"
    if len(found) > _MAX_LISTED:
        yield f"and {len(found) - _MAX_LISTED} more"
