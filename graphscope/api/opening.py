"""Shared by the public functions: models by path, lists of names, chosen outputs."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model
from graphscope.formats import load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.feeding.feeds import Given

ModelLike = Model | str | os.PathLike[str]
"""A model, or what :func:`graphscope.load` opens."""

Names = str | Sequence[str]
"""Node or tensor names; a ``str`` is one."""


def as_model(
    model: ModelLike, *, tags: str | Collection[str] = (), checkpoint: str | os.PathLike[str] | None = None
) -> Model:
    """The model itself, or the one at a path, with ``tags`` and ``checkpoint``; raises as :func:`graphscope.load`."""
    return model if isinstance(model, Model) else load(model, tags=tags, checkpoint=checkpoint)


def without_calls(model: Model) -> Model:
    """Returns ``model`` with all function calls inlined.

    Raises:
        GraphscopeError: they would be too many nodes.
    """
    from graphscope.transforms.inlining import inline_calls

    before = model.graph
    graph = inline_calls(before)
    return model if graph is before else model.with_graph(graph)


def as_names(names: Names) -> tuple[str, ...]:
    """``names`` as a tuple; a ``str`` is one name."""
    return (names,) if isinstance(names, str) else tuple(names)


def chosen_outputs(model: Model, wanted: Names, listener: Listener) -> tuple[str, ...]:
    """The named outputs, or the likely ones, with a note to ``listener``.

    Raises:
        UnknownNameError: a name is not in the graph.
        GraphscopeError: no output was named and none is clear; the error lists the ranked candidates.
    """
    from graphscope.analysis.ends.choose_outputs import choose_outputs

    chosen = choose_outputs(model, as_names(wanted))
    note_outputs(chosen.outputs, chosen.reason, listener)
    return chosen.outputs


def note_outputs(outputs: Sequence[str], reason: str, listener: Listener) -> None:
    """Notes which outputs were chosen and why, unless they were named by the caller."""
    if reason:
        taken = f"{', '.join(outputs)} taken as the output ({reason}); "
        listener.note(Advice(taken, Option("outputs"), " chooses another"))


def fixed_values(model: Model, values: Given) -> dict[str, NDArray[Any]]:
    """Placeholder or variable -> value, from a mapping or ``NAME=VALUE`` texts.

    Raises:
        UnknownNameError: neither a placeholder nor a variable has that name.
        GraphscopeError: a value does not fit.
    """
    from graphscope.feeding.feeds import resolve_baked

    return resolve_baked(model, values) if values else {}


def warn_of_files(model: Model, listener: Listener) -> None:
    """Warns of file names from the author's machine in the graph, which everyone who gets the result can read."""
    if listener is SILENT:
        return
    from graphscope.analysis.effects import named_files

    files = named_files(model.graph)
    if files:
        listener.warning(f"the graph names files of the machine that it was built on: {', '.join(files[:5])}")
