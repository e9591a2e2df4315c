"""Arithmetic on the elements of small tensors, exactly as TensorFlow's kernels do it, or not at all."""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from graphscope.analysis.shapes.facts import MAX_ELEMENTS, Element, Fact, Value
from graphscope.analysis.shapes.sizes import Dim, Dims, all_known
from graphscope.core.values.dtypes import DataType

_RANGES = {
    DataType.INT8: (-(1 << 7), (1 << 7) - 1),
    DataType.INT16: (-(1 << 15), (1 << 15) - 1),
    DataType.INT32: (-(1 << 31), (1 << 31) - 1),
    DataType.INT64: (-(1 << 63), (1 << 63) - 1),
    DataType.UINT8: (0, (1 << 8) - 1),
    DataType.UINT16: (0, (1 << 16) - 1),
    DataType.UINT32: (0, (1 << 32) - 1),
    DataType.UINT64: (0, (1 << 64) - 1),
}
"""Type -> its least and greatest number."""

FOLLOWED = frozenset((*_RANGES, DataType.FLOAT, DataType.DOUBLE, DataType.BOOL, DataType.STRING))
"""The types whose elements are followed."""


def few(shape: Dims) -> bool:
    """Whether a tensor of ``shape`` has few enough elements to follow them."""
    return all_known(shape) and math.prod(shape) <= MAX_ELEMENTS


def fit_element(number: object, dtype: DataType) -> Element:
    """``number`` as an element of type ``dtype``; ``None`` if that is not what TensorFlow would have computed."""
    if isinstance(number, bool):
        return number if dtype is DataType.BOOL else None
    if isinstance(number, int):
        low, high = _RANGES.get(dtype, (1, 0))
        return number if low <= number <= high else None
    if isinstance(number, float):
        return _round(number, dtype)
    return None


def _round(number: float, dtype: DataType) -> Element:
    if dtype is DataType.DOUBLE:
        return number
    if dtype is not DataType.FLOAT:
        return None
    try:
        return float(struct.unpack("<f", struct.pack("<f", number))[0])
    except OverflowError:
        return None


def cast_element(element: Element, dtype: DataType) -> Element:
    """The result of ``Cast`` for an element."""
    if isinstance(element, Dim):
        return element if dtype in (DataType.INT32, DataType.INT64) else None
    if element is None or isinstance(element, bytes) or (isinstance(element, float) and not math.isfinite(element)):
        return None
    if dtype is DataType.BOOL:
        return bool(element)
    if dtype in (DataType.FLOAT, DataType.DOUBLE):
        return _round(float(element), dtype)
    return fit_element(int(element), dtype)


def _floor_div(a: Any, b: Any) -> Any:
    return a // b if b else None


def _truncate_div(a: Any, b: Any) -> Any:
    if isinstance(a, float) or not b:
        return a / b if b else None
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _floor_mod(a: Any, b: Any) -> Any:
    return a % b if isinstance(a, int) and b else None


def _truncate_mod(a: Any, b: Any) -> Any:
    return math.fmod(a, b) if isinstance(a, float) and b else abs(a) % abs(b) * (-1 if a < 0 else 1) if b else None


def _power(a: Any, b: Any) -> Any:
    return a**b if isinstance(a, int) and 0 <= b < _MAX_POWER else None


_MAX_POWER = 64

_BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("Add", "AddV2"), operator.add),
    "Sub": operator.sub,
    "Mul": operator.mul,
    **dict.fromkeys(("RealDiv", "Div", "TruncateDiv"), _truncate_div),
    "FloorDiv": _floor_div,
    "FloorMod": _floor_mod,
    **dict.fromkeys(("Mod", "TruncateMod"), _truncate_mod),
    "Maximum": max,
    "Minimum": min,
    "Pow": _power,
    "Equal": operator.eq,
    "NotEqual": operator.ne,
    "Less": operator.lt,
    "LessEqual": operator.le,
    "Greater": operator.gt,
    "GreaterEqual": operator.ge,
    "LogicalAnd": lambda a, b: a and b,
    "LogicalOr": lambda a, b: a or b,
}

_WITH_SIZES: Mapping[str, Callable[[Element, Element], Element]] = {
    **dict.fromkeys(("Add", "AddV2"), lambda a, b: a if _is(b, 0) else b if _is(a, 0) else None),
    "Sub": lambda a, b: 0 if a is b else a if _is(b, 0) else None,
    "Mul": lambda a, b: a if _is(b, 1) else b if _is(a, 1) else 0 if _is(a, 0) or _is(b, 0) else None,
    **dict.fromkeys(("Div", "TruncateDiv", "FloorDiv"), lambda a, b: a if _is(b, 1) else None),
    "Maximum": lambda a, b: a if a is b or _is_below(b) else b if _is_below(a) else None,
    "Minimum": lambda a, b: a if a is b else None,
    "Equal": lambda a, b: True if a is b else None,
    "NotEqual": lambda a, b: False if a is b else None,
    "LessEqual": lambda a, b: True if a is b else None,
    "GreaterEqual": lambda a, b: True if a is b or _is_below(b) else None,
}
"""Op -> what is known of the result where an operand is the unknown size of a dimension, which is not negative."""


def _is(element: Element, number: int) -> bool:
    return isinstance(element, int) and element == number


def _is_below(element: Element) -> bool:
    return isinstance(element, int) and element <= 0


_COMPARISONS = frozenset("Equal NotEqual Less LessEqual Greater GreaterEqual LogicalAnd LogicalOr".split())


def binary(op: str, one: Fact, other: Fact, shape: Dims, dtype: DataType) -> Value | None:
    """The elements of the result of an elementwise op of two operands, whose type is ``dtype``."""
    function = _BINARY.get(op)
    if function is None or not (one.has_value and other.has_value) or not few(shape):
        return None
    a, b = one.value, other.value
    if a is None or b is None:
        return None
    result = DataType.BOOL if op in _COMPARISONS else dtype
    pairs = _pair(one.shape, a, other.shape, b)
    return _useful(tuple(_combine(op, function, x, y, result) for x, y in pairs)) if pairs is not None else None


def _useful(value: Value) -> Value | None:
    """``value``, if anything is known of it."""
    return value if not value or any(element is not None for element in value) else None


def _pair(one: Dims, a: Value, other: Dims, b: Value) -> list[tuple[Element, Element]] | None:
    """Elements that meet, where the shapes are equal or one operand has a single element."""
    if one == other:
        return list(zip(a, b))
    if len(b) == 1:
        return [(x, b[0]) for x in a]
    return [(a[0], y) for y in b] if len(a) == 1 else None


def _combine(op: str, function: Callable[[Any, Any], Any], a: Element, b: Element, dtype: DataType) -> Element:
    if a is None or b is None or isinstance(a, bytes) or isinstance(b, bytes):
        return None
    if isinstance(a, Dim) or isinstance(b, Dim):
        known = _WITH_SIZES.get(op)
        return known(a, b) if known is not None else None
    return fit_element(function(a, b), dtype)


_UNARY: Mapping[str, Callable[[Any], Any]] = {
    "Neg": operator.neg,
    "Abs": abs,
    "Square": lambda a: a * a,
    "Sign": lambda a: type(a)((a > 0) - (a < 0)),
    "Floor": lambda a: float(math.floor(a)) if math.isfinite(a) else None,
    "Ceil": lambda a: float(math.ceil(a)) if math.isfinite(a) else None,
    "Round": lambda a: float(round(a)) if math.isfinite(a) else None,
    "Rint": lambda a: float(round(a)) if math.isfinite(a) else None,
    "LogicalNot": operator.not_,
}


def unary(op: str, operand: Fact, dtype: DataType) -> Value | None:
    """The elements of the result of an elementwise op of one operand of type ``dtype``."""
    function = _UNARY.get(op)
    if function is None or not operand.has_value or operand.value is None:
        return None
    elements = (fit_element(function(e), dtype) if isinstance(e, (int, float)) else None for e in operand.value)
    return _useful(tuple(elements))


def sum_of(elements: Sequence[Element], dtype: DataType) -> Element:
    """The sum of integers."""
    numbers = [e for e in elements if isinstance(e, int)]
    if len(numbers) == len(elements):
        return fit_element(sum(numbers), dtype)
    others = [e for e in elements if not isinstance(e, int)]
    return others[0] if len(others) == 1 and isinstance(others[0], Dim) and not sum(numbers) else None


def product_of(elements: Sequence[Element], dtype: DataType) -> Element:
    """The product of integers."""
    numbers = [e for e in elements if isinstance(e, int)]
    product = math.prod(numbers)
    if len(numbers) == len(elements):
        return fit_element(product, dtype)
    others = [e for e in elements if not isinstance(e, int)]
    return others[0] if len(others) == 1 and isinstance(others[0], Dim) and product == 1 else None


def offsets(shape: Sequence[int], axes: Sequence[int]) -> Iterator[list[int]]:
    """Row-major places of the elements that a reduction over ``axes`` takes together, one list for each result."""
    strides = [math.prod(shape[k + 1 :]) for k in range(len(shape))]
    kept = [k for k in range(len(shape)) if k not in axes]
    inner = _places([shape[k] for k in axes], [strides[k] for k in axes])
    for base in _places([shape[k] for k in kept], [strides[k] for k in kept]):
        yield [base + place for place in inner]


def _places(sizes: Sequence[int], strides: Sequence[int]) -> list[int]:
    result = [0]
    for size, stride in zip(sizes, strides):
        result = [place + k * stride for place in result for k in range(size)]
    return result
