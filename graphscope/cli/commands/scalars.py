"""``graphscope scalars``."""

from __future__ import annotations

from typing import Annotated

import typer

from graphscope.cli.options.shared import FormatOption, repeatable
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.speaker import Speaker
from graphscope.cli.terminal.views import Format


def scalars(
    logdir: Annotated[
        str, typer.Argument(metavar="LOGDIR", show_default=False, help="An event file, or a directory with some.")
    ],
    *,
    tag: Annotated[list[str], repeatable("--tag", "REGEX", "Only tags that match anywhere; repeatable.")],
    run: Annotated[list[str], repeatable("--run", "REGEX", "Only runs that match anywhere; repeatable.")],
    chart: Annotated[bool, typer.Option("--chart", help="Draw each tag large, its runs in one chart.")] = False,
    format: FormatOption = Format.TABLE,
) -> None:
    """Show the curves that a training logged: loss and accuracy over steps, run beside run."""
    from graphscope.api.scalars import scalars as read
    from graphscope.cli.render.scalars import write_scalars

    sink = Sink.standard()
    write_scalars(sink, format, read(logdir, tags=tag, runs=run, listener=Speaker(sink)), chart=chart)


EXAMPLES = """
  graphscope scalars logs
  graphscope scalars logs --tag loss --chart
  graphscope scalars logs --tag accuracy --format csv
"""
