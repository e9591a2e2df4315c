"""Event files: TFRecords of ``Event`` messages, which training programs write for TensorBoard.

Source: ``tensorflow/core/util/event.proto``; for TensorFlow 2, ``summary_ops_v2.py`` (``trace_export``).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from graphscope.core.values.payload import CHUNK_BYTES
from graphscope.errors import CorruptFileError, FileError, TruncatedFileError
from graphscope.formats.io.paths import is_directory, is_file
from graphscope.formats.io.records import Record, is_event_file_name, records, verify
from graphscope.formats.io.wire import Cursor, FileSource
from graphscope.protos import DecodeError, Event, RunMetadata

GRAPH, SUMMARY, TAGGED_RUN_METADATA, META_GRAPH = 4, 5, 8, 9
"""Fields of ``Event``."""

PROFILED = "graph_run_metadata"
TRACED = (PROFILED, "graph_run_metadata_graph")
"""TensorBoard's plugins whose summaries hold a ``RunMetadata``: with a trace and graphs, and with graphs alone."""

KERAS = "graph_keras_model"
"""The plugin whose summaries hold a Keras model's configuration as JSON."""

_TRACED_WORD = PROFILED.encode()


@dataclass(frozen=True, slots=True)
class Part:
    """A field of an event: its number, and the location of its content in the file.

    Attributes:
        record: the event.
    """

    number: int
    start: int
    end: int
    record: Record


@dataclass(frozen=True, slots=True)
class Tagged:
    """The logged trace of a run.

    Attributes:
        path: the event file.
        tag: the tag in TensorBoard.
        step: the training step.
        data: a serialized ``RunMetadata``.
    """

    path: Path
    tag: str
    step: int
    data: bytes

    def metadata(self) -> RunMetadata:
        """The message.

        Raises:
            CorruptFileError: the bytes are not such a message.
        """
        try:
            return RunMetadata.FromString(self.data)
        except DecodeError as error:
            raise CorruptFileError(f"{self.tag}: not a valid RunMetadata: {error}", path=self.path) from error


def run_metadata(path: str | os.PathLike[str]) -> Iterator[Tagged]:
    """Every ``RunMetadata`` in an event file, or in the event files in and below a directory.

    Files are sorted by directory and by the time in their names, and events keep their order in the file. Covers the events of
    ``FileWriter.add_run_metadata`` and the summaries of TensorFlow 2's ``trace_export``. Only one message is in memory at a
    time. An incomplete last event (of a training run in progress) ends a file.

    Raises:
        FileError: there is no event file.
        CorruptFileError: a checksum is wrong, or a record is not an event.
    """
    for file in event_files(path):
        source = FileSource(file)
        for part in parts(source, []):
            if part.number == TAGGED_RUN_METADATA:
                event = event_of(source, part.record)
                tagged = event.tagged_run_metadata
                yield Tagged(file, tagged.tag, event.step, tagged.run_metadata)
            elif holds_traces(source, part):
                yield from traces(source, part, (PROFILED,))


def event_files(path: str | os.PathLike[str]) -> list[Path]:
    """The event file ``path``, or the event files in and below that directory, sorted as by :func:`event_files_below`.

    Raises:
        FileError: there is none.
    """
    place = Path(path)
    files = [place] if is_file(place) else event_files_below(place) if is_directory(place) else []
    if not files:
        raise FileError(f"{place}: no event file here", hint="names of event files contain tfevents")
    return files


def event_files_below(directory: Path) -> list[Path]:
    """The event files in ``directory`` and below it, sorted by directory and by the time in their names."""
    found = [Path(at, name) for at, _, names in os.walk(directory) for name in names if is_event_file_name(name)]
    return sorted(found, key=lambda path: (path.parent, path.name))


def parts(source: FileSource, notes: list[str]) -> Iterator[Part]:
    """The length-delimited fields of all complete events, in order. Verifies every checksum; parses only tags.

    Args:
        notes: receives a note if the last event is incomplete.

    Raises:
        CorruptFileError: a checksum is wrong, or a record is not a message.
    """
    view = source.view()
    try:
        for record in records(source):
            verify(source, record)
            cursor = Cursor(view, source.path, record.start, record.start + record.size)
            for number, wire_type, start, end in cursor.fields():
                if wire_type == 2:
                    yield Part(number, start, end, record)
    except TruncatedFileError as error:
        notes.append(f"{error.message}: the file was read up to this point; a training run may still be writing it")


def event_of(source: FileSource, record: Record) -> Event:
    """Parses the event in ``record``, as returned by :func:`parts`.

    Raises:
        CorruptFileError: the record is not an event.
    """
    try:
        return Event.FromString(source.read(record.start, record.size))
    except DecodeError as error:
        raise source.corrupt(f"not a valid Event: {error}", record.start) from error


def holds_traces(source: FileSource, part: Part) -> bool:
    """Whether a summary may hold data of a plugin in :data:`TRACED`."""
    return part.number == SUMMARY and any(
        _TRACED_WORD in source.read(start, min(CHUNK_BYTES + len(_TRACED_WORD), part.end - start))
        for start in range(part.start, part.end, CHUNK_BYTES)
    )


def traces(source: FileSource, part: Part, plugins: Collection[str] = TRACED) -> Iterator[Tagged]:
    """The trace of TensorFlow 2 for one of ``plugins`` in a summary; raises as :func:`event_of`."""
    event = event_of(source, part.record)
    for value in event.summary.value:
        if value.metadata.plugin_data.plugin_name in plugins:
            for data in value.tensor.string_val[:1]:
                yield Tagged(source.path, value.tag, event.step, data)
