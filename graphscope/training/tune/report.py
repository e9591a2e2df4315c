"""Reports of a training run: after each epoch, and at its end."""

from __future__ import annotations

from dataclasses import dataclass

from graphscope.core.shown import Shown
from graphscope.training.recipe import CLASSES, MULTILABEL, REGRESSION

METRIC_NAMES = {CLASSES: "accuracy", MULTILABEL: "accuracy", REGRESSION: "mean absolute error"}
"""Task -> what the metric is called."""

ALL_EPOCHS = "all epochs are done"
PATIENCE = "patience ran out"


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One pass over the training examples.

    Attributes:
        epoch: its number, from 1.
        step: the global step after it.
        loss, metric: means over the training examples, each taken when its batch was trained on.
        validation_loss, validation_metric: means over the validation examples after the epoch; ``None`` without any.
        learning_rate: of the last step.
        seconds: wall time, validation included; of a resumed epoch, since it was resumed.
        examples_per_s: training examples in a second, validation not counted.
    """

    epoch: int
    step: int
    loss: float
    metric: float
    validation_loss: float | None
    validation_metric: float | None
    learning_rate: float
    seconds: float
    examples_per_s: float


@dataclass(frozen=True, slots=True)
class ClassReport:
    """One class, or one number of a regression.

    Attributes:
        name: of the class, or its number.
        examples: how many carry it as their label; of a regression, how many there are.
        metric: the share of its examples that are predicted rightly; where an example may carry several labels, the share of
            all examples of which it is predicted rightly whether they carry this one; of a regression, the mean absolute error.
            ``None`` if there are no examples.
    """

    name: str
    examples: int
    metric: float | None


@dataclass(frozen=True, slots=True)
class Best:
    """The epoch that did best on the validation examples.

    Attributes:
        epoch: its number, from 1.
        loss, metric: on the validation examples.
        checkpoint: the name of the checkpoint with its values.
        classes: by class.
    """

    epoch: int
    loss: float
    metric: float
    checkpoint: str
    classes: tuple[ClassReport, ...]


@dataclass(frozen=True, slots=True, repr=False)
class TuneReport(Shown):
    """A finished training.

    Attributes:
        task: of the recipe.
        metric_name: what ``metric`` is everywhere: ``accuracy`` or ``mean absolute error``.
        examples, validation_examples: how many there are.
        cached: whether the base was computed once for each example, and not in each step.
        averaged: whether moving averages took the place of the variables for validation.
        epochs: in order, those before a resumption included.
        ended: why it ended.
        last: prefix of the checkpoint after the last step.
        best: prefix of the checkpoint after the best epoch; that of the last where nothing validates.
        best_epoch: its number.
        loss, metric: of the best epoch on the validation examples; of the last on the training examples, if there are none.
        judged_on: ``validation`` or ``training``: which examples ``loss``, ``metric`` and ``classes`` speak of.
        classes: by class.
    """

    task: str
    metric_name: str
    examples: int
    validation_examples: int
    cached: bool
    averaged: bool
    epochs: tuple[EpochReport, ...]
    ended: str
    last: str
    best: str
    best_epoch: int
    loss: float
    metric: float
    judged_on: str
    classes: tuple[ClassReport, ...]

    def __repr__(self) -> str:
        figures = f"{self.metric_name} {self.metric:.4g}, loss {self.loss:.4g}"
        return f"<TuneReport {self.best!r}: {figures} after epoch {self.best_epoch} of {len(self.epochs)}>"
