"""The element types that ONNX Runtime computes each op in: fewer than ONNX's definitions allow.

The tests compare the table with the kernels that the installed ONNX Runtime registers for the processor. Half precision is not
in it: ONNX Runtime itself computes it in float32 where it has no kernel. bfloat16 has kernels in few versions of few ops, so it
is computed in float32 everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphscope.core.values.dtypes import DataType
from graphscope.export.onnx.element_types import type_string

_SHORT = {
    "f": DataType.FLOAT,
    "d": DataType.DOUBLE,
    "b": DataType.INT8,
    "h": DataType.INT16,
    "i": DataType.INT32,
    "q": DataType.INT64,
    "B": DataType.UINT8,
    "H": DataType.UINT16,
    "I": DataType.UINT32,
    "Q": DataType.UINT64,
    "?": DataType.BOOL,
}
"""One letter for each type, as in NumPy's and Python's ``struct``."""

_TABLE: dict[str, str] = {
    "f": "Acos.T Acosh.T Asin.T Asinh.T Atan.T Atanh.T AveragePool.T Conv.T ConvTranspose.T Cosh.T Elu.T Erf.T LRN.T"
    " GlobalAveragePool.T LeakyRelu.T Selu.T Sinh.T Softplus.T Softsign.T Tan.T",
    "fd": "IsInf.T1 IsNaN.T1 BatchNormalization.T BatchNormalization.T1 BatchNormalization.T2 Ceil.T Cos.T"
    " Exp.T Floor.T Gemm.T Log.T LogSoftmax.T"
    " RandomNormalLike.T2 RandomUniformLike.T2 Reciprocal.T Sigmoid.T Sin.T Softmax.T Sqrt.T Sum.T Tanh.T Round.T",
    "fdhiqbHIQB": "Abs.T Add.T Div.T Greater.T GreaterOrEqual.T Less.T LessOrEqual.T Mul.T Sub.T Mod.T Sign.T",
    "fdiq": "CumSum.T Pow.T Pow.T1 ReduceL2.T ReduceMean.T ReduceProd.T ReduceSum.T ReduceSumSquare.T Einsum.T",
    "HIQB": "BitShift.T",
    "hiqbHIQB": "BitwiseAnd.T BitwiseNot.T BitwiseOr.T BitwiseXor.T",
    "fdiqbIQB": "Clip.T Max.T Min.T",
    "fdbB": "DepthToSpace.T MaxPool.T SpaceToDepth.T",
    "?fdhiqbHIQB": "Equal.T Expand.T Tile.T",
    "fdiqbB": "ArgMax.T ArgMin.T",
    "?fdiqbB": "ReduceMax.T ReduceMin.T",
    "fdiqIQ": "MatMul.T",
    "fdhiqb": "Neg.T",
    "?fiqB": "NonZero.T",
    "?fdiqbIQB": "Pad.T",
    "fdhiq": "Range.T",
    "fdib": "Relu.T",
    "fibB": "Resize.T1",
    "fdhiqbB": "TopK.T",
    "fdqb": "Unique.T",
    "?fdiq": "Trilu.T",
    "fdiqbIB": "Where.T",
}

Kernels = Mapping[str, frozenset[DataType]]

KERNELS: Kernels = {
    parameter: frozenset(_SHORT[letter] for letter in letters)
    for letters, parameters in _TABLE.items()
    for parameter in parameters.split()
}
"""``Op.TypeParameter`` -> types. What is not listed computes whatever ONNX's definition allows."""

_BYTES = frozenset({DataType.INT8, DataType.UINT8})
_WRAPPING = ("Abs", "Add", "Div", "Mul", "Neg", "Sub")

OPENVINO_KERNELS: Kernels = {
    **KERNELS,
    **{f"{op}.T": KERNELS[f"{op}.T"] - _BYTES for op in _WRAPPING},
}
"""The same for OpenVINO, whose results of 8 bits stop at the largest number where TensorFlow's wrap around (2026.4)."""

_INTEGERS = (DataType.INT32, DataType.INT64)

_WIDER: dict[DataType, tuple[DataType, ...]] = {
    DataType.HALF: (DataType.FLOAT,),
    DataType.BFLOAT16: (DataType.FLOAT,),
    DataType.INT8: _INTEGERS,
    DataType.INT16: _INTEGERS,
    DataType.UINT8: _INTEGERS,
    DataType.UINT16: _INTEGERS,
    DataType.INT32: (DataType.INT64,),
    DataType.UINT32: (DataType.INT64,),
    DataType.BOOL: (DataType.UINT8, DataType.INT32),
}
"""Type -> types that hold all its values, so that casting there and back changes no result."""


def computing_type(
    op: str, parameter: str, dtype: DataType, allowed: frozenset[str], kernels: Kernels = KERNELS
) -> DataType | None:
    """The type to compute ``op`` in when it is given ``dtype``: that type, a wider one, or ``None``.

    Args:
        parameter: the name of the type in the op's definition.
        allowed: the types that the definition allows, as it spells them.
        kernels: the table of the runtime.
    """
    wider = _WIDER.get(dtype, ())
    return next((t for t in (dtype, *wider) if _is_computed(t, f"{op}.{parameter}", allowed, kernels)), None)


def _is_computed(dtype: DataType, parameter: str, allowed: frozenset[str], table: Kernels) -> bool:
    if type_string(dtype) not in allowed:
        return False
    if dtype is DataType.BFLOAT16:
        return parameter == "Cast.T1"
    kernels = table.get(parameter)
    return kernels is None or dtype in kernels or (dtype is DataType.HALF and DataType.FLOAT in kernels)
