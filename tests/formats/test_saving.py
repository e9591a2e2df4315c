"""Saving: a file is written whole or not at all, and weights stream from file to file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope.cli.terminal.wording import to_words
from graphscope.core.values.payload import CHUNK_BYTES
from graphscope.errors import CorruptFileError, FileError
from graphscope.formats.lazy.payloads import READ_BYTES
from tests.support.fixture_files import FIXTURES, ROOT
from tests.support.saving import tf
from tests.support.tables import varint

from google.protobuf import text_format  # isort: skip
from tests.support.graph_bytes import GraphDef, add_const, bytes_of, const, every_form, field, shape, type_entry


def test_an_existing_file_stands(tmp_path: Path) -> None:
    model = graphscope.load(FIXTURES / "softmax" / "frozen.pb")
    target = tmp_path / "x.pb"
    target.write_bytes(b"old")
    with pytest.raises(FileError, match=r"x\.pb: the file exists") as caught:
        graphscope.save(model, target)
    assert to_words(caught.value.hint) == "--force replaces it"
    with pytest.raises(FileError, match="no such directory"):
        graphscope.save(model, tmp_path / "gone" / "x.pb")
    broken = tmp_path / "broken.pb"
    broken.write_bytes(const(b"\x08\x03" + shape(3000) + field(4, bytes(12_000))))
    cut_off = graphscope.load(broken)
    with open(broken, "r+b") as file:
        file.truncate(2000)
    with pytest.raises(CorruptFileError, match="became shorter"):
        graphscope.save(cut_off, target, overwrite=True)
    assert target.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.pb", "x.pb"]
    graphscope.save(model, target, overwrite=True)
    assert GraphDef.FromString(target.read_bytes()).node[0].name == model.graph.nodes[0].name


def test_saving_over_itself(tmp_path: Path) -> None:
    """The weights come from the very file that is replaced."""
    path = tmp_path / "x.pb"
    path.write_bytes(every_form().SerializeToString())
    graphscope.save(graphscope.load(path), path, overwrite=True)
    assert bytes_of(GraphDef.FromString(path.read_bytes())) == bytes_of(every_form())


# Memory

STREAM = """
import json, pathlib, re, resource, sys
import graphscope
from graphscope.analysis.listing import Listing, list_nodes
from graphscope.analysis.summary import summarize

model = graphscope.load(sys.argv[1])
summary = summarize(model)
rows = [row.name for row in list_nodes(model, Listing())]
size = graphscope.save(model, sys.argv[2]).size_bytes
tensor = model.graph["w"].tensor()
read = sum(len(chunk) for chunk in tensor.chunks())
status = pathlib.Path("/proc/self/status")
if status.exists():  # Linux carries the peak of the process that started this one over into getrusage
    peak = 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([rows, tensor.shape, size, read, summary.parameters.size_bytes, peak, "tensorflow" in sys.modules]))
"""
WEIGHT_BYTES = 200 << 20
HEAD_W = field(1, b"w") + field(2, b"Const") + type_entry(b"dtype", 1)


def nested(size: int) -> Iterator[bytes]:
    """What stands before ``size`` bytes of ``tensor_content`` in a graph's first node, innermost first."""
    for number, before in ((4, b"\x08\x01" + shape(size // 4)), (8, b""), (2, field(1, b"value")), (5, HEAD_W)):
        head = varint(number << 3 | 2) + varint(size)
        yield before + head
        size += len(before + head)
    yield varint(1 << 3 | 2) + varint(size)


def test_weights_stream(tmp_path: Path) -> None:
    source, target = tmp_path / "huge.pb", tmp_path / "again.pb"
    head = b"".join(reversed(list(nested(WEIGHT_BYTES))))
    tail = field(1, field(1, b"y") + field(2, b"Identity") + field(3, b"w") + type_entry(b"T", 1)) + b"\x22\x02\x08\x1b"
    with open(source, "wb") as file:
        file.write(head)
        file.seek(WEIGHT_BYTES, 1)
        file.write(tail)
    command = [sys.executable, "-c", STREAM, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    rows, found, size, read, parameters, peak, has_tensorflow = json.loads(done.stdout)
    assert rows == ["w", "y"]
    assert (found, read, parameters) == ([WEIGHT_BYTES // 4], WEIGHT_BYTES, WEIGHT_BYTES)
    assert size == source.stat().st_size == target.stat().st_size
    assert not has_tensorflow
    assert peak < 120e6, f"{peak / 1e6:.0f} MB"
    with open(target, "rb") as file:
        assert file.read(len(head)) == head
        file.seek(-len(tail), 2)
        assert file.read() == tail


def test_pieces_are_of_one_size(tmp_path: Path) -> None:
    graph = GraphDef()
    values = np.arange(1_000_000, dtype=np.float64)
    add_const(graph.node, "c", tf.make_tensor_proto(values))
    (tmp_path / "x.pb").write_bytes(graph.SerializeToString())
    (tmp_path / "x.pbtxt").write_text(text_format.MessageToString(graph))
    for name, size in (("x.pb", READ_BYTES), ("x.pbtxt", CHUNK_BYTES)):
        tensor = graphscope.load(tmp_path / name).graph["c"].tensor()
        assert tensor is not None
        pieces = list(tensor.chunks())
        assert b"".join(pieces) == values.tobytes()
        assert {len(piece) for piece in pieces[:-1]} == {size}
        assert 0 < len(pieces[-1]) <= size
