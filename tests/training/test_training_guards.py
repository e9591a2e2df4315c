"""What each guard of training is there for: labels at their limits, features of one shape, states of another version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope.errors import CorruptFileError, GraphscopeError
from graphscope.training.features.compute import input_spec
from graphscope.training.graft.base import open_base
from graphscope.training.tune.resume import VERSION, TrainingState, read_run, write_run
from tests.support.data_files import cache, labels_of, opened, random
from tests.support.running import tf
from tests.training.test_features import Setting, small

__all__ = ["cache"]


def labelled(directory: Path, y: Any, **arrays: Any) -> Path:
    path = directory / "d.npz"
    np.savez(path, x=random(len(y), 6), y=y, **arrays)
    return path


NAMES = np.array(["a", "b", "c"])


@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
def test_a_number_needs_a_name_where_there_are_names(tmp_path: Path, dtype: Any) -> None:
    assert labels_of(opened(labelled(tmp_path, np.array([0, 2], dtype), classes=NAMES), task="classes")) == [0, 2]
    with pytest.raises(GraphscopeError, match="example 1: label 3 has no name: there are 3"):
        opened(labelled(tmp_path, np.array([0, 3], dtype), classes=NAMES), task="classes")


@pytest.mark.parametrize("width", [3, 4])
def test_a_number_needs_a_place_among_the_logits(tmp_path: Path, width: int) -> None:
    path = labelled(tmp_path, np.array([0, 3]))
    if width == 4:
        assert labels_of(opened(path, task="classes", classes=width)) == [0, 3]
    else:
        with pytest.raises(GraphscopeError, match="label 3 is outside of 0 to 2"):
            opened(path, task="classes", classes=width)


@pytest.mark.parametrize("width", [2, 3])
def test_names_need_places_among_the_logits(tmp_path: Path, width: int) -> None:
    path = labelled(tmp_path, np.array(["a", "b", "c"]))
    if width == 3:
        assert labels_of(opened(path, task="classes", classes=width)) == [0, 1, 2]
    else:
        with pytest.raises(GraphscopeError, match="the data has 3 classes"):
            opened(path, task="classes", classes=width)


@pytest.mark.parametrize(
    ("task", "y", "message"),
    [
        ("classes", np.zeros((2, 3, 1)), "each must be the number or the name of a class"),
        ("classes", np.zeros((2, 1, 1), np.int64), "each must be the number or the name of a class"),
        ("regression", np.zeros((2, 2, 2)), "4"),
        ("regression", np.array([["a"], ["b"]]), "but a regression takes numbers"),
        ("multilabel", np.zeros((2, 3, 1)), "."),
        ("classes", [[0.0, 0.0, 0.0], [0, 1, 0]], r"example 0: label \[0\. 0\. 0\.\] is not one-hot"),
        ("classes", [[0, 1, 1], [0, 1, 0]], "example 0: label .* is not one-hot"),
        ("classes", [[0, 1, 0], [0, 2, 0]], r"example 1: label \[0 2 0\] is not one-hot"),
        ("classes", [[0, 0.5, 0], [0, 1, 0]], "example 0: label .* is not one-hot"),
        ("classes", [[0, -1, 0], [0, 1, 0]], "example 0: label .* is not one-hot"),
        ("multilabel", [[0, 1, 0], [0, -1, 1]], "example 1: label .* is not made of 0 and 1"),
        ("multilabel", [[0, 0.5, 0], [0, 1, 1]], "example 0: label .* is not made of 0 and 1"),
    ],
)
def test_labels_of_other_ranks_and_rows_of_other_numbers(tmp_path: Path, task: str, y: Any, message: str) -> None:
    with pytest.raises(GraphscopeError, match=message):
        opened(labelled(tmp_path, np.array(y)), task=task, classes=3)


def test_numbers_for_each_place_are_one_row(tmp_path: Path) -> None:
    found = opened(labelled(tmp_path, np.arange(6.0).reshape(2, 3, 1)), task="regression", classes=3)
    assert labels_of(found) == [[0, 1, 2], [3, 4, 5]]


def test_rows_of_zeros_and_ones_are_any_number_of_classes(tmp_path: Path) -> None:
    rows = [[0, 0, 0], [1, 1, 1], [0, 1, 0]]
    assert labels_of(opened(labelled(tmp_path, np.array(rows)), task="multilabel", classes=3)) == rows


# Features


def test_later_features_of_another_shape_are_refused(tmp_path: Path) -> None:
    """The width of each row follows the largest value in the batch."""

    def build(y: Any) -> Any:
        width = tf.cast(tf.reduce_max(y), tf.int32)
        return tf.zeros(tf.stack([tf.shape(y)[0], width]))

    model = small(tmp_path / "g", lambda y: build(tf.maximum(y, 1.0) * 0.0 + tf.abs(y[0, 0]) + 1.0))
    x = np.zeros((10, 6), np.float32)
    x[5:, 5] = 1.0
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(10) % 2)
    source = opened(tmp_path / "d.npz", input_spec(open_base(model, ["out:0"])))
    made = Setting(model, ("out:0",), source, tmp_path / "features")
    with pytest.raises(GraphscopeError, match=r"features of examples range\(5, 10\) differ in shape from the others"):
        made.compute(batch=5)


# Resuming


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1, None, str(VERSION)])
def test_a_state_of_another_version_is_not_read(tmp_path: Path, version: Any) -> None:
    path = tmp_path / "m.tune.json"
    run = TrainingState({"seed": 1}, "m", 0, 5, ["m-5"])
    write_run(path, run)
    assert read_run(path) == run
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": version}))
    with pytest.raises(
        CorruptFileError, match=f"not a training state of version {VERSION}: it is of version {version}"
    ):
        read_run(path)
