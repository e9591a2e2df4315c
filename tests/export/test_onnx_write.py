"""What is in the file: names, sizes, weights in place or beside; what is refused before a byte is written."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

import graphscope
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import FileError, GraphscopeError, MissingDependencyError
from graphscope.export.onnx import onnx_graph, require_onnx
from graphscope.export.onnx.convert import OnnxOptions
from graphscope.export.onnx.element_types import type_string
from graphscope.export.onnx.runtime_types import KERNELS
from graphscope.export.onnx.write import ALIGNMENT, write_onnx
from graphscope.export.refusal import NotExportableError
from graphscope.protos import AttrValue, GraphDef
from tests.support.fixture_files import FIXTURES

LENET = FIXTURES / "lenet5"


def exported(tmp_path: Path, **options: object) -> graphscope.Exported:
    return graphscope.export_model(LENET, tmp_path / "m.onnx", outputs="softmax", **options)  # type: ignore[arg-type]


def test_names_stay_and_sizes_are_readable(tmp_path: Path) -> None:
    found = exported(tmp_path)
    model = onnx.load(found.path)
    onnx.checker.check_model(found.path, full_check=True)
    assert (found.inputs, found.outputs) == (("input:0",), ("softmax:0",))
    assert [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == ["input_0", 784]
    assert model.opset_import[0].version == 20
    assert found.size_bytes == Path(found.path).stat().st_size
    made = {name for node in model.graph.node for name in node.output}
    assert {"conv1/conv:0", "conv1/relu:0", "pool1:0"} <= made
    used = {name for node in model.graph.node for name in node.input}
    assert {i.name for i in model.graph.initializer} <= used


def test_renamed_and_of_a_given_shape(tmp_path: Path) -> None:
    found = exported(tmp_path, rename={"input:0": "image", "softmax": "probabilities"}, shape={"input": (8, 784)})
    assert (found.inputs, found.outputs) == (("image",), ("probabilities",))
    output = onnx.load(found.path).graph.output[0]
    assert [d.dim_value for d in output.type.tensor_type.shape.dim] == [8, 10]


def test_weights_beside(tmp_path: Path) -> None:
    within, beside = exported(tmp_path), tmp_path / "b.onnx"
    found = graphscope.export_model(LENET, beside, outputs="softmax", external_data=True)
    assert [Path(f).name for f in found.files] == ["b.onnx", "b.onnx.data"]
    assert found.size_bytes == sum(Path(f).stat().st_size for f in found.files)
    onnx.checker.check_model(str(beside), full_check=True)
    one, two = onnx.load(within.path), onnx.load(str(beside))
    for mine, theirs in zip(one.graph.initializer, two.graph.initializer, strict=True):
        assert (onnx.numpy_helper.to_array(mine) == onnx.numpy_helper.to_array(theirs)).all()
    places = [
        int(e.value)
        for t in onnx.load(str(beside), load_external_data=False).graph.initializer
        for e in t.external_data
        if e.key == "offset"
    ]
    assert places
    assert all(place % ALIGNMENT == 0 for place in places)


def test_nothing_is_replaced_unless_asked_for(tmp_path: Path) -> None:
    exported(tmp_path)
    with pytest.raises(FileError) as error:
        exported(tmp_path)
    assert str(error.value.hint) == "overwrite=True replaces it"
    exported(tmp_path, overwrite=True)
    (tmp_path / "b.onnx.data").write_bytes(b"mine")
    with pytest.raises(FileError):
        graphscope.export_model(LENET, tmp_path / "b.onnx", outputs="softmax", external_data=True)
    assert (tmp_path / "b.onnx.data").read_bytes() == b"mine"
    assert not (tmp_path / "b.onnx").exists()


def test_two_of_one_name_and_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphscopeError, match="two inputs or outputs would be called x"):
        exported(tmp_path, rename={"input": "x", "softmax": "x"})
    with pytest.raises(GraphscopeError, match="in:0 cannot be renamed: it is neither an input nor an output"):
        exported(tmp_path, rename={"in": "x"})
    with pytest.raises(GraphscopeError, match=r"input is \(\?, 784\) and cannot become \(1, 28, 28\)"):
        exported(tmp_path, shape={"input": (1, 28, 28)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opset", [16, 99])
def test_opsets_that_onnx_does_not_have(tmp_path: Path, opset: int) -> None:
    with pytest.raises(GraphscopeError, match=f"ONNX opset {opset} cannot be written"):
        exported(tmp_path, opset=opset)


def placeholder(name: str, dtype: DataType, *sizes: int) -> object:
    shape = AttrValue()
    shape.shape.SetInParent()
    for size in sizes:
        shape.shape.dim.add(size=size)
    return make_node(name, "Placeholder", (), {"dtype": type_attr(dtype), "shape": shape})


def graph(*nodes: object) -> Graph:
    header = GraphDef()
    header.versions.producer = 2000
    return Graph(header, nodes)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [DataType.STRING, DataType.COMPLEX64, DataType.RESOURCE, DataType.VARIANT])
def test_types_that_onnx_lacks_are_named(dtype: DataType) -> None:
    found = graph(placeholder("x", dtype, 2), make_node("y", "Identity", ["x"], {"T": type_attr(dtype)}))
    with pytest.raises(NotExportableError, match=f"ONNX has no type {dtype.label}"):
        onnx_graph(found, ["y"])


def test_an_unknown_op_and_an_unknown_rank() -> None:
    strange = graph(
        placeholder("x", DataType.FLOAT, 2),
        make_node("y", "Betainc", ["x", "x", "x"], {"T": type_attr(DataType.FLOAT)}),
    )
    with pytest.raises(NotExportableError, match="there is no rule for this op"):
        onnx_graph(strange, ["y"])
    shape = AttrValue()
    shape.shape.unknown_rank = True
    float_ = type_attr(DataType.FLOAT)
    open_ = graph(
        make_node("x", "Placeholder", (), {"dtype": float_, "shape": shape}),
        make_node("y", "Abs", ["x"], {"T": float_}),
    )
    with pytest.raises(NotExportableError) as error:
        onnx_graph(open_, ["y"])
    assert str(error.value.hint) == 'shape={"x": (1, 224, 224, 3)}   gives shapes'
    assert onnx_graph(open_, ["y"], OnnxOptions(shapes={"x": (None, 3)})).outputs[0].rank == 2


def test_constants_that_no_kernel_takes_are_an_error() -> None:
    float_ = type_attr(DataType.FLOAT)
    attrs = {"T": float_, "Tperm": type_attr(DataType.INT32)}
    for perm in ([5, 1], [0, 0], [1, 0, 2], []):
        found = graph(
            placeholder("x", DataType.FLOAT, 2, 3),
            constant("p", np.array(perm, np.int32)),
            make_node("y", "Transpose", ["x", "p"], attrs),
        )
        with pytest.raises(NotExportableError):
            onnx_graph(found, ["y"])


def test_outputs_that_are_inputs_constants_or_one_tensor() -> None:
    float_ = type_attr(DataType.FLOAT)
    found = graph(
        placeholder("x", DataType.FLOAT, 2),
        constant("c", np.ones(2, np.float32)),
        make_node("a", "Abs", ["x"], {"T": float_}),
        make_node("b", "Identity", ["a"], {"T": float_}),
    )
    converted = onnx_graph(found, ["x", "c", "a", "b"])
    assert [value.name for value in converted.outputs] == ["x:0/output", "c:0", "a:0", "b:0"]
    onnx.checker.check_model(onnx.load_model_from_string(_bytes(converted)), full_check=True)


def _bytes(converted: object) -> bytes:
    from graphscope.export.onnx.write import model_bytes

    return model_bytes(converted)  # type: ignore[arg-type]


class Huge(Payload):
    """More numbers than anybody should hold at once."""

    def chunks(self) -> Iterator[bytes]:
        piece = np.ones(1 << 18, np.float32).tobytes()
        for _ in range((self.nbytes or 0) // len(piece)):
            yield piece


def test_weights_are_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    weight = Huge(DataType.FLOAT, (1 << 12, 1 << 12))  # 64 MiB
    float_ = type_attr(DataType.FLOAT)
    attrs = {"T": float_, "transpose_b": AttrValue(b=True)}
    found = graph(
        placeholder("x", DataType.FLOAT, 2, 1 << 12), constant("w", weight), make_node("y", "MatMul", ["x", "w"], attrs)
    )
    tracemalloc.start()
    for beside in (False, True):
        write_onnx(onnx_graph(found, ["y"]), tmp_path / f"{beside}.onnx", external_data=beside)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingDependencyError) as error:
        require_onnx()
    assert "pip install 'tf-graphscope[onnx]'" in str(error.value.hint)


def test_the_table_of_types_is_what_onnx_runtime_has() -> None:
    """Of the newest kernels for opset 20, what the table has is there; half precision and bfloat16 are computed otherwise."""
    state = pytest.importorskip(
        "onnxruntime.capi.onnxruntime_pybind11_state", reason="optional: ONNX Runtime's kernels"
    )
    registered: dict[str, set[str]] = {}
    for kernel in state.get_all_opkernel_def():
        first, last = kernel.version_range
        if kernel.domain == "" and kernel.provider == "CPUExecutionProvider" and first <= 20 <= last:
            for parameter, types in kernel.type_constraints.items():
                registered.setdefault(f"{kernel.op_name}.{parameter}", set()).update(types)
    otherwise = {type_string(t) for t in (DataType.HALF, DataType.BFLOAT16, DataType.STRING)}
    for parameter, types in KERNELS.items():
        has = {t for t in registered[parameter] if "float8" not in t and "int4" not in t and "int2" not in t}
        assert {type_string(t) for t in types} == has - otherwise, parameter
