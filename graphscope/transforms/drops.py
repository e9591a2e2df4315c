"""Dropout of a constant rate that a graph still has: no input switches it off, so whatever it feeds is random.

The masks are those of ``tf.nn.dropout``: ``floor(keep_prob + u)`` and ``u >= rate``, where ``u`` is uniform in [0, 1).
Source: ``tensorflow/python/ops/nn_ops.py`` from 1.0 to 2.21.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.core.graph import Body, Node
from graphscope.core.op_sets import PLACEHOLDER_OPS
from graphscope.core.tensors import node_of

_UNIFORM = frozenset({"RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2", "StatefulUniform"})
_SUMS = frozenset({"Add", "AddV2"})
_COMPARES = frozenset({"GreaterEqual", "Greater", "LessEqual", "Less"})
_SELECTS = frozenset({"Select", "SelectV2"})
_PASSES = frozenset({"Identity", "Snapshot", "StopGradient", "Cast", "Reshape"})
_SCALES = frozenset({"Mul", "Sub", *_SUMS})
_ZEROS = frozenset({"ZerosLike"})
_MAX_DEPTH = 6


def constant_drops(body: Body) -> list[str]:
    """The nodes that apply a random mask whose rate no placeholder gives, in file order."""
    if _UNIFORM.isdisjoint(body.ops):
        return []
    consumers: dict[str, list[Node]] = {}
    for node in body.nodes:
        for text in node.data_inputs():
            consumers.setdefault(node_of(text), []).append(node)
    masks = (node for op, node in zip(body.ops, body.nodes) if op in _COMPARES or op == "Floor")
    found = {name for mask in masks if _is_mask(body, mask) for name in _applied(body, mask, consumers, 0)}
    return [node.name for node in body.nodes if node.name in found]


def _is_mask(body: Body, mask: Node) -> bool:
    """Whether it compares uniform random numbers with a number that is known."""
    test: Node | None = mask
    if mask.op == "Floor":
        test = _behind(body, mask.data_inputs()[0])
        if test is None or test.op not in _SUMS:
            return False
    sides = test.data_inputs() if test is not None else []
    drawn = [_is_drawn(body, text, 0) for text in sides]
    return len(sides) == 2 and sum(drawn) == 1 and _is_known(body, sides[drawn.index(False)])


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
        if consumer.op == "Mul" or (consumer.op in _SELECTS and _gives_zeros(body, consumer)):
            yield consumer.name
        elif consumer.op in _PASSES and depth < _MAX_DEPTH:
            yield from _applied(body, consumer, consumers, depth + 1)


def _gives_zeros(body: Body, select: Node) -> bool:
    return any(_is_zero(_behind(body, text)) for text in select.data_inputs()[1:])


def _is_zero(node: Node | None) -> bool:
    if node is None or node.op in _ZEROS:
        return node is not None
    tensor = node.tensor() if node.op == "Const" else None
    return tensor is not None and tensor.dtype.is_floating and not tensor.shape and float(tensor.numpy()) == 0


def _behind(body: Body, text: str) -> Node | None:
    node = body.get(node_of(text))
    for _ in range(_MAX_DEPTH):
        if node is None or node.op not in _PASSES or not node.data_inputs():
            break
        node = body.get(node_of(node.data_inputs()[0]))
    return node
