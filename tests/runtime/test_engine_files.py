"""Files of other runtimes run by their own engines, judged and compared, without TensorFlow."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import graphscope
from graphscope.api.save import graph_model
from graphscope.cli.app import app
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph
from graphscope.core.values.dtypes import DataType
from graphscope.errors import (
    ArgumentError,
    GraphscopeError,
    MissingDependencyError,
    NotTensorFlowError,
    UnknownNameError,
    UnsupportedError,
)
from graphscope.formats import load_runnable
from graphscope.formats.registry import ForeignFile
from graphscope.protos import GraphDef
from tests.support.engines import PACKAGES, need_engine
from tests.support.fixture_files import FIXTURES

onnx = pytest.importorskip("onnx", reason="optional: the package that defines the files")

SOFTMAX = FIXTURES / "softmax" / "frozen.pb"
OUTPUT = "inference/prediction"
DIGITS = np.random.default_rng(1).random((3, 784), np.float32)
FILES = {"m.onnx": "onnxruntime", "m.xml": "openvino", "js/model.json": "tfjs", "m.tflite": "litert"}


class _Notes(graphscope.Listener):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def note(self, text: object) -> None:
        self.heard.append(str(text))


def need(name: str) -> None:
    if FILES[name] == "tfjs":
        pytest.importorskip("tests.support.tfjs_running", reason="optional: TF.js under Node.js")
    else:
        need_engine(FILES[name])


def exported(name: str, directory: Path) -> Path:
    """The model in a runtime's format; TensorFlow Lite's doubles pairs."""
    need(name)
    path = directory / name
    if name.endswith(".tflite"):
        path.write_bytes(_doubling({"serving_default": ("pair", "sum"), "other": ("a", "b")}))
    else:
        graphscope.export_model(SOFTMAX, path, outputs=OUTPUT)
    return path


def _doubling(signatures: dict[str, tuple[str, str]]) -> bytes:
    from tests.support.foreign_files import doubling_tflite

    return doubling_tflite(signatures)


def invoke(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith(".tflite")])
def test_a_file_computes_what_the_graph_does(name: str, tmp_path: Path) -> None:
    need_engine("onnxruntime")
    path = exported(name, tmp_path)
    expected = graphscope.run(SOFTMAX, {"input": DIGITS}, outputs=OUTPUT, engine="onnxruntime")[OUTPUT]
    for feed, wanted in (("input", ()), ("input:0", OUTPUT), ("input", f"{OUTPUT}:0")):
        found = graphscope.run(path, {feed: DIGITS}, outputs=wanted)
        np.testing.assert_allclose(found[OUTPUT], expected, rtol=1e-4, atol=1e-6)
        assert list(found) == [f"{OUTPUT}:0"]
    random = graphscope.run(path, {"input": "random"}, batch=2, seed=3)
    same = graphscope.run(SOFTMAX, {"input": "random"}, outputs=OUTPUT, batch=2, seed=3, engine="onnxruntime")
    np.testing.assert_allclose(random[OUTPUT], same[OUTPUT], rtol=1e-4, atol=1e-6)


def test_signatures_of_tensorflow_lite(tmp_path: Path) -> None:
    pairs = np.arange(6, dtype=np.float32).reshape(3, 2)
    path = exported("m.tflite", tmp_path)
    np.testing.assert_array_equal(graphscope.run(path, {"pair": pairs})["sum"], 2 * pairs)
    np.testing.assert_array_equal(graphscope.run(path, {"a": pairs}, signature="other")["b"], 2 * pairs)
    with pytest.raises(UnknownNameError, match="'serve'"):
        graphscope.run(path, {"pair": pairs}, signature="serve")
    path.write_bytes(_doubling({}))
    np.testing.assert_array_equal(graphscope.run(path, {"x": pairs})["y"], 2 * pairs)
    np.testing.assert_array_equal(graphscope.run(graphscope.load_foreign(path), {"x": pairs})["y"], 2 * pairs)
    need_engine("openvino")
    np.testing.assert_array_equal(graphscope.run(path, {"x": pairs}, engine="openvino")["y"], 2 * pairs)


def test_names_that_no_graph_has(tmp_path: Path) -> None:
    """Tensors of one node, a name with colons, one that an input has as a node, an input that is given back, a sequence."""
    need_engine("onnxruntime")
    value, integer = onnx.helper.make_tensor_value_info, onnx.TensorProto.INT64
    node, kind = onnx.helper.make_node, onnx.TensorProto.FLOAT
    nodes = [
        node("Split", ["x:0"], ["split:0", "split:1"], axis=0, num_outputs=2),
        node("Identity", ["a:b:c"], ["^odd:x"]),
        node("SequenceConstruct", ["x:0"], ["sequence"]),
        node("Add", ["x:0", "one"], ["x"]),
    ]
    inputs = [value("x:0", kind, ["n", 2]), value("a:b:c", integer, [3]), value("one", kind, [])]
    outputs = [value("split:0", kind, None), value("split:1", kind, None), value("^odd:x", integer, [3])]
    outputs += [onnx.helper.make_tensor_sequence_value_info("sequence", kind, None)]
    outputs += [value("x", kind, ["n", 2]), value("one", kind, [])]
    made = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "g", inputs, outputs), opset_imports=[onnx.helper.make_opsetid("", 18)]
    )
    made.ir_version = 9
    onnx.save(made, tmp_path / "m.onnx")
    x, notes = np.arange(8, dtype=np.float32).reshape(4, 2), _Notes()
    found = graphscope.run(tmp_path / "m.onnx", {"x:0": x, "a:b:c": [1, 2, 3], "one": 1}, listener=notes)
    assert notes.heard == ["left out, for they are not tensors: sequence"]
    expected = {"split:0": x[:2], "split:1": x[2:], "^odd:x": [1, 2, 3], "x": x + 1, "one": 1}
    assert {fetch.name for fetch in found.fetches} == expected.keys()
    for name, right in expected.items():
        np.testing.assert_array_equal(found[name], right)
    del made.graph.output[:3], made.graph.output[1:]
    onnx.save(made, tmp_path / "m.onnx")
    with pytest.raises(UnsupportedError, match="it gives no tensor"):
        graphscope.run(tmp_path / "m.onnx", {"x:0": x})


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    path = exported("m.onnx", tmp_path)
    for words, said in (
        ((), r"needs a placeholder that is not fed:\s+input:0  float32 \(\?, 784\)"),
        (("--feed", "inpt=random"), "no node or argument is named 'inpt'; closest: input"),
        (("--feed", "input=random", "--output", "softmax"), "no node or argument is named 'softmax'"),
        (("--feed", "input=[1]"), r"input:0 has shape \(\?, 784\), the value \(1\)"),
        (
            ("--engine", "tensorflow"),
            r"TensorFlow does not run an ONNX model\s+hint: without --engine, ONNX Runtime runs it",
        ),
        (("--signature", "s"), "an ONNX model has no signatures to choose from"),
        (("--tags", "serve"), "an ONNX model has no meta graphs"),
        (("--feed", "input=random", "--trust"), "not of ONNX Runtime$"),
    ):
        code, out, error = invoke("run", path, *words)
        assert (code in (1, 2), out) == (True, "")
        assert re.search(said, error.strip()), error
    path.write_bytes(path.read_bytes()[:900])
    assert f"{path}: ONNX Runtime cannot load the file" in invoke("run", path, "--feed", "input=random")[2]


@pytest.mark.parametrize("name", ["m.onnx", "m.xml", "m.tflite"])
def test_a_package_that_is_missing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = exported(name, tmp_path)
    package = "ai_edge_litert.interpreter" if name == "m.tflite" else PACKAGES[FILES[name]]
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=package) as error:
        graphscope.run(path, {"input": DIGITS})
    assert str(error.value.hint).startswith("pip install 'tf-graphscope[")


def test_files_are_compared_with_models_and_each_other(tmp_path: Path) -> None:
    path, other = exported("m.onnx", tmp_path), exported("m.xml", tmp_path)
    found = graphscope.verify(SOFTMAX, path, engine=("onnxruntime", ""))
    assert (found.engines, found.is_within, found.inputs[0].shape) == (("onnxruntime", "onnxruntime"), True, (2, 784))
    code, out, error = invoke("verify", path, other, "--format", "json")
    assert (code, json.loads(out)["engines"], error.count("error")) == (0, ["onnxruntime", "openvino"], 0)
    code, _, error = invoke("verify", path, other, "--layers")
    assert (code, "not a TensorFlow graph" in error) == (2, True)


def test_examples_are_judged(tmp_path: Path) -> None:
    path = exported("m.onnx", tmp_path)
    data = tmp_path / "data.npz"
    np.savez(data, x=np.random.default_rng(2).random((70, 784), np.float32), y=np.arange(70) % 10)
    found = graphscope.evaluate(path, str(data))
    expected = graphscope.evaluate(SOFTMAX, str(data), outputs=OUTPUT, engine="onnxruntime")
    assert (found.metric, found.confusion) == (expected.metric, expected.confusion)
    with pytest.raises(ArgumentError, match="only a TensorFlow graph can be cut open at input"):
        graphscope.evaluate(path, str(data), inputs="input")


@pytest.mark.parametrize("name", list(FILES))
def test_only_what_runs_takes_them(name: str, tmp_path: Path) -> None:
    path = exported(name, tmp_path)
    assert isinstance(load_runnable(path), ForeignFile)
    with pytest.raises(NotTensorFlowError, match="not a TensorFlow graph") as error:
        graphscope.load(path)
    is_looked_into = "graphscope.load_foreign" in str(error.value.hint)
    assert is_looked_into == (name in ("m.onnx", "m.tflite"))
    if not is_looked_into:
        assert str(error.value.hint).startswith("graphscope.run(")
        with pytest.raises(NotTensorFlowError, match="not a TensorFlow graph"):
            graphscope.load_foreign(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("m.xml", b"<!-- by hand -->\n<net name='x'/>", "an OpenVINO model"),
        ("m.xml", b"<?xml version='1.0'?><page/>", "an HTML or XML page"),
        ("m.json", b'{"modelTopology": {}, "format": "graph-model"}', "a TF.js graph model"),
        ("m.json", b'{"format": "layers-model", "modelTopology": {}}', "not a TensorFlow graph or checkpoint"),
    ],
)
def test_how_files_are_told_apart(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(GraphscopeError, match=said):
        graphscope.load(tmp_path / name)


def test_tensorflow_is_not_started(tmp_path: Path) -> None:
    path = exported("m.onnx", tmp_path)
    words: Sequence[object] = ("run", path, "--feed", "input=random", "--format", "json")
    script = (
        "import sys; sys.modules['tensorflow'] = None; from graphscope.__main__ import main; "
        "sys.argv = ['graphscope', *sys.argv[1:]]; main()"
    )
    done = subprocess.run([sys.executable, "-c", script, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["shape"] == [1, 10]


STRINGS = np.array([b"a\0", "dög".encode(), b""], object)


def identity_onnx(path: Path, shape: list[str]) -> None:
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.STRING, shape) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", ends[:1], ends[1:])
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    made.ir_version = 9
    onnx.save(made, path)


def test_strings_are_bytes_in_every_engine(tmp_path: Path) -> None:
    """One string in an array of objects is what LiteRT reads wrong, and bytes are what ONNX Runtime does."""
    from tests.support.foreign_files import reshaping_tflite

    need_engine("onnxruntime")
    identity_onnx(tmp_path / "m.onnx", ["n"])
    assert graphscope.run(tmp_path / "m.onnx", {"x": STRINGS})["y"].tolist() == STRINGS.tolist()
    with pytest.raises(GraphscopeError, match="x: ONNX Runtime takes strings in UTF-8 alone"):
        graphscope.run(tmp_path / "m.onnx", {"x": [b"\xff"]})
    need_engine("litert")
    (tmp_path / "m.tflite").write_bytes(reshaping_tflite([-1], [-1, 1]))
    assert graphscope.run(tmp_path / "m.tflite", {"x": STRINGS})["y"].tolist() == STRINGS[:, None].tolist()
    (tmp_path / "m.tflite").write_bytes(reshaping_tflite([], [1]))
    for text in STRINGS:
        assert graphscope.run(tmp_path / "m.tflite", {"x": text})["y"].tolist() == [text]


def test_what_an_output_does_not_need_may_be_fed() -> None:
    need("js/model.json")
    kind = {"T": type_attr(DataType.FLOAT)}
    nodes = [make_node("x", "Placeholder", (), {"dtype": kind["T"]}), constant("c", np.float32([1, 2]))]
    graph = Graph(GraphDef(), [*nodes, make_node("y", "Neg", ["c"], kind)])
    found = graphscope.run(graph_model(graph), {"x": np.float32([1])}, outputs="y", engine="tfjs")
    assert found["y"].tolist() == [-1, -2]


@pytest.mark.parametrize("name", ["m.onnx", "m.tflite"])
def test_openvino_is_given_no_strings(name: str, tmp_path: Path) -> None:
    from tests.support.foreign_files import reshaping_tflite

    need_engine("openvino")
    need_engine("litert")
    identity_onnx(tmp_path / "m.onnx", ["n"])
    (tmp_path / "m.tflite").write_bytes(reshaping_tflite([-1], [-1, 1]))
    with pytest.raises(GraphscopeError, match=r"cannot be given or asked for strings .*: x"):
        graphscope.run(tmp_path / name, {"x": STRINGS}, engine="openvino")
