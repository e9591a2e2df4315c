"""The page that ``profile`` shows, to find the bottleneck on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from graphscope.cli.render.profile_figures import device, duration, number, percent, quartiles
from graphscope.cli.render.profile_lists import node_view, op_view, path_view
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.plain import json_text, plain
from graphscope.cli.terminal.sections import Section, write_sections
from graphscope.cli.terminal.table import write_table
from graphscope.cli.terminal.text import escape, size, tensor_type
from graphscope.cli.terminal.views import View
from graphscope.core.units import count
from graphscope.errors import some
from graphscope.tracing.report import DeviceCost, GroupCost, NodeCost, Profile

TOP = 10
FEW = 6
LITTLE = 0.001
"""Entries with a smaller share are omitted on the page."""

INDENT = 10
_Cost = TypeVar("_Cost", NodeCost, GroupCost)


def write_profile(sink: Sink, profile: Profile, next_lines: Sequence[str]) -> None:
    """The page: what was run, how long it took, where the time was spent, the next commands."""
    for section in _head(profile):
        sink.lines(write_sections(sink, [section], INDENT))
    _write_list(sink, f"nodes     costliest of {len(profile.nodes):,}", node_view(profile), _costly(profile.nodes, TOP))
    _write_list(sink, f"ops       costliest of {len(profile.ops):,}", op_view("op"), _costly(profile.ops, FEW))
    _write_list(sink, "scopes    two levels", op_view("scope"), _outer(profile.scopes))
    least = profile.critical.wall_us * LITTLE
    path = sorted((n for n in profile.critical.nodes if n.wall_us >= least), key=lambda node: -node.wall_us)[:FEW]
    _write_list(sink, f"path      {_path_text(profile)}", path_view(profile), path)
    sink.lines(["", *write_sections(sink, [("next", [[line] for line in next_lines])], INDENT, is_wrapped=False)])


def _write_list(sink: Sink, title: str, view: View[Any], rows: Sequence[Any]) -> None:
    if rows:
        sink.lines(["", sink.paint(title, "title")])
        write_table(sink, view.columns, map(view.cells, rows))


def _costly(rows: Sequence[_Cost], limit: int) -> list[_Cost]:
    """The first entries, without those with negligible cost."""
    return [row for row in rows[:limit] if row.share >= LITTLE]


def _outer(scopes: Sequence[GroupCost]) -> list[GroupCost]:
    """Two levels, without entries with negligible cost."""
    return [scope for scope in scopes if scope.depth < 2 and scope.share >= 0.01][:TOP]


def _head(profile: Profile) -> Iterator[Section]:
    yield "model", [[profile.path]]
    if profile.outputs:
        yield "computed", [[", ".join(profile.outputs)]]
    if profile.feeds:
        yield "fed", [[f.tensor, tensor_type(f.dtype, f.shape), f.how] for f in profile.feeds]
    yield "step", list(_step_lines(profile))
    yield "devices", [list(_device_line(row)) for row in profile.devices]
    if profile.unfound:
        yield "unmatched", [[_unfound_text(profile)]]


def _step_lines(profile: Profile) -> Iterator[Sequence[str]]:
    steps = count(profile.steps, "step")
    if profile.untraced is not None:
        yield duration(profile.untraced.wall_us), f"without traces, median of {steps} ({quartiles(profile.untraced)})"
    if profile.examples_per_s is not None:
        yield f"{number(profile.examples_per_s)}/s", f"examples, {profile.examples:,} at a time"
    if profile.traced is not None:
        more = "" if profile.overhead is None else f", {profile.overhead:+.0%}".replace("%", " %")
        yield duration(profile.traced.wall_us), f"traced{more} ({quartiles(profile.traced)})"
    of = "" if profile.traced is not None else f", median of {steps} ({quartiles(profile.span)})"
    yield duration(profile.span.wall_us), f"first op to last{of}"
    yield duration(profile.wall_us), f"{count(len(profile.nodes), 'node')} in total (100 %)"


def _device_line(row: DeviceCost) -> Iterator[str]:
    yield device(row.name)
    yield count(row.placed, "node")
    yield duration(row.times.wall_us)
    yield percent(row.share)
    yield f"peak {size(row.peak_bytes)}, keeps {size(row.persistent_bytes)}"


def _unfound_text(profile: Profile) -> str:
    stats = count(profile.unfound_stats, "stat")
    return f"{stats}, {profile.unfound_share:.2%} of the time: {some(map(escape, profile.unfound), FEW)}"


def _path_text(profile: Profile) -> str:
    path = profile.critical
    runs = count(path.executions, "op")
    return f"{duration(path.wall_us)} of {duration(profile.span.wall_us)}: the critical path, {runs}"


def write_json(sink: Sink, profile: Profile) -> None:
    """The whole report."""
    sink.write(
        json_text(
            {**plain(profile), "overhead": profile.overhead, "examples_per_s": profile.examples_per_s},
            indent=2,
            is_unicode=sink.is_unicode,
        )
        + "\n"
    )


def next_steps(profile: Profile, logdir: Path | None, given: str) -> list[str]:
    """The next commands; ``given`` are the options that select what is run, as typed."""
    path = shlex.quote(profile.path)
    if not profile.traced:
        return [f"graphscope profile --from {path} --by node"]
    output = " ".join(f"--output {shlex.quote(name.removesuffix(':0'))}" for name in profile.outputs)
    if logdir is not None:
        return [f"graphscope board {shlex.quote(str(logdir))}"]
    again = " ".join(filter(None, ("graphscope profile", path, output, given)))
    return [f"{again} --logdir logs", f"{again} --by node"]
