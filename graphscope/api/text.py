"""``graphscope.text``: a model as text that can be compared."""

from __future__ import annotations

import os
from collections.abc import Collection

from graphscope.analysis.model_text import model_text
from graphscope.api.opening import ModelLike, as_model
from graphscope.core.arguments import check_arguments


@check_arguments
def text(
    model: ModelLike,
    *,
    values: bool = True,
    checkpoint: str | os.PathLike[str] | None = None,
    tags: str | Collection[str] = (),
) -> list[str]:
    """The lines of a stable text of the model, one for each node. Needs no TensorFlow.

    Args:
        model: a model, or what :func:`graphscope.load` opens.
        values: whether to read constants and include their checksums; otherwise lines contain only their type and shape.
        checkpoint, tags: see :func:`graphscope.load`; only for a path.

    Raises:
        GraphscopeError: as :func:`graphscope.load`; or a value cannot be read.
    """
    opened = as_model(model, tags=tags, checkpoint=checkpoint)
    return list(model_text(opened, reads_values=values))
