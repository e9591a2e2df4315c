"""``diff``: the differences between two models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphscope.analysis.diff.report import Change, Difference, DiffReport, Section
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format, Page, write_page
from graphscope.cli.terminal.plain import csv_lines, plain
from graphscope.cli.terminal.sections import Line, write_sections
from graphscope.cli.terminal.text import elide
from graphscope.core.units import count

if TYPE_CHECKING:
    from graphscope.drawing.drawing import SavedDrawing

MARKS = {Change.ADDED: "+", Change.REMOVED: "-", Change.CHANGED: "~", Change.RENAMED: ">"}
MANY = 20
"""The number of added or removed nodes from which those of a scope share a line."""

FEW = 4
"""The minimum number of nodes in such a line."""

_INDENT = 13
_LONGEST = 160
"""Longer details are shortened in the middle; JSON and CSV have the full text."""

_MEASURES = ("elements", "changed", "max_abs", "relative", "cosine", "not_finite")
_HEADER = ("section", "change", "name", "other", "function", "detail", *_MEASURES)


def write_report(sink: Sink, format: Format, report: DiffReport, top: int) -> None:
    """Writes the differences; on a terminal also how much was matched.

    Args:
        top: number of weights in the table, those that changed most first; 0 for all.
    """
    if format is Format.CSV:
        sink.lines(csv_lines(_HEADER, map(_fields, report.differences)))
    else:
        page = Page(lambda: _page(sink, report, top), lambda: _record(report), lambda: _names(report))
        write_page(sink, format, page)
    for note in report.notes:
        sink.note(note)
    if format is Format.TABLE:
        sink.note(report.summary)


def write_drawing(sink: Sink, report: DiffReport, saved: SavedDrawing) -> None:
    """Writes the page of two compared models."""
    from graphscope.cli.render.draw import saved_line

    sink.lines([saved_line(saved)])
    for note in (*report.notes, report.summary):
        sink.note(note)


def _page(sink: Sink, report: DiffReport, top: int) -> Iterator[str]:
    explained = [(explanation.kind, explanation.text) for explanation in report.explanations]
    sections: list[tuple[str, Sequence[Line]]] = [("explained", explained)] if explained else []
    sections += [
        (section.value, list(_lines(section, list(report.of(section)), top)))
        for section in Section
        if any(report.of(section))
    ]
    for shown in sections:
        yield from write_sections(sink, [shown], _INDENT)


def _lines(section: Section, differences: list[Difference], top: int) -> Iterator[Line]:
    if section is Section.NODES:
        differences, scopes = _by_scope(differences)
        yield from scopes
    if section is Section.WEIGHTS:
        ordered = sorted(differences, key=_distance, reverse=True)
        differences = ordered[:top] if top else ordered
        yield from map(_line, differences)
        if len(ordered) > len(differences):
            yield (f"and {len(ordered) - len(differences):,} more: --top 0 shows all",)
    else:
        yield from map(_line, differences)


def _distance(difference: Difference) -> float:
    """How much a weight changed; first come others of another type or shape, in only one model, or with NaN or infinities."""
    if difference.weight is None or difference.weight.not_finite:
        return float("inf")
    return difference.weight.relative or difference.weight.max_abs or 0.0


def _by_scope(differences: list[Difference]) -> tuple[list[Difference], list[Line]]:
    """Added and removed nodes with one line for each large scope, if there are many; all others unchanged."""
    counts = Counter(_scope(d) for d in differences if d.change is not Change.CHANGED)
    if sum(counts.values()) < MANY:
        return differences, []
    large = {key: number for key, number in counts.items() if number >= FEW and key[1]}
    lines: list[Line] = [
        (f"{MARKS[change]} {scope}/", count(number, "node")) for (change, scope), number in large.items()
    ]
    return [d for d in differences if _scope(d) not in large], lines


def _scope(difference: Difference) -> tuple[Change, str]:
    scope, slash, _ = _name(difference).partition("/")
    return difference.change, scope if slash else ""


def _name(difference: Difference) -> str:
    return f"{difference.function}/{difference.name}" if difference.function else difference.name


def _line(difference: Difference) -> Line:
    other = f" = {difference.other}" if difference.other and difference.change is not Change.RENAMED else ""
    name = f"{MARKS[difference.change]} {_name(difference)}{other}"
    if difference.change is Change.RENAMED:
        return (f"{MARKS[difference.change]} {difference.detail}",)
    return (name, elide(difference.detail, _LONGEST)) if difference.detail else (name,)


def _names(report: DiffReport) -> Iterable[str]:
    return dict.fromkeys(map(_name, report.differences))


def _fields(difference: Difference) -> Sequence[object]:
    weight = difference.weight
    values = [getattr(weight, name, None) for name in _MEASURES]
    return (
        *(difference.section.value, difference.change.value, difference.name, difference.other),
        *(difference.function, difference.detail, *values),
    )


def _record(report: DiffReport) -> dict[str, Any]:
    found: dict[str, Any] = plain(replace(report, partners={}))
    del found["partners"]
    return {
        "is_equal": report.is_equal,
        **found,
        "matched": {method.value: number for method, number in report.matched.items()},
    }
