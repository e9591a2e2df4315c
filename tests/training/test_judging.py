"""Loss, metric and rank of a batch, and what labels and scores mean: the losses are TensorFlow's, the rest is counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from graphscope.errors import GraphscopeError
from graphscope.training.data.source import AS_STORED
from graphscope.training.evaluation.judging import judge, recognize_scale
from graphscope.training.evaluation.scores import Scale
from graphscope.training.evaluation.tasks import settle_task
from graphscope.training.recipe import CLASSES, MULTILABEL, REGRESSION
from tests.support.running import tf

RANDOM = np.random.default_rng(4)
SCORES = RANDOM.standard_normal((9, 7)) * 4 + 1
LABELS = np.array([0, 6, 3, 3, 1, 2, 5, 4, 0])
SEVERAL = (RANDOM.random((9, 7)) > 0.6).astype(np.float32)


def evaluated(make: Any) -> Any:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        return session.run(make())


@pytest.mark.parametrize("scale", [Scale.SOFTMAX_LOGITS, Scale.SIGMOID_LOGITS, Scale.PROBABILITIES])
def test_one_class_of_several(scale: Scale) -> None:
    def expected() -> Any:
        if scale is Scale.SIGMOID_LOGITS:
            losses = tf.nn.sigmoid_cross_entropy_with_logits(
                labels=tf.one_hot(LABELS, 7, dtype=tf.float64), logits=SCORES
            )
            return tf.reduce_mean(losses), tf.sigmoid(SCORES)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=LABELS, logits=SCORES)
        return tf.reduce_mean(losses), tf.nn.softmax(SCORES)

    loss, predictions = evaluated(expected)
    found = judge(CLASSES, predictions if scale is Scale.PROBABILITIES else SCORES, LABELS, scale)
    np.testing.assert_allclose(found.loss, loss, rtol=1e-12)
    np.testing.assert_allclose(found.predictions, predictions, rtol=1e-12)
    ranks = [sorted(row, reverse=True).index(row[label]) for row, label in zip(SCORES.tolist(), LABELS.tolist())]
    assert (found.metric, found.top) == (np.mean(np.equal(ranks, 0)), sum(rank < 5 for rank in ranks))
    assert 0 < found.top < 9


def test_of_equal_scores_the_first_is_the_prediction() -> None:
    """As ``argmax`` has it, and ``top`` like a stable sort."""
    scores = np.zeros((7, 7))
    found = judge(CLASSES, scores, np.arange(7), Scale.SOFTMAX_LOGITS)
    assert found.metric == np.mean(scores.argmax(1) == np.arange(7))
    assert found.top == 5


def test_a_probability_that_was_rounded_to_zero() -> None:
    found = judge(CLASSES, np.array([[0.0, 1.0]]), np.array([0]), Scale.PROBABILITIES)
    assert found.loss == -np.log(1e-7)
    assert judge(CLASSES, np.array([[1.005, 0.0]]), np.array([0]), Scale.PROBABILITIES).loss == 0, "half precision"
    [zero, one] = (
        judge(MULTILABEL, np.array([[p]]), np.array([[1 - p]], "f4"), Scale.PROBABILITIES) for p in (0.0, 1.0)
    )
    np.testing.assert_allclose([zero.loss, one.loss], -np.log(1e-7), rtol=1e-8)


@pytest.mark.parametrize("scale", [Scale.SIGMOID_LOGITS, Scale.PROBABILITIES])
def test_several_classes(scale: Scale) -> None:
    scores = SCORES.copy()
    scores[0, :2] = 800, -800

    def expected() -> Any:
        return tf.nn.sigmoid_cross_entropy_with_logits(labels=SEVERAL.astype(float), logits=scores), tf.sigmoid(scores)

    losses, predictions = evaluated(expected)
    if scale is Scale.PROBABILITIES:
        losses = np.minimum(losses, -np.log(1e-7))
    found = judge(MULTILABEL, predictions if scale is Scale.PROBABILITIES else scores, SEVERAL, scale)
    np.testing.assert_allclose(found.loss, losses.mean(), rtol=1e-5 if scale is Scale.PROBABILITIES else 1e-12)
    np.testing.assert_allclose(found.predictions, predictions, rtol=1e-12)
    assert found.metric == np.mean((scores > 0) == (SEVERAL == 1))
    assert found.top == 0


def test_a_probability_of_one_half_is_no_prediction() -> None:
    """As Keras counts."""
    scores = np.array([[0.5, 0.5, 0.51, 0.49]])
    assert judge(MULTILABEL, scores, np.array([[1, 0, 1, 0]], "f4"), Scale.PROBABILITIES).metric == 0.75


def test_numbers() -> None:
    found = judge(REGRESSION, np.array([[1.0, 2], [3, 4]]), np.array([[1, 0], [0, 4]], "f4"), Scale.VALUES)
    assert (found.loss, found.metric, found.top) == (13 / 4, 5 / 4, 0)
    assert found.predictions.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("scores", "task", "scale"),
    [
        ([[0, 1], [0.5, 0.5]], CLASSES, Scale.PROBABILITIES),
        ([[0, 1], [0.5, 0.509]], CLASSES, Scale.PROBABILITIES),  # half precision
        ([[0, 1], [0.5, 0.52]], CLASSES, Scale.SOFTMAX_LOGITS),
        ([[-0.5, 1.5], [0.5, 0.5]], CLASSES, Scale.SOFTMAX_LOGITS),
        ([[0, 1], [1, 0.5]], CLASSES, Scale.SOFTMAX_LOGITS),
        ([[0.5, 0.5, 1], [0.5, 0.5, 0]], CLASSES, Scale.SOFTMAX_LOGITS),  # columns are no rows
        ([[0, 1], [1, 1.009]], MULTILABEL, Scale.PROBABILITIES),
        ([[0, 1], [1, 1.02]], MULTILABEL, Scale.SIGMOID_LOGITS),
        ([[-0.1, 1], [1, 1]], MULTILABEL, Scale.SIGMOID_LOGITS),
        ([[0, 1], [0.5, 0.5]], REGRESSION, Scale.VALUES),
    ],
)
def test_what_numbers_without_an_activation_are(scores: list[list[float]], task: str, scale: Scale) -> None:
    assert recognize_scale(np.array(scores, float), task) is scale


@pytest.mark.parametrize(
    ("labels", "width", "scale", "task"),
    [
        ([0, 1, 1], 2, Scale.UNKNOWN, CLASSES),
        ([2, 1, 0], 3, Scale.SOFTMAX_LOGITS, CLASSES),
        ([0, 1, 1], 1, Scale.SIGMOID_LOGITS, MULTILABEL),
        ([0, 1, 2], 1, Scale.SIGMOID_LOGITS, REGRESSION),
        ([0, 1, 1], 1, Scale.UNKNOWN, REGRESSION),
        ([[0, 1], [1, 0], [0, 1]], 2, Scale.SOFTMAX_LOGITS, CLASSES),
        ([[0, 1], [1, 0], [0, 1]], 2, Scale.SIGMOID_LOGITS, MULTILABEL),
        ([[0, 1], [1, 1]], 2, Scale.SOFTMAX_LOGITS, MULTILABEL),
        ([[0, 1], [1, 0]], 2, Scale.VALUES, REGRESSION),
        ([[0, 2], [1, 0]], 2, Scale.SOFTMAX_LOGITS, REGRESSION),
    ],
)
def test_what_labels_are(labels: Any, width: int, scale: Scale, task: str) -> None:
    source: Any = SimpleNamespace(labels=np.array(labels), keys="abc")
    settled, found = settle_task(source, AS_STORED, width, scale)
    assert (settled.task, settled.classes) == (task, width)
    if task == CLASSES:
        assert found.tolist() == (labels if np.ndim(labels) == 1 else np.argmax(labels, 1).tolist())
    else:
        assert (found.dtype, found.shape) == (np.float32, (len(labels), width))
        assert found.reshape(-1).tolist() == np.reshape(labels, -1).tolist()


def test_labels_that_do_not_fit() -> None:
    source: Any = SimpleNamespace(labels=np.array([1, 3, 2, 4]), keys=["a", "b", "c", "d"])
    with pytest.raises(GraphscopeError, match="label 3 of example b is outside of 0 to 2, the 3 classes"):
        settle_task(source, AS_STORED, 3, Scale.UNKNOWN)
    assert settle_task(source, CLASSES, 5, Scale.UNKNOWN)[1].tolist() == [1, 3, 2, 4]
    with pytest.raises(GraphscopeError, match=r"labels are \(1\) for each example, but the output has 3"):
        settle_task(source, REGRESSION, 3, Scale.UNKNOWN)
