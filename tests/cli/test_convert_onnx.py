"""``graphscope convert MODEL x.onnx`` as a person meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.fixture_files import FIXTURES
from tests.support.invoked import code_of
from tests.support.zoo_files import ZOO, needs_zoo

pytest.importorskip("onnxruntime", reason="optional: ONNX Runtime verifies what is exported")

LENET = FIXTURES / "lenet5"
SPEECH = ZOO / "frozen_pb" / "ARM-software+ML-KWS-for-MCU" / "Pretrained_models" / "DNN" / "DNN_M.pb"


@pytest.mark.tensorflow
def test_verified_and_renamed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "m.onnx"
    words = ["convert", LENET, out, "--output", "softmax", "--rename", "input:0=image", "--external-data", "--verify"]
    assert code_of(*words, "--format", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["inputs"] == ["image"]
    assert report["verification"]["outputs"][0]["difference"]["is_within"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert code_of(*words[:5]) == 1
    assert "the file exists" in capsys.readouterr().err


@pytest.mark.tensorflow
def test_what_differs_is_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["convert", LENET, tmp_path / "m.onnx", "--output", "softmax", "--verify", "--atol", "0", "--rtol", "0"]
    assert code_of(*words) == 1
    assert "nothing was written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@needs_zoo
def test_what_cannot_be_expressed_is_listed_with_the_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("convert", SPEECH, tmp_path / "m.onnx") == 1
    said = capsys.readouterr().err
    assert "Mfcc (Mfcc): there is no rule for this op" in said
    assert "hint: --input Mfcc " in said
    assert list(tmp_path.iterdir()) == []
    assert code_of("convert", SPEECH, tmp_path / "m.onnx", "--input", "Mfcc", "--shape", "Mfcc=1,25,10") == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x.pb", "--opset", "18"], "only valid for other runtimes' formats"),
        (["x.onnx", "--rename", "input"], "input is not of the form NAME=VALUE"),
        (["x.onnx", "--shape", "input=a,2"], "a is not a size"),
    ],
)
def test_wrong_usage(words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("convert", LENET, tmp_path / words[0], *words[1:]) == 2
    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []
