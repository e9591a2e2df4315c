"""Folds scale and shift of batch normalisation into the convolution or matrix product before them.

At inference a batch norm is ``scale * x + shift`` for each channel, and so are the biases around it. A convolution is linear in
its weights: ``scale * conv(input, weights) + shift`` is ``conv(input, scale * weights) + shift``.

Sources: ``tensorflow/core/ops/nn_ops.cc`` and ``math_ops.cc`` for inputs, attributes and their defaults;
``core/kernels/batch_norm_op.h`` and ``fused_batch_norm_op.cc`` for the arithmetic.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphscope.core.build import constant, node, type_attr, with_inputs, without_attrs
from graphscope.core.dtypes import DataType
from graphscope.core.graph import Graph, Node
from graphscope.core.tensors import TensorName
from graphscope.protos import AttrValue

_Array = NDArray[Any]
_MAX_STEPS = 16


def fold_batch_norms(graph: Graph, *, keep: Collection[str] = ()) -> Graph:
    """Each chain of scales and shifts by constants behind a convolution or matrix product becomes one bias.

    The last node of the chain keeps its name and becomes a ``BiasAdd`` (``AddV2`` for channels first in 5 dimensions); the nodes
    between go. Arithmetic is in float64, the results have the weights' type: outputs differ by rounding. Constants that
    nobody takes any more stay, for a cut to remove.

    A chain needs a scale and a shift. It ends where an output has several consumers or is kept; where the weights are not
    constant, not floating-point, or would leave their type's range, nothing is folded.

    Args:
        keep: names of nodes or tensors whose values must stay.

    Raises:
        CorruptFileError, IncompleteModelError: weights that are folded cannot be read.
    """
    folder = _Folder(graph, {str(TensorName.parse(name)) for name in keep})
    for original in graph:
        folder.visit(original)
    return folder.rebuilt()


@dataclass(frozen=True, slots=True)
class _Linear:
    """An op that is linear in its weights (input 1): their rank, which its output has too, and the axes that make channels."""

    rank: int
    channels: tuple[int, ...]


_LINEAR = {
    "Conv2D": _Linear(4, (3,)),
    "Conv3D": _Linear(5, (4,)),
    "DepthwiseConv2dNative": _Linear(4, (2, 3)),
    "Conv2DBackpropInput": _Linear(4, (2,)),
    "Conv3DBackpropInputV2": _Linear(5, (3,)),
    "MatMul": _Linear(2, (1,)),
}

_CHANNELS_FIRST = {b"NHWC": False, b"NDHWC": False, b"NCHW": True, b"NCDHW": True}


@dataclass(frozen=True, slots=True)
class _Axis:
    """Along which axis of how many the channels lie, and how many channels there are."""

    rank: int
    axis: int
    size: int

    def vector(self, value: _Array) -> _Array | None:
        """``value`` for each channel, where it broadcasts along this axis only; ``None`` where it does not."""
        shape = (1,) * (self.rank - value.ndim) + value.shape
        others = (size for i, size in enumerate(shape) if i != self.axis)
        if value.ndim > self.rank or value.size not in (1, self.size) or any(size != 1 for size in others):
            return None
        return np.broadcast_to(value.reshape(-1), (self.size,))


class _Part(enum.Flag):
    SCALE = enum.auto()
    SHIFT = enum.auto()
    BOTH = SCALE | SHIFT


_Affine = tuple[Any, Any]  # scale and shift: vectors or plain numbers


def _batch_norm(node: Node, x: tuple[Any, Any, Any, Any], epsilon: str) -> _Affine:
    """Scale and shift from gamma, beta, mean and variance; ``epsilon`` names the attribute."""
    gamma, beta, mean, variance = x
    stated = node.attr(epsilon)
    scale = gamma / np.sqrt(variance + (stated.f if stated is not None else 1e-4))
    return scale, beta - mean * scale


def _fused(node: Node, gamma: _Array, beta: _Array, mean: _Array, variance: _Array) -> _Affine | None:
    training = node.attr("is_training")
    if training is None or training.b:  # the default is true
        return None
    return _batch_norm(node, (gamma, beta, mean, variance), "epsilon")


def _global(node: Node, mean: _Array, variance: _Array, beta: _Array, gamma: _Array) -> _Affine:
    """Source: ``functor::BatchNorm`` in ``core/kernels/batch_norm_op.h``."""
    scaled = node.attr("scale_after_normalization")
    factor = gamma if scaled is not None and scaled.b else 1.0
    return _batch_norm(node, (factor, beta, mean, variance), "variance_epsilon")


@dataclass(frozen=True, slots=True)
class _Rule:
    """How an op scales and shifts its data input by constants.

    Attributes:
        affine: the node and its constants as vectors -> scale and shift; ``None`` where it does something else.
        constants: how many it takes.
        commutes: whether the data may be the second input.
        per_channel: whether constants are vectors of channels, wherever those lie; else they broadcast.
    """

    part: _Part
    affine: Callable[..., _Affine | None]
    constants: int = 1
    commutes: bool = False
    per_channel: bool = False


_ADD = _Rule(_Part.SHIFT, lambda _, c: (1.0, c), commutes=True)
_DIVIDE = _Rule(_Part.SCALE, lambda _, c: (1.0 / c, 0.0))
_BIAS = _Rule(_Part.SHIFT, lambda _, c: (1.0, c), per_channel=True)
_FUSED = _Rule(_Part.BOTH, _fused, 4, per_channel=True)
_RULES = {
    "Mul": _Rule(_Part.SCALE, lambda _, c: (c, 0.0), commutes=True),
    "RealDiv": _DIVIDE,
    "Div": _DIVIDE,
    "Add": _ADD,
    "AddV2": _ADD,
    "Sub": _Rule(_Part.SHIFT, lambda _, c: (1.0, -c)),
    "BiasAdd": _BIAS,
    "BiasAddV1": _BIAS,
    "FusedBatchNorm": _FUSED,
    "FusedBatchNormV2": _FUSED,
    "FusedBatchNormV3": _FUSED,
    "BatchNormWithGlobalNormalization": _Rule(_Part.BOTH, _global, 4, per_channel=True),
}

_KERNELS: dict[tuple[str, int], Callable[..., _Array]] = {
    ("Identity", 1): lambda a: a,
    ("Rsqrt", 1): lambda a: 1.0 / np.sqrt(a),
    ("Sqrt", 1): np.sqrt,
    ("Neg", 1): np.negative,
    ("Add", 2): np.add,
    ("AddV2", 2): np.add,
    ("Sub", 2): np.subtract,
    ("Mul", 2): np.multiply,
    ("RealDiv", 2): np.divide,
}
"""Op and number of inputs -> what a batch norm that was not constant-folded computes from its moments."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """A convolution or matrix product with constant weights.

    Attributes:
        path: from what the node reads, through identities, to the constant.
        shape: of a vector of channels that scales the weights.
        axis: where its output has the channels.
    """

    node: Node
    path: list[Node]
    shape: tuple[int, ...]
    axis: _Axis

    @property
    def weights(self) -> Node:
        """The constant."""
        return self.path[-1]

    def controls(self) -> list[str]:
        """What the weights wait for: in a loop it says to which loop a constant belongs."""
        return list(dict.fromkeys(f"^{name}" for n in self.path for name in n.control_inputs()))


class _Folder:
    def __init__(self, graph: Graph, keep: Collection[str]) -> None:
        self.graph = graph
        self.keep = keep
        self.kept_nodes = {TensorName.parse(name).node for name in keep}
        self.replaced: dict[str, list[Node]] = {}  # name -> the nodes in its place
        self.new_names: set[str] = set()

    def visit(self, original: Node) -> None:
        """Folds the chain behind ``original``, if both are as they must be."""
        layer = self.layer(original)
        if layer is None:
            return
        chain: list[Node] = []
        parts = _Part(0)
        scale, shift = np.ones(layer.axis.size), np.zeros(layer.axis.size)
        with np.errstate(all="ignore"):  # what is not finite in the end is not folded
            while (step := self.step(chain[-1] if chain else original, layer.axis)) is not None:
                following, part, (factor, offset) = step
                chain.append(following)
                parts |= part
                scale, shift = scale * factor, shift * factor + offset
            if parts == _Part.BOTH:
                self.fold(layer, chain, scale, shift)

    def layer(self, original: Node) -> _Layer | None:
        linear = _LINEAR.get(original.op)
        path = self.constant_path(original.inputs[1]) if linear and len(original.data_inputs()) > 1 else []
        tensor = path[-1].tensor() if path else None
        first = _channels_first(original)
        if linear is None or tensor is None or first is None:
            return None
        if len(tensor.shape) != linear.rank or not tensor.dtype.is_floating:
            return None
        transposed = original.attr("transpose_b")
        axes = (0,) if transposed is not None and transposed.b else linear.channels
        shape = tuple(size if i in axes else 1 for i, size in enumerate(tensor.shape))
        axis = _Axis(linear.rank, 1 if first else linear.rank - 1, math.prod(shape))
        return _Layer(original, path, shape, axis)

    def constant_path(self, text: str) -> list[Node]:
        """From what ``text`` names, through identities, to a constant; empty where there is none."""
        path: list[Node] = []
        for _ in range(_MAX_STEPS):
            found = self.graph.get(TensorName.parse(text).node)
            if found is None:
                break
            path.append(found)
            if found.op == "Const":
                return path
            if found.op != "Identity" or not found.data_inputs():
                break
            text = found.inputs[0]
        return []

    def step(self, before: Node, axis: _Axis) -> tuple[Node, _Part, _Affine] | None:
        """The next node of a chain that has come to ``before``, and what it does; ``None`` at the chain's end."""
        following = self.only_consumer(before)
        rule = _RULES.get(following.op) if following is not None else None
        if following is None or rule is None or self.has_more_outputs(following):
            return None
        inputs = [str(TensorName.parse(i)) for i in following.data_inputs()]
        data = f"{before.name}:0"
        place = inputs.index(data) if data in inputs else -1
        if len(inputs) != rule.constants + 1 or place not in ((0, 1) if rule.commutes else (0,)):
            return None
        if rule.per_channel:
            axis = self.channel_vector(following, axis)
        vectors = [self.value(i, axis) for i in inputs[:place] + inputs[place + 1 :]]
        affine = None if any(v is None for v in vectors) else rule.affine(following, *vectors)
        return (following, rule.part, affine) if affine is not None else None

    def only_consumer(self, before: Node) -> Node | None:
        consumers = self.graph.consumers(before.name)
        return consumers[0] if len(consumers) == 1 and before.name not in self.kept_nodes else None

    def has_more_outputs(self, candidate: Node) -> bool:
        """Whether a batch norm's statistics are used."""
        used = {i for consumer in self.graph.consumers(candidate.name) for i in consumer.data_inputs()} | set(self.keep)
        return any(t.node == candidate.name and t.index > 0 for t in map(TensorName.parse, used))

