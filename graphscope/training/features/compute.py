"""Computes everything before the stopped gradient once for each example, and stores it on disk.

A killed run continues from the complete shards. There is a separate directory for each combination of base, cut, weights,
preprocessing and data: see :mod:`graphscope.training.features.key`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Call, Option
from graphscope.cluster.share import WHOLE, Share
from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, some
from graphscope.runtime.config import DEFAULT, SessionOptions, session_config
from graphscope.runtime.session import Session, open_session
from graphscope.runtime.tensorflow import promise_equal_bits
from graphscope.training.batches import BatchRunner
from graphscope.training.data.cache import make_directory
from graphscope.training.data.source import Dataset
from graphscope.training.features.key import below_stop, feature_key
from graphscope.training.features.store import (
    FeatureSpec,
    FeatureStore,
    Layout,
    missing_shards,
    publish_layout,
    read_layout,
    refuse_too_large,
    remove_left_over,
    rows_of,
    shard_path,
    write_part,
    written_examples,
)
from graphscope.training.features.turns import turns
from graphscope.training.graft.base import Base, open_base
from graphscope.training.recipe import Recipe
from graphscope.transforms.findings.batch_statistics import find_batch_statistics
from graphscope.transforms.findings.drops import lasting_drops

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 32
FEATURES = "features"
"""The directory of features in the cache."""

_MAX_NAMES = 5

Told = Callable[[int], None]
"""Takes the number of finished examples, after each batch."""


def base_of(model: Model, recipe: Recipe) -> Base:
    """The base of a grafted model, up to the stopped gradient.

    Raises:
        GraphscopeError: gradients reach the base, so its features change with each step.
    """
    if not recipe.features:
        raise GraphscopeError(
            f"{model.path}: gradients reach the base, so its outputs change with each step",
            hint=Advice(
                Call("graft", ("BASE",)),
                " without ",
                Option("unfreeze"),
                " and ",
                Option("stop_gradient", False),
                " keeps the base unchanged",
            ),
        )
    return open_base(model, [below_stop(model.graph, tensor) for tensor in recipe.features])


def input_spec(base: Base) -> TensorSpec:
    """The single tensor that examples are fed to.

    Raises:
        GraphscopeError: there are none, or several.
    """
    if len(base.inputs) != 1:
        names = ", ".join(f"{spec.name} {shape_text(spec.shape)}" for spec in base.inputs)
        raise GraphscopeError(
            f"{base.path}: {', '.join(base.at)} needs {len(base.inputs)} inputs, but data has one: {names or 'none'}",
            hint=Advice(Option("set", "NAME=VALUE"), "   fixes the others") if base.inputs else None,
        )
    return base.inputs[0]


@dataclass(frozen=True, slots=True)
class Kept:
    """The state of the features of some examples in the cache.

    Attributes:
        place: the directory.
        layout: the layout of rows; ``None`` if nothing exists yet.
        count: of all examples.
        missing: the examples without features.
    """

    place: Path
    layout: Layout | None
    count: int
    missing: Sequence[range]

    @property
    def lacking(self) -> int:
        """Number of examples without features."""
        return sum(map(len, self.missing))

    def again(self) -> Kept:
        """The current state. Reads no weights."""
        return _kept(self.place, self.count)

    def store(self, computed: int) -> FeatureStore:
        """The complete features; ``computed`` of them are new."""
        assert self.layout is not None
        return FeatureStore(self.place, self.layout, computed)


def kept_features(base: Base, source: Dataset, directory: Path) -> Kept:
    """The state of the features of ``source`` in ``directory``. Reads the base's weights once.

    Args:
        directory: holds the features of any number of bases and data, each in a directory of its own.

    Raises:
        GraphscopeError: the features are random and cannot be cached.
        CorruptFileError: a weight or a manifest is damaged.
    """
    refuse_random(base)
    return _kept(directory / feature_key(base, source), len(source))


def _kept(place: Path, count: int) -> Kept:
    layout = read_layout(place)
    missing = [range(count)] if layout is None else missing_shards(place, layout)
    return Kept(place, layout, count, missing)


def cached_features(
    model: Model,
    base: Base,
    source: Dataset,
    kept: Kept,
    *,
    batch: int = BATCH,
    progress: Told = lambda _: None,
    trust: bool = False,
    share: Share = WHOLE,
    session: SessionOptions = DEFAULT,
) -> FeatureStore:
    """Returns the features of all examples of ``source``, and computes those missing in the cache.

    Memory is bounded by ``batch``. TensorFlow starts only if something has to be computed.

    Args:
        model: that ``base`` was opened from.
        kept: what :func:`kept_features` finds of this base and these data; it has read the base's weights once.
        batch: examples that are computed at once; a base that takes another number only gets that, and one that takes the
            content of one file gets one file at a time.
        trust: also run nodes that touch files, the network or processes.
        share: the part that this process computes first; afterwards it helps the others, or waits for them.
        session: session options, such as threads.

    Raises:
        GraphscopeError: the base takes several inputs, or its features are not one row for each example, or depend on the
            other examples of the batch; they do not fit on the disk; TensorFlow refuses.
        UntrustedError: the base does more than compute, and ``trust`` is not set.
        FileError: the disk is full, or a file cannot be written. What is there is whole.
        CorruptFileError: a weight, an example or a manifest is damaged.
    """
    meter = _Meter(progress, share)
    meter.reach(kept.count - kept.lacking)
    if kept.missing:
        promise_equal_bits()
        cut = model.with_graph(base.graph)
        config = partial(session_config, session)
        with open_session(cut, base.at, values=base.values, config=config, trust=trust) as opened:
            layout = _Computing(opened, base, source, kept.place, batch).run(kept.layout, share, meter)
            kept = replace(kept, layout=layout)
    return kept.store(meter.computed)


class _Meter:
    """Counts examples with features.

    Attributes:
        computed: how many were computed by this process.
    """

    def __init__(self, progress: Told, share: Share) -> None:
        self.computed = 0
        self._told = 0
        self._progress = progress
        self._share = share

    def compute(self, count: int) -> None:
        """Another ``count`` are computed."""
        self.computed += count
        self._tell(count)

    def reach(self, count: int) -> None:
        """``count`` are now available, computed by any process. All processes report to the launcher."""
        if not self._share.is_launched:
            self._tell(max(count - self._told, 0))

    def _tell(self, count: int) -> None:
        self._told += count
        self._progress(count)


def refuse_random(base: Base) -> None:
    """Features that dropout makes random are others each time that they are computed."""
    drops = lasting_drops(base.graph)
    if drops:
        named = some(drops, _MAX_NAMES)
        raise GraphscopeError(
            f"{base.path}: dropout with a constant rate makes {', '.join(base.at)} random: {named}; features cannot be cached",
            hint=Advice(Option("at", "TENSOR"), "   names what comes before it, here or where the base is cut"),
        )


def refuse_dependent(base: Base, features: BatchRunner, inputs: NDArray[Any], tensors: Sequence[NDArray[Any]]) -> None:
    """Refuses features that depend on the other examples of a batch, because of batch norm or dropout in training mode.

    Args:
        tensors: what ``features`` gave for ``inputs``.

    Raises:
        GraphscopeError: one of them does so.
    """
    name = features.dependent(inputs, tensors)
    if name is not None:
        raise GraphscopeError(
            f"{base.path}: {name} of one example depends on the others in its batch, or on chance",
            hint=_how_to_decide(base),
        )


def _how_to_decide(base: Base) -> Advice:
    """How features become those of one example: switches that were recognized are off already."""
    norms = find_batch_statistics(base.graph)
    if norms:
        help = f"batch norm was built for training ({some(norms, _MAX_NAMES)}): build the graph for inference, or name"
        return Advice(help, " what comes before it with ", Option("at", "TENSOR"))
    return Advice(Option("set", "is_training=false"), " (or whatever the switch is called) when the base is cut")


class _Computing:
    """Fills one directory."""

    def __init__(self, session: Session, base: Base, source: Dataset, place: Path, batch: int) -> None:
        self.base = base
        self.source = source
        self.place = place
        self.features = BatchRunner(session.run, base.path, input_spec(base), base.at, batch)
        self.batch = self.features.batch

    def run(self, layout: Layout | None, share: Share, meter: _Meter) -> Layout:
        make_directory(self.place)
        remove_left_over(self.place)
        if layout is None:
            layout = publish_layout(self.place, self.plan())
        missing = missing_shards(self.place, layout)
        refuse_too_large(
            self.place, sum(map(len, missing)) * layout.row_bytes, lambda path: shutil.disk_usage(path).free
        )
        for shard in turns(self.place, layout, share):
            write_part(shard_path(self.place, shard.start), self.rows(shard, layout, meter))
            if share.count > 1:
                meter.reach(written_examples(self.place, layout))
        return layout

    def rows(self, shard: range, layout: Layout, meter: _Meter) -> Iterator[bytes]:
        """The rows of one shard, batch by batch."""
        for first in range(shard.start, shard.stop, self.batch):
            indices = range(first, min(first + self.batch, shard.stop))
            with self.naming(indices):
                tensors = self.features(self.inputs(indices))
            if self.specs(tensors) != layout.specs:
                raise GraphscopeError(
                    f"{self.base.path}: features of examples {indices} differ in shape from the others"
                )
            yield rows_of(tensors)
            meter.compute(len(indices))

    @contextmanager
    def naming(self, indices: range) -> Iterator[None]:
        """Adds the name of an example to TensorFlow's error, if one is computed at a time: a file that it cannot decode."""
        try:
            yield
        except GraphscopeError as error:
            if not self.features.takes_one or type(error) is not GraphscopeError:
                raise
            key = self.source.keys[indices.start]
            raise GraphscopeError(f"{error.message}, for example {key}", hint=error.hint) from error

    def plan(self) -> Layout:
        """What the first batch shows."""
        indices = range(min(self.batch, len(self.source)))
        inputs = self.inputs(indices)
        with self.naming(indices):
            tensors = self.features(inputs)
        refuse_dependent(self.base, self.features, inputs, tensors)
        return Layout.of(self.specs(tensors), len(self.source), self.batch)

    def inputs(self, indices: range) -> NDArray[Any]:
        import numpy as np

        return self.source.read(np.arange(indices.start, indices.stop))

    def specs(self, tensors: list[NDArray[Any]]) -> tuple[FeatureSpec, ...]:
        named = zip(self.base.at, tensors)
        return tuple(FeatureSpec(name, DataType.from_numpy(value.dtype), value.shape[1:]) for name, value in named)
