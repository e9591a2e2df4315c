"""``graphscope.summarize``: a model at a glance."""

from __future__ import annotations

import os
from collections.abc import Collection

from graphscope.analysis.summary import Summary
from graphscope.analysis.summary import summarize as summary_of
from graphscope.api.opening import ModelLike, as_model


def summarize(
    model: ModelLike, *, checkpoint: str | os.PathLike[str] | None = None, tags: str | Collection[str] = ()
) -> Summary:
    """What is in a model: versions, parameters, inputs, likely outputs, and what is missing. Needs no TensorFlow.

    Args:
        model: a model, or what :func:`graphscope.load` opens.
        checkpoint: the values of a graph that lies elsewhere; for a path only.
        tags: the meta graph of a SavedModel with exactly these tags; for a path only.

    Raises:
        GraphscopeError: as :func:`graphscope.load`.
    """
    return summary_of(as_model(model, tags=tags, checkpoint=checkpoint))
