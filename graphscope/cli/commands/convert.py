"""``graphscope convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphscope.api.save import save
from graphscope.cli.options import shared
from graphscope.cli.options.completion import complete_format
from graphscope.cli.options.loading import load
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.speaker import Speaker
from graphscope.cli.terminal.text import escape, size
from graphscope.cli.terminal.views import Format, write_report


def convert(
    model: shared.ModelPath,
    out: Annotated[
        str,
        typer.Argument(
            metavar="OUT", show_default=False, help="The file, checkpoint prefix or directory (DIR/) to write."
        ),
    ],
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            show_default=False,
            help="The format to write, if the name of OUT does not say which.",
            autocompletion=complete_format,
        ),
    ] = "",
    output: shared.OutputNames,
    input: shared.InputNames,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights", metavar="FILE", show_default=False, help="Take the values from an npz or safetensors."
        ),
    ] = None,
    checkpoint: shared.Checkpoint = None,
    allow_outside: Annotated[
        bool,
        typer.Option("--allow-outside", help="Copy files that the graph names from outside the model's directory."),
    ] = False,
    tags: shared.Tags,
    force: shared.Force = False,
    format: shared.FormatOption = Format.TABLE,
) -> None:
    """Write a model in another format."""
    sink = Sink.standard()
    saved = save(
        load(model, tags=shared.split_tags(tags), checkpoint=checkpoint),
        out,
        to=to,
        outputs=output,
        inputs=input,
        weights=weights,
        allow_outside=allow_outside,
        overwrite=force,
        listener=Speaker(sink),
    )
    line = f"{escape(saved.path)}  {saved.format}, {size(saved.size_bytes)}"
    write_report(sink, format, saved, [line], [saved.path])


EXAMPLES = """
  graphscope convert model.ckpt-5000 exported/ --output prob
  graphscope convert model.ckpt-5000 weights.safetensors
  graphscope convert model.ckpt-5000 tuned.ckpt --weights weights.npz
"""
