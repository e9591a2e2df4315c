"""``graphscope diff``."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphscope.cli.options.shared import Force, Tags, split_tags
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.speaker import Speaker
from graphscope.errors import GraphscopeError

if TYPE_CHECKING:
    from graphscope.analysis.diff.report import DiffReport
    from graphscope.core.model import Model

DIFFERENT, TROUBLE = 1, 2
"""Exit codes, as for ``diff`` and ``cmp``: 0 means that the models are equal."""

TOP = 20


class DiffFormat(str, enum.Enum):
    """Output formats: those of all commands, and a page."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    NAMES = "names"
    HTML = "html"


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
        typer.Option(help="Compare types and shapes only, stored checksums where possible, or every byte."),
    ] = Values.STAT,
    strict: Annotated[
        bool, typer.Option("--strict", help="Compare devices, colocation, inferred shapes and versions too.")
    ] = False,
    explain: Annotated[bool, typer.Option(help="Summarize differences caused by freezing and folding.")] = True,
    top: Annotated[
        int, typer.Option(min=0, metavar="N", help="Show the N weights that moved most; 0 shows all.")
    ] = TOP,
    tags: Tags,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="FILE", show_default=False, help="Write the page of --format html here."),
    ] = None,
    force: Force = False,
    format: Annotated[
        DiffFormat, typer.Option("--format", help="Output format; html draws both graphs on a page.")
    ] = DiffFormat.TABLE,
) -> None:
    """Compare two models: signatures, nodes, wiring, attributes, weights, functions, objects, collections."""
    sink = Sink.standard()
    _refuse_contradiction(format, out)
    try:
        if out is not None:
            _refuse_target(out, force)
        models = _load((first, second), split_tags(tags))
        options = {"weights": weights.value, "strict": strict, "explain": explain, "listener": Speaker(sink)}
        if out is not None:
            report = _draw(sink, models, out, force, options)
        else:
            report = _compare(sink, models, Format(format.value), top, options)
        sink.flush()
    except GraphscopeError as error:
        sink.error(error)
        raise typer.Exit(TROUBLE) from error
    if not report.is_equal:
        raise typer.Exit(DIFFERENT)


def _refuse_contradiction(format: DiffFormat, out: str | None) -> None:
    if format is DiffFormat.HTML and out is None:
        raise typer.BadParameter("name the page to write, for example -o diff.html", param_hint="--out")
    if format is not DiffFormat.HTML and out is not None:
        raise typer.BadParameter("only --format html writes a file", param_hint="--out")


def _refuse_target(out: str, force: bool) -> None:
    from graphscope.drawing.comparison import refuse_other_ending
    from graphscope.formats.io.places import refuse_unwritable

    refuse_other_ending(out)
    refuse_unwritable(Path(out), force)


def _load(paths: tuple[str, str], tags: list[str]) -> list[Model]:
    from graphscope.cli.options.loading import load

    return [load(path, tags=tags) for path in paths]


def _compare(sink: Sink, models: list[Model], format: Format, top: int, options: dict[str, Any]) -> DiffReport:
    from graphscope.api.diff import diff as compare
    from graphscope.cli.render.diff import write_report

    report = compare(*models, **options)
    write_report(sink, format, report, top)
    return report


def _draw(sink: Sink, models: list[Model], out: str, force: bool, options: dict[str, Any]) -> DiffReport:
    from graphscope.api.diff import draw_diff
    from graphscope.cli.render.diff import write_drawing

    drawing = draw_diff(*models, **options)
    write_drawing(sink, drawing.report, drawing.save(out, overwrite=force))
    return drawing.report


EXAMPLES = """
  graphscope diff model.ckpt-5000 frozen.pb
  graphscope diff old.pb new.pb --weights exact --format json
  graphscope diff old.pb new.pb --format html -o diff.html
  git config difftool.tensorflow.cmd 'graphscope diff "$LOCAL" "$REMOTE"'
"""
