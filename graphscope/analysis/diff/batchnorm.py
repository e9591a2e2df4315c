"""Recognizes batch norms that were folded into the previous layer, by computing the expected result of folding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.analysis.diff.sides import Matching
from graphscope.core.graph import Node
from graphscope.core.model import Model
from graphscope.core.ops.sets import MERGES, SWITCHES
from graphscope.core.tensors import node_of
from graphscope.core.values.payload import Payload

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Array = NDArray[Any]

TOLERANCE = 1e-4
"""Relative to the largest value: folding is done in one precision, its result is stored in another."""

_LINEAR = frozenset("Conv2D Conv3D DepthwiseConv2dNative Conv2DBackpropInput Conv3DBackpropInputV2 MatMul".split())
_BIASES = frozenset({"BiasAdd", "Add", "AddV2"})
_PASSING = frozenset({"Identity", "ReadVariableOp", *SWITCHES})
_MAX_DEPTH = 24


@dataclass(frozen=True, slots=True)
class Folding:
    """One batch norm that is part of the layer before it in the second model.

    Attributes:
        layer: the convolution or matrix product.
        node: the last node of the batch norm; in the second model it adds a bias.
        weights: the constant or variable that the layer takes.
        new: nodes that only the second model has for it.
    """

    layer: str
    node: str
    weights: str
    new: frozenset[str]


def find_foldings(a: Model, b: Model, matching: Matching) -> Iterator[Folding]:
    """The batch norms of ``a`` that ``b`` has in the weights and a bias instead; weights and bias are compared with the values
    that folding gives, to :data:`TOLERANCE`.

    Raises:
        CorruptFileError, IncompleteModelError: a value cannot be read.
    """
    ones, others = _Values(a), _Values(b)
    for node, other in matching.changed:
        if other.op in _BIASES:
            found = _folding(node, other, matching, ones, others)
            if found is not None:
                yield found


def _folding(node: Node, other: Node, matching: Matching, ones: _Values, others: _Values) -> Folding | None:
    inputs = [node_of(text) for text in other.data_inputs()]
    layer = others.node(inputs[0]) if len(inputs) == 2 else None
    before = ones.node(matching.backward.get(layer.name, "")) if layer is not None else None
    if layer is None or before is None or layer.op not in _LINEAR or before.op != layer.op:
        return None
    bias = others.constant(inputs[1])
    weights, folded = ones.source(before.data_inputs()[1]), others.source(layer.data_inputs()[1])
    one, two = ones.constant(weights), others.constant(folded)
    if bias is None or one is None or two is None or one.shape != two.shape or node.name == before.name:
        return None
    affine = _affine(ones, node, before.name)
    if affine is None or not _agree(affine, one.numpy(), two.numpy(), bias.numpy()):
        return None
    new = {name for name in (inputs[1], folded) if name not in matching.backward}
    return Folding(before.name, node.name, weights, frozenset(new))


def _affine(values: _Values, node: Node, layer: str) -> tuple[_Array, _Array] | None:
    """Scale and shift that ``node`` applies to what ``layer`` gives, for each channel; ``None`` for anything else."""
    import numpy as np

    with np.errstate(all="ignore"):
        shift = values.evaluate(node.name, {layer: np.zeros(())})
        moved = values.evaluate(node.name, {layer: np.ones(())})
        twice = values.evaluate(node.name, {layer: np.full((), 2.0)})
        if shift is None or moved is None or twice is None:
            return None
        scale = moved - shift
        is_affine = np.allclose(twice - moved, scale, rtol=1e-9, atol=1e-9 * float(np.abs(moved).max(initial=1e-30)))
    return (scale, shift) if is_affine and not (np.all(scale == 1.0)) else None


def _agree(affine: tuple[_Array, _Array], weights: _Array, folded: _Array, bias: _Array) -> bool:
    """Whether weights times scale are the folded ones, along whichever axis the channels lie, and the shift is the bias."""
    import numpy as np

    scale, shift = (np.asarray(part, np.float64).reshape(-1) for part in affine)
    wanted = np.asarray(bias, np.float64).reshape(-1)
    if not _is_close(np.broadcast_to(shift, wanted.shape) if shift.size in (1, wanted.size) else shift, wanted):
        return False
    old, new = weights.astype(np.float64), folded.astype(np.float64)
    return any(_is_close(old * _along(scale, old.shape, axes), new) for axes in _axes(old.shape, scale.size))


def _axes(shape: tuple[int, ...], size: int) -> Iterator[tuple[int, ...]]:
    """The axes, or neighbouring pairs of axes, that have ``size`` elements."""
    yield from ((i,) for i, dim in reversed(list(enumerate(shape))) if size in (1, dim))
    yield from ((i, i + 1) for i in range(len(shape) - 1) if shape[i] * shape[i + 1] == size)


def _along(scale: _Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> _Array:
    if scale.size == 1:
        return scale.reshape(())
    return scale.reshape([dim if i in axes else 1 for i, dim in enumerate(shape)])


def _is_close(one: _Array, other: _Array) -> bool:
    import numpy as np

    if one.shape != other.shape:
        return False
    limit = TOLERANCE * float(np.abs(other).max(initial=0.0))
    return bool(np.all(np.abs(one - other) <= limit))


class _Values:
    """The constants and variables of one model, and the values that a few ops compute from them."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.variables = {v.name: v for v in model.variables if v.entry is not None}

    def node(self, name: str) -> Node | None:
        return self.model.graph.get(name)

    def source(self, text: str) -> str:
        """The node that gives ``text``, identities and reads left out."""
        name = node_of(text)
        for _ in range(_MAX_DEPTH):
            node = self.node(name)
            if node is None or node.op not in _PASSING or not node.inputs:
                break
            name = node_of(node.inputs[0])
        return name

    def constant(self, name: str) -> Payload | None:
        """The value of a constant, or of a variable that a checkpoint fills."""
        node = self.node(self.source(name))
        if node is None:
            return None
        if node.op == "Const":
            return node.tensor()
        variable = self.variables.get(node.name)
        return self.model.value(variable) if variable is not None else None

    def evaluate(self, name: str, given: Mapping[str, _Array]) -> _Array | None:
        """What ``name`` is where ``given`` nodes have these values; vectors of channels in double precision."""
        return self._evaluate(name, dict(given), _MAX_DEPTH)

    def _evaluate(self, name: str, known: dict[str, _Array | None], depth: int) -> _Array | None:
        if name not in known:
            known[name] = None  # what a loop leads back to has no value
            known[name] = self._compute(name, known, depth)
        return known[name]

    def _compute(self, name: str, known: dict[str, _Array | None], depth: int) -> _Array | None:
        import numpy as np

        node = self.node(name)
        value = self.constant(name) if node is not None else None
        if value is not None and value.dtype.is_floating:
            return np.asarray(value.numpy(), np.float64).reshape(-1)
        if node is None or not depth:
            return None
        sources = node.data_inputs()[:1] if node.op in _PASSING else node.data_inputs()
        inputs = [self._evaluate(node_of(text), known, depth - 1) for text in sources]
        if node.op in _PASSING or node.op in MERGES:
            values = [part for part in inputs if part is not None]
            return (
                values[0] if len(values) == 1 else None
            )  # of the branches of a switch, the one that needs no statistics
        kernel = _KERNELS.get(node.op)
        if kernel is None or any(part is None for part in inputs):
            return None
        try:
            result: _Array | None = kernel(node, *inputs)
        except (ValueError, TypeError):  # vectors of different sizes, or another number of inputs: no batch norm
            return None
        return result


def _fuse(node: Node, x: _Array, gamma: _Array, beta: _Array, mean: _Array, variance: _Array) -> _Array | None:
    training, epsilon = node.attr("is_training"), node.attr("epsilon")
    if training is None or training.b:
        return None
    return _normalize(x, gamma, beta, mean, variance, epsilon.f if epsilon is not None else 1e-4)


def _global(node: Node, x: _Array, mean: _Array, variance: _Array, beta: _Array, gamma: _Array) -> _Array:
    scaled, epsilon = node.attr("scale_after_normalization"), node.attr("variance_epsilon")
    factor: Any = gamma if scaled is not None and scaled.b else 1.0
    return _normalize(x, factor, beta, mean, variance, epsilon.f if epsilon is not None else 1e-4)


def _normalize(x: _Array, gamma: Any, beta: _Array, mean: _Array, variance: _Array, epsilon: float) -> _Array:
    import numpy as np

    result: _Array = (x - mean) * gamma / np.sqrt(variance + epsilon) + beta
    return result


def _rsqrt(_: Node, a: _Array) -> _Array:
    import numpy as np

    result: _Array = 1.0 / np.sqrt(a)
    return result


_KERNELS: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(("Add", "AddV2", "BiasAdd", "BiasAddV1"), lambda _, a, b: a + b),
    "Sub": lambda _, a, b: a - b,
    "Mul": lambda _, a, b: a * b,
    **dict.fromkeys(("RealDiv", "Div"), lambda _, a, b: a / b),
    "Rsqrt": _rsqrt,
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), _fuse),
    "BatchNormWithGlobalNormalization": _global,
}
"""What batch norms are made of; sources: ``tensorflow/core/kernels/{batch_norm_op.h,fused_batch_norm_op.cc}``."""
