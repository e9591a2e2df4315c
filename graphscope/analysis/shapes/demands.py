"""The shape that the consumers of a tensor require: any other would be refused by their rules.

No second table is needed: a rule is run on a probe, and what it takes the probe's rank and sizes for is what it demands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Fact
from graphscope.analysis.shapes.flow import Flow
from graphscope.analysis.shapes.rules import find_rule
from graphscope.analysis.shapes.sizes import Dim, Dims, Probe, ShapeError, Size, Sizes, merge, with_rank
from graphscope.core.graph import Node

_SAME_SHAPE = frozenset(
    "Identity Cast Neg Abs Sqrt Square Exp Log Relu Relu6 Elu Tanh Sigmoid Softplus StopGradient PreventGradient CheckNumerics"
    " Enter RefEnter Floor Ceil Round Rint Sign ClipByValue ZerosLike OnesLike IsNan IsInf IsFinite LogicalNot Print"
    " PlaceholderWithDefault AsString Rsqrt Reciprocal Log1p Expm1 Erf".split()
)
"""Ops whose first input has the shape of the first output."""

_MAX_LOOKED_AT = 256
_MAX_CONSUMERS = 2_000
"""How many consumers are asked: what feeds a hundred thousand nodes is demanded the same by all of them."""

_MAX_INPUTS = 64
"""A consumer with more inputs is not asked: it would be for each of them, and looks at all of them each time."""


def demanded_shape(flow: Flow, place: int, shape: Dims) -> Dims:
    """``shape`` combined with what the consumers of a node's output 0 require, where they agree.

    Args:
        place: the node's number in ``flow``.
    """
    result = shape
    for consumer, index in islice(_reach(flow, place), _MAX_CONSUMERS):
        demanded = _demand(flow, consumer, index, shape)
        try:
            result = merge(result, demanded)
        except ShapeError:
            return shape
    return result


def _reach(flow: Flow, start: int) -> Iterator[tuple[int, int]]:
    """The consumers of a node's output 0, each with its input index; looks through nodes that keep the shape."""
    waiting, seen = [start], {start}
    while waiting and len(seen) < _MAX_LOOKED_AT:
        source = waiting.pop()
        for consumer in flow.consumers[source]:
            for index, origin in enumerate(flow.wiring.sources_of(consumer)):
                if origin != (source, 0):
                    continue
                yield consumer, index
                if index == 0 and consumer not in seen and flow.body.nodes[consumer].op in _SAME_SHAPE:
                    seen.add(consumer)
                    waiting.append(consumer)


def _demand(flow: Flow, consumer: int, index: int, shape: Dims) -> Dims:
    node = flow.body.nodes[consumer]
    rule = find_rule(node.op)
    if rule is None or len(node.proto.input) > _MAX_INPUTS:
        return None
    call = _ProbingCall(node, flow.inputs(consumer), flow, index, shape)
    try:
        rule(call)
    except ShapeError:
        return None
    return call.demanded


class _ProbingCall(Call):
    """A call that keeps what is taken for granted of one input."""

    __slots__ = ("_index", "_probes")

    def __init__(self, node: Node, inputs: Sequence[Fact], flow: Flow, index: int, shape: Dims) -> None:
        probes = None if shape is None else tuple(Probe() if isinstance(size, Dim) else size for size in shape)
        super().__init__(node, [*inputs[:index], Fact(probes), *inputs[index + 1 :]], flow)
        self._index = index
        self._probes: Sizes | None = probes

    def ranked(self, index: int, rank: int) -> Sizes:
        """See :meth:`Call.ranked`; the first rank that is asked for is the probe's."""
        if index % len(self.inputs) != self._index:
            return super().ranked(index, rank)
        if self._probes is None:
            self._probes = tuple(Probe() for _ in range(rank))
            self.inputs = [*self.inputs[: self._index], Fact(self._probes), *self.inputs[self._index + 1 :]]
        return with_rank(self._probes, rank)

    @property
    def demanded(self) -> Dims:
        """The probe's shape, with the sizes that it was found to be equal to."""
        return None if self._probes is None else tuple(map(_result_size, self._probes))


def _result_size(size: Size) -> Size:
    if not isinstance(size, Probe):
        return size
    return size.size if size.size is not None else Dim()
