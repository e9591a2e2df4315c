"""Kinds of ops, by which a picture is colored."""

from __future__ import annotations

import functools

from graphscope.core.ops.sets import ENTERS, EXITS, MERGES, NEXT_ITERATIONS, PLACEHOLDER_OPS, SWITCHES, VARIABLE_OPS
from graphscope.core.patterns import NamePattern

KINDS = ("layer", "activation", "pooling", "normalization", "arithmetic", "shape", "input", "weight", "flow", "other")
"""In the order of a legend."""

_PATTERNS = (
    (
        "layer",
        NamePattern(
            r"(Quantized|_Fused|Sparse)?(Depthwise)?(Conv\dD|MatMul|BatchMatMul|DepthwiseConv2dNative)\w*|Einsum|Cudnn\w*RNN\w*"
            r"|\w*LSTM\w*|\w*GRU\w*|Gather(V2|Nd)?|ResourceGather|EmbeddingLookup\w*|BiasAdd(V1)?|\w*Dilation2D\w*"
        ),
    ),
    (
        "activation",
        NamePattern(
            r"(Quantized)?(Relu6?|LeakyRelu|Elu|Selu|Gelu|Sigmoid|Tanh|Softmax|LogSoftmax|Softplus|Softsign|Erf)\w*"
            r"|\w*Softmax\w*CrossEntropy\w*"
        ),
    ),
    (
        "pooling",
        NamePattern(r"(Quantized)?(Max|Avg|Fractional\w*)Pool\w*|Mean|Max|Min|Sum|Prod|All|Any|Arg(Max|Min)|TopK(V2)?"),
    ),
    ("normalization", NamePattern(r"(Quantized)?\w*BatchNorm\w*|LRN|L2Normalize|Rsqrt|Moments|Batch\w*Normalization\w*")),
    (
        "shape",
        NamePattern(
            r"(Quantized)?(Reshape|Squeeze|ExpandDims|Transpose|Shape(N)?|Rank|Size|Pack|Unpack|Concat(V2)?|Split(V)?|Slice"
            r"|StridedSlice|Tile|Pad(V2)?|MirrorPad|Reverse(V2)?|Fill|Range|Identity(N)?|Cast|StopGradient|OneHot|Resize\w+"
            r"|SpaceTo\w+|BatchToSpace\w*|DepthToSpace|ZerosLike|OnesLike|BroadcastTo|ConcatOffset|GatherShape|ReverseSequence)"
        ),
    ),
    ("flow", NamePattern(r"If|Stateless(If|While|Case)|While|Case|(Stateful)?PartitionedCall|LoopCond|TensorArray\w*")),
    (
        "arithmetic",
        NamePattern(
            r"(Quantized)?(Add(N|V2)?|Sub|Mul|MulNoNan|Div|DivNoNan|RealDiv|FloorDiv|FloorMod|Mod|Neg|Abs|Sign|Square|Sqrt|Pow|Exp"
            r"|Log|Log1p|Maximum|Minimum|SquaredDifference|Greater(Equal)?|Less(Equal)?|Equal|NotEqual|Logical\w+|Select(V2)?"
            r"|Floor|Ceil|Round|Rint|Reciprocal|Inv|Cumsum|Sin|Cos|ClipByValue|Where|Random\w*|Stateless\w*Random\w*)"
        ),
    ),
)  # fmt: skip
_BY_OP = {
    **dict.fromkeys(PLACEHOLDER_OPS, "input"),
    **dict.fromkeys([*VARIABLE_OPS, "Const"], "weight"),
    **dict.fromkeys([*SWITCHES, *MERGES, *ENTERS, *EXITS, *NEXT_ITERATIONS], "flow"),
}


@functools.lru_cache(4096)
def kind_of(op: str) -> str:
    """The kind of an op, one of :data:`KINDS`."""
    return _BY_OP.get(op) or next((kind for kind, pattern in _PATTERNS if pattern.fullmatch(op)), "other")
