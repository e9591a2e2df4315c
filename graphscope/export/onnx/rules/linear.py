"""Matrix products and biases."""

from __future__ import annotations

import numpy as np

from graphscope.core.values.dtypes import DataType
from graphscope.export.onnx.builder import vector
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.registry import rule
from graphscope.export.onnx.rules.sizes import join, size_of
from graphscope.export.onnx.value import Value
from graphscope.export.refusal import NotExpressibleError

_GEMM_TYPES = (DataType.FLOAT, DataType.DOUBLE, DataType.HALF)


@rule("MatMul")
def _matmul(call: Call) -> Value:
    """A transposed matrix keeps its storage order: ``Gemm`` transposes it."""
    a, b = call.inputs
    turns = [int(call.attr(name).b) for name in ("transpose_a", "transpose_b")]
    if not any(turns):
        result = call.op("MatMul", a, b)
    elif a.dtype in _GEMM_TYPES:
        result = call.op("Gemm", a, b, transA=turns[0], transB=turns[1])
    else:
        a, b = (call.transpose(value, [1, 0]) if turn else value for value, turn in zip((a, b), turns))
        result = call.op("MatMul", a, b)
    return call.builder.reshaped(result, (None, None))


@rule("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def _batch_matmul(call: Call) -> Value:
    """Computed in the type of the result: products of small integers need a wider one."""
    a, b = (call.cast(value, call.types[0]) for value in call.inputs)
    a, b = (_turn(call, value, call.attr(name).b) for value, name in zip((a, b), ("adj_x", "adj_y")))
    return call.op("MatMul", a, b)


def _turn(call: Call, value: Value, turn: bool) -> Value:
    if not turn:
        return value
    rank = call.rank(value)
    return call.transpose(value, [*range(rank - 2), rank - 1, rank - 2])


@rule("Einsum")
def _einsum(call: Call) -> Value:
    equation = call.text("equation")
    if not call[0].dtype.is_floating and _sums_one_operand(equation):
        raise NotExpressibleError(
            "it sums one operand alone, which runtimes do to integers as to floating-point numbers"
        )
    return call.op("Einsum", *call.inputs, equation=equation)


def _sums_one_operand(equation: str) -> bool:
    """Whether an axis of one operand is neither in the others nor in the result."""
    given, _, result = equation.partition("->")
    terms = [set(term) for term in given.split(",")]
    return any(sum(letter in term for term in terms) == 1 for letter in set().union(*terms) - set(result))


@rule("BiasAdd", "BiasAddV1")
def _bias_add(call: Call) -> Value:
    """The bias is added along the last axis, or the second with channels first."""
    if call.node.op == "BiasAdd" and call.text("data_format") == "NCHW":
        rank = call.rank(call[0])
        bias = call.op("Reshape", call[1], vector([-1, *([1] * (rank - 2))]))
        return call.op("Add", call[0], bias)
    return call.op("Add", call[0], call[1])


@rule("MatrixDiag")
def _diagonal(call: Call) -> Value:
    """The diagonal elements; 0 elsewhere."""
    value = call[0]
    count = call.squeeze(join(call, [size_of(call, value, call.rank(value) - 1)]), 0)
    places = call.op("Range", np.int64(0), count, np.int64(1))
    is_diagonal = call.op("Equal", call.unsqueeze(places, 1), call.unsqueeze(places, 0))
    return call.where(is_diagonal, call.unsqueeze(value, -1), call.scalar(0, value))


@rule("MatrixBandPart")
def _band(call: Call) -> Value:
    """One triangle, or the band between two."""
    lower, upper = (call.numbers(value, "band")[0] for value in call.inputs[1:])
    value = call[0]
    if call.rank(value) < 2:
        raise NotExpressibleError("it is not a matrix")
    if upper >= 0:
        value = call.op("Trilu", value, _offset(call, upper), upper=0)
    return value if lower < 0 else call.op("Trilu", value, _offset(call, -lower), upper=1)


def _offset(call: Call, number: int) -> Value:
    return call.builder.constant(np.array(number, np.int64))
