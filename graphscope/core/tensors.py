"""Names and specifications of tensors."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, TypeGuard, cast

from graphscope.core.values.dtypes import DataType
from graphscope.named_tuple import NamedTuple

if TYPE_CHECKING:
    from graphscope.protos import TensorShapeProto

MAX_SIZE = (1 << 63) - 1
"""The largest size of a dimension that a file can state."""

_SIZE_DIGITS = 20

Shape = tuple[int | None, ...] | None
"""Dimensions, outermost first; ``None`` for an unknown dimension; ``None`` as a whole for an unknown rank."""

StatedShape = tuple[int | str | None, ...] | None
"""As :data:`Shape`; text is a symbol for an unknown dimension."""


class TensorName(NamedTuple):
    """``a:1`` is output 1 of node ``a``; ``a`` is its output 0; ``^a`` is a control dependency on it.

    Within a function's body ``a:out:1`` names the output argument too (``argument`` = ``out``), and ``index`` then counts
    inside that argument. Source: ``tensorflow/core/framework/node_def_util`` and ``function.proto``.
    """

    node: str
    index: int = 0  # type: ignore[assignment]  # in place of the method of tuples
    argument: str | None = None
    is_control: bool = False

    @classmethod
    def parse(cls, text: str) -> TensorName:
        """Parses any form of an input or a fetch; a suffix that is not a number is part of the node's name."""
        if text.startswith("^"):
            return cls(text[1:], -1, None, True)
        node, colon, suffix = text.rpartition(":")
        if not colon:
            return cls(text)
        if not (suffix.isascii() and suffix.isdigit() and len(suffix) < 10):
            return cls(text)
        head, colon, argument = node.rpartition(":")
        return cls(head, int(suffix), argument) if colon else cls(node, int(suffix))

    def __str__(self) -> str:
        if self.is_control:
            return f"^{self.node}"
        middle = "" if self.argument is None else f"{self.argument}:"
        return f"{self.node}:{middle}{self.index}"


def node_of(text: str) -> str:
    """The node's name in an input, a fetch or a control input: the part before the first colon, without ``^``."""
    name = text[1:] if text.startswith("^") else text
    return name.partition(":")[0]


class TensorSpec(NamedTuple):
    """The properties of a tensor that are known without running the graph.

    Attributes:
        name: tensor name, ``node:index``.
        dtype: its element type; ``INVALID`` if the op is unknown.
        shape: see :data:`Shape`.
        is_ref: whether it is a reference to a variable's buffer.
    """

    name: str
    dtype: DataType
    shape: Shape = None
    is_ref: bool = False

    @property
    def container(self) -> str:
        """Empty: see :class:`graphscope.core.foreign.ForeignTensor`."""
        return ""


_SHAPES = 1024
"""The number of cached shapes: most models have few, each shared by many tensors."""


def shape_of(proto: TensorShapeProto) -> Shape:
    """The shape in a message; any negative size is an unknown dimension."""
    if proto.unknown_rank:
        return None
    return tuple(d.size if d.size >= 0 else None for d in proto.dim)


def shape_proto(shape: Shape) -> TensorShapeProto:
    """The message for ``shape``; unknown dimensions are -1."""
    from graphscope.protos import TensorShapeProto

    proto = TensorShapeProto(unknown_rank=shape is None)
    for size in shape or ():
        proto.dim.add(size=-1 if size is None else size)
    return proto


@functools.lru_cache(_SHAPES)
def parse_sizes(text: str) -> tuple[int | None, ...]:
    """Parses a shape such as ``?,224,224,3``; an empty text is a scalar.

    Raises:
        ValueError: a part is not a size; the error's text is that part.
    """
    return tuple(_parse_size(part.strip()) for part in text.split(",") if part.strip())


def _parse_size(text: str) -> int | None:
    """``224``, or ``?`` for an unknown size; raises as :func:`parse_sizes`."""
    if text == "?":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < _SIZE_DIGITS and int(text) <= MAX_SIZE):
        raise ValueError(text)
    return int(text)


@functools.lru_cache(_SHAPES)
def shape_text(shape: StatedShape) -> str:
    """``(?, 784)``, ``(batch, 784)``, ``()`` for a scalar, ``unknown rank`` for none."""
    if shape is None:
        return "unknown rank"
    return "(" + ", ".join("?" if d is None else str(d) for d in shape) + ")"


def is_known(shape: Shape) -> TypeGuard[tuple[int, ...]]:
    """Whether the rank and all dimensions are known."""
    return shape is not None and None not in shape


@functools.lru_cache(_SHAPES)
def elements(shape: Shape) -> int | None:
    """Product of the dimensions; ``None`` if one is unknown."""
    if shape is None or None in shape:
        return None
    return math.prod(cast("tuple[int, ...]", shape))
