"""Runs a model on labeled examples, batch by batch, and collects results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.core.listener import Advance
from graphscope.core.model import Model
from graphscope.core.tensors import Shape, shape_text
from graphscope.errors import GraphscopeError
from graphscope.runtime.session import open_session
from graphscope.runtime.tensorflow import promise_equal_bits
from graphscope.training.batches import BatchRunner, Run
from graphscope.training.data.source import Dataset
from graphscope.training.evaluation.judging import TOP, judge, recognize_scale
from graphscope.training.evaluation.report import ClassScore, EvaluationReport, Misclassified
from graphscope.training.evaluation.scores import Scale, Scores
from graphscope.training.evaluation.tasks import Task, settle_task
from graphscope.training.features.compute import input_spec
from graphscope.training.graft.base import Base
from graphscope.training.recipe import CLASSES, REGRESSION
from graphscope.training.tune.metrics import Evaluation
from graphscope.training.tune.report import METRIC_NAMES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphscope.runtime.engines.program import Program


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """Options of an evaluation.

    Attributes:
        task: a task, or :data:`graphscope.training.data.source.AS_STORED` if the labels determine it.
        batch: examples at once, where the model takes any number.
        remembered: how many misclassified examples to remember.
        trust: whether nodes that touch files, the network or processes may run.
    """

    task: str
    batch: int
    remembered: int
    trust: bool = False


@dataclass(frozen=True, slots=True)
class Judgements:
    """Results of running a model on examples.

    Attributes:
        task: the evaluated task.
        scores: the computed tensor, with the scale of its numbers.
        found: losses, counts and misclassified examples.
        top: the share of labels among the highest-scoring classes; ``None`` if that is meaningless.
        is_dependent: whether the scores of an example depend on the others in its batch, or are random.
    """

    task: Task
    scores: Scores
    found: Evaluation
    top: float | None
    is_dependent: bool


def evaluate(
    model: Model,
    base: Base,
    scores: Scores,
    source: Dataset,
    options: EvaluationOptions,
    told: Advance,
    program: Program | None = None,
) -> Judgements:
    """Evaluates ``scores`` on all examples. Memory is bounded by a batch, labels and counts.

    Args:
        model: that ``base`` was opened from.
        scores: a tensor of ``base``.
        told: receives the number of examples of each batch.
        program: computes the scores instead of TensorFlow.

    Raises:
        GraphscopeError: scores are not one row per example, or NaN; labels do not fit them; TensorFlow fails.
        UntrustedError: the model does more than compute, and the options do not trust it.
        FileError, CorruptFileError: an example or a weight cannot be read.
    """
    import numpy as np

    with _running(model, base, scores, options, program) as run:
        runner = BatchRunner(run, base.path, input_spec(base), (scores.tensor,), options.batch)
        judging: _Judging | None = None
        for first in range(0, len(source), runner.batch):
            indices = np.arange(first, min(first + runner.batch, len(source)))
            inputs = source.read(indices)
            values = runner(inputs)
            rows = _rows(values[0], scores, source, first)
            if judging is None:
                judging = _Judging(source, scores, options, rows)
                judging.is_dependent = runner.dependent(inputs, values) is not None
            judging.add(rows, indices)
            told(len(indices))
    assert judging is not None  # data without examples is refused when it is opened
    return judging.judgements()


@contextmanager
def _running(
    model: Model, base: Base, scores: Scores, options: EvaluationOptions, program: Program | None
) -> Iterator[Run]:
    if program is not None:
        yield program.run
        return
    promise_equal_bits()
    cut = model.with_graph(base.graph)
    with open_session(cut, [scores.tensor], values=base.values, trust=options.trust) as session:
        yield session.run


def row_width(tensor: str, shape: Shape) -> int | None:
    """Number of scores or values of a tensor per example; ``None`` if the shape does not determine it.

    Raises:
        GraphscopeError: they are more than a row.
    """
    if not shape:
        return None
    if any(size not in (None, 1) for size in shape[1:-1]):
        raise GraphscopeError(
            f"{tensor} is {shape_text(shape[1:])} for each example, but a row of scores or values is needed",
            hint=Advice(Option("outputs", "NAME"), " chooses another output"),
        )
    return shape[-1] if len(shape) > 1 else 1


def _rows(values: NDArray[Any], scores: Scores, source: Dataset, first: int) -> NDArray[np.float64]:
    """Float64 (n, width)."""
    import numpy as np

    row_width(scores.tensor, values.shape)
    rows = values.reshape(len(values), -1).astype(np.float64)
    wrong = np.isnan(rows).any(axis=1).nonzero()[0]
    if len(wrong):
        raise GraphscopeError(f"{scores.tensor} is NaN for example {source.keys[first + int(wrong[0])]}")
    return rows


class _Judging:
    """Counts, once the first batch has shown how wide the scores are."""

    def __init__(self, source: Dataset, scores: Scores, options: EvaluationOptions, rows: NDArray[Any]) -> None:
        self.task, self.labels = settle_task(source, options.task, rows.shape[1], scores.scale)
        is_known = scores.scale is not Scale.UNKNOWN and self.task.task != REGRESSION
        scale = scores.scale if is_known else recognize_scale(rows, self.task.task)
        self.scores = replace(scores, scale=scale)
        names = [*source.classes, *map(str, range(len(source.classes), self.task.classes))]
        self.found = Evaluation(self.task, names, options.remembered)
        self.top = 0
        self.is_dependent = False

    def add(self, rows: NDArray[Any], indices: NDArray[np.int64]) -> None:
        labels = self.labels[indices]
        judged = judge(self.task.task, rows, labels, self.scores.scale)
        self.found.add(judged.loss, judged.metric, judged.predictions, labels, indices)
        self.top += judged.top

    def judgements(self) -> Judgements:
        has_top = self.task.task == CLASSES and self.task.classes > TOP
        top = self.top / self.found.mean.examples if has_top else None
        return Judgements(self.task, self.scores, self.found, top, self.is_dependent)


def report_of(judged: Judgements, model: str, output: str, source: Dataset, notes: tuple[str, ...]) -> EvaluationReport:
    """The report, with the names of the data.

    Args:
        model: path of the model.
        output: the requested output.
        notes: notes on the results.
    """
    found = judged.found
    confusion = found.confusion
    return EvaluationReport(
        model=model,
        output=output,
        scores=judged.scores.tensor,
        scale=judged.scores.scale.value,
        task=judged.task.task,
        metric_name=METRIC_NAMES[judged.task.task],
        examples=found.mean.examples,
        metric=found.mean.metric,
        top5=judged.top,
        loss=found.mean.loss,
        classes=_errors(found) if judged.task.task == REGRESSION else _class_scores(found),
        confusion=tuple(map(tuple, confusion.matrix.tolist())) if confusion is not None else None,
        misclassified=tuple(
            Misclassified(source.keys[m.index], m.index, found.names[m.label], found.names[m.predicted], m.confidence)
            for m in found.misclassified
        ),
        notes=notes,
    )


def _errors(found: Evaluation) -> tuple[ClassScore, ...]:
    return tuple(ClassScore(row.name, row.examples, error=row.metric) for row in found.classes)


def _class_scores(found: Evaluation) -> tuple[ClassScore, ...]:
    return tuple(
        ClassScore(row.name, row.examples, predicted, _share(right, predicted), _share(right, row.examples))
        for row, (predicted, right) in zip(found.classes, found.retrieved)
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
