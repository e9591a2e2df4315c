"""Opens the model of a command, and prints its warnings."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from graphscope.cli.terminal.output import Sink
from graphscope.core.model import Model
from graphscope.errors import ArgumentError

if TYPE_CHECKING:
    from graphscope.core.foreign import ForeignModel
    from graphscope.formats.registry import ForeignFile


def load(
    path: str | os.PathLike[str],
    *,
    tags: Collection[str] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    lazily: bool = False,
) -> Model:
    """As :func:`graphscope.formats.load`; the model's warnings go to stderr."""
    from graphscope import formats

    return _warn(formats.load(path, tags=tags, checkpoint=checkpoint, lazily=lazily))


def open_any(
    path: str | os.PathLike[str],
    *,
    tags: Collection[str] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    lazily: bool = False,
) -> Model | ForeignModel:
    """As :func:`graphscope.formats.open_any`; the model's warnings go to stderr."""
    from graphscope import formats

    opened = formats.open_any(path, tags=tags, checkpoint=checkpoint, lazily=lazily)
    return _warn(opened) if isinstance(opened, Model) else opened


def load_runnable(
    path: str | os.PathLike[str],
    *,
    tags: Collection[str] = (),
    checkpoint: str | os.PathLike[str] | None = None,
) -> Model | ForeignFile:
    """As :func:`graphscope.formats.load_runnable`; the model's warnings go to stderr."""
    from graphscope import formats

    loaded = formats.load_runnable(path, tags=tags, checkpoint=checkpoint)
    return _warn(loaded) if isinstance(loaded, Model) else loaded


def refuse_options(model: ForeignModel, options: Mapping[str, object]) -> None:
    """Refuses options that do not apply to a model of another runtime.

    Args:
        options: flag -> its value; empty if it was not given.

    Raises:
        ArgumentError: one was given.
    """
    given = [flag for flag, value in options.items() if value]
    if given:
        apply = "applies" if len(given) == 1 else "apply"
        raise ArgumentError(f"{model.path}: {model.kind}: {', '.join(given)} {apply} to TensorFlow graphs only")


def _warn(model: Model) -> Model:
    for warning in model.warnings:
        Sink.standard().warning(warning)
    return model
