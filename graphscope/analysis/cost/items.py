"""All nodes that run, in the graph and in what it calls, one item each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graphscope.analysis.cost.parts import Entry, Part, Weight
from graphscope.core.ops.sets import ASSIGN_OPS, COUNT_OPS

_UNNAMED_CALL = re.compile(r"(^|/)(Stateful)?PartitionedCall(_\d+)?$")
"""Generated names of calls: they form no scope."""

_KEEPERS = ASSIGN_OPS | COUNT_OPS | frozenset({"Save", "SaveV2", "SaveSlices"})
"""Ops that take a weight but are not the layer that it belongs to."""


@dataclass(frozen=True, slots=True)
class Item:
    """A node that runs.

    Attributes:
        part, entry: it, and the body that it is in.
        path: its name, prefixed by the calls that lead to it.
        executions: number of runs per run of the graph.
        weights: those that no earlier item has used.
    """

    part: Part
    entry: Entry
    path: str
    executions: int
    weights: tuple[Weight, ...]


def items(root: Part) -> Iterator[Item]:
    """The items in order; those of a function at its first call."""
    runs = _executions(root)
    seen_parts: set[int] = set()
    seen_weights: set[Weight] = set()
    stack = [_Walk(root, "")]
    seen_parts.add(id(root))
    while stack:
        walk = stack[-1]
        entry = next(walk.entries, None)
        if entry is None:
            stack.pop()
            continue
        weights = () if entry.node.op in _KEEPERS else tuple(w for w in entry.weights if w not in seen_weights)
        seen_weights.update(weights)
        yield Item(walk.part, entry, walk.prefix + entry.node.name, runs[id(walk.part)] * entry.turns, weights)
        for call in entry.calls:
            if id(call.part) not in seen_parts:
                seen_parts.add(id(call.part))
                stack.append(_Walk(call.part, _prefix(walk.prefix + entry.node.name)))


class _Walk:
    def __init__(self, part: Part, prefix: str) -> None:
        self.part = part
        self.prefix = prefix
        self.entries = iter(part.entries)


def _prefix(path: str) -> str:
    scope = _UNNAMED_CALL.sub("", path)
    return f"{scope}/" if scope else ""


def _executions(root: Part) -> Mapping[int, int]:
    """How often each part runs in one run of the graph, by its ``id``."""
    counts: dict[int, int] = {id(root): 1}
    for part in _callers_first(root):
        for entry in part.entries:
            for call in entry.calls:
                more = counts[id(part)] * entry.turns * call.times
                counts[id(call.part)] = counts.get(id(call.part), 0) + more
    return counts


def _callers_first(root: Part) -> list[Part]:
    """All parts, each after its callers: no part calls itself."""
    result: list[Part] = []
    done: set[int] = set()
    stack: list[tuple[Part, Iterator[Part]]] = [(root, _iterate_called(root))]
    done.add(id(root))
    while stack:
        part, called = stack[-1]
        inner = next((p for p in called if id(p) not in done), None)
        if inner is None:
            result.append(part)
            stack.pop()
        else:
            done.add(id(inner))
            stack.append((inner, _iterate_called(inner)))
    return result[::-1]


def _iterate_called(part: Part) -> Iterator[Part]:
    return (call.part for entry in part.entries for call in entry.calls)
