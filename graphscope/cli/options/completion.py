"""Shell completion of names in the model on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import typer

from graphscope.core.model import Model
from graphscope.core.ops.sets import PLACEHOLDER_OPS
from graphscope.errors import GraphscopeError

LIMIT = 500
"""The maximum number of completions."""


def _completer(names: Callable[[Model], Iterable[str]]) -> Callable[[typer.Context, str], list[str]]:
    def complete(context: typer.Context, incomplete: str) -> list[str]:
        from graphscope.formats import load

        try:
            model = load(_model_path(context))
            found = dict.fromkeys(name for name in names(model) if name.startswith(incomplete))
        except GraphscopeError:  # a shell that completes has no place for an error; the command itself will tell
            return []
        return list(found)[:LIMIT]

    return complete


def _model_path(context: typer.Context) -> str:
    """The MODEL argument; during completion of an option's value, it is among the remaining arguments."""
    return context.params.get("model") or (context.args[0] if context.args else "")


def _nodes(model: Model) -> Iterator[str]:
    return (node.name for node in model.graph)


def _nodes_and_variables(model: Model) -> Iterator[str]:
    yield from (variable.name for variable in model.variables)
    if model.has_graph:
        yield from _nodes(model)


def _ops(model: Model) -> Iterator[str]:
    return (node.op for _, body in model.graph.bodies for node in body)


def _scopes(model: Model) -> Iterator[str]:
    return (node.name.rpartition("/")[0] for node in model.graph if "/" in node.name)


def complete_format(incomplete: str) -> list[str]:
    """The formats that can be written."""
    from graphscope.formats.registry import writable

    return [row.name for row in writable() if row.name.startswith(incomplete)]


def _placeholders(model: Model) -> Iterator[str]:
    """As ``NAME=``, to be followed by a value."""
    return (f"{node.name}=" for node in model.graph if node.op in PLACEHOLDER_OPS)


complete_node = _completer(_nodes)
complete_placeholder = _completer(_placeholders)
complete_name = _completer(_nodes_and_variables)
complete_op = _completer(_ops)
complete_scope = _completer(_scopes)
