"""Engines other than TensorFlow compute what TensorFlow computes, and say plainly what they cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.cli.options.session import EngineChoice
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.model import Model, ModelKind
from graphscope.core.tensors import shape_proto
from graphscope.core.values.dtypes import DataType
from graphscope.errors import ArgumentError, GraphscopeError, MissingDependencyError
from graphscope.protos import AttrValue
from graphscope.runtime.comparing import verify as verifying
from graphscope.runtime.engines import onnx_runtime
from graphscope.runtime.engines.table import CHOICES
from tests.support.engines import PACKAGES, need_engine
from tests.support.fixture_files import FIXTURES
from tests.support.graphs import const, graph_of, op, placeholder
from tests.support.running import tf
from tests.support.zoo_files import ZOO, needs_zoo

DIGITS = np.random.default_rng(1).random((3, 784), np.float32)
SWITCHED = {"is_training": False}


@pytest.fixture(params=["onnxruntime", "openvino"])
def engine(request: pytest.FixtureRequest) -> str:
    need_engine(request.param)
    return str(request.param)


def _short_numbers() -> Model:
    kind = {"T": type_attr(DataType.BFLOAT16)}
    x = make_node("x", "Placeholder", (), {"dtype": kind["T"], "shape": AttrValue(shape=shape_proto((None, 4)))})
    weight = constant("w", np.linspace(-1, 1, 12).reshape(4, 3).astype(DataType.BFLOAT16.numpy))
    nodes = [x, weight, make_node("m", "MatMul", ["x", "w"], kind), make_node("y", "Relu", ["m"], kind)]
    return Model("short.pb", ModelKind.GRAPH, "binary", (), graph_of(*nodes))


@pytest.mark.parametrize(
    ("engine", "file"), [("onnxruntime", "m.onnx"), ("openvino", "m.xml"), ("tfjs", "m/model.json")]
)
def test_bfloat16(engine: str, file: str, tmp_path: Path) -> None:
    """Of a graph and of a file: NumPy has no such type, and the packages pass on no other's."""
    need_engine(engine)
    model = _short_numbers()
    x = np.random.default_rng(2).normal(size=(2, 4))
    expected = graphscope.run(model, {"x": x}, outputs="y")["y"]
    (tmp_path / "m").mkdir()
    graphscope.export_model(model, tmp_path / file, outputs="y", verify=True, atol=0.03, rtol=0.03)
    computed = [graphscope.run(model, {"x": x}, outputs="y", engine=engine)]
    computed += [graphscope.run(tmp_path / file, {"x": x}, engine=engine)] if engine != "tfjs" else []
    for [found] in (run.values() for run in computed):
        assert found.dtype == expected.dtype == DataType.BFLOAT16.numpy
        np.testing.assert_allclose(found.astype(float), expected.astype(float), rtol=0.03, atol=0.03)


def test_what_rounding_to_bfloat16_differs_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_engine("onnxruntime")
    monkeypatch.setattr(onnx_runtime, "_array", lambda value: np.full(value.shape(), 7, DataType.BFLOAT16.numpy))
    with pytest.raises(GraphscopeError, match="computes different values") as error:
        graphscope.export_model(_short_numbers(), tmp_path / "m.onnx", outputs="y", verify=True)
    assert str(error.value.hint) == "atol=0.03, rtol=0.03   allows for the rounding of bfloat16"


def test_the_command_line_has_each_row() -> None:
    assert tuple(choice.value for choice in EngineChoice) == CHOICES


@pytest.mark.parametrize(
    ("model", "feeds", "output"),
    [
        ("lenet5", {"input": DIGITS}, "softmax"),
        ("lenet5", {"conv1/conv": np.ones((2, 28, 28, 6), np.float32)}, "logits"),
        ("batchnorm", {"input": DIGITS, **SWITCHED}, "predictions"),
        ("lenet5/saved_model", {"input": DIGITS}, "classes"),
        ("partitioned", {"x": "random"}, "y"),
    ],
)
def test_as_in_tensorflow(engine: str, model: str, feeds: dict[str, Any], output: str) -> None:
    """Variables, a graph fed in its middle, a switch, names of a signature, a random value."""
    source = graphscope.load(FIXTURES / model)
    if model == "partitioned":
        feeds, output = {source.graph.nodes[0].name: "random"}, graphscope.summarize(source).graph.outputs[0].tensor
    found = graphscope.run(source, feeds, outputs=output, engine=engine)
    expected = graphscope.run(source, feeds, outputs=output)
    np.testing.assert_allclose(found[output], expected[output], rtol=1e-4, atol=1e-6)
    assert found[output].dtype == expected[output].dtype
    assert found.result.devices == ()


def test_a_tensor_in_the_middle_beside_one_behind_it(engine: str) -> None:
    wanted = ["softmax", "conv1/relu"]
    found = graphscope.run(FIXTURES / "lenet5", {"input": DIGITS}, outputs=wanted, engine=engine)
    expected = graphscope.run(FIXTURES / "lenet5", {"input": DIGITS}, outputs=wanted)
    for name in wanted:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("outputs", [["y"], ["y", "z"]])
def test_outputs_that_are_constants(engine: str, outputs: list[str]) -> None:
    nodes = [const("c", [1, 2]), op("y", "Neg", "c"), placeholder("x"), op("z", "Abs", "x")]
    graph = Model("g", ModelKind.GRAPH, "binary", (), graph_of(*nodes))
    found = graphscope.run(
        graph, {"x": np.array([-3], np.float32)} if "z" in outputs else {}, outputs=outputs, engine=engine
    )
    np.testing.assert_array_equal(found["y"], [-1, -2])
    assert "z" not in outputs or found["z"].tolist() == [3]


def test_what_is_not_fed_is_named_as_for_tensorflow(engine: str) -> None:
    with pytest.raises(GraphscopeError, match="needs a placeholder that is not fed") as error:
        graphscope.run(FIXTURES / "lenet5", outputs="softmax", engine=engine)
    assert "input=random" in str(error.value.hint) or "input" in str(error.value.hint)


def test_options_of_sessions_are_refused(engine: str) -> None:
    for words in ({"trust": True}, {"placing": graphscope.Placing(device="/CPU:0")}):
        with pytest.raises(ArgumentError, match="options of TensorFlow's sessions"):
            graphscope.run(FIXTURES / "lenet5", {"input": DIGITS}, outputs="softmax", engine=engine, **words)


@pytest.mark.parametrize(
    ("model", "output"), [("lenet5", "softmax"), ("batchnorm", "predictions"), ("lenet5/frozen.pb", "")]
)
def test_examples_are_judged_as_in_tensorflow(engine: str, model: str, output: str, tmp_path: Path) -> None:
    """Variables, a training switch that nobody sets, the likely output."""
    data = str(tmp_path / "data.npz")
    np.savez(data, x=np.random.default_rng(2).random((70, 784), np.float32), y=np.arange(70) % 10)
    found = graphscope.evaluate(FIXTURES / model, data, outputs=output or (), engine=engine)
    expected = graphscope.evaluate(FIXTURES / model, data, outputs=output or ())
    assert (found.metric, found.confusion, found.notes) == (expected.metric, expected.confusion, expected.notes)
    assert found.loss == pytest.approx(expected.loss, rel=1e-4)
    with pytest.raises(ArgumentError, match="options of TensorFlow's sessions"):
        graphscope.evaluate(FIXTURES / model, data, engine=engine, trust=True)


def test_a_package_that_is_missing(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGES[engine], None)
    with pytest.raises(MissingDependencyError, match=PACKAGES[engine]) as error:
        graphscope.run(FIXTURES / "lenet5", {"input": DIGITS}, outputs="softmax", engine=engine)
    assert str(error.value.hint).startswith("pip install 'tf-graphscope[")


def test_nothing_is_reported_when_openvino_starts() -> None:
    """Its Python package would tell its makers over the network."""
    need_engine("openvino")
    script = "import sys; import graphscope.export.openvino.package as p; p.openvino_package(); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "openvino" in modules
    assert [name for name in modules if name.startswith("openvino_telemetry")] == []


def test_an_engine_that_does_not_exist() -> None:
    with pytest.raises(ArgumentError, match="did you mean onnxruntime"):
        graphscope.run(FIXTURES / "lenet5", engine="onxruntime")


def test_what_onnx_cannot_express_runs_in_tensorflow(tmp_path: Path) -> None:
    need_engine("onnxruntime")
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        tf.strings.as_string(x, name="text")
    path = tmp_path / "text.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(GraphscopeError, match=r"AsString \(text\)") as error:
        graphscope.run(path, {"x": [1.0]}, outputs="text", engine="onnxruntime")
    assert 'engine="tensorflow"' in str(error.value.hint)


@needs_zoo
def test_a_quantized_model_by_other_people() -> None:
    need_engine("onnxruntime")
    path = ZOO / "frozen_pb/ssoniya+tensorflow-for-poets-2/tf_files/models/mobilenet_v1_0.25_128/quantized_graph.pb"
    output, feeds = "MobilenetV1/Predictions/Reshape_1", {"input": "random"}
    found = graphscope.run(path, feeds, outputs=output, engine="onnxruntime")
    np.testing.assert_allclose(found[output], graphscope.run(path, feeds, outputs=output)[output], atol=1e-3)
    need_engine("openvino")
    with pytest.raises(GraphscopeError, match=r"No conversion rule found for operations: .*Dequantize"):
        graphscope.run(path, feeds, outputs=output, engine="openvino")


def test_models_are_verified_in_engines(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, frozen = FIXTURES / "lenet5", graphscope.load(FIXTURES / "lenet5" / "frozen.pb")
    same = graphscope.verify(model, frozen, outputs="softmax", engine=engine)
    assert (same.is_within, same.is_equal, same.engines) == (True, False, ("tensorflow", engine))
    assert (same.atol, same.rtol, same.batches) == (1e-4, 1e-4, 3)
    monkeypatch.setattr(verifying, "promise_equal_bits", lambda: pytest.fail("TensorFlow was started"))
    switched = graphscope.verify(
        FIXTURES / "batchnorm", FIXTURES / "batchnorm", outputs="predictions", engine=(engine, engine)
    )
    assert switched.is_equal
    wrong = graphscope.verify(model, changed(frozen, "fc3/biases"), outputs="logits", engine=(engine, engine))
    assert not wrong.is_within
    assert wrong.is_proven


def changed(model: Model, name: str) -> Model:
    """``model`` with another value in the first element of one constant."""
    value = model.graph[name].tensor().numpy().copy()
    value.flat[0] += 1
    return model.with_graph(model.graph.with_nodes(constant(name, value) if n.name == name else n for n in model.graph))


def test_engines_that_are_none() -> None:
    with pytest.raises(ArgumentError, match="no engine is called 'onnx'"):
        graphscope.verify(FIXTURES / "softmax", FIXTURES / "softmax", engine=("tensorflow", "onnx"))
