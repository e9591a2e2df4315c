"""Small data sets in all the forms that training reads, and the tensors that take them."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.training.data import DataOptions, Dataset, open_data

Array = NDArray[Any]

VECTOR = TensorSpec("input:0", DataType.FLOAT, (None, 6))
PICTURE = TensorSpec("input:0", DataType.FLOAT, (None, 8, 8, 3))
FLAT = TensorSpec("input:0", DataType.FLOAT, (None, 64))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test that imports this."""
    monkeypatch.setenv("GRAPHSCOPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def opened(data: str | Path, spec: TensorSpec = VECTOR, **options: Any) -> Dataset:
    return open_data(str(data), spec, DataOptions(**options))


def everything(source: Dataset) -> Array:
    return source.read(np.arange(len(source)))


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def pixels(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def idx_bytes(array: Array, code: int = 8) -> bytes:
    """Source: http://yann.lecun.com/exdb/mnist/."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


def write_idx(directory: Path, part: str, images: Array, labels: Array, suffix: str = "") -> None:
    directory.mkdir(exist_ok=True)
    pack = gzip.compress if suffix else bytes
    (directory / f"{part}-images-idx3-ubyte{suffix}").write_bytes(pack(idx_bytes(images)))
    (directory / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx_bytes(labels)))


def write_pictures(directory: Path, classes: Mapping[str, int], size: tuple[int, int] = (8, 8)) -> dict[str, Array]:
    """PNG files; key -> pixels."""
    found = {}
    for name, count in classes.items():
        (directory / name).mkdir(parents=True)
        for number in range(count):
            key = f"{name}/{number}.png"
            found[key] = pixels(*size, 3, seed=len(found))
            Image.fromarray(found[key]).save(directory / key)
    return found


def labels_of(source: Dataset) -> list[Any]:
    return list(source.labels.tolist())


def keys_of(source: Dataset) -> list[str]:
    return [source.keys[i] for i in range(len(source))]


def rows(array: Array, indices: Sequence[int]) -> Array:
    return array[np.array(indices)]
