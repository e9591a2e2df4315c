"""What other tools make of a frozen file: tf2onnx converts it, and onnxruntime computes what TensorFlow computes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.transforms.freeze import FreezeOptions
from tests.support.fixture_files import FIXTURES
from tests.support.running import run_graph, tf
from tests.transforms.test_freeze import frozen_file

tf2onnx = pytest.importorskip("tf2onnx", reason="optional: tf2onnx reads frozen files")
onnxruntime = pytest.importorskip("onnxruntime", reason="optional: onnxruntime runs what tf2onnx makes of them")

MODELS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "lenet5": ("lenet5", "softmax", {}),
    "batchnorm": ("batchnorm", "predictions", {"is_training": np.array(False)}),
    "saved_model": ("lenet5/saved_model", "softmax", {}),
}
"""Test -> model, output, what is baked in."""


@pytest.mark.parametrize("name", MODELS)
def test_onnxruntime_computes_the_same(name: str, tmp_path: Path) -> None:
    place, output, fixed = MODELS[name]
    model = graphscope.load(FIXTURES / place)
    _, frozen = frozen_file(model, FreezeOptions(outputs=[output], values=fixed), tmp_path / "frozen.pb")
    [source] = [f"{n.name}:0" for n in frozen.graph if n.op == "Placeholder"]
    pixels = np.random.default_rng(5).random((4, 784), np.float32)
    graph_def = tf.compat.v1.GraphDef.FromString((tmp_path / "frozen.pb").read_bytes())
    converted, _ = tf2onnx.convert.from_graph_def(graph_def, input_names=[source], output_names=[f"{output}:0"])
    session = onnxruntime.InferenceSession(converted.SerializeToString(), providers=["CPUExecutionProvider"])
    [found] = session.run([f"{output}:0"], {source: pixels})
    [expected] = run_graph(frozen.graph, [f"{output}:0"], {source: pixels})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
