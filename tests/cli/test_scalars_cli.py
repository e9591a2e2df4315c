"""``scalars``: the curves of event files, as TensorBoard's own accumulator reads them."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import graphscope
from graphscope.cli.app import app
from tests.support.board_logs import accumulated, tensors
from tests.support.running import tf

t = tf.compat.v1


def invoke(*words: object) -> Result:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training in the form of TensorFlow 1 with a picture among its summaries, a validation in that of TensorFlow 2."""
    place = tmp_path_factory.mktemp("logs")
    with tf.Graph().as_default():
        writer = t.summary.FileWriter(str(place / "train"))
        for step in range(50):
            values = [
                t.Summary.Value(tag="loss", simple_value=2.0 / (1 + step)),
                t.Summary.Value(tag="accuracy", simple_value=math.nan if step == 3 else step / 50),
                t.Summary.Value(tag="picture", image=t.Summary.Image(height=1, width=1, encoded_image_string=b"x")),
            ]
            writer.add_summary(t.Summary(value=values), step)
        writer.close()
    with tf.init_scope():
        modern = tf.summary.create_file_writer(str(place / "validation"))
        with modern.as_default():
            for step in (10, 20, 49):
                tf.summary.scalar("loss", 3.0 / (1 + step), step=step)
                tf.summary.scalar("half", tf.constant(step, tf.float64), step=step)
                tf.summary.histogram("weights", np.arange(4.0), step=step)
        modern.close()
    return place


def test_the_points_are_those_of_tensorboard(logs: Path) -> None:
    curves = {(curve.run, curve.tag): curve for curve in graphscope.scalars(logs)}
    assert sorted(curves) == [("train", "accuracy"), ("train", "loss"), ("validation", "half"), ("validation", "loss")]
    for (run, tag), curve in curves.items():
        expected = tensors(accumulated(logs / run), tag)
        assert list(curve.steps) == [step for step, _ in expected]
        np.testing.assert_array_equal(np.float32(curve.values), np.float32([value for _, value in expected]))


def test_runs_of_a_tag_stand_together_on_one_scale(logs: Path) -> None:
    lines = invoke("scalars", logs, "--tag", "loss").stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [["loss", "train", "50"], ["loss", "validation", "3"]]
    train, validation = (line.split()[3] for line in lines[1:])
    assert len(train) == 24
    assert len(validation) == 3
    assert train[0] != train[-1]
    assert validation[0] in "▁▂", "low on the scale of the training"
    accuracy = invoke("scalars", logs, "--tag", "accuracy").stdout.split()
    assert accuracy[-2:] == ["0", "0.98"]


def test_every_point_as_csv_and_json(logs: Path) -> None:
    rows = list(csv.DictReader(invoke("scalars", logs, "--tag", "loss", "--format", "csv").stdout.splitlines()))
    assert len(rows) == 53
    assert (rows[0]["run"], rows[0]["step"], float(rows[0]["value"])) == ("train", "0", 2.0)
    record = json.loads(invoke("scalars", logs, "--run", "valid", "--format", "json").stdout)
    assert [(curve["tag"], curve["steps"]) for curve in record] == [("half", [10, 20, 49]), ("loss", [10, 20, 49])]
    assert invoke("scalars", logs, "--format", "names").stdout.split()[0] == "train/accuracy"


def test_a_chart_has_a_mark_for_each_run(logs: Path) -> None:
    lines = invoke("scalars", logs, "--tag", "loss", "--chart").stdout.splitlines()
    assert lines[0] == "loss"
    assert lines[1].strip().startswith("2 |*"), "the highest value comes first"
    assert sum(line.count("o") for line in lines[1:13]) == 3
    assert "* train" in lines[-3]
    assert "o validation" in lines[-2]
    assert max(map(len, lines)) <= 80


def test_a_file_that_is_still_written_is_read_up_to_its_end(logs: Path, tmp_path: Path) -> None:
    [source] = (logs / "train").iterdir()
    whole = source.read_bytes()
    (tmp_path / source.name).write_bytes(whole[:-5])
    result = invoke("scalars", tmp_path)
    assert result.exit_code == 0
    assert "may still be writing" in result.stderr
    assert [curve.run for curve in graphscope.scalars(tmp_path / source.name)] == [".", "."]
    (tmp_path / source.name).write_bytes(whole[:200] + b"\0" + whole[201:])
    assert invoke("scalars", tmp_path).exit_code == 1


def test_wrong_usage(logs: Path, tmp_path: Path) -> None:
    assert "no event file here" in invoke("scalars", tmp_path).stderr
    missing = invoke("scalars", logs, "--tag", "lose")
    assert missing.exit_code == 1
    assert "loss" in missing.stderr
    assert invoke("scalars", logs, "--tag", "(").exit_code == 2
