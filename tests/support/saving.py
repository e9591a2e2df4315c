"""Checkpoints written by TensorFlow itself, and read by it: the oracle of the readers' tests."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graphscope.core.values.dtypes import DataType
from graphscope.core.variables.variables import VariableStore

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
tf = pytest.importorskip("tensorflow", reason="TensorFlow writes these checkpoints and reads them for comparison")

Array = NDArray[Any]


def tensor(array: Array, dtype: DataType | None = None) -> Any:
    """``array`` as a tensor; quantized and sub-byte types through their bytes."""
    if dtype is None or dtype is DataType.STRING:
        return tf.constant(array)
    wanted = tf.as_dtype(int(dtype))
    try:
        return tf.constant(array, dtype=wanted)
    except (TypeError, ValueError):
        return tf.bitcast(tf.constant(array.view(f"u{array.dtype.itemsize}")), wanted)


def save_v2(prefix: str, tensors: Mapping[str, Any], slices: Sequence[str] | None = None) -> None:
    """One data file with ``tensors``, as ``Saver`` makes it."""
    save_named_v2(prefix, list(tensors), list(tensors.values()), slices)


def save_named_v2(
    prefix: str, names: Sequence[Any], tensors: Sequence[Any], slices: Sequence[str] | None = None
) -> None:
    """The same; a name may occur several times, with different slices."""
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(names),
        shape_and_slices=list(slices or [""] * len(names)),
        tensors=list(tensors),
    )


def save_v1(path: Path, names: Sequence[str], tensors: Sequence[Any], slices: Sequence[str] | None = None) -> None:
    """One table."""
    tf.raw_ops.SaveSlices(
        filename=str(path),
        tensor_names=list(names),
        shapes_and_slices=list(slices or [""] * len(names)),
        data=list(tensors),
    )


def restored_v2(prefix: str, key: str, dtype: DataType) -> Array:
    """What TensorFlow's RestoreV2 gives."""
    [value] = tf.raw_ops.RestoreV2(
        prefix=prefix, tensor_names=[key], shape_and_slices=[""], dtypes=[tf.as_dtype(int(dtype))]
    )
    return as_array(value.numpy())


def restored_v1(pattern: str, key: str, dtype: DataType) -> Array:
    """What TensorFlow's Restore gives."""
    return as_array(tf.raw_ops.Restore(file_pattern=pattern, tensor_name=key, dt=tf.as_dtype(int(dtype))).numpy())


def as_array(value: Any) -> Array:
    """Scalars of strings come as ``bytes``."""
    return np.array(value, np.object_) if isinstance(value, bytes) else np.asarray(value)


def assert_equal(found: Array, expected: Array, what: str) -> None:
    """Same type, same shape, same bits (NaN, too)."""
    assert found.shape == expected.shape, what
    if expected.dtype.hasobject:
        assert found.reshape(-1).tolist() == expected.reshape(-1).tolist(), what
    else:
        assert found.dtype == expected.dtype, what
        if expected.dtype.name in ("int4", "int2"):  # the bits above the sign are of no account
            found, expected = found.astype(np.int8), expected.astype(np.int8)
        assert found.tobytes() == expected.tobytes(), what


def assert_as_tensorflow(store: VariableStore, path: str, unreadable: Sequence[type[Exception]] = ()) -> int:
    """Every tensor of ``store`` is what ``tf.train.load_checkpoint(path)`` reads; returns how many could be compared."""
    reader = tf.train.load_checkpoint(path)
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    assert set(store.entries) == set(shapes)
    compared = 0
    for key, entry in store.entries.items():
        assert (entry.shape, int(entry.dtype)) == (tuple(shapes[key]), dtypes[key].as_datatype_enum), key
        try:
            found = store.payload(key).numpy()
        except tuple(unreadable):
            continue
        assert_equal(found, as_array(reader.get_tensor(key)), key)
        compared += 1
    return compared


def streamed(payload: Any) -> Array:
    """A payload's content taken piece by piece."""
    pieces = b"".join(payload.chunks())
    array: Array = np.frombuffer(pieces, payload.dtype.numpy).reshape(payload.shape)
    return array


SMALL_NAMES = ["a/weights", "a/weights/Adam", "names", "step", "split", "split"]
SMALL_SPECS = ["", "", "", "", "4 2 0,1:-", "4 2 1,3:-"]


def small_tensors() -> list[Any]:
    """What the checkpoints that are damaged hold under :data:`SMALL_NAMES`: 2 x 3 floats, strings, a scalar, slices."""
    floats = tf.reshape(tf.range(6, dtype=tf.float32), [2, 3])
    texts = tf.constant([b"one", b"", b"three"])
    return [floats, -floats, texts, tf.constant(7, tf.int64), tf.ones([1, 2]), tf.zeros([3, 2])]


def small_v2(directory: Path) -> Path:
    """``directory``, with a V2 checkpoint ``model`` in it."""
    save_named_v2(f"{directory}/model", SMALL_NAMES, small_tensors(), SMALL_SPECS)
    return directory


def small_v1(path: Path) -> Path:
    """``path``, now a V1 checkpoint of the same."""
    save_v1(path, SMALL_NAMES, small_tensors(), SMALL_SPECS)
    return path
