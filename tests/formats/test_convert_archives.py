"""NumPy archives and safetensors: others read what we write, we read what others write, and broken files are told."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.core.variables.variables import VariableStore
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, UnsupportedError
from graphscope.formats.archives.npy import data_type, stored_type
from graphscope.formats.archives.npz import NpzStore, member_name, tensor_name
from graphscope.formats.archives.npz_writer import write_npz
from graphscope.formats.archives.safetensors import NAMES, SafetensorsStore, write_safetensors
from tests.formats.test_checkpoints import NUMERIC, values
from tests.support.saving import Array, assert_equal, streamed, tf

safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors reads these files for comparison")
from safetensors import SafetensorError, safe_open  # noqa: E402 - only where it is installed

SHAPES: tuple[tuple[int, ...], ...] = ((3, 5), (), (2, 0, 3))


def arrays_of(dtypes: list[DataType]) -> dict[str, tuple[DataType, Array]]:
    return {f"{t.label}/{n}": (t, values(t, shape)) for t in dtypes for n, shape in enumerate(SHAPES)}


def payloads(arrays: Mapping[str, tuple[DataType, Array]]) -> list[tuple[str, Payload]]:
    return [(name, ArrayPayload(array, dtype)) for name, (dtype, array) in arrays.items()]


def assert_holds(store: VariableStore, arrays: Mapping[str, tuple[DataType, Array]]) -> None:
    assert store.entries.keys() == arrays.keys()
    for name, (dtype, array) in arrays.items():
        payload = store.payload(name)
        entry = store.entries[name]
        assert (entry.dtype, entry.shape) == (payload.dtype, payload.shape) == (dtype, array.shape), name
        assert_equal(payload.numpy(), array, name)
        if dtype is not DataType.STRING:
            assert_equal(streamed(payload), array, name)


# NumPy archives


def test_npz_every_type(tmp_path: Path) -> None:
    """NumPy reads them all without pickle; what it has no type for has the right bits under the type's name."""
    texts = {"t/0": [[b"a", b""], [b"\0x", "Ж".encode()]], "t/1": b"scalar", "t/2": np.empty((0, 2), object)}
    arrays = arrays_of(NUMERIC) | {n: (DataType.STRING, np.array(a, object)) for n, a in texts.items()}
    path = tmp_path / "a.npz"
    assert write_npz(path, payloads(arrays)) == path.stat().st_size
    assert_holds(NpzStore(path), arrays)
    with np.load(path) as archive:
        assert set(archive.files) == set(arrays)
        for name, (dtype, array) in arrays.items():
            found = archive[name]
            if dtype is DataType.STRING:
                assert found.astype(object).tolist() == array.tolist(), name
            elif found.dtype.names is None:
                assert_equal(found, array, name)
            else:
                assert_equal(found[dtype.label].view(array.dtype), array, name)


def test_npz_is_as_savez_makes_it(tmp_path: Path) -> None:
    arrays = {
        "w": np.arange(6, dtype=np.float32).reshape(2, 3),
        "a/b": np.zeros(0),
        "n": np.array(3),
        "b": np.array([True]),
    }
    write_npz(tmp_path / "ours.npz", [(name, ArrayPayload(array)) for name, array in arrays.items()])
    np.savez(tmp_path / "theirs.npz", **arrays)
    assert (tmp_path / "ours.npz").read_bytes() == (tmp_path / "theirs.npz").read_bytes()


def test_quantized_types_are_tensorflows() -> None:
    for dtype in (DataType.QINT8, DataType.QUINT8, DataType.QINT16, DataType.QUINT16, DataType.QINT32):
        assert stored_type(dtype) == np.dtype(tf.as_dtype(int(dtype)).as_numpy_dtype)
    assert all(data_type(stored_type(dtype)) is dtype for dtype in NUMERIC if stored_type(dtype) is not None)  # type: ignore[arg-type]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_of_numpy(tmp_path: Path, save: Callable[..., None]) -> None:
    rng = np.random.default_rng(0)
    given_arrays: dict[str, Any] = {
        "plain": rng.random((700, 700)),
        "fortran": np.asfortranarray(rng.random((3, 4, 5), np.float32)),
        "big": rng.integers(-9, 9, (2, 3)).astype(">i4"),
        "both": np.asfortranarray(rng.random((3, 4)).astype(">f8")),
        "complex": np.array(1 + 2j, np.complex64),
        "bfloat16": rng.random((2, 3)).astype(ml_dtypes.bfloat16),
        "turned": np.asfortranarray(rng.random((2, 3)).astype(ml_dtypes.bfloat16)),
        "empty": np.zeros((0, 3), np.uint8),
        "bytes": np.array([[b"a"], [b"longer"]]),
        "text": np.array(["Ж", "", "a" * 9]),
    }
    save(tmp_path / "a.npz", **given_arrays)
    store = NpzStore(tmp_path / "a.npz")
    assert store.entries.keys() == given_arrays.keys()
    for name, array in given_arrays.items():
        expected = array.astype(array.dtype.newbyteorder("="))
        if array.dtype.kind in "SU":
            expected = np.array([s.encode() if isinstance(s, str) else s for s in array.reshape(-1).tolist()], object)
            expected = expected.reshape(array.shape)
        assert_equal(store.payload(name).numpy(), expected, name)
        if array.dtype.kind not in "SU":
            assert_equal(streamed(store.payload(name)), expected, name)


def test_npz_types_that_tensorflow_has_not(tmp_path: Path) -> None:
    odd = {
        "objects": np.array([{}, None], object),
        "dates": np.array(["2020-01-01"], "M8[D]"),
        "records": np.zeros(2, [("a", "f4"), ("b", "i4")]),
        "float8": np.zeros(2, "V1"),
    }
    np.savez(tmp_path / "a.npz", fine=np.ones(2), **odd)
    store = NpzStore(tmp_path / "a.npz")
    assert store.payload("fine").numpy().tolist() == [1, 1]
    for name in odd:
        with pytest.raises(UnsupportedError, match=f"{name}: .*has no TensorFlow type"):
            store.payload(name)


NAMES_OF_TENSORS = {
    "model/conv_1/weights": "model/conv_1/weights",
    "/absolute": "%2Fabsolute",
    "../../etc/passwd": "%2E%2E/%2E%2E/etc/passwd",
    "a/./b//c": "a/%2E/b/%2Fc",
    "c:\\x\0\n%41": "c%3A%5Cx%00%0A%2541",
    "layer/.ATTRIBUTES/VARIABLE_VALUE": "layer/.ATTRIBUTES/VARIABLE_VALUE",
    "имя": "имя",
    "a.npy": "a.npy",
    "": "",
}


def test_npz_names(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", [(name, ArrayPayload(np.ones(1))) for name in NAMES_OF_TENSORS])
    assert [*NpzStore(tmp_path / "a.npz").entries] == [*NAMES_OF_TENSORS]
    with np.load(tmp_path / "a.npz") as archive:
        assert archive.files == [*NAMES_OF_TENSORS.values()]
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        archive.extractall(tmp_path / "unpacked")
    assert {path.name for path in tmp_path.iterdir()} == {"a.npz", "unpacked"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_names_come_back(name: str) -> None:
    member = member_name(name)
    assert tensor_name(member) == name
    assert not {"..", "."} & set(member.split("/")[:-1])
    assert not member.startswith("/")
    assert "\\" not in member


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ([("w", np.ones(1)), ("w", np.ones(1))], "two tensors are called 'w'"),
        ([("t", np.array([b"a\0"], object))], "t: a string ends in NUL"),
        ([("t", np.array([b"x" * (1 << 20), *[b""] * 2048], object))], "t: 2,049 strings of up to 1,048,576 bytes"),
    ],
)
def test_npz_refuses(tmp_path: Path, tensors: list[tuple[str, Array]], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        write_npz(tmp_path / "a.npz", [(name, ArrayPayload(array)) for name, array in tensors])
    assert not list(tmp_path.iterdir())


def test_names_that_are_not_ours_stay() -> None:
    assert [tensor_name(f"{name}.npy") for name in ("%41", "%2f", "100%", "a%2Fb")] == ["%41", "%2f", "100%", "a%2Fb"]


def zipped(path: Path, *members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def npy(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header_alone(descr: str, shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


NPY = npy(np.arange(4, dtype=np.float32))
NPZ_LIES = {
    "twice": ([("a.npy", NPY), ("a.npy", NPY)], CorruptFileError, "two members are called a.npy"),
    "no array": ([("read.me", b"hello")], UnsupportedError, "read.me is not an array"),
    "no magic": ([("a.npy", b"hello, world")], CorruptFileError, "a.npy: not a .npy file: it starts with 68 65"),
    "empty": ([("a.npy", b"")], CorruptFileError, "not a .npy file"),
    "short": ([("a.npy", NPY[:-1])], CorruptFileError, "header announces 144 bytes, but there are 143"),
    "long": ([("a.npy", NPY + b"\0")], CorruptFileError, "header announces 144 bytes, but there are 145"),
    "cut": ([("a.npy", NPY[:9])], CorruptFileError, "ends within its header"),
    "header": (
        [("a.npy", NPY[:6] + b"\2\0\xff\xff\xff\xff" + NPY[10:])],
        CorruptFileError,
        "a header of 4,294,967,295 bytes",
    ),
    "expression": (
        [("a.npy", NPY.replace(b"(4,)", b"f(4)"))],
        CorruptFileError,
        "a.npy: .*(malformed|not a valid array header)",
    ),
    "nested": ([("a.npy", NPY[:10] + (b"(" * 118))], CorruptFileError, "not a valid array header"),
    "no dict": ([("a.npy", NPY[:10] + b"4".ljust(118))], CorruptFileError, "not a valid array header"),
    "shape": ([("a.npy", NPY.replace(b"(4,), ", b"(-4,),"))], CorruptFileError, "not the shape of an array"),
    "type": ([("a.npy", NPY.replace(b"<f4", b"<zz"))], CorruptFileError, "not a valid array header"),
    "text of no width": (
        [("a.npy", header_alone("<U0", (1 << 33,)))],
        CorruptFileError,
        "8,589,934,592 elements of zero bytes",
    ),
    "version": ([("a.npy", NPY[:6] + b"\7\0" + NPY[8:])], CorruptFileError, "not a .npy file"),
}


@pytest.mark.parametrize("name", NPZ_LIES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_npz_lies(tmp_path: Path, name: str) -> None:
    members, error, message = NPZ_LIES[name]
    with pytest.raises(error, match=message):
        NpzStore(zipped(tmp_path / "a.npz", *members))


def test_few_texts_of_no_width_are_empty(tmp_path: Path) -> None:
    store = NpzStore(zipped(tmp_path / "a.npz", ("a.npy", header_alone("|S0", (3,)))))
    assert store.payload("a").numpy().tolist() == [b""] * 3


def test_npz_methods(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="compressed by method 12"):
        NpzStore(zipped(tmp_path / "a.npz", ("a.npy", NPY), method=zipfile.ZIP_BZIP2))
    data = bytearray(zipped(tmp_path / "b.npz", ("a.npy", NPY)).read_bytes())
    for signature, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        data[data.index(signature) + offset] |= 1
    (tmp_path / "b.npz").write_bytes(data)
    with pytest.raises(UnsupportedError, match="encrypted"):
        NpzStore(tmp_path / "b.npz")


def test_no_archive(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(NPY)
    for reader in (NpzStore, SafetensorsStore):
        with pytest.raises(
            CorruptFileError, match="not a zip file" if reader is NpzStore else "not a safetensors file"
        ):
            reader(tmp_path / "a")
        with pytest.raises(FileError, match="No such file"):
            reader(tmp_path / "missing")


# safetensors


def test_safetensors_every_type(tmp_path: Path) -> None:
    arrays = arrays_of([*NAMES])
    path = tmp_path / "a.safetensors"
    assert write_safetensors(path, payloads(arrays)) == path.stat().st_size
    store = SafetensorsStore(path)
    assert_holds(store, {name: arrays[name] for name in store.entries})
    with safe_open(str(path), "np") as file:
        assert set(file.keys()) == set(arrays)
        for name, (dtype, array) in arrays.items():
            part = file.get_slice(name)
            assert (part.get_dtype(), tuple(part.get_shape())) == (NAMES[dtype], array.shape)
            if dtype.numpy.type.__module__ == "numpy":
                assert_equal(file.get_tensor(name), array, name)
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + size])
    assert size % 8 == 0
    widths = [arrays[name][1].dtype.itemsize for name in sorted(header, key=lambda n: header[n]["data_offsets"])]
    assert widths == sorted(widths, reverse=True)  # so that each is aligned


def test_safetensors_of_others(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "a/ж\n": rng.random((3, 4)),
        "b": rng.integers(0, 9, 5),
        "c": np.array(True),
        "d": np.zeros((0, 2), np.float16),
    }
    safetensors.save_file(arrays, str(tmp_path / "a.safetensors"), {"format": "np"})
    store = SafetensorsStore(tmp_path / "a.safetensors")
    assert_holds(store, {n: (DataType.from_numpy(array.dtype), array) for n, array in arrays.items()})


UNNAMED = [t for t in DataType if t not in NAMES]


@pytest.mark.parametrize("dtype", UNNAMED, ids=lambda t: t.label)
def test_safetensors_refuses_types(tmp_path: Path, dtype: DataType) -> None:
    class Untouched(ArrayPayload):
        def __init__(self) -> None:
            self.dtype, self.shape = dtype, (1,)

    with pytest.raises(UnsupportedError, match=f"a/b: safetensors has no type for {dtype.label}$"):
        write_safetensors(tmp_path / "a", [("fine", ArrayPayload(np.ones(1))), ("a/b", Untouched())])
    assert not list(tmp_path.iterdir())


def test_safetensors_refuses_names(tmp_path: Path) -> None:
    for names in (["w", "w"], ["__metadata__"]):
        with pytest.raises(UnsupportedError, match="no second tensor"):
            write_safetensors(tmp_path / "a", [(name, ArrayPayload(np.ones(1))) for name in names])


def entry(dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


SAFETENSORS_LIES: dict[str, tuple[Any, str]] = {
    "hole": ({"a": entry(), "b": entry(offsets=(5, 8), dtype="U8", shape=(3,))}, "tensor b: it begins at byte 5"),
    "overlap": ({"a": entry(), "b": entry()}, "it begins at byte 0 of the contents, but the one before ends at 4"),
    "rest": ({"a": entry()}, "4 bytes at its end belong to no tensor"),
    "beyond": ({"a": entry(shape=(4,), offsets=(0, 16))}, "these do not fit"),
    "backwards": ({"a": entry(offsets=(8, 4))}, "these do not fit"),
    "size": ({"a": entry(shape=(3,), offsets=(0, 8))}, "does not take 8 bytes"),
    "negative": ({"a": entry(shape=(-2,), offsets=(0, 8))}, "does not describe a tensor"),
    "float": ({"a": entry(shape=(2.0,), offsets=(0, 8))}, "does not describe a tensor"),
    "truth": ({"a": entry(shape=(True, 2), offsets=(0, 8))}, "does not describe a tensor"),
    "huge": ({"a": entry(shape=(1 << 70, 0), offsets=(0, 8))}, "these do not fit"),
    "rank": ({"a": entry(shape=[1] * 40, offsets=(0, 4))}, "these do not fit"),
    "three": ({"a": entry(offsets=(0, 4, 8))}, "does not describe a tensor"),
    "list": ({"a": [1]}, "does not describe a tensor"),
    "no type": ({"a": entry(dtype=None)}, "does not describe a tensor"),
    "array": ([], "not a JSON object"),
}


def stored(path: Path, header: bytes, content: bytes = bytes(8)) -> Path:
    path.write_bytes(struct.pack("<Q", len(header)) + header + content)
    return path


@pytest.mark.parametrize("name", SAFETENSORS_LIES)
def test_safetensors_lies(tmp_path: Path, name: str) -> None:
    header, message = SAFETENSORS_LIES[name]
    path = stored(tmp_path / "a", json.dumps(header).encode())
    with pytest.raises(CorruptFileError, match=message):
        SafetensorsStore(path)
    with pytest.raises(SafetensorError):
        safetensors.load_file(str(path))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"{", "its header is not JSON|its header is not a JSON"),
        (b"\xff\xfe", "its header is not JSON|its header is not a JSON"),
        (b"[" * 100_000, "its header is not JSON|its header is not a JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "tensor a: 9999|its header is not JSON|its header is not a JSON"),
    ],
)
def test_safetensors_no_header(tmp_path: Path, header: bytes, message: str) -> None:
    with pytest.raises(CorruptFileError, match=message):
        SafetensorsStore(stored(tmp_path / "a", header))


def test_safetensors_sizes(tmp_path: Path) -> None:
    for size in (100, 1 << 40, (1 << 64) - 1):
        (tmp_path / "a").write_bytes(struct.pack("<Q", size) + b"{}")
        with pytest.raises(CorruptFileError, match=f"its header claims {size:,} bytes"):
            SafetensorsStore(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"short")
    with pytest.raises(CorruptFileError, match="8 bytes needed"):
        SafetensorsStore(tmp_path / "a")


def test_safetensors_types_that_tensorflow_has_not(tmp_path: Path) -> None:
    header = {"a": entry("F8_E8M0", (8,), (0, 8))}
    store = SafetensorsStore(stored(tmp_path / "a", json.dumps(header).encode()))
    assert store.entries["a"].dtype is DataType.INVALID
    with pytest.raises(UnsupportedError, match="a: TensorFlow has no type for F8_E8M0"):
        store.payload("a")


# Damage


@pytest.fixture(scope="module", params=["npz", "deflated", "safetensors"])
def good(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    path = tmp_path_factory.mktemp("damage") / "good"
    arrays = {"a/w": np.arange(12, dtype=np.float32).reshape(3, 4), "n": np.array(7), "b": np.array([True, False])}
    if request.param == "safetensors":
        write_safetensors(path, [(name, ArrayPayload(array)) for name, array in arrays.items()])
    else:
        with open(path, "wb") as file:
            (np.savez_compressed if request.param == "deflated" else np.savez)(file, **arrays)
    return request.param, path


def read_all(kind: str, path: Path) -> dict[str, Any]:
    store: VariableStore = SafetensorsStore(path) if kind == "safetensors" else NpzStore(path)
    found = {}
    for name in store.entries:
        array = store.payload(name).numpy()
        pieces = b"".join(store.payload(name).chunks()) if not array.dtype.hasobject else b""
        found[name] = (array.tolist(), array.dtype, pieces)
    return found


def test_every_truncation_is_told(good: tuple[str, Path], tmp_path: Path) -> None:
    kind, path = good
    data = path.read_bytes()
    for size in range(len(data)):
        (tmp_path / "cut").write_bytes(data[:size])
        with pytest.raises(CorruptFileError):
            read_all(kind, tmp_path / "cut")


def test_every_flip_is_told_or_does_no_harm(good: tuple[str, Path], tmp_path: Path) -> None:
    """Never anything else than our errors; in an archive with checksums, never other values."""
    kind, path = good
    data, expected = path.read_bytes(), read_all(kind, path)
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        (tmp_path / "flip").write_bytes(damaged)
        try:
            found = read_all(kind, tmp_path / "flip")
        except GraphscopeError:
            continue
        if kind != "safetensors":
            assert [*found.values()] == [*expected.values()], at


@settings(max_examples=60)
@given(st.data())
def test_noise(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "noise"
    path.write_bytes(data.draw(st.binary(max_size=200)))
    for kind in ("npz", "safetensors"):
        with pytest.raises(GraphscopeError):
            read_all(kind, path)
