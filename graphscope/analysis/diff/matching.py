"""Matches the nodes of two bodies: by name, then by structure, then within renamed scopes.

Nothing here searches: every step is linear in the number of nodes that are still open, and there are few steps.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from graphscope.analysis.diff.report import Method
from graphscope.analysis.diff.scopes import split_common_end
from graphscope.analysis.diff.sides import FREEZES, Matching, Side
from graphscope.analysis.diff.structure import match_by_structure, match_neighbours
from graphscope.analysis.scopes import MAX_LEVELS
from graphscope.core.graph import Node

_MAX_ROUNDS = 8
_MANY, _NEARLY_ALL = 16, 0.9
"""From so many nodes on, and with so large a share in common, a scope is the same scope under another name."""


def match(a: Side, b: Side) -> tuple[Matching, Mapping[Method, int]]:
    """The nodes of ``a`` that are in ``b``, with counts per method."""
    matching = Matching(a, b)
    counts: Counter[Method] = Counter()
    counts[Method.NAME] = _by_name(matching)
    counts[Method.SCOPE] = _by_common_scope(matching)
    counts[Method.STRUCTURE] = _by_structure(matching)
    moved = _by_scope(matching)
    counts[Method.SCOPE] += moved
    if moved:
        counts[Method.STRUCTURE] += _by_structure(matching)
    counts[Method.NAME] += _by_name(matching, any_op=True)
    counts[Method.SCOPE] += _by_scope(matching, any_op=True)
    return matching, {method: number for method, number in counts.items() if number}


def _is_same_op(a: Node, b: Node) -> bool:
    one, other = a.proto.op, b.proto.op
    return one == other or FREEZES.get(one) == other or FREEZES.get(other) == one


def _by_name(matching: Matching, *, any_op: bool = False) -> int:
    known, before = matching.b.body.by_name, len(matching.forward)
    calls = matching.a.names, matching.b.names
    for node in matching.a.body.nodes:
        name = node.proto.name
        other = known.get(name)
        if other is None or name in matching.forward or name in matching.backward:
            continue
        is_same = _is_same_op(node, other) or calls[0].get(node.op, node.op) == calls[1].get(other.op, other.op)
        if any_op or is_same:
            matching.add(name, name)
    return len(matching.forward) - before


def _by_common_scope(matching: Matching) -> int:
    """All open nodes, where they are in one scope that has another name in the second body, and nearly all agree in op and
    in their names in there: structure could say no more, at a higher cost.
    """
    open_a, open_b = matching.open()
    ones, others = _relative(open_a), _relative(open_b)
    agreed = ones.keys() & others.keys()
    if len(agreed) < max(_MANY, _NEARLY_ALL * max(len(ones), len(others))):
        return 0
    for key in ones:  # in file order
        if key in agreed:
            matching.add(ones[key], others[key])
    return len(agreed)


def _relative(nodes: Sequence[Node]) -> dict[tuple[str, str], str]:
    """Name within the scope that all nodes share, and op -> name."""
    names = [node.proto.name for node in nodes]
    start = sum(len(part) + 1 for part in _shared_scopes(names))
    return {(name[start:], node.proto.op): name for name, node in zip(names, nodes)}


def _shared_scopes(names: Sequence[str]) -> list[str]:
    """The scopes that all names are in, from the outermost on: what the first and the last of them in order share."""
    if not names:
        return []
    first, last = min(names).split("/")[:-1], max(names).split("/")[:-1]
    return [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last))]


def _by_structure(matching: Matching) -> int:
    total = 0
    for _ in range(_MAX_ROUNDS if all(matching.find_searched()) else 0):
        found = match_by_structure(matching) + match_neighbours(matching)
        total += found
        if not found:
            break
    return total


def _by_scope(matching: Matching, *, any_op: bool = False) -> int:
    """Nodes of a scope whose other nodes were found in another one, under the same name in there."""
    open_a, open_b = matching.open()
    if not open_a or not open_b:
        return 0
    scopes = _renamed_scopes(matching) or _alike_scopes(open_a, open_b)
    waiting = {node.name: node for node in open_b}
    found = 0
    for node in open_a:
        for scope, other_scope in _around(node.name, scopes):
            other = waiting.get(_move_name(node.name, scope, other_scope))
            if other is not None and (any_op or _is_same_op(node, other)):
                matching.add(node.name, other.name)
                del waiting[other.name]
                found += 1
                break
    return found


def _renamed_scopes(matching: Matching) -> dict[str, str]:
    """Scope -> what most of its nodes' scopes are called in the second body, if that is another name."""
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, other in matching.forward.items():
        if name != other:
            scope, other_scope = split_common_end(name, other)
            votes[scope][other_scope] += 1
    return {scope: counts.most_common(1)[0][0] for scope, counts in votes.items()}


def _alike_scopes(open_a: Sequence[Node], open_b: Sequence[Node]) -> dict[str, str]:
    """Scopes whose open nodes have the same names in there, and the same ops, one on each side; all nodes make one, too."""
    ones, others = _contents(open_a), _contents(open_b)
    found: dict[str, str] = {}
    for content, scopes in ones.items():
        if len(scopes) == 1 and len(others.get(content, ())) == 1:
            found[scopes[0]] = others[content][0]
    return found


def _contents(nodes: Iterable[Node]) -> dict[frozenset[tuple[str, str]], list[str]]:
    scopes: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for node in nodes:
        scope, slash, rest = node.name.partition("/")
        scopes[""].add((node.name, node.op))
        if slash:
            scopes[scope].add((rest, node.op))
    found: defaultdict[frozenset[tuple[str, str]], list[str]] = defaultdict(list)
    for scope, content in scopes.items():
        found[frozenset(content)].append(scope)
    return found


def _around(name: str, scopes: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """The renamed scopes that ``name`` is in, the innermost first."""
    scope = name if name.count("/") <= MAX_LEVELS else ""
    while scope:
        scope = scope.rpartition("/")[0]
        if scope in scopes:
            yield scope, scopes[scope]


def _move_name(name: str, scope: str, other: str) -> str:
    rest = name[len(scope) :].lstrip("/")
    return f"{other}/{rest}" if other else rest
