"""Values that a person names, and random ones. Needs no TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graphscope.cli.terminal.wording import to_words
from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Graph
from graphscope.core.model import Model, ModelKind
from graphscope.core.tensors import Shape, TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, UnknownNameError, UnsupportedError
from graphscope.feeding.feed_values import from_file
from graphscope.feeding.feeds import Feed, required_inputs, resolve_baked, resolve_feeds, resolve_tensors, tensor_spec
from graphscope.feeding.random_values import STRINGS, random_feeds
from graphscope.formats import load
from graphscope.formats.media.pictures import Scaling
from graphscope.protos import AttrValue, GraphDef
from tests.support.data_files import write_idx
from tests.support.fixture_files import FIXTURES, committed_models

FLOAT, INT32, BOOL, STRING = DataType.FLOAT, DataType.INT32, DataType.BOOL, DataType.STRING


def spec(dtype: DataType = FLOAT, shape: Shape = None, name: str = "a:0") -> TensorSpec:
    return TensorSpec(name, dtype, shape)


def value_of(text: str, dtype: DataType = FLOAT, shape: Shape = None) -> NDArray[Any]:
    return resolve_feeds([f"a={text}"], [spec(dtype, shape)])["a:0"]


# NAME=VALUE

LITERALS: list[tuple[str, DataType, Shape, object]] = [
    ("0.5", FLOAT, (), 0.5),
    ("3", FLOAT, (), 3.0),
    (".5", FLOAT, None, 0.5),
    ("inf", FLOAT, None, float("inf")),
    ("[[1, 2], [3, 4]]", FLOAT, (None, 2), [[1.0, 2.0], [3.0, 4.0]]),
    ("[]", FLOAT, (None,), []),
    ("-7", INT32, (), -7),
    ("[1, 2]", DataType.INT64, (2,), [1, 2]),
    ("true", BOOL, (), True),
    ("False", BOOL, (), False),
    ("1", BOOL, (), True),
    ("[0, 1]", BOOL, None, [False, True]),
    ("0.1", DataType.BFLOAT16, (), 0.10009765625),
    ("2", DataType.COMPLEX64, (), 2 + 0j),
    ("5", DataType.INT4, (), 5),
    ("plain text", STRING, (), b"plain text"),
    ("12", STRING, (), b"12"),
    ('"quoted=é"', STRING, (), "quoted=é".encode()),
    ('["a", "bc"]', STRING, (None,), [b"a", b"bc"]),
]


@pytest.mark.parametrize(("text", "dtype", "shape", "expected"), LITERALS)
def test_a_literal_takes_the_type_of_its_placeholder(
    text: str, dtype: DataType, shape: Shape, expected: object
) -> None:
    value = value_of(text, dtype, shape)
    assert value.dtype == dtype.numpy
    assert value.tolist() == expected


WRONG: list[tuple[str, DataType, Shape, str]] = [
    ("x", FLOAT, None, "a:0=x: neither a number nor a list"),
    ("[1, [2]]", FLOAT, None, "the lists are not of equal length"),
    ("1.5", INT32, None, "a:0 takes int32, not float64"),
    ("2", BOOL, None, "a:0 takes bool, where 2 does not fit"),
    ("300", DataType.UINT8, None, "a:0 takes uint8, where 300 does not fit"),
    ("[-1]", DataType.UINT8, None, "a:0 takes uint8, where -1 does not fit"),
    ("1e6", DataType.HALF, None, "a:0 takes float16, where 1000000.0 does not fit"),
    ("9999999999999999999999", INT32, None, "a:0 takes int32, not mixed values"),
    ('["t"]', FLOAT, None, "a:0 takes float32, not text"),
    ("null", FLOAT, None, "a:0 takes float32, not mixed values"),
    ("[1, 2]", STRING, None, "a:0 takes string, not int64"),
    ("[[1, 2]]", FLOAT, (None, 3), "a:0 has shape (?, 3), the value (1, 2)"),
    ("1", FLOAT, (None,), "a:0 has shape (?), the value ()"),
    ("1", DataType.RESOURCE, None, "a:0 takes a resource, which has no NumPy equivalent and cannot be fed"),
    ("zeros", DataType.VARIANT, None, "a:0 takes a variant, which has no NumPy equivalent and cannot be fed"),
    ("random", DataType.RESOURCE, None, "a:0 takes a resource, which has no NumPy equivalent and cannot be fed"),
    ("[" * 100_000, FLOAT, None, "neither a number nor a list"),
]


@pytest.mark.parametrize(("text", "dtype", "shape", "message"), WRONG, ids=[row[3] for row in WRONG])
def test_what_does_not_fit_is_an_error(text: str, dtype: DataType, shape: Shape, message: str) -> None:
    with pytest.raises(GraphscopeError) as error:
        value_of(text, dtype, shape)
    assert message in error.value.message


@pytest.mark.parametrize("text", ["", "=", "a", "a=", "=1"])
def test_no_name_or_no_value(text: str) -> None:
    with pytest.raises(GraphscopeError, match="is not of the form NAME=VALUE"):
        Feed.parse(text)


@pytest.mark.parametrize(("text", "name"), [("a=1", "a:0"), ("a:0=1", "a:0"), ("s/b:2=x=y", "s/b:2")])
def test_names_are_nodes_or_tensors(text: str, name: str) -> None:
    assert Feed.parse(text).tensor == name


def test_an_unknown_name_lists_the_closest() -> None:
    with pytest.raises(UnknownNameError, match="no placeholder is named 'inptu:0'; closest: input:0"):
        resolve_feeds(["inptu=1"], [spec(name="input:0"), spec(name="other:0")])


# Files


def test_arrays_come_from_files(tmp_path: Path) -> None:
    array = np.array([[1, 2]], np.float64)
    np.save(tmp_path / "x.npy", array)
    np.savez(tmp_path / "one.npz", x=array)
    np.savez_compressed(tmp_path / "two.npz", x=array, y=array + 1)
    for text in ("x.npy", "one.npz", "one.npz:x", "two.npz:x"):
        value = value_of(f"@{tmp_path / text}", FLOAT, (None, 2))
        assert (value.dtype, value.tolist()) == (np.float32, [[1, 2]])
    assert value_of(f"@{tmp_path / 'two.npz:y'}").tolist() == [[2, 3]]


def test_strings_come_from_files(tmp_path: Path) -> None:
    np.save(tmp_path / "bytes.npy", np.array([b"ab", b"c"]))
    np.save(tmp_path / "text.npy", np.array(["é"]))
    assert value_of(f"@{tmp_path / 'bytes.npy'}", STRING).tolist() == [b"ab", b"c"]
    assert value_of(f"@{tmp_path / 'text.npy'}", STRING).tolist() == ["é".encode()]


def test_a_file_keeps_its_type_where_nothing_else_fits(tmp_path: Path) -> None:
    np.save(tmp_path / "big.npy", np.array([2**53 + 1], np.int64))
    np.save(tmp_path / "half.npy", np.array([1.5], np.float16))
    np.save(tmp_path / "when.npy", np.array(["2020-01-01"], "datetime64[D]"))
    assert value_of(f"@{tmp_path / 'big.npy'}", DataType.INT64).tolist() == [2**53 + 1]
    assert value_of(f"@{tmp_path / 'half.npy'}", DataType.DOUBLE).tolist() == [1.5]
    with pytest.raises(GraphscopeError, match=r"a:0 takes int64, not datetime64\[D\]"):
        value_of(f"@{tmp_path / 'when.npy'}", DataType.INT64)


def test_files_that_are_missing_or_something_else(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", x=np.zeros(1), y=np.zeros(1))
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "empty.npy").write_bytes(b"")
    np.save(tmp_path / "pickled.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "short.npy", np.zeros(1000))
    (tmp_path / "short.npy").write_bytes((tmp_path / "short.npy").read_bytes()[:500])
    with pytest.raises(FileError, match=r"none\.npy: No such file"):
        value_of(f"@{tmp_path / 'none.npy'}")
    with pytest.raises(UnknownNameError, match=r"no array of .*two\.npz is named 'z'"):
        value_of(f"@{tmp_path / 'two.npz:z'}")
    with pytest.raises(GraphscopeError, match=r"two\.npz holds 2 arrays: x, y") as several:
        value_of(f"@{tmp_path / 'two.npz'}")
    assert to_words(several.value.hint) == f"choose one: @{tmp_path / 'two.npz'}:KEY"
    with pytest.raises(GraphscopeError, match=r"a value is read from \.npy, \.npz, idx files, a picture"):
        value_of(f"@{tmp_path / 'x.mat'}")
    for name in ("text.npy", "empty.npy", "pickled.npy", "short.npy"):
        with pytest.raises(CorruptFileError, match=f"{name}: not an array that NumPy can read"):
            value_of(f"@{tmp_path / name}")


def test_damaged_archives_are_errors(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "good.npz", x=np.arange(1000))
    good = (tmp_path / "good.npz").read_bytes()
    for length in range(0, len(good) - 1, 37):
        (tmp_path / "bad.npz").write_bytes(good[:length])
        with pytest.raises(CorruptFileError, match="not an array that NumPy can read"):
            value_of(f"@{tmp_path / 'bad.npz:x'}")
    flipped = bytearray(good)
    flipped[len(good) // 3] ^= 0xFF
    (tmp_path / "bad.npz").write_bytes(flipped)
    with pytest.raises(CorruptFileError, match="decompressing"):
        value_of(f"@{tmp_path / 'bad.npz:x'}", DataType.INT64)


# Random values


@pytest.mark.parametrize("dtype", [t for t in DataType if t not in (0, DataType.RESOURCE, DataType.VARIANT)])
def test_every_type_has_random_values_and_zeros(dtype: DataType) -> None:
    shape = (None, 3, 4)
    for seed in (0, 1):
        value = random_feeds([spec(dtype, shape)], seed=seed, unknown=5)["a:0"]
        assert (value.dtype, value.shape) == (dtype.numpy, (5, 3, 4))
        assert len({str(v) for v in value.reshape(-1).tolist()}) > 1
    zeros = value_of("zeros", dtype, shape)
    assert (zeros.dtype, zeros.shape) == (dtype.numpy, (2, 3, 4))
    assert not zeros.any()


def test_random_values_lie_in_range() -> None:
    def values(dtype: DataType) -> NDArray[Any]:
        return random_feeds([spec(dtype, (1000,))], seed=3)["a:0"]

    assert (values(FLOAT).min(), values(FLOAT).max()) == (pytest.approx(-1, abs=0.01), pytest.approx(1, abs=0.01))
    assert set(values(INT32).tolist()) == set(range(10))
    assert values(DataType.UINT8).max() > 250
    assert set(values(STRING).tolist()) == set(STRINGS)


def test_random_values_depend_on_seed_and_name_alone() -> None:
    one, two = spec(FLOAT, (4,)), spec(FLOAT, (4,), "b:0")
    together = random_feeds([two, one], seed=1)
    assert (together["a:0"] == random_feeds([one], seed=1)["a:0"]).all()
    assert (together["a:0"] != together["b:0"]).all()
    assert (together["a:0"] != random_feeds([one], seed=2)["a:0"]).all()
    assert (value_of("random", FLOAT, (4,)) == random_feeds([one], seed=0)["a:0"]).all()


def test_unknown_shapes() -> None:
    assert random_feeds([spec(FLOAT, None)], seed=0, unknown=7)["a:0"].shape == (7,)
    assert random_feeds([spec(FLOAT, ())], seed=0)["a:0"].shape == ()
    assert value_of("random", FLOAT, (None, 3)).shape == (2, 3)


def test_overrides_are_kept_as_they_are() -> None:
    given = np.array([5.0])
    feeds = random_feeds([spec(), spec(name="b:0")], seed=0, overrides={"a": given})
    assert feeds["a:0"] is given
    assert set(feeds) == {"a:0", "b:0"}


def test_sample_strings_are_numbers_and_messages() -> None:
    for sample in STRINGS:
        assert float(sample) >= 0
        GraphDef.FromString(sample)


# Placeholders of a model


def test_a_fixture_needs_its_picture_and_its_switch() -> None:
    model = load(FIXTURES / "batchnorm")
    inputs = required_inputs(model, [committed_models()["batchnorm"]["output"]])
    assert set(inputs) == {TensorSpec("input:0", FLOAT, (None, 784)), TensorSpec("is_training:0", BOOL, ())}


def small() -> Model:
    """``x`` and ``rate`` (which has a default) go into ``out``; ``label`` goes elsewhere."""
    floats = {"dtype": type_attr(FLOAT)}
    shaped = AttrValue()
    shaped.shape.dim.add(size=-1)
    nodes = [
        make_node("x", "Placeholder", (), {**floats, "shape": shaped}),
        make_node("label", "Placeholder", (), floats),
        make_node("one", "Const", (), floats),
        make_node("rate", "PlaceholderWithDefault", ["one"], {**floats, "shape": AttrValue()}),
        make_node("middle", "Mul", ["x", "rate"], {"T": type_attr(FLOAT)}),
        make_node("out", "Neg", ["middle"], {"T": type_attr(FLOAT)}),
    ]
    return Model("small", ModelKind.GRAPH, "binary", (), Graph(GraphDef(), nodes))


def test_required_inputs_are_placeholders_without_a_default() -> None:
    model = small()
    assert required_inputs(model, ["out"]) == [TensorSpec("x:0", FLOAT, (None,))]
    assert required_inputs(model, ["out:0", "label"]) == [
        TensorSpec("x:0", FLOAT, (None,)),
        TensorSpec("label:0", FLOAT),
    ]
    assert required_inputs(model, ["out"], [tensor_spec(model, "x")]) == []
    assert required_inputs(model, ["out"], [tensor_spec(model, "middle")]) == []


def test_baking_takes_placeholders_and_feeding_any_tensor() -> None:
    model = small()
    assert resolve_baked(model, ["rate=0.5", "x=[1]"]).keys() == {"rate:0", "x:0"}
    assert resolve_tensors(model, ["middle=[1]"])["middle:0"].tolist() == [1]
    with pytest.raises(UnknownNameError, match="no placeholder is named 'middle:0'"):
        resolve_baked(model, ["middle=[1]"])
    with pytest.raises(UnknownNameError, match="no placeholder is named 'lable:0'; closest: label:0"):
        resolve_tensors(model, ["lable=1"])
    with pytest.raises(UnknownNameError, match="no tensor is named 'x:1'; closest: x:0"):
        resolve_tensors(model, ["x:1=1"])


def test_idx_files_and_joined_shapes(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    write_idx(tmp_path, "t10k", images, np.arange(5, dtype=np.uint8), ".gz")
    np.savez(tmp_path / "x.npz", pixels=images[..., None], flat=(images / np.float32(255)).reshape(5, 784))
    place = tmp_path / "t10k-images-idx3-ubyte.gz"
    flat = TensorSpec("x:0", DataType.FLOAT, (None, 784))
    pictures = TensorSpec("x:0", DataType.FLOAT, (None, 28, 28, 1))
    expected = images.astype(np.float64) / 255
    for spec in (flat, pictures, TensorSpec("x:0", DataType.FLOAT, (None, 28, 28))):
        for text in (str(place), f"{tmp_path}/x.npz:pixels", f"{tmp_path}/x.npz:flat"):
            found = from_file(text, spec)
            assert found.shape == (5, *(spec.shape or ())[1:])
            np.testing.assert_allclose(found.reshape(images.shape), expected, rtol=1e-6)
    halved = from_file(str(place), flat, Scaling(1 / 127.5, (127.5,)))
    np.testing.assert_allclose(halved.reshape(images.shape), expected * 2 - 1, atol=1e-6)
    whole = from_file(str(place), TensorSpec("x:0", DataType.UINT8, (None, 784)))
    assert (whole.reshape(images.shape) == images).all()
    with pytest.raises(GraphscopeError, match=r"an example is \(28, 28\)"):
        from_file(str(place), TensorSpec("x:0", DataType.FLOAT, (None, 10)))
    place.write_bytes(place.read_bytes()[:-30])
    with pytest.raises(CorruptFileError, match="ends early"):
        from_file(str(place), flat)
    place.write_bytes(b"nothing")
    with pytest.raises(UnsupportedError, match="not an idx file"):
        from_file(str(place), flat)
