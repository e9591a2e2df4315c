"""``graphscope text``."""

from __future__ import annotations

from typing import Annotated

import typer

from graphscope.cli.options.shared import Checkpoint, ModelPath, Tags, split_tags
from graphscope.cli.terminal.output import Sink


def text(
    model: ModelPath,
    *,
    values: Annotated[
        bool, typer.Option(help="Read constants and write their checksums; default: type and shape only.")
    ] = True,
    checkpoint: Checkpoint = None,
    tags: Tags,
) -> None:
    """Write a model as text that is stable and easy to compare: one line for each node."""
    from graphscope.analysis.model_text import model_text
    from graphscope.cli.options.loading import load
    from graphscope.cli.terminal.text import escape

    loaded = load(model, tags=split_tags(tags), checkpoint=checkpoint)
    Sink.standard().lines(map(escape, model_text(loaded, reads_values=values)))


EXAMPLES = """
  graphscope text frozen.pb | less
  git config diff.tensorflow.textconv "graphscope text"      then: echo "*.pb diff=tensorflow" >> .gitattributes
"""
