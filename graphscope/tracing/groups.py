"""The costs of nodes, grouped by op, by name scope and by device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from graphscope.tracing.memory import peak_bytes, persistent_bytes
from graphscope.tracing.quantiles import add_up
from graphscope.tracing.report import DeviceCost, GroupCost, NodeCost
from graphscope.tracing.trace import Trace

_T = TypeVar("_T")

DEEPEST = 50
"""Maximum depth of name scopes; real models have about ten."""

_Placed = tuple[str, NodeCost]
"""A name that determines the scopes of a node, and the node."""


def by_op(nodes: Iterable[NodeCost]) -> list[GroupCost]:
    """One row for each op that ran, the costliest first."""
    groups = group_rows(nodes, lambda node: node.kernel)
    return _sort(_group(op, 0, members) for op, members in groups.items())


def by_scope(nodes: Iterable[NodeCost]) -> list[GroupCost]:
    """One row for each name scope, those in it after it, siblings by cost; nodes outside all scopes have a row too.

    A node with the name of a scope counts in it. The outermost rows add up to the whole. Scopes deeper than :data:`DEEPEST`
    have no rows of their own.
    """
    found = list(nodes)
    scopes = {scope for node in found for scope in _around(node.name)}
    inside = [(f"{n.name}/" if n.name in scopes else n.name, n) for n in found]
    return list(_scopes(inside, "", 0))


def _around(name: str) -> Iterator[str]:
    """The scopes in which ``name`` lies, the outermost first."""
    end = -1
    for _ in range(DEEPEST):
        end = name.find("/", end + 1)
        if end < 0:
            break
        yield name[:end]


def _scopes(nodes: Sequence[_Placed], prefix: str, depth: int) -> Iterator[GroupCost]:
    groups = group_rows(nodes, lambda placed: _scope(placed[0], prefix))
    if depth:
        groups.pop("", None)  # what is in a scope itself is in that scope's row
    rows = [(_group(scope, depth, [node for _, node in members]), members) for scope, members in groups.items()]
    for row, members in sorted(rows, key=lambda pair: -pair[0].times.wall_us):
        yield row
        if row.name and depth < DEEPEST:
            yield from _scopes(members, row.name + "/", depth + 1)


def _scope(name: str, prefix: str) -> str:
    """The scope of ``name`` one level below ``prefix``; empty if it lies directly there."""
    head, slash, _ = name[len(prefix) :].partition("/")
    return prefix + head if slash else ""


def by_device(nodes: Iterable[NodeCost], trace: Trace) -> list[DeviceCost]:
    """One row for each device, the costliest first; those on which nothing ran last."""
    placed = group_rows(trace.partitions.computing, lambda node: node.device)
    ran = group_rows(nodes, lambda node: node.device)
    names = dict.fromkeys([*ran, *trace.present])
    rows = [_device(name, ran.get(name, []), trace, len(placed.get(name, ()))) for name in names]
    return sorted(rows, key=lambda row: -row.times.wall_us)


def _device(name: str, members: Sequence[NodeCost], trace: Trace, placed: int) -> DeviceCost:
    steps = [[e for e in step.executions if e.device == name] for step in trace.steps]
    return DeviceCost(
        name=name,
        placed=placed or len(members),
        nodes=len(members),
        executions=sum(m.executions for m in members),
        times=add_up(m.times for m in members),
        share=sum(m.share for m in members),
        peak_bytes=max(map(peak_bytes, steps), default=0),
        persistent_bytes=max(map(persistent_bytes, steps), default=0),
    )


def group_rows(rows: Iterable[_T], key: Callable[[_T], str]) -> dict[str, list[_T]]:
    """Key -> the rows that have it, in order."""
    found: dict[str, list[_T]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _group(name: str, depth: int, members: Sequence[NodeCost]) -> GroupCost:
    times = add_up(m.times for m in members)
    known = [m for m in members if m.flops is not None]
    flops, wall_us = sum(m.flops or 0 for m in known), sum(m.times.wall_us for m in known)
    return GroupCost(
        name=name,
        depth=depth,
        nodes=len({m.name for m in members}),
        executions=sum(m.executions for m in members),
        times=times,
        share=sum(m.share for m in members),
        output_bytes=sum(m.output_bytes for m in members),
        flops=flops if known else None,
        flops_per_s=flops / wall_us * 1e6 if known and wall_us else None,
    )


def _sort(rows: Iterable[GroupCost]) -> list[GroupCost]:
    return sorted(rows, key=lambda row: -row.times.wall_us)
