"""Files that are none, and data that nobody means: one sentence that names them, soon and in little memory."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope.core.dtypes import DataType
from graphscope.core.tensors import TensorSpec
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, UnsupportedError
from graphscope.formats import label_files
from graphscope.formats.label_files import read_labels
from graphscope.formats.npz import NpzStore
from graphscope.formats.wire import Source
from graphscope.runtime.feed_values import from_file
from graphscope.training.data import DataOptions, open_data

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
SPEC = TensorSpec("x:0", DataType.FLOAT, (None, 2))


@needs_pipes
@pytest.mark.parametrize("suffix", ["", ".pb", ".meta", ".index", ".pbtxt", ".npz"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"pipe{suffix}"
    os.mkfifo(path)
    for opens in (graphscope.load, Source, NpzStore, read_labels):
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
    for opens in (Source, graphscope.load):
        with pytest.raises(GraphscopeError):
            opens("a\0b")
