"""Pairs nodes that do the same with the same inputs, or for the same consumers, whatever they are called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from graphscope.analysis.diff.sides import Matching, Side
from graphscope.core.graph import Node
from graphscope.core.tensors import TensorName, node_of


def match_by_structure(matching: Matching) -> int:
    """Pairs open nodes by the hashes of what is above and below them; returns how many.

    A hash goes through open nodes only: where it meets a node that has a partner already, that pair stands for itself. Nodes
    that agree in both hashes are paired in file order, those that agree in one of them only if nothing else does.
    """
    open_a, open_b = matching.open()
    if not open_a or not open_b:
        return 0
    above_a, above_b = _above(matching.a, open_a, matching.forward), _above(matching.b, open_b, None)
    below_a, below_b = _below(matching.a, open_a, matching.forward), _below(matching.b, open_b, None)
    before = len(matching.forward)
    names = [node.name for node in open_a], [node.name for node in open_b]
    _pair(matching, *names, lambda n: (above_a[n], below_a[n]), lambda n: (above_b[n], below_b[n]), is_strict=False)
    _pair(matching, *names, above_a.__getitem__, above_b.__getitem__, is_strict=True)
    _pair(matching, *names, below_a.__getitem__, below_b.__getitem__, is_strict=True)
    return len(matching.forward) - before


def _pair(
    matching: Matching,
    names_a: Iterable[str],
    names_b: Iterable[str],
    key_a: Callable[[str], object],
    key_b: Callable[[str], object],
    *,
    is_strict: bool,
) -> None:
    groups_a, groups_b = _groups(names_a, key_a, matching.forward), _groups(names_b, key_b, matching.backward)
    for key, group in groups_a.items():
        others = groups_b.get(key, ())
        if len(group) == len(others) and (len(group) == 1 or not is_strict):
            for name, other in zip(group, others):
                matching.add(name, other)


def _groups(names: Iterable[str], key: Callable[[str], object], taken: Mapping[str, str]) -> dict[object, list[str]]:
    found: defaultdict[object, list[str]] = defaultdict(list)
    for name in names:
        if name not in taken:
            found[key(name)].append(name)
    return found


def _above(side: Side, nodes: Iterable[Node], partners: Mapping[str, str] | None) -> dict[str, int]:
    """Open node -> hash of what it does and of what it is made of."""
    open_nodes = {node.name: node for node in nodes}

    def inputs(name: str) -> list[str]:
        return [node_of(text) for text in open_nodes[name].inputs]

    def combine(name: str, known: Mapping[str, int]) -> int:
        node = open_nodes[name]
        data, control = [], []
        for text in node.inputs:
            tensor = TensorName.parse(text)
            source = known.get(tensor.node) or _partner(tensor.node, partners)
            if tensor.is_control:
                control.append(hash(source))
            else:
                data.append((source, tensor.argument, tensor.index))
        return hash((side.key(node), tuple(data), tuple(sorted(control))))

    return _hashes(open_nodes, inputs, combine)


def _below(side: Side, nodes: Iterable[Node], partners: Mapping[str, str] | None) -> dict[str, int]:
    """Open node -> hash of what it does and of what is made of it."""
    open_nodes = {node.name: node for node in nodes}

    def takers(name: str) -> list[str]:
        return [taker for taker, _ in side.takers.get(name, ())]

    def combine(name: str, known: Mapping[str, int]) -> int:
        uses = sorted(
            hash((known.get(taker) or _partner(taker, partners), position))
            for taker, position in side.takers.get(name, ())
        )
        return hash((side.key(open_nodes[name]), tuple(uses)))

    return _hashes(open_nodes, takers, combine)


def _partner(name: str, partners: Mapping[str, str] | None) -> object:
    """What stands for a node that is not open: its partner's name, the same for both sides."""
    return name if partners is None else partners.get(name, name)


def _hashes(
    nodes: Mapping[str, Node],
    following: Callable[[str], list[str]],
    combine: Callable[[str, Mapping[str, int]], int],
) -> dict[str, int]:
    """Each node's hash, once those that follow have theirs; where a loop closes, a node counts as unknown."""
    known: dict[str, int] = {}
    begun: set[str] = set()
    for start in nodes:
        pending = [start]
        while pending:
            name = pending[-1]
            if name in known:
                pending.pop()
                continue
            if name not in begun:
                begun.add(name)
                waiting = [other for other in following(name) if other in nodes and other not in begun]
                if waiting:
                    pending += waiting
                    continue
            known[pending.pop()] = combine(name, known)
    return known


def match_neighbours(matching: Matching) -> int:
    """Pairs open nodes of one op in the same place beside nodes that are paired; returns how many.

    The place is one input of both partners, or being the only taker of its op as that input.
    """
    before = len(matching.forward)
    open_a = {node.name for node in matching.open()[0]}
    pending = [name for name in matching.forward if _touches(matching.a, name, open_a)]
    while pending:
        name = pending.pop()
        for found, other in (*_same_inputs(matching, name), *_same_takers(matching, name)):
            if found not in matching.forward and other not in matching.backward:
                matching.add(found, other)
                pending.append(found)
    return len(matching.forward) - before


def _touches(side: Side, name: str, open_nodes: set[str]) -> bool:
    node = side.body.get(name)
    above = any(node_of(text) in open_nodes for text in node.inputs) if node is not None else False
    return above or any(taker in open_nodes for taker, _ in side.takers.get(name, ()))


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
