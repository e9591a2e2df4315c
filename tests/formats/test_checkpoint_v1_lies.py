"""V1 checkpoints whose checksums are right, and what they cover is not: no memory is taken on trust."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np  # before memory is measured
import pytest

from graphscope.core.values.dtypes import DataType
from graphscope.core.variables.variables import VariableStore
from graphscope.errors import CorruptFileError, GraphscopeError, UnsupportedError
from graphscope.formats.checkpoint.v1 import TableStore
from graphscope.protos import SavedTensorSlices
from tests.support.tables import varint, write_table


def v1_store(path: Path, meta: SavedTensorSlices, values: dict[bytes, SavedTensorSlices | bytes]) -> VariableStore:
    items = {b"": meta.SerializeToString()}
    items |= {k: v if isinstance(v, bytes) else v.SerializeToString() for k, v in values.items()}
    write_table(path, items, compress=True)
    return TableStore([path])


def listed(dtype: int, sizes: list[int], **more: Any) -> SavedTensorSlices:
    dims = {"dim": [{"size": size} for size in sizes]}
    entry = {"name": "w", "type": dtype, "shape": dims, "slice": [{"extent": [{} for _ in sizes]}]}
    return SavedTensorSlices(meta={"tensor": [entry | more]})


KEY_OF_VECTOR = b"\x00w\x00\x01\x01\x01\x80\x7f"
BAD_V1: dict[str, tuple[SavedTensorSlices, dict[bytes, Any], str]] = {
    "no value": (listed(1, [2]), {}, "variable w: the table lacks its content"),
    "too few": (listed(1, [2]), {KEY_OF_VECTOR: {"float_val": [1]}}, "1 values are stored for 2 elements"),
    "too many": (listed(1, [2]), {KEY_OF_VECTOR: {"float_val": [1] * 3}}, "3 values are stored for 2 elements"),
    "none of them": (listed(1, [2]), {KEY_OF_VECTOR: {}}, "0 values are stored for 2 elements"),
    "a terabyte": (listed(1, [1 << 38]), {KEY_OF_VECTOR: {"float_val": [1]}}, r"float32 \[274877906944\] cannot be"),
    "of another type": (listed(1, [2]), {KEY_OF_VECTOR: {"int_val": [1, 2]}}, "0 values are stored for 2"),
    "out of range": (listed(4, [1]), {KEY_OF_VECTOR: {"int_val": [256]}}, "not a SavedTensorSlices of uint8: .*range"),
    "no message": (listed(1, [1]), {KEY_OF_VECTOR: b"\x12\x7f"}, "variable w: its content is not a SavedTensorSlices"),
    "half a float": (listed(1, [1]), {KEY_OF_VECTOR: b"\x12\5\x1a\3\x2a\1x"}, "its content is not a SavedTensorSlices"),
    "two values": (listed(1, [1]), {KEY_OF_VECTOR: b"\x12\0\x12\0"}, "field 2 occurs 2 times"),
    "an unknown wire type": (listed(1, [1]), {KEY_OF_VECTOR: b"\x17"}, "has wire type 7"),
    "a broken list of integers": (
        listed(3, [1]),
        {KEY_OF_VECTOR: b"\x12\5\x1a\3\x3a\1\xff"},
        "not a SavedTensorSlices",
    ),
}


@pytest.mark.parametrize("name", BAD_V1)
def test_v1_values_that_cannot_be(tmp_path: Path, name: str) -> None:
    meta, stored, message = BAD_V1[name]
    values = {
        k: v if isinstance(v, bytes) else SavedTensorSlices(data={"name": "w", "data": v}) for k, v in stored.items()
    }
    store = v1_store(tmp_path / "model", meta, values)
    assert list(store.entries) == ["w"]
    tracemalloc.start()
    try:
        with pytest.raises(CorruptFileError, match=message):
            store.payload("w").numpy()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_v1_floats_in_several_pieces(tmp_path: Path) -> None:
    """Protobuf allows it, packed and unpacked mixed; no writer does so."""
    tensor = b"\x2a\4\0\0\x80\x3f" + b"\x2d\0\0\0\x40" + b"\x2a\4\0\0\x40\x40"
    data = b"\x1a" + varint(len(tensor)) + tensor
    store = v1_store(tmp_path / "model", listed(1, [3]), {KEY_OF_VECTOR: b"\x12" + varint(len(data)) + data})
    assert store.payload("w").numpy().tolist() == [1.0, 2.0, 3.0]


EXTENT, NOTHING = {"start": 1, "length": 2}, {"start": 0, "length": 0}
BAD_V1_LISTS: dict[str, tuple[SavedTensorSlices, type[GraphscopeError], str]] = {
    "a negative dimension": (listed(1, [-2]), CorruptFileError, r"variable w: \[-2\] is not the shape"),
    "too many elements": (listed(1, [1 << 62]), CorruptFileError, "is not the shape"),
    "unknown rank": (listed(1, [], shape={"unknown_rank": True}), CorruptFileError, "variable w: .* is not the shape"),
    "a slice outside": (listed(1, [2], slice=[{"extent": [EXTENT]}]), CorruptFileError, "slice 1,2 does not fit"),
    "a slice of nothing": (listed(1, [2], slice=[{"extent": [NOTHING]}]), CorruptFileError, "slice 0,0 does not fit"),
    "a slice of other rank": (listed(1, [2, 2], slice=[{"extent": [{}]}]), CorruptFileError, "does not fit into"),
    "a slice twice": (listed(1, [2], slice=[{"extent": [{}]}] * 2), CorruptFileError, "slice - occurs twice"),
    "a newer format": (SavedTensorSlices(meta={"versions": {"min_consumer": 2}}), UnsupportedError, "version 2"),
}


@pytest.mark.parametrize("name", BAD_V1_LISTS)
def test_v1_lists_that_cannot_be(tmp_path: Path, name: str) -> None:
    meta, error, message = BAD_V1_LISTS[name]
    with pytest.raises(error, match=message):
        v1_store(tmp_path / "model", meta, {})


def test_v1_of_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "model"
    write_table(path, {b"x": b"y"})
    with pytest.raises(CorruptFileError, match="does not start with a list of tensors"):
        TableStore([path])
    write_table(path, {b"": b"\xff"})
    with pytest.raises(CorruptFileError, match="is not a SavedTensorSlices"):
        TableStore([path])
    store = v1_store(path, listed(int(DataType.VARIANT), []), {})
    with pytest.raises(UnsupportedError, match="variable w: variant has no NumPy equivalent"):
        store.payload("w")


def test_v1_shards_that_disagree(tmp_path: Path) -> None:
    paths = [tmp_path / f"model-{n:05}-of-00002" for n in range(2)]
    for path, dtype in zip(paths, (1, 2), strict=True):
        write_table(path, {b"": listed(dtype, [2]).SerializeToString()})
    with pytest.raises(CorruptFileError, match="variable w: another shard states another type or shape"):
        TableStore(paths)


def test_v1_slices_of_a_terabyte(tmp_path: Path) -> None:
    half = 1 << 37
    extents = [{"extent": [{"start": 0, "length": half}]}, {"extent": [{"start": half, "length": half}]}]
    store = v1_store(tmp_path / "model", listed(1, [2 * half], slice=extents), {})
    with pytest.raises(CorruptFileError, match=r"w: 2 slices of float32 \[274877906944\] cannot be in a file of"):
        store.payload("w")


@pytest.mark.parametrize(
    ("dtype", "field", "values"),
    [
        (DataType.FLOAT, "float_val", [1.5, -2.0]),
        (DataType.DOUBLE, "double_val", [1.5, -2.0]),
        (DataType.COMPLEX64, "scomplex_val", [1.5 + 2j, -1j]),
        (DataType.COMPLEX128, "dcomplex_val", [1.5 + 2j, -1j]),
    ],
)
def test_packed_floats_are_not_copied(tmp_path: Path, dtype: DataType, field: str, values: list[complex]) -> None:
    numbers = np.array(values, dtype.numpy)
    parts = numbers.view(numbers.real.dtype).tolist()
    value = SavedTensorSlices(data={"name": "w", "data": {"dtype": int(dtype), field: parts}})
    payload = v1_store(tmp_path / "model", listed(int(dtype), [2]), {KEY_OF_VECTOR: value}).payload("w")
    found = payload.numpy()
    assert found.tolist() == numbers.tolist()
    assert not found.flags.writeable, "it lies in the block"


def test_a_value_of_nothing_has_no_elements(tmp_path: Path) -> None:
    """An unknown field before what is not there."""
    for content in (b"", b"\x08\x05", b"\x12\x00", b"\x12\x02\x20\x05"):
        store = v1_store(tmp_path / "model", listed(1, [0]), {KEY_OF_VECTOR: content})
        assert store.payload("w").numpy().shape == (0,)


def test_a_number_of_another_wire_type_is_no_value(tmp_path: Path) -> None:
    """Field 5 as a number of four bytes: an unknown field, as protobuf reads it."""
    stored = b"\x12\x09\x1a\x07\x08\x01\x28\x80\x80\x80\x01"
    assert SavedTensorSlices.FromString(stored).data.data.float_val == []
    store = v1_store(tmp_path / "model", listed(1, [1]), {KEY_OF_VECTOR: stored})
    with pytest.raises(CorruptFileError, match="0 values are stored for 1 elements"):
        store.payload("w").numpy()


@pytest.mark.parametrize(("dtype", "most"), [(DataType.FLOAT, 22 // 4), (DataType.INT32, 22), (DataType.STRING, 22)])
def test_a_slice_has_22_bytes_at_most_for_each_of_the_file(tmp_path: Path, dtype: DataType, most: int) -> None:
    """Snappy's best. The file has 65,536 bytes and more of noise, so its size is known before the shape."""
    noise, path = {b"zz": random.Random(1).randbytes(1 << 16)}, tmp_path / "model"
    v1_store(path, listed(int(dtype), [1 << 20]), noise)
    size = path.stat().st_size
    each = size * 22 // (4 if dtype is DataType.FLOAT else 1)
    assert each // size == most
    least = v1_store(path, listed(int(dtype), [each]), noise).payload("w")
    assert path.stat().st_size == size
    with pytest.raises(CorruptFileError, match="lacks its content"):
        least.numpy()
    with pytest.raises(CorruptFileError, match=rf"variable w: {dtype.label} \[{each + 1}\] cannot be in a file of"):
        v1_store(path, listed(int(dtype), [each + 1]), noise).payload("w")


def extents_of(count: int, each: int) -> list[dict[str, Any]]:
    return [{"extent": [{"start": number * each, "length": each}]} for number in range(count)]


@pytest.mark.parametrize(("dtype", "bytes_each"), [(DataType.UINT8, 1), (DataType.INT64, 1), (DataType.FLOAT, 4)])
def test_v1_slices_share_the_bytes_of_their_file(tmp_path: Path, dtype: DataType, bytes_each: int) -> None:
    """Each slice alone could be in the file; together they could not, at any compression."""
    count, path = 100, tmp_path / "model"
    v1_store(
        path, listed(int(dtype), [count], slice=extents_of(count, 1)), {b"zz": random.Random(1).randbytes(1 << 16)}
    )
    each = path.stat().st_size * 22 // bytes_each // 10
    store = v1_store(
        path,
        listed(int(dtype), [count * each], slice=extents_of(count, each)),
        {b"zz": random.Random(1).randbytes(1 << 16)},
    )
    assert list(store.entries) == ["w"]
    with pytest.raises(CorruptFileError, match=f"variable w: 100 slices of {dtype.label} .* cannot be in a file of"):
        store.payload("w")


def test_v1_slices_in_two_files_have_the_bytes_of_both(tmp_path: Path) -> None:
    paths = [tmp_path / f"model-{n:05}-of-00002" for n in range(2)]
    noise = random.Random(1).randbytes(1 << 16)
    each = 15 << 16
    for path, slices in zip(paths, [extents_of(2, each)[:1], extents_of(2, each)[1:]], strict=True):
        write_table(path, {b"": listed(4, [2 * each], slice=slices).SerializeToString(), b"zz": noise})
    payload = TableStore(paths).payload("w")
    with pytest.raises(CorruptFileError, match="slice 0,983040: the table lacks its content"):
        payload.numpy()


def test_v1_zeros_compress_as_far_as_they_do(tmp_path: Path) -> None:
    count = 1 << 16
    value = SavedTensorSlices(data={"name": "w", "data": {"int_val": [0] * count}})
    store = v1_store(tmp_path / "model", listed(4, [count]), {KEY_OF_VECTOR: value})
    np.testing.assert_array_equal(store.payload("w").numpy(), np.zeros(count, np.uint8))
    assert (tmp_path / "model").stat().st_size * 10 < count
