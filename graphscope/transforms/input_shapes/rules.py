"""Constants that state a batch: for each op, their position and their value for another batch.

A rule proves that a constant carries the batch by what it meets: the elements of the tensor that is reshaped, cut or spread are
in row-major order, so the axis of the result that holds the examples follows from the sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from graphscope.analysis.shapes.facts import Fact, Value
from graphscope.core.graph import Node
from graphscope.protos import AttrValue
from graphscope.transforms.input_shapes.probe import Batches


@dataclass(frozen=True, slots=True)
class Change:
    """What a node must be given for another batch.

    Attributes:
        argument: the input that is replaced.
        value: its elements, with the probe for the batch.
        old: its elements as the graph states them.
        infers: whether one element may be -1, which the op works out.
    """

    argument: int
    value: Value
    old: Value
    infers: bool = False


Rule = Callable[[Node, Sequence[Fact], Batches], "Change | None"]
"""Gives the change that a node needs; ``None`` if it needs none, or none is proven."""


def _integers(fact: Fact) -> list[int] | None:
    """The numbers of a small tensor, none of them a number of examples that the graph computes itself."""
    value = fact.value
    numbers = [element for element in value or () if isinstance(element, int)]
    return numbers if value is not None and len(numbers) == len(value) else None


def _reshape(_: Node, inputs: Sequence[Fact], batches: Batches) -> Change | None:
    target = _integers(inputs[1]) if len(inputs) > 1 else None
    source = inputs[0].shape
    if not target or source is None or batches.old is None or any(map(batches.is_batch, target)):
        return None
    if not batches.carries(source):
        return None
    sizes = [size for size in source if isinstance(size, int)]
    if len(sizes) == len(source):
        return _by_elements(sizes, target, batches)
    if source[0] == batches.probe and target[0] == batches.old and target.count(-1) == 1:
        return Change(1, (batches.probe, *target[1:]), tuple(target), infers=True)
    return None


def _by_elements(source: Sequence[int], target: Sequence[int], batches: Batches) -> Change | None:
    old = batches.old or 1
    axis = next(place for place, size in enumerate(source) if batches.is_batch(size))
    before = [batches.before(size) for size in source]
    whole = _whole(target, math.prod(before))
    if whole is None:
        return None
    stride = before[axis] // old * math.prod(before[axis + 1 :])
    for place, size in enumerate(whole):
        inner = math.prod(whole[place + 1 :])
        if inner and stride % inner == 0 and inner * size % (old * stride) == 0:
            if target[place] == -1:
                return None
            value = [*whole[:place], size // old * batches.probe, *whole[place + 1 :]]
            return Change(1, tuple(value), tuple(target), infers=True)
    return None


def _whole(sizes: Sequence[int], elements: int) -> list[int] | None:
    """``sizes`` with -1 worked out; ``None`` if they do not make up ``elements``."""
    known = math.prod(size for size in sizes if size != -1)
    if -1 in sizes:
        exact = known > 0 and elements % known == 0
        return [elements // known if size == -1 else size for size in sizes] if exact else None
    return list(sizes) if known == elements else None


def _first_of(argument: int, data: int) -> Rule:
    """A whole shape in ``argument``, whose first size is that of input ``data``."""

    def rule(_: Node, inputs: Sequence[Fact], batches: Batches) -> Change | None:
        value = _integers(inputs[argument]) if len(inputs) > max(argument, data) else None
        shape = inputs[data].shape if value else None
        if not value or not shape or not batches.is_batch(shape[0]) or batches.old is None:
            return None
        size = shape[0]
        if not isinstance(size, int) or value[0] != batches.before(size):
            return None
        return Change(argument, (size, *value[1:]), tuple(value))

    return rule


def _slice(_: Node, inputs: Sequence[Fact], batches: Batches) -> Change | None:
    """All examples of a fixed number: -1 takes all of any number."""
    if len(inputs) < 3 or inputs[0].shape is None or batches.old is None:
        return None
    begin, size = _integers(inputs[1]), _integers(inputs[2])
    shape = inputs[0].shape
    if begin is None or size is None or not len(shape) == len(begin) == len(size):
        return None
    value = [
        -1
        if isinstance(whole, int) and batches.is_batch(whole) and not start and count == batches.before(whole)
        else count
        for whole, start, count in zip(shape, begin, size)
    ]
    return Change(2, tuple(value), tuple(size)) if value != size else None


def make_change(node: Node, inputs: Sequence[Fact], batches: Batches) -> Change | None:
    """What a node makes of a stated size alone, for as many examples as there are."""
    argument = MAKERS.get(node.op)
    value = _integers(inputs[argument]) if argument is not None and len(inputs) > argument else None
    if argument is None or not value or value[0] != batches.old:
        return None
    return Change(argument, (batches.probe, *value[1:]), tuple(value))


MAKERS: Mapping[str, int] = {
    **dict.fromkeys("Fill RandomUniform RandomStandardNormal TruncatedNormal".split(), 0),
    "Tile": 1,
    "BroadcastTo": 1,
}
"""Ops that make a tensor of a stated number of examples -> the input that states it. Nothing in them tells that it is a batch:
the node that takes what they make does.
"""

_MAX_ROWS_BYTES = 16 << 20
"""Larger constants are weights."""


def same_rows(node: Node, batch: int | None) -> bool:
    """Whether ``node`` is a constant of ``batch`` rows, all the same: the zeros that a recurrent net starts with. Reads it."""
    tensor = node.tensor() if node.op == "Const" else None
    if tensor is None or not tensor.shape or tensor.shape[0] != batch or tensor.content_bytes > _MAX_ROWS_BYTES:
        return False
    rows = tensor.numpy()
    return bool((rows == rows[:1]).all())


RULES: Mapping[str, Rule] = {
    "Reshape": _reshape,
    "Slice": _slice,
    "BroadcastTo": _first_of(1, 0),
    **dict.fromkeys(
        ("Conv2DBackpropInput", "Conv3DBackpropInputV2", "DepthwiseConv2dNativeBackpropInput"), _first_of(0, 2)
    ),
}
"""Op -> its rule."""


def squeezed_axes(node: Node, inputs: Sequence[Fact], batches: Batches) -> AttrValue | None:
    """The axes that a ``Squeeze`` without any drops: said aloud, a batch of 1 is not one of them."""
    stated = node.attr("squeeze_dims")
    shape = inputs[0].shape if inputs else None
    if node.op != "Squeeze" or (stated is not None and stated.list.i) or not batches.carries(shape):
        return None
    axes = [axis for axis, size in enumerate(shape or ()) if size == 1]
    if not axes or not all(isinstance(size, int) for size in shape or ()):
        return None
    value = AttrValue()
    value.list.i.extend(axes)
    return value
