"""Tells networks that are trained by losses of their own, and copies of networks that nothing trains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from graphscope.analysis.ends.flow import SCATTERS, Flow, union
from graphscope.analysis.ends.networks import parts_of, weights_of
from graphscope.analysis.ends.unlabelled import reach
from graphscope.core.ops.sets import ASSIGN_OPS, VARIABLE_OPS
from graphscope.core.patterns import NamePattern, OpPattern

APPLIES = OpPattern("Apply", r"(Resource)?(Sparse)?Apply[A-Z]\w*")
"""Ops by which an optimizer changes a variable."""

_GRADIENT = NamePattern(r"^(.*?gradients(?:_\d+)?)/(.*?)_grad(?:/|$)")
_MAX_STEPS = 12


class TrainedApart:
    """The variables that optimizers change, by the gradients that they take."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def copied(self, ends: Iterable[int]) -> set[int]:
        """Those of ``ends`` that depend on copies of trained variables alone: a target network, the last round's policy."""
        copies = [v for v in self._applied if v not in self._trained and self._is_copy(v)]
        if not copies:
            return set()
        bits = self._depends({**dict.fromkeys(copies, 1), **dict.fromkeys(self._trained, 2)})
        return {i for i in ends if bits[i] == 1}

    def handed_on(self) -> set[int]:
        """What a network gives to layers that another loss trains, and to those alone: an actor's action to a critic."""
        scopes = sorted(set(self._trained.values()))
        if len(scopes) < 2:
            return set()
        losses = self._losses(scopes)
        number = {scope: 1 << k for k, scope in enumerate(scopes)}
        own = {v: number[scope] for v, scope in self._trained.items()}
        bits = self._depends(own)
        found = set()
        for i in self.flow.layers:
            trains = union(own.get(v, 0) for v in weights_of(self.flow, i))
            for _, part in parts_of(self.flow, i):
                made = bits[part]
                if trains and made and self.flow.depth[part] and not made & trains:
                    of = [losses[s] for s in scopes if number[s] & made]
                    judges = [losses[s] for s in scopes if number[s] & trains]
                    if all(a.isdisjoint(b) for a in of for b in judges) and not self._goes_on(part, made, own):
                        found.add(part)
        return found

    def _goes_on(self, part: int, made: int, own: Mapping[int, int]) -> bool:
        """Whether layers of the network that made ``part`` follow it."""
        after = reach([part], self.flow.consumers)
        return any(i in after and own.get(v, 0) & made for i in self.flow.layers for v in weights_of(self.flow, i))

    def _losses(self, scopes: Iterable[str]) -> dict[str, set[str]]:
        """Name scope of gradients -> the names of what they are the gradients of."""
        behind: dict[str, set[str]] = {scope: set() for scope in scopes}
        number = {}
        for i, node in enumerate(self.flow.nodes):
            number[node.name] = i
            match = _GRADIENT.search(node.name) if "_grad" in node.name else None
            if match is not None and match[1] in behind:
                behind[match[1]].add(match[2])
        ends = {}
        for scope, names in behind.items():
            users = {n: [self.flow.nodes[c].name for c in self.flow.consumers[number[n]]] for n in names if n in number}
            ends[scope] = {n for n, of in users.items() if names.isdisjoint(of)}
        return ends

    def _depends(self, own: Mapping[int, int]) -> list[int]:
        """For each node the bits of the variables that it depends on."""
        bits = [0] * len(self.flow.nodes)
        for i in self.flow.order:
            bits[i] = own.get(i, 0) | union(bits[p] for p in self.flow.inputs[i])
        return bits

    @cached_property
    def _applied(self) -> set[int]:
        """The variables of layers."""
        weights = (v for i in self.flow.layers for v in weights_of(self.flow, i))
        return {v for v in weights if self.flow.ops[v] in VARIABLE_OPS}

    @cached_property
    def _trained(self) -> dict[int, str]:
        """Variables that an optimizer changes -> the name scope of the gradients that it takes."""
        ops = {op for op in self.flow.by_op if APPLIES.fullmatch(op) or SCATTERS.fullmatch(op)}
        updates = [i for i in self.flow.having(ops) if self.flow.inputs[i]]
        return {self.flow.inputs[i][0]: next(self._scopes(i), "") for i in updates}

    def _scopes(self, update: int) -> Iterator[str]:
        """The name scopes of the gradients that node ``update`` takes, nearest first."""
        waiting = self.flow.inputs[update][1:]
        for _ in range(_MAX_STEPS):
            if not waiting:
                return
            matches = (_GRADIENT.search(self.flow.nodes[i].name) for i in waiting)
            yield from (match[1] for match in matches if match is not None)
            waiting = [p for i in waiting for p in self.flow.inputs[i]][:_MAX_STEPS]

    def _is_copy(self, variable: int) -> bool:
        """Whether something assigns it what is made of trained variables."""
        writes = [c for c in self.flow.consumers[variable] if self.flow.ops[c] in ASSIGN_OPS]
        for _ in range(_MAX_STEPS):
            writes = [p for i in writes for p in self.flow.inputs[i] if p != variable][:_MAX_STEPS]
            if any(i in self._trained for i in writes):
                return True
        return False
