"""ONNX and TensorFlow Lite files cut off anywhere and changed at random: our errors or a list, soon and in little memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.broken import BOUND_BYTES, memory
from tests.support.foreign_files import look, onnx_bytes, tflite_bytes

pytestmark = pytest.mark.slow

EXAMPLES = settings(
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FILES: dict[str, Callable[[], bytes]] = {"m.onnx": onnx_bytes, "m.tflite": tflite_bytes}


def opens(path: Path, content: bytes) -> bool:
    """Whether the file is read; what is read of an ONNX file, the package reads too, and the same nodes of it."""
    path.write_bytes(content)
    with memory(BOUND_BYTES + 4 * len(content)):
        model = look(path)
    if model is None:
        return False
    if path.suffix == ".onnx":
        try:
            theirs = onnx.ModelProto.FromString(content)
        except DecodeError as error:
            pytest.fail(f"read what protobuf refuses: {error}")
        stated = [(tuple(node.input), tuple(node.output)) for node in theirs.graph.node]
        assert [(node.inputs, node.outputs) for node in model.graph] == stated
    return True


@pytest.mark.parametrize("name", FILES)
def test_cut_off_anywhere(tmp_path: Path, name: str) -> None:
    content = FILES[name]()
    assert opens(tmp_path / name, content)
    step = 1 + len(content) // 400
    found = [size for size in range(0, len(content), step) if opens(tmp_path / name, content[:size])]
    assert len(found) <= 20  # behind the graph of an ONNX file, functions and properties may be missing


@pytest.mark.parametrize("name", FILES)
def test_changed_anywhere(tmp_path: Path, name: str) -> None:
    content = FILES[name]()
    results = []

    @EXAMPLES
    @given(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(1, 255)), min_size=1, max_size=3))
    def run(changes: list[tuple[int, int]]) -> None:
        changed = bytearray(content)
        for at, bits in changes:
            changed[at] ^= bits
        results.append(opens(tmp_path / name, bytes(changed)))

    run()
    assert {True, False} == set(results)


@pytest.mark.parametrize("name", FILES)
@EXAMPLES
@given(content=st.binary(max_size=200))
def test_anything(tmp_path: Path, name: str, content: bytes) -> None:
    start = {"m.onnx": b"\x08\x08\x3a", "m.tflite": b"\x10\0\0\0TFL3"}[name]
    assert not opens(tmp_path / name, content)
    opens(tmp_path / name, start + content)
