"""``graphscope run`` as a person meets it."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from graphscope.cli.app import app
from tests.support.fixture_files import FIXTURES, ROOT
from tests.support.running import tf
from tests.support.zoo_files import ZOO, needs_zoo

DIGITS = FIXTURES / "digits"
LENET = str(FIXTURES / "lenet5")
SERVING = ZOO / "saved_model/tensorflow+serving/tensorflow_serving/servables/tensorflow/testdata"


def invoke(*words: object) -> Result:
    result = CliRunner().invoke(app, ["run", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def done(*words: object) -> str:
    result = invoke(*words)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def fails(*words: object, code: int = 1) -> str:
    result = invoke(*words)
    assert (result.exit_code, result.stdout) == (code, "")
    assert "Traceback" not in result.stderr
    return result.stderr


def test_all_twenty_digits_are_right() -> None:
    lines = done(LENET, "--feed", f"input=@{DIGITS}", "--top", 1).splitlines()
    assert lines[0].split() == ["example", "1st", "score"]
    assert len(lines) == 21
    assert all(line.split()[1] == line[0] for line in lines[1:])
    checked = done(LENET, "--feed", f"input=@{DIGITS}/", "--labels", DIGITS / "labels.txt").splitlines()
    assert checked[0].split() == "example shows 1st score 2nd score 3rd score 4th score 5th score".split()
    assert checked[-1] == "20 of 20 right"


def test_names_of_classes_come_from_a_file(tmp_path: Path) -> None:
    names = "zero one two three four five six seven eight nine".split()
    (tmp_path / "labels.txt").write_text("\n".join(names))
    words = (LENET, "--feed", f"input=@{DIGITS / '7a.png'}", "--labels", tmp_path / "labels.txt")
    [row] = json.loads(done(*words, "--top", 2, "--format", "json"))
    assert (row["example"], row["classes"][0]["label"], row["classes"][0]["index"]) == ("7a.png", "seven", 7)
    assert done(*words, "--format", "names") == "seven\n"
    (tmp_path / "labels.txt").write_text("\n".join(names[:8]))
    assert "8 labels, but softmax has 10 classes" in invoke(*words, "--output", "softmax").stderr
    (tmp_path / "labels.txt").unlink()
    assert "labels.txt: No such file" in fails(*words, "--output", "softmax")


def test_an_output_is_chosen_and_told() -> None:
    result = invoke(LENET, "--feed", "input=zeros", "--batch", 3)
    assert result.stdout.startswith("softmax:0  float32 (3, 10)\n  min ")
    assert result.stderr.startswith("note: softmax:0 taken as the output")


def test_outputs_as_json_and_as_a_file(tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    words = (LENET, "--feed", "input=random", "--seed", 3, "--output", "softmax", "--output", "conv1/weights:0")
    records = json.loads(done(*words, "--format", "json", "--save", out))
    assert [(r["name"], r["tensor"], r["shape"]) for r in records] == [
        ("softmax", "softmax:0", [1, 10]),
        ("conv1/weights:0", "conv1/weights:0", [5, 5, 1, 6]),
    ]
    with np.load(out) as saved:
        assert sorted(saved.files) == ["conv1/weights", "softmax"]
        assert saved["softmax"].tolist() == records[0]["values"]
    before = out.read_bytes()
    assert "the file exists" in fails(*words, "--save", out)
    assert out.read_bytes() == before
    done(*words, "--save", out, "--force")
    assert list(tmp_path.iterdir()) == [out]
    other = json.loads(done(*words[:4], 4, *words[5:], "--format", "json"))
    assert other[0]["values"] != records[0]["values"]
    fed_back = ("--feed", f"logits=@{out}:softmax", "--output", "logits")
    assert json.loads(done(LENET, *fed_back, "--format", "json"))[0]["values"] == records[0]["values"]


def test_a_train_op_runs() -> None:
    words = ("--feed", "input=random", "--feed", "labels=zeros", "--output", "train/Adam/update")
    assert done(LENET, *words) == "train/Adam/update  ran\n"
    assert json.loads(done(LENET, *words, "--format", "json"))[0]["dtype"] is None


def test_a_signature_names_its_arguments() -> None:
    path = FIXTURES / "lenet5" / "saved_model"
    words = ("--signature", "serving_default", "--feed", f"input=@{DIGITS / '4b.png'}")
    assert done(path, *words).splitlines()[:2] == ["classes  int64 (1)", "  [4]"]
    result = invoke(path, *words, "--top", 1)
    assert result.stdout.splitlines()[1].split() == ["4b.png", "4", "1"]
    assert result.stderr == "note: not shown, because they have no class scores: classes\n"
    assert "no signature is named 'serving'; closest: serving_default" in fails(path, "--signature", "serving")
    assert "has no signatures" in fails(LENET, "--signature", "serve")


@needs_zoo
def test_signatures_of_the_zoo() -> None:
    half = done(SERVING / "saved_model_half_plus_two_cpu" / "00000123", "--feed", "x=[[1], [2]]")
    assert half.splitlines()[2:] == ["  [[2.5]", "   [3. ]]"]
    objects = SERVING / "saved_model_half_plus_two_tf2_cpu" / "00000123"
    [record] = json.loads(done(objects, "--feed", "x=[4]", "--format", "json"))
    assert (record["name"], record["values"]) == ("y", [4.0])
    three = json.loads(done(objects, "--signature", "regress_x2_to_y3", "--feed", "inputs=[4]", "--format", "json"))
    assert [(r["name"], r["values"]) for r in three] == [("outputs", [5.0])]


def test_a_graph_with_its_checkpoint_elsewhere() -> None:
    graph, checkpoint = FIXTURES / "softmax" / "graph.pbtxt", FIXTURES / "softmax" / "model.ckpt-6000"
    words = ("--feed", f"input=@{DIGITS}", "--output", "inference/prediction", "--labels", DIGITS / "labels.txt")
    assert done(graph, "--checkpoint", checkpoint, *words).endswith("20 of 20 right\n")
    assert "no checkpoint holds a value of variable inference/weights" in fails(graph, *words)


def test_two_towers() -> None:
    words = (FIXTURES / "towers", "--feed", f"input=@{DIGITS}", "--feed", "keep_prob=1", "--output", "prediction")
    result = invoke(
        *words, "--labels", DIGITS / "labels.txt", "--devices", "cpu:2", "--no-soft-placement", "--log-placement"
    )
    assert result.stdout.endswith("20 of 20 right\n")
    assert "on CPU:1\n  tower_1/" in result.stderr
    message = fails(*words, "--no-soft-placement")
    assert "is to run on /device:CPU:1, which is not available; available: CPU:0" in message.replace("\n", " ")
    assert "--devices" in message
    soft = invoke(*words, "--top", 1)
    assert soft.exit_code == 0
    assert "but is not available; available: CPU:0" in soft.stderr
    cleared = invoke(*words, "--top", 1, "--no-soft-placement", "--clear-devices", "--threads", "2,1")
    assert (cleared.exit_code, cleared.stderr) == (0, "")
    placed = invoke(*words, "--devices", "cpu:3", "--place", "tower_1=cpu:2", "--log-placement")
    assert "on CPU:2\n  tower_1/" in placed.stderr


WRONG: list[tuple[Sequence[object], str]] = [
    (("--output", "sofmax", "--feed", "input=zeros"), "no node is named 'sofmax'; closest: softmax"),
    (("--feed", "inptu=zeros"), "no node is named 'inptu'; closest: input"),
    (("--feed", "input"), "'input' is not of the form NAME=VALUE"),
    (("--feed", "input=[[1, 2]]"), "input:0 has shape (?, 784), the value (1, 2)"),
    (("--feed", "input=text"), "input:0=text: neither a number nor a list"),
    (("--feed", "input=@none.npy"), "none.npy: No such file or directory"),
    (("--feed", "input=@none/"), "a value is read from .npy, .npz, idx files, a picture or a directory of pictures"),
    (("--feed", f"input=@{FIXTURES / 'trainer'}"), "no pictures in this directory"),
    (
        (),
        "softmax:0 needs a placeholder that is not fed:\n  input:0  float32 (?, 784)\nhint: --feed input=@picture.png",
    ),
    (("--feed", "input=zeros", "--output", "global_step", "--top", "3"), "no output has one row of class scores"),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[row[1][:40] for row in WRONG])
def test_wrong_input_is_one_message(words: Sequence[object], message: str) -> None:
    assert message in fails(LENET, *words)


USAGE = {
    "--devices=cpu": "'cpu' is not of the form TYPE:N, for example cpu:4",
    "--devices=cpu:0": "TensorFlow needs at least one CPU",
    "--device=here": "'here' names no device",
    "--place=conv": "'conv' is not of the form REGEX=DEVICE",
    "--threads=many": "'many' is not of the form INTRA,INTER",
    "--gpu-memory-fraction=0": "must be greater than 0",
    "--gpu-memory-fraction=2": "not in the range",
    "--scale=1/0": "is not a number",
    "--mean=a,b": "'a' is not a number",
    "--batch=0": "not in the range",
}


@pytest.mark.parametrize(("word", "message"), USAGE.items(), ids=USAGE)
def test_wrong_usage(word: str, message: str) -> None:
    assert message in " ".join(fails(LENET, "--feed", "input=zeros", word, code=2).split())


def test_missing_values_of_a_checkpoint(tmp_path: Path) -> None:
    for path in (FIXTURES / "softmax").glob("model.ckpt-6000.*"):
        if "data" not in path.name:
            shutil.copy(path, tmp_path)
    message = fails(tmp_path / "model.ckpt-6000", "--feed", "input=zeros", "--output", "inference/prediction")
    assert "model.ckpt-6000.data-00000-of-00001, which is missing" in message


# A process of its own


def environment() -> dict[str, str]:
    return {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}


def test_eighty_columns() -> None:
    """On a terminal everything fits, and TensorFlow adds nothing."""
    command = [
        sys.executable,
        "-m",
        "graphscope",
        "run",
        LENET,
        "--output=softmax",
        f"--feed=input=@{DIGITS}",
        "--top=10",
    ]
    leader, follower = pty.openpty()
    with subprocess.Popen(command, stdout=follower, stderr=subprocess.PIPE, env=environment(), cwd=ROOT) as process:
        os.close(follower)
        shown = b"".join(iter(lambda: _read(leader), b"")).decode()
        stderr = process.stderr.read() if process.stderr else b""
    os.close(leader)
    assert (process.returncode, stderr) == (0, b"")
    lines = shown.splitlines()
    assert len(lines) == 21
    assert max(map(len, lines)) <= 80
    assert lines[1].split()[:2] == ["0a.png", "0"]


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the other end is closed
        return b""


def test_ctrl_c_ends_a_computation_at_once(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [], name="x")
        started = tf.raw_ops.PrintV2(input=tf.constant("started"), output_stream="stderr", end="\n")
        with tf.control_dependencies([started]):
            first = tf.identity(x)
        tf.identity(tf.while_loop(lambda i: i < 1e30, lambda i: i + 1e-3, [first])[0], name="out")
    (tmp_path / "slow.pb").write_bytes(graph.as_graph_def().SerializeToString())
    command = [sys.executable, "-m", "graphscope", "run", str(tmp_path / "slow.pb"), "--feed=x=0", "--output=out"]
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment(), "text": True}
    with subprocess.Popen(command, **options) as process:
        try:
            assert process.stderr.readline() == "started\n"
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=120) == ("", "note: interrupted\n")
        finally:
            process.kill()
    assert process.returncode == 130
