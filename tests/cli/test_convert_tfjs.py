"""``graphscope convert MODEL DIR/model.json`` as a person meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope.errors import MissingDependencyError
from graphscope.runtime.engines.tfjs import TfjsServer
from tests.support.fixture_files import FIXTURES
from tests.support.invoked import code_of
from tests.support.tfjs_running import SERVER
from tests.support.zoo_files import ZOO, needs_zoo

LENET = FIXTURES / "lenet5"
SPEECH = ZOO / "frozen_pb" / "ARM-software+ML-KWS-for-MCU" / "Pretrained_models" / "DNN" / "DNN_M.pb"

pytestmark = pytest.mark.tensorflow


def test_verified_and_renamed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "web" / "model.json"
    words = ["convert", LENET, out, "--output", "softmax", "--rename", "input:0=image", "--verify"]
    assert code_of(*words, "--format", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["inputs"] == ["image"]
    assert report["verification"]["outputs"][0]["difference"]["is_within"]
    np.save(tmp_path / "x.npy", np.zeros((2, 784), np.float32))
    assert code_of("run", out.parent, "--feed", f"image=@{tmp_path / 'x.npy'}") == 0
    assert "softmax" in capsys.readouterr().out
    assert code_of(*words) == 1
    assert "the file exists" in capsys.readouterr().err


def test_what_differs_is_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["convert", LENET, tmp_path / "web" / "model.json", "--output", "softmax", "--verify", "--atol", "0"]
    assert code_of(*words, "--rtol", "0") == 1
    assert "nothing was written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_changes_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("convert", LENET / "saved_model", tmp_path / "a" / "model.json", "--verify") == 0
    assert "TF.js has no int64: it computes 1 tensor as int32" in capsys.readouterr().err
    assert code_of("convert", FIXTURES / "rnn", tmp_path / "b" / "model.json") == 0
    assert "run it with executeAsync" in capsys.readouterr().err


@needs_zoo
def test_what_tfjs_does_not_know_is_listed_with_the_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "web" / "model.json"
    assert code_of("convert", SPEECH, out) == 1
    said = capsys.readouterr().err
    assert "Mfcc (Mfcc): TF.js does not know this op" in said
    assert "hint: --input Mfcc " in said
    assert list(tmp_path.iterdir()) == []
    assert code_of("convert", SPEECH, out, "--input", "Mfcc", "--verify") == 0


def test_options_of_onnx_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("convert", LENET, tmp_path / "web" / "model.json", "--opset", "18") == 2
    assert "TF.js graph model does not support" in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_an_engine_of_its_own() -> None:
    digits = np.random.default_rng(1).random((3, 784), np.float32)
    found = graphscope.run(LENET, {"input": digits}, outputs="softmax", engine="tfjs")
    expected = graphscope.run(LENET, {"input": digits}, outputs="softmax")
    np.testing.assert_allclose(found["softmax"], expected["softmax"], rtol=1e-4, atol=1e-6)


def test_without_node_or_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SERVER.version
    monkeypatch.setenv("NODE_PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingDependencyError, match="requires the npm package @tensorflow/tfjs") as error:
        TfjsServer()
    assert str(error.value.hint).startswith("npm install @tensorflow/tfjs")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match=r"requires Node\.js"):
        TfjsServer()
