"""Remaining dropout with a constant rate: no input switches it off, so its consumers are random.

The masks are those of ``tf.nn.dropout``, ``floor(keep_prob + u)`` and ``u >= rate``, where ``u`` is uniform in [0, 1), and what
people write themselves: ``round(u)``, or a mask that is divided by what is kept before it is multiplied.
Source: ``tensorflow/python/ops/nn_ops.py`` from 1.0 to 2.21.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from graphscope.core.graph import Body, Function, Graph, Node, called_functions
from graphscope.core.ops.sets import PLACEHOLDER_OPS
from graphscope.core.tensors import node_of
from graphscope.transforms.callers import producer_of
from graphscope.transforms.effects import Effects
from graphscope.transforms.findings.dropout import Neutral
from graphscope.transforms.findings.masks import applies, behind
from graphscope.transforms.findings.switches import branches, open_switches
from graphscope.transforms.prune import IFS, constant_predicate

_UNIFORM = frozenset({"RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2", "StatefulUniform"})
_SUMS = frozenset({"Add", "AddV2"})
_COMPARES = frozenset({"GreaterEqual", "Greater", "LessEqual", "Less"})
_ROUNDS = frozenset({"Floor", "Ceil", "Round", "Rint"})
_SCALES = frozenset({"Mul", "Sub", *_SUMS})
_MAX_DEPTH = 6


def lasting_drops(graph: Graph) -> list[str]:
    """The nodes of ``graph`` and of the functions that it calls that apply such a mask to whatever is fed.

    Left out are those in branches that a training switch decides which is still open, and masks that keep everything.
    """
    if all(_UNIFORM.isdisjoint(body.ops) for _, body in graph.bodies):
        return []
    switches = open_switches(graph)
    decided = branches(graph, switches)
    kept = (name for name in constant_drops(graph) if name not in decided and not _keeps_all(graph, name))
    outside = [node for node in graph.nodes if node.name not in decided]
    return [*kept, *(name for function in _called(graph, outside, switches) for name in constant_drops(function))]


def _called(graph: Graph, nodes: Iterable[Node], switches: Collection[str]) -> list[Function]:
    """The functions that ``nodes`` call, without branches in them that a known value or an open switch decides."""
    found: dict[str, Function] = {}
    waiting = [("", node) for node in nodes]
    while waiting:
        function, node = waiting.pop()
        for name in _taken(graph, function, node, switches):
            if name in graph.functions and name not in found:
                found[name] = graph.functions[name]
                waiting += [(name, inner) for inner in graph.functions[name]]
    return [function for name, function in graph.functions.items() if name in found]


def _taken(graph: Graph, function: str, node: Node, switches: Collection[str]) -> list[str]:
    """The functions that ``node`` may call: of an ``If`` in a function, neither branch where a switch outside decides."""
    called = list(called_functions([node]))
    if not function or node.op not in IFS:
        return called
    decider = producer_of(graph, function, node_of(node.inputs[0]))
    if decider is None or decider[0]:
        return called
    if decider[1].name in switches:
        return []
    predicate = constant_predicate(graph, decider[1].name)
    return called if predicate is None else [node.attrs["then_branch" if predicate else "else_branch"].func.name]


def _keeps_all(graph: Graph, name: str) -> bool:
    neutral = Neutral(graph, Effects(graph), across_frames=True)
    return any(neutral.is_true(text) or neutral.is_ones(text) for text in graph[name].data_inputs())


def constant_drops(body: Body) -> list[str]:
    """The nodes that apply a random mask whose rate no placeholder gives, in file order."""
    if _UNIFORM.isdisjoint(body.ops):
        return []
    masks = (node for op, node in zip(body.ops, body.nodes) if op in _COMPARES or op in _ROUNDS)
    found = {name for mask in masks if _is_mask(body, mask) for name in applies(body, mask)}
    return [node.name for node in body.nodes if node.name in found]


def _is_mask(body: Body, mask: Node) -> bool:
    """Whether it compares uniform random numbers with a number that is known, be it by rounding a sum."""
    test: Node | None = mask
    if mask.op in _ROUNDS:
        test = behind(body, next(iter(mask.data_inputs()), ""))
        if test is None or test.op not in _ROUNDED[mask.op]:
            return False
        if test.op in _UNIFORM:
            return True
    sides = test.data_inputs() if test is not None else []
    drawn = [_is_drawn(body, text, 0) for text in sides]
    return len(sides) == 2 and sum(drawn) == 1 and _is_known(body, sides[drawn.index(False)])


_ROUNDED = {
    "Floor": _SUMS,
    "Ceil": frozenset({"Sub", *_SUMS}),
    **dict.fromkeys(("Round", "Rint"), _UNIFORM | {"Sub", *_SUMS}),
}
"""How a mask is rounded -> what may be rounded: the floor of the numbers alone is zero, their ceiling is one."""


def _is_drawn(body: Body, text: str, depth: int) -> bool:
    """Whether ``text`` is uniform random numbers, maybe scaled."""
    node = behind(body, text)
    if node is None or depth > _MAX_DEPTH:
        return False
    if node.op in _UNIFORM:
        return True
    return node.op in _SCALES and any(_is_drawn(body, i, depth + 1) for i in node.data_inputs())


def _is_known(body: Body, text: str) -> bool:
    """Whether no placeholder and no argument of a function decides ``text``."""
    pending, seen = [text], set()
    while pending:
        name = node_of(pending.pop())
        node = body.get(name)
        if node is None or node.op in PLACEHOLDER_OPS:
            return False
        if name not in seen:
            seen.add(name)
            pending += node.data_inputs()
    return True
