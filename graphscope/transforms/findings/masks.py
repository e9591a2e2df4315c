"""How a mask is applied: it multiplies, or chooses between a value and zeros."""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.core.graph import Body, Node
from graphscope.core.tensors import node_of

PASSES = frozenset(
    "Identity Snapshot StopGradient Cast Reshape ExpandDims Squeeze Transpose BroadcastTo Tile Enter RefEnter Switch".split()
)
"""Ops that pass on what they are given, of another type or shape maybe."""

_PRODUCTS = frozenset({"Mul", "MulNoNan"})
_SELECTS = frozenset({"Select", "SelectV2"})
_CHANGED = PASSES | {"RealDiv", "Div", "Sub", "LogicalNot"}
"""What a mask goes through before it is applied: ``(u < keep) / keep``, ``1 - mask``."""

_ZEROS = frozenset({"ZerosLike"})
_MAX_ZEROS = 1 << 16
_MAX_DEPTH = 6


def applies(body: Body, mask: Node) -> Iterator[str]:
    """The products and selections that apply ``mask``."""
    for taker in _takers(body, mask, 0):
        if taker.op in _PRODUCTS or (taker.op in _SELECTS and _gives_zeros(body, taker)):
            yield taker.name


def chooses(body: Body, mask: Node) -> bool:
    """Whether ``mask`` does nothing but choose between two values, as a policy does that explores now and then."""
    takers = list(_takers(body, mask, 0))
    return bool(takers) and all(taker.op in _SELECTS and not _gives_zeros(body, taker) for taker in takers)


def behind(body: Body, text: str) -> Node | None:
    """The node that computes ``text``, looked for through nodes that pass it on."""
    node = body.get(node_of(text))
    for _ in range(_MAX_DEPTH):
        if node is None or node.op not in PASSES or not node.data_inputs():
            break
        node = body.get(node_of(node.data_inputs()[0]))
    return node


def _takers(body: Body, mask: Node, depth: int) -> Iterator[Node]:
    """What takes ``mask`` in the end, behind what only changes it."""
    for consumer in body.consumers(mask.name):
        if mask.name in map(node_of, consumer.data_inputs()):
            if consumer.op in _CHANGED and depth < _MAX_DEPTH:
                yield from _takers(body, consumer, depth + 1)
            else:
                yield consumer


def _gives_zeros(body: Body, select: Node) -> bool:
    return any(_is_zero(behind(body, text)) for text in select.data_inputs()[1:])


def _is_zero(node: Node | None) -> bool:
    if node is None or node.op in _ZEROS:
        return node is not None
    tensor = node.tensor() if node.op == "Const" else None
    if tensor is None or not tensor.dtype.is_floating or tensor.elements > _MAX_ZEROS:
        return False
    return not tensor.numpy().any()
