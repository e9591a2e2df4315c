"""Dropout of a constant rate that a graph still has: no input switches it off, so whatever it feeds is random.

The masks are those of ``tf.nn.dropout``, ``floor(keep_prob + u)`` and ``u >= rate``, where ``u`` is uniform in [0, 1), and what
people write themselves: ``round(u)``, or a mask that is divided by what is kept before it is multiplied.
Source: ``tensorflow/python/ops/nn_ops.py`` from 1.0 to 2.21.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.core.graph import Body, Graph, Node
from graphscope.core.op_sets import PLACEHOLDER_OPS
from graphscope.core.tensors import node_of
from graphscope.transforms.dropout import Neutral
from graphscope.transforms.effects import Effects
from graphscope.transforms.subgraph import prune_library
from graphscope.transforms.switches import branches, open_switches

_UNIFORM = frozenset({"RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2", "StatefulUniform"})
_SUMS = frozenset({"Add", "AddV2"})
_COMPARES = frozenset({"GreaterEqual", "Greater", "LessEqual", "Less"})
_ROUNDS = frozenset({"Floor", "Ceil", "Round", "Rint"})
_SELECTS = frozenset({"Select", "SelectV2"})
_PRODUCTS = frozenset({"Mul", "MulNoNan"})
_PASSES = frozenset(
    "Identity Snapshot StopGradient Cast Reshape ExpandDims Squeeze Transpose BroadcastTo Tile Enter RefEnter Switch".split()
)
_SCALES = frozenset({"Mul", "Sub", *_SUMS})
_CHANGED = _PASSES | {"RealDiv", "Div", "Sub", "LogicalNot"}
"""What a mask goes through before it is applied: ``(u < keep) / keep``, ``1 - mask``."""

_ZEROS = frozenset({"ZerosLike"})
_MAX_ZEROS = 1 << 16
_MAX_DEPTH = 6


def lasting_drops(graph: Graph) -> list[str]:
    """The nodes of ``graph`` and of the functions that it calls that apply such a mask to whatever is fed.

    Left out are those in branches that a training switch decides which is still open, and masks that keep everything.
    """
    if all(_UNIFORM.isdisjoint(body.ops) for _, body in graph.bodies):
        return []
    decided = branches(graph, open_switches(graph))
    kept = (name for name in constant_drops(graph) if name not in decided and not _keeps_all(graph, name))
    called = prune_library(graph.with_nodes(n for n in graph.nodes if n.name not in decided)).functions.values()
    return [*kept, *(name for function in called for name in constant_drops(function))]


def _keeps_all(graph: Graph, name: str) -> bool:
    neutral = Neutral(graph, Effects(graph))
    return any(neutral.is_true(text) or neutral.is_ones(text) for text in graph[name].data_inputs())


def constant_drops(body: Body) -> list[str]:
    """The nodes that apply a random mask whose rate no placeholder gives, in file order."""
    if _UNIFORM.isdisjoint(body.ops):
        return []
    consumers: dict[str, list[Node]] = {}
    for node in body.nodes:
        for text in node.data_inputs():
            consumers.setdefault(node_of(text), []).append(node)
    masks = (node for op, node in zip(body.ops, body.nodes) if op in _COMPARES or op in _ROUNDS)
    found = {name for mask in masks if _is_mask(body, mask) for name in _applied(body, mask, consumers, 0)}
    return [node.name for node in body.nodes if node.name in found]


def _is_mask(body: Body, mask: Node) -> bool:
    """Whether it compares uniform random numbers with a number that is known, be it by rounding a sum."""
    test: Node | None = mask
    if mask.op in _ROUNDS:
        test = _behind(body, next(iter(mask.data_inputs()), ""))
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
    node = _behind(body, text)
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


def _applied(body: Body, mask: Node, consumers: dict[str, list[Node]], depth: int) -> Iterator[str]:
    """The products and selections that take ``mask``."""
    for consumer in consumers.get(mask.name, ()):
        if consumer.op in _PRODUCTS or (consumer.op in _SELECTS and _gives_zeros(body, consumer)):
            yield consumer.name
        elif consumer.op in _CHANGED and depth < _MAX_DEPTH:
            yield from _applied(body, consumer, consumers, depth + 1)


def _gives_zeros(body: Body, select: Node) -> bool:
    return any(_is_zero(_behind(body, text)) for text in select.data_inputs()[1:])


def _is_zero(node: Node | None) -> bool:
    if node is None or node.op in _ZEROS:
        return node is not None
    tensor = node.tensor() if node.op == "Const" else None
    if tensor is None or not tensor.dtype.is_floating or tensor.elements > _MAX_ZEROS:
        return False
    return not tensor.numpy().any()


def _behind(body: Body, text: str) -> Node | None:
    node = body.get(node_of(text))
    for _ in range(_MAX_DEPTH):
        if node is None or node.op not in _PASSES or not node.data_inputs():
            break
        node = body.get(node_of(node.data_inputs()[0]))
    return node
