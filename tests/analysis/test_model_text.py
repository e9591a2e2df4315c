"""The text of a model: the same for the same model, one line different for one thing that differs; and git's use of it."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope.analysis.contents import content_crc
from graphscope.analysis.model_text import model_text
from graphscope.core.values.checksum import crc32c
from graphscope.core.values.payload import ArrayPayload
from graphscope.protos import GraphDef
from tests.support.fixture_files import FIXTURES, ROOT
from tests.support.zoo_files import needs_zoo, zoo_files

FROZEN = FIXTURES / "softmax" / "frozen.pb"


def lines(path: Path, *, reads_values: bool = True) -> list[str]:
    return list(model_text(graphscope.load(path), reads_values=reads_values))


def test_the_text_of_a_small_model() -> None:
    model = graphscope.load(FROZEN)
    weights, biases = (model.graph[f"inference/{name}"].tensor() for name in ("weights", "biases"))
    assert weights is not None
    assert biases is not None
    assert list(model_text(model)) == [
        "node inference/MatMul = MatMul(input, inference/weights/read) T=float32",
        f"node inference/biases = Const() dtype=float32 value=float32 (10) crc32c:{crc32c(biases.numpy().tobytes()):08x}",
        "node inference/biases/read = Identity(inference/biases) T=float32",
        "node inference/logits = AddV2(inference/MatMul, inference/biases/read) T=float32",
        "node inference/prediction = Softmax(inference/logits) T=float32",
        f"node inference/weights = Const() dtype=float32 value=float32 (784, 10)"
        f" crc32c:{crc32c(weights.numpy().tobytes()):08x}",
        "node inference/weights/read = Identity(inference/weights) T=float32",
        "node input = Placeholder() dtype=float32 shape=(?, 784)",
    ]
    assert "node inference/weights = Const() dtype=float32 value=float32 (784, 10)" in lines(FROZEN, reads_values=False)


@pytest.mark.parametrize("suffix", [".pb", ".pbtxt"])
def test_the_text_is_the_same_in_every_format(suffix: str, tmp_path: Path) -> None:
    graphscope.save(graphscope.load(FIXTURES / "lenet5" / "frozen.pb"), tmp_path / f"m{suffix}")
    assert lines(tmp_path / f"m{suffix}") == lines(FIXTURES / "lenet5" / "frozen.pb")


def test_order_and_defaults_leave_no_trace(tmp_path: Path) -> None:
    proto = GraphDef.FromString(FROZEN.read_bytes())
    nodes = list(proto.node)
    random.Random(5).shuffle(nodes)
    for node in nodes:
        node.attr["_output_shapes"].list.SetInParent()
        node.attr.pop("transpose_a", None)
    (tmp_path / "m.pb").write_bytes(GraphDef(node=nodes).SerializeToString())
    assert lines(tmp_path / "m.pb") == lines(FROZEN)


def test_the_checksums_of_a_checkpoint_are_those_of_its_values() -> None:
    model = graphscope.load(FIXTURES / "lenet5")
    stated = {
        line.split()[1]: line.rsplit(":", 1)[1] for line in model_text(model) if "variable" in line and "crc" in line
    }
    assert len(stated) > 20
    for name, crc in stated.items():
        assert crc == f"{crc32c(model.value(model.variable(name)).numpy().tobytes()):08x}"


def test_checksums_of_strings_know_where_each_ends() -> None:
    one, other = (ArrayPayload(np.array(values, object)) for values in ([b"ab", b"c"], [b"a", b"bc"]))
    assert content_crc(one) != content_crc(other)


def test_functions_signatures_and_collections() -> None:
    text = lines(FIXTURES / "lenet5" / "saved_model")
    assert text[0].startswith("signature serving_default tensorflow/serving/predict (")
    assert any(line.startswith("variable conv1/weights float32 (5, 5, 1, 6) crc32c:") for line in text)
    assert any(line.startswith("collection trainable_variables: 10 VariableDef [") for line in text)


@needs_zoo
def test_every_model_of_the_zoo_has_a_text() -> None:
    written = 0
    for path in zoo_files("*.pb", "*.pbtxt", "*.meta"):
        try:
            model = graphscope.load(path)
            text = list(model_text(model))
        except graphscope.GraphscopeError:
            continue
        size = sum(len(body) for _, body in model.graph.bodies)
        assert sum(line.lstrip().startswith("node ") for line in text) == size, path
        written += 1
    assert written > 300


def git(directory: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    return done.stdout


def test_git_shows_what_changed_in_a_model(tmp_path: Path) -> None:
    """The set-up of the documentation: a text conversion, and a tool for ``git difftool``."""
    launcher = f"env PYTHONPATH={ROOT} {__import__('sys').executable} -m graphscope"
    git(tmp_path, "init", "-q")
    git(tmp_path, "config", "diff.tensorflow.textconv", f"{launcher} text")
    git(tmp_path, "config", "difftool.tensorflow.cmd", f'{launcher} diff "$LOCAL" "$REMOTE"')
    (tmp_path / ".gitattributes").write_text("*.pb diff=tensorflow\n")
    proto = GraphDef.FromString(FROZEN.read_bytes())
    (tmp_path / "m.pb").write_bytes(FROZEN.read_bytes())
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    [node] = [node for node in proto.node if node.name == "inference/prediction"]
    node.op = "LogSoftmax"
    (tmp_path / "m.pb").write_bytes(proto.SerializeToString())
    changed = [
        line for line in git(tmp_path, "diff").splitlines() if line[:1] in "+-" and not line.startswith(("+++", "---"))
    ]
    assert changed == [
        "-node inference/prediction = Softmax(inference/logits) T=float32",
        "+node inference/prediction = LogSoftmax(inference/logits) T=float32",
    ]
    shown = git(tmp_path, "difftool", "--no-prompt", "--tool=tensorflow")
    assert "~ inference/prediction  Softmax -> LogSoftmax" in shown
