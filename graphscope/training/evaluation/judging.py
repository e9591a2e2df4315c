"""Loss, metric and predictions of a batch, in double precision, with the same formulas as the losses that ``graft`` builds.

Source: ``tensorflow/python/ops/nn_impl.py`` for the stable form of the sigmoid's cross entropy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.training.evaluation.scores import Scale
from graphscope.training.recipe import CLASSES, MULTILABEL, REGRESSION

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOP = 5
"""Of the classes that score highest."""

_LEAST = 1e-7
"""Probabilities are clipped to this distance from 0 and 1, as in Keras."""

_THRESHOLD = 0.5
"""The probability from which a label counts as predicted."""

_SUM_TOLERANCE = 1e-2
"""The tolerance for the sum of a row of probabilities in half precision."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A batch.

    Attributes:
        loss, metric: means over its examples.
        top: how many labels are among the classes that score highest; 0 of other tasks.
        predictions: float64 (n, width): probabilities, or the values of a regression.
    """

    loss: float
    metric: float
    top: int
    predictions: NDArray[Any]


def recognize_scale(scores: NDArray[Any], task: str) -> Scale:
    """The scale of numbers without an activation in the graph: probabilities if they can be such, otherwise logits.

    Args:
        scores: float64 (n, width).
    """
    import numpy as np

    if task == REGRESSION:
        return Scale.VALUES
    are_in_range = bool(((scores >= 0) & (scores <= 1 + _SUM_TOLERANCE)).all())
    if task == MULTILABEL:
        return Scale.PROBABILITIES if are_in_range else Scale.SIGMOID_LOGITS
    sums_to_one = bool(np.allclose(scores.sum(1), 1, rtol=0, atol=_SUM_TOLERANCE))
    return Scale.PROBABILITIES if are_in_range and sums_to_one else Scale.SOFTMAX_LOGITS


def judge(task: str, scores: NDArray[Any], labels: NDArray[Any], scale: Scale) -> Judgement:
    """Evaluates a batch.

    Args:
        task: what the labels mean.
        scores: float64 (n, width) without NaN.
        labels: int64 (n,) for classes, float32 (n, width) otherwise.
        scale: the scale of the scores.
    """
    return _JUDGES[task](scores, labels, scale)


def _classes(scores: NDArray[Any], labels: NDArray[Any], scale: Scale) -> Judgement:
    import numpy as np

    at = np.arange(len(labels))
    predictions = _PREDICTIONS[scale](scores)
    if scale is Scale.SIGMOID_LOGITS:
        loss = _sigmoid_losses(scores, np.eye(scores.shape[1])[labels]).mean()
    elif scale is Scale.SOFTMAX_LOGITS:
        loss = (_log_sum(scores) - scores[at, labels]).mean()
    else:
        loss = -np.log(np.clip(predictions[at, labels], _LEAST, 1)).mean()
    own = scores[at, labels]
    earlier = (scores == own[:, None]) & (np.arange(scores.shape[1]) < labels[:, None])
    ranks = (scores > own[:, None]).sum(1) + earlier.sum(1)
    return Judgement(float(loss), float((ranks == 0).mean()), int((ranks < TOP).sum()), predictions)


def _multilabel(scores: NDArray[Any], labels: NDArray[Any], scale: Scale) -> Judgement:
    import numpy as np

    predictions = _PREDICTIONS[scale](scores)
    if scale is Scale.SIGMOID_LOGITS:
        losses = _sigmoid_losses(scores, labels)
    else:
        kept = np.clip(predictions, _LEAST, 1 - _LEAST)
        losses = -(labels * np.log(kept) + (1 - labels) * np.log(1 - kept))
    is_right = (predictions > _THRESHOLD) == (labels > _THRESHOLD)
    return Judgement(float(losses.mean()), float(is_right.mean()), 0, predictions)


def _regression(scores: NDArray[Any], labels: NDArray[Any], _: Scale) -> Judgement:
    import numpy as np

    difference = scores - labels
    return Judgement(float(np.square(difference).mean()), float(np.abs(difference).mean()), 0, scores)


_JUDGES: Mapping[str, Callable[[NDArray[Any], NDArray[Any], Scale], Judgement]] = {
    CLASSES: _classes,
    MULTILABEL: _multilabel,
    REGRESSION: _regression,
}


def _log_sum(scores: NDArray[Any]) -> NDArray[Any]:
    """The logarithm of the sum of the exponentials of each row."""
    import numpy as np

    highest = scores.max(1, keepdims=True)
    result: NDArray[Any] = np.log(np.exp(scores - highest).sum(1)) + highest[:, 0]
    return result


def _sigmoid_losses(scores: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    result: NDArray[Any] = np.maximum(scores, 0) - scores * labels + np.log1p(np.exp(-np.abs(scores)))
    return result


def _softmax(scores: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    result: NDArray[Any] = np.exp(scores - _log_sum(scores)[:, None])
    return result


def _sigmoid(scores: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    result: NDArray[Any] = np.exp(-np.logaddexp(0, -scores))
    return result


def _identity(scores: NDArray[Any]) -> NDArray[Any]:
    return scores


_PREDICTIONS: Mapping[Scale, Callable[[NDArray[Any]], NDArray[Any]]] = {
    Scale.SOFTMAX_LOGITS: _softmax,
    Scale.SIGMOID_LOGITS: _sigmoid,
    Scale.PROBABILITIES: _identity,
    Scale.VALUES: _identity,
}
