"""What is fed, rule by rule: values of files, random ones in their ranges, the part of a graph that runs, names."""

from __future__ import annotations

import copy
import os
import pickle
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from graphscope.core.model import Model
from graphscope.core.tensors import Shape, TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, UnknownNameError
from graphscope.feeding.default_feeds import fill_feeds, fit_feeds, switches_off
from graphscope.feeding.demands.demanded import Demanded
from graphscope.feeding.demands.rules import Indices
from graphscope.feeding.dependencies import need, part
from graphscope.feeding.feed_values import from_file, literal, picture_paths
from graphscope.feeding.feeds import (
    Feed,
    FeedOptions,
    example_names,
    feeds_of,
    placeholders,
    required_inputs,
    resolve_feeds,
    resolve_tensors,
    tensor_spec,
)
from graphscope.feeding.naming import Fetch, Names, find_signature
from graphscope.feeding.random_values import STRINGS, concrete, random_feeds, random_value
from graphscope.protos import MetaGraphDef
from tests.support.written import graph_of, model_of

FLOAT, INT32, STRING, UINT8 = DataType.FLOAT, DataType.INT32, DataType.STRING, DataType.UINT8


def spec(dtype: DataType = FLOAT, shape: Shape = None, name: str = "a:0") -> TensorSpec:
    return TensorSpec(name, dtype, shape)


# Files


def picture(path: Path, height: int, width: int, grey: int) -> bytes:
    Image.new("RGB", (width, height), (grey, grey, grey)).save(path)
    return path.read_bytes()


def test_pictures_of_a_directory(tmp_path: Path) -> None:
    contents = [picture(tmp_path / f"{k}.png", 4, 6, 51 * k) for k in (2, 1, 3)]
    assert [p.name for p in picture_paths(str(tmp_path))] == ["1.png", "2.png", "3.png"]
    assert picture_paths(str(tmp_path / "1.PNG")) == [tmp_path / "1.PNG"]
    assert picture_paths(str(tmp_path / "x.npy")) == []
    for shape in ((None, 4, 6, 3), (3, 4, 6, 3)):
        found = from_file(str(tmp_path), spec(FLOAT, shape))
        assert found.shape == (3, 4, 6, 3)
        np.testing.assert_allclose(found[:, 0, 0, 0], [0.2, 0.4, 0.6], rtol=1e-6)
    assert from_file(str(tmp_path), spec(UINT8, (None, 4, 6, 3)))[:, 1, 1, 1].tolist() == [51, 102, 153]
    with pytest.raises(GraphscopeError, match=r"^a:0: 3 pictures, where shape \(2, 4, 6, 3\) takes 2"):
        from_file(str(tmp_path), spec(FLOAT, (2, 4, 6, 3)))
    with pytest.raises(GraphscopeError, match=r"^a:0: 3 pictures, where shape \(4, 6, 3\) takes 1"):
        from_file(str(tmp_path), spec(FLOAT, (4, 6, 3)))
    assert from_file(str(tmp_path / "1.png"), spec(FLOAT, (4, 6, 3))).shape == (4, 6, 3)
    assert from_file(str(tmp_path / "1.png"), spec(FLOAT, (None, 4, 6, 3))).shape == (1, 4, 6, 3)
    strings = from_file(str(tmp_path), spec(STRING, (None,)))
    assert strings.tolist() == [contents[1], contents[0], contents[2]]
    assert from_file(str(tmp_path / "1.png"), spec(STRING, ())).item() == contents[1]
    assert from_file(str(tmp_path / "1.png"), spec(STRING)).shape == ()
    assert from_file(str(tmp_path / "1.png"), spec(STRING, (None,))).tolist() == [contents[1]]
    picture(tmp_path / "4.png", 5, 6, 0)
    any_size = spec(FLOAT, (None, None, None, 3))
    with pytest.raises(GraphscopeError, match=r"1\.png and .*4\.png differ in size: \(4, 6, 3\) and \(5, 6, 3\)"):
        from_file(str(tmp_path), any_size)
    (tmp_path / "4.png").write_bytes(b"none")
    with pytest.raises(CorruptFileError) as error:
        from_file(str(tmp_path), any_size)
    assert not error.value.message.startswith("a:0")


def test_arrays_and_other_files(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(3, dtype=np.float32))
    np.savez(tmp_path / "one.NPZ", only=np.arange(2, dtype=np.float32))
    os.rename(tmp_path / "one.NPZ.npz", tmp_path / "one.NPZ")
    np.savez(tmp_path / "two.npz", a=np.float32(1), b=np.float32([[2]]))
    assert from_file(str(tmp_path / "x.npy"), spec()).tolist() == [0, 1, 2]
    assert from_file(str(tmp_path / "one.NPZ"), spec()).tolist() == [0, 1]
    assert from_file(f"{tmp_path / 'one.NPZ'}:only", spec()).tolist() == [0, 1]
    assert from_file(f"{tmp_path / 'two.npz'}:b", spec()).tolist() == [[2]]
    with pytest.raises(GraphscopeError, match=r"two\.npz holds 2 arrays: a, b"):
        from_file(str(tmp_path / "two.npz"), spec())
    with pytest.raises(UnknownNameError, match="'c'"):
        from_file(f"{tmp_path / 'two.npz'}:c", spec())
    (tmp_path / "text").write_bytes(b"words")
    assert from_file(str(tmp_path / "text"), spec(STRING, ())).item() == b"words"
    with pytest.raises(GraphscopeError, match="a:0=@"):
        from_file(str(tmp_path / "text"), spec())
    for name in ("none.npy", "none"):
        with pytest.raises(FileError):
            from_file(str(tmp_path / name), spec(STRING))
    os.mkfifo(tmp_path / "pipe.npy")
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe.npy", "pipe"):
        with pytest.raises(GraphscopeError):
            from_file(str(tmp_path / name), spec(STRING))


def test_headers_that_promise_what_is_not_there(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(1000, np.float32))
    whole = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(whole[:-1])
    with pytest.raises(CorruptFileError, match="announces 4,000 bytes, but there are 3,999"):
        from_file(str(tmp_path / "x.npy"), spec())
    (tmp_path / "x.npy").write_bytes(whole + b"more")
    assert from_file(str(tmp_path / "x.npy"), spec()).shape == (1000,)
    np.save(tmp_path / "o.npy", np.array([None] * 100, object), allow_pickle=True)
    with pytest.raises(CorruptFileError) as error:
        from_file(str(tmp_path / "o.npy"), spec())
    assert "announces" not in error.value.message


def test_words_are_truth() -> None:
    kinds = [("True", True), ("false", False), (" TRUE ", True), ("1", True)]
    assert [literal(text, spec(DataType.BOOL, ())).item() for text, _ in kinds] == [value for _, value in kinds]


# Feeds


def test_feeds_in_every_form(tmp_path: Path) -> None:
    array = np.ones((2, 2), np.float32)
    assert feeds_of({"a": array, "b": "zeros"}) == [Feed("a", array), Feed("b", "zeros")]
    assert feeds_of(["a=1", Feed("b", 2)]) == [Feed("a", "1"), Feed("b", 2)]
    assert [Feed("a", value).is_made for value in ("random", "zeros", "1", 1)] == [True, True, False, False]
    assert Feed("a", [[1, 2]]).load(spec(FLOAT, (None, 2))).dtype == np.float32
    assert Feed("a", [1, 2]).load(spec(DataType.INVALID)).dtype == np.int64
    with pytest.raises(GraphscopeError, match="a:0"):
        Feed("a", [[1, 2], [3]]).load(spec(DataType.INVALID))
    with pytest.raises(GraphscopeError, match="a:0"):
        Feed("a", array).load(spec(FLOAT, (3,)))
    picture(tmp_path / "p.png", 2, 2, 0)
    assert example_names({"x": array, "y": "@none.npy", "z": f"@{tmp_path}", "w": f"@{tmp_path / 'q.png'}"}) == (
        "p.png",
    )
    assert example_names([f"a={tmp_path}", "b=1"]) == ()
    options = FeedOptions(seed=3, unknown=5)
    found = resolve_feeds(["a=random", "b:0=zeros"], [spec(FLOAT, (None,)), spec(STRING, (None, 2), "b:0")], options)
    assert found["a:0"].tolist() == random_value(spec(FLOAT, (None,)), seed=3, unknown=5).tolist()
    assert found["b:0"].tolist() == [[b"", b""]] * 5


def test_what_a_model_may_be_fed() -> None:
    lines = [
        "x Placeholder(?,3)",
        "d PlaceholderWithDefault(?,2) c",
        "c Const=[[1,2]]",
        "i PlaceholderWithDefault:int32(?) k",
    ]
    lines += [
        "k Const:int32=[1]",
        "u PlaceholderWithDefault:uint8(?) q",
        "q Const:uint8=[1]",
        "s PlaceholderWithDefault(2) c",
    ]
    model = model_of(
        graph_of([*lines, "out AddN x d i u s", "un Placeholder", "far MatMul un w", "w Const=[[1,2],[3,4]]"])
    )
    assert [p.name for p in placeholders(model)] == ["x:0", "d:0", "i:0", "u:0", "s:0", "un:0"]
    assert [p.name for p in required_inputs(model, ["out"])] == ["x:0"]
    assert [p.name for p in required_inputs(model, ["out"], with_defaults=True)] == ["x:0", "d:0", "u:0"]
    assert [p.name for p in required_inputs(model, ["out"], [spec(name="x:0")], with_defaults=True)] == ["d:0", "u:0"]
    assert [(p.name, p.shape) for p in required_inputs(model, ["far"])] == [("un:0", (None, 2))]
    assert resolve_tensors(model, ["un=random"])["un:0"].shape == (2, 2)
    assert resolve_tensors(model, {"un": np.ones(7)})["un:0"].shape == (7,)
    with pytest.raises(UnknownNameError, match="'y:0'"):
        resolve_tensors(model, ["y=1"])
    assert tensor_spec(model, "x").shape == (None, 3)
    with pytest.raises(UnknownNameError):
        tensor_spec(model, "x:1")
    odd = model_of(graph_of(["o Odd"]))
    odd.graph["o"].proto.attr["T"].type = 0
    [(told, value)] = fit_feeds(odd, {"o": np.arange(3)}).items()
    assert (told.dtype, value.tolist()) == (DataType.INT64, [0, 1, 2])
    off, others = fill_feeds(
        model_of(graph_of(["x Placeholder(?,3)", "is_training Placeholder:bool()", "out Select is_training x x"])),
        ["out"],
        [],
    )
    assert {name: value.item() for name, value in off.items()} == {"is_training:0": False}
    assert list(others) == ["x:0"]
    assert switches_off(model, required_inputs(model, ["out"])) == {}


RANGES: list[tuple[DataType, float, float]] = [
    (FLOAT, -1, 1),
    (DataType.HALF, -1, 1),
    (UINT8, 0, 255),
    (DataType.QUINT8, 0, 255),
    (INT32, 0, 9),
    (DataType.INT8, 0, 9),
    (DataType.UINT64, 0, 9),
    (DataType.INT4, 0, 7),
    (DataType.UINT2, 0, 1),
    (DataType.BOOL, 0, 1),
]


@pytest.mark.parametrize(("dtype", "low", "high"), RANGES, ids=lambda value: getattr(value, "label", ""))
def test_random_values_fill_their_range(dtype: DataType, low: float, high: float) -> None:
    found = random_value(spec(dtype, (20_000,)), seed=0).astype(np.float64)
    margin = 0.01 if dtype.is_floating else 0
    assert low <= found.min() <= low + margin
    assert high - margin <= found.max() <= high
    counts, _ = np.histogram(found, 2)
    assert abs(counts[0] - counts[1]) < 1000


def test_random_complex_numbers_and_strings() -> None:
    found = random_value(spec(DataType.COMPLEX64, (20_000,)), seed=0)
    for part_of in (found.real, found.imag):
        assert (part_of.min(), part_of.max()) == (pytest.approx(-1, abs=0.01), pytest.approx(1, abs=0.01))
    again = np.random.default_rng([0, zlib.crc32(b"a:0")])
    real, imaginary = again.uniform(-1, 1, 20_000), again.uniform(-1, 1, 20_000)
    np.testing.assert_array_equal(found, (real + 1j * imaginary).astype(np.complex64))
    assert set(random_value(spec(STRING, (1000,)), seed=0).tolist()) == set(STRINGS)
    assert tuple(f"0{i}".encode() for i in range(10)) == STRINGS
    assert concrete(spec(FLOAT, None)) == (2,)
    assert concrete(spec(FLOAT, (None, 3)), 7) == (7, 3)
    assert random_feeds([spec(), spec(name="b:0")], seed=0, overrides={"b": np.float32(5)})["b:0"] == 5
    bits = random_value(spec(DataType.BOOL, (8,), "b:0"), seed=1)
    assert bits.tolist() == (np.random.default_rng([1, zlib.crc32(b"b:0")]).integers(0, 2, 8) == 1).tolist()


# The part that runs


def given(*names: str) -> list[TensorSpec]:
    return [
        spec(INT32 if name.startswith("i") else FLOAT, None, name if ":" in name else f"{name}:0") for name in names
    ]


@pytest.mark.parametrize(
    ("targets", "fed", "names", "opened"),
    [
        (["out"], [], "x two both out after", ""),
        (["both"], [], "x two both", ""),
        (["both"], ["two:0"], "x two both", ""),
        (["both"], ["two:0", "two:1"], "two both", "two"),
        (["one"], ["two:0"], "two one", "two"),
        (["one", "two:1"], ["two:0"], "x two one", ""),
        (["one", "two:0"], ["two:0"], "two one", "two"),
        (["one"], ["x"], "x two one", "x"),
        (["one"], ["out"], "x two one", ""),
        (["out"], ["both"], "both out after x", "both"),
    ],
)
def test_what_a_run_needs(targets: list[str], fed: list[str], names: str, opened: str) -> None:
    graph = graph_of(
        ["x Placeholder(2)", "two Two x", "one Neg two", "both Add two two:1", "after Neg x", "out Neg both ^after"]
    )
    found = need(graph, targets, given(*fed))
    assert found.names == set(names.split())
    assert set(found.opened) == set(opened.split())


def test_fed_nodes_become_placeholders() -> None:
    graph = graph_of(["x Placeholder(2)", "i Two x", "y Exp x", "out Add y i:2", "p Placeholder(3)", "q Neg p"])
    found = part(graph, need(graph, ["out", "q"], given("y", "i:2", "i:0", "p")))
    nodes = [(n.name, n.op, list(n.inputs)) for n in found]
    assert nodes == [
        ("i/graphscope_fed_0", "Placeholder", []),
        ("i/graphscope_fed_1", "Placeholder", []),
        ("i/graphscope_fed_2", "Placeholder", []),
        ("i", "IdentityN", ["i/graphscope_fed_0", "i/graphscope_fed_1", "i/graphscope_fed_2"]),
        ("y", "Placeholder", []),
        ("out", "Add", ["y", "i:2"]),
        ("p", "Placeholder", []),
        ("q", "Neg", ["p"]),
    ]
    assert list(found["i"].attrs["T"].list.type) == [3, 1, 3]
    assert [d.size for d in found["p"].attrs["shape"].shape.dim] == [3]


# Names


def signed() -> Model:
    meta = MetaGraphDef()
    signature = meta.signature_def["serve"]
    signature.inputs["image"].name = "x:0"
    signature.inputs["out"].name = "y:0"
    signature.outputs["scores"].name = "out:0"
    signature.outputs["x"].name = "out:0"
    sparse = signature.outputs["sparse"].coo_sparse
    sparse.indices_tensor_name, sparse.values_tensor_name, sparse.dense_shape_tensor_name = "x:0", "y:0", "out:0"
    model = model_of(graph_of(["x Placeholder(2)", "y Placeholder(2)", "out Add x y", "none NoOp"]))
    model.meta = meta
    return model


def test_names_of_graphs_and_signatures() -> None:
    model = signed()
    signature = find_signature(model, "serve")
    plain, beside, chosen = Names(model), Names(model, signature), Names(model, signature, is_chosen=True)
    assert plain.feeds(["x=1"]) == [Feed("x", "1")]
    assert beside.feeds({"image": 1, "x": 2, "out": 3}) == [Feed("x:0", 1), Feed("x", 2), Feed("out", 3)]
    assert chosen.feeds({"out": 3, "y:0": 4}) == [Feed("y:0", 3), Feed("y:0", 4)]
    assert beside.fetches(["scores", "x", "none"]) == [
        Fetch("scores", "out:0"),
        Fetch("x", "x:0"),
        Fetch("none", "none"),
    ]
    assert chosen.fetches(["x"]) == [Fetch("x", "out:0")]
    assert plain.signature_fetches() == []
    assert chosen.signature_fetches() == [
        Fetch("scores", "out:0"),
        Fetch("sparse/0", "x:0"),
        Fetch("sparse/1", "y:0"),
        Fetch("sparse/2", "out:0"),
        Fetch("x", "out:0"),
    ]
    with pytest.raises(GraphscopeError, match=r"sparse means 3 tensors; name each of them: .*x:0, y:0, out:0"):
        chosen.fetches(["sparse"])
    for names in (plain, chosen):
        with pytest.raises(UnknownNameError, match="'imag'"):
            names.feeds(["imag=1"])
    with pytest.raises(UnknownNameError) as error:
        find_signature(model, "other")
    assert "serve" in str(error.value.hint)
    with pytest.raises(UnknownNameError) as error:
        find_signature(model_of(model.graph), "other")
    assert "no signatures" in str(error.value.hint)


def test_any_value_is_text_where_it_must_be(tmp_path: Path) -> None:
    values: dict[str, Any] = {"12": b"12", "[1]": None, '["a"]': [b"a"], "a b": b"a b", '"q"': b"q"}
    for text, expected in values.items():
        if expected is None:
            with pytest.raises(GraphscopeError):
                literal(text, spec(STRING))
        else:
            assert literal(text, spec(STRING)).tolist() == expected


# Demands


def test_what_is_demanded_stays_with_a_changed_tensor() -> None:
    found = Demanded(spec(INT32, (3,)), Indices(2))
    renamed = found._replace(name="b:0", shape=(5,))
    assert isinstance(renamed, Demanded)
    assert renamed == TensorSpec("b:0", INT32, (5,))
    assert renamed.content == Indices(2)
    assert set(random_value(renamed, seed=0).tolist()) <= {0, 1}
    assert found.name == "a:0"
    for again in (copy.copy(found), pickle.loads(pickle.dumps(found))):
        assert (again, again.content) == (found, found.content)
