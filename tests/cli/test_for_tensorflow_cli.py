"""``--for-tensorflow`` of ``freeze`` and ``convert``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import graphscope
from tests.support.fixture_files import FIXTURES
from tests.support.invoked import code_of

MODEL = FIXTURES / "batchnorm"
WORDS = ("--output", "predictions", "--set", "is_training=false")


def test_freeze_says_what_it_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = tmp_path / "old.pb"
    assert code_of("freeze", MODEL, old, *WORDS, "--for-tensorflow", "1.4.0", "--format", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["stripped_attributes"]["Conv2D.dilations"] == 2
    assert report["replaced_ops"]["AddV2 -> Add"] == 2
    assert "AddV2" not in graphscope.load(old).graph.ops


def test_convert_keeps_variables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = FIXTURES / "lenet5"
    assert code_of("convert", model, f"{tmp_path}/saved/", "--output", "softmax", "--for-tensorflow", "1.10") == 0
    assert "changed for the older release: " in capsys.readouterr().err
    found = graphscope.load(tmp_path / "saved")
    assert "VariableV2" in found.graph.ops
    assert "dilations" in found.graph["conv1/conv"].attrs
    assert "explicit_paddings" not in found.graph["conv1/conv"].attrs


@pytest.mark.parametrize(
    ("model", "out", "version", "message"),
    [
        (MODEL, "f.pb", "1.16", "TensorFlow 1.16 is not in the table of ops"),
        (MODEL, "f.pb", "new", "new is not a version of TensorFlow"),
        (FIXTURES / "convnet_slim", "f.pbtxt", "1.4", "op SelectV2 (since 1.14), node dropout/dropout/SelectV2"),
        (MODEL, "f.onnx", "1.4", "TensorFlow does not load ONNX"),
    ],
)
def test_refusals(
    model: Path, out: str, version: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of("convert", model, tmp_path / out, "--for-tensorflow", version) != 0
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
