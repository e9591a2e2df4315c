"""``graphscope.features``: what a model computes of each example, kept as data."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Call, Option
from graphscope.api.opening import ModelLike, Names, as_model, as_names, fixed_values
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model
from graphscope.errors import GraphscopeError
from graphscope.formats.archives.npz_writer import write_npz
from graphscope.formats.io.places import refuse_unwritable
from graphscope.training.data import DataOptions, Dataset, open_data
from graphscope.training.data.source import AS_STORED
from graphscope.training.features.compute import BATCH, FEATURES, base_of, cached_features, input_spec
from graphscope.training.features.export import feature_arrays
from graphscope.training.features.store import FeatureStore
from graphscope.training.graft.base import Base, open_base
from graphscope.training.recipe import COLLECTION, label_shape, recipe_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.feeding.feeds import Given


@dataclass(frozen=True)
class Features:
    """The features of all examples, on disk in the cache.

    Attributes:
        store: rows by position, read when they are asked for.
        source: the examples, with keys, labels and names of classes.
    """

    store: FeatureStore
    source: Dataset

    def __len__(self) -> int:
        return len(self.store)

    @property
    def labels(self) -> NDArray[Any]:
        """int64 (n,) for classes; float32 (n, width) for values and several labels."""
        return self.source.labels

    def arrays(self) -> dict[str, NDArray[Any]]:
        """``x`` (``x0``, ``x1``, ... of several tensors), ``y``, ``keys``, and ``classes`` with names; all in memory."""
        return {name: payload.numpy() for name, payload in feature_arrays(self.store, self.source)}

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False, listener: Listener = SILENT) -> int:
        """Writes :meth:`arrays` to a NumPy archive, in bounded memory. Returns the size in bytes.

        Raises:
            FileError: the file exists and ``overwrite`` is not set, or cannot be written; an old file stands.
            CorruptFileError: a shard of the cache is damaged.
        """
        with listener.reading("writing", self.store.layout.size_bytes) as progress:
            return write_npz(path, feature_arrays(self.store, self.source), overwrite=overwrite, progress=progress)


def features(
    base: ModelLike,
    data: str,
    *,
    out: str | os.PathLike[str] | None = None,
    at: Names = (),
    inputs: Names = (),
    set: Given = (),
    batch: int = BATCH,
    reading: DataOptions | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    tags: str | Collection[str] = (),
    trust: bool = False,
    overwrite: bool = False,
    listener: Listener = SILENT,
) -> Features:
    """Computes tensors of a model for every example. Starts TensorFlow, unless the cache holds everything.

    Args:
        base: a model, or what :func:`graphscope.load` opens.
        data: an ``.npz`` with x and y, a folder of class folders, TFRecords, MNIST's idx files, ``python:module:function``.
        out: the ``.npz`` to write; ``None`` writes nothing beside the cache.
        at: the tensors; without any, those below the stopped gradient of a grafted model.
        inputs: where the model is cut open.
        set: placeholder -> value to fix it to.
        batch: examples that are computed at once.
        reading: how data is read, and where the cache is.
        checkpoint: the values of a graph that lies elsewhere; for a path only.
        tags: the meta graph of a SavedModel with exactly these tags; for a path only.
        trust: run nodes that touch files, the network or processes too.
        overwrite: replace an existing file.

    Raises:
        UnknownNameError: a tensor or a placeholder is not there.
        GraphscopeError: nothing says which tensor; features are not a row for each example, or depend on the others in the
            batch; they do not fit on the disk; data does not fit the model.
        UntrustedError: the model does more than compute, and ``trust`` is not set.
        FileError: ``out`` exists, data cannot be read, the disk is full.
        CorruptFileError: a weight, an example or a manifest is damaged.
        MissingDependencyError: TensorFlow is not installed.
    """
    if out is not None:
        refuse_unwritable(Path(out), overwrite)
    model = as_model(base, tags=tags, checkpoint=checkpoint)
    below, options = _base(model, as_names(at), as_names(inputs), set, reading or DataOptions())
    source = open_data(data, input_spec(below), options)
    _note(below, source, listener)
    with listener.running(), listener.computing("features of the base", len(source)) as told:
        store = cached_features(model, below, source, options.cache / FEATURES, batch=batch, progress=told, trust=trust)
    found = Features(store, source)
    if out is not None:
        found.save(out, overwrite=overwrite, listener=listener)
    return found


def _base(
    model: Model, at: tuple[str, ...], inputs: tuple[str, ...], values: Given, options: DataOptions
) -> tuple[Base, DataOptions]:
    """What is below ``at``, or below the stopped gradient of a grafted model, whose task the labels then fit."""
    if at:
        below = open_base(model, at, inputs=inputs, values=fixed_values(model, values))
        return below, replace(options, task=AS_STORED)
    if COLLECTION not in model.collections:
        hint = Advice(
            Option("at", "TENSOR"), "; ", Call("nodes", ("MODEL",), (Option("tensors", True),)), "   lists them"
        )
        raise GraphscopeError(f"{model.path}: no tensor was named, and the model was not grafted", hint=hint)
    recipe = recipe_of(model)
    return base_of(model, recipe), replace(options, task=recipe.task, classes=math.prod(label_shape(model, recipe)))


def _note(base: Base, source: Dataset, listener: Listener) -> None:
    """What a person did not ask for, or should know."""
    for note in base.notes:
        listener.note(note)
    for name, value in base.fixed.items():
        text = f"{name} looks like a training switch and is set to {value}; "
        listener.note(Advice(text, Option("set", f"{name}=VALUE"), " chooses another value"))
    for note in source.notes:
        listener.note(note)


__all__ = ["Features", "features"]
