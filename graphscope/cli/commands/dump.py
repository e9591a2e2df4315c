"""``graphscope dump``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphscope.api.dump import dump as dump_model
from graphscope.cli.options import shared
from graphscope.cli.options.loading import load
from graphscope.cli.options.shapes import LookedAtBatch, LookedAtShapes, named_shapes
from graphscope.cli.render.dump import run_lines
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format, write_report
from graphscope.cli.terminal.speaker import Speaker

LogDir = Annotated[Path, typer.Argument(metavar="LOGDIR", show_default=False, help="TensorBoard's log directory.")]


def dump(
    model: shared.ModelPath,
    logdir: LogDir,
    *,
    run: Annotated[
        str,
        typer.Option("--run", metavar="NAME", show_default=False, help="The run to write; default: the model's name."),
    ] = "",
    shapes: shared.Shapes = False,
    shape: LookedAtShapes,
    batch: LookedAtBatch = None,
    histograms: Annotated[bool, typer.Option("--histograms", help="Add histograms of the weights.")] = False,
    embedding: Annotated[
        list[str],
        shared.repeatable(
            "--embedding", "VAR[:FILE]", "Show a matrix in the projector; FILE labels its rows. Repeatable."
        ),
    ],
    filters: Annotated[bool, typer.Option("--filters", help="Add the filters of the first convolutions.")] = False,
    checkpoint: shared.Checkpoint = None,
    tags: shared.Tags,
    format: shared.FormatOption = Format.TABLE,
) -> None:
    """Log a model's graph, and optionally its weights, for TensorBoard."""
    sink = Sink.standard()
    written = dump_model(
        load(model, tags=shared.split_tags(tags), checkpoint=checkpoint),
        logdir,
        run=run,
        shapes=shapes,
        shape=named_shapes(shape),
        batch=batch,
        histograms=histograms,
        filters=filters,
        embeddings=embedding,
        listener=Speaker(sink),
    )
    write_report(sink, format, written, run_lines(written, logdir), [str(file.path) for file in written.files])


EXAMPLES = """
  graphscope dump model.ckpt-5000 logs --histograms --filters
  graphscope dump model.ckpt-5000 logs --embedding word_embedding:words.tsv
  graphscope dump frozen.pb logs --run mobilenet --batch 1
"""
