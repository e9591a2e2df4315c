"""Element by element: arithmetic, comparisons, logic, casts.

Integers wrap as in TensorFlow. Sums, differences, products, quotients and square roots of floats are rounded once, so that the
result is equal to TensorFlow's to the bit. ``Exp``, ``Rsqrt`` and their like are not here: Eigen approximates them by what the
vector unit of the machine offers, which gives other last bits than NumPy (of ``Rsqrt`` in a quarter of all float32 values) and
than another machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphscope.core.values.dtypes import DataType
from graphscope.transforms.kernels.kernel import (
    BOOL,
    COMPLEX,
    FLOATS,
    HALVES,
    INDICES,
    INTEGERS,
    PLAIN,
    REALS,
    SIGNED,
    Array,
    Call,
    DeclinedError,
    Kernel,
)

_Unary = Callable[[Array], Any]
_Binary = Callable[[Array, Array], Any]


def _unary(function: _Unary) -> Callable[[Call], Sequence[Array]]:
    return lambda call: [np.asarray(function(*call.arrays))]


def _binary(function: _Binary) -> Callable[[Call], Sequence[Array]]:
    def run(call: Call) -> Sequence[Array]:
        call.check_room(np.broadcast_shapes(*(p.shape for p in call.payloads)))
        return [np.asarray(function(*call.arrays))]

    return run


def _divisor(y: Array) -> Array:
    if y.dtype.kind in "iu" and not y.all():
        raise DeclinedError("integer division by zero")
    return y


def _floor_divide(x: Array, y: Array) -> Array:
    # TensorFlow floors the rounded quotient of floats; NumPy's floor_divide does not round it first.
    return np.floor(x / y) if x.dtype.kind == "f" else np.floor_divide(x, _divisor(y))


def _floor_mod(x: Array, y: Array) -> Array:
    remainder = np.asarray(np.fmod(x, _divisor(y)))
    return np.where((remainder != 0) & ((remainder < 0) != (y < 0)), remainder + y, remainder).astype(x.dtype)


def _truncate_divide(x: Array, y: Array) -> Array:
    if x.dtype.kind == "f":
        return np.trunc(x / y)
    quotient = np.asarray(np.floor_divide(x, _divisor(y)))
    inexact = np.fmod(x, y) != 0
    return np.where(inexact & ((x < 0) != (y < 0)), quotient + 1, quotient).astype(x.dtype)


def _divide(x: Array, y: Array) -> Array:
    return np.asarray(x / y) if x.dtype.kind in "fcV" else _truncate_divide(x, y)


def _divide_no_nan(x: Array, y: Array) -> Array:
    return np.where(y == 0, x.dtype.type(0), x / y)


def _multiply_no_nan(x: Array, y: Array) -> Array:
    return np.where(y == 0, x.dtype.type(0), x * y)


def _power(x: Array, y: Array) -> Array:
    if (y < 0).any():
        raise DeclinedError("an integer to a negative power")
    return np.asarray(np.power(x, y))


def _shift(function: _Binary) -> _Binary:
    """A shift by more than the type's bits, undefined in C, is one by all bits but one, as in TensorFlow."""
    return lambda x, y: function(x, np.clip(y, 0, 8 * x.dtype.itemsize - 1).astype(y.dtype))


def _cast(call: Call) -> Sequence[Array]:
    """As C converts, where C says how: a float that is out of an integer's range is left to the machine that runs it."""
    source, target = call.arrays[0], call.dtype
    call.check_room(source.shape)
    if call.outputs[0].dtype not in PLAIN or call.flag("Truncate"):
        raise DeclinedError("a quantized type, or rounding toward zero")
    if source.dtype.kind == "c" and target.kind != "c":
        source = source.real
    if target.kind == "b":
        return [source != 0]
    if source.dtype.kind not in "iubc" and target.kind in "iu" and source.size:
        _check_range(float(source.min()), float(source.max()), target)
    return [source.astype(target)]


def _check_range(low: float, high: float, target: np.dtype[Any]) -> None:
    limits = np.iinfo(target)
    if not (np.trunc(low) >= float(limits.min) and np.trunc(high) < float(limits.max) + 1):  # NaN fails both
        raise DeclinedError("a number that the integer type does not have")


def _select(call: Call) -> Sequence[Array]:
    condition, x, y = call.arrays
    if x.shape != y.shape:
        raise DeclinedError("two shapes")
    if condition.ndim == 1 < x.ndim and len(condition) == len(x):
        condition = condition.reshape((-1,) + (1,) * (x.ndim - 1))
    elif condition.ndim and condition.shape != x.shape:
        raise DeclinedError("a condition of another shape")
    return [np.where(condition, x, y)]


def _select_v2(call: Call) -> Sequence[Array]:
    call.check_room(np.broadcast_shapes(*(p.shape for p in call.payloads)))
    return [np.where(*call.arrays)]


def _add_n(call: Call) -> Sequence[Array]:
    total, *others = call.arrays
    if total.dtype.kind not in "iu" and len(others) >= _ADD_N_IN_ORDER:
        raise DeclinedError("TensorFlow adds so many in another order")
    if any(other.shape != total.shape for other in others):
        raise DeclinedError("different shapes")
    for other in others:
        total = total + other
    return [np.asarray(total)]


_ADD_N_IN_ORDER = 8

_NUMBERS = REALS | COMPLEX
_SMALL = frozenset({DataType.UINT8})
_ARITHMETIC: dict[str, tuple[_Binary, frozenset[DataType]]] = {
    "Add": (np.add, FLOATS | HALVES | _SMALL | SIGNED | COMPLEX),
    "AddV2": (np.add, _NUMBERS),
    "Sub": (np.subtract, _NUMBERS),
    "Mul": (np.multiply, REALS),
    "Div": (_divide, FLOATS | HALVES | _SMALL | SIGNED | {DataType.UINT16}),
    "RealDiv": (_divide, FLOATS | HALVES),
    "DivNoNan": (_divide_no_nan, FLOATS),
    "MulNoNan": (_multiply_no_nan, FLOATS),
    "FloorDiv": (_floor_divide, FLOATS | INTEGERS),
    "TruncateDiv": (_truncate_divide, INTEGERS),
    "FloorMod": (_floor_mod, FLOATS | INTEGERS),
    **dict.fromkeys(("Mod", "TruncateMod"), (lambda x, y: np.fmod(x, _divisor(y)), FLOATS | INDICES)),
    "Maximum": (np.maximum, FLOATS | INTEGERS),
    "Minimum": (np.minimum, FLOATS | INTEGERS),
    "SquaredDifference": (lambda x, y: np.square(x - y), FLOATS | INDICES),
    "Pow": (_power, INDICES),
    "LeftShift": (_shift(np.left_shift), INTEGERS),
    "RightShift": (_shift(np.right_shift), INTEGERS),
    "BitwiseAnd": (np.bitwise_and, INTEGERS),
    "BitwiseOr": (np.bitwise_or, INTEGERS),
    "BitwiseXor": (np.bitwise_xor, INTEGERS),
    "Less": (np.less, REALS),
    "LessEqual": (np.less_equal, REALS),
    "Greater": (np.greater, REALS),
    "GreaterEqual": (np.greater_equal, REALS),
    "Equal": (np.equal, PLAIN | {DataType.STRING}),
    "NotEqual": (np.not_equal, PLAIN | {DataType.STRING}),
    "LogicalAnd": (np.logical_and, BOOL),
    "LogicalOr": (np.logical_or, BOOL),
}
_FUNCTIONS: dict[str, tuple[_Unary, frozenset[DataType]]] = {
    "Square": (np.square, FLOATS | INDICES),
    "Sqrt": (np.sqrt, FLOATS),
    "Sign": (np.sign, FLOATS | INDICES),
    "Relu": (lambda x: np.maximum(x, x.dtype.type(0)), FLOATS | INTEGERS),
    "Relu6": (lambda x: np.minimum(np.maximum(x, x.dtype.type(0)), x.dtype.type(6)), FLOATS | INTEGERS),
    "Floor": (np.floor, FLOATS),
    "Ceil": (np.ceil, FLOATS),
    "Rint": (np.rint, FLOATS),
    "Round": (np.rint, FLOATS),
    "IsNan": (np.isnan, FLOATS),
    "IsInf": (np.isinf, FLOATS),
    "IsFinite": (np.isfinite, FLOATS),
}

TABLE: dict[str, Kernel] = {
    **{op: Kernel(_binary(function), types, True) for op, (function, types) in _ARITHMETIC.items()},
    **{op: Kernel(_unary(function), types, True) for op, (function, types) in _FUNCTIONS.items()},
    "Neg": Kernel(_unary(np.negative), FLOATS | HALVES | SIGNED | COMPLEX),
    "Abs": Kernel(_unary(np.abs), FLOATS | HALVES | SIGNED),
    "LogicalNot": Kernel(_unary(np.logical_not), BOOL),
    "Invert": Kernel(_unary(np.invert), INTEGERS),
    "Cast": Kernel(_cast, PLAIN),
    "Select": Kernel(_select, PLAIN),
    "SelectV2": Kernel(_select_v2, PLAIN),
    "AddN": Kernel(_add_n, FLOATS | HALVES | SIGNED, True),
}
