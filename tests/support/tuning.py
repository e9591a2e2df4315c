"""Small trainings: a head on a fixture's convolutions, and examples that it can learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import graphscope
from graphscope.api.graft import graft
from graphscope.core.listener import Listener
from graphscope.errors import MissingDependencyError
from graphscope.runtime.tensorflow import tensorflow
from graphscope.training.data import DataOptions
from graphscope.training.recipe import recipe_of
from graphscope.training.tune.prepare import Request, prepare
from graphscope.training.tune.report import EpochReport, TuneReport
from graphscope.training.tune.split import WITH_CLASSES
from graphscope.training.tune.training_job import Job, StepReport, TuneOptions, Watcher
from graphscope.training.tune.tune import OutputLocation, tune
from tests.support.fixture_files import FIXTURES
from tests.support.running import assert_same_bits

try:
    tf = tensorflow()
except MissingDependencyError as error:
    pytest.skip(f"TensorFlow trains here: {error}", allow_module_level=True)

Array = NDArray[Any]
CLASSES = 3
HEAD = f"flatten,dense:8:relu,dropout:0.3,dense:{CLASSES}"


def grafted(prefix: Path, head: str = HEAD, **options: Any) -> Path:
    """A head on the convolutions of a trained LeNet, for classes unless another task is named."""
    if not {"regression", "multilabel"} & options.keys():
        options.setdefault("classes", int(head.rpartition("dense:")[2]))
    graft(FIXTURES / "lenet5_0to4", at="pool2", head=head, out=prefix, **options)
    return prefix


def pictures(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Noise with a bright stripe whose height is the class: inputs (count, 784), labels (count)."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 0.4, (count, 28, 28)).astype(np.float32)
    y = np.arange(count) % CLASSES
    for picture, label in zip(x, y):
        picture[4 + 8 * label : 8 + 8 * label] += 0.6
    return x.reshape(count, 784), y.astype(np.int64)


def saved(path: Path, x: Array, y: Array) -> str:
    np.savez(path, x=x, y=y)
    return str(path)


class Recorder:
    """A watcher that remembers the losses of all steps, and stops a training after some."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.losses: dict[int, float] = {}
        self.epochs: list[EpochReport] = []
        self.misclassified: list[int] = []
        self.stop_after = stop_after

    def on_begin(self, job: Job, run: Any) -> None:
        self.job = job

    def on_step(self, step: StepReport) -> None:
        self.losses[step.step] = step.loss

    def on_epoch(self, epoch: EpochReport, evaluation: Any) -> None:
        self.epochs.append(epoch)

    def is_enough(self) -> bool:
        return self.stop_after is not None and len(self.losses) >= self.stop_after


class Heard(Listener):
    """Remembers warnings and notes."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.notes: list[str] = []

    def note(self, text: Any) -> None:
        self.notes.append(str(text))

    def warning(self, text: Any) -> None:
        self.warnings.append(str(text))


def train(
    prefix: Path | str,
    data: str,
    validation: str = "0",
    *,
    out: Path | str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    augment: str = "",
    use_cache: bool = True,
    split: int = WITH_CLASSES,
    cache: Path | None = None,
    watchers: Sequence[Watcher] = (),
    interrupted: Callable[[], bool] = lambda: False,
    **options: Any,
) -> TuneReport:
    """What ``graphscope tune`` does, with small batches."""
    model = graphscope.load(prefix)
    reading = DataOptions(cache=cache or Path(prefix).parent / "cache")
    request = Request(data, validation, reading, augment, use_cache, split)
    job, _ = prepare(model, recipe_of(model), request, TuneOptions(**{"epochs": 3, "batch": 8, **options}))
    place = OutputLocation(None if out is None else f"{out}/", resume, overwrite)
    return tune(model, job, place, augmentation=augment, watchers=watchers, interrupted=interrupted)


def values(prefix: Path | str) -> dict[str, Array]:
    """Every tensor of a checkpoint, as TensorFlow reads it."""
    reader = tf.train.load_checkpoint(str(prefix))
    return {name: np.asarray(reader.get_tensor(name)) for name in reader.get_variable_to_shape_map()}


def assert_equal_bits(one: dict[str, Array], other: dict[str, Array]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert (value.dtype, value.shape) == (other[name].dtype, other[name].shape)
        assert_same_bits(value, other[name])


def without_times(report: EpochReport) -> tuple[Any, ...]:
    return (report.epoch, report.step, report.loss, report.metric, report.validation_loss, report.validation_metric)
