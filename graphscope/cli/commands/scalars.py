"""``graphscope scalars``."""

from __future__ import annotations

from typing import Annotated

import typer

from graphscope.cli.options.shared import FormatOption, repeatable
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.speaker import Speaker


def scalars(
    logdir: Annotated[
        str, typer.Argument(metavar="LOGDIR", show_default=False, help="An event file, or a directory of event files.")
    ],
    *,
    tag: Annotated[list[str], repeatable("--tag", "REGEX", "Show only tags that contain a match; repeatable.")],
    run: Annotated[list[str], repeatable("--run", "REGEX", "Show only runs that contain a match; repeatable.")],
    chart: Annotated[bool, typer.Option("--chart", help="Draw one large chart per tag, with all runs.")] = False,
    format: FormatOption = Format.TABLE,
) -> None:
    """Show the curves that a training run logged: loss and accuracy over steps, for each run."""
    from graphscope.api.scalars import scalars as read
    from graphscope.cli.render.scalars import write_scalars

    sink = Sink.standard()
    write_scalars(sink, format, read(logdir, tags=tag, runs=run, listener=Speaker(sink)), chart=chart)


EXAMPLES = """
  graphscope scalars logs
  graphscope scalars logs --tag loss --chart
  graphscope scalars logs --tag accuracy --format csv
"""
