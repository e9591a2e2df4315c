"""``verify`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import graphscope
from graphscope.cli.app import app
from graphscope.core.changes.build import constant
from tests.support.fixture_files import FIXTURES
from tests.support.running import tf

SOFTMAX = FIXTURES / "softmax"
LOOSE = ("--atol", "1e-4", "--rtol", "1e-3")


def invoke(*words: object) -> Result:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frozen model with one weight changed."""
    graph = graphscope.load(SOFTMAX / "frozen.pb").graph
    weights = next(n for n in graph if n.op == "Const" and "weights" in n.name)
    payload = weights.tensor()
    assert payload is not None
    value = payload.numpy().copy()
    value[:, 3] += 1
    path = tmp_path_factory.mktemp("verify") / "changed.pb"
    graphscope.save(graph.with_nodes(constant(n.name, value) if n is weights else n for n in graph), path)
    return path


def test_exit_codes_are_those_of_diff(changed: Path, tmp_path: Path) -> None:
    assert tf is not None
    same = invoke("verify", SOFTMAX, SOFTMAX / "frozen.pb", *LOOSE)
    assert same.exit_code == 0
    assert "the models compute the same (3 batches; atol 0.0001, rtol 0.001)" in same.stderr
    other = invoke("verify", SOFTMAX, changed)
    assert other.exit_code == 1
    assert "--layers shows where they begin to differ" in other.stderr
    missing = invoke("verify", SOFTMAX, tmp_path / "absent")
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert invoke("verify", SOFTMAX).exit_code == 2
    assert invoke("verify", SOFTMAX, SOFTMAX, "--nan", "--layers").exit_code == 2
    assert invoke("verify", SOFTMAX, SOFTMAX, "--map", "a").exit_code == 2
    assert invoke("verify", SOFTMAX, SOFTMAX, "--engine", "a,b,c").exit_code == 2
    assert "require TensorFlow" in invoke("verify", SOFTMAX, "--nan", "--engine", "openvino").stderr


def test_layers_begin_with_the_changed_weight(changed: Path) -> None:
    result = invoke("verify", SOFTMAX, changed, "--layers", *LOOSE)
    assert result.exit_code == 1
    assert result.stdout.split()[0:1] == ["first"]
    assert "weights" in result.stdout.splitlines()[0]
    record = json.loads(invoke("verify", SOFTMAX, changed, "--layers", *LOOSE, "--format", "json").stdout)
    assert record["first"]["op"] == "Const"
    assert record["is_within"] is False
    assert record["growth"][-1]["op"] == "Softmax"


def test_another_engine_runs_a_model(changed: Path) -> None:
    pytest.importorskip("onnxruntime", reason="optional: an engine beside TensorFlow")
    same = invoke("verify", SOFTMAX, SOFTMAX / "frozen.pb", "--engine", "onnxruntime")
    assert same.exit_code == 0
    assert "(3 batches; atol 0.0001, rtol 0.0001; TensorFlow and ONNX Runtime)" in same.stderr
    other = invoke("verify", changed, SOFTMAX, "--engine", "onnxruntime,tensorflow")
    assert other.exit_code == 1
    assert "different values (3 batches; atol 0.0001, rtol 0.0001; ONNX Runtime and TensorFlow)" in other.stderr


def test_one_model_is_enough_to_look_for_nan(changed: Path) -> None:
    result = invoke("verify", changed, "--nan")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "all finite" in result.stderr
