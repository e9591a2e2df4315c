"""Pooling and other windows that slide over an image.

Source: ``flops_registry.py`` and ``nn_ops.py`` of TensorFlow 2.21, which leaves out channels-first data and the ops of three
dimensions; both are counted alike here.
"""

from __future__ import annotations

import math

from graphscope.analysis.cost.operands import Operands
from graphscope.analysis.cost.table import formula


def _window(o: Operands, index: int) -> int:
    return math.prod(o.numbers("ksize", index))


@formula("AvgPool MaxPool MaxPoolV2 AvgPool3D MaxPool3D MaxPoolWithArgmax QuantizedAvgPool QuantizedMaxPool")
def pool(o: Operands) -> int:
    """One operation for each element of the window."""
    return _window(o, 1) * o.given()


@formula("AvgPoolGrad AvgPool3DGrad")
def average_gradient(o: Operands) -> int:
    """Each element of the window is scaled and added."""
    return 2 * _window(o, o.inputs) * o.taken(1)


@formula("MaxPoolGrad MaxPoolGradV2 MaxPool3DGrad")
def maximum_gradient(o: Operands) -> int:
    """The maxima are recomputed, then one operation for each."""
    return (_window(o, 3) + 1) * o.taken(1)


@formula("Dilation2D")
def dilation(o: Operands) -> int:
    """An addition and a comparison for each element of the window."""
    return 2 * math.prod(o.input(1)[:2]) * o.given()
