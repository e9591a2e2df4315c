"""From what a person named to examples with something to feed: data opened, divided, and the base computed once for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphscope.advice import Advice, Call, Option
from graphscope.cluster.share import Share
from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec, shape_text
from graphscope.errors import GraphscopeError
from graphscope.feeding.feeds import tensor_spec
from graphscope.feeding.inputs import input_of
from graphscope.feeding.one_at_a_time import demanded_string, takes_one
from graphscope.training.data import DataOptions, Dataset, open_data
from graphscope.training.features.by_workers import features_by_workers
from graphscope.training.features.compute import FEATURES, Told, base_of, cached_features, kept_features
from graphscope.training.recipe import Recipe, label_shape
from graphscope.training.tune.augment import Augmentation, augmentation
from graphscope.training.tune.examples import AugmentedInputs, CachedFeatures, Examples, Feeder, WholeInputs
from graphscope.training.tune.split import WITH_CLASSES, split
from graphscope.training.tune.training_job import Job, TuneOptions
from graphscope.training.tune.validation_size import doubts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Caching = Callable[[int], AbstractContextManager[Told]]
"""Number of examples -> callback for the number of available features."""


@dataclass(frozen=True, slots=True)
class Request:
    """The training data.

    Attributes:
        data: as :func:`graphscope.training.data.open_data` takes it.
        validation: separate validation data, or the fraction of ``data`` to hold out for validation; ``0`` for none.
        options: how data is read; task and classes are the recipe's.
        augment: what happens to inputs in training, see :func:`graphscope.training.tune.augment.augmentation`; empty: nothing.
        use_cache: whether the base is computed once for each example, if that is possible.
        shares: of the processes that compute features; without any, this process does.
        split: the version of :func:`graphscope.training.tune.split.split`, which a resumed training run must keep.
    """

    data: str
    validation: str
    options: DataOptions
    augment: str = ""
    use_cache: bool = True
    split: int = WITH_CLASSES
    shares: tuple[Share, ...] = ()


def prepare(
    model: Model,
    recipe: Recipe,
    request: Request,
    options: TuneOptions,
    caching: Caching = lambda _: nullcontext(lambda _: None),
) -> tuple[Job, list[str | Advice]]:
    """What to train on, and what a person should know of it: what was skipped, why the base runs in each step.

    Starts TensorFlow where features are to be computed.

    Raises:
        FileError, FormatError, UnknownNameError: data cannot be read.
        GraphscopeError: data does not fit the model, or a side of the division is empty.
    """
    spec = fed_input(model, recipe)
    _refuse_fixed_batch(model, recipe)
    _refuse_uncached(model, recipe, spec, request)
    shape = label_shape(model, recipe)
    reading = replace(request.options, task=recipe.task, classes=math.prod(shape))
    source = open_data(request.data, spec, reading)
    judge, chosen, held_out = _divide(source, request, spec, reading)
    _refuse_idle(request.shares, len(chosen))
    change = augmentation(request.augment, input_of(spec, reading.scaling, reading.size)) if request.augment else None
    is_cached = bool(recipe.features) and request.use_cache and change is None

    def feeder(examples: Dataset) -> Feeder:
        if not is_cached:
            return WholeInputs(examples, spec.name)
        with caching(len(examples)) as told:
            place = reading.cache / FEATURES
            base = base_of(model, recipe)
            kept = kept_features(base, examples, place)
            batch, trust = options.batch, options.trust
            store = (
                features_by_workers(request.shares, model, base, examples, kept, batch=batch, trust=trust, told=told)
                if request.shares
                else cached_features(model, base, examples, kept, batch=batch, progress=told, trust=trust)
            )
        return CachedFeatures(store, recipe.features)

    plain = feeder(source)
    job = Job(
        recipe,
        options,
        Examples(source, chosen, plain, recipe, shape),
        Examples(judge, held_out, plain if judge is source else feeder(judge), recipe, shape)
        if len(held_out)
        else None,
        _training_feeder(source, spec, plain, change, options.seed),
        source.classes,
        is_cached,
        request.split,
    )
    notes: list[str | Advice] = [
        *doubts(job.training, job.validation, source.classes),
        *dict.fromkeys([*source.notes, *judge.notes]),
        *_reasons_uncached(recipe, request),
    ]
    return job, notes


def fed_input(model: Model, recipe: Recipe) -> TensorSpec:
    """The single tensor that examples are fed to.

    Raises:
        GraphscopeError: there are several.
    """
    if len(recipe.inputs) != 1:
        names = ", ".join(recipe.inputs.values()) or "none"
        raise GraphscopeError(
            f"{model.path}: the base needs {len(recipe.inputs)} inputs, but data has one: {names}",
            hint=Advice(Call("graft", ("BASE",), (Option("set", "NAME=VALUE"),)), "   fixes the others"),
        )
    return demanded_string(model.graph, tensor_spec(model, next(iter(recipe.inputs.values()))))


def _refuse_uncached(model: Model, recipe: Recipe, spec: TensorSpec, request: Request) -> None:
    """A base that takes one file at a time cannot run on the batch of a step: what it gives is computed before."""
    if takes_one(spec) and not (recipe.features and request.use_cache):
        raise GraphscopeError(
            f"{model.path}: {spec.name} takes one file at a time, so the base cannot run in each step",
            hint="its features are computed once for each file: leave the cache on",
        )


def _refuse_fixed_batch(model: Model, recipe: Recipe) -> None:
    """A model whose loss is over a fixed number of examples cannot train on batches of others, the last one of an epoch say."""
    for name in (*recipe.inputs.values(), *recipe.features, recipe.logits, recipe.labels):
        shape = tensor_spec(model, name).shape
        if shape and shape[0] is not None:
            examples = "1 example" if shape[0] == 1 else f"{shape[0]} examples"
            raise GraphscopeError(
                f"{model.path}: {name} is {shape_text(shape)}: the model is built for {examples} at a time",
                hint=Advice(
                    Call("graft", ("BASE",)), "   builds the head for any number of examples, if the base allows it"
                ),
            )


def _refuse_idle(shares: Sequence[Share], examples: int) -> None:
    """More workers than examples: some would never have one."""
    if shares and shares[0].count > examples:
        count = shares[0].count
        raise GraphscopeError(
            f"there are {count:,} workers but only {examples:,} training examples",
            hint="use fewer workers, or one process, which is fastest for so few examples",
        )


def _divide(
    source: Dataset, request: Request, spec: TensorSpec, reading: DataOptions
) -> tuple[Dataset, NDArray[np.int64], NDArray[np.int64]]:
    """The validation data, the indices to train on, the validation indices in that data."""
    import numpy as np

    everything = np.arange(len(source), dtype=np.int64)
    fraction = _number(request.validation)
    if fraction == 0:
        return source, everything, everything[:0]
    if fraction is not None:
        return source, *split(source, fraction, request.split)
    judge = open_data(request.validation, spec, replace(reading, names=source.classes, limit_per_class=None))
    return judge, everything, np.arange(len(judge), dtype=np.int64)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _training_feeder(
    source: Dataset, spec: TensorSpec, plain: Feeder, change: Augmentation | None, seed: int
) -> Callable[[int], Feeder]:
    if change is None:
        return lambda _: plain
    return lambda epoch: AugmentedInputs(source, spec.name, change, seed, epoch)


def _reasons_uncached(recipe: Recipe, request: Request) -> Sequence[str]:
    """Why the base runs in each step, where it need not."""
    if not recipe.features or not request.use_cache or not request.augment:
        return []
    return ["augmented inputs differ in each epoch: the base runs in each step, nothing is kept of it"]
