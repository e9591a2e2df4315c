"""Folds scale and shift of batch normalization into the convolution or matrix product before them.

At inference a batch norm is ``scale * x + shift`` for each channel, and so are the biases around it. A convolution is linear in
its weights: ``scale * conv(input, weights) + shift`` is ``conv(input, scale * weights) + shift``.

Sources: ``tensorflow/core/ops/nn_ops.cc`` and ``math_ops.cc`` for inputs, attributes and their defaults;
``core/kernels/batch_norm_op.h`` and ``fused_batch_norm_op.cc`` for the arithmetic.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphscope.core.changes.build import constant, make_node, type_attr, with_inputs, without_attrs
from graphscope.core.checks.attributes import LOCATION
from graphscope.core.graph import Graph, Node
from graphscope.core.names import free_name
from graphscope.core.tensors import TensorName
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.protos import AttrValue

_Array = NDArray[Any]

_MAX_DEPTH = 8
"""How far from their use constants are looked for."""


def fold_batch_norms(graph: Graph, *, keep: Collection[str] = ()) -> Graph:
    """Each chain of scales and shifts by constants behind a convolution or matrix product becomes one bias.

    The last node of the chain keeps its name and becomes a ``BiasAdd`` (``AddV2`` for channels first in 5 dimensions); the
    nodes between go. Arithmetic is in float64, the results have the weights' type: outputs differ by rounding. Constants
    that nobody takes any more stay, for a cut to remove.

    A chain needs a scale and a shift. It ends where an output has several consumers or is kept; where the weights are not
    constant, not floating-point, or would leave their type's range, nothing is folded.

    Args:
        keep: names of nodes or tensors whose values must stay.

    Raises:
        CorruptFileError, IncompleteModelError: weights that are folded cannot be read.
    """
    folder = _Folder(graph, keep)
    for original in graph:
        folder.visit(original)
    return folder.rebuild()


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

    def of_vector(self, channels_first: bool | None) -> _Axis | None:
        """The one axis of a vector of channels that an op applies to the second or the last; ``None`` if that is not this."""
        applied = 1 if channels_first else self.rank - 1
        return _Axis(1, 0, self.size) if channels_first is not None and applied == self.axis else None

    def vector(self, tensor: Payload) -> _Array | None:
        """A number for each channel; ``None`` if ``tensor`` does not broadcast along this axis alone. Reads it."""
        missing = self.rank - len(tensor.shape)
        if missing < 0 or tensor.elements not in (1, self.size) or not tensor.dtype.is_floating:
            return None
        if any(size != 1 for i, size in enumerate(tensor.shape, missing) if i != self.axis):
            return None
        return np.broadcast_to(tensor.numpy().reshape(-1).astype(np.float64), (self.size,))


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


def _fuse(node: Node, gamma: _Array, beta: _Array, mean: _Array, variance: _Array) -> _Affine | None:
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
        affine: the node and its constants as vectors -> scale and shift; ``None`` if it does something else.
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
_FUSED = _Rule(_Part.BOTH, _fuse, 4, per_channel=True)
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
    ("Add", 2): np.add,
    ("AddV2", 2): np.add,
    ("Sub", 2): np.subtract,
    ("Mul", 2): np.multiply,
}
"""Op and number of inputs -> what a batch norm that was not constant-folded computes from its moments."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """A convolution or matrix product with constant weights.

    Attributes:
        path: from what the node reads, through identities, to the constant.
        tensor: the constant's value.
        shape: of a vector of channels that scales the weights.
        axis: where its output has the channels.
    """

    node: Node
    path: list[Node]
    tensor: Payload
    shape: tuple[int, ...]
    axis: _Axis


class ScaledPayload(Payload):
    """Weights times a scale that broadcasts against them, in their own type; multiplied in float64 when they are read."""

    __slots__ = ("scale", "weights")

    def __init__(self, weights: Payload, scale: _Array) -> None:
        super().__init__(weights.dtype, weights.shape)
        self.weights = weights
        self.scale = scale

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        return ArrayPayload(self.numpy(), self.dtype).chunks()

    def numpy(self) -> _Array:
        """See :meth:`Payload.numpy`."""
        weights = self.weights.numpy()
        scaled = np.empty_like(weights)
        np.multiply(weights, self.scale, out=scaled, dtype=np.float64, casting="unsafe")
        return scaled


class _Folder:
    def __init__(self, graph: Graph, keep: Iterable[str]) -> None:
        self.graph = graph
        self.kept_tensors = [TensorName.parse(name) for name in keep]
        self.kept = {tensor.node for tensor in self.kept_tensors}
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
        path = self.constant_path(original.data_inputs()[1:2]) if linear else []
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
        return _Layer(original, path, tensor, shape, axis)

    def constant_path(self, inputs: list[str], depth: int = _MAX_DEPTH) -> list[Node]:
        """From what the first of ``inputs`` names, through identities, to a constant, if that is where they lead."""
        found = self.graph.get(TensorName.parse(inputs[0]).node) if inputs and depth else None
        if found is None or found.op not in ("Const", "Identity"):
            return []
        rest = self.constant_path(found.data_inputs(), depth - 1) if found.op == "Identity" else []
        return [found, *rest]

    def step(self, before: Node, axis: _Axis) -> tuple[Node, _Part, _Affine] | None:
        """The next node of a chain that has come to ``before``, and what it does; ``None`` at the chain's end."""
        consumers = self.graph.consumers(before.name)
        if len(consumers) != 1 or before.name in self.kept:
            return None
        following = consumers[0]
        rule = _RULES.get(following.op)
        if rule is None or self.uses_statistics(following):
            return None
        place = axis.of_vector(_channels_first(following)) if rule.per_channel else axis
        constants = _others(following, f"{before.name}:0", rule.commutes)
        if place is None or len(constants) != rule.constants:
            return None
        vectors = [self.value(text, place) for text in constants]
        affine = None if any(v is None for v in vectors) else rule.affine(following, *vectors)
        return None if affine is None else (following, rule.part, affine)

    def uses_statistics(self, candidate: Node) -> bool:
        """Whether outputs other than the first are taken or kept: a batch norm's mean and variance."""
        taken = [TensorName.parse(i) for consumer in self.graph.consumers(candidate.name) for i in consumer.inputs]
        return any(t.node == candidate.name and t.index > 0 for t in [*taken, *self.kept_tensors])

    def value(self, text: str, axis: _Axis, depth: int = _MAX_DEPTH) -> _Array | None:
        """What ``text`` names, for each channel; ``None`` if it is not constant or has no such form.

        Each constant is spread over the channels before it is computed with, which gives the same as afterwards.
        """
        found = self.graph.get(TensorName.parse(text).node)
        if found is None or not depth:
            return None
        if found.op == "Const":
            tensor = found.tensor()
            return axis.vector(tensor) if tensor is not None else None
        inputs = found.data_inputs()
        kernel = _KERNELS.get((found.op, len(inputs)))
        values = [self.value(i, axis, depth - 1) for i in inputs] if kernel is not None else [None]
        return None if kernel is None or any(v is None for v in values) else kernel(*values)

    def fold(self, layer: _Layer, chain: list[Node], scale: _Array, shift: _Array) -> None:
        scaled = ScaledPayload(layer.tensor, scale.reshape(layer.shape))
        bias = shift.astype(layer.tensor.dtype.numpy)
        if not (np.isfinite(bias).all() and np.isfinite(scaled.numpy()).all()):
            return
        *between, last = chain
        self.replaced.update({n.name: [] for n in between})
        self.replace_weights(layer, scaled)
        self.replaced[last.name] = self.add_bias(layer, chain, bias)

    def replace_weights(self, layer: _Layer, scaled: Payload) -> None:
        """The constant keeps its name, if nothing else takes it; otherwise the layer gets one of its own."""
        readers = [layer.node, *layer.path]
        is_own = all(
            len(self.graph.consumers(n.name)) == 1 and n.name not in self.kept and _count(reader, n.name) == 1
            for reader, n in zip(readers, layer.path)
        )
        old = layer.path[-1]
        if is_own:
            self.replaced[old.name] = [_on_device(constant(old.name, scaled, _controls([old])), old)]
            return
        new = _on_device(constant(self.new_name(f"{old.name}/folded"), scaled, _controls(layer.path)), old)
        first, _, *rest = layer.node.inputs
        self.replaced[layer.node.name] = [new, with_inputs(layer.node, [first, new.name, *rest])]

    def add_bias(self, layer: _Layer, chain: list[Node], bias: _Array) -> list[Node]:
        """The constant shift, and what adds it to the layer's output under the name of the chain's last node."""
        last = chain[-1]
        attrs = {"T": type_attr(layer.tensor.dtype)}
        op = "BiasAdd"
        if layer.axis.axis == layer.axis.rank - 1:
            attrs["data_format"] = AttrValue(s=b"NHWC")
        elif layer.axis.rank == 4:
            attrs["data_format"] = AttrValue(s=b"NCHW")
        else:
            op, bias = "AddV2", bias.reshape(-1, *[1] * (layer.axis.rank - 2))
        shift = constant(self.new_name(f"{last.name}/bias"), bias, _controls(layer.path))
        gone = {n.name for n in chain}
        waits = [c for c in _controls(chain) if c[1:] not in gone]
        result = make_node(last.name, op, [layer.node.name, shift.name, *waits], attrs)
        return [_on_device(shift, last), _on_device(result, last)]

    def new_name(self, wanted: str) -> str:
        name = free_name(wanted, self.graph, self.new_names)
        self.new_names.add(name)
        return name

    def rebuild(self) -> Graph:
        if not self.replaced:
            return self.graph
        gone = {LOCATION + name.encode() for name, nodes in self.replaced.items() if not nodes}
        nodes = [n for original in self.graph for n in self.replaced.get(original.name, [original])]
        return self.graph.with_nodes(_drop_colocation(n, gone) for n in nodes)


def _channels_first(original: Node) -> bool | None:
    """Whether channels are the second axis rather than the last; ``None`` for a layout of another kind."""
    stated = original.attr("data_format")
    return _CHANNELS_FIRST.get(stated.s) if stated is not None else False


def _others(original: Node, data: str, commutes: bool) -> list[str]:
    """The inputs beside ``data``, which must be the first, or may be the second; empty where it is neither."""
    inputs = [str(TensorName.parse(i)) for i in original.data_inputs()]
    for place in (0, 1) if commutes else (0,):
        if inputs[place : place + 1] == [data]:
            return inputs[:place] + inputs[place + 1 :]
    return []


def _count(reader: Node, name: str) -> int:
    return sum(TensorName.parse(i).node == name for i in reader.inputs)


def _controls(nodes: Iterable[Node]) -> list[str]:
    """What the nodes wait for, spelled with ``^``. For a constant in a loop it says to which loop it belongs."""
    return list(dict.fromkeys(f"^{name}" for n in nodes for name in n.control_inputs()))


def _on_device(new: Node, original: Node) -> Node:
    """``new``, which has no other references, on the device of ``original``."""
    new.proto.device = original.device
    return new


def _drop_colocation(original: Node, gone: Set[bytes]) -> Node:
    """``original``, without a wish to be placed with nodes that are gone."""
    group = original.attr("_class")
    if group is None or gone.isdisjoint(group.list.s):
        return original
    return without_attrs(original, ("_class",))
