"""Softmax, biases, batch norms and the losses that belong to them.

Source: ``flops_registry.py`` of TensorFlow 2.21 for ``Softmax`` (shift, exponent and division of each element), ``nn_ops.py``
for ``BiasAdd``. The fused ops count what the ops would that they stand for, by the same measure; what is done once for each
channel is left out.
"""

from __future__ import annotations

from graphscope.analysis.cost.operands import Operands
from graphscope.analysis.cost.table import formula, row

row("BiasAdd", lambda o: o.taken(), in_place=True)
row("BiasAddV1", lambda o: o.taken(), in_place=True)
row("Softmax LogSoftmax", lambda o: 5 * o.taken(), in_place=True)
row("SoftmaxCrossEntropyWithLogits", lambda o: 8 * o.taken())
row("SparseSoftmaxCrossEntropyWithLogits", lambda o: 6 * o.taken())
row("BatchNormWithGlobalNormalization", lambda o: 2 * o.taken())


@formula("FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3")
def batch_norm(o: Operands) -> int:
    """A scale and a shift of each element; in training the mean (1) and the variance (3) besides."""
    return (6 if o.call.flag("is_training") else 2) * o.taken()


@formula("FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3")
def batch_norm_gradient(o: Operands) -> int:
    """Normalized input (2), two sums (3), and the gradient itself (5); in inference a scale, and the sums."""
    return (10 if o.call.flag("is_training") else 6) * o.taken()


@formula("LRN")
def local_response(o: Operands) -> int:
    """A square, a sum over the window, and bias, scale, power and division of each element."""
    return (2 * o.call.number("depth_radius") + 1 + 5) * o.taken()
