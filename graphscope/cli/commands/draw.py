"""``graphscope draw``."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from graphscope.api.draw import draw as draw_model
from graphscope.cli.options import shared
from graphscope.cli.options.completion import complete_node, complete_scope
from graphscope.cli.options.loading import load
from graphscope.cli.render.draw import saved_line
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format, write_report
from graphscope.drawing.drawing import drawing_format
from graphscope.formats.io.places import refuse_unwritable


class Color(str, enum.Enum):
    """What ``--color`` shows."""

    OP = "op"
    DEVICE = "device"
    BYTES = "bytes"
    FLOPS = "flops"
    TIME = "time"


def draw(
    model: shared.ModelPath,
    out_: Annotated[
        str | None,
        typer.Argument(metavar="[OUT]", show_default=False, help="The file to write; its suffix selects the format."),
    ] = None,
    *,
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="FILE", show_default=False, help="The same as OUT.")
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth",
            metavar="N",
            min=1,
            show_default=False,
            help="Open this many levels of scopes; default: as many as fit.",
        ),
    ] = None,
    scope: Annotated[
        str,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            show_default=False,
            help="Draw this name scope only.",
            autocompletion=complete_scope,
        ),
    ] = "",
    focus: Annotated[
        str,
        typer.Option(
            "--focus",
            metavar="NODE",
            show_default=False,
            help="Draw only what is near this node.",
            autocompletion=complete_node,
        ),
    ] = "",
    radius: Annotated[int, typer.Option("--radius", metavar="N", min=0, help="Distance from --focus, in edges.")] = 2,
    color: Annotated[Color, typer.Option("--color", help="What the colors show.")] = Color.OP,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="LOGDIR|FILE",
            show_default=False,
            help="Traced runs for --color time, from profile --logdir or --trace.",
        ),
    ] = None,
    checkpoint: shared.Checkpoint = None,
    tags: shared.Tags,
    force: shared.Force = False,
    format: shared.FormatOption = Format.TABLE,
) -> None:
    """Draw a graph as a page to explore (.html) or as a picture (.svg, .png, .dot, .mmd)."""
    target = Path(shared.chosen_out(out_, out, "model.html"))
    drawing_format(target)
    refuse_unwritable(target, force)
    drawing = draw_model(
        load(model, tags=shared.split_tags(tags), checkpoint=checkpoint),
        depth=depth,
        scope=scope,
        focus=focus,
        radius=radius,
        color=color.value,
        profile=profile,
    )
    saved = drawing.save(target, overwrite=force)
    write_report(Sink.standard(), format, saved, [saved_line(saved)], [saved.path])


EXAMPLES = """
  graphscope draw model.ckpt-5000 -o model.svg
  graphscope draw model.ckpt-5000 -o model.html
  graphscope draw frozen.pb -o conv2.svg --scope conv2 --color bytes
  graphscope draw model.ckpt-5000 -o near.svg --focus softmax --radius 3
"""
