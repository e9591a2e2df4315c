"""``graphscope diff``."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer

from graphscope.cli.options.shared import FormatOption, Tags, split_tags
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.views import Format
from graphscope.errors import GraphscopeError

if TYPE_CHECKING:
    from graphscope.analysis.diff.report import DiffReport

DIFFERENT, TROUBLE = 1, 2
"""Exit codes, as those of ``diff`` and ``cmp``: 0 is for models that are equal."""

TOP = 20


class Values(str, enum.Enum):
    """``--weights``: :class:`graphscope.analysis.diff.weights.Depth`."""

    NONE = "none"
    STAT = "stat"
    EXACT = "exact"


def _model(which: str) -> typer.models.ArgumentInfo:
    argument: typer.models.ArgumentInfo = typer.Argument(metavar=which, show_default=False, help="A model of any kind.")
    return argument


def diff(
    first: Annotated[str, _model("A")],
    second: Annotated[str, _model("B")],
    *,
    weights: Annotated[
        Values,
        typer.Option(help="Compare types and shapes only, checksums where files state them, or every byte."),
    ] = Values.STAT,
    strict: Annotated[
        bool, typer.Option("--strict", help="Compare devices, colocation, inferred shapes and versions too.")
    ] = False,
    explain: Annotated[bool, typer.Option(help="Summarize the differences that freezing and folding make.")] = True,
    top: Annotated[
        int, typer.Option(min=0, metavar="N", help="Show the N weights that moved most; 0 shows all.")
    ] = TOP,
    tags: Tags,
    format: FormatOption = Format.TABLE,
) -> None:
    """Compare two models: signatures, nodes, wiring, attributes, weights, functions, collections."""
    from graphscope.cli.render.diff import write_report

    sink = Sink.standard()
    try:
        report = _compare(sink, (first, second), split_tags(tags), weights, strict, explain)
        write_report(sink, format, report, top)
        sink.flush()
    except GraphscopeError as error:
        sink.error(error)
        raise typer.Exit(TROUBLE) from error
    if not report.is_equal:
        raise typer.Exit(DIFFERENT)


def _compare(
    sink: Sink, paths: tuple[str, str], tags: list[str], weights: Values, strict: bool, explain: bool
) -> DiffReport:
    from graphscope.api.diff import diff as compare
    from graphscope.cli.options.loading import load
    from graphscope.cli.terminal.speaker import Speaker

    a, b = (load(path, tags=tags) for path in paths)
    return compare(a, b, weights=weights.value, strict=strict, explain=explain, listener=Speaker(sink))


EXAMPLES = """
  graphscope diff model.ckpt-5000 frozen.pb
  graphscope diff old.pb new.pb --weights exact --format json
  git config difftool.tensorflow.cmd 'graphscope diff "$LOCAL" "$REMOTE"'
"""
