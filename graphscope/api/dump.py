"""``graphscope.dump``: logs a model for TensorBoard."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from graphscope.api.opening import ModelLike, as_model
from graphscope.api.shapes import inferred_shapes
from graphscope.board.dump import DumpOptions, read_bytes, run_name, weights_to_chart
from graphscope.board.dump import dump as write_run
from graphscope.board.filters import first_filters
from graphscope.board.projector import Embedding
from graphscope.board.run_directory import LogRun
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model
from graphscope.core.tensors import Shape, TensorName
from graphscope.errors import IncompleteModelError
from graphscope.formats.io.places import refuse_closed


@check_arguments
def dump(
    model: ModelLike,
    logdir: str | os.PathLike[str],
    *,
    run: str = "",
    shapes: bool = False,
    shape: Mapping[str, Shape] | None = None,
    batch: int | None = None,
    histograms: bool = False,
    filters: bool = False,
    embeddings: Sequence[str] | Mapping[str, str | os.PathLike[str] | None] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    tags: str | Collection[str] = (),
    listener: Listener = SILENT,
) -> LogRun:
    """Writes a run of ``logdir``: the graph without its weights, and what the options select. An earlier dump is replaced.

    Args:
        model: a model, or what :func:`graphscope.load` opens.
        run: the name of the run; by default the model's.
        shapes: start TensorFlow for shapes that depend on ops without a shape rule; all others are inferred without it.
        shape: input -> its shape, if the graph does not state it; ``None`` for an unknown size.
        batch: the size of the first dimension of all other inputs, if that is unknown.
        histograms: of the model's own weights.
        filters: of the first convolutions, as images.
        embeddings: matrices for the projector: variable -> file with a line for each row, or ``VAR`` and ``VAR:FILE`` texts.
        checkpoint: prefix of a checkpoint with the values of the graph; only for a path.
        tags: selects the meta graph of a SavedModel with exactly these tags; only for a path.

    Raises:
        IncompleteModelError: there is no graph, or no value of an embedding.
        UnknownNameError: an embedding is not in the model.
        FileError: a file cannot be written; an existing run is kept.
        GraphscopeError: an embedding cannot be shown, or ``run`` leads out of ``logdir``.
        CorruptFileError: a weight cannot be read.
    """
    refuse_closed(Path(logdir))
    source = as_model(model, tags=tags, checkpoint=checkpoint)
    options = DumpOptions(
        shapes=inferred_shapes(source, listener, shape=shape, batch=batch, asks=shapes),
        histograms=histograms,
        filters=filters,
        embeddings=tuple(_embeddings(source, embeddings)),
    )
    for note in (*source.notes, *_missing(source, options)):
        listener.note(note)
    with listener.reading("reading", read_bytes(source, options)) as progress:
        return write_run(source, Path(logdir), run or run_name(source), options, progress)


def _missing(model: Model, options: DumpOptions) -> Iterator[str]:
    """Notes on requested data that the model does not have."""
    if options.histograms and not any(weights_to_chart(model)):
        yield "no histograms: no weight has a value"
    if options.filters and not any(first_filters(model)):
        yield "no images of filters: no convolution has a filter with a value"


def _embeddings(
    model: Model, wanted: Sequence[str] | Mapping[str, str | os.PathLike[str] | None]
) -> Iterator[Embedding]:
    pairs = wanted.items() if isinstance(wanted, Mapping) else (_parse(model, text) for text in wanted)
    for name, labels in pairs:
        yield _embedding(model, name, Path(labels) if labels else None)


def _parse(model: Model, text: str) -> tuple[str, str]:
    """``VAR`` or ``VAR:FILE``; VAR may be a tensor's name and have a colon itself."""
    from graphscope.analysis.variable_rows import weights

    known = {name for row, _ in weights(model) for name in (row.name, row.key)}
    cuts = [len(text), *(i for i in reversed(range(len(text))) if text[i] == ":")]
    names = ((TensorName.parse(text[:cut]).node, text[cut + 1 :]) for cut in cuts)
    return next((pair for pair in names if pair[0] in known), (text.partition(":")[0], ""))


def _embedding(model: Model, name: str, labels: Path | None) -> Embedding:
    from graphscope.analysis.variable_rows import find_weight

    row, content = find_weight(model, name)
    if content is None:
        raise IncompleteModelError(f"{model.path}: {name} has no value")
    return Embedding(row.name, content(), labels)


__all__ = ["LogRun", "dump"]
