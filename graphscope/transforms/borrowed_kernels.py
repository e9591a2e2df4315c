"""Which nodes constant folding may have computed by kernels that are lent to it: TensorFlow's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from graphscope.core.graph import Node
from graphscope.core.op_effects import OP_EFFECTS
from graphscope.core.ops import OutputType
from graphscope.core.patterns import NamePattern
from graphscope.core.payload import Payload
from graphscope.protos import OpDef
from graphscope.transforms.kernels import arithmetic

NOT_LENT = NamePattern(
    r"_.*|.*(Random|Multinomial|Shuffle|Stochastic|PyFunc|TPU).*|(Stateless|Fractional|Kmeans|KMC2|Sdca|Batch$|Unbatch).*"
    r"|(Xla|DTensor|Relayout|Debug|Risc|Copy|Inplace|CustomAggregator|CheckPinned|MlirPassthroughOp).*"
    r"|(Parallel)?DynamicStitch"
)
"""Ops without a registered state that are random, write to their inputs, wait for others, belong to a compiler, or of which the
NumPy kernels decline only what is not defined."""

EACH_ELEMENT = frozenset(arithmetic.TABLE) | frozenset(
    "Acos Acosh Asin Asinh Atan Atan2 Atanh Betainc Cos Cosh Dequantize Digamma Elu Erf Erfc Erfinv Exp Expm1 Igamma Igammac"
    " Inv LeakyRelu Lgamma Log Log1p Ndtri Polygamma Quantize QuantizeV2 Reciprocal Rsqrt Selu Sigmoid Sin Sinh Softplus"
    " Softsign Tan Tanh Xdivy Xlog1py Xlogy Zeta".split()
)
"""Ops that compute each element by itself. What NumPy does not compute of them stays in the graph.

Starting TensorFlow (3 s, 500 MB) for the ``Rsqrt`` of a batch norm's variances, by far the most frequent of them, would gain
nothing: a run takes microseconds for it, and TensorFlow folds it by itself when it opens the graph. With the node, the file is
the same whether TensorFlow is installed or not, and gives each machine's own last bits. ``Dequantize`` would make weights four
times as large.
"""


class Evaluate(Protocol):
    """Computes one node with kernels that the table lacks: TensorFlow's own, lent by :mod:`graphscope.runtime.evaluate`."""

    def __call__(self, node: Node, inputs: list[NDArray[Any]]) -> list[NDArray[Any]] | None:
        """The outputs of ``node`` for its data inputs ``inputs``; ``None`` where it cannot be computed."""


def may_be_lent(node: Node, definition: OpDef, tensors: Sequence[Payload | OutputType]) -> bool:
    """Whether ``node`` is a function of numbers alone, and of more than one each time.

    Args:
        tensors: what it takes and gives.
    """
    if node.op in EACH_ELEMENT or node.op in OP_EFFECTS or NOT_LENT.fullmatch(node.op):
        return False
    calls = any(attr.type in ("func", "list(func)") for attr in definition.attr)
    refers = any(argument.is_ref for argument in definition.input_arg)
    return not calls and not refers and all(tensor.dtype.itemsize is not None for tensor in tensors)
