"""What runs: a model, or a file of another runtime that its own engine loads."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphscope.api.opening import ModelLike
from graphscope.core.foreign import ForeignModel
from graphscope.core.model import Model
from graphscope.formats import load_runnable
from graphscope.formats.registry import ForeignFile
from graphscope.runtime.engines.table import TENSORFLOW, engine_by_name

if TYPE_CHECKING:
    from graphscope.runtime.engines.file_model import FileModel

Runnable = ModelLike | ForeignFile | ForeignModel
"""As :data:`ModelLike`; or a file of another runtime."""


def as_runnable(
    model: Runnable, *, tags: str | Collection[str] = (), checkpoint: str | os.PathLike[str] | None = None
) -> Model | ForeignFile:
    """As :func:`as_model`, or the file of another runtime; raises as :func:`graphscope.formats.load_runnable`."""
    if isinstance(model, Model | ForeignFile):
        return model
    return load_runnable(model.path if isinstance(model, ForeignModel) else model, tags=tags, checkpoint=checkpoint)


@dataclass(frozen=True, slots=True)
class Opened:
    """What is to run, and what runs it.

    Attributes:
        model: a model, or the object that represents the file.
        engine: the row of :data:`graphscope.runtime.engines.table.ENGINES`.
        file: the file of another runtime, loaded by the engine; ``None`` for a TensorFlow graph.
    """

    model: Model
    engine: str
    file: FileModel | None = None


def open_runnable(source: Model | ForeignFile, engine: str, signature: str = "") -> Opened:
    """Chooses the engine, which loads a file of another runtime.

    Args:
        engine: the one that a person named; empty for TensorFlow, or the file's own.
        signature: of a file that has several.

    Raises:
        ArgumentError: there is no such engine, or it does not run such files; the file has no signatures.
        UnknownNameError: the file has no such signature.
        MissingDependencyError: the engine is not installed.
        GraphscopeError: the engine cannot load the file.
    """
    if engine:
        engine_by_name(engine)
    if isinstance(source, Model):
        return Opened(source, engine or TENSORFLOW)
    from graphscope.runtime.engines.file_model import FileModel

    file = FileModel(source, engine, signature)
    return Opened(file.model, engine or source.engine, file)
