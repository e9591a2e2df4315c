"""Pairs nodes that do the same with the same inputs, or for the same consumers, whatever they are called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from graphscope.analysis.diff.sides import Matching, Side
from graphscope.core.graph import Node
from graphscope.core.tensors import node_of

_Hash = tuple[int, int]
"""What nodes agree in, and how much that says: the number of nodes that it goes through, a pair counting for several."""

_Hashes = Mapping[str, _Hash]

_PAIR, _ENOUGH, _MOST = 3, 4, 99
"""How many nodes a pair counts for, from how many on agreement in one direction is no accident, and where counting ends."""


def match_by_structure(matching: Matching) -> int:
    """Pairs open nodes by the hashes of what is above and below them; returns how many.

    A hash goes through open nodes only: where it meets a node that has a partner already, that pair stands for itself. Nodes
    that agree in both hashes are paired in file order; those that agree in one of them if nothing else does.
    """
    open_a, open_b = matching.find_searched()
    if not open_a or not open_b:
        return 0
    above = _above(matching.a, open_a, matching.forward), _above(matching.b, open_b, {})
    below = _below(matching.a, open_a, matching.forward), _below(matching.b, open_b, {})
    before = len(matching.forward)
    names = [node.name for node in open_a], [node.name for node in open_b]
    both = [{n: _both(up[n], down[n]) for n in ns} for ns, up, down in zip(names, above, below)]
    _pair(matching, names, both[0], both[1], is_alone=False)
    _pair(matching, names, *above, is_alone=True)
    _pair(matching, names, *below, is_alone=True)
    return len(matching.forward) - before


def _both(above: _Hash, below: _Hash) -> _Hash:
    return hash((above[0], below[0])), above[1] + below[1] - 1


def _pair(
    matching: Matching, names: tuple[list[str], list[str]], ones: _Hashes, others: _Hashes, *, is_alone: bool
) -> None:
    groups = _groups(names[0], ones, matching.forward)
    other_groups = _groups(names[1], others, matching.backward)
    for key, group in groups.items():
        partners = other_groups.get(key, ())
        if len(group) == len(partners) and (len(group) == 1 or not is_alone):
            for name, other in zip(group, partners):
                matching.add(name, other)


def _groups(names: Iterable[str], hashes: _Hashes, taken: Mapping[str, str]) -> dict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for name in names:
        key, evidence = hashes[name]
        if name not in taken and evidence >= _ENOUGH:
            found[key].append(name)
    return found


def _above(side: Side, nodes: Iterable[Node], partners: Mapping[str, str]) -> _Hashes:
    """Open node -> hash of what it does and of what it is made of."""
    open_nodes = {node.name: node for node in nodes}

    def inputs(name: str) -> list[str]:
        return [node_of(text) for text in open_nodes[name].inputs]

    def combine(name: str, known: _Hashes) -> _Hash:
        node = open_nodes[name]
        data, control, evidence = [], [], 1
        for text in node.proto.input:
            name, _, port = text.partition(":")
            source, weight = _hash_of_known(name.removeprefix("^"), known, partners, open_nodes)
            evidence += weight
            if name.startswith("^"):
                control.append(source)
            else:
                data.append((source, port or "0"))
        return hash((side.key(node), tuple(data), tuple(sorted(control)))), min(evidence, _MOST)

    return _hashes(open_nodes, inputs, combine)


def _below(side: Side, nodes: Iterable[Node], partners: Mapping[str, str]) -> _Hashes:
    """Open node -> hash of what it does and of what is made of it."""
    open_nodes = {node.name: node for node in nodes}

    def takers(name: str) -> list[str]:
        return [taker for taker, _ in side.takers.get(name, ())]

    def combine(name: str, known: _Hashes) -> _Hash:
        found = [(*_hash_of_known(taker, known, partners, open_nodes), at) for taker, at in side.takers.get(name, ())]
        uses = sorted(hash((source, position)) for source, _, position in found)
        evidence = 1 + sum(weight for _, weight, _ in found)
        return hash((side.key(open_nodes[name]), tuple(uses))), min(evidence, _MOST)

    return _hashes(open_nodes, takers, combine)


def _hash_of_known(name: str, known: _Hashes, partners: Mapping[str, str], nodes: Mapping[str, Node]) -> _Hash:
    """What stands for a neighbour: its hash if it is open (none, where a loop closes), else its name in the second body."""
    if name in nodes:
        return known.get(name, (0, 0))
    return hash(partners.get(name, name)), _PAIR


def _hashes(
    nodes: Mapping[str, Node], following: Callable[[str], list[str]], combine: Callable[[str, _Hashes], _Hash]
) -> _Hashes:
    """Each node's hash, once those that follow have theirs; where a loop closes, a node counts as unknown."""
    known: dict[str, _Hash] = {}
    begun: set[str] = set()
    for start in nodes:
        pending = [start]
        while pending:
            name = pending[-1]
            if name not in begun:
                begun.add(name)
                pending += [other for other in following(name) if other in nodes and other not in begun]
            else:
                pending.pop()
                if name not in known:
                    known[name] = combine(name, known)
    return known


def match_neighbours(matching: Matching) -> int:
    """Pairs open nodes of one op in the same place beside nodes that are paired; returns how many.

    The place is one input of both partners, or being the only taker of its op as that input.
    """
    before = len(matching.forward)
    pending = [
        name for node in matching.find_searched()[0] for name in _around(matching.a, node) if name in matching.forward
    ]
    while pending:
        name = pending.pop()
        for found, other in (*_same_inputs(matching, name), *_same_takers(matching, name)):
            if found not in matching.forward and other not in matching.backward:
                matching.add(found, other)
                pending.append(found)
    return len(matching.forward) - before


def _around(side: Side, node: Node) -> Iterator[str]:
    yield from map(node_of, node.inputs)
    yield from (taker for taker, _ in side.takers.get(node.name, ()))


def _same_inputs(matching: Matching, name: str) -> Iterable[tuple[str, str]]:
    a, b = matching.a.body.get(name), matching.b.body.get(matching.forward[name])
    if a is None or b is None:
        return
    for text, other in zip(a.data_inputs(), b.data_inputs()):
        found, found_other = node_of(text), node_of(other)
        if _is_open_pair(matching, found, found_other):
            yield found, found_other


def _same_takers(matching: Matching, name: str) -> Iterable[tuple[str, str]]:
    ones = _open_takers(matching.a, name, matching.forward)
    others = _open_takers(matching.b, matching.forward[name], matching.backward)
    for key, names in ones.items():
        if len(names) == 1 and len(others.get(key, ())) == 1:
            yield names[0], others[key][0]


def _open_takers(side: Side, name: str, taken: Mapping[str, str]) -> dict[tuple[str, int], list[str]]:
    found: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for taker, position in side.takers.get(name, ()):
        if taker not in taken and position >= 0:
            found[side.body.by_name[taker].op, position].append(taker)
    return found


def _is_open_pair(matching: Matching, name: str, other: str) -> bool:
    if name in matching.forward or other in matching.backward:
        return False
    a, b = matching.a.body.get(name), matching.b.body.get(other)
    return a is not None and b is not None and a.op == b.op
