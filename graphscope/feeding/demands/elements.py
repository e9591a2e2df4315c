"""How many numbers a string of bytes must hold for what follows its decoder."""

from __future__ import annotations

import math
from collections.abc import Iterator

from graphscope.core.graph import Body, Node
from graphscope.core.tensors import node_of, shape_of
from graphscope.feeding.demands.rules import SAME_SHAPE, demanded_shapes
from graphscope.feeding.demands.weights import small_integers
from graphscope.named_tuple import NamedTuple

_DEFAULT = 2
_STEPS = 32
_MAX_DEPTH = 8
_MAX_SIZE = 1 << 26
"""Larger values are not made up."""


class Elements(NamedTuple):
    """What one string decodes to.

    Attributes:
        size: how many numbers.
        is_single: whether what follows takes those of one string.
    """

    size: int
    is_single: bool = False


def demanded_elements(body: Body, decoder: Node, strings: int | None, depth: int = 0) -> Elements:
    """How many numbers each of ``strings`` must hold, by all that takes what ``decoder`` gives.

    Args:
        strings: how many there are; ``None`` if that is open.
        depth: how many slices came before.
    """
    demands = list(_demands(body, decoder, strings, depth))
    size = max((d.size for d in demands), default=0) or _last_size(body, decoder) or _DEFAULT
    return Elements(min(size, _MAX_SIZE), any(d.is_single for d in demands))


def _demands(body: Body, start: Node, strings: int | None, depth: int) -> Iterator[Elements]:
    waiting = [start]
    for source in waiting:
        for node in body.consumers(source.name):
            inputs = [node_of(text) for text in node.data_inputs()]
            if inputs[:1] != [source.name]:
                continue
            if node.op in SAME_SHAPE or _flattens(body, node):
                if node not in waiting and len(waiting) < _STEPS:
                    waiting.append(node)
            elif node.op == "Reshape":
                yield _of_reshape(small_integers(body, node.inputs[1]) or [], strings)
            elif node.op in ("StridedSlice", "Slice"):
                yield Elements(_end(body, node, depth))
            elif node.op == "EnsureShape":
                shape = node.attr("shape")
                sizes = shape_of(shape.shape) if shape is not None else None
                yield Elements((sizes[-1] if sizes else None) or 0)


def _flattens(body: Body, node: Node) -> bool:
    return node.op == "Reshape" and small_integers(body, node.inputs[1]) == [-1]


def _of_reshape(sizes: list[int], strings: int | None) -> Elements:
    total = math.prod(size for size in sizes if size >= 0) if sizes else 0
    if -1 in sizes or not total:
        return Elements(total)
    if strings and total % strings == 0:
        return Elements(total // strings)
    return Elements(total, is_single=strings is None)


def _end(body: Body, node: Node, depth: int) -> int:
    """Where a slice ends along the last axis; where it takes the rest, by what takes that."""
    begin, size = (small_integers(body, text) for text in node.inputs[1:3])
    if not begin or not size or begin[-1] < 0:
        return 0
    if node.op == "Slice":
        return begin[-1] + (size[-1] if size[-1] >= 0 else _rest(body, node, depth))
    mask = node.attr("end_mask")
    is_open = mask is not None and bool(mask.i >> (len(begin) - 1) & 1)
    if is_open or size[-1] <= 0:
        return begin[-1] + _rest(body, node, depth) - (0 if is_open else size[-1])
    return size[-1]


def _rest(body: Body, node: Node, depth: int) -> int:
    return demanded_elements(body, node, 1, depth + 1).size if depth < _MAX_DEPTH else _DEFAULT


def _last_size(body: Body, node: Node) -> int | None:
    shape = next(demanded_shapes(body, node), None)
    return shape[-1] if shape else None
