"""Finds the nodes without their own box: weights and constants are lines in the box of the layer that uses them."""

from __future__ import annotations

from collections.abc import Sequence

from graphscope.core.graph import Graph
from graphscope.core.ops.sets import VARIABLE_OPS

_PASSING = frozenset({"Identity", "ReadVariableOp", "Enter", "RefEnter"})
"""Ops that pass a weight on unchanged."""
HOLDERS = VARIABLE_OPS | {"Const"}


def hosts_of(graph: Graph, outside: Sequence[bool]) -> list[int]:
    """For each node the number of that in whose box it is drawn; its own for most.

    What a variable's name scope holds (reads, initial values, slots) is part of the variable; a variable or constant that one
    node uses, as it is or read, is part of that node.
    """
    host = list(range(len(graph)))
    _add_parts_of_variables(graph, outside, host)
    members: dict[int, list[int]] = {}
    for i, found in enumerate(host):
        if found != i:
            members.setdefault(found, []).append(i)
    for i, op in enumerate(graph.ops):
        if op in HOLDERS and host[i] == i:
            _follow(graph, outside, host, i, members.get(i, []))
    return [_last(host, i) for i in range(len(host))]


def _last(host: Sequence[int], i: int) -> int:
    while host[i] != i:
        i = host[i]
    return i


def _add_parts_of_variables(graph: Graph, outside: Sequence[bool], host: list[int]) -> None:
    variables = {name: i for i, (name, op) in enumerate(zip(graph.names, graph.ops)) if op in VARIABLE_OPS}
    if not variables:
        return
    for i, (name, op) in enumerate(zip(graph.names, graph.ops)):
        place = name.find("/")
        while place >= 0:
            found = variables.get(name[:place])
            if found is not None:
                if found != i and (outside[i] or op in _PASSING):
                    host[i] = found
                break
            place = name.find("/", place + 1)


def _follow(graph: Graph, outside: Sequence[bool], host: list[int], start: int, members: Sequence[int]) -> None:
    """Puts ``start`` and its pass-through nodes into the node that uses it, if there is only one."""
    chain = [start]
    group = {start, *members}
    while True:
        found = {
            user
            for i in (chain[-1], *(members if len(chain) == 1 else ()))
            for user in graph.consumer_numbers[i]
            if user not in group and outside[user] == outside[start]
        }
        if len(found) != 1:
            return
        [user] = found
        if graph.ops[user] in HOLDERS or host[user] != user:
            return
        if graph.ops[user] not in _PASSING:
            break
        chain.append(user)
        group.add(user)
    for i in chain:
        host[i] = user
