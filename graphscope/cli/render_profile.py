"""What ``profile`` shows: a page to find the bottleneck on, and lists of everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from graphscope.cli.output import Sink
from graphscope.cli.plain import json_text, plain
from graphscope.cli.sections import Section, write_sections
from graphscope.cli.table import Column, write_table
from graphscope.cli.text import count, escape, size, some, tensor_type
from graphscope.cli.views import View
from graphscope.core.tensors import shape_text
from graphscope.tracing.report import DeviceCost, GroupCost, NodeCost, PathCost, Placement, Profile, Times

TOP = 10
FEW = 6
LITTLE = 0.001
"""The page leaves out what has a smaller share."""

INDENT = 10

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_Cost = TypeVar("_Cost", NodeCost, GroupCost)
_LOCAL = "/job:localhost/replica:0/task:0/device:"


def duration(us: float) -> str:
    """Microseconds with three digits and a unit: ``6.94 ms``."""
    for factor, unit in ((1e6, "s"), (1e3, "ms")):
        if us >= factor * 0.9995:
            return f"{us / factor:.3g} {unit}"
    return f"{us:.3g} us"


def rate(per_s: float | None) -> str:
    """Operations with three digits and a decimal prefix: ``6.8 G``; empty for ``None``."""
    if per_s is None:
        return ""
    factor, prefix = next(((f, p) for f, p in _PREFIXES if per_s >= f * 0.9995), (1.0, ""))
    return f"{per_s / factor:.3g} {prefix}".rstrip()


def percent(share: float) -> str:
    """``68 %``, ``0.3 %`` below one, nothing for nothing."""
    return f"{share:.0%}".replace("%", " %") if share >= 0.0995 else f"{share * 100:.1f} %" if share else ""


def spread(times: Times) -> str:
    """The quartiles in the unit of the median: ``6.81-8.75``."""
    factor = 1e6 if times.wall_us >= 999_500 else 1e3 if times.wall_us >= 999.5 else 1
    return f"{_short(times.low_us / factor)}-{_short(times.high_us / factor)}"


def _short(value: float) -> str:
    """Three digits, never an exponent."""
    return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"


def device(name: str) -> str:
    """``CPU:0`` on this machine, ``worker:1 CPU:0`` in a cluster."""
    if name.startswith(_LOCAL):
        return name.removeprefix(_LOCAL)
    parts = dict(part.partition(":")[::2] for part in name.strip("/").split("/"))
    if "device" not in parts:
        return name
    task = f"{parts['job']}:{parts.get('task', '0')} " if "job" in parts else ""
    return task + parts["device"]


# The page


def write_profile(sink: Sink, profile: Profile, next_lines: Sequence[str]) -> None:
    """The page: what was run, how long it took, where the time went, what to type next."""
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
    """The first, without those that cost next to nothing."""
    return [row for row in rows[:limit] if row.share >= LITTLE]


def _outer(scopes: Sequence[GroupCost]) -> list[GroupCost]:
    """Two levels, without what costs next to nothing."""
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
        yield duration(profile.untraced.wall_us), f"without traces, median of {steps} ({spread(profile.untraced)})"
    if profile.traced is not None:
        more = "" if profile.overhead is None else f", {profile.overhead:+.0%}".replace("%", " %")
        yield duration(profile.traced.wall_us), f"traced{more} ({spread(profile.traced)})"
    of = "" if profile.traced is not None else f", median of {steps} ({spread(profile.span)})"
    yield duration(profile.span.wall_us), f"first op to last{of}"
    yield duration(profile.wall_us), f"in {count(len(profile.nodes), 'node')}: the whole of all shares"


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
    return f"{duration(path.wall_us)} of {duration(profile.span.wall_us)}: {runs}, each waits for the one before"


def write_json(sink: Sink, profile: Profile) -> None:
    """The whole report."""
    sink.write(json_text({**plain(profile), "overhead": profile.overhead}, indent=2, is_unicode=sink.is_unicode) + "\n")


# The lists


def node_view(profile: Profile) -> View[NodeCost]:
    """One row for each node on each device; columns that say the same everywhere are left out."""
    has_devices, has_loops = len(profile.devices) > 1, any(node.executions > 1 for node in profile.nodes)
    columns = [
        Column("node", minimum=16, keeps_end=True),
        Column("op", style="op", minimum=8),
        *([Column("device", style="dim")] if has_devices else []),
        *([Column("runs", right=True)] if has_loops else []),
        Column("time", right=True),
        Column("quartiles", right=True, style="dim", drop=3),
        Column("share", right=True),
        Column("output", style="shape", minimum=10, drop=2),
        Column("FLOP/s", right=True, drop=1),
    ]

    def cells(row: NodeCost) -> Sequence[str]:
        found = [row.name, row.kernel or row.op]
        found += [device(row.device)] if has_devices else []
        found += [f"{row.executions:,}"] if has_loops else []
        return [*found, *_costs(row.times, row.share), _output(row), rate(row.flops_per_s)]

    return View(columns, cells, plain, _NODE_FIELDS, _node_fields, lambda row: row.name)


def _costs(times: Times, share: float) -> Sequence[str]:
    return duration(times.wall_us), spread(times), percent(share)


def _output(row: NodeCost) -> str:
    return ", ".join(shape_text(output.shape) for output in row.outputs[:1]) + (" ..." if len(row.outputs) > 1 else "")


_NODE_FIELDS = tuple(
    "name is_found op kernel covers device executions wall_us low_us high_us share outputs output_bytes allocated_bytes"
    " flops flops_per_s".split()
)


def _node_fields(row: NodeCost) -> Sequence[object]:
    outputs = ";".join(tensor_type(output.dtype, output.shape) for output in row.outputs)
    return (
        *(row.name, row.is_found, row.op, row.kernel, ";".join(row.covers), row.device, row.executions),
        *(row.times.wall_us, row.times.low_us, row.times.high_us, row.share, outputs, row.output_bytes),
        *(row.allocated_bytes, row.flops, row.flops_per_s),
    )


def op_view(title: str) -> View[GroupCost]:
    """One row for each op, or each name scope."""
    columns = (
        Column(title, minimum=16, style="op" if title == "op" else ""),
        Column("nodes", right=True),
        Column("runs", right=True, drop=2),
        Column("time", right=True),
        Column("quartiles", right=True, style="dim", drop=3),
        Column("share", right=True),
        Column("output", right=True, drop=1),
        Column("FLOP", right=True, drop=5),
        Column("FLOP/s", right=True, drop=1),
    )

    def cells(row: GroupCost) -> Sequence[str]:
        name = row.name or ("(no scope)" if title == "scope" else "(unknown)")
        label = "  " * row.depth + (name.rpartition("/")[2] if row.depth else name)
        numbers = f"{row.nodes:,}", f"{row.executions:,}", *_costs(row.times, row.share)
        return label, *numbers, size(row.output_bytes), rate(row.flops), rate(row.flops_per_s)

    return View(columns, cells, plain, _GROUP_FIELDS, _group_fields, lambda row: row.name)


_GROUP_FIELDS = tuple("name depth nodes executions wall_us low_us high_us share output_bytes flops flops_per_s".split())


def _group_fields(row: GroupCost) -> Sequence[object]:
    times = row.times
    return (
        *(row.name, row.depth, row.nodes, row.executions, times.wall_us, times.low_us, times.high_us),
        *(row.share, row.output_bytes, row.flops, row.flops_per_s),
    )


def device_view() -> View[DeviceCost]:
    """One row for each device."""
    columns = (
        Column("device", minimum=16),
        Column("nodes", right=True),
        Column("runs", right=True, drop=2),
        Column("time", right=True),
        Column("quartiles", right=True, style="dim", drop=1),
        Column("share", right=True),
        Column("peak", right=True),
        Column("keeps", right=True),
    )

    def cells(row: DeviceCost) -> Sequence[str]:
        numbers = f"{row.placed:,}", f"{row.executions:,}", *_costs(row.times, row.share)
        return device(row.name), *numbers, size(row.peak_bytes), size(row.persistent_bytes)

    fields = "name placed nodes executions wall_us low_us high_us share peak_bytes persistent_bytes"
    return View(columns, cells, plain, tuple(fields.split()), _device_fields, lambda row: row.name)


def _device_fields(row: DeviceCost) -> Sequence[object]:
    times = row.times
    return (
        *(row.name, row.placed, row.nodes, row.executions, times.wall_us, times.low_us, times.high_us),
        *(row.share, row.peak_bytes, row.persistent_bytes),
    )


def path_view(profile: Profile) -> View[PathCost]:
    """One row for each node on the critical path."""
    has_devices = len(profile.devices) > 1
    columns = [
        Column("node", minimum=16, keeps_end=True),
        Column("op", style="op", minimum=8),
        *([Column("device", style="dim")] if has_devices else []),
        Column("runs", right=True, drop=1),
        Column("time", right=True),
        Column("of path", right=True),
    ]
    whole = profile.critical.wall_us or 1.0

    def cells(row: PathCost) -> Sequence[str]:
        place = [device(row.device)] if has_devices else []
        return [
            row.name,
            row.kernel,
            *place,
            f"{row.executions:,}",
            duration(row.wall_us),
            percent(row.wall_us / whole),
        ]

    def fields(row: PathCost) -> Sequence[object]:
        return row.name, row.kernel, row.device, row.executions, row.wall_us

    return View(columns, cells, plain, ("name", "kernel", "device", "executions", "wall_us"), fields, lambda r: r.name)


def placement_view() -> View[Placement]:
    """One row for each node that was put on a device."""
    columns = (
        Column("node", minimum=16, keeps_end=True),
        Column("op", style="op", minimum=8),
        Column("requested", style="dim", minimum=8),
        Column("device"),
    )

    def cells(row: Placement) -> Sequence[str]:
        return row.name, row.op, row.requested, device(row.device)

    def fields(row: Placement) -> Sequence[object]:
        return row.name, row.node, row.op, row.requested, row.device

    return View(columns, cells, plain, ("name", "node", "op", "requested", "device"), fields, lambda row: row.name)


def rows_by(profile: Profile, by: str) -> tuple[View[Any], Iterable[Any]]:
    """The list that ``--by`` asks for."""
    lists: dict[str, tuple[View[Any], Iterable[Any]]] = {
        "node": (node_view(profile), profile.nodes),
        "op": (op_view("op"), profile.ops),
        "scope": (op_view("scope"), profile.scopes),
        "device": (device_view(), profile.devices),
        "path": (path_view(profile), profile.critical.nodes),
        "placement": (placement_view(), profile.placement),
    }
    return lists[by]
