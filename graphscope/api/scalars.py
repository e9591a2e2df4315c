"""``graphscope.scalars``: the curves of a training log."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graphscope.api.opening import Names, as_names
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.core.patterns import PATTERN_ERRORS
from graphscope.errors import ArgumentError, UnknownNameError
from graphscope.formats.events.event_file import event_files
from graphscope.formats.events.scalars import Scalar, scalars_in
from graphscope.formats.io.paths import is_file


@dataclass(frozen=True, slots=True)
class Curve:
    """The values of one tag in one run, in the order in which they were logged.

    Attributes:
        run: its directory relative to the opened one; ``.`` for the opened one itself.
        tag: the tag of the summary.
        steps: of the training run.
        wall_times: seconds since 1970.
        values: the numbers; NaN and infinities as they were logged.
    """

    run: str
    tag: str
    steps: tuple[int, ...]
    wall_times: tuple[float, ...]
    values: tuple[float, ...]


@check_arguments
def scalars(
    logdir: str | os.PathLike[str], *, tags: Names = (), runs: Names = (), listener: Listener = SILENT
) -> tuple[Curve, ...]:
    """The curves in an event file, or in the event files in and below a directory, by tag, then by run. No TensorFlow.

    An incomplete last event, of a training run in progress, ends its file; ``listener`` receives a note.

    Args:
        tags: regular expressions; tags that contain a match of one of them are returned; by default all.
        runs: the same for runs.

    Raises:
        ArgumentError: one of them is not a regular expression.
        FileError: there is no event file.
        UnknownNameError: no tag matches, or no run.
        CorruptFileError: an event file is damaged.
    """
    place = Path(logdir)
    notes: list[str] = []
    points: dict[tuple[str, str], list[Scalar]] = {}
    root = place.parent if is_file(place) else place
    for file in event_files(place):
        run = file.parent.relative_to(root).as_posix()
        for scalar in scalars_in(file, notes):
            points.setdefault((scalar.tag, run), []).append(scalar)
    for note in notes:
        listener.note(note)
    found = [_curve(run, tag, points[tag, run]) for tag, run in sorted(points)]
    return tuple(_matching(_matching(found, as_names(tags), "tag"), as_names(runs), "run"))


def _curve(run: str, tag: str, points: list[Scalar]) -> Curve:
    return Curve(
        run,
        tag,
        tuple(point.step for point in points),
        tuple(point.wall_time for point in points),
        tuple(point.value for point in points),
    )


def _matching(curves: list[Curve], patterns: tuple[str, ...], what: str) -> list[Curve]:
    if not patterns:
        return curves
    compiled = list(_compile(patterns))
    kept = [curve for curve in curves if any(pattern.search(getattr(curve, what)) for pattern in compiled)]
    if not kept:
        raise UnknownNameError(what, " or ".join(patterns), dict.fromkeys(getattr(curve, what) for curve in curves))
    return kept


def _compile(patterns: tuple[str, ...]) -> Iterator[re.Pattern[str]]:
    for pattern in patterns:
        try:
            yield re.compile(pattern)
        except PATTERN_ERRORS as error:
            raise ArgumentError(f"{pattern!r} is not a regular expression: {error}") from error


__all__ = ["Curve", "scalars"]
