"""Writes a model as a run of a log directory, for TensorBoard."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from graphscope.analysis.tensors import Shapes
from graphscope.analysis.variable_rows import weights
from graphscope.board import summaries
from graphscope.board.filters import first_filters, grid
from graphscope.board.projector import Embedding, projector_files
from graphscope.board.run_directory import MARK, LogRun, RunFile, run_directory, write_run
from graphscope.board.shapes import with_shapes
from graphscope.board.writer import EventStream, event_file_name
from graphscope.core.model import Model, ModelKind
from graphscope.core.values.dtypes import is_weight_type
from graphscope.core.values.payload import Payload
from graphscope.core.variables.variables import Role
from graphscope.formats.io.progress import Progress, quiet

_ENDINGS = re.compile(r"(?:\.(?:pb|pbtxt|meta)|-\d+)*(?:\.ckpt.*)?\Z", re.DOTALL)


_SAYING_NOTHING = ("", "model", "ckpt", "checkpoint", "variables", "saved_model")
_SAYING_LITTLE = ("frozen", "frozen_graph", "frozen_model", "graph")
"""File names that many models share."""


@dataclass(frozen=True, slots=True)
class DumpOptions:
    """Data to write in addition to the graph.

    Attributes:
        shapes: tensor name -> shape, as inferred: shown on the edges.
        histograms: of the model's own weights.
        filters: of the first convolutions, as images.
        embeddings: for the projector.
    """

    shapes: Shapes | None = None
    histograms: bool = False
    filters: bool = False
    embeddings: tuple[Embedding, ...] = ()


def dump(
    model: Model, logdir: Path, run: str, options: DumpOptions = DumpOptions(), progress: Progress = quiet
) -> LogRun:
    """Writes the run ``run`` of ``logdir``: the graph without its weights, and the data selected by ``options``.

    Args:
        run: see :func:`run_directory`.
        progress: receives the number of bytes of weights as they are read, :func:`read_bytes` in total.

    Raises:
        IncompleteModelError: there is no graph, or no value of an embedding.
        FileError: a file cannot be written; an existing run is kept.
        GraphscopeError: an embedding cannot be shown, or the name is not valid for a run.
        CorruptFileError: a weight cannot be read.
    """
    directory = run_directory(logdir, run)
    events = RunFile(event_file_name(MARK), _Events(model, options, progress).write)
    return write_run(directory, [events, *projector_files(options.embeddings, progress)])


def read_bytes(model: Model, options: DumpOptions) -> int:
    """The number of bytes of weights that :func:`dump` reads for histograms (twice) and embeddings."""
    histograms = sum(2 * (payload.nbytes or 0) for _, payload in weights_to_chart(model)) if options.histograms else 0
    return histograms + sum(embedding.payload.nbytes or 0 for embedding in options.embeddings)


def weights_to_chart(model: Model) -> Iterator[tuple[str, Payload]]:
    """The weights with a histogram: the model's own, with more than one real number. No I/O."""
    for row, content in weights(model):
        is_weight = row.dtype.is_real if row.kind == "variable" else is_weight_type(row.dtype)
        if content is not None and row.role is Role.MODEL and is_weight and (row.elements or 0) > 1:
            yield row.name, content()


def model_step(model: Model) -> int:
    """The value of the model's step counter, 0 if it has none. Reads it."""
    for variable in model.variables:
        if variable.role is Role.STEP and variable.entry is not None and variable.elements == 1:
            return int(model.value(variable).numpy().reshape(-1)[0])
    return 0


def run_name(model: Model) -> str:
    """The name of the model, from its files.

    ``lenet5`` for ``lenet5/model.ckpt-4690``, ``lenet5/saved_model`` and ``lenet5.pb``; ``lenet5-frozen`` for
    ``lenet5/frozen.pb``.
    """
    path = Path(os.path.abspath(model.path))
    stem, directory = _ENDINGS.sub("", path.name), path.parent.name
    if model.kind is ModelKind.EVENT_FILE or stem in _SAYING_NOTHING or stem.isdigit():
        return directory or "model"
    return f"{directory}-{stem}" if stem in _SAYING_LITTLE and directory else stem


class _Events:
    """The event file of a dump."""

    def __init__(self, model: Model, options: DumpOptions, progress: Progress) -> None:
        self.model = model
        self.options = options
        self.progress = progress
        self.graph = model.graph if options.shapes is None else with_shapes(model, options.shapes)
        self.step = model_step(model) if options.histograms or options.filters else 0

    def write(self, file: BinaryIO) -> tuple[str, ...]:
        """Writes all events and returns their descriptions."""
        stream = EventStream(file)
        graph = self.write_graph(stream)
        histograms = self.write_histograms(stream) if self.options.histograms else 0
        images = self.write_filters(stream) if self.options.filters else 0
        return (graph, *_count(histograms, "histogram"), *_count(images, "image"))

    def write_graph(self, stream: EventStream) -> str:
        has_meta = self.model.meta.ByteSize() > 0
        stream.graph(self.graph, self.model.meta if has_meta else None)
        return "graph and meta graph" if has_meta else "graph"

    def write_histograms(self, stream: EventStream) -> int:
        items = list(weights_to_chart(self.model))
        for name, payload in items:
            stream.summary([summaries.payload_histogram(name, payload, self.progress)], self.step)
        return len(items)

    def write_filters(self, stream: EventStream) -> int:
        items = list(first_filters(self.model))
        for name, payload in items:
            # A tag belongs to one page; with parentheses it is not a variable's name, which a histogram has.
            stream.summary([summaries.image(f"{name} (filters)", grid(payload.numpy()))], self.step)
        return len(items)


def _count(number: int, noun: str) -> Iterator[str]:
    if number:
        yield f"{number:,} {noun}" + ("" if number == 1 else "s")
