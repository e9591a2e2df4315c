"""The task given by labels: one class of several, several at once, or numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.core.tensors import shape_text
from graphscope.errors import GraphscopeError
from graphscope.training.data.source import AS_STORED, Dataset
from graphscope.training.evaluation.scores import Scale
from graphscope.training.recipe import CLASSES, MULTILABEL, REGRESSION

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Task:
    """The task of an evaluation.

    Attributes:
        task: one of ``classes``, ``multilabel`` and ``regression``.
        classes: width of the scores.
    """

    task: str
    classes: int


def settle_task(source: Dataset, wanted: str, width: int, scale: Scale) -> tuple[Task, NDArray[Any]]:
    """The task and its labels: int64 (n,) for classes, float32 (n, width) otherwise.

    Whole numbers and names are classes; of two classes that one sigmoid tells apart, they are its label. Rows with a single
    one are classes, other rows of zeros and ones several labels. All else is numbers.

    Args:
        source: its labels are as :data:`AS_STORED` gives them, unless ``wanted`` is a task.
        wanted: a task, or :data:`AS_STORED`.
        width: of the scores.
        scale: of the scores.

    Raises:
        GraphscopeError: labels do not fit the scores.
    """
    labels = source.labels
    task = wanted if wanted != AS_STORED else _task(labels, width, scale)
    if task == CLASSES:
        numbers = labels if labels.ndim == 1 else labels.argmax(1)
        _refuse_outside(source, numbers, width)
        return Task(task, width), numbers
    rows = labels.reshape(len(labels), -1).astype("float32")
    if rows.shape[1] != width:
        raise GraphscopeError(
            f"labels are {shape_text(rows.shape[1:])} for each example, but the output has {width:,}",
            hint=Advice(Option("outputs", "NAME"), " chooses another output"),
        )
    return Task(task, width), rows


def _task(labels: NDArray[Any], width: int, scale: Scale) -> str:
    import numpy as np

    are_binary = bool(np.isin(labels, (0, 1)).all())
    if width == 1:
        return MULTILABEL if are_binary and scale is Scale.SIGMOID_LOGITS else REGRESSION
    if labels.ndim == 1:
        return CLASSES
    if not are_binary or scale is Scale.VALUES:
        return REGRESSION
    return CLASSES if (labels.sum(1) == 1).all() and scale is not Scale.SIGMOID_LOGITS else MULTILABEL


def _refuse_outside(source: Dataset, numbers: NDArray[Any], width: int) -> None:
    outside = (numbers >= width).nonzero()[0]
    if len(outside):
        first = int(outside[0])
        raise GraphscopeError(
            f"label {int(numbers[first])} of example {source.keys[first]} is outside of 0 to {width - 1}, the"
            f" {width:,} classes of the output",
            hint=Advice(Option("only_classes", "A,B,..."), "   keeps some classes and numbers them from 0"),
        )
