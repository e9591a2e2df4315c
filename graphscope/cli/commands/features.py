"""``graphscope features``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphscope.cli.options import data as data_shared
from graphscope.cli.options import shared
from graphscope.cli.terminal.output import Sink
from graphscope.errors import GraphscopeError

if TYPE_CHECKING:
    from graphscope.core.model import Model
    from graphscope.training.data import DataOptions, Dataset
    from graphscope.training.features.store import FeatureStore
    from graphscope.training.graft.base import Base


def features(
    base: shared.ModelPath,
    *,
    data: data_shared.Data,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.npz", help="The features to write.")],
    at: Annotated[
        list[str],
        typer.Option(
            "--at", metavar="TENSOR", default_factory=list, show_default=False, help="What to compute; repeat for more."
        ),
    ],
    input: shared.InputNames,
    set_: shared.SetValues,
    batch: Annotated[int, typer.Option("--batch", min=1, metavar="N", help="Examples that are computed at once.")] = 32,
    schema: data_shared.Schema = "",
    scale: data_shared.Scale = "",
    mean: data_shared.Mean = "",
    size: data_shared.Size = "",
    only_classes: data_shared.OnlyClasses = "",
    limit_per_class: data_shared.LimitPerClass = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of --limit-per-class.")] = 0,
    strict: data_shared.Strict = False,
    cache: data_shared.Cache = None,
    checkpoint: shared.Checkpoint = None,
    tags: shared.Tags,
    trust: shared.Trust = False,
    force: shared.Force = False,
) -> None:
    """What a model computes of each example at a tensor, with the labels: data for a head alone."""
    from graphscope.cli.options.loading import load
    from graphscope.formats.io.atomic import refuse_existing

    sink = Sink.standard()
    refuse_existing(out, force)
    options = data_shared.data_options(
        schema=schema,
        strict=strict,
        size=size,
        scale=scale,
        mean=mean,
        only_classes=only_classes,
        limit_per_class=limit_per_class,
        cache=cache,
        seed=seed,
    )
    model = load(base, tags=shared.split_tags(tags), checkpoint=checkpoint)
    below, options = _base(model, at, input, set_, options)
    _write(sink, model, below, data, options, batch, out, force, trust)


def _base(
    model: Model, at: list[str], inputs: list[str], values: list[str], options: DataOptions
) -> tuple[Base, DataOptions]:
    """What is below ``--at``, or below the stopped gradient of a grafted model, whose task the labels then fit."""
    from dataclasses import replace

    from graphscope.feeding.feeds import resolve_baked
    from graphscope.training.data.source import AS_STORED
    from graphscope.training.features.compute import base_of
    from graphscope.training.graft.base import open_base
    from graphscope.training.recipe import COLLECTION, recipe_of

    if at:
        below = open_base(model, at, inputs=inputs, values=resolve_baked(model, values))
        return below, replace(options, task=AS_STORED)
    if COLLECTION not in model.collections:
        raise GraphscopeError(
            f"{model.path}: which tensor? Only a model that graphscope graft made says so itself",
            hint="--at TENSOR; graphscope nodes MODEL --tensors   lists them",
        )
    recipe = recipe_of(model)
    return base_of(model, recipe), replace(options, task=recipe.task, classes=recipe.classes)


def _write(
    sink: Sink,
    model: Model,
    base: Base,
    data: str,
    options: DataOptions,
    batch: int,
    out: Path,
    force: bool,
    trust: bool,
) -> None:
    """Computes what the cache does not hold, then writes the file."""
    import time

    from graphscope.cli.render.tune_progress import features_progress
    from graphscope.cli.terminal.graph_output import escaped_graph_output
    from graphscope.cli.terminal.progress import bytes_progress
    from graphscope.formats.archives.npz_writer import write_npz
    from graphscope.training.data import open_data
    from graphscope.training.features.compute import FEATURES, cached_features, input_spec
    from graphscope.training.features.export import feature_arrays

    start = time.monotonic()
    source = open_data(data, input_spec(base), options)
    for note in (*base.notes, *_switched(base), *source.notes):
        sink.note(note)
    with escaped_graph_output(sink), features_progress(sink, len(source)) as told:
        store = cached_features(model, base, source, options.cache / FEATURES, batch=batch, progress=told, trust=trust)
    with bytes_progress(sink, "writing", store.layout.size_bytes) as progress:
        size_bytes = write_npz(out, feature_arrays(store, source), overwrite=force, progress=progress)
    sink.lines(_lines(out, size_bytes, store, source, time.monotonic() - start))


def _switched(base: Base) -> Iterator[str]:
    for name, value in base.fixed.items():
        yield f"{name} looks like a training switch and is set to {value}; --set {name}=... sets it otherwise"


def _lines(out: Path, size_bytes: int, store: FeatureStore, source: Dataset, seconds: float) -> Iterator[str]:
    """What was computed, and what was written."""
    from graphscope.cli.terminal.text import escape, size, tensor_type

    known = len(store) - store.computed
    kept = ", from the cache" if not store.computed else f", {known:,} of them from the cache" if known else ""
    for spec in store.specs:
        yield f"{escape(spec.name)}  {tensor_type(spec.dtype, (len(store), *spec.shape))}"
    classes = f", {len(source.classes):,} classes" if source.classes else ""
    yield f"{len(store):,} examples{classes}{kept}"
    yield f"{escape(str(out))}  {size(size_bytes)} in {seconds:.1f} s"


EXAMPLES = """
  graphscope features model.ckpt-5000 --at pool5:0 --data flowers/ -o features.npz
  graphscope features frozen.pb --at conv2 --data mnist/:test -o test.npz --set is_training=false
  graphscope features grafted.ckpt --data train.npz -o features.npz
"""
