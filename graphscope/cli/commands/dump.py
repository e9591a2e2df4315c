"""``graphscope dump``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphscope.cli.options import shared
from graphscope.cli.terminal.output import Sink

if TYPE_CHECKING:
    from graphscope.board.projector import Embedding
    from graphscope.core.model import Model

LogDir = Annotated[Path, typer.Argument(metavar="LOGDIR", show_default=False, help="TensorBoard's log directory.")]
RunName = Annotated[
    str,
    typer.Option("--run", metavar="NAME", show_default=False, help="The run to write or replace; named by the model."),
]
Embeddings = Annotated[
    list[str],
    typer.Option(
        "--embedding",
        metavar="VAR[:FILE]",
        default_factory=list,
        show_default=False,
        help="A matrix for the projector, with a file of labels, a line for each row; repeat for more.",
    ),
]


def dump(
    model: shared.ModelPath,
    logdir: LogDir,
    *,
    run: RunName = "",
    shapes: Annotated[bool, typer.Option("--shapes", help="Let TensorFlow infer shapes for the edges.")] = False,
    histograms: Annotated[bool, typer.Option("--histograms", help="Histograms of the weights.")] = False,
    embedding: Embeddings,
    filters: Annotated[bool, typer.Option("--filters", help="The first convolutions' filters as images.")] = False,
    checkpoint: shared.Checkpoint = None,
    tags: shared.Tags,
) -> None:
    """Write what TensorBoard shows of a model: its graph without weights, and what is asked for."""
    from graphscope.board.dump import DumpOptions, read_bytes, run_name
    from graphscope.board.dump import dump as dump_model
    from graphscope.cli.options.loading import load
    from graphscope.cli.options.shape_inference import inferred_shapes
    from graphscope.cli.render.dump import missing_notes, run_lines
    from graphscope.cli.terminal.progress import bytes_progress

    sink = Sink.standard()
    loaded = load(model, tags=shared.split_tags(tags), checkpoint=checkpoint)
    options = DumpOptions(
        shapes=inferred_shapes(sink, loaded) if shapes else None,
        histograms=histograms,
        filters=filters,
        embeddings=tuple(_embedding(loaded, text) for text in embedding),
    )
    for note in (*loaded.notes, *missing_notes(loaded, options)):
        sink.note(note)
    with bytes_progress(sink, "reading", read_bytes(loaded, options)) as progress:
        written = dump_model(loaded, logdir, run or run_name(loaded), options, progress)
    sink.lines(run_lines(written, logdir))


def _embedding(model: Model, text: str) -> Embedding:
    """``VAR`` or ``VAR:FILE``; VAR may be a tensor's name and have a colon itself."""
    from graphscope.analysis.variable_rows import find_weight, weights
    from graphscope.board.projector import Embedding
    from graphscope.core.tensors import TensorName
    from graphscope.errors import IncompleteModelError

    known = {name for row, _ in weights(model) for name in (row.name, row.key)}
    cuts = [len(text), *(i for i in reversed(range(len(text))) if text[i] == ":")]
    names = ((TensorName.parse(text[:cut]).node, text[cut + 1 :]) for cut in cuts)
    name, labels = next((pair for pair in names if pair[0] in known), (text.partition(":")[0], ""))
    row, content = find_weight(model, name)
    if content is None:
        raise IncompleteModelError(f"{model.path}: there are no values of {name}")
    return Embedding(row.name, content(), Path(labels) if labels else None)


EXAMPLES = """
  graphscope dump model.ckpt-5000 logs --histograms --filters
  graphscope dump model.ckpt-5000 logs --embedding word_embedding:words.tsv
  graphscope dump frozen.pb logs --run mobilenet --shapes
"""
