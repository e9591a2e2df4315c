"""The lists that ``profile --by`` shows, in every format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphscope.cli.render.profile_figures import device, duration, percent, quartiles, rate
from graphscope.cli.terminal.plain import plain
from graphscope.cli.terminal.table import Column
from graphscope.cli.terminal.text import size, tensor_type
from graphscope.cli.terminal.views import View
from graphscope.core.tensors import shape_text
from graphscope.tracing.report import DeviceCost, Executed, GroupCost, NodeCost, PathCost, Placement, Profile, Times


def node_view(profile: Profile) -> View[NodeCost]:
    """One row for each node on each device; columns with equal cells are omitted."""
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
    return duration(times.wall_us), quartiles(times), percent(share)


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
    """One row for each node of the graph."""

    def cells(row: Placement) -> Sequence[str]:
        return row.name, row.op, row.requested, device(row.device)

    def fields(row: Placement) -> Sequence[object]:
        return row.name, row.op, row.requested, row.device

    return View(_PLACES, cells, plain, ("name", "op", "requested", "device"), fields, lambda row: row.name)


_PLACES = (
    Column("node", minimum=16, keeps_end=True),
    Column("op", style="op", minimum=8),
    Column("requested", style="dim", minimum=8),
    Column("device"),
)


def executed_view() -> View[Executed]:
    """One row for each node that ran."""

    def cells(row: Executed) -> Sequence[str]:
        return row.name, row.op, row.requested, device(row.device)

    def fields(row: Executed) -> Sequence[object]:
        return row.name, row.node, row.op, row.requested, row.device, row.within

    return View(
        _PLACES, cells, plain, ("name", "node", "op", "requested", "device", "within"), fields, lambda row: row.name
    )


def rows_by(profile: Profile, by: str) -> tuple[View[Any], Iterable[Any]]:
    """The list that ``--by`` asks for."""
    lists: dict[str, tuple[View[Any], Iterable[Any]]] = {
        "node": (node_view(profile), profile.nodes),
        "op": (op_view("op"), profile.ops),
        "scope": (op_view("scope"), profile.scopes),
        "device": (device_view(), profile.devices),
        "path": (path_view(profile), profile.critical.nodes),
        "placement": (placement_view(), profile.placement),
        "executed": (executed_view(), profile.executed),
    }
    return lists[by]
