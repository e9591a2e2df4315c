"""Writes a model as a V2 checkpoint: with its own values, or with others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from graphscope.core.model import Model
from graphscope.formats.checkpoint.upgrade import upgrade_checkpoint
from graphscope.formats.checkpoint.weight_exchange import weights_into_checkpoint

if TYPE_CHECKING:
    from graphscope.formats.registry import WriteOptions


def write_model(model: Model, path: str | os.PathLike[str], options: WriteOptions) -> int:
    """Writes the model's own or the given values as V2. Returns the size in bytes.

    Raises as :func:`upgrade_checkpoint` and :func:`weights_into_checkpoint`.
    """
    prefix, overwrite, progress = os.fspath(path), options.overwrite, options.progress
    if options.weights is None:
        return upgrade_checkpoint(model, prefix, overwrite=overwrite, progress=progress)
    return weights_into_checkpoint(model, options.weights, prefix, overwrite=overwrite, progress=progress)
