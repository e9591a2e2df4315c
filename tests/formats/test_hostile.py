"""Files that are none, and data that nobody means: one sentence that names them, soon and in little memory."""

from __future__ import annotations

import os
import socket
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import graphscope
from graphscope.analysis.scopes import MAX_LEVELS, scope_tree
from graphscope.cli.app import app
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, UnsupportedError
from graphscope.feeding.feed_values import from_file
from graphscope.formats.archives.npz import NpzStore
from graphscope.formats.events.event_file import parts
from graphscope.formats.io.records import record
from graphscope.formats.io.wire import FileSource
from graphscope.formats.media import label_files
from graphscope.formats.media.label_files import read_labels
from graphscope.protos import Event
from graphscope.training.data import DataOptions, open_data
from graphscope.training.features.store import MANIFEST, read_layout
from tests.support.broken import BOUND_BYTES, memory
from tests.support.fixture_files import FIXTURES
from tests.support.graphs import graph_of, placeholder

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
SPEC = TensorSpec("x:0", DataType.FLOAT, (None, 2))


@needs_pipes
@pytest.mark.parametrize("suffix", ["", ".pb", ".meta", ".index", ".pbtxt", ".npz"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"pipe{suffix}"
    os.mkfifo(path)
    for opens in (graphscope.load, FileSource, NpzStore, read_labels):
        with pytest.raises(FileError, match="a named pipe, not a regular file"):
            opens(path)


@needs_pipes
def test_devices_and_sockets_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="/dev/zero: a device, not a regular file"):
        graphscope.load("/dev/zero")
    for opens in (NpzStore, read_labels):
        with pytest.raises(FileError, match="a device"):
            opens(Path("/dev/zero"))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.pb"))
        with pytest.raises(FileError, match="a socket, not a regular file"):
            graphscope.load(tmp_path / "s.pb")


@needs_pipes
@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.txt"])
def test_a_pipe_is_not_fed(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(FileError, match="a named pipe"):
        from_file(str(tmp_path / name), TensorSpec("x:0", DataType.STRING, ()))


def test_a_large_file_of_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_files, "MAX_BYTES", 10)
    (tmp_path / "labels.txt").write_text("a\n" * 5)
    assert read_labels(tmp_path / "labels.txt").classes == ("a",) * 5
    (tmp_path / "labels.txt").write_text("a\n" * 6)
    with pytest.raises(UnsupportedError, match="12 bytes"):
        read_labels(tmp_path / "labels.txt")


def test_a_scalar_for_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((3, 2), np.float32), y=np.int64(7))
    with pytest.raises(CorruptFileError, match="y is a scalar"):
        open_data(str(tmp_path / "d.npz"), SPEC, DataOptions(cache=tmp_path))


@pytest.mark.parametrize("rank", [33, 70, 255])
def test_an_idx_file_of_many_dimensions(tmp_path: Path, rank: int) -> None:
    content = struct.pack(">4B", 0, 0, 8, rank) + struct.pack(">I", 1) * rank + b"\1"
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UnsupportedError, match=f"{rank} dimensions"):
        open_data(str(tmp_path), SPEC, DataOptions(cache=tmp_path))


def test_a_name_with_nul() -> None:
    for opens in (FileSource, graphscope.load):
        with pytest.raises(GraphscopeError):
            opens("a\0b")


@pytest.mark.parametrize("label", [1 << 62, 1 << 24])
@pytest.mark.parametrize("task", ["classes", "as stored"])
def test_a_label_that_is_no_class(tmp_path: Path, label: int, task: str) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 2), np.float32), y=np.array([0, label]))
    with pytest.raises(GraphscopeError, match=f"label {label} is not the number of a class"):
        open_data(str(tmp_path / "d.npz"), SPEC, DataOptions(task=task, cache=tmp_path))


HEADERS = [
    "{",
    "{'descr': '<f4'}",
    "[1, 2]",
    "{'descr': 'O', 'fortran_order': False, 'shape': ()}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (10**9,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 1000000000000)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': " + "(1," * 40 + ")" * 40 + "}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': 3}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}",
    "{'descr': ('<f4', 3), 'fortran_order': True, 'shape': (1,)}",
    "{'descr': [('a', '<f4'), ('a', '<f4')], 'fortran_order': 1, 'shape': (1,)}",
    "{'descr': [], 'fortran_order': 1, 'shape': (1,)}",
    "{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '<f0', 'fortran_order': False, 'shape': (1,)}",
    "{[]: 1}",
    "1" * 5000,
    "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",)}",
    "(" * 300,
    "\0",
]


@pytest.mark.parametrize("number", range(len(HEADERS)))
def test_headers_of_arrays(tmp_path: Path, number: int) -> None:
    header = HEADERS[number].encode()
    content = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + b"\0" * 4
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(GraphscopeError), memory(BOUND_BYTES):
        from_file(str(tmp_path / "x.npy"), TensorSpec("x:0", DataType.FLOAT, (2,)))
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(GraphscopeError), memory(BOUND_BYTES):
        NpzStore(tmp_path / "x.npz").payload("x").numpy()


MANIFESTS = [
    "[]",
    "{}",
    "7",
    '{"tensors": [], "count": 1, "shard_rows": 1}',
    '{"tensors": [1], "count": 1, "shard_rows": 1}',
    '{"tensors": [{"name": "x", "dtype": "float32", "shape": [2]}], "count": -1, "shard_rows": 1}',
    '{"tensors": [{"name": "x", "dtype": "float32", "shape": [2]}], "count": 1, "shard_rows": 0}',
    '{"tensors": [{"name": "x", "dtype": "float32", "shape": [-2]}], "count": 1, "shard_rows": 1}',
    '{"tensors": [{"name": "x", "dtype": "float32", "shape": ["2"]}], "count": 1, "shard_rows": 1}',
    '{"tensors": [{"name": "x", "dtype": "string", "shape": [2]}], "count": 1, "shard_rows": 1}',
    '{"tensors": [{"name": "x", "dtype": "float32", "shape": 2}], "count": 1, "shard_rows": 1}',
    '{"tensors": [{"name": "x", "dtype": "float32", "shape": [2]}], "count": 1e400, "shard_rows": 1}',
    '{"tensors": [{"name": "x", "dtype": [], "shape": [2]}], "count": 1, "shard_rows": 1}',
    '{"tensors": {"a": 1}, "count": 1, "shard_rows": 1}',
    "[" * 100_000,
    '{"count": ' + "9" * 5000 + "}",
    "\udcff",
]


@pytest.mark.parametrize("number", range(len(MANIFESTS)))
def test_manifests_of_features(tmp_path: Path, number: int) -> None:
    (tmp_path / MANIFEST).write_bytes(MANIFESTS[number].encode("utf-8", "surrogateescape"))
    with pytest.raises(CorruptFileError, match="not a manifest of features"):
        read_layout(tmp_path)


def big_text(path: Path) -> None:
    content = b"\\000\\000\\200?" * (3 << 20)
    node = b'node { name: "w" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "value" value { tensor {'
    node += b' dtype: DT_FLOAT tensor_shape { dim { size: 3145728 } } tensor_content: "' + content + b'" } } } }'
    path.write_bytes(node)


def big_events(path: Path) -> None:
    version = record(Event(file_version="brain.Event:2").SerializeToString())
    path.write_bytes(version + record(Event(graph_def=b"x" * (5 << 20)).SerializeToString()) * 2)


def test_a_text_that_became_shorter(tmp_path: Path) -> None:
    big_text(tmp_path / "g.pbtxt")
    model = graphscope.load(tmp_path / "g.pbtxt")
    tensor = model.graph["w"].tensor()
    assert tensor is not None
    os.truncate(tmp_path / "g.pbtxt", 1 << 20)
    with pytest.raises(CorruptFileError, match="became shorter"):
        tensor.numpy()


def test_a_text_that_becomes_shorter_while_it_is_read(tmp_path: Path) -> None:
    big_text(tmp_path / "g.pbtxt")
    tensor = graphscope.load(tmp_path / "g.pbtxt").graph["w"].tensor()
    assert tensor is not None
    chunks = tensor.chunks()
    next(chunks)
    os.truncate(tmp_path / "g.pbtxt", 1 << 20)
    with pytest.raises(CorruptFileError, match="became shorter"):
        list(chunks)


def test_events_that_become_fewer(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    big_events(path)
    found = parts(FileSource(path), [])
    next(found)
    os.truncate(path, 1 << 10)
    with pytest.raises(CorruptFileError, match="became shorter"):
        list(found)


def test_a_very_deep_name() -> None:
    deep = "/".join("a" * 300_000)
    graph = graph_of(placeholder(deep), placeholder(deep + "/b"), placeholder("c/d"))
    rows = list(scope_tree(graph))
    assert len(rows) == MAX_LEVELS + 2 + 2
    assert max(row.depth for row in rows) == MAX_LEVELS
    assert [row.name for row in rows if row.op] == [deep, deep + "/b", "c/d"]
    assert "/".join(row.label for row in rows[: MAX_LEVELS + 1]) == deep
    assert [row.label for row in rows[-2:]] == ["c", "d"]


DIGITS = "9" * 5_000
"""More than Python turns into a number."""


@pytest.mark.parametrize(
    "words",
    [
        ["run", "M", "--threads", DIGITS],
        ["run", "M", "--devices", f"cpu:{DIGITS}"],
        ["run", "M", "--feed", f"input:{DIGITS}=1"],
        ["show", "M", f"softmax:{DIGITS}"],
        ["info", f"M.data-00000-of-{DIGITS}"],
        ["graft", "M", "-o", "O", "--at", "fc2/relu", "--head", f"dense:{DIGITS}"],
        ["graft", "M", "-o", "O", "--at", "fc2/relu", "--head", f"conv:{DIGITS}x1x1"],
        ["features", "M", "--data", "D", "-o", "O", "--size", f"{DIGITS}x2"],
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_numbers_of_thousands_of_digits(words: list[str], tmp_path: Path) -> None:
    names = {"M": str(FIXTURES / "lenet5"), "O": str(tmp_path / "o"), "D": str(FIXTURES / "digits")}
    result = CliRunner().invoke(app, [names.get(word, word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (0, 1, 2)
