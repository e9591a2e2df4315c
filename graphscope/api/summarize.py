"""``graphscope.summarize``: a model at a glance."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, overload

from graphscope.analysis.summary import Summary, SwitchRow
from graphscope.analysis.summary import summarize as summary_of
from graphscope.api.opening import ModelLike, as_model
from graphscope.core.arguments import check_arguments
from graphscope.core.graph import Graph
from graphscope.core.model import Model

if TYPE_CHECKING:
    from graphscope.analysis.foreign.summary import ForeignSummary
    from graphscope.core.foreign import ForeignModel


@overload
def summarize(
    model: ModelLike, *, checkpoint: str | os.PathLike[str] | None = None, tags: str | Collection[str] = ()
) -> Summary: ...


@overload
def summarize(model: ForeignModel) -> ForeignSummary: ...


@check_arguments
def summarize(
    model: ModelLike | ForeignModel,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    tags: str | Collection[str] = (),
) -> Summary | ForeignSummary:
    """Summarizes a model: versions, parameters, inputs, likely outputs, missing parts. Needs no TensorFlow.

    Args:
        model: a model, or what :func:`graphscope.load` opens; or a model of another runtime, which has its own type of summary.
        checkpoint: prefix of a checkpoint with the values of the graph; only for a path.
        tags: selects the meta graph of a SavedModel with exactly these tags; only for a path.

    Raises:
        GraphscopeError: as :func:`graphscope.load`.
    """
    if not isinstance(model, (Model, str, os.PathLike)):
        from graphscope.analysis.foreign.summary import summarize_foreign

        return summarize_foreign(model)
    loaded = as_model(model, tags=tags, checkpoint=checkpoint)
    summary = summary_of(loaded)
    if summary.graph is None or all(row.shape for row in summary.graph.inputs):  # a switch is a scalar
        return summary
    return summary._replace(graph=summary.graph._replace(switches=tuple(_switches(loaded.graph))))


def _switches(graph: Graph) -> Iterator[SwitchRow]:
    from graphscope.transforms.findings.switches import open_switches, switch_reasons

    found = open_switches(graph)
    reasons = switch_reasons(graph, found)
    return (SwitchRow(name, value, reasons[name]) for name, value in found.items())
