"""``show --collection`` and the switches that ``info`` tells."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from graphscope.cli.app import app
from tests.support.fixture_files import FIXTURES
from tests.support.running import tf

t = tf.compat.v1
LENET = FIXTURES / "lenet5"


def invoke(*words: object) -> Result:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_the_members_are_those_that_tensorflow_finds() -> None:
    with tf.Graph().as_default() as graph:
        t.train.import_meta_graph(str(LENET / "model.ckpt-4690.meta"))
        variables = [v.name for v in t.get_collection("trainable_variables")]
        summaries = [tensor.name for tensor in t.get_collection("summaries")]
        shapes = [graph.get_tensor_by_name(name).shape.as_list() for name in variables]
    rows = json.loads(invoke("show", LENET, "--collection", "trainable_variables", "--format", "json").stdout)
    assert [row["name"] for row in rows] == variables
    assert [row["shape"] for row in rows] == shapes
    assert rows[0]["content"]["initializer_name"] == "conv1/weights/Assign"
    names = invoke("show", LENET, "--collection", "summaries", "--format", "names").stdout.split()
    assert names == summaries


def test_numbers_and_bytes_are_shown_as_they_are(tmp_path: Path) -> None:
    with tf.Graph().as_default(), t.Session() as session:
        v = t.get_variable("v", [1])
        for value in (3, 4):
            t.add_to_collection("sizes", value)
        t.add_to_collection("losses", v.read_value())
        session.run(t.global_variables_initializer())
        t.train.Saver().save(session, str(tmp_path / "m.ckpt"))
    assert invoke("show", tmp_path / "m.ckpt", "--collection", "sizes", "--format", "names").stdout.split() == [
        "3",
        "4",
    ]
    assert "float32" in invoke("show", tmp_path / "m.ckpt", "--collection", "losses").stdout


def test_wrong_usage() -> None:
    missing = invoke("show", LENET, "--collection", "trainable_variable")
    assert missing.exit_code == 1
    assert "trainable_variables" in missing.stderr
    assert invoke("show", LENET).exit_code == 2
    assert invoke("show", LENET, "softmax", "--collection", "summaries").exit_code == 2


def test_info_tells_what_unnamed_switches_do(tmp_path: Path) -> None:
    with tf.Graph().as_default(), t.Session() as session:
        x = t.placeholder(t.float32, [None, 4])
        t.placeholder(t.int64, [None])
        keep = t.placeholder(t.float32)
        w = t.get_variable("w", [4, 2])
        t.nn.softmax(t.matmul(t.nn.dropout(x, keep_prob=keep), w), name="prob")
        session.run(t.global_variables_initializer())
        t.train.Saver().save(session, str(tmp_path / "m.ckpt"))
    shown = invoke("info", tmp_path / "m.ckpt").stdout
    assert "feeds a dropout: 1 for inference" in shown
    assert "--set Placeholder_2=1 --verify" in shown
    record = json.loads(invoke("info", tmp_path / "m.ckpt", "--format", "json").stdout)
    assert record["graph"]["switches"] == [{"node": "Placeholder_2", "value": "1", "reason": "feeds a dropout"}]
    named = invoke("info", FIXTURES / "batchnorm").stdout
    assert "decides whether the graph trains: false for inference" in " ".join(named.split())
