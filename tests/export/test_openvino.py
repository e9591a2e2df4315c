"""OpenVINO's IR: two files, both or neither, which compute what TensorFlow computes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.api.save import graph_model
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph, Node
from graphscope.core.tensors import shape_proto
from graphscope.core.values.dtypes import DataType
from graphscope.errors import ArgumentError, FileError, GraphscopeError, MissingDependencyError
from graphscope.export.openvino import target
from graphscope.export.refusal import NotExportableError
from graphscope.export.target import ExportOptions
from graphscope.formats.registry import WriteOptions
from graphscope.protos import AttrValue, GraphDef
from graphscope.runtime.engines.table import ENGINES
from tests.support.engines import need_engine
from tests.support.fixture_files import FIXTURES
from tests.support.running import Array

LENET = FIXTURES / "lenet5"
DIGITS = np.random.default_rng(1).random((3, 784), np.float32)


@pytest.fixture(autouse=True)
def _installed() -> None:
    need_engine("openvino")
    need_engine("onnxruntime")


def test_two_files_with_names_as_they_were(tmp_path: Path) -> None:
    found = graphscope.export_model(LENET, tmp_path / "m.xml", outputs="softmax", rename={"input:0": "image"})
    assert (found.format, found.inputs, found.outputs) == ("openvino", ("image",), ("softmax:0",))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.bin", "m.xml"]
    assert found.size_bytes == sum(p.stat().st_size for p in tmp_path.iterdir())
    assert found.nodes == (tmp_path / "m.xml").read_text().count("<layer id=")
    [actual] = ENGINES["openvino"].of_export(found.path, {"input:0": "image"}).run(["softmax"], {"input": DIGITS})
    expected = graphscope.run(LENET, {"input": DIGITS}, outputs="softmax", engine="onnxruntime")["softmax"]
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)


def test_the_same_model_is_the_same_bytes(tmp_path: Path) -> None:
    """OpenVINO counts what it adds over the whole process, in the bodies of loops and branches too."""
    tf = pytest.importorskip("tensorflow", reason="optional: TensorFlow builds the graph")

    def step(i: Any, y: Any) -> Any:
        return i + 1, tf.cond(tf.equal(i % 2, 0), lambda: y + 1.0, lambda: y[..., None][:, 0])

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [4], "x")
        tf.identity(tf.while_loop(lambda i, _: i < 5, step, (0, x))[1], "y")
    (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    written = []
    for name in ("a", "b"):
        graphscope.export_model(tmp_path / "m.pb", tmp_path / f"{name}.xml", outputs="y")
        written.append((tmp_path / f"{name}.xml").read_bytes())
    assert written[0].count(b'name="added_') > 4
    assert written[0] == written[1]


_BYTES = np.array([[200, 100], [7, 250]], np.uint8)
_TOTAL = {"Tidx": type_attr(DataType.INT32)}

INTEGERS: dict[str, tuple[tuple[Array, Array], dict[str, AttrValue], list[Any], tuple[str, ...]]] = {
    "AddV2": ((_BYTES, _BYTES), {}, [[144, 200], [14, 244]], ()),
    "Sum": ((_BYTES.astype(np.int32), np.array([1], np.int32)), _TOTAL, [300, 257], ("in y",)),
    "ArgMax": ((_BYTES.astype(np.int32), np.array(1, np.int32)), _TOTAL, [0, 1], ()),
}
"""Op -> inputs, attributes, what TensorFlow computes, and what is said of it: 8 bits wrap around, large sums are rounded."""


@pytest.mark.parametrize("op", INTEGERS)
def test_integers(op: str, tmp_path: Path) -> None:
    (fed, given), attrs, expected, said = INTEGERS[op]
    kind = {"T": type_attr(DataType.from_numpy(fed.dtype))}
    x = make_node("x", "Placeholder", (), {"dtype": kind["T"], "shape": AttrValue(shape=shape_proto((2, 2)))})
    graph = Graph(GraphDef(), [x, constant("c", given), make_node("y", op, ["x", "c"], {**kind, **attrs})])
    made = target.convert(graph, ["y"], ExportOptions(), "test")
    made.write(tmp_path / "m.xml", WriteOptions())
    [found] = ENGINES["openvino"].of_export(tmp_path / "m.xml", made.tensors).run(["y"], {"x": fed})
    assert found.tolist() == expected
    assert [note for note in made.notes if note.endswith(said)] == list(made.notes)
    assert len(made.notes) == len(said)


def test_a_bias_that_is_not_whole(tmp_path: Path) -> None:
    """OpenVINO itself would cut it off."""
    kind = {"dtype": type_attr(DataType.FLOAT), "shape": AttrValue(shape=shape_proto((1, 1, 1, 2)))}
    attrs = {"T": kind["dtype"], **{name: AttrValue(f=0.5) for name in ("bias", "alpha", "beta")}}
    nodes = [make_node("x", "Placeholder", (), kind), make_node("y", "LRN", ["x"], attrs)]
    made = target.convert(Graph(GraphDef(versions={"producer": 2000}), nodes), ["y"], ExportOptions(), "test")
    made.write(tmp_path / "m.xml", WriteOptions())
    fed = {"x": np.array([3, 4], np.float32).reshape(1, 1, 1, 2)}
    [found] = ENGINES["openvino"].of_export(tmp_path / "m.xml", made.tensors).run(["y"], fed)
    np.testing.assert_allclose(found.reshape(-1), np.array([3, 4]) / np.sqrt(0.5 + 0.5 * 25), rtol=1e-5)


def test_a_computed_value_pads(tmp_path: Path) -> None:
    """OpenVINO itself would pad with 0."""
    kind = {"dtype": type_attr(DataType.INT32)}
    sizes = AttrValue(shape=shape_proto((2,)))
    x = make_node("x", "Placeholder", (), {**kind, "shape": sizes})
    v = make_node("v", "Placeholder", (), {**kind, "shape": AttrValue(shape=shape_proto(()))})
    attrs = {"T": kind["dtype"], "Tpaddings": kind["dtype"]}
    nodes = [x, v, constant("c", np.array([[1, 2]], np.int32)), make_node("y", "PadV2", ["x", "c", "v"], attrs)]
    made = target.convert(Graph(GraphDef(versions={"producer": 2000}), nodes), ["y"], ExportOptions(), "test")
    made.write(tmp_path / "m.xml", WriteOptions())
    fed = {"x": np.array([3, 4], np.int32), "v": np.array(7, np.int32)}
    [found] = ENGINES["openvino"].of_export(tmp_path / "m.xml", made.tensors).run(["y"], fed)
    assert found.tolist() == [7, 3, 4, 7, 7]


def test_neither_file_is_replaced_unless_asked_for(tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(b"mine")
    with pytest.raises(FileError, match=r"m\.bin: the file exists"):
        graphscope.save(graphscope.load(LENET), tmp_path / "m.xml", outputs="softmax")
    assert [p.name for p in tmp_path.iterdir()] == ["m.bin"]
    graphscope.save(graphscope.load(LENET), tmp_path / "m.xml", outputs="softmax", overwrite=True)
    assert (tmp_path / "m.bin").stat().st_size > 200_000


def test_the_weights_are_beside_a_file_called_xml(tmp_path: Path) -> None:
    for name in ("m", "m.bin"):
        with pytest.raises(ArgumentError, match=r"a model named \*\.xml"):
            graphscope.export_model(LENET, tmp_path / name, to="openvino", outputs="softmax")
    with pytest.raises(ArgumentError, match="OpenVINO IR does not support one of the options"):
        graphscope.export_model(LENET, tmp_path / "m.xml", outputs="softmax", opset=18)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["openvino", "onnx"])
def test_a_missing_package_is_named(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=f"requires the package {package}") as error:
        graphscope.export_model(LENET, tmp_path / "m.xml", outputs="softmax")
    assert str(error.value.hint) == f"pip install 'tf-graphscope[{package}]'"


class _Broken:
    """OpenVINO that reads, but writes half."""

    def __init__(self, package: object) -> None:
        self.package = package

    def __getattr__(self, name: str) -> object:
        return getattr(self.package, name)

    def serialize(self, model: object, xml: str, weights: str) -> None:
        self.package.serialize(model, xml, weights)  # type: ignore[attr-defined]
        with open(weights, "r+b") as file:
            file.truncate(1000)


def test_what_openvino_does_not_read_again_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = _Broken(target.openvino_package())  # type: ignore[attr-defined]
    monkeypatch.setattr(target, "openvino_package", lambda: broken)
    with pytest.raises(GraphscopeError, match="cannot read the file that it wrote: Incorrect weights in bin file"):
        graphscope.export_model(LENET, tmp_path / "m.xml", outputs="softmax")
    assert list(tmp_path.iterdir()) == []


def _graph(*nodes: Node) -> Graph:
    return Graph(GraphDef(), nodes)


@pytest.mark.parametrize("shape", [(0,), (0, 3)])
def test_constants_without_elements_stay_so(shape: tuple[int, ...], tmp_path: Path) -> None:
    """OpenVINO reads those of an ONNX file as a single 0."""
    kind = {"T": type_attr(DataType.FLOAT)}
    nodes = [constant("c", np.zeros(shape, np.float32)), make_node("y", "Identity", ["c"], kind)]
    graphscope.save(_graph(*nodes), tmp_path / "m.xml", outputs="y")
    found = graphscope.run(tmp_path / "m.xml")["y"]
    assert (found.shape, found.dtype) == (shape, np.float32)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([1, 2**33]), "int64 as int32, where 8589934592 does not fit"),
        (np.array([3_000_000_000], np.uint32), "uint32 as int32, where 3000000000 does not fit"),
        (np.array([np.nan, -1e300]), r"float64 as float32, where -1e\+300 does not fit"),
    ],
)
def test_numbers_beyond_what_it_computes_with(values: np.ndarray[Any, Any], said: str, tmp_path: Path) -> None:
    """Its plug-in for processors computes in 32 bits without a word."""
    dtype = DataType.from_numpy(values.dtype)
    kind = {"T": type_attr(dtype)}
    nodes = [constant("c", values), make_node("x", "Placeholder", (), {"dtype": type_attr(dtype)})]
    nodes[1].proto.attr["shape"].shape.dim.add(size=len(values))
    nodes.append(make_node("y", "AddV2", ["x", "c"], kind))
    with pytest.raises(NotExportableError, match=rf"Const \(c\): OpenVINO computes {said}"):
        graphscope.save(_graph(*nodes), tmp_path / "m.xml", outputs="y")
    with pytest.raises(GraphscopeError, match=f"c: OpenVINO computes {said}"):
        graphscope.run(graph_model(_graph(*nodes)), {"x": values * 0}, outputs="y", engine="openvino")
    nodes[2] = make_node("y", "AddV2", ["x", "x"], kind)
    graphscope.save(_graph(*nodes[1:]), tmp_path / "m.xml", outputs="y")
    with pytest.raises(GraphscopeError, match=f"OpenVINO computes {said}"):
        graphscope.run(tmp_path / "m.xml", {"x": values})
    np.testing.assert_allclose(graphscope.run(tmp_path / "m.xml", {"x": values * 0 + 1})["y"], values * 0 + 2)
