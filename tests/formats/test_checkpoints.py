"""Checkpoints of both formats: what TensorFlow wrote, here and elsewhere, is read as TensorFlow reads it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope.core.values.dtypes import DataType
from graphscope.errors import FileError, IncompleteModelError, UnsupportedError
from graphscope.formats.checkpoint.v1 import TableStore
from graphscope.formats.checkpoint.v2 import BundleStore
from graphscope.formats.lazy.payloads import READ_BYTES
from tests.support.saving import (
    Array,
    assert_as_tensorflow,
    assert_equal,
    restored_v1,
    restored_v2,
    save_named_v2,
    save_v1,
    save_v2,
    streamed,
    tensor,
    tf,
)
from tests.support.tables import read_table, write_table
from tests.support.zoo_files import ZOO, needs_zoo, zoo_files, zoo_id

INDEXES = zoo_files("*.index")
V1_FILES = [
    "tegg89+SRCNN-Tensorflow/checkpoint/srcnn_21/SRCNN.model-2550000",
    "tensorflow+serving/tensorflow_serving/session_bundle/testdata/half_plus_two/00000123/export-00000-of-00001",
]
NUMERIC = [t for t in DataType if t.itemsize is not None]
V1_TYPES = "FLOAT DOUBLE INT32 UINT8 INT16 INT8 COMPLEX64 INT64 BOOL QINT8 QUINT8 QINT32 UINT16 COMPLEX128 HALF"
RNG = np.random.default_rng(7)


def values(dtype: DataType, shape: tuple[int, ...]) -> Array:
    """All kinds of bits that an element of ``dtype`` can have."""
    if dtype is DataType.BOOL:
        return RNG.integers(0, 2, shape).astype(np.bool_)
    if dtype in (DataType.INT4, DataType.UINT4, DataType.INT2, DataType.UINT2):
        return RNG.integers(-2 if dtype in (DataType.INT4, DataType.INT2) else 0, 2, shape).astype(dtype.numpy)
    if dtype is DataType.FLOAT4_E2M1FN:
        return RNG.integers(0, 16, shape, np.uint8).view(dtype.numpy)
    raw = RNG.bytes(int(np.prod(shape)) * (dtype.itemsize or 0))
    return np.frombuffer(raw, dtype.numpy).reshape(shape)


@needs_zoo
@pytest.mark.parametrize("index", INDEXES, ids=zoo_id)
def test_v2_of_the_zoo(index: Path) -> None:
    prefix = str(index)[: -len(".index")]
    store = BundleStore(prefix)
    missing = [path for path, exists in store.files if not exists]
    compared = assert_as_tensorflow(store, prefix, [IncompleteModelError] if missing else [])
    absent = {number for number, (_, exists) in enumerate(store.files) if not exists}
    assert compared == sum(entry.shard not in absent for entry in store.entries.values())
    assert store.entries


@needs_zoo
@pytest.mark.parametrize("name", V1_FILES)
def test_v1_of_the_zoo(name: str) -> None:
    path = ZOO / "v1_ckpt" / name
    store = TableStore([path])
    assert assert_as_tensorflow(store, str(path)) == len(store.entries) > 1
    assert store.files == [(path, True)]


@pytest.mark.parametrize("dtype", NUMERIC, ids=lambda t: t.label)
def test_v2_every_type(tmp_path: Path, dtype: DataType) -> None:
    prefix = str(tmp_path / "model")
    arrays = {name: values(dtype, shape) for name, shape in {"m": (3, 5), "scalar": (), "none": (2, 0, 3)}.items()}
    save_v2(prefix, {name: tensor(array, dtype) for name, array in arrays.items()})
    store = BundleStore(prefix)
    assert {entry.dtype for entry in store.entries.values()} == {dtype}
    for name, array in arrays.items():
        found = store.payload(name).numpy()
        assert_equal(found, array, name)
        assert_equal(found, restored_v2(prefix, name, dtype), name)
        assert_equal(streamed(store.payload(name)), array, name)


@pytest.mark.parametrize("name", [*V1_TYPES.split(), "STRING"])
def test_v1_every_type(tmp_path: Path, name: str) -> None:
    dtype, path = DataType[name], tmp_path / "model"
    if dtype is DataType.STRING:
        arrays = {"m": np.array([[b"", b"\xff\0"], ["Ж".encode(), b"x" * 70_000]], object), "none": np.empty(0, object)}
        tensors = [tf.constant(a.tolist(), tf.string, a.shape) for a in arrays.values()]
    else:
        arrays = {key: values(dtype, shape) for key, shape in {"m": (3, 5), "scalar": (), "none": (2, 0, 3)}.items()}
        tensors = [tensor(array, dtype) for array in arrays.values()]
    save_v1(path, list(arrays), tensors)
    store = TableStore([path])
    for key, array in arrays.items():
        assert (store.entries[key].dtype, store.entries[key].shape) == (dtype, array.shape)
        found = store.payload(key).numpy()
        assert_equal(found, array, key)
        assert_equal(found, restored_v1(str(path), key, dtype), key)
        if dtype is not DataType.STRING:
            assert_equal(streamed(store.payload(key)), array, key)


STRINGS = {
    "empty": np.array([b"", b"", b""], object),
    "scalar": np.array(b"one", object),
    "none": np.empty((0, 4), object),
    "unicode": np.array(["Ä", "日本語", "🙂"], object),
    "binary": np.array([[b"\0\xff", b"\x80"], [b"a\nb", b"\0"]], object),
    "long": np.array([b"x" * 70_000, b"y" * 127, b"z" * 128, b""], object),
    "many": np.array([b"%d" % n * (n % 40) for n in range(20_000)], object),
}


def test_v2_strings(tmp_path: Path) -> None:
    prefix = str(tmp_path / "model")
    save_v2(prefix, {key: tf.constant(array.tolist(), tf.string, array.shape) for key, array in STRINGS.items()})
    store = BundleStore(prefix)
    assert assert_as_tensorflow(store, prefix) == len(STRINGS)
    assert store.entries["unicode"].stored_bytes == 3 + 4 + sum(len(s.encode()) for s in STRINGS["unicode"])
    assert store.payload("unicode").nbytes is None
    with pytest.raises(TypeError, match="variable long: strings"):
        next(store.payload("long").chunks())


def test_variants_are_listed_and_refused(tmp_path: Path) -> None:
    prefix = str(tmp_path / "model")
    handle = tf.raw_ops.EmptyTensorList(element_shape=[2], max_num_elements=3, element_dtype=tf.float32)
    save_v2(prefix, {"list": handle, "w": tf.constant([1.0])})
    store = BundleStore(prefix)
    assert store.entries["list"].dtype is DataType.VARIANT
    assert store.payload("w").numpy().tolist() == [1.0]
    with pytest.raises(UnsupportedError, match="variable list: variant has no NumPy equivalent"):
        store.payload("list")
    with pytest.raises(KeyError):
        store.payload("nothing")


PARTITIONS = {
    "rows": ["6 4 0,1:-", "6 4 1,3:-", "6 4 4,2:-"],
    "rows out of order": ["6 4 4,2:-", "6 4 0,1:-", "6 4 1,3:-"],
    "columns": ["6 4 -:0,3", "6 4 -:3,1"],
    "both": ["6 4 0,3:0,2", "6 4 0,3:2,2", "6 4 3,3:-"],
    "stated in full": ["6 4 0,2:0,4", "6 4 2,4:0,4"],
}
WHOLE = np.arange(24, dtype=np.float32).reshape(6, 4)


def parts(specs: list[str], whole: Array) -> list[Array]:
    """What each of ``specs`` takes of ``whole``."""
    found = []
    for spec in specs:
        extents = [e.split(",") for e in spec.split(" ")[-1].split(":")]
        index = tuple(slice(None) if e == ["-"] else slice(int(e[0]), int(e[0]) + int(e[1])) for e in extents)
        found.append(whole[index])
    return found


@pytest.mark.parametrize("name", PARTITIONS)
@pytest.mark.parametrize("variable", ["w", "a/b", "Ж\xff\x01"])
def test_v2_partitioned(tmp_path: Path, name: str, variable: str) -> None:
    prefix, specs = str(tmp_path / "model"), PARTITIONS[name]
    tensors = [*map(tf.constant, parts(specs, WHOLE)), tf.constant(1)]
    save_named_v2(prefix, [variable] * len(specs) + ["other"], tensors, [*specs, ""])
    store = BundleStore(prefix)
    assert list(store.entries) == sorted([variable, "other"], key=str.encode)
    entry = store.entries[variable]
    assert (entry.shape, entry.slices, entry.shard, entry.stored_bytes) == ((6, 4), len(specs), None, None)
    assert assert_as_tensorflow(store, prefix) == 2
    assert_equal(store.payload(variable).numpy(), WHOLE, name)
    assert_equal(streamed(store.payload(variable)), WHOLE, name)


def test_v2_partitioned_strings_and_large_extents(tmp_path: Path) -> None:
    """Starts and lengths of every size that the ordered code encodes differently; strings, which TensorFlow saves only."""
    prefix = str(tmp_path / "model")
    sizes = [1, 62, 1, 64, 8_000, 200, 2_000_000]
    whole = np.arange(sum(sizes), dtype=np.int32)
    starts = np.cumsum([0, *sizes])
    specs = [f"{len(whole)} {start},{size}" for start, size in zip(starts, sizes, strict=False)]
    texts = np.array([b"a", b"bc", b""], object)
    named = [("w", tf.constant(part), spec) for part, spec in zip(parts(specs, whole), specs, strict=True)]
    named += [("s", tf.constant(texts[:2].tolist()), "3 0,2"), ("s", tf.constant([b""]), "3 2,1")]
    save_named_v2(prefix, [n for n, _, _ in named], [t for _, t, _ in named], [s for _, _, s in named])
    store = BundleStore(prefix)
    assert_equal(store.payload("w").numpy(), restored_v2(prefix, "w", DataType.INT32), "w")
    assert_equal(streamed(store.payload("w")), whole, "w")
    assert_equal(store.payload("s").numpy(), texts, "s")


def graph_checkpoint(directory: Path, **saver_options: Any) -> tuple[str, dict[str, Array]]:
    """A graph with plain, partitioned and resource variables on three devices, saved by ``Saver``."""
    v1 = tf.compat.v1
    with tf.Graph().as_default():
        for number in range(3):
            with tf.device(f"/cpu:{number}"):
                v1.get_variable(f"plain_{number}", initializer=tf.random.normal([3, number + 1], seed=number))
                v1.get_variable(f"res_{number}", initializer=tf.random.normal([2], seed=number), use_resource=True)
        for axis in (0, 1):
            with tf.device("/cpu:1"):
                v1.get_variable(f"split_{axis}", [7, 5], partitioner=v1.fixed_size_partitioner(3, axis))
        saver = v1.train.Saver(**saver_options)
        config = v1.ConfigProto(device_count={"CPU": 3})
        with v1.Session(config=config) as session:
            session.run(v1.global_variables_initializer())
            prefix = saver.save(session, str(directory / "model"), global_step=3, write_meta_graph=False)
            found = {v.op.name: session.run(v) for v in v1.global_variables()}
    for axis in (0, 1):
        names = [f"split_{axis}/part_{n}" for n in range(3)]
        found[f"split_{axis}"] = np.concatenate([found.pop(name) for name in names], axis)
    return prefix, found


@pytest.mark.parametrize("sharded", [False, True])
def test_v2_of_a_saver(tmp_path: Path, sharded: bool) -> None:
    prefix, expected = graph_checkpoint(tmp_path, sharded=sharded)
    store = BundleStore(prefix)
    assert len(store.files) == len(store.shard_paths) == (3 if sharded else 1)
    assert all(exists for _, exists in store.files)
    assert set(store.entries) == set(expected)
    for name, array in expected.items():
        assert_equal(store.payload(name).numpy(), array, name)
        assert_equal(streamed(store.payload(name)), array, name)
    assert assert_as_tensorflow(store, prefix) == len(expected)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("sharded", [False, True])
def test_v1_of_a_saver(tmp_path: Path, sharded: bool, compress: bool) -> None:
    write_version = tf.compat.v1.train.SaverDef.V1
    prefix, expected = graph_checkpoint(tmp_path, sharded=sharded, write_version=write_version)
    prefix = prefix.replace("-?????-of-00003", "")
    paths = sorted(tmp_path.glob("model-3*"))
    assert len(paths) == (3 if sharded else 1)
    if compress:  # as releases up to 0.11 did
        for path in paths:
            write_table(path, read_table(path), compress=True, per_block=2)
    store = TableStore(paths)
    assert set(store.entries) == set(expected)
    pattern = f"{prefix}-?????-of-00003" if sharded else prefix
    for name, array in expected.items():
        assert_equal(store.payload(name).numpy(), array, name)
        assert_equal(streamed(store.payload(name)), array, name)
        assert_equal(array, restored_v1(pattern, name, DataType.FLOAT), name)
    assert store.entries["split_0"].slices == 3
    assert store.entries["plain_1"].slices == 0
    assert store.entries["plain_1"].shard == (1 if sharded else None)


def test_saver_with_names_of_its_own(tmp_path: Path) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        w = v1.get_variable("scope/w", initializer=[1.0, 2.0])
        session.run(w.initializer)
        saver = v1.train.Saver({"renamed/w": w})
        prefix = saver.save(session, str(tmp_path / "a model=1"), write_meta_graph=False)
    store = BundleStore(prefix)
    assert store.payload("renamed/w").numpy().tolist() == [1.0, 2.0]
    assert list(store.entries) == ["renamed/w"]


def test_object_based(tmp_path: Path) -> None:
    kept = tf.train.Checkpoint(v=tf.Variable([[1.0]]), step=tf.Variable(3, dtype=tf.int64))
    prefix = kept.write(str(tmp_path / "ckpt"))
    store = BundleStore(prefix)
    assert assert_as_tensorflow(store, prefix) == 3
    assert store.entries["_CHECKPOINTABLE_OBJECT_GRAPH"].dtype is DataType.STRING


def merged(directory: Path, count: int) -> str:
    """A checkpoint of ``count`` data files, each with two variables."""
    prefixes = [str(directory / f"part{n}") for n in range(count)]
    for number, prefix in enumerate(prefixes):
        save_v2(prefix, {f"w{number}": tf.fill([3], float(number)), f"s{number}": tf.constant([b"%d" % number])})
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=prefixes, destination_prefix=str(directory / "model"))
    return str(directory / "model")


def test_many_data_files(tmp_path: Path) -> None:
    """More than are kept open at a time."""
    prefix = merged(tmp_path, 100)
    before = len(os.listdir("/dev/fd"))
    store = BundleStore(prefix)
    payloads = {key: store.payload(key) for key in store.entries}
    assert len(store.files) == 100
    assert assert_as_tensorflow(store, prefix) == 200
    for number in range(100):
        assert payloads[f"w{number}"].numpy().tolist() == [number] * 3
        assert len(os.listdir("/dev/fd")) < before + 70
        assert store.entries[f"w{number}"].shard == number


def test_a_missing_data_file(tmp_path: Path) -> None:
    prefix = merged(tmp_path, 3)
    lost = Path(f"{prefix}.data-00001-of-00003")
    lost.unlink()
    store = BundleStore(prefix)
    assert store.files[1] == (lost, False)
    assert [exists for _, exists in store.files] == [True, False, True]
    assert len(store.entries) == 6
    assert store.payload("w2").numpy().tolist() == [2.0] * 3
    for key in ("w1", "s1"):
        payload = store.payload(key)
        assert payload.shape == store.entries[key].shape
        with pytest.raises(
            IncompleteModelError, match=rf"variable {key}: .*model.data-00001-of-00003, which is missing"
        ):
            payload.numpy()
    with pytest.raises(IncompleteModelError):
        next(store.payload("w1").chunks())


def test_a_missing_shard_of_v1(tmp_path: Path) -> None:
    paths = [tmp_path / f"model-{n:05}-of-00002" for n in range(2)]
    save_v1(paths[0], ["w", "x"], [tf.ones([2, 3]), tf.zeros([2])], ["4 3 0,2:-", ""])
    save_v1(paths[1], ["w"], [tf.zeros([2, 3])], ["4 3 2,2:-"])
    assert TableStore(paths).payload("w").numpy().tolist() == [[1.0] * 3] * 2 + [[0.0] * 3] * 2
    assert TableStore(paths).entries["w"].shard is None
    assert TableStore(paths[1:]).entries["w"].slices == 2, "the other shard is found"
    paths[1].rename(tmp_path / "away")
    store = TableStore(paths[:1])
    assert store.files == [(paths[0], True), (paths[1], False)]
    assert store.payload("x").numpy().tolist() == [0.0, 0.0]
    with pytest.raises(
        IncompleteModelError, match=r"variable w: its 1 slices hold 6 of 12 .*missing: .*-00001-of-00002"
    ):
        store.payload("w")
    assert store.entries["w"].shard == 0


def test_shards_of_two_saves_in_v1(tmp_path: Path) -> None:
    """Of an old save in two shards one file is left beside a new one in one shard."""
    old, new = tmp_path / "model-00001-of-00002", tmp_path / "model-00000-of-00001"
    save_v1(old, ["w"], [tf.constant(1.0)])
    save_v1(new, ["w"], [tf.constant(2.0)])
    assert TableStore([new, old]).payload("w").numpy() == 2.0
    save_v1(tmp_path / "model-00000-of-00002", ["x"], [tf.constant(1.0)])
    with pytest.raises(FileError, match="shards of 2 checkpoints"):
        TableStore(sorted(tmp_path.iterdir()))


def test_an_empty_base_name(tmp_path: Path) -> None:
    prefix = f"{tmp_path}/"
    save_v2(prefix, {"w": tf.constant([1.0])})
    assert (tmp_path / ".index").is_file()
    store = BundleStore(prefix)
    assert store.payload("w").numpy().tolist() == [1.0]
    assert store.files == [(tmp_path / ".data-00000-of-00001", True)]


def test_no_index(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"model\.index"):
        BundleStore(str(tmp_path / "model"))
    with pytest.raises(FileError, match="model"):
        TableStore([tmp_path / "model"])


def test_names_that_are_no_text(tmp_path: Path) -> None:
    prefix = str(tmp_path / "model")
    save_named_v2(prefix, [b"\xff\x00x", b"\x00a", "é"], [tf.constant(1), tf.constant(2), tf.constant(3)])
    store = BundleStore(prefix)
    assert {key: store.payload(key).numpy().item() for key in store.entries} == {"\\xff\x00x": 1, "\x00a": 2, "é": 3}


def test_big_tensors_are_streamed(tmp_path: Path) -> None:
    prefix, path = str(tmp_path / "v2"), tmp_path / "v1"
    big = RNG.standard_normal((3_000, 3_001), np.float32)
    save_v2(prefix, {"big": tf.constant(big), "after": tf.constant(1)})
    payload = BundleStore(prefix).payload("big")
    assert payload.nbytes == big.nbytes
    assert_equal(payload.numpy(), big, "big")
    pieces = list(payload.chunks())
    assert b"".join(pieces) == big.tobytes()
    assert max(map(len, pieces)) == READ_BYTES
    assert all(len(piece) % 4 == 0 for piece in pieces)
    integers = RNG.integers(-(2**31), 2**31, 300_000, np.int64)
    save_v1(path, ["big", "integers"], [tf.constant(big), tf.constant(integers)])
    store = TableStore([path])
    assert_equal(store.payload("big").numpy(), big, "big")
    assert_equal(store.payload("integers").numpy(), integers, "integers")
    write_table(path, read_table(path), compress=True, per_block=1)
    assert_equal(TableStore([path]).payload("big").numpy(), big, "big")


def test_five_thousand_variables(tmp_path: Path) -> None:
    arrays = {f"layer_{n // 7}/kernel_{n % 7}/Adam": RNG.standard_normal((n % 5, 3), np.float32) for n in range(5_000)}
    tensors = {name: tf.constant(array) for name, array in arrays.items()}
    prefix, path = str(tmp_path / "v2"), tmp_path / "v1"
    save_v2(prefix, tensors)
    save_v1(path, list(tensors), list(tensors.values()))
    for store in (BundleStore(prefix), TableStore([path])):
        assert set(store.entries) == set(arrays)
        for name, array in arrays.items():
            assert_equal(store.payload(name).numpy(), array, name)
    assert list(BundleStore(prefix).entries) == sorted(arrays)
