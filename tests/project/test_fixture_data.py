"""MNIST is read from idx files, gzipped idx files and `mnist.npz`, and damage is named."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.fixture_files import needs_mnist

# isort: split
from trainer import data  # importable by fixture_files


def _idx(values: NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@pytest.fixture
def small() -> dict[str, NDArray[np.uint8]]:
    noise = np.random.RandomState(0)
    sizes = {"train": 5, "test": 3}
    return {f"x_{split}": noise.randint(0, 256, (size, 28, 28)).astype(np.uint8) for split, size in sizes.items()} | {
        f"y_{split}": np.arange(size, dtype=np.uint8) for split, size in sizes.items()
    }


def _write_idx(directory: Path, arrays: dict[str, NDArray[np.uint8]], pack: Callable[[bytes], bytes], end: str) -> None:
    stems = {"x_train": "train-images-idx3", "y_train": "train-labels-idx1"}
    stems |= {"x_test": "t10k-images-idx3", "y_test": "t10k-labels-idx1"}
    for key, stem in stems.items():
        (directory / f"{stem}-ubyte{end}").write_bytes(pack(_idx(arrays[key])))


LAYOUTS: dict[str, Callable[[Path, dict[str, NDArray[np.uint8]]], None]] = {
    "plain": lambda directory, arrays: _write_idx(directory, arrays, bytes, ""),
    "gzip": lambda directory, arrays: _write_idx(directory, arrays, gzip.compress, ".gz"),
    "npz": lambda directory, arrays: np.savez(directory / "mnist.npz", allow_pickle=False, **arrays),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_reads_alike(layout: str, small: dict[str, NDArray[np.uint8]], tmp_path: Path) -> None:
    LAYOUTS[layout](tmp_path, small)
    source = data.find(tmp_path)
    assert source is not None
    for split in ("train", "test"):
        read = data.read(source, split)
        assert read.images.dtype == np.float32
        assert read.labels.dtype == np.int64
        np.testing.assert_array_equal(read.images.reshape(-1, 28, 28), small[f"x_{split}"] / np.float32(255))
        np.testing.assert_array_equal(read.labels, small[f"y_{split}"])


@needs_mnist
def test_real_mnist_is_whole() -> None:
    source = data.find()
    assert source is not None
    mnist_test = data.read(source, "test")
    assert mnist_test.images.shape == (10_000, 784)
    assert np.bincount(mnist_test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert (mnist_test.images.min(), mnist_test.images.max()) == (0, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it begins with"),
        (b"\x89PNG", "it begins with 89504e47"),
        (bytes([0, 0, 13, 1, 0, 0, 0, 0]), "not an idx file of unsigned bytes"),
        (bytes([0, 0, 8, 3, 0, 0]), "cut short inside its header of 16 bytes"),
        (_idx(np.zeros((2, 3), np.uint8))[:-1], r"5 values where its shape \(2, 3\) needs 6"),
        (bytes([0, 0, 8, 2]) + b"\xff" * 8, "0 values where its shape"),
    ],
)
def test_a_damaged_idx_file_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(data.DataError, match=f"images: .*{message}"):
        data.read_idx(path)


def test_a_damaged_gzip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(_idx(np.zeros((9, 9), np.uint8)))[:-9])
    with pytest.raises(data.DataError, match=r"images\.gz: "):
        data.read_idx(path)


@pytest.mark.parametrize(
    "arrays", [{"x_test": np.zeros((2, 28, 28))}, {"x_test": np.zeros((2, 9)), "y_test": np.zeros(2)}]
)
def test_an_npz_of_something_else_is_named(arrays: dict[str, NDArray[np.float64]], tmp_path: Path) -> None:
    np.savez(tmp_path / "mnist.npz", allow_pickle=False, **arrays)
    with pytest.raises(data.DataError, match=r"mnist\.npz: "):
        data.read(tmp_path / "mnist.npz", "test")


def test_the_named_directory_is_the_only_one_looked_at(tmp_path: Path) -> None:
    with pytest.raises(data.DataError, match="holds neither"):
        data.find(tmp_path)


def test_places_are_tried_in_order(
    small: dict[str, NDArray[np.uint8]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, cache = tmp_path / "shared", tmp_path / "keras" / "datasets"
    shared.mkdir()
    cache.mkdir(parents=True)
    monkeypatch.setattr(data, "SHARED", shared)
    monkeypatch.setenv("KERAS_HOME", str(cache.parent))
    assert data.find() is None
    LAYOUTS["npz"](cache, small)
    assert data.find() == cache / "mnist.npz"
    LAYOUTS["gzip"](shared, small)
    assert data.find() == shared


def test_a_download_that_fails_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    mnist = pytest.importorskip("keras.datasets.mnist", reason="Keras is not installed")

    def fail() -> None:
        raise Exception("URL fetch failure")

    monkeypatch.setattr(mnist, "load_data", fail)
    with pytest.raises(data.DataError, match=r"URL fetch failure.*--data"):
        data.download()
