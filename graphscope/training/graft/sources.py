"""The data sources of a base without placeholders."""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.advice import Advice, Option
from graphscope.core.graph import Graph
from graphscope.core.ops.sets import brings_data
from graphscope.errors import GraphscopeError
from graphscope.training.graft.base import Base

_SHOWN = 3


def refuse_unfeedable(base: Base) -> None:
    """Refuses a base that cannot be fed: no example would ever reach its head.

    Raises:
        GraphscopeError: it has no placeholder.
    """
    if base.inputs:
        return
    graph = base.graph
    found = list(_sources(graph))
    names = ", ".join(f"{name} ({graph[name].op})" for name in found[:_SHOWN])
    what = f"it takes its data from {names}" if found else "it consists of constants and variables"
    hint = (
        Advice(Option("inputs", found[0]), " makes a placeholder of it")
        if found
        else Advice(Option("at", "TENSOR"), ": name one that depends on an input")
    )
    raise GraphscopeError(f"{base.path}: {', '.join(base.at)} depends on no input that can be fed: {what}", hint=hint)


def _sources(graph: Graph) -> Iterator[str]:
    """Nodes that bring data in; if there is none, what is random."""
    data = [n.name for n in graph.nodes if brings_data(n.op)]
    yield from data
    if not data:
        yield from (n.name for n in graph.nodes if n.op.startswith(("Random", "StatelessRandom", "ReadFile", "Range")))
