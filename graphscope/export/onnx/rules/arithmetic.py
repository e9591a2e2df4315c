"""Elementwise ops: arithmetic, comparison, logic, activations, casts."""

from __future__ import annotations

import functools

import numpy as np

from graphscope.core.values.dtypes import DataType
from graphscope.export.onnx.builder import vector
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.registry import direct, rule
from graphscope.export.onnx.value import Value
from graphscope.export.refusal import NotExpressibleError

direct(
    {
        **dict.fromkeys(("Add", "AddV2"), "Add"),
        **dict.fromkeys(("RealDiv", "Div"), "Div"),
        **dict.fromkeys(("Reciprocal", "Inv"), "Reciprocal"),
        **dict.fromkeys(("Select", "SelectV2"), "Where"),
        "Sub": "Sub",
        "Mul": "Mul",
        "Maximum": "Max",
        "Minimum": "Min",
        "Neg": "Neg",
        "Abs": "Abs",
        "Sign": "Sign",
        "Floor": "Floor",
        "Ceil": "Ceil",
        "Rint": "Round",
        "Sqrt": "Sqrt",
        "Exp": "Exp",
        "Log": "Log",
        "Sin": "Sin",
        "Cos": "Cos",
        "Asin": "Asin",
        "Acos": "Acos",
        "Atan": "Atan",
        "Sinh": "Sinh",
        "Cosh": "Cosh",
        "Asinh": "Asinh",
        "Acosh": "Acosh",
        "Atanh": "Atanh",
        "Tanh": "Tanh",
        "Sigmoid": "Sigmoid",
        "Erf": "Erf",
        "Greater": "Greater",
        "GreaterEqual": "GreaterOrEqual",
        "Less": "Less",
        "LessEqual": "LessOrEqual",
        "Equal": "Equal",
        "LogicalAnd": "And",
        "LogicalOr": "Or",
        "LogicalNot": "Not",
        "IsNan": "IsNaN",
        "IsInf": "IsInf",
        "BitwiseAnd": "BitwiseAnd",
        "BitwiseOr": "BitwiseOr",
        "BitwiseXor": "BitwiseXor",
        "Invert": "BitwiseNot",
    }
)

_UNSIGNED = {
    DataType.INT8: DataType.UINT8,
    DataType.INT16: DataType.UINT16,
    DataType.INT32: DataType.UINT32,
    DataType.INT64: DataType.UINT64,
}


def _one(call: Call) -> Value:
    return call.scalar(1, call[0])


@rule("Cross")
def _cross_product(call: Call) -> Value:
    a, b = call.inputs
    ahead, behind = vector([1, 2, 0]), vector([2, 0, 1])
    first, second = (
        call.op("Mul", call.op("Gather", a, one, axis=-1), call.op("Gather", b, other, axis=-1))
        for one, other in ((ahead, behind), (behind, ahead))
    )
    return call.op("Sub", first, second)


@rule("Select")
def _select(call: Call) -> Value:
    """A vector of conditions chooses rows."""
    condition, yes, no = call.inputs
    if condition.rank == 0:
        return call.where(condition, yes, no)
    if condition.rank is None or yes.rank is None:
        raise NotExpressibleError("the rank of its input is unknown")
    if condition.rank == 1 < yes.rank:
        condition = call.unsqueeze(condition, *range(1, yes.rank))
    return call.where(condition, yes, no)


@rule("Round")
def _round(call: Call) -> Value:
    if not call[0].dtype.is_floating:
        raise NotExpressibleError("TensorFlow 2.21 rounds integers to 0")
    return call.op("Round", call[0])


@rule("Pow")
def _power(call: Call) -> Value:
    """Powers of integers are products of squares, which wrap around as TensorFlow's: runtimes compute in floating point."""
    base, exponent = call.inputs
    if base.dtype.is_floating:
        return call.op("Pow", base, exponent)
    known = exponent.numpy()
    if known is not None and (known < 0).any():
        raise NotExpressibleError("it raises integers to negative powers")
    bits = (base.dtype.itemsize or 8) * 8 if known is None else int(known.max(initial=1)).bit_length()
    one, two = call.scalar(1, base), call.scalar(2, base)
    result, square = one, base
    for place in range(bits):
        square = call.op("Mul", square, square) if place else base
        is_set = call.op("Equal", call.op("Mod", exponent, two), one)
        result = call.op("Mul", result, call.where(is_set, square, one))
        exponent = call.op("Div", exponent, two)
    return result


@rule("TruncateDiv")
def _truncate_div(call: Call) -> Value:
    quotient = call.op("Div", *call.inputs)
    if not quotient.dtype.is_floating:
        return quotient
    is_negative = call.op("Less", quotient, call.scalar(0, quotient))
    return call.where(is_negative, call.op("Ceil", quotient), call.op("Floor", quotient))


@rule("Tan")
def _tangent(call: Call) -> Value:
    if call[0].dtype is DataType.DOUBLE:
        return call.op("Div", call.op("Sin", call[0]), call.op("Cos", call[0]))
    return call.op("Tan", call[0])


@rule("Rsqrt")
def _reciprocal_root(call: Call) -> Value:
    return call.op("Reciprocal", call.op("Sqrt", call[0]))


@rule("Square")
def _square(call: Call) -> Value:
    return call.op("Mul", call[0], call[0])


@rule("SquaredDifference")
def _squared_difference(call: Call) -> Value:
    apart = call.op("Sub", call[0], call[1])
    return call.op("Mul", apart, apart)


@rule("Log1p")
def _log1p(call: Call) -> Value:
    """Where ``x`` is small, ``1 + x`` has lost digits, and ``log(u) * x / (u - 1)`` makes up for them (Kahan)."""
    return log_of_one_plus(call, call[0])


def log_of_one_plus(call: Call, x: Value) -> Value:
    """``log(1 + x)``, exact for small ``x`` too."""
    one = call.scalar(1, x)
    sum_ = call.op("Add", x, one)
    log = call.op("Log", sum_)
    corrected = call.op("Div", call.op("Mul", log, x), call.op("Sub", sum_, one))
    small = call.where(call.op("Equal", sum_, one), x, corrected)
    return call.where(call.op("Less", call.op("Abs", x), one), small, log)


@rule("Expm1")
def _expm1(call: Call) -> Value:
    return _exp_minus_one(call, call[0])


def _exp_minus_one(call: Call, x: Value) -> Value:
    """Like :func:`log_of_one_plus`: ``(u - 1) * x / log(u)`` where ``x`` is small."""
    one = call.scalar(1, x)
    power = call.op("Exp", x)
    less = call.op("Sub", power, one)
    corrected = call.op("Div", call.op("Mul", less, x), call.op("Log", power))
    small = call.where(call.op("Equal", power, one), x, corrected)
    return call.where(call.op("Less", call.op("Abs", x), one), small, less)


@rule("Atan2")
def _atan2(call: Call) -> Value:
    """By quadrants: ``atan(y / x)``, half a turn more or less where ``x`` is negative, a quarter where it is 0.

    Of two infinite numbers, the signs decide.
    """
    y, x = call.inputs
    zero = call.scalar(0, x)
    are_infinite = call.op("And", call.op("IsInf", y), call.op("IsInf", x))
    y, x = (call.where(are_infinite, call.op("Sign", value), value) for value in (y, x))
    half = call.where(_is_negative(call, y), call.scalar(-np.pi, x), call.scalar(np.pi, x))
    ratio = call.op("Atan", call.op("Div", y, x))
    found = call.where(call.op("Less", x, zero), call.op("Add", ratio, half), ratio)
    quarter = call.op("Mul", call.op("Sign", y), call.scalar(np.pi / 2, x))
    found = call.where(call.op("Equal", x, zero), quarter, found)
    on_axis = call.where(_is_negative(call, x), half, y)
    is_on_axis = call.op("And", call.op("Equal", y, zero), call.op("Equal", x, x))  # not if x is no number
    return call.where(is_on_axis, on_axis, found)


def _is_negative(call: Call, value: Value) -> Value:
    """Handles negative zero too: its reciprocal is infinite."""
    zero = call.scalar(0, value)
    return call.op("Or", call.op("Less", value, zero), call.op("Less", call.op("Reciprocal", value), zero))


@rule("FloorDiv")
def _floor_div(call: Call) -> Value:
    x, y = call.inputs
    if x.dtype.is_floating:
        return call.op("Floor", call.op("Div", x, y))
    quotient = call.op("Div", x, y)
    if x.dtype in _UNSIGNED.values():
        return quotient
    rest, zero = call.op("Sub", x, call.op("Mul", quotient, y)), call.scalar(0, x)
    less = call.op("Sub", quotient, call.scalar(1, x))
    return call.where(_is_apart(call, rest, y, zero), less, quotient)


def _is_apart(call: Call, rest: Value, divisor: Value, zero: Value) -> Value:
    """Whether a truncating division left a nonzero remainder whose sign differs from the divisor's."""
    is_apart = call.op("Xor", call.op("Less", rest, zero), call.op("Less", divisor, zero))
    return call.op("And", call.op("Not", call.op("Equal", rest, zero)), is_apart)


@rule("FloorMod")
def _floor_mod(call: Call) -> Value:
    x, y = call.inputs
    if not x.dtype.is_floating:
        return call.op("Mod", x, y, fmod=0)
    rest, zero = call.op("Mod", x, y, fmod=1), call.scalar(0, x)
    return call.where(_is_apart(call, rest, y, zero), call.op("Add", rest, y), rest)


@rule("Mod", "TruncateMod")
def _truncate_mod(call: Call) -> Value:
    return call.op("Mod", *call.inputs, fmod=1)


def _unless_zero(call: Call, zero: Value, result: Value) -> Value:
    """``result``, and 0 if ``zero`` is 0."""
    none = call.scalar(0, zero)
    return call.where(call.op("Equal", zero, none), call.scalar(0, result), result)


@rule("DivNoNan")
def _div_no_nan(call: Call) -> Value:
    return _unless_zero(call, call[1], call.op("Div", *call.inputs))


@rule("MulNoNan")
def _mul_no_nan(call: Call) -> Value:
    return _unless_zero(call, call[1], call.op("Mul", *call.inputs))


@rule("Xlogy")
def _x_log_y(call: Call) -> Value:
    return _unless_zero(call, call[0], call.op("Mul", call[0], call.op("Log", call[1])))


@rule("Xdivy")
def _x_div_y(call: Call) -> Value:
    return _unless_zero(call, call[0], call.op("Div", *call.inputs))


@rule("AddN", "AccumulateNV2")
def _add_all(call: Call) -> Value:
    if call[0].dtype.is_floating and len(call.inputs) > 1:
        return call.op("Sum", *call.inputs)
    return functools.reduce(lambda a, b: call.op("Add", a, b), call.inputs)


@rule("NotEqual")
def _not_equal(call: Call) -> Value:
    return call.op("Not", call.op("Equal", *call.inputs))


@rule("LogicalXor")
def _exclusive_or(call: Call) -> Value:
    return call.op("Xor", *call.inputs)


@rule("IsFinite")
def _is_finite(call: Call) -> Value:
    return call.op("Not", call.op("Or", call.op("IsNaN", call[0]), call.op("IsInf", call[0])))


@rule("LeftShift", "RightShift")
def _shift(call: Call) -> Value:
    """By 0 to one less than the bits of the type, as TensorFlow does; signed numbers as unsigned ones of the same bits."""
    value, places = call.inputs
    is_left = call.node.op == "LeftShift"
    if value.dtype in _UNSIGNED and not is_left:
        raise NotExpressibleError("ONNX does not shift signed integers to the right")
    unsigned = _UNSIGNED.get(value.dtype, value.dtype)
    most = call.scalar((value.dtype.itemsize or 1) * 8 - 1, places)
    places = call.op("Max", call.op("Min", places, most), call.scalar(0, places))
    direction = "LEFT" if is_left else "RIGHT"
    shifted = call.op("BitShift", call.cast(value, unsigned), call.cast(places, unsigned), direction=direction)
    return call.cast(shifted, value.dtype)


@rule("Relu")
def _relu(call: Call) -> Value:
    if call[0].dtype.is_floating:
        return call.op("Relu", call[0])
    return call.op("Max", call[0], call.scalar(0, call[0]))


@rule("Relu6")
def _relu6(call: Call) -> Value:
    return call.op("Clip", call[0], call.scalar(0, call[0]), call.scalar(6, call[0]))


@rule("LeakyRelu")
def _leaky_relu(call: Call) -> Value:
    x, slope = call[0], call.attr("alpha").f
    if x.dtype is not DataType.DOUBLE:
        return call.op("LeakyRelu", x, alpha=slope)
    return call.where(_is_positive(call, x), x, call.op("Mul", x, call.scalar(slope, x)))


@rule("Softsign")
def _softsign(call: Call) -> Value:
    if call[0].dtype is not DataType.DOUBLE:
        return call.op("Softsign", call[0])
    return call.op("Div", call[0], call.op("Add", call.op("Abs", call[0]), _one(call)))


@rule("Elu", "Selu")
def _elu(call: Call) -> Value:
    if call[0].dtype is not DataType.DOUBLE:
        return call.op(call.node.op, call[0])
    x, less = call[0], _exp_minus_one(call, call[0])
    if call.node.op == "Selu":
        x, less = (call.op("Mul", value, call.scalar(n, x)) for value, n in ((x, _SELU), (less, _SELU * _SELU_SLOPE)))
    return call.where(_is_positive(call, call[0]), x, less)


_SELU, _SELU_SLOPE = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def _is_positive(call: Call, value: Value) -> Value:
    return call.op("Greater", value, call.scalar(0, value))


@rule("Softplus")
def _softplus(call: Call) -> Value:
    """``max(x, 0) + log(1 + exp(-|x|))``: nothing overflows, and no digits are lost."""
    x = call[0]
    rest = log_of_one_plus(call, call.op("Exp", call.op("Neg", call.op("Abs", x))))
    return call.op("Add", call.op("Max", x, call.scalar(0, x)), rest)


@rule("ClipByValue")
def _clip(call: Call) -> Value:
    """The lower bound wins where it is above the upper one."""
    return call.op("Max", call.op("Min", call[0], call[2]), call[1])


@rule("Cast")
def _cast(call: Call) -> Value:
    return call.cast(call[0], call.dtype("DstT"))


@rule("Bitcast")
def _bitcast(call: Call) -> Value:
    if call[0].dtype is call.dtype("type"):
        return call[0]
    raise NotExpressibleError("runtimes cannot reinterpret bits")


@rule("ReluGrad")
def _relu_gradient(call: Call) -> Value:
    gradient, features = call.inputs
    zero = call.scalar(0, features)
    return call.where(call.op("Greater", features, zero), gradient, call.scalar(0, gradient))


@rule("FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars")
def _fake_quantize(call: Call) -> Value:
    """Nudges the range so that 0 is a step of it, then rounds to steps (``fake_quant_ops_functor.h``)."""
    low, high = _quantized_range(call)
    least = 1.0 if call.attr("narrow_range").b else 0.0
    most = float((1 << call.attr("num_bits").i) - 1)
    scale = np.float32(high - low) / np.float32(most - least)
    zero = np.float32(least) - low / scale
    nudged = np.float32(least if zero < least else most if zero > most else np.floor(zero + np.float32(0.5)))
    bottom, top = (np.float32(least) - nudged) * scale, (np.float32(most) - nudged) * scale
    x = call.op("Clip", call[0], np.array(bottom), np.array(top))
    steps = call.op("Mul", call.op("Sub", x, np.array(bottom)), np.array(np.float32(1) / scale))
    whole = call.op("Floor", call.op("Add", steps, np.array(0.5, np.float32)))
    return call.op("Add", call.op("Mul", whole, np.array(scale)), np.array(bottom))


def _quantized_range(call: Call) -> tuple[np.float32, np.float32]:
    if call.node.op == "FakeQuantWithMinMaxArgs":
        low, high = np.float32(call.attr("min").f), np.float32(call.attr("max").f)
    else:
        low, high = (np.float32(call.known(value, "range").item()) for value in call.inputs[1:3])
    if not low <= 0 <= high or low == high:
        raise NotExpressibleError(f"its range {low:g} to {high:g} does not hold 0")
    return low, high
