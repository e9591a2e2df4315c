"""Opens the model that a command is about, and passes on what the person should be warned of."""

from __future__ import annotations

import os
from collections.abc import Collection

from graphscope.cli.terminal.output import Sink
from graphscope.core.model import Model


def load(
    path: str | os.PathLike[str],
    *,
    tags: Collection[str] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    lazily: bool = False,
) -> Model:
    """As :func:`graphscope.formats.load`; the model's warnings go to stderr."""
    from graphscope import formats

    model = formats.load(path, tags=tags, checkpoint=checkpoint, lazily=lazily)
    for warning in model.warnings:
        Sink.standard().warning(warning)
    return model
