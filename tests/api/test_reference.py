"""What exports are compared with where TensorFlow is not installed."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphscope
from graphscope.api import reference
from graphscope.errors import GraphscopeError, MissingDependencyError
from tests.support.engines import need_engine
from tests.support.fixture_files import FIXTURES

BATCHNORM = FIXTURES / "batchnorm"
SWITCH = {"is_training": False}


@pytest.fixture(autouse=True)
def _without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise MissingDependencyError("this needs TensorFlow", hint="pip install 'tf-graphscope[tensorflow]'")

    need_engine("openvino")
    need_engine("onnxruntime")
    monkeypatch.setattr(reference, "tensorflow", refuse)


@pytest.mark.parametrize("shape", [{}, {"input": (4, 784)}])
def test_openvino_reads_the_frozen_graph_itself(tmp_path: Path, shape: dict[str, tuple[int, ...]]) -> None:
    path = tmp_path / "m.onnx"
    found = graphscope.export_model(BATCHNORM, path, outputs="predictions", set=SWITCH, shape=shape, verify=True)
    assert found.verification is not None
    assert found.verification.engines == ("openvino", "onnxruntime")
    assert 0 < found.verification.max_abs < 1e-4


def test_what_differs_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(GraphscopeError, match="nothing was written"):
        graphscope.export_model(
            BATCHNORM, tmp_path / "m.onnx", outputs="predictions", set=SWITCH, verify=True, atol=0, rtol=0
        )
    assert list(tmp_path.iterdir()) == []


def test_without_either_tensorflow_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match="this needs TensorFlow"):
        graphscope.export_model(BATCHNORM, tmp_path / "m.onnx", outputs="predictions", set=SWITCH, verify=True)
    assert list(tmp_path.iterdir()) == []
