"""Tasks: what the labels are, the loss over the logits, the predictions, and the number that a person watches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphscope.training.recipe import CLASSES, MULTILABEL, REGRESSION


@dataclass(frozen=True, slots=True)
class Loss:
    """Tensors of a task: each scalar is the mean over the batch.

    Attributes:
        predictions: as the logits.
        loss, metric: scalars.
    """

    predictions: Any
    loss: Any
    metric: Any


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task.

    Attributes:
        text: what a person reads of its loss.
        labels: the placeholder for logits of a shape; its first dimension is ``None`` if it takes any number of rows.
        build: what logits and labels give.
    """

    text: str
    labels: Callable[[Any, list[int | None]], Any]
    build: Callable[[Any, Any, Any], Loss]


def _class_labels(tf: Any, shape: list[int | None]) -> Any:
    return tf.compat.v1.placeholder(tf.int64, shape[:1], name="labels")


def _value_labels(tf: Any, shape: list[int | None]) -> Any:
    return tf.compat.v1.placeholder(tf.float32, shape, name="labels")


def _classes(tf: Any, logits: Any, labels: Any) -> Loss:
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    right = tf.equal(tf.argmax(logits, axis=1), labels)
    return Loss(tf.nn.softmax(logits), tf.reduce_mean(each), tf.reduce_mean(tf.cast(right, tf.float32)))


def _as_many(tf: Any, labels: Any, logits: Any) -> Any:
    """``labels``; a run in which they are not as many as the logits fails, where arithmetic would repeat those."""
    return tf.reshape(labels, tf.shape(logits))


def _regression(tf: Any, logits: Any, labels: Any) -> Loss:
    labels = _as_many(tf, labels, logits)
    difference = logits - labels
    return Loss(tf.identity(logits), tf.reduce_mean(tf.square(difference)), tf.reduce_mean(tf.abs(difference)))


def _multilabel(tf: Any, logits: Any, labels: Any) -> Loss:
    labels = _as_many(tf, labels, logits)
    each = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    right = tf.equal(logits > 0.0, labels > 0.5)
    return Loss(tf.nn.sigmoid(logits), tf.reduce_mean(each), tf.reduce_mean(tf.cast(right, tf.float32)))


TASKS: Mapping[str, TaskRow] = {
    CLASSES: TaskRow("softmax cross entropy", _class_labels, _classes),
    REGRESSION: TaskRow("mean squared error", _value_labels, _regression),
    MULTILABEL: TaskRow("sigmoid cross entropy", _value_labels, _multilabel),
}
