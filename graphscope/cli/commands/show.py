"""``graphscope show``."""

from __future__ import annotations

from typing import Annotated

import typer

from graphscope.cli.options.completion import complete_name
from graphscope.cli.options.shapes import LookedAtBatch, LookedAtShapes, named_shapes
from graphscope.cli.options.shared import Checkpoint, FormatOption, ModelPath, Tags, split_tags
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.speaker import Speaker
from graphscope.core.model import Model

Name = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        show_default=False,
        help="A node, tensor, variable or checkpoint key; function/node for a node in a library function.",
        autocompletion=complete_name,
    ),
]


def show(
    model: ModelPath,
    name: Name = None,
    *,
    collection: Annotated[
        str | None,
        typer.Option("--collection", metavar="NAME", show_default=False, help="Show the entries of this collection."),
    ] = None,
    shape: LookedAtShapes,
    batch: LookedAtBatch = None,
    checkpoint: Checkpoint = None,
    tags: Tags,
    format: FormatOption = Format.TABLE,
) -> None:
    """Show one node or variable: attributes, inputs, outputs, consumers, a preview of its values. Or a collection."""
    from graphscope.cli.options.loading import open_any, refuse_options
    from graphscope.cli.render.show import write_detail

    sink = Sink.standard()
    if (name is None) == (collection is None):
        raise typer.BadParameter("name a node or variable, or a collection with --collection", param_hint="NAME")
    loaded = open_any(model, tags=split_tags(tags), checkpoint=checkpoint, lazily=True)
    if not isinstance(loaded, Model):
        from graphscope.analysis.foreign.detail import show_foreign

        refuse_options(loaded, {"--collection": collection, "--shape": shape, "--batch": batch})
        write_detail(sink, format, show_foreign(loaded, name or ""))
        return
    if name is None:
        from graphscope.analysis.members import collection_members
        from graphscope.cli.render.collection import write_collection

        write_collection(sink, format, collection_members(loaded, collection or ""))
        return
    from graphscope.analysis.detail import show as find
    from graphscope.api.shapes import inferred_shapes

    shapes = inferred_shapes(loaded, Speaker(sink), shape=named_shapes(shape), batch=batch) if shape or batch else None
    write_detail(sink, format, find(loaded, name, shapes))


EXAMPLES = """
  graphscope show frozen.pb prob
  graphscope show model.ckpt-5000 conv1/weights --format json
  graphscope show model.ckpt-5000 --collection losses
"""
