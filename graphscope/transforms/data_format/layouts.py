"""The order of axes in two data formats, and the ops that state one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from graphscope.core.changes.build import make_node
from graphscope.core.graph import Node
from graphscope.errors import GraphscopeError
from graphscope.protos import AttrValue

_T = TypeVar("_T")

FORMATS = ("NHWC", "NCHW")

IMAGE_INPUTS = {
    **dict.fromkeys("Conv2D DepthwiseConv2dNative MaxPool AvgPool BiasAdd DepthToSpace SpaceToDepth".split(), 0),
    **dict.fromkeys("FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3".split(), 0),
    "Conv2DBackpropInput": 2,
}
"""Op that can be written in either format -> the input that holds images; output 0 holds images too."""

_BY_AXIS = ("strides", "ksize", "dilations")
"""Attributes with a number for each axis."""


@dataclass(frozen=True, slots=True)
class Layouts:
    """The format that a graph is in, and the one that it shall be in.

    Attributes:
        old, new: ``NHWC`` or ``NCHW``.
    """

    old: str
    new: str

    @classmethod
    def to(cls, new: str) -> Layouts:
        """The conversion from the other format to ``new``.

        Raises:
            GraphscopeError: it is neither.
        """
        if new not in FORMATS:
            raise GraphscopeError(f"{new} is not a data format", hint="data formats: NHWC, NCHW")
        return cls(FORMATS[1 - FORMATS.index(new)], new)

    @property
    def forth(self) -> tuple[int, ...]:
        """The permutation that ``Transpose`` takes from the old format to the new one."""
        return tuple(self.old.index(axis) for axis in self.new)

    @property
    def back(self) -> tuple[int, ...]:
        """The permutation from the new format to the old one."""
        return tuple(self.new.index(axis) for axis in self.old)

    def axis(self, old: int) -> int:
        """Where an axis of the old format, which may count from the end, is in the new one."""
        return self.new.index(self.old[old])

    def reorder(self, by_axis: Sequence[_T]) -> list[_T]:
        """What belongs to the axes of the old format, in the order of the new one."""
        return [by_axis[place] for place in self.forth]

    def is_old(self, node: Node) -> bool:
        """Whether ``node`` states the old format, or has it by default."""
        stated = node.attr("data_format")
        return (stated.s.decode("latin-1") if stated is not None else "NHWC") == self.old

    def written(self, node: Node, name: str, inputs: Sequence[str]) -> Node:
        """A node of :data:`IMAGE_INPUTS` in the new format."""
        attrs = {**node.attrs, "data_format": AttrValue(s=self.new.encode())}
        attrs.pop("_output_shapes", None)
        for key in _BY_AXIS:
            if key in attrs:
                attrs[key] = _integers(self.reorder(attrs[key].list.i))
        padding = attrs.get("explicit_paddings")
        if padding is not None and padding.list.i:
            pairs = list(zip(padding.list.i[::2], padding.list.i[1::2]))
            attrs["explicit_paddings"] = _integers([size for pair in self.reorder(pairs) for size in pair])
        return make_node(name, node.op, inputs, attrs)


def _integers(numbers: Sequence[int]) -> AttrValue:
    value = AttrValue()
    value.list.i.extend(numbers)
    return value
