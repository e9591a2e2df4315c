"""Elementwise ops.

Source: ``flops_registry.py`` of TensorFlow 2.21 for the ops that it has; by its measure one function of one number, however
hard to compute, counts 1, and ``Rsqrt`` counts as a square root and a reciprocal.
"""

from __future__ import annotations

from graphscope.analysis.cost.operands import Operands
from graphscope.analysis.cost.table import formula, row

_OF_TWO = (
    "Add AddV2 Sub Mul RealDiv Maximum Minimum Pow Greater GreaterEqual Less LessEqual Equal NotEqual"
    " Div DivNoNan MulNoNan FloorDiv FloorMod Mod TruncateDiv TruncateMod Xdivy Xlogy Atan2 ApproximateEqual NextAfter"
    " LogicalAnd LogicalOr BitwiseAnd BitwiseOr BitwiseXor LeftShift RightShift Select SelectV2"
)
_OF_ONE = (
    "Log Neg Reciprocal Square Inv Abs Sign Sqrt Exp Log1p Expm1 Sin Cos Tan Asin Acos Atan Sinh Cosh Tanh Asinh Acosh"
    " Atanh Erf Erfc Erfinv Ndtri Lgamma Digamma Sigmoid Softplus Softsign Elu Relu Selu Floor Ceil Round Rint IsNan IsInf"
    " IsFinite LogicalNot Invert ComplexAbs Conj"
)

row(_OF_TWO, lambda o: o.given(), in_place=True)
row(_OF_ONE, lambda o: o.taken(), in_place=True)
row("Rsqrt Relu6 LeakyRelu ClipByValue", lambda o: 2 * o.taken(), in_place=True)
row("SquaredDifference", lambda o: 2 * o.given(), in_place=True)
row("ReluGrad", lambda o: o.taken(), in_place=True)
row("Relu6Grad LeakyReluGrad EluGrad SqrtGrad", lambda o: 2 * o.taken(), in_place=True)
row("SigmoidGrad TanhGrad SoftplusGrad SoftsignGrad ReciprocalGrad InvGrad", lambda o: 3 * o.taken(), in_place=True)
row("RsqrtGrad", lambda o: 4 * o.given(), in_place=True)
row("Dequantize FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars", lambda o: 2 * o.taken())


@formula("AddN AccumulateNV2", in_place=True)
def add_n(o: Operands) -> int:
    """One addition fewer than there are terms."""
    return o.taken() * (o.inputs - 1) if o.inputs else 0
