"""Means over batches, and what a validation finds: by class, which class is taken for which, what is most misclassified."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from graphscope.training.recipe import CLASSES, MULTILABEL, REGRESSION
from graphscope.training.tune.report import ClassReport

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_MISCLASSIFIED = 12
"""Of the examples that a validation remembers."""

_THRESHOLD = 0.5
"""From this probability on an example is said to carry a label."""


@dataclass
class Mean:
    """Loss and metric over the examples so far.

    Attributes:
        loss_sum, metric_sum: batch means, each times the examples of its batch.
        examples: how many there were.
    """

    loss_sum: float = 0.0
    metric_sum: float = 0.0
    examples: int = 0

    def add(self, loss: float, metric: float, examples: int) -> None:
        """Takes the means of a batch."""
        self.loss_sum += loss * examples
        self.metric_sum += metric * examples
        self.examples += examples

    @property
    def loss(self) -> float:
        """Mean loss."""
        return self.loss_sum / self.examples if self.examples else math.nan

    @property
    def metric(self) -> float:
        """Mean metric."""
        return self.metric_sum / self.examples if self.examples else math.nan


@dataclass(frozen=True, order=True, slots=True)
class Misprediction:
    """An example whose class was not predicted rightly.

    Attributes:
        confidence: the probability of the predicted class.
        index: of the example in its data.
        label, predicted: class numbers.
    """

    confidence: float
    index: int
    label: int
    predicted: int


class Judged(Protocol):
    """What a model is asked for: a recipe says so."""

    @property
    def task(self) -> str:
        """One of ``classes``, ``multilabel`` and ``regression``."""

    @property
    def classes(self) -> int:
        """Width of the predictions."""


class _Counts(Protocol):
    """What is counted by class; rows are as :class:`ClassReport`."""

    def add(self, predictions: NDArray[Any], labels: NDArray[Any]) -> None: ...

    def rows(self) -> Sequence[tuple[int, float | None]]: ...

    def retrieved(self) -> Sequence[tuple[int, int]]: ...


class Confusion:
    """How often each class is taken for each other one.

    Attributes:
        matrix: int64 (classes, classes): row label, column what was predicted.
    """

    def __init__(self, classes: int) -> None:
        import numpy as np

        self.matrix = np.zeros((classes, classes), np.int64)

    def add(self, predictions: NDArray[Any], labels: NDArray[Any]) -> None:
        """Predictions float (n, classes), labels int64 (n,)."""
        import numpy as np

        np.add.at(self.matrix, (labels, predictions.argmax(1)), 1)

    def rows(self) -> Sequence[tuple[int, float | None]]:
        """Examples and accuracy by class."""
        totals = self.matrix.sum(1).tolist()
        return [(n, int(self.matrix[i, i]) / n if n else None) for i, n in enumerate(totals)]

    def retrieved(self) -> Sequence[tuple[int, int]]:
        """How often each class is predicted, and how often rightly."""
        return list(zip(self.matrix.sum(0).tolist(), self.matrix.diagonal().tolist()))


class _Labels:
    """Labels, any number of which an example may have."""

    def __init__(self, classes: int) -> None:
        import numpy as np

        self.carried = np.zeros(classes, np.int64)
        self.right = np.zeros(classes, np.int64)
        self.predicted = np.zeros(classes, np.int64)
        self.predicted_rightly = np.zeros(classes, np.int64)
        self.examples = 0

    def add(self, predictions: NDArray[Any], labels: NDArray[Any]) -> None:
        carried, predicted = labels >= _THRESHOLD, predictions >= _THRESHOLD
        self.carried += carried.sum(0)
        self.right += (predicted == carried).sum(0)
        self.predicted += predicted.sum(0)
        self.predicted_rightly += (predicted & carried).sum(0)
        self.examples += len(labels)

    def rows(self) -> Sequence[tuple[int, float | None]]:
        n = self.examples
        return [(c, r / n if n else None) for c, r in zip(self.carried.tolist(), self.right.tolist())]

    def retrieved(self) -> Sequence[tuple[int, int]]:
        return list(zip(self.predicted.tolist(), self.predicted_rightly.tolist()))


class _Errors:
    """Numbers that are to be met."""

    def __init__(self, width: int) -> None:
        import numpy as np

        self.absolute = np.zeros(width, np.float64)
        self.examples = 0

    def add(self, predictions: NDArray[Any], labels: NDArray[Any]) -> None:
        distances = abs(predictions.astype(float) - labels)
        self.absolute += distances.reshape(len(labels), -1, len(self.absolute)).mean(1).sum(0)
        self.examples += len(labels)

    def rows(self) -> Sequence[tuple[int, float | None]]:
        n = self.examples
        return [(n, s / n if n else None) for s in self.absolute.tolist()]

    def retrieved(self) -> Sequence[tuple[int, int]]:
        """Numbers are met more or less: nothing."""
        return ()


_COUNTS: dict[str, type[Confusion] | type[_Labels] | type[_Errors]] = {
    CLASSES: Confusion,
    MULTILABEL: _Labels,
    REGRESSION: _Errors,
}


class Evaluation:
    """Results of running a model on examples.

    Attributes:
        mean: loss and metric.
        misclassified: of a task with classes, the misclassified examples with the most confidence, those first.
    """

    def __init__(self, judged: Judged, names: Sequence[str], remembered: int = MAX_MISCLASSIFIED) -> None:
        """Nothing is found yet.

        Args:
            judged: the task, and how many classes it has.
            names: of the classes; none if they are numbers only.
            remembered: how many misclassified examples to remember.
        """
        self.mean = Mean()
        self._names = names or [str(i) for i in range(judged.classes)]
        self._counts: _Counts = _COUNTS[judged.task](judged.classes)
        self._worst: list[Misprediction] = []
        self._remembered = remembered

    @property
    def confusion(self) -> Confusion | None:
        """Of a task with classes."""
        return self._counts if isinstance(self._counts, Confusion) else None

    @property
    def names(self) -> Sequence[str]:
        """Class names by number."""
        return self._names

    @property
    def misclassified(self) -> list[Misprediction]:
        """At most as many as are to be remembered."""
        return sorted(self._worst, reverse=True)

    @property
    def classes(self) -> tuple[ClassReport, ...]:
        """By class."""
        return tuple(ClassReport(name, *row) for name, row in zip(self._names, self._counts.rows()))

    @property
    def retrieved(self) -> Sequence[tuple[int, int]]:
        """By class, for how many examples it is predicted, and for how many of these rightly; nothing of a regression."""
        return self._counts.retrieved()

    def add(
        self,
        loss: float,
        metric: float,
        predictions: NDArray[Any],
        labels: NDArray[Any],
        indices: NDArray[np.int64],
    ) -> None:
        """Takes the results of a batch."""
        self.mean.add(loss, metric, len(labels))
        self._counts.add(predictions, labels)
        if self.confusion is not None:
            self._remember(predictions, labels, indices)

    def _remember(self, predictions: NDArray[Any], labels: NDArray[Any], indices: NDArray[np.int64]) -> None:
        predicted = predictions.argmax(1)
        for at in (predicted != labels).nonzero()[0].tolist():
            found = Misprediction(
                float(predictions[at, predicted[at]]), int(indices[at]), int(labels[at]), int(predicted[at])
            )
            if len(self._worst) < self._remembered:
                heapq.heappush(self._worst, found)
            elif self._worst:
                heapq.heappushpop(self._worst, found)
