"""Ops that work element by element."""

from __future__ import annotations

from graphscope.analysis.shapes.arithmetic import broadcast
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Fact, Facts
from graphscope.analysis.shapes.sizes import Dims, ShapeError, merge, merge_all, merge_sizes, with_rank
from graphscope.analysis.shapes.table import rule
from graphscope.analysis.shapes.values import binary, cast_element, unary
from graphscope.core.ops.table import MAX_OUTPUTS
from graphscope.core.values.dtypes import DataType


@rule(
    "Identity RefIdentity StopGradient PreventGradient Snapshot Enter RefEnter Exit RefExit NextIteration RefNextIteration"
    " DebugIdentity DebugIdentityV2 DebugIdentityV3 Copy CopyHost DeepCopy CheckNumerics CheckNumericsV2 Print"
    " DebugGradientIdentity DebugGradientRefIdentity"
)
def passed_on(call: Call) -> Facts:
    """The first input, elements and handles included."""
    return (call.input(0),)


@rule("TPUReplicatedOutput")
def replicated(call: Call) -> Facts:
    """The input, once for each replica."""
    return (call.input(0),) * min(call.number("num_replicas"), MAX_OUTPUTS)


@rule(
    "Acos Acosh Asin Asinh Atan Atanh BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1"
    " BesselK1e BesselY0 BesselY1 Conj Cos Cosh Dawsn Digamma Elu Erf Erfc Erfinv Exp Expint Expm1 FresnelCos FresnelSin Inv"
    " Invert Lgamma Log Log1p Ndtri Reciprocal Relu Relu6 Rsqrt Selu Sigmoid Sin Sinh Softplus Softsign Spence Sqrt Tan Tanh"
    " LeakyRelu PopulationCount IsFinite IsInf IsNan Angle Imag Real ComplexAbs AsString StringLower StringUpper StringStrip"
    " StringLength StringToNumber StringToHashBucket StringToHashBucketFast StringToHashBucketStrong StaticRegexFullMatch"
    " StaticRegexReplace EncodeBase64 DecodeBase64 UnicodeScript UnicodeTranscode Bucketize QuantizeAndDequantize"
    " FakeQuantWithMinMaxArgs DataFormatDimMap DecodeJSONExample"
    " SigmoidGrad TanhGrad RsqrtGrad SqrtGrad ReciprocalGrad InvGrad FakeQuantWithMinMaxArgsGradient"
)
def unchanged(call: Call) -> Facts:
    """The shape of the first input."""
    return (Fact(call.shape(0)),)


@rule("Neg Abs Square Sign Floor Ceil Round Rint LogicalNot")
def unary_op(call: Call) -> Facts:
    """The shape of the input, and its elements computed."""
    operand = call.input(0)
    if not operand.has_value:
        return (Fact(operand.shape),)
    dtype = DataType.BOOL if call.node.op == "LogicalNot" else call.type("T")
    return (Fact(operand.shape, unary(call.node.op, operand, dtype)),)


@rule("ZerosLike OnesLike")
def filled_like(call: Call) -> Facts:
    """As many zeros or ones as the input has elements."""
    operand, number = call.input(0), int(call.node.op == "OnesLike")
    if not operand.has_value or operand.value is None or call.type("T") not in (DataType.INT32, DataType.INT64):
        return (Fact(operand.shape, None, operand.handle),)
    return (Fact(operand.shape, (number,) * len(operand.value)),)


@rule("Cast")
def cast(call: Call) -> Facts:
    """The shape of the input, and its elements in the other type."""
    operand = call.input(0)
    if not operand.has_value or operand.value is None:
        return (Fact(operand.shape),)
    dtype = call.type("DstT")
    return (Fact(operand.shape, tuple(cast_element(element, dtype) for element in operand.value)),)


@rule(
    "Add AddV2 Sub Mul RealDiv Div TruncateDiv FloorDiv FloorMod Mod TruncateMod Maximum Minimum Pow LogicalAnd LogicalOr"
    " Less LessEqual Greater GreaterEqual"
    " SquaredDifference DivNoNan MulNoNan Xdivy Xlogy Xlog1py Atan2 Complex BitwiseAnd BitwiseOr BitwiseXor LeftShift"
    " RightShift Igamma IgammaGradA Igammac Zeta Polygamma NextAfter"
)
def binary_op(call: Call) -> Facts:
    """The shape to which both are broadcast, and the elements computed."""
    one, other = call.input(0), call.input(1)
    shape = broadcast(one.shape, other.shape)
    if one.has_value and other.has_value:
        return (Fact(shape, binary(call.node.op, one, other, shape, call.type("T"))),)
    return (Fact(shape),)


@rule("Equal NotEqual")
def equality(call: Call) -> Facts:
    """As other binary ops; a graph may ask that shapes that do not fit give a scalar."""
    value = call.attr("incompatible_shape_error")
    if value is not None and not value.b:
        one, other = call.shape(0), call.shape(1)
        return (Fact(_scalar_where_different(one, other)),)
    return binary_op(call)


def _scalar_where_different(one: Dims, other: Dims) -> Dims:
    try:
        return broadcast(one, other) if one == other else None
    except ShapeError:
        return ()


@rule("Betainc")
def betainc(call: Call) -> Facts:
    """One shape, but for scalars among the operands."""
    shapes = [shape for shape in map(call.shape, range(3)) if shape != ()]
    return (Fact(merge_all(shapes) if shapes else ()),)


@rule("ReluGrad Relu6Grad EluGrad SeluGrad SoftplusGrad SoftsignGrad LeakyReluGrad ApproximateEqual")
def merged(call: Call) -> Facts:
    """Two inputs of one shape."""
    return (Fact(merge(call.shape(0), call.shape(1))),)


@rule("AddN TPUReplicatedInput")
def added(call: Call) -> Facts:
    """Any number of inputs of one shape."""
    shape = merge_all(fact.shape for fact in reversed(call.inputs))
    return (Fact(shape, None, call.input(0).handle),)


@rule("ClipByValue")
def clipped(call: Call) -> Facts:
    """The first shape; the bounds are scalars, or have it too."""
    return (Fact(call.shape(0)),)


@rule("SelectV2")
def select_v2(call: Call) -> Facts:
    """All three are broadcast."""
    condition, then, other = (call.input(k) for k in range(3))
    shape = broadcast(condition.shape, broadcast(then.shape, other.shape))
    if isinstance(call.element(0), bool):
        chosen = then if call.element(0) else other
        if chosen.shape == shape:
            return (Fact(shape, chosen.value),)
    return (Fact(shape),)


@rule("Select")
def select(call: Call) -> Facts:
    """Both branches have one shape; the condition has it too, or is a scalar, or has the outermost size."""
    condition, then, other = call.input(0), call.input(1), call.input(2)
    shape = merge(then.shape, other.shape)
    if shape is not None and condition.shape is not None and condition.shape:
        if not shape or len(condition.shape) > 1:
            shape = merge(shape, condition.shape)
        else:
            shape = (merge_sizes(shape[0], condition.shape[0]), *shape[1:])
    if condition.shape == () and isinstance(call.element(0), bool):
        return (Fact(shape, (then if call.element(0) else other).value),)
    return (Fact(shape, None, then.handle if then.handle == other.handle else None),)


@rule("BiasAdd BiasAddV1")
def bias_add(call: Call) -> Facts:
    """The shape of the value, whose channels are those of the bias."""
    shape, bias = call.shape(0), call.ranked(1, 1)
    if shape is None:
        return (Fact(None),)
    channels_first = call.text("data_format").startswith("NC")
    least = 2 if not channels_first else 3
    if len(shape) < least and not (channels_first and len(shape) == 2):
        raise ShapeError(f"shape must be at least rank {least} but is rank {len(shape)}")
    axis = 1 if channels_first else len(shape) - 1
    return (Fact((*shape[:axis], merge_sizes(shape[axis], bias[0]), *shape[axis + 1 :])),)


@rule("BiasAddGrad")
def bias_add_grad(call: Call) -> Facts:
    """The channels."""
    shape = call.shape(0)
    if shape is None:
        return (Fact(with_rank(None, 1)),)
    if len(shape) < 2:
        raise ShapeError(f"shape must be at least rank 2 but is rank {len(shape)}")
    return (Fact((shape[1 if call.text("data_format").startswith("NC") else -1],)),)
