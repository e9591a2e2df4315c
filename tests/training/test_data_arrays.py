"""Archives of arrays, idx files and Python functions as data: what is read is what NumPy reads."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from graphscope.cli.terminal.wording import to_words
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import (
    CorruptFileError,
    FileError,
    GraphscopeError,
    UnknownNameError,
    UnsupportedError,
)
from graphscope.formats.media.pictures import Scaling
from tests.support.data_files import (
    FLAT,
    PICTURE,
    VECTOR,
    cache,
    everything,
    idx_bytes,
    keys_of,
    labels_of,
    opened,
    pixels,
    random,
    rows,
    write_idx,
)
from tests.support.fixture_files import data as mnist
from tests.support.fixture_files import needs_mnist

__all__ = ["cache"]

SAVED = pytest.mark.parametrize("save", [np.savez, np.savez_compressed])


@SAVED
@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4", "<f2", "<i4", "<i8"])
def test_rows_in_any_order_are_numpys(tmp_path: Path, save: object, dtype: str) -> None:
    x = (random(40, 6) * 10).astype(dtype)
    save(tmp_path / "a.npz", x=x, y=np.arange(40) % 4)  # type: ignore[operator]
    source = opened(tmp_path / "a.npz", classes=4)
    assert len(source) == 40
    for indices in ([0, 1, 2], [39, 3, 4, 5, 2, 2], [], list(range(40))):
        found = source.read(np.array(indices, np.int64))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, np.load(tmp_path / "a.npz")["x"][indices].astype(np.float32))
    np.testing.assert_array_equal(source.labels, np.arange(40) % 4)
    assert source.labels.dtype == np.int64
    assert keys_of(source)[:2] == ["0", "1"]
    assert source.keys[2:4] == ["2", "3"]


def test_a_compressed_array_is_inflated_once(tmp_path: Path, cache: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=random(40, 6), y=np.arange(40))
    opened(tmp_path / "a.npz")
    [inflated] = cache.iterdir()
    before = inflated.stat().st_mtime_ns
    opened(tmp_path / "a.npz")
    assert [path.stat().st_mtime_ns for path in cache.iterdir()] == [before]
    np.savez_compressed(tmp_path / "a.npz", x=random(40, 6, seed=1), y=np.arange(40))
    np.testing.assert_array_equal(everything(opened(tmp_path / "a.npz")), random(40, 6, seed=1))


def test_bytes_are_pixels_where_the_input_takes_pictures(tmp_path: Path) -> None:
    x = pixels(5, 8, 8)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(5))
    found = everything(opened(tmp_path / "a.npz", FLAT))
    np.testing.assert_allclose(found, x.reshape(5, 64) / 255, rtol=1e-7)
    shifted = everything(opened(tmp_path / "a.npz", FLAT, scaling=Scaling(1 / 128, (128.0,))))
    np.testing.assert_allclose(shifted, (x.reshape(5, 64) - 128.0) / 128, rtol=1e-7)
    as_bytes = TensorSpec("input:0", DataType.UINT8, (None, 8, 8, 1))
    np.testing.assert_array_equal(everything(opened(tmp_path / "a.npz", as_bytes)), x[..., None])
    channels_first = TensorSpec("input:0", DataType.FLOAT, (None, 3, 8, 8))
    colours = pixels(5, 8, 8, 3)
    np.savez(tmp_path / "b.npz", x=colours, y=np.arange(5))
    found = everything(opened(tmp_path / "b.npz", channels_first))
    np.testing.assert_allclose(found, colours.transpose(0, 3, 1, 2) / 255, rtol=1e-7)
    floats = colours.astype(np.float32)
    np.savez(tmp_path / "c.npz", x=floats, y=np.arange(5))
    np.testing.assert_array_equal(everything(opened(tmp_path / "c.npz", PICTURE)), floats)


def test_bfloat16_and_text(tmp_path: Path) -> None:
    values = random(4, 6).astype(ml_dtypes.bfloat16)
    np.savez(tmp_path / "a.npz", x=values, y=np.arange(4))
    spec = TensorSpec("input:0", DataType.BFLOAT16, (None, 6))
    np.testing.assert_array_equal(everything(opened(tmp_path / "a.npz", spec)), values)
    np.savez(tmp_path / "b.npz", x=np.array([b"one", b"two", b"three"]), y=np.arange(3))
    text = TensorSpec("input:0", DataType.STRING, (None,))
    assert everything(opened(tmp_path / "b.npz", text)).tolist() == [b"one", b"two", b"three"]


def test_other_names_keys_and_classes(tmp_path: Path) -> None:
    x, keys = random(3, 6), np.array(["b", "a", "c"])
    np.savez(tmp_path / "a.npz", x_train=x, y_train=[1, 0, 1], keys=keys, classes=np.array([b"cat", b"dog"]))
    source = opened(tmp_path / "a.npz", schema="x=x_train,y=y_train")
    assert (keys_of(source), source.classes, labels_of(source)) == (["b", "a", "c"], ("cat", "dog"), [1, 0, 1])
    for schema in ("x=x_train", "x=x_train,y=", "x=a,x=b,y=c", "z=1,x=a,y=b", "x"):
        with pytest.raises(GraphscopeError, match="schema"):
            opened(tmp_path / "a.npz", schema=schema)


BROKEN = {
    "no x": ({"images": random(3, 6), "y": [0, 1, 2]}, UnknownNameError, "no array"),
    "lengths": ({"x": random(3, 6), "y": [0, 1]}, CorruptFileError, "x has 3 rows, y 2"),
    "keys": ({"x": random(3, 6), "y": [0, 1, 2], "keys": np.array(["a"])}, CorruptFileError, "3 examples have 1 keys"),
    "no rows": ({"x": random(0, 6), "y": []}, UnsupportedError, r"shape \(0, 6\)"),
    "scalar": ({"x": np.float32(1), "y": 1}, UnsupportedError, "but examples are needed"),
    "fortran": ({"x": np.asfortranarray(random(3, 6)), "y": [0, 1, 2]}, UnsupportedError, "Fortran order"),
    "objects": ({"x": np.array([{}, {}]), "y": [0, 1]}, UnsupportedError, "pickled|objects"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_archives(tmp_path: Path, name: str) -> None:
    arrays, error, message = BROKEN[name]
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(error, match=message):
        everything(opened(tmp_path / "a.npz"))


def test_shapes_that_do_not_fit_are_both_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=random(3, 7), y=np.arange(3))
    with pytest.raises(GraphscopeError, match=r"an example is \(7\), where input:0 \(\?, 6\) takes \(6\)"):
        everything(opened(tmp_path / "a.npz"))
    np.savez(tmp_path / "b.npz", x=pixels(3, 9, 9, 3), y=np.arange(3))
    with pytest.raises(GraphscopeError, match=r"\(9, 9, 3\).*takes pictures \(8, 8, 3\)"):
        everything(opened(tmp_path / "b.npz", PICTURE))
    np.savez(tmp_path / "c.npz", x=np.array(["a", "b", "c"]), y=np.arange(3))
    with pytest.raises(GraphscopeError, match="not text"):
        everything(opened(tmp_path / "c.npz", TensorSpec("input:0", DataType.FLOAT, (None,))))


def test_an_archive_that_is_cut_short(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=random(30, 6), y=np.arange(30))
    whole = (tmp_path / "a.npz").read_bytes()
    source = opened(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(whole[:300])
    with pytest.raises(CorruptFileError, match=r"a\.npz"):
        everything(source)
    with pytest.raises(GraphscopeError, match="not data that graphscope can read"):
        opened(tmp_path / "a.npz")


def test_a_byte_that_was_changed(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((40, 6), np.float32), y=np.arange(40))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[600] ^= 1  # among the zeros of x
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"a\.npz"):
        opened(tmp_path / "a.npz", classes=40)


# idx files


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_parts(tmp_path: Path, suffix: str) -> None:
    parts = {"train": pixels(20, 8, 8), "t10k": pixels(10, 8, 8, seed=1)}
    for part, images in parts.items():
        write_idx(tmp_path / "m", part, images, np.arange(len(images), dtype=np.uint8) % 10, suffix)
    for data, part in (
        (f"{tmp_path}/m", "train"),
        (f"{tmp_path}/m:test", "t10k"),
        (f"mnist:{tmp_path}/m:t10k", "t10k"),
    ):
        source = opened(data, FLAT, classes=10)
        np.testing.assert_allclose(everything(source), parts[part].reshape(-1, 64) / 255, rtol=1e-7)
        assert labels_of(source) == (np.arange(len(parts[part])) % 10).tolist()
    source = opened(tmp_path / "m" / f"t10k-images-idx3-ubyte{suffix}", FLAT)
    assert len(source) == 10
    with pytest.raises(UnknownNameError, match="no part of"):
        opened(f"{tmp_path}/m:validation", FLAT)


def test_idx_of_other_types(tmp_path: Path) -> None:
    values = random(5, 6)
    (tmp_path / "a-images-idx2-ubyte").write_bytes(idx_bytes(values.astype(">f4"), 13))
    (tmp_path / "a-labels-idx1-ubyte").write_bytes(idx_bytes(np.arange(5).astype(">i4"), 12))
    source = opened(tmp_path)
    np.testing.assert_array_equal(everything(source), values)
    assert labels_of(source) == [0, 1, 2, 3, 4]


IMAGES = idx_bytes(pixels(5, 8, 8))
BROKEN_IDX = {
    "short": (IMAGES[:-1], CorruptFileError),
    "header": (IMAGES[:9], CorruptFileError),
    "type": (IMAGES[:2] + b"\x07" + IMAGES[3:], UnsupportedError),
    "not idx": (b"<html>", UnsupportedError),
    "empty": (b"", UnsupportedError),
    "other length": (idx_bytes(pixels(4, 8, 8)), CorruptFileError),
    "gzip": (b"\x1f\x8b" + bytes(20), CorruptFileError),
}


@pytest.mark.parametrize("name", BROKEN_IDX)
def test_broken_idx(tmp_path: Path, name: str, cache: Path) -> None:
    content, error = BROKEN_IDX[name]
    write_idx(tmp_path / "m", "train", pixels(5, 8, 8), np.arange(5, dtype=np.uint8))
    (tmp_path / "m" / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(error, match="train-"):
        opened(tmp_path / "m", FLAT)
    assert not cache.exists() or not list(cache.iterdir())


def test_images_without_labels(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(IMAGES)
    with pytest.raises(FileError, match="no labels beside it"):
        opened(tmp_path / "train-images-idx3-ubyte", FLAT)


@needs_mnist
@pytest.mark.parametrize("part", ["train", "test"])
def test_mnist(part: str) -> None:
    place = mnist.find()
    assert place is not None
    if place.is_file():
        pytest.skip("optional: MNIST lies here as an archive, not as idx files")
    truth = mnist.read(place, part)
    source = opened(f"{place}:{part}", TensorSpec("input:0", DataType.FLOAT, (None, 784)), classes=10)
    indices = np.random.default_rng(0).integers(0, len(source), 300)
    np.testing.assert_allclose(source.read(indices), truth.images[indices], rtol=1e-6)
    np.testing.assert_array_equal(source.labels, truth.labels)


# Functions

MODULE = """
import numpy as np
X = np.arange(24, dtype=np.float32).reshape(4, 6)
def arrays(): return X, ["b", "a", "b", "b"]
def lists(): return X.tolist(), [0, 1, 1, 0]
class Items:
    fingerprint = "one"
    def __len__(self): return 4
    def __getitem__(self, i): return X[i] * 2, i % 2
class Labelled(Items):
    fingerprint = None
    labels = [3, 2, 1, 0]
def raises(): raise KeyError("no file")
def number(): return 3
def uneven(): return X, [1, 2]
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"own_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return f"python:{name}"


def test_functions(module: str) -> None:
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    arrays = opened(f"{module}:arrays")
    assert (arrays.classes, labels_of(arrays)) == (("a", "b"), [1, 0, 1, 1])
    np.testing.assert_array_equal(arrays.read(np.array([2, 0])), rows(x, [2, 0]))
    np.testing.assert_array_equal(everything(opened(f"{module}:lists")), x)
    items = opened(f"{module}:Items")
    np.testing.assert_array_equal(everything(items), x * 2)
    assert labels_of(items) == [0, 1, 0, 1]
    assert labels_of(opened(f"{module}:Labelled")) == [3, 2, 1, 0]


def test_fingerprints_of_functions(module: str) -> None:
    def fingerprint(name: str) -> str:
        return opened(f"{module}:{name}").fingerprint

    assert fingerprint("arrays") == fingerprint("arrays")
    assert fingerprint("Items") == fingerprint("Items")
    assert fingerprint("Labelled") != fingerprint("Labelled"), "nothing tells whether its inputs are the same"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raises", "raised KeyError: 'no file'"),
        ("number", "returned int"),
        ("uneven", "one row and one label"),
        ("missing", "no function"),
    ],
)
def test_functions_that_fail(module: str, name: str, message: str) -> None:
    with pytest.raises(GraphscopeError, match=message):
        opened(f"{module}:{name}")


def test_what_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file") as caught:
        opened(tmp_path / "nowhere")
    assert "TFRecords" in to_words(caught.value.hint)
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").mkdir()
    for name in ("text", "empty"):
        with pytest.raises(GraphscopeError, match="not data that graphscope can read"):
            opened(tmp_path / name, VECTOR)
