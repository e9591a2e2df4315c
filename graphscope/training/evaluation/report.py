"""The report of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from graphscope.core.shown import Shown
from graphscope.core.units import count


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class, or one number of a regression.

    Attributes:
        name: of the class, or its number.
        examples: how many carry it as their label; of a regression, how many there are.
        predicted: for how many examples it is predicted; ``None`` of a regression, as the next two.
        precision: the share of the examples for which it is predicted that carry it; ``None`` if there are none.
        recall: the share of the examples that carry it for which it is predicted; ``None`` if there are none.
        error: mean absolute error; of a regression only.
    """

    name: str
    examples: int
    predicted: int | None = None
    precision: float | None = None
    recall: float | None = None
    error: float | None = None


@dataclass(frozen=True, slots=True)
class Misclassified:
    """A misclassified example.

    Attributes:
        example: its name in the data.
        index: its place in the data, from 0.
        label, predicted: names of classes.
        confidence: the probability of the predicted class.
    """

    example: str
    index: int
    label: str
    predicted: str
    confidence: float


@dataclass(frozen=True, slots=True, repr=False)
class EvaluationReport(Shown):
    """Evaluation of a model on labeled examples.

    Attributes:
        model: its path.
        output: the evaluated tensor.
        scores: the tensor that was computed for it: the logits, where ``output`` is an activation or the index of a class.
        scale: the interpretation of the numbers in ``scores``.
        task: ``classes``, ``multilabel`` or ``regression``.
        metric_name: what ``metric`` is: ``accuracy`` or ``mean absolute error``.
        examples: how many there are.
        metric: the mean over the examples.
        top5: the share of examples whose label is among the five classes that score highest; ``None`` of other tasks, and
            where there are five classes or fewer.
        loss: the mean over the examples of what ``tune`` minimizes, without ``--l2``: cross entropy in nats, or squared
            error.
        classes: by class.
        confusion: a row for each label, a column for each predicted class; ``None`` of other tasks.
        misclassified: those with the highest confidence, up to the requested number.
        notes: skipped examples and possible problems.
    """

    model: str
    output: str
    scores: str
    scale: str
    task: str
    metric_name: str
    examples: int
    metric: float
    top5: float | None
    loss: float
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    misclassified: tuple[Misclassified, ...]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        figures = f"{self.metric_name} {self.metric:.4g}, loss {self.loss:.4g}"
        return f"<EvaluationReport {self.model!r}: {figures} on {count(self.examples, 'example')}>"
