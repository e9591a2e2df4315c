"""Matrix products and convolutions: multiplications and additions in pairs, so that two operations are one MAC.

Source: ``flops_registry.py`` and ``nn_ops.py`` of TensorFlow 2.21 for ``MatMul``, ``BatchMatMul*``, ``Conv2D``, ``Conv3D``,
``DepthwiseConv2dNative`` and the gradients of ``Conv2D``. Three things are as the kernels work, not as the profiler counts:
``adj_x`` of a batch product (the profiler asks for an attribute of another name), and data in channels-first order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from graphscope.analysis.cost.operands import Operands, UnsizedError, at
from graphscope.analysis.cost.table import formula


@formula("MatMul QuantizedMatMul SparseMatMul", is_product=True)
def mat_mul(o: Operands) -> int:
    """``2 * n * k * m``."""
    transposed = o.call.flag("transpose_a")
    return 2 * at(o.input(0), 0 if transposed else 1) * o.given()


@formula("BatchMatMul BatchMatMulV2 BatchMatMulV3", is_product=True)
def batch_mat_mul(o: Operands) -> int:
    """``2 * n * k * m`` for each matrix of the result."""
    return 2 * at(o.input(0), -2 if o.call.flag("adj_x") else -1) * o.given()


@formula("Conv2D Conv3D QuantizedConv2D", is_product=True)
def convolution(o: Operands) -> int:
    """Each element of the result takes one product with each weight of its filter."""
    return 2 * math.prod(o.input(1)[:-1]) * o.given()


@formula("DepthwiseConv2dNative", is_product=True)
def depthwise(o: Operands) -> int:
    """As a convolution of one channel."""
    return 2 * math.prod(o.input(1)[:2]) * o.given()


@formula("Conv2DBackpropInput", is_product=True)
def conv_input_gradient(o: Operands) -> int:
    """The forward convolution's, whose input is this result: its size and the strides are what counts."""
    return _by_strides(o, o.output(), o.input(1))


@formula("Conv2DBackpropFilter", is_product=True)
def conv_filter_gradient(o: Operands) -> int:
    """As the gradient of the input."""
    return _by_strides(o, o.input(0), o.output())


def _by_strides(o: Operands, image: tuple[int, ...], weights: tuple[int, ...]) -> int:
    channels = 1 if o.call.text("data_format") == "NCHW" else -1
    divisor = at(image, channels) * math.prod(o.call.numbers("strides"))
    if not divisor:
        raise UnsizedError
    return 2 * math.prod(image) * math.prod(weights) // divisor


@formula("Conv3DBackpropInput Conv3DBackpropInputV2", is_product=True)
def conv3d_input_gradient(o: Operands) -> int:
    """The forward convolution's, whose result is input 2."""
    return 2 * o.taken(2) * math.prod(o.input(1)[:-1])


@formula("Conv3DBackpropFilter Conv3DBackpropFilterV2", is_product=True)
def conv3d_filter_gradient(o: Operands) -> int:
    """As the gradient of the input."""
    return 2 * o.taken(2) * math.prod(o.output()[:-1])


@formula("DepthwiseConv2dNativeBackpropInput", is_product=True)
def depthwise_input_gradient(o: Operands) -> int:
    """The forward convolution's, whose result is input 2."""
    return 2 * o.taken(2) * math.prod(o.input(1)[:2])


@formula("DepthwiseConv2dNativeBackpropFilter", is_product=True)
def depthwise_filter_gradient(o: Operands) -> int:
    """As the gradient of the input."""
    return 2 * o.taken(2) * math.prod(o.output()[:2])


@formula("SparseTensorDenseMatMul", is_product=True)
def sparse_mat_mul(o: Operands) -> int:
    """Each value that is stored meets a row of the matrix."""
    return 2 * o.taken(1) * at(o.output(), -1)


@formula("Einsum", is_product=True)
def einsum(o: Operands) -> int:
    """One product for each combination of indices, in one go: without an index that is summed there is nothing to add."""
    terms, arrow, result = o.call.text("equation").replace(" ", "").partition("->")
    labels = terms.split(",")
    if not arrow or len(labels) != o.inputs or o.inputs > 2:
        raise UnsizedError
    sizes: dict[str, int] = {}
    for term, place in zip(labels, range(o.inputs)):
        for label, size in _label_sizes(term, o.input(place)).items():
            sizes[label] = max(size, sizes.get(label, 0))
    products = math.prod(sizes.values())
    has_sum = any(label not in result for label in sizes if len(label) == 1)
    if o.inputs == 1:
        return products if has_sum else 0
    return 2 * products if has_sum else products


def _label_sizes(term: str, shape: tuple[int, ...]) -> Mapping[str, int]:
    """Label -> size; the axes that an ellipsis stands for are ``.0``, ``.1`` ... from the last on."""
    front, dots, back = term.partition("...")
    hidden = len(shape) - len(front) - len(back)
    if hidden < 0 or (hidden and not dots):
        raise UnsizedError
    names = [*front, *(f".{axis}" for axis in reversed(range(hidden))), *back]
    return dict(zip(names, shape))
