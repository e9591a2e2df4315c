"""``--shape`` and ``--batch`` of ``freeze`` and ``convert``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import graphscope
from graphscope.analysis.shapes import infer
from tests.support.fixture_files import FIXTURES
from tests.support.invoked import code_of

pytest.importorskip("tensorflow", reason="optional: TensorFlow verifies")

MODEL = FIXTURES / "batchnorm"
FREEZE = ("--output", "predictions", "--set", "is_training=false", "--verify")


def test_a_fixed_batch_and_any_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fixed, free = tmp_path / "fixed.pb", tmp_path / "free.pb"
    assert code_of("freeze", MODEL, fixed, *FREEZE, "--batch", "3") == 0
    out = capsys.readouterr().out
    assert "input (?, 784) -> (3, 784)" in out
    assert "verified on batches of 3, row by row: predictions:0" in out
    assert infer(graphscope.load(fixed)).shape("predictions") == (3, 10)
    assert code_of("freeze", fixed, free, "--shape", "input=?,784", "--verify", "--format", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["inputs"] == {"input": [[3, 784], [None, 784]]}
    assert report["verification"]["row_batches"] == [1, 7]
    assert report["verification"]["outputs"][0]["difference"]["is_within"]


def test_signatures_state_the_new_shapes(tmp_path: Path) -> None:
    assert code_of("convert", MODEL, f"{tmp_path}/exported/", "--output", "predictions", "--batch", "5") == 0
    [signature] = [s for name, s in graphscope.load(tmp_path / "exported").signatures.items() if name[0] != "_"]
    assert next(s for specs in signature.inputs.values() for s in specs if s.name == "input:0").shape == (5, 784)
    assert code_of("convert", tmp_path / "exported", f"{tmp_path}/again/", "--batch", "?") == 0
    [signature] = [s for name, s in graphscope.load(tmp_path / "again").signatures.items() if name[0] != "_"]
    assert next(s for specs in signature.inputs.values() for s in specs if s.name == "input:0").shape == (None, 784)
    assert [s.shape for specs in signature.outputs.values() for s in specs] == [(None, 10)]


def test_onnx_of_another_batch_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime", reason="optional: ONNX Runtime verifies")
    fixed = tmp_path / "fixed.pb"
    assert code_of("freeze", MODEL, fixed, *FREEZE[:-1], "--batch", "3") == 0
    assert code_of("convert", fixed, tmp_path / "m.onnx", "--output", "predictions", "--batch", "?", "--verify") == 0
    assert "verified on batches of 1 and 7, row by row" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--batch", "many"), "many is neither a number of examples nor ?"),
        (("--batch", "0"), "0 is neither"),
        (("--shape", "input"), "input is not of the form NAME=1,224,224,3"),
        (("--shape", "input=1,x"), "x is not a size"),
        (("--shape", f"input={2**63},784"), f"{2**63} is not a size"),
        (("--shape", "input=2,785"), "cannot take input of (2, 785): node"),
        (("--shape", "input=2,28,28"), "input is (?, 784) and cannot become (2, 28, 28): name 2 sizes"),
        (("--shape", "inputs=2,784"), "no placeholder is named 'inputs'"),
    ],
)
def test_errors(words: tuple[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("freeze", MODEL, tmp_path / "f.pb", *FREEZE[:-1], *words) != 0
    assert message in capsys.readouterr().err
    assert not (tmp_path / "f.pb").exists()
