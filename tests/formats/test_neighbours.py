"""Files that are no models, made by the libraries they belong to: the error names the file, what it is, and what to do."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import shutil
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.cli.terminal.wording import to_words
from graphscope.errors import CorruptFileError, GraphscopeError, NotTensorFlowError
from graphscope.formats.detect.neighbours import NEIGHBOURS
from tests.support.fixture_files import FIXTURES
from tests.support.zoo_files import ZOO, needs_zoo

CKPT = FIXTURES / "softmax" / "model.ckpt-6000"
GRAPH = FIXTURES / "softmax" / "frozen.pb"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "4d7a" * 16 + "\nsize 93\n"


def tensorflow() -> Any:
    return pytest.importorskip("tensorflow", reason="TensorFlow writes this file")


def keras() -> Any:
    return pytest.importorskip("keras", reason="Keras writes this file")


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(GRAPH, "frozen.pb")


def _empty_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w"):
        pass


def _tar(kind: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with tarfile.open(path, "w", format=kind) as archive:
            archive.add(GRAPH, "frozen.pb")

    return make


def _tar_gz(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        archive.add(GRAPH, "frozen.pb")


def _event(path: Path) -> None:
    writer = tensorflow().summary.create_file_writer(str(path.parent / "logs"))
    with writer.as_default():
        tensorflow().summary.scalar("x", 1.0, step=1)
    writer.close()
    [written] = (path.parent / "logs").iterdir()
    shutil.copyfile(written, path)


def _records(path: Path) -> None:
    with tensorflow().io.TFRecordWriter(str(path)) as writer:
        writer.write(b"a record")


def _h5(path: Path) -> None:
    with pytest.importorskip("h5py", reason="h5py writes this file").File(path, "w") as file:
        file["weights"] = [1.0, 2.0]


def _keras(path: Path) -> None:
    model = keras().Sequential([keras().layers.Input((2,)), keras().layers.Dense(1)])
    model.save(path.parent / "model.keras")
    shutil.copyfile(path.parent / "model.keras", path)


def _lite(path: Path) -> None:
    tf = tensorflow()
    function = tf.function(lambda x: x + 1.0, input_signature=[tf.TensorSpec([2])])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    path.write_bytes(converter.convert())


def _onnx(path: Path) -> None:
    """``ModelProto``: ir_version 8, producer_name, graph with a node and a name, opset_import."""
    node = b"\n\x01x\x12\x01y\x22\x04Relu"
    graph = b"\n" + bytes([len(node)]) + node + b"\x12\x01g"
    path.write_bytes(b"\x08\x08\x12\x07pytorch\x3a" + bytes([len(graph)]) + graph + b"\x42\x02\x10\x0f")


def _bare_onnx(path: Path) -> None:
    """ir_version 3 and a graph, as early exporters wrote."""
    path.write_bytes(b"\x08\x03\x3a\x03\x12\x01g")


def _pickle(protocol: int) -> Callable[[Path], None]:
    return lambda path: _ignored(path.write_bytes(pickle.dumps({"weights": [1.0, 2.0]}, protocol)))


def _written(data: bytes) -> Callable[[Path], None]:
    return lambda path: _ignored(path.write_bytes(data))


def _ignored(_: object) -> None:
    return None


def _elf(path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("programs are ELF files on Linux")
    with open(sys.executable, "rb") as program:
        path.write_bytes(program.read(4096))


def _jpeg(path: Path) -> None:
    path.write_bytes(tensorflow().io.encode_jpeg(np.zeros([4, 4, 3], np.uint8)).numpy())


def _npy(path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    path.write_bytes(buffer.getvalue())


FILES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "pointer": ("a Git LFS pointer", _written(POINTER.encode())),
    "html": ("an HTML or XML page", _written(b"\n<!DOCTYPE html>\n<html><title>404</title></html>")),
    "html without doctype": ("an HTML or XML page", _written(b"<html lang='en'>")),
    "xml": ("an HTML or XML page", _written(b"<?xml version='1.0'?><Error>AccessDenied</Error>")),
    "keras": ("a Keras model archive", _keras),
    "npz": ("a NumPy archive", lambda path: shutil.copyfile(FIXTURES / "softmax" / "weights.npz", path) and None),
    "zip": ("a zip archive", _zip),
    "empty zip": ("a zip archive", _empty_zip),
    "gzip": ("a gzip file", _written(gzip.compress(GRAPH.read_bytes()))),
    "tar.gz": ("a gzip file", _tar_gz),
    "bzip2": ("a bzip2 file", _written(bz2.compress(b"graph"))),
    "xz": ("an xz file", _written(lzma.compress(b"graph"))),
    "7z": ("a 7-Zip archive", _written(b"7z\xbc\xaf\x27\x1c\0\4" + bytes(24))),
    "tar, ustar": ("a tar archive", _tar(tarfile.USTAR_FORMAT)),
    "tar, gnu": ("a tar archive", _tar(tarfile.GNU_FORMAT)),
    "tar, pax": ("a tar archive", _tar(tarfile.PAX_FORMAT)),
    "hdf5": ("an HDF5 file", _h5),
    "tflite": ("a TensorFlow Lite model", _lite),
    "event": ("a TensorFlow event file", _event),
    "records": ("a TFRecord file", _records),
    "npy": ("a NumPy array", _npy),
    "png": ("a PNG picture", lambda path: shutil.copyfile(FIXTURES / "digits" / "0a.png", path) and None),
    "jpeg": ("a JPEG picture", _jpeg),
    **{f"pickle {n}": ("a Python pickle", _pickle(n)) for n in (2, 3, 4, 5)},
    "elf": ("an ELF program", _elf),
    "onnx": ("an ONNX model", _onnx),
    "early onnx": ("an ONNX model", _bare_onnx),
}
NAMES = ("model", "frozen.pb", "graph.pbtxt", "model.meta", "model.index", "saved_model.pb")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a file of :data:`FILES`, once."""
    directory = tmp_path_factory.mktemp("neighbours")

    def make(kind: str) -> Path:
        path = directory / kind
        if not path.exists():
            FILES[kind][1](path)
        return path

    return make


def refusal(path: Path | str) -> NotTensorFlowError:
    with pytest.raises(NotTensorFlowError) as caught:
        graphscope.load(path)
    return caught.value


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "kind", [kind for kind in FILES if kind not in ("event", "npz")]
)  # a model, unless it stands for another file
def test_neighbours(tmp_path: Path, made: Callable[[str], Path], kind: str, name: str) -> None:
    path = tmp_path / name
    shutil.copyfile(made(kind), path)
    error = refusal(path)
    assert error.message.startswith(f"{path}: this is {FILES[kind][0]}")
    assert error.path == str(path)
    assert error.hint
    if name != "model":
        assert refusal(tmp_path).message.startswith(f"{path}: this is {FILES[kind][0]}")


def test_every_neighbour_is_tried() -> None:
    for neighbour in NEIGHBOURS:
        assert any(neighbour.name.startswith(expected) for expected, _ in FILES.values()), neighbour.name


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    error = refusal(path)
    assert error.message == f"{path}: the file is empty"
    assert to_words(error.hint) == "copy or download it again"


@pytest.mark.parametrize("content", [b"\x80", b"\n", b"\x08", b"<", b"PK", b"\0" * 400, b"TFL3", b"{}", b"# text\n"])
def test_what_nobody_knows(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pb"
    path.write_bytes(content)
    with pytest.raises(
        NotTensorFlowError, match=r"x\.pb: not a TensorFlow graph or checkpoint: it starts with "
    ) as caught:
        graphscope.load(path)
    assert caught.value.message.endswith(content[:8].hex(" "))


# Parts of a checkpoint


@pytest.mark.parametrize("member", [".meta", ".index"])
@pytest.mark.parametrize("kind", ["pointer", "html", "gzip"])
def test_in_the_place_of_a_member(tmp_path: Path, made: Callable[[str], Path], kind: str, member: str) -> None:
    """However the checkpoint is spelled, the broken member is named."""
    for suffix in (".meta", ".index", ".data-00000-of-00001"):
        shutil.copyfile(f"{CKPT}{suffix}", tmp_path / f"m{suffix}")
    shutil.copyfile(made(kind), tmp_path / f"m{member}")
    for spelling in ("m", "m.meta", "m.index", "m.data-00000-of-00001", ""):
        error = refusal(tmp_path / spelling)
        assert error.message.startswith(f"{tmp_path / 'm'}{member}: this is {FILES[kind][0]}")


def test_an_empty_member(tmp_path: Path) -> None:
    for suffix in (".meta", ".index"):
        directory = tmp_path / suffix[1:]
        directory.mkdir()
        for other in (".meta", ".index", ".data-00000-of-00001"):
            shutil.copyfile(f"{CKPT}{other}", directory / f"m{other}")
        (directory / f"m{suffix}").write_bytes(b"")
        assert refusal(directory / "m").message == f"{directory / 'm'}{suffix}: the file is empty"


def test_a_data_file_that_was_not_fetched(tmp_path: Path) -> None:
    for suffix in (".meta", ".index"):
        shutil.copyfile(f"{CKPT}{suffix}", tmp_path / f"m{suffix}")
    data = tmp_path / "m.data-00000-of-00001"
    data.write_text(POINTER)
    model = graphscope.load(tmp_path)
    for variable in model.variables:
        with pytest.raises(NotTensorFlowError) as caught:
            model.value(variable).numpy()
        assert caught.value.message == f"{data}: this is a Git LFS pointer: the file itself was not fetched"


def test_variables_of_a_saved_model_that_were_not_fetched(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "lenet5" / "saved_model", tmp_path / "s")
    index = tmp_path / "s" / "variables" / "variables.index"
    index.write_text(POINTER)
    assert refusal(tmp_path / "s").message.startswith(f"{index}: this is a Git LFS pointer")


def test_a_state_file_that_was_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text(POINTER)
    assert refusal(tmp_path).message.startswith(f"{tmp_path / 'checkpoint'}: this is a Git LFS pointer")


@pytest.mark.parametrize("name", ["train", "train-00000-of-00001"])
def test_shards_of_records(tmp_path: Path, made: Callable[[str], Path], name: str) -> None:
    path = tmp_path / "train-00000-of-00001"
    shutil.copyfile(made("records"), path)
    assert refusal(tmp_path / name).message == f"{path}: this is a TFRecord file"


# TensorFlow's own files in each other's place


def test_other_messages(tmp_path: Path) -> None:
    contents = {
        "a GraphDef": GRAPH,
        "a MetaGraphDef": Path(f"{CKPT}.meta"),
        "a SavedModel": FIXTURES / "lenet5" / "saved_model" / "saved_model.pb",
        "a checkpoint state": FIXTURES / "softmax" / "checkpoint",
    }
    places = {"a MetaGraphDef": "x.meta", "the index of a checkpoint": "y.index", "a SavedModel": "saved_model.pb"}
    for found, source in contents.items():
        for expected, name in places.items():
            if found == expected:
                continue
            directory = tmp_path / f"{found} as {name}"
            directory.mkdir()
            shutil.copyfile(source, directory / name)
            with pytest.raises(CorruptFileError) as caught:
                graphscope.load(directory if name == "saved_model.pb" else directory / name)
            assert caught.value.message == f"{directory / name}: {found}, where {expected} was expected"
            assert caught.value.hint is not None
            renamed = Path(to_words(caught.value.hint).rpartition(" ")[2])
            assert to_words(caught.value.hint) == f"rename it: mv {directory / name} {renamed}"
            (directory / name).rename(directory / renamed)
            if found != "a checkpoint state":
                assert graphscope.load(directory / renamed).has_graph


def test_text_in_the_place_of_an_index(tmp_path: Path) -> None:
    shutil.copyfile(FIXTURES / "softmax" / "graph.pbtxt", tmp_path / "x.index")
    with pytest.raises(CorruptFileError, match="a GraphDef, where the index of a checkpoint was expected"):
        graphscope.load(tmp_path / "x")


@pytest.mark.parametrize("name", ["graph", "graph.pb", "graph.pbtxt"])
def test_an_index_where_a_graph_was_expected(tmp_path: Path, name: str) -> None:
    """By its end it is a table, as a V1 checkpoint is."""
    shutil.copyfile(f"{CKPT}.index", tmp_path / name)
    with pytest.raises(CorruptFileError) as caught:
        graphscope.load(tmp_path / name)
    expected = "the index of a V2 checkpoint, where a V1 checkpoint was expected"
    assert caught.value.message == f"{tmp_path / name}: {expected}"
    assert to_words(caught.value.hint) == f"rename it: mv {tmp_path / name} model.index"


@pytest.mark.parametrize("name", ["model.meta", "saved_model.pb"])
def test_an_index_in_the_place_of_a_message(tmp_path: Path, name: str) -> None:
    shutil.copyfile(f"{CKPT}.index", tmp_path / name)
    with pytest.raises(GraphscopeError, match=f"{name}: .*checkpoint"):
        graphscope.load(tmp_path / name)


def test_a_v1_checkpoint_called_index(tmp_path: Path) -> None:
    shutil.copyfile(FIXTURES / "softmax" / "v1" / "model.ckpt-6000", tmp_path / "x.index")
    with pytest.raises(CorruptFileError, match=r"x\.index: "):
        graphscope.load(tmp_path / "x.index")


def test_records_are_told_by_their_checksum(tmp_path: Path, made: Callable[[str], Path]) -> None:
    data = bytearray(made("records").read_bytes())
    assert struct.unpack("<Q", data[:8])[0] == 8
    data[0] ^= 1
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(NotTensorFlowError, match="not a TensorFlow graph or checkpoint"):
        graphscope.load(tmp_path / "x")


# The zoo


@needs_zoo
def test_the_zoos_negatives() -> None:
    files = [path for path in (ZOO / "negative").rglob("*") if path.is_file()]
    assert len(files) == 2
    for path in files:
        assert refusal(path).message == f"{path}: this is a Git LFS pointer: the file itself was not fetched"
        assert to_words(refusal(path).hint) == "git lfs pull   in the repository it came from"
