"""Many elements to one: reductions, arg max, matrix products.

TensorFlow adds floats in an order that depends on the machine, and so do their last bits: here only integers are added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphscope.transforms.kernels.kernel import (
    BOOL,
    FLOATS,
    INDICES,
    INTEGERS,
    Array,
    Call,
    DeclinedError,
    Kernel,
    integers,
    scalar,
)

MAX_PRODUCTS = 1 << 26
"""A matrix product of more multiplications is left to the machine that runs the graph."""


def _reduction(function: Callable[..., Any]) -> Callable[[Call], Sequence[Array]]:
    def run(call: Call) -> Sequence[Array]:
        value, axes = call.arrays[0], integers(call.arrays[1])
        call.check_room(_without(value, axes))
        return [np.asarray(function(value, axis=tuple(axes), keepdims=call.flag("keep_dims")))]

    return run


def _without(value: Array, axes: Sequence[int]) -> list[int]:
    """The sizes that are left when ``axes`` are reduced; of nothing along one axis there is much along the others."""
    return [size for i, size in enumerate(value.shape) if i not in axes and i - value.ndim not in axes]


def _sum(value: Array, **where: Any) -> Array:
    return np.asarray(np.sum(value, dtype=value.dtype, **where))


def _product(value: Array, **where: Any) -> Array:
    return np.asarray(np.prod(value, dtype=value.dtype, **where))


def _arg(function: Callable[..., Any]) -> Callable[[Call], Sequence[Array]]:
    def run(call: Call) -> Sequence[Array]:
        value, axis = call.arrays
        call.check_room(_without(value, [scalar(axis)]))
        if value.dtype.kind == "f" and np.isnan(value).any():
            raise DeclinedError("NaN is neither larger nor smaller")
        return [np.asarray(function(value, axis=scalar(axis))).astype(call.dtype)]

    return run


def _mat_mul(call: Call) -> Sequence[Array]:
    a, b = call.arrays
    a = a.T if call.flag("transpose_a") else a
    b = b.T if call.flag("transpose_b") else b
    if a.ndim != 2 or b.ndim != 2 or a.size * b.shape[1] > MAX_PRODUCTS:
        raise DeclinedError("no matrices, or large ones")
    call.check_room([a.shape[0], b.shape[1]])
    return [a @ b]


def _bias_add(call: Call) -> Sequence[Array]:
    value, bias = call.arrays
    channel = 1 if call.attr("data_format").s == b"NCHW" else value.ndim - 1
    if value.ndim < 2 or bias.shape != (value.shape[channel],):
        raise DeclinedError("a bias of another size")
    return [value + bias.reshape([-1 if i == channel else 1 for i in range(value.ndim)])]


def _cumulative_sum(call: Call) -> Sequence[Array]:
    value, place = call.arrays
    axis = scalar(place)
    if call.flag("reverse"):
        value = np.flip(value, axis)
    total = np.cumsum(value, axis, dtype=value.dtype)
    if call.flag("exclusive"):
        total = total - value
    return [np.flip(total, axis) if call.flag("reverse") else total]


_NUMBERS = FLOATS | INTEGERS

TABLE: dict[str, Kernel] = {
    "Sum": Kernel(_reduction(_sum), INTEGERS),
    "Prod": Kernel(_reduction(_product), INTEGERS),
    "Max": Kernel(_reduction(np.max), _NUMBERS),
    "Min": Kernel(_reduction(np.min), _NUMBERS),
    "All": Kernel(_reduction(np.all), BOOL | INDICES),
    "Any": Kernel(_reduction(np.any), BOOL | INDICES),
    "ArgMax": Kernel(_arg(np.argmax), _NUMBERS),
    "ArgMin": Kernel(_arg(np.argmin), _NUMBERS),
    "MatMul": Kernel(_mat_mul, INDICES),
    "BiasAdd": Kernel(_bias_add, FLOATS | INDICES, True),
    "Cumsum": Kernel(_cumulative_sum, INDICES),
}
