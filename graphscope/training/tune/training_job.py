"""What to train on and how, and the events reported meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from graphscope.training.recipe import Recipe
from graphscope.training.tune.examples import Examples, Feeder
from graphscope.training.tune.metrics import Evaluation, Mean
from graphscope.training.tune.order import Order
from graphscope.training.tune.report import EpochReport
from graphscope.training.tune.resume import TrainingState
from graphscope.training.tune.split import WITH_CLASSES


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """How to train.

    Attributes:
        epochs: passes over the examples, including those before a resumption.
        batch: examples in a step.
        seed: seed for shuffling and augmentation.
        patience: epochs without a better validation after which training ends; ``None``: never.
        keep: number of checkpoints to keep in addition to the best.
        save_every: steps between checkpoints within an epoch; ``None``: only at its end.
        trust: whether nodes that touch files, the network or processes may run.
    """

    epochs: int = 10
    batch: int = 32
    seed: int = 0
    patience: int | None = None
    keep: int = 3
    save_every: int | None = None
    trust: bool = False


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step.

    Attributes:
        step: the global step after it.
        loss, metric: of its batch, before the step changed anything.
        learning_rate: that it took.
        examples: in its batch.
        running: over the epoch so far.
        examples_per_s: trained on in a second, in the epoch so far.
    """

    step: int
    loss: float
    metric: float
    learning_rate: float
    examples: int
    running: Mean
    examples_per_s: float


class Watcher(Protocol):
    """Is told how training goes."""

    def on_begin(self, job: Job, run: TrainingState) -> None:
        """Before the first step; ``run`` says where it starts."""

    def on_step(self, step: StepReport) -> None:
        """After each step."""

    def on_epoch(self, epoch: EpochReport, evaluation: Evaluation | None) -> None:
        """After each epoch, its validation and its checkpoint."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to train on, and how.

    Attributes:
        recipe: tensors to feed and to run.
        options: see :class:`TuneOptions`.
        training: the examples to train on.
        validation: the validation examples; ``None`` if there are none.
        feeder: the number of an epoch, from 0 -> what feeds its training examples.
        names: of the classes; empty if they are numbers only.
        cached: whether features are fed, so that the base runs in no step.
        split: how examples were held out, see :func:`graphscope.training.tune.split.split`.
    """

    recipe: Recipe
    options: TuneOptions
    training: Examples
    validation: Examples | None
    feeder: Callable[[int], Feeder]
    names: Sequence[str]
    cached: bool
    split: int = WITH_CLASSES

    @property
    def order(self) -> Order:
        """The batches of every epoch."""
        return Order(self.training.indices, self.options.batch, self.options.seed)
