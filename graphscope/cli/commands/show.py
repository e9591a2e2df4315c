"""``graphscope show``."""

from __future__ import annotations

from typing import Annotated

import typer

from graphscope.cli.options.completion import complete_name
from graphscope.cli.options.shapes import LookedAtBatch, LookedAtShapes, named_shapes
from graphscope.cli.options.shared import Checkpoint, FormatOption, ModelPath, Tags, split_tags
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.speaker import Speaker
from graphscope.cli.terminal.views import Format

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        show_default=False,
        help="A node, tensor, variable or checkpoint key; function/node for a node in a library function.",
        autocompletion=complete_name,
    ),
]


def show(
    model: ModelPath,
    name: Name,
    *,
    shape: LookedAtShapes,
    batch: LookedAtBatch = None,
    checkpoint: Checkpoint = None,
    tags: Tags,
    format: FormatOption = Format.TABLE,
) -> None:
    """Show one node or variable: attributes, inputs, outputs, consumers, a preview of its values."""
    from graphscope.analysis.detail import show as find
    from graphscope.api.shapes import inferred_shapes
    from graphscope.cli.options.loading import load
    from graphscope.cli.render.show import write_detail

    sink = Sink.standard()
    loaded = load(model, tags=split_tags(tags), checkpoint=checkpoint, lazily=True)
    shapes = inferred_shapes(loaded, Speaker(sink), shape=named_shapes(shape), batch=batch) if shape or batch else None
    write_detail(sink, format, find(loaded, name, shapes))


EXAMPLES = """
  graphscope show frozen.pb prob
  graphscope show model.ckpt-5000 conv1/weights --format json
"""
