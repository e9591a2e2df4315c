"""Reads a file that gets shorter meanwhile: ``python -m tests.support.cutting_short KIND DIRECTORY``.

It is a process of its own, because a signal may end it.

The file is cut short just before a read, at reads all over the work, so that what was announced is no longer there.
"""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import graphscope
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import GraphscopeError
from graphscope.formats.archives.npz import NpzStore
from graphscope.formats.archives.npz_writer import write_npz
from graphscope.formats.archives.safetensors import SafetensorsStore, write_safetensors
from graphscope.formats.checkpoint.v2 import BundleStore
from graphscope.formats.checkpoint.writer import write_checkpoint
from graphscope.formats.events.event_file import holds_traces, parts
from graphscope.formats.io.records import read_records, record
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.pieces import flow, graph_pieces
from graphscope.protos import Event, GraphDef, MetaGraphDef, SavedModel

POINTS = 8
"""Reads at which the file is cut short, spread over all that the work takes."""

TENSORS = 5
ELEMENTS = 1 << 20


def _graph() -> GraphDef:
    """20 MB in five constants, each after a few thousand small nodes."""
    graph = GraphDef(versions={"producer": 27})
    for i in range(TENSORS):
        for j in range(1000):
            graph.node.add(name=f"small_{i}/{j}", op="NoOp")
        node = graph.node.add(name=f"w_{i}", op="Const")
        node.attr["dtype"].type = 1
        tensor = node.attr["value"].tensor
        tensor.dtype = 1
        tensor.tensor_shape.dim.add(size=ELEMENTS)
        tensor.tensor_content = bytes([65 + i]) * (4 * ELEMENTS)
    return graph


def _binary(path: Path) -> None:
    path.write_bytes(_graph().SerializeToString())


def _meta(path: Path) -> None:
    path.write_bytes(MetaGraphDef(graph_def=_graph()).SerializeToString())


def _saved_model(path: Path) -> None:
    path.write_bytes(
        SavedModel(saved_model_schema_version=1, meta_graphs=[{"graph_def": _graph()}]).SerializeToString()
    )


def _text(path: Path) -> None:
    path.write_text(str(_graph()))


def _joined_text(path: Path) -> None:
    """Without line ends: the parser's general way."""
    path.write_text(str(_graph()).replace("\n", " ").replace('"AAAA', '# A comment\n"AAAA'))


def _tensors() -> list[tuple[str, ArrayPayload]]:
    return [(f"w_{i}", ArrayPayload(np.full(ELEMENTS, i, np.float32))) for i in range(TENSORS)]


def _checkpoint(path: Path) -> None:
    write_checkpoint(str(path).partition(".data-")[0], _tensors())


def _records(path: Path) -> None:
    path.write_bytes(b"".join(record(bytes([i]) * (1 << 20)) for i in range(20)))


def _events(path: Path) -> None:
    version = record(Event(file_version="brain.Event:2").SerializeToString())
    summary = Event(summary={"value": [{"tag": "t", "tensor": {"string_val": [b"x" * (4 << 20)]}}]})
    path.write_bytes(version + record(summary.SerializeToString()) * TENSORS)


def _read_model(path: Path) -> Iterator[bytes]:
    graph = graphscope.load(path).graph
    for node in graph.nodes:
        if node.op == "Const":
            tensor = node.tensor()
            assert tensor is not None
            yield tensor.numpy().tobytes()
    yield from flow(graph_pieces(graph))


def _read_events(path: Path) -> Iterator[bytes]:
    source = FileSource(path)
    for part in parts(source, []):
        yield b"%d %d" % (part.number, holds_traces(source, part))


def _read_store(store: Any) -> Iterator[bytes]:
    for name in sorted(store.entries):
        yield store.payload(name).numpy().tobytes()


@dataclass(frozen=True)
class Kind:
    """A file's name, who writes it, and who reads all of it."""

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], Iterator[bytes]]


KINDS = {
    "graph": Kind("g.pb", _binary, _read_model),
    "meta graph": Kind("g.meta", _meta, _read_model),
    "saved model": Kind("saved_model.pb", _saved_model, _read_model),
    "text": Kind("g.pbtxt", _text, _read_model),
    "text on one line": Kind("g.pbtxt", _joined_text, _read_model),
    "checkpoint": Kind(
        "m.data-00000-of-00001", _checkpoint, lambda path: _read_store(BundleStore(str(path.parent / "m")))
    ),
    "records": Kind("r.tfrecord", _records, lambda path: (data for _, data in read_records(FileSource(path)))),
    "events": Kind("events.out.tfevents.1", _events, _read_events),
    "npz": Kind("a.npz", lambda path: write_npz(path, _tensors()), lambda path: _read_store(NpzStore(path))),
    "safetensors": Kind(
        "a.safetensors",
        lambda path: write_safetensors(path, _tensors()),
        lambda path: _read_store(SafetensorsStore(path)),
    ),
}


@dataclass
class Cutter:
    """Cuts ``path`` short before read number ``point``.

    Attributes:
        left: how many bytes stay, given where in the file the read begins and its size.
        reads: so many there were.
    """

    path: Path
    point: int = 0
    left: Callable[[int, int], int] = field(default=lambda _offset, _size: 0)
    reads: int = 0

    def before(self, offset: int, size: int) -> None:
        """Called before each read."""
        self.reads += 1
        if self.reads == self.point:
            os.truncate(self.path, min(self.left(offset, size), self.path.stat().st_size))

    def watch(self) -> None:
        """Puts itself before the reads of this process, by descriptor and out of archives."""
        pread, read = os.pread, zipfile.ZipExtFile.read

        def watched_pread(descriptor: int, size: int, offset: int) -> bytes:
            self.before(offset, size)
            return pread(descriptor, size, offset)

        def watched_read(file: zipfile.ZipExtFile, size: int = -1) -> bytes:
            self.before(0, 0)
            return read(file, size)

        os.pread = watched_pread
        zipfile.ZipExtFile.read = watched_read  # type: ignore[assignment, method-assign]


def main(name: str, directory: Path) -> None:
    """Prints one line for each time: ``error``, ``same`` where all was read before, or ``different``."""
    kind = KINDS[name]
    path = directory / kind.name
    kind.write(path)
    content = path.read_bytes()
    cutter = Cutter(path)
    cutter.watch()

    def outcome() -> str:
        digest = hashlib.sha1(usedforsecurity=False)
        cutter.reads = 0
        try:
            for piece in kind.read(path):
                digest.update(piece)
        except GraphscopeError as error:
            print(f"error {type(error).__name__}: {error}", flush=True)
            return "error"
        return digest.hexdigest()

    whole = outcome()
    points = sorted({1 + i * (cutter.reads - 1) // (POINTS - 1) for i in range(POINTS)})
    ways: tuple[Callable[[int, int], int], ...] = (
        lambda _offset, _size: 0,
        lambda offset, size: offset + size // 2,
        lambda _offset, _size: len(content) // 2,
    )
    for cutter.point in points:
        for cutter.left in ways:
            path.write_bytes(content)
            found = outcome()
            if found != "error":
                print("same" if found == whole else "different", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
