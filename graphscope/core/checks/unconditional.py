"""Nodes that run exactly once in every run: those outside the loops and branches of ``Enter`` and ``Switch``.

The tensors of others may be dead, or one for each iteration; a session can fetch neither.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.core.graph import Body
from graphscope.core.ops.sets import ENTERS, EXITS, MERGES, NEXT_ITERATIONS, SWITCHES
from graphscope.core.tensors import node_of

_DEEPER = {**dict.fromkeys(ENTERS, 1), **dict.fromkeys(SWITCHES, 1), **dict.fromkeys(EXITS, -2)}
"""How much deeper the consumers of an op lie. ``Exit`` leaves the loop and the ``Switch`` that ends it."""


def unconditional_nodes(body: Body, names: frozenset[str]) -> list[str]:
    """Those of ``names`` that run exactly once, producers before consumers."""
    depth: dict[str, int] = {}
    found = []
    for name in _in_order(body, names):
        node = body.by_name[name]
        around = max((depth.get(producer, 0) for producer in _producers(body, name)), default=0)
        is_end = node.op in MERGES and not _begins_loop(body, name)
        own = max(around - is_end, 0)
        depth[name] = max(own + _DEEPER.get(node.op, 0), 0)
        if not (own or depth[name]):
            found.append(name)
    return found


def _begins_loop(body: Body, name: str) -> bool:
    return any(
        producer.op in NEXT_ITERATIONS or producer.op in ENTERS for producer in body.producers(body.by_name[name])
    )


def _producers(body: Body, name: str) -> Iterator[str]:
    """The nodes that ``name`` takes or waits for, but for those that come round a loop."""
    for text in body.by_name[name].inputs:
        producer = body.get(node_of(text))
        if producer is not None and producer.op not in NEXT_ITERATIONS:
            yield producer.name


def _in_order(body: Body, names: frozenset[str]) -> Iterator[str]:
    """``names`` so that producers stand before consumers, but for the edges that close a loop."""
    done: set[str] = set()
    for root in body.names:
        stack = [(root, _producers(body, root))] if root in names and root not in done else []
        while stack:
            name, waiting = stack[-1]
            following = next((p for p in waiting if p in names and p not in done), None)
            if following is not None:
                done.add(following)
                stack.append((following, _producers(body, following)))
                continue
            stack.pop()
            done.add(name)
            yield name
