"""Items summed into rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from graphscope.analysis.cost.devices import Device
from graphscope.analysis.cost.items import Item
from graphscope.analysis.cost.layers import by_depth, by_layer
from graphscope.analysis.cost.measure import Typed, Work
from graphscope.analysis.cost.parts import Weight
from graphscope.analysis.cost.report import CostRow, Figures
from graphscope.analysis.cost.table import Access
from graphscope.analysis.shapes.sizes import public
from graphscope.core.values.dtypes import DataType

Sizes = Callable[[Weight], tuple[int, int]]
"""Elements and bytes of a weight."""


def is_shown(item: Item) -> bool:
    """Whether an item computes or moves something, or has weights; what only passes data on makes no row."""
    return bool(item.weights) or item.entry.work.access in (Access.WHOLE, Access.PART)


def rows(items: Sequence[Item], by: str, depth: int | None, sizes: Sizes, device: Device | None) -> tuple[CostRow, ...]:
    """One row for each node, op or scope.

    Args:
        by: ``node``, ``op`` or ``scope``.
        depth: how many parts the name of a scope has at most; ``None`` for one row a layer.
    """
    shown = [item for item in items if is_shown(item)]
    groups: dict[object, list[Item]] = {}
    key = _KEYS[by] if by in _KEYS else by_depth(depth) if depth is not None else by_layer(shown)
    for item in shown:
        groups.setdefault(key(item), []).append(item)
    made = tuple(_row(by, name, members, figures(members, sizes, device)) for name, members in groups.items())
    return tuple(sorted(made, key=lambda row: -row.figures.flops)) if by == "op" else made


def _node(item: Item) -> object:
    return id(item.part), item.entry.place


_KEYS: Mapping[str, Callable[[Item], object]] = {"node": _node, "op": lambda item: item.entry.node.op}


def _row(by: str, key: object, members: Sequence[Item], sums: Figures) -> CostRow:
    first = members[0]
    last = _last_result(members) if by != "op" else None
    return CostRow(
        name=first.entry.node.name if by == "node" else str(key),
        function=first.part.function if by == "node" else "",
        op=first.entry.node.op if by == "node" or len({item.entry.node.op for item in members}) == 1 else "",
        nodes=len(members),
        executions=sum(item.executions for item in members),
        dtype=last.dtype if last is not None else DataType.INVALID,
        shape=public(last.fact.shape) if last is not None else None,
        figures=sums,
    )


def _last_result(members: Iterable[Item]) -> Typed | None:
    """What a group gives: the last result in it of floating point, or the last of any type."""
    results = [item.entry.outputs[0] for item in members if item.entry.outputs]
    floating = [result for result in results if result.dtype.is_floating]
    return next(reversed(floating or results), None)


def figures(members: Iterable[Item], sizes: Sizes, device: Device | None) -> Figures:
    """The sums over items."""
    parameters = parameter_bytes = macs = flops = read = written = activations = without_flops = without_bytes = 0
    time_us = 0.0
    for item in members:
        work, count = item.entry.work, item.executions
        for weight in item.weights:
            elements, size = sizes(weight)
            parameters += elements
            parameter_bytes += size
        macs += (work.macs or 0) * count
        flops += (work.flops or 0) * count
        read += (work.read_bytes or 0) * count
        written += (work.written_bytes or 0) * count
        activations += work.result_bytes or 0
        without_flops += work.flops is None
        without_bytes += work.read_bytes is None or work.written_bytes is None
        time_us += _time_us(work, device) * count
    return Figures(
        parameters,
        parameter_bytes,
        macs,
        flops,
        read,
        written,
        activations,
        without_flops,
        without_bytes,
        time_us if device is not None else None,
    )


def _time_us(work: Work, device: Device | None) -> float:
    """The roofline: the longer of compute time and data transfer time."""
    if device is None:
        return 0.0
    moved = (work.read_bytes or 0) + (work.written_bytes or 0)
    return max((work.flops or 0) / device.flops_per_s, moved / device.bytes_per_s) * 1e6
