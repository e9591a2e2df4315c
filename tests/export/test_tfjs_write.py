"""What is in the files of a TF.js model: names, types, sizes; what is refused before a byte is written. Needs no TF.js."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.errors import FileError, GraphscopeError
from graphscope.export.refusal import NotExportableError
from graphscope.export.tfjs.convert import convert
from graphscope.export.tfjs.write import SHARD_BYTES, write_tfjs
from graphscope.protos import AttrValue, GraphDef
from tests.support.fixture_files import FIXTURES

LENET = FIXTURES / "lenet5"


def exported(place: Path, **options: Any) -> graphscope.Exported:
    return graphscope.export_model(LENET, place, outputs="softmax", **options)


def read(path: Path) -> tuple[dict[str, Any], bytes]:
    """``model.json``, and all weights one after the other."""
    model = json.loads(path.read_text())
    return model, b"".join((path.parent / name).read_bytes() for name in model["weightsManifest"][0]["paths"])


def graph(*nodes: Node) -> Graph:
    header = GraphDef()
    header.versions.producer = 2000
    return Graph(header, nodes)


def passed(name: str, source: str, dtype: DataType) -> Node:
    return make_node(name, "Identity", [source], {"T": type_attr(dtype)})


def test_names_and_shapes(tmp_path: Path) -> None:
    found = exported(tmp_path / "m" / "model.json")
    model, weights = read(Path(found.path))
    assert (found.inputs, found.outputs) == (("input:0",), ("softmax:0",))
    assert found.size_bytes == sum(Path(f).stat().st_size for f in found.files)
    assert model["signature"]["outputs"]["softmax:0"]["dtype"] == "DT_FLOAT"
    assert model["userDefinedMetadata"]["signature"] == model["signature"]
    nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
    assert nodes["input"]["attr"]["shape"] == {"shape": {"dim": [{"size": "-1"}, {"size": "784"}]}}
    entries = model["weightsManifest"][0]["weights"]
    assert sum(4 * int(np.prod(entry["shape"])) for entry in entries) == len(weights)


def test_attributes_at_their_defaults_are_written(tmp_path: Path) -> None:
    """TF.js stops at a convolution without dilations, and takes a scalar for a shape of zeros."""
    float_, steps = type_attr(DataType.FLOAT), AttrValue()
    steps.list.i.extend([1, 1, 1, 1])
    shape = AttrValue()
    for size in (0, 4, 4, 1):
        shape.shape.dim.add(size=size)
    attrs = {"T": float_, "strides": steps, "padding": AttrValue(s=b"SAME")}
    found = graph(
        make_node("x", "Placeholder", (), {"dtype": float_, "shape": shape}),
        constant("w", np.ones((1, 1, 1, 1), np.float32)),
        make_node("y", "Conv2D", ["x", "w"], attrs),
    )
    write_tfjs(convert(found, ["y"]), tmp_path / "m" / "model.json")
    nodes = {n["name"]: n["attr"] for n in read(tmp_path / "m" / "model.json")[0]["modelTopology"]["node"]}
    assert nodes["y"]["dilations"] == {"list": {"i": ["1", "1", "1", "1"]}}
    assert nodes["y"]["explicit_paddings"] == {"list": {}}
    assert nodes["x"]["shape"] == {"shape": {"dim": [{"size": "0"}, {"size": "4"}, {"size": "4"}, {"size": "1"}]}}


def test_the_names_of_the_signature_are_kept_unless_others_are_asked_for(tmp_path: Path) -> None:
    saved = LENET / "saved_model"
    found = graphscope.export_model(saved, tmp_path / "a" / "model.json")
    signature = graphscope.load(saved).signatures["serving_default"]
    assert set(found.inputs) == set(signature.inputs)
    assert set(found.outputs) <= set(signature.outputs)
    renamed = graphscope.export_model(saved, tmp_path / "b" / "model.json", rename={"input": "image"})
    assert renamed.inputs == ("image",)
    with pytest.raises(GraphscopeError, match="in:0 cannot be renamed: it is neither an input nor an output"):
        graphscope.export_model(saved, tmp_path / "c" / "model.json", rename={"in": "image"})
    assert not (tmp_path / "c").exists()


WEIGHTS = {
    DataType.FLOAT: ("float32", "<f4", [1.5, -2.0]),
    DataType.DOUBLE: ("float32", "<f4", [1.5, -2.0]),
    DataType.BFLOAT16: ("float32", "<f4", [1.5, -2.0]),
    DataType.HALF: ("float32", "<f2", [1.5, -2.0]),
    DataType.INT32: ("int32", "<i4", [7, -3]),
    DataType.INT64: ("int32", "<i4", [7, -3]),
    DataType.INT8: ("int32", "<i4", [7, -3]),
    DataType.UINT8: ("int32", "<i4", [7, 200]),
    DataType.UINT16: ("int32", "<i4", [7, 60000]),
    DataType.BOOL: ("bool", "?", [True, False]),
    DataType.COMPLEX64: ("complex64", "<c8", [1 + 2j, 3j]),
    DataType.COMPLEX128: ("complex64", "<c8", [1 + 2j, 3j]),
}


@pytest.mark.parametrize("dtype", WEIGHTS)
def test_types_of_weights(dtype: DataType, tmp_path: Path) -> None:
    held, element, values = WEIGHTS[dtype]
    weight = ArrayPayload(np.array(values).astype(dtype.numpy), dtype)
    made = convert(graph(constant("w", weight), passed("y", "w", dtype)), ["y"])
    write_tfjs(made, tmp_path / "m" / "model.json")
    model, weights = read(tmp_path / "m" / "model.json")
    entry = model["weightsManifest"][0]["weights"][0]
    assert (entry["dtype"], entry["shape"]) == (held, [2])
    assert ("quantization" in entry) == (dtype is DataType.HALF)
    np.testing.assert_array_equal(np.frombuffer(weights, element), values)
    assert made.changed_types == ({} if dtype.label == held else {dtype.label: (held, 2)})


def test_strings_have_lengths(tmp_path: Path) -> None:
    words = np.array([b"a", b"", b"bcd\xff"], object)
    made = convert(graph(constant("w", words), passed("y", "w", DataType.STRING)), ["y"])
    write_tfjs(made, tmp_path / "m" / "model.json")
    assert read(tmp_path / "m" / "model.json")[1] == b"\1\0\0\0a" + b"\0\0\0\0" + b"\4\0\0\0bcd\xff"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.array([1, 1 << 31]), "it holds 2147483648, which no int32 can"),
        (np.array([1.0, 1e39]), "it holds 1e\\+39, which no float32 can"),
        (np.array([1], np.uint64), "TF.js has no type uint64"),
    ],
)
def test_values_that_do_not_fit(value: np.ndarray[Any, Any], reason: str) -> None:
    found = graph(constant("w", value), passed("y", "w", DataType.from_numpy(value.dtype)))
    with pytest.raises(NotExportableError, match=reason):
        convert(found, ["y"])


def test_what_tfjs_would_compute_otherwise_is_refused() -> None:
    float_ = type_attr(DataType.FLOAT)
    shape = AttrValue()
    shape.shape.dim.add(size=4)
    found = graph(
        make_node("x", "Placeholder", (), {"dtype": float_, "shape": shape}),
        make_node("odd", "Betainc", ["x", "x", "x"], {"T": float_}),
        make_node("rest", "Mod", ["odd", "x"], {"T": float_}),
        make_node("y", "Add", ["rest", "x"], {"T": float_}),
    )
    with pytest.raises(NotExportableError) as error:
        convert(found, ["y"], "m.pb")
    assert str(error.value).splitlines() == [
        "m.pb: 2 nodes cannot be expressed in TF.js:",
        "  Betainc (odd): TF.js does not know this op",
        "  Mod (rest): TF.js rounds down where TensorFlow rounds to zero",
    ]
    assert list(error.value.cuts) == ["rest"]


def test_ops_that_tfjs_has_for_numbers_alone() -> None:
    kind = type_attr(DataType.STRING)
    x = make_node("x", "Placeholder", (), {"dtype": kind})
    equal = make_node("equal", "Equal", ["x", "x"], {"T": kind})
    convert(graph(x, equal), ["equal"], "m.pb")
    with pytest.raises(NotExportableError, match=r"AddV2 \(y\): TF.js has it for numbers alone"):
        convert(graph(x, make_node("y", "AddV2", ["x", "x"], {"T": kind})), ["y"], "m.pb")
    axis = constant("axis", np.int32(0))
    split = make_node("y", "Split", ["axis", "x"], {"T": kind, "num_split": AttrValue(i=2)})
    with pytest.raises(NotExportableError, match=r"Split \(y\): TF.js has it for numbers alone"):
        convert(graph(x, axis, split), ["y"], "m.pb")


class Large(Payload):
    """More numbers than anybody should hold at once."""

    def chunks(self) -> Iterator[bytes]:
        piece = np.arange(1 << 17, dtype=np.int64).tobytes()
        for _ in range((self.nbytes or 0) // len(piece)):
            yield piece


def test_weights_are_cut_into_files_and_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    weight = Large(DataType.INT64, (1 << 12, 1 << 11))  # 64 MiB, half of it in TF.js
    small = np.arange(5, dtype=np.float32)
    found = graph(
        constant("s", small), constant("w", weight), passed("y", "w", DataType.INT64), passed("z", "s", DataType.FLOAT)
    )
    tracemalloc.start()
    made = write_tfjs(convert(found, ["y", "z"]), tmp_path / "m" / "model.json")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20
    sizes = [path.stat().st_size for path in made.paths[1:]]
    assert sizes == [SHARD_BYTES] * 8 + [20]
    assert [path.name for path in made.paths[1:]] == [f"group1-shard{i + 1}of9.bin" for i in range(9)]
    _, weights = read(made.paths[0])
    assert weights[:20] == small.tobytes()
    assert weights[20:24] == b"\0\0\0\0"
    np.testing.assert_array_equal(np.frombuffer(weights[20:], "<i4")[1 << 17 : 1 << 18], np.arange(1 << 17))


def test_the_directory_is_whole_or_not_there(tmp_path: Path) -> None:
    place = tmp_path / "m" / "model.json"

    def fail(file: Path) -> None:
        assert (file.parent / "group1-shard1of1.bin").exists()
        raise GraphscopeError("no")

    made = convert(graphscope.freeze(LENET, outputs="softmax").model.graph, ["softmax"])
    with pytest.raises(GraphscopeError, match="no"):
        write_tfjs(made, place, check=fail)
    assert list(tmp_path.iterdir()) == []
    write_tfjs(made, place)
    before = place.read_bytes()
    with pytest.raises(FileError, match="the file exists"):
        exported(place)
    (place.parent / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match=r"holds notes\.txt, which is not part of a TF\.js model"):
        exported(place, overwrite=True)
    assert place.read_bytes() == before
    (place.parent / "notes.txt").unlink()
    (place.parent / "group1-shard2of2.bin").write_bytes(b"old")
    exported(place, overwrite=True)
    assert sorted(p.name for p in place.parent.iterdir()) == ["group1-shard1of1.bin", "model.json"]


def test_a_model_does_not_take_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match="needs a directory of its own"):
        exported(Path("model.json"))
    assert list(tmp_path.iterdir()) == []
