"""Which runtimes beside TensorFlow are installed. They are looked for, not imported: OpenVINO reports each import."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import pytest

PACKAGES = {"onnxruntime": "onnxruntime", "openvino": "openvino", "litert": "ai_edge_litert"}
"""Engine -> its package."""


def need_engine(name: str) -> None:
    """Skips the test where the engine ``name`` is not installed."""
    if name == "tfjs":
        import_module("tests.support.tfjs_running")  # which skips
    elif find_spec(PACKAGES[name]) is None:
        pytest.skip("optional: an engine beside TensorFlow")
