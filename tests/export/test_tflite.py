"""TensorFlow Lite files by TensorFlow's converter: names and signature stay, quantized weights are smaller, Flex is refused."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.errors import ArgumentError, FileError, GraphscopeError, MissingDependencyError
from graphscope.export.refusal import NotExportableError
from graphscope.formats.registry import format_for
from graphscope.protos import AttrValue, GraphDef
from graphscope.runtime.engines.table import ENGINES
from graphscope.runtime.tflite import target
from tests.support.engines import need_engine
from tests.support.fixture_files import FIXTURES

pytestmark = pytest.mark.tensorflow

LENET = FIXTURES / "lenet5"
DIGITS = np.random.default_rng(1).random((3, 784), np.float32)


@pytest.fixture(autouse=True)
def _installed() -> None:
    need_engine("litert")


def placeholder(name: str, dtype: DataType, *sizes: int, is_ranked: bool = True) -> Node:
    shape = AttrValue()
    shape.shape.unknown_rank = not is_ranked
    for size in sizes:
        shape.shape.dim.add(size=size)
    return make_node(name, "Placeholder", (), {"dtype": type_attr(dtype), "shape": shape})


def test_quantized_by_examples_renamed_and_verified(tmp_path: Path) -> None:
    """The whole way, with ranges from data, in one conversion."""
    np.savez(tmp_path / "data.npz", x=DIGITS, y=np.arange(3))
    heard: list[str] = []
    found = graphscope.export_model(
        LENET,
        tmp_path / "m.tflite",
        outputs="softmax",
        rename={"input:0": "image"},
        quantize="int8",
        data=str(tmp_path / "data.npz"),
        verify=True,
        listener=_Notes(heard),
    )
    assert "int8 is calibrated with 3 of 3 examples" in heard
    assert (found.inputs, found.outputs) == (("image",), ("softmax",))
    assert found.size_bytes == (tmp_path / "m.tflite").stat().st_size < 100_000
    assert found.verification is not None
    assert 0 < found.verification.max_abs < 0.1
    engine = ENGINES["litert"].of_export(found.path, {"input:0": "image", "softmax:0": "softmax"})
    [actual] = engine.run(["softmax"], {"input": DIGITS})
    expected = graphscope.run(LENET, {"input": DIGITS}, outputs="softmax")["softmax"]
    np.testing.assert_allclose(actual, expected, atol=0.1)
    with pytest.raises(FileError, match="the file exists"):
        graphscope.export_model(LENET, tmp_path / "m.tflite", outputs="softmax")


class _Notes(graphscope.Listener):
    def __init__(self, heard: list[str]) -> None:
        self.heard = heard

    def note(self, text: object) -> None:
        self.heard.append(str(text))


def test_what_needs_flex_is_named_with_the_cut(tmp_path: Path) -> None:
    x = placeholder("x", DataType.FLOAT, -1, 3)
    kind = {"T": type_attr(DataType.FLOAT)}
    nodes = [x, make_node("s/tan", "Tan", ["x"], kind), make_node("b", "Betainc", ["s/tan", "x", "x"], kind)]
    double = {"T": type_attr(DataType.DOUBLE)}
    nodes += [make_node("long", "Cast", ["x"], {"SrcT": kind["T"], "DstT": double["T"]})]
    nodes += [make_node("sum", "AddV2", ["long", "long"], double)]
    nodes += [make_node("short", "Cast", ["sum"], {"SrcT": double["T"], "DstT": kind["T"]})]
    nodes += [make_node("y", "Mul", ["b", "short"], kind)]
    with pytest.raises(NotExportableError, match=r"3 nodes cannot be expressed in TensorFlow Lite's built-in") as error:
        graphscope.save(Graph(GraphDef(), nodes), tmp_path / "m.tflite", outputs="y")
    assert "Tan (s/tan): it needs Flex, which the interpreters from pip lack" in error.value.message
    assert "Betainc (b): TensorFlow Lite has no such op" in error.value.message
    assert "AddV2 (sum): for float64 it needs Flex, which the interpreters from pip lack" in error.value.message
    assert str(error.value.hint).startswith('inputs=["b", "sum"]   starts the graph')
    assert list(tmp_path.iterdir()) == []


def test_loops_and_nothing_are_outputs(tmp_path: Path) -> None:
    """The converter misses an output that leaves a loop, and LiteRT's Python package one without elements."""
    import tensorflow as tf

    v1 = tf.compat.v1
    v1.disable_control_flow_v2()
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [3], "x")
        _, doubled = v1.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a * 2), [0, x])
        none = tf.identity(x[3:], "none")
    v1.enable_control_flow_v2()
    (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    names = [doubled.name, none.name]
    found = graphscope.export_model(tmp_path / "m.pb", tmp_path / "m.tflite", outputs=names, verify=True)
    assert found.verification is not None
    assert [o.tensor for o in found.verification.outputs] == names
    values = ENGINES["litert"].of_file(found.path).run(found.outputs, {"x": np.arange(3, dtype=np.float32)})
    assert [value.tolist() for value in values] == [[0, 8, 16], []]


def test_what_is_refused_before_tensorflow_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "_convert", None)
    kind = {"T": type_attr(DataType.FLOAT)}
    unknown = placeholder("x", DataType.FLOAT, is_ranked=False)
    with pytest.raises(NotExportableError, match=r"Placeholder \(x\): its shape is unknown") as error:
        graphscope.save(Graph(GraphDef(), [unknown, make_node("y", "Relu", ["x"], kind)]), tmp_path / "m.tflite")
    assert 'shape={"x": (1, 224, 224, 3)}' in str(error.value.hint)
    handle = placeholder("v", DataType.RESOURCE)
    read = make_node("y", "ReadVariableOp", ["v"], {"dtype": type_attr(DataType.FLOAT)})
    with pytest.raises(GraphscopeError, match=r"TensorFlow Lite feeds no resource|v "):
        graphscope.save(Graph(GraphDef(), [handle, read]), tmp_path / "m.tflite", outputs="y")
    for options, said in (
        ({"quantize": "int8"}, "int8 quantization needs examples"),
        ({"data": "x.npz"}, "examples are only used for int8"),
        ({"quantize": "int4"}, "int4 is not a way to quantize"),
    ):
        with pytest.raises(ArgumentError, match=said):
            graphscope.export_model(LENET, tmp_path / "m.tflite", outputs="softmax", **options)  # type: ignore[arg-type]
    for rename, said in (
        ({"in": "x"}, "in:0 cannot be renamed"),
        ({"softmax": "x", "logits": "x"}, "would be called x"),
    ):
        with pytest.raises(GraphscopeError, match=said):
            graphscope.export_model(LENET, tmp_path / "m.tflite", outputs=["softmax", "logits"], rename=rename)
    assert list(tmp_path.iterdir()) == []


def test_without_tensorflow_or_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert format_for("m.tflite").name == "tflite"
    monkeypatch.setattr(target, "find_spec", lambda name: None if name == "tensorflow" else find_spec(name))
    with pytest.raises(MissingDependencyError) as missing:
        graphscope.export_model(LENET, tmp_path / "m.tflite", outputs="softmax")
    assert str(missing.value.hint) == "pip install 'tf-graphscope[tflite]'"
    monkeypatch.undo()
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    monkeypatch.setattr(target, "WORKER", (sys.executable, "-c", killed))
    with pytest.raises(GraphscopeError, match=r"converter was killed\. TensorFlow's converter takes about 0\.5 GB of"):
        graphscope.export_model(LENET, tmp_path / "m.tflite", outputs="softmax")
    monkeypatch.setattr(target, "WORKER", (sys.executable, "-c", "raise ValueError('no such thing')"))
    with pytest.raises(GraphscopeError, match="TensorFlow's converter failed: ValueError: no such thing"):
        graphscope.export_model(LENET, tmp_path / "m.tflite", outputs="softmax")
    raised = "class E(Exception): __module__ = 'a.b'\nraise E(\"Op type not registered 'Softmax' in binary\")"
    monkeypatch.setattr(target, "WORKER", (sys.executable, "-c", raised))
    with pytest.raises(NotExportableError, match=r"Softmax \(softmax\): TensorFlow, which converts, has no such op"):
        graphscope.export_model(LENET, tmp_path / "m.tflite", outputs="softmax")
    monkeypatch.setattr(target, "WORKER", (sys.executable, "-c", raised.replace("Op type", "Type")))
    with pytest.raises(GraphscopeError, match="TensorFlow's converter failed: Type not registered"):
        graphscope.export_model(LENET, tmp_path / "m.tflite", outputs="softmax")
    assert list(tmp_path.iterdir()) == []
