"""Files for TensorBoard's projector: a table of points, their labels, and a configuration that names both.

Source: ``tensorboard/plugins/projector/projector_plugin.py`` and ``projector_config.proto``. All versions read text tables,
with and without TensorFlow; raw bytes are only guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from google.protobuf.text_encoding import CEscape

from graphscope.board.run_directory import CONFIG_HEAD, MARK, RunFile
from graphscope.core.values.payload import Payload
from graphscope.errors import GraphscopeError, file_errors
from graphscope.formats.detect.locate import PROJECTOR_CONFIG
from graphscope.formats.io.progress import Progress, quiet
from graphscope.formats.io.wire import refuse_special

_ODD = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Embedding:
    """A weight whose rows are points.

    Attributes:
        name: of the variable or constant.
        payload: its content (points, dimensions).
        labels: a file with a line for each point, one or more columns between tabs; several columns need a heading.
    """

    name: str
    payload: Payload
    labels: Path | None = None


def check(embedding: Embedding) -> None:
    """Raises an error if the projector cannot show the embedding. Reads the labels.

    Raises:
        GraphscopeError: it does not have two dimensions, does not hold numbers, or its number of labels differs from its number
            of points.
        FileError: the labels cannot be read.
    """
    payload = embedding.payload
    if len(payload.shape) != 2 or not payload.elements or not payload.dtype.is_real:
        stated = f"{payload.dtype.label} {list(payload.shape)}"
        raise GraphscopeError(f"{embedding.name}: an embedding is a matrix of numbers, but this is {stated}")
    if embedding.labels is not None:
        labels = _label_count(embedding.labels)
        if labels != payload.shape[0]:
            raise GraphscopeError(
                f"{embedding.labels}: {labels:,} labels, and {embedding.name} has {payload.shape[0]:,} points",
                hint="one line for each row of the weight; a first line with tabs in it is a heading",
            )


def _label_count(path: Path) -> int:
    """The lines, without the heading that multiple columns need."""
    refuse_special(path)
    try:
        with file_errors(path):
            lines = path.read_bytes().decode().splitlines()
    except UnicodeDecodeError as error:
        raise GraphscopeError(f"{path}: labels are text in UTF-8: {error}") from error
    return len(lines) - (1 if lines and "\t" in lines[0] else 0)


def points(payload: Payload, progress: Progress = quiet) -> Iterator[bytes]:
    """The table, row by row with tabs between the numbers, exact in single precision. Reads the weight piece by piece.

    Raises:
        CorruptFileError, IncompleteModelError: as :meth:`Payload.chunks`.
    """
    import numpy as np

    width = payload.shape[1]
    line = "\t".join(["%.9g"] * width) + "\n"
    rest = np.empty(0, np.float32)
    for chunk in payload.chunks():
        values = np.concatenate([rest, np.frombuffer(chunk, payload.dtype.numpy).astype(np.float32)])
        whole = len(values) - len(values) % width if width else 0
        rest = values[whole:]
        yield "".join(line % tuple(row) for row in values[:whole].reshape(-1, width).tolist()).encode()
        progress(len(chunk))


def projector_files(embeddings: Iterable[Embedding], progress: Progress = quiet) -> Iterator[RunFile]:
    """Table and labels of each embedding, then the configuration that names them; nothing without embeddings.

    Raises:
        GraphscopeError, FileError: as :func:`check`.
    """
    entries = []
    for number, embedding in enumerate(embeddings):
        check(embedding)
        base = f"{_ODD.sub('_', embedding.name)[:100]}.{number}{MARK}"
        labels = f"{base}.labels.tsv" if embedding.labels is not None else ""
        entries.append(_entry(embedding, f"{base}.tsv", labels))
        yield RunFile(f"{base}.tsv", _table(embedding, progress))
        if embedding.labels is not None:
            yield RunFile(labels, _copy(embedding.labels))
    if entries:
        yield RunFile(PROJECTOR_CONFIG, _config("".join(entries)))


def _entry(embedding: Embedding, table: str, labels: str) -> str:
    """An ``EmbeddingInfo`` of a ``ProjectorConfig``, in text."""
    fields = {"tensor_name": embedding.name, "tensor_path": table, "metadata_path": labels}
    lines = [f'  {key}: "{CEscape(value.encode(), as_utf8=False)}"\n' for key, value in fields.items() if value]
    sizes = [f"  tensor_shape: {size}\n" for size in embedding.payload.shape]
    return "embeddings {\n" + "".join(lines + sizes) + "}\n"


def _table(embedding: Embedding, progress: Progress) -> Callable[[BinaryIO], tuple[str, ...]]:
    def write(file: BinaryIO) -> tuple[str, ...]:
        for piece in points(embedding.payload, progress):
            file.write(piece)
        count, width = embedding.payload.shape
        return (f"{count:,} points of {width:,} dimensions: {embedding.name}",)

    return write


def _copy(path: Path) -> Callable[[BinaryIO], tuple[str, ...]]:
    def write(file: BinaryIO) -> tuple[str, ...]:
        file.write(path.read_bytes())
        return (f"labels of {path}",)

    return write


def _config(entries: str) -> Callable[[BinaryIO], tuple[str, ...]]:
    def write(file: BinaryIO) -> tuple[str, ...]:
        file.write(CONFIG_HEAD + entries.encode())
        return ("what the projector opens",)

    return write
