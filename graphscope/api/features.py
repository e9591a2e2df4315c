"""``graphscope.features``: computes a tensor for every example and keeps it as data."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Call, Option
from graphscope.api.opening import ModelLike, Names, as_model, as_names, fixed_values
from graphscope.cluster.hosts import WORKER, read_cluster
from graphscope.cluster.processes import Launcher
from graphscope.cluster.share import WHOLE, Share
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model
from graphscope.errors import ArgumentError, GraphscopeError
from graphscope.formats.archives.npz_writer import write_npz
from graphscope.formats.io.places import refuse_unwritable
from graphscope.runtime.config import DEFAULT, SessionOptions
from graphscope.runtime.tensorflow import can_fork, promise_equal_bits
from graphscope.training.data import DataOptions, Dataset, open_data
from graphscope.training.data.source import AS_STORED
from graphscope.training.features.by_workers import compute_by_workers, worker_session
from graphscope.training.features.compute import (
    BATCH,
    FEATURES,
    Kept,
    Told,
    base_of,
    cached_features,
    input_spec,
    kept_features,
)
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
        path: the file that they were written to; ``None`` if there is none, or another worker writes it.
    """

    store: FeatureStore
    source: Dataset
    path: Path | None = None

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
            FileError: the file exists and ``overwrite`` is not set, or cannot be written; an existing file is kept.
            CorruptFileError: a shard of the cache is damaged.
        """
        with listener.reading("writing", self.store.layout.size_bytes) as progress:
            return write_npz(path, feature_arrays(self.store, self.source), overwrite=overwrite, progress=progress)


@check_arguments
def features(
    base: ModelLike,
    data: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    at: Names = (),
    inputs: Names = (),
    set: Given = (),
    batch: int = BATCH,
    reading: DataOptions | None = None,
    workers: int = 1,
    cluster: str | os.PathLike[str] | None = None,
    job: str = "",
    task: int | None = None,
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
        out: the ``.npz`` to write; ``None`` writes only the cache. In a cluster, only worker 0 writes it.
        at: the tensors; by default those before the stopped gradient of a grafted model.
        inputs: tensors to cut the graph open at.
        set: placeholder or variable -> value to fix it to.
        batch: batch size.
        reading: how data is read, and where the cache is.
        workers: processes on this machine that compute; its processors are divided among them.
        cluster: a file that lists the hosts of all workers, which share one cache directory, or ``TF_CONFIG``; this process
            computes the part of one of them, helps the others, and returns when all features exist.
        job, task: the task of this process; by default as in ``TF_CONFIG``.
        checkpoint: prefix of a checkpoint with the values of the graph; only for a path.
        tags: selects the meta graph of a SavedModel with exactly these tags; only for a path.
        trust: run nodes that touch files, the network or processes too.
        overwrite: replace an existing file.

    Raises:
        ArgumentError: the cluster file is not valid, or does not have this task.
        UnknownNameError: a tensor or a placeholder does not exist.
        GraphscopeError: no tensor was named; features are not one row per example, or depend on the other examples of the
            batch; they do not fit on the disk; data does not fit the model; no worker is left.
        UntrustedError: the model does more than compute, and ``trust`` is not set.
        FileError: ``out`` exists, data cannot be read, the disk is full.
        CorruptFileError: a weight, an example or a manifest is damaged.
        MissingDependencyError: TensorFlow is not installed.
    """
    share = _share(workers, cluster, job, task)
    path = Path(out) if out is not None and share.rank == 0 else None
    if path is not None:
        refuse_unwritable(path, overwrite)
    options = reading or DataOptions()
    request = _Request(
        base, os.fspath(data), as_names(at), as_names(inputs), set, batch, options, checkpoint, tags, trust
    )
    opened = _opened(request)
    _note(opened.base, opened.source, listener)
    store = (
        _by_workers(request, opened, workers, listener) if workers > 1 else _by_one(request, opened, share, listener)
    )
    found = Features(store, opened.source, path)
    if path is not None:
        found.save(path, overwrite=overwrite, listener=listener)
    return found


@dataclass(frozen=True, slots=True)
class _Request:
    """The arguments of :func:`features`."""

    model: ModelLike
    data: str
    at: tuple[str, ...]
    inputs: tuple[str, ...]
    values: Given
    batch: int
    reading: DataOptions
    checkpoint: str | os.PathLike[str] | None
    tags: str | Collection[str]
    trust: bool


@dataclass(frozen=True, slots=True)
class _Opened:
    """Model and data of a request."""

    model: Model
    base: Base
    source: Dataset
    directory: Path


def _opened(request: _Request) -> _Opened:
    model = as_model(request.model, tags=request.tags, checkpoint=request.checkpoint)
    base, options = base_below(model, request.at, request.inputs, request.values, request.reading)
    return _Opened(model, base, open_data(request.data, input_spec(base), options), options.cache / FEATURES)


def _share(workers: int, cluster: str | os.PathLike[str] | None, job: str, task: int | None) -> Share:
    """The share of this process in a cluster; without a cluster, everything."""
    if cluster is None:
        if job or task is not None:
            raise ArgumentError("job and task need a cluster file", hint=Advice(Option("cluster", "cluster.yml")))
        return WHOLE
    if workers > 1:
        raise ArgumentError("workers are processes on this machine, and cannot be combined with a cluster file")
    members, own = read_cluster(cluster, job, task)
    if own.job != WORKER:
        raise ArgumentError(f"{members.path}: {own} computes no features", hint="only workers do")
    return Share(own.index, len(members.workers))


def _by_one(request: _Request, opened: _Opened, share: Share, listener: Listener) -> FeatureStore:
    """Computes the features in this process."""
    with listener.running(), listener.computing("features of the base", len(opened.source)) as told:
        kept = kept_features(opened.base, opened.source, opened.directory)
        return _compute(request, opened, kept, share, told)


def _compute(
    request: _Request, opened: _Opened, kept: Kept, share: Share, told: Told, session: SessionOptions = DEFAULT
) -> FeatureStore:
    return cached_features(
        opened.model,
        opened.base,
        opened.source,
        kept,
        batch=request.batch,
        progress=told,
        trust=request.trust,
        share=share,
        session=session,
    )


def _by_workers(request: _Request, opened: _Opened, count: int, listener: Listener) -> FeatureStore:
    """Computes the features in workers, which are forked after TensorFlow is imported but before any session exists."""
    kept = kept_features(opened.base, opened.source, opened.directory)
    if not kept.missing:
        return kept.store(0)
    promise_equal_bits()
    anew = not can_fork()
    work = _Worker(request, count, kept, opened)
    if anew and isinstance(request.model, Model):
        raise GraphscopeError(
            f"{request.model.path}: TensorFlow is already running in this process, so workers must open the model themselves",
            hint="pass the path of the model",
        )
    with listener.running(), listener.computing("features of the base", kept.count) as told:
        return compute_by_workers(kept, count, work, anew=anew, progress=told, warn=listener.warning)


@dataclass(frozen=True)
class _Worker:
    """What each process does. As a pickle it opens model and data anew; what the cache holds of them is known."""

    request: _Request
    count: int
    kept: Kept
    opened: _Opened | None

    def __reduce__(self) -> tuple[type[_Worker], tuple[_Request, int, Kept, None]]:
        return _Worker, (self.request, self.count, self.kept, None)

    def __call__(self, number: int, launcher: Launcher) -> None:
        opened = self.opened or _opened(self.request)
        share = Share(number, self.count, is_launched=True)
        _compute(self.request, opened, self.kept.again(), share, launcher.tell, worker_session(self.count))


def base_below(
    model: Model, at: tuple[str, ...], inputs: tuple[str, ...], values: Given, options: DataOptions
) -> tuple[Base, DataOptions]:
    """The base up to ``at``, or up to the stopped gradient of a grafted model, whose task then determines the labels."""
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
    """Notes on automatic choices."""
    for note in base.notes:
        listener.note(note)
    for name, value in base.fixed.items():
        text = f"{name} looks like a training switch and is set to {value}; "
        listener.note(Advice(text, Option("set", f"{name}=VALUE"), " chooses another value"))
    for note in source.notes:
        listener.note(note)


__all__ = ["Features", "features"]
