"""The table of formats: names, recognition by name or content, readers and writers.

A format is one row here and one module that reads and writes it; see ``docs/extending.md``.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Call, Option
from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec
from graphscope.errors import ArgumentError, NotTensorFlowError, UnknownNameError
from graphscope.formats.detect.locate import CheckpointPrefix, EventFiles, GraphFile, Location, SavedModelDirectory
from graphscope.formats.detect.savedmodel_parts import PARTS, SAVED_MODEL_FILES
from graphscope.formats.detect.sniff import Content
from graphscope.formats.io.paths import is_directory
from graphscope.formats.io.progress import Progress, quiet
from graphscope.named_tuple import NamedTuple

if TYPE_CHECKING:
    from graphscope.core.foreign import ForeignModel
    from graphscope.formats.archives.weights import Archive


class WriteOptions(NamedTuple):
    """Options of writers in addition to the model and the path; each uses those that apply.

    Attributes:
        overwrite: replace what is there.
        inputs, outputs: of the signature of a SavedModel; without any, no signature is added.
        weights: values by name for a checkpoint; ``None`` for the model's own.
        allow_outside: copy files that the graph names from outside the model's directory too.
        check: checks the finished file before it is renamed; if it raises an error, no file is kept.
        progress: receives the number of bytes as they are processed.
    """

    overwrite: bool = False
    inputs: Sequence[TensorSpec] = ()
    outputs: Sequence[TensorSpec] = ()
    weights: Archive | None = None
    allow_outside: bool = False
    check: Callable[[Path], None] = lambda _: None
    progress: Progress = quiet


class Export(NamedTuple):
    """The export to a format of another runtime, from a frozen graph.

    Attributes:
        module: converts for it; see :class:`graphscope.export.target.Target`.
        engine: the row of :data:`graphscope.runtime.engines.table.ENGINES` that runs its files, to verify them.
        options: those of :class:`graphscope.export.target.ExportOptions` that apply to it.
    """

    module: str
    engine: str = ""
    options: frozenset[str] = frozenset()


class Foreign(NamedTuple):
    """A format of another runtime: looked at or run, and never taken for a TensorFlow graph.

    Attributes:
        what: the name of such a file, with an article.
        reader: ``module:function`` of ``(location) -> ForeignModel``; empty if files are run and not looked into.
    """

    what: str
    reader: str = ""

    def read(self, location: GraphFile) -> ForeignModel:
        """The model at ``location``; raises what its reader raises."""
        model: ForeignModel = _function(self.reader)(location)
        return model

    def refusal(self, path: Path) -> NotTensorFlowError:
        """The error if ``path`` is opened as a TensorFlow graph, with a hint on what can be done with it."""
        hint = (
            Advice(Call("load_foreign", (str(path),)), "   shows what is in it")
            if self.reader
            else Advice(Call("run", (str(path),)), "   runs it")
        )
        return NotTensorFlowError(f"this is {self.what}, not a TensorFlow graph", path=path, hint=hint)


class FileFormat(NamedTuple):
    """One format.

    Attributes:
        name: the value of ``to=``.
        title: its usual name.
        suffixes: of the names of its files, the usual one first; a checkpoint's may stand anywhere in the name.
        recognized: how a file or directory is recognized, in words.
        contents: the result of :func:`graphscope.formats.detect.sniff.sniff` for such files, for TensorFlow's own messages.
        recognizer: for other files ``module:function`` of ``(head, size) -> bool``: whether a file of ``size`` bytes that
            begins with the bytes ``head`` (:data:`graphscope.formats.detect.neighbours.HEAD_BYTES` of them) is of this format.
        location: what :func:`graphscope.formats.detect.locate.locate` finds; :class:`GraphFile` for all single files.
        reader: ``module:function`` of ``(location, tags) -> Model``; empty if nothing reads it.
        writer: ``module:function`` of ``(model, path, WriteOptions) -> size in bytes``; empty if nothing writes it.
        refuser: ``module:function`` of ``(path, overwrite)`` that raises an error if ``path`` cannot be written.
        export: the export, for a format of another runtime; such a row has no ``writer``.
        foreign: for a format of another runtime, the name and the reader of its files.
        has_graph, has_values: whether it can hold a graph, and values of variables.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    recognized: str
    contents: tuple[Content, ...] = ()
    recognizer: str = ""
    location: type[Location] = GraphFile
    reader: str = ""
    writer: str = ""
    refuser: str = "graphscope.formats.io.places:refuse_unwritable"
    export: Export | None = None
    foreign: Foreign | None = None
    has_graph: bool = True
    has_values: bool = False

    @property
    def has_own_suffix(self) -> bool:
        """Whether a file of another runtime is known by its name alone: ``.xml`` and ``.json`` may be anything."""
        return self.foreign is not None and bool(self.foreign.reader)

    @property
    def is_written(self) -> bool:
        """Whether models can be written in it."""
        return bool(self.writer or self.export)

    def recognizes(self, head: bytes, size: int) -> bool:
        """Whether a file of ``size`` bytes that begins with ``head`` is of this format by its recognizer."""
        return bool(self.recognizer) and bool(_function(self.recognizer)(head, size))

    def read(self, location: Location, tags: Collection[str]) -> Model:
        """The model at ``location``; raises what its reader raises."""
        model: Model = _function(self.reader)(location, tags)
        return model

    def refuse_unwritable(self, path: str | os.PathLike[str], overwrite: bool) -> None:
        """Raises an error if nothing can be written at ``path``: so that it comes before the work.

        Raises:
            FileError: a file is there and ``overwrite`` is not set; the directory is missing or not writable.
        """
        _function(self.refuser)(path, overwrite)

    def write(self, model: Model, path: str | os.PathLike[str], options: WriteOptions) -> int:
        """Writes ``model`` and returns the size in bytes; raises what its writer raises."""
        size: int = _function(self.writer)(model, path, options)
        return size


class ForeignFile(NamedTuple):
    """A file of another runtime that is to be run: only its engine opens it.

    Attributes:
        path: as a person named it.
        format: the row of its format.
    """

    path: str
    format: FileFormat

    @property
    def what(self) -> str:
        """What it is, with an article."""
        assert self.format.foreign is not None
        return self.format.foreign.what

    @property
    def engine(self) -> str:
        """The row of :data:`graphscope.runtime.engines.table.ENGINES` that runs it by default."""
        assert self.format.export is not None
        return self.format.export.engine


_GRAPH = "graphscope.formats.graph.graphdef"
_META = "graphscope.formats.graph.metagraph"

FORMATS = (
    FileFormat(
        "pb",
        "GraphDef, binary",
        (".pb", ".graphdef"),
        "nodes, a library or versions as first fields",
        (Content.GRAPH,),
        reader=f"{_GRAPH}:read_model",
        writer=f"{_GRAPH}:write_model",
    ),
    FileFormat(
        "pbtxt",
        "GraphDef, text",
        (".pbtxt", ".prototxt"),
        "`node`, `versions` or `library` as first field",
        (Content.GRAPH,),
        reader=f"{_GRAPH}:read_model",
        writer="graphscope.formats.text.writer:write_model",
    ),
    FileFormat(
        "meta",
        "MetaGraphDef",
        (".meta",),
        "a `MetaInfoDef`, or fields that only a meta graph has",
        (Content.META_GRAPH,),
        reader=f"{_META}:read_model",
        writer=f"{_META}:write_model",
    ),
    FileFormat(
        "checkpoint",
        "checkpoint (V2; V1 is read)",
        (".ckpt", ".index"),
        "an `.index` or a table file with the prefix, or a `checkpoint` file that names it",
        location=CheckpointPrefix,
        reader="graphscope.formats.checkpoint.prefix:read_model",
        writer="graphscope.formats.checkpoint.write_model:write_model",
        refuser="graphscope.formats.checkpoint.writer:refuse_place",
        has_values=True,
    ),
    FileFormat(
        "saved-model",
        "SavedModel directory",
        (),
        "`saved_model.pb` or `saved_model.pbtxt` in the directory",
        (Content.SAVED_MODEL,),
        location=SavedModelDirectory,
        reader="graphscope.formats.savedmodel.reader:read_model",
        writer="graphscope.formats.savedmodel.writer:write_model",
        refuser="graphscope.formats.savedmodel.writer:refuse_place",
        has_values=True,
    ),
    FileFormat(
        "npz",
        "NumPy archive",
        (".npz",),
        "a zip file of `.npy` files",
        recognizer="graphscope.formats.detect.neighbours:is_npz",
        reader="graphscope.formats.archives.open_archive:read_model",
        writer="graphscope.formats.archives.npz_writer:write_model",
        has_graph=False,
        has_values=True,
    ),
    FileFormat(
        "safetensors",
        "safetensors",
        (".safetensors",),
        "the size of a header, then `{`",
        recognizer="graphscope.formats.archives.safetensors:is_safetensors",
        reader="graphscope.formats.archives.open_archive:read_model",
        writer="graphscope.formats.archives.safetensors:write_model",
        has_graph=False,
        has_values=True,
    ),
    FileFormat(
        "onnx",
        "ONNX",
        (".onnx",),
        "a version of its format, then producer, domain, graph or operators; or the suffix",
        recognizer="graphscope.formats.detect.neighbours:is_onnx",
        export=Export("graphscope.export.onnx.target", "onnxruntime", frozenset({"rename", "opset", "external_data"})),
        foreign=Foreign("an ONNX model", "graphscope.formats.onnx.reader:read_foreign"),
        has_values=True,
    ),
    FileFormat(
        "tflite",
        "TensorFlow Lite",
        (".tflite",),
        "`TFL3` in bytes 4 to 7; or the suffix",
        recognizer="graphscope.formats.detect.neighbours:is_tflite",
        export=Export("graphscope.runtime.tflite.target", "litert", frozenset({"rename", "quantize", "examples"})),
        foreign=Foreign("a TensorFlow Lite model", "graphscope.formats.tflite.reader:read_foreign"),
        has_values=True,
    ),
    FileFormat(
        "openvino",
        "OpenVINO IR",
        (".xml",),
        "XML whose first element is `net`",
        recognizer="graphscope.formats.detect.neighbours:is_openvino",
        export=Export("graphscope.export.openvino.target", "openvino", frozenset({"rename"})),
        foreign=Foreign("an OpenVINO model"),
        has_values=True,
    ),
    FileFormat(
        "tfjs",
        "TF.js graph model",
        (".json",),
        "JSON whose `format` is `graph-model`",
        recognizer="graphscope.formats.detect.neighbours:is_tfjs",
        export=Export("graphscope.export.tfjs.target", "tfjs", frozenset({"rename"})),
        refuser="graphscope.export.tfjs.write:refuse_place",
        foreign=Foreign("a TF.js graph model"),
        has_values=True,
    ),
    FileFormat(
        "events",
        "event file",
        (".tfevents",),
        "TFRecords of `Event` messages",
        (Content.EVENTS,),
        location=EventFiles,
        reader="graphscope.formats.events.logged_graph:read_model",
    ),
)

GRAPHS = ("pb", "pbtxt")
"""Formats of a graph alone, which a frozen graph is written in."""


def writable(names: Iterable[str] = ()) -> tuple[FileFormat, ...]:
    """The formats that can be written; of those, the named ones, if any are named."""
    wanted = set(names)
    return tuple(row for row in FORMATS if row.is_written and (not wanted or row.name in wanted))


def export_formats() -> tuple[FileFormat, ...]:
    """The formats of other runtimes."""
    return tuple(row for row in FORMATS if row.export is not None)


def format_at(location: Location) -> FileFormat | None:
    """The format of what was located; ``None`` if nothing reads it.

    Other formats are looked for first where the first bytes may be theirs as well as those of TensorFlow's messages. A broken
    file of another runtime is known by its suffix, if nothing else has that.

    Raises:
        NotTensorFlowError: the file is empty, or of a neighbouring format.
    """
    if not isinstance(location, GraphFile):
        return next(row for row in FORMATS if isinstance(location, row.location))
    content, source = location.sniffed.content, location.source
    if content in (Content.UNKNOWN, Content.SAVED_MODEL):
        from graphscope.formats.detect.neighbours import HEAD_BYTES, refuse_neighbours  # most files are what they seem

        head = source.read(0, min(HEAD_BYTES, source.size))
        other = next((row for row in FORMATS if row.recognizes(head, source.size)), None)
        if other is not None:
            return other
        refuse_neighbours(source)
        suffix = source.path.suffix.lower()
        named = next((row for row in FORMATS if row.has_own_suffix and suffix in row.suffixes), None)
        if named is not None:
            return named
    return next((row for row in FORMATS if row.reader and content in row.contents), None)


def format_by_name(name: str, allowed: Iterable[str] = ()) -> FileFormat:
    """The format called ``name``.

    Args:
        allowed: the formats that make sense here; all that can be written if empty.

    Raises:
        UnknownNameError: there is no such format.
    """
    rows = writable(allowed)
    for row in rows:
        if row.name == name:
            return row
    listed = ", ".join(row.name for row in rows)
    raise UnknownNameError("format that can be written", name, (row.name for row in rows), hint=f"one of: {listed}")


def format_for(path: str | os.PathLike[str], to: str = "", allowed: Iterable[str] = ()) -> FileFormat:
    """The format in which to write ``path``: ``to``, or the one given by the name.

    A name that ends in a slash, or is that of a directory, is a SavedModel's; ``.ckpt`` anywhere in it, a checkpoint's.

    Args:
        to: the name of a format; empty to use the name of the file.
        allowed: the formats that make sense here; all that can be written if empty.

    Raises:
        ArgumentError: the name does not determine a format, or another than ``to``, or one that cannot be written; or it is
            reserved for another file.
        UnknownNameError: there is no format ``to``.
    """
    text = os.fspath(path)
    rows = writable(allowed)
    said = _said_by(text, FORMATS)
    if to:
        chosen = format_by_name(to, allowed)
        if _contradicts(text, said, chosen):
            raise ArgumentError(
                f"{text}: the name implies {said.name if said else Path(text).suffix}, but {chosen.name} was requested",
                hint=f"name it {example_name(chosen)}",
            )
        _refuse_taken(text, chosen)
        return chosen
    if said is None or said not in rows or Path(text).suffix.lower() in _MEMBERS:
        raise _unnamed_error(text, rows, is_free=not allowed)
    _refuse_taken(text, said)
    return said


def _refuse_taken(text: str, row: FileFormat) -> None:
    """Refuses a file that whoever opens its directory would take for something else."""
    taken = _TAKEN.get(Path(text).name) if row.location is GraphFile else None
    if taken is not None:
        raise ArgumentError(f"{text}: TensorFlow reserves this name for {taken}", hint=f"name it {example_name(row)}")


_TAKEN = {
    **dict.fromkeys(SAVED_MODEL_FILES, "the graph in a SavedModel's directory"),
    **PARTS,
    "checkpoint": "the file that tells which checkpoint of a directory is the latest",
}
"""Names of files that belong to others."""

_MEMBERS = frozenset({".index"})
"""Names of single files of a checkpoint, which are never written alone."""

_UNREAD = frozenset({".h5", ".hdf5", ".keras", ".npy"})


def _contradicts(text: str, said: FileFormat | None, chosen: FileFormat) -> bool:
    """Whether ``text`` would be a misleading name for a file of format ``chosen``."""
    if said is not None:
        return said is not chosen and Path(text).suffix.lower() in said.suffixes
    return Path(text).suffix.lower() in _UNREAD


def _said_by(text: str, rows: Iterable[FileFormat]) -> FileFormat | None:
    suffix = Path(text).suffix.lower()
    if text.endswith("/") or is_directory(text):
        return next(row for row in rows if row.location is SavedModelDirectory)
    for row in rows:
        if suffix in row.suffixes or (row.location is CheckpointPrefix and row.suffixes[0] in Path(text).name):
            return row
    return None


def _unnamed_error(text: str, rows: Sequence[FileFormat], *, is_free: bool) -> ArgumentError:
    """The error for a name that tells no format; where some formats alone make sense, their names are all there is."""
    suffix = Path(text).suffix
    what = f"no format with the suffix {suffix} can be written" if suffix else "the name does not determine the format"
    names = ", ".join(f"{example_name(row)} ({row.title})" for row in rows)
    other = ("; or ", Option("to", "FORMAT")) if is_free else ()
    return ArgumentError(f"{text}: {what}", hint=Advice(f"supported names: {names}", *other))


def example_name(row: FileFormat) -> str:
    """An example of a name for ``row``: ``*.pb``."""
    return f"*{row.suffixes[0]}" if row.suffixes else "DIR/"


def _function(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
