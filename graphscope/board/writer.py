"""Event files: what TensorBoard's log directories hold.

Source: ``tensorflow/core/util/event.proto``, ``events_writer.cc``.
"""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from graphscope.board.blank import blank_weights
from graphscope.core.graph import Graph
from graphscope.errors import file_errors
from graphscope.formats.io.records import record
from graphscope.formats.lazy.pieces import flow, graph_pieces, meta_graph_pieces
from graphscope.protos import Event, MetaGraphDef, RunMetadata, Summary, TaggedRunMetadata

SUFFIX = ".graphscope"
"""The suffix of event files that graphscope writes, by which it recognizes them."""

_VERSION = "brain.Event:2"
_numbers = itertools.count()


def event_file_name(suffix: str = SUFFIX) -> str:
    """A unique name for an event file, in TensorFlow's form: time, host, process, running number, suffix.

    Files of the same second are read in the order of their names, so the number has leading zeros.
    """
    number = next(_numbers)
    return f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{number:06d}{suffix}"


class EventStream:
    """Writes events to ``file``, the file's version first."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.add(Event(file_version=_VERSION))

    def add(self, event: Event) -> None:
        """Writes ``event``, with the current time if it has none."""
        if not event.wall_time:
            event.wall_time = time.time()
        self._file.write(record(event.SerializeToString()))

    def graph(self, graph: Graph, meta: MetaGraphDef | None = None) -> None:
        """Writes the graph without its weights, and again in its meta graph, if there is one.

        TensorBoard shows the former; TensorFlow's own writer also logs both. Reads no weights.
        """
        without = blank_weights(graph)
        self.add(Event(graph_def=b"".join(flow(graph_pieces(without)))))
        if meta is not None:
            self.add(Event(meta_graph_def=b"".join(flow(meta_graph_pieces(meta, without)))))

    def run_metadata(self, tag: str, metadata: RunMetadata, step: int) -> None:
        """Writes the metadata of a traced run, which TensorBoard lists under ``tag``; a tag must be unique in a run."""
        tagged = TaggedRunMetadata(tag=tag, run_metadata=metadata.SerializeToString())
        self.add(Event(step=step, tagged_run_metadata=tagged))

    def summary(self, values: Iterable[Summary.Value], step: int) -> None:
        """Writes values of :mod:`graphscope.board.summaries`."""
        self.add(Event(step=step, summary=Summary(value=values)))


class EventWriter(EventStream):
    """A new event file in ``directory``, which is made if necessary; grows while a training runs. A context manager.

    Attributes:
        path: the file.
    """

    def __init__(self, directory: Path, *, suffix: str = SUFFIX) -> None:
        """Opens the file.

        Raises:
            FileError: the operating system refuses.
        """
        self.path = Path(directory) / event_file_name(suffix)
        with file_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = open(self.path, "xb")  # noqa: SIM115 - closed by close()
        super().__init__(file)

    def add(self, event: Event) -> None:
        """See :meth:`EventStream.add`.

        Raises:
            FileError: the operating system refuses (no space).
        """
        with file_errors(self.path):
            super().add(event)

    def flush(self) -> None:
        """Makes written events visible to readers.

        Raises:
            FileError: the operating system refuses (no space).
        """
        with file_errors(self.path):
            self._file.flush()

    def close(self) -> None:
        """Flushes and closes; raises as :meth:`flush`."""
        try:
            self.flush()
        finally:
            self._file.close()

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
