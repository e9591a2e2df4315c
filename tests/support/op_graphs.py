"""Graphs of one op with random attributes and inputs, as far as TensorFlow imports them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from graphscope.core.ops.table import input_types, registered_ops
from graphscope.core.tensors import Shape, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue, GraphDef, NodeDef, OpDef
from tests.support.saving import tf

CRASHING = frozenset(
    "BoostedTreesAggregateStats BoostedTreesExampleDebugOutputs BoostedTreesPredict BoostedTreesTrainingPredict"
    " FakeQuantWithMinMaxVarsPerChannelGradient GatherV2 SplitV BoostedTreesMakeStatsSummary ResourceGather"
    " BoostedTreesSparseAggregateStats InfeedDequeueTuple QueueDequeueManyV2".split()
)
"""Ops whose shape functions end the process for some inputs (TensorFlow 2.21)."""

WITH_FUNCTIONS = frozenset(
    "If StatelessIf While StatelessWhile Case StatelessCase PartitionedCall StatefulPartitionedCall RemoteCall For"
    " SymbolicGradient BatchFunction MapDefun".split()
)

STRICT = frozenset(
    "Add AddN All AllCandidateSampler Any ApproximateEqual ArgMax ArgMin Assign AssignAdd AssignSub Atan2"
    " AudioSpectrogram AvgPool3D AvgPoolGrad BatchMatMul BatchMatMulV2 BatchMatMulV3 BiasAddGrad BiasAddV1"
    " Bincount BitwiseAnd BitwiseOr BlockLSTM BoostedTreesBucketize BroadcastArgs BroadcastGradientArgs BroadcastTo"
    " Complex ConjugateTranspose Conv2D Conv2DBackpropFilterV2 Conv2DBackpropInputV2 Conv3D CropAndResize"
    " CropAndResizeGradImage DecodeAndCropJpeg DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodeJxl DecodePng"
    " DecodeWav DecodeWebP DenseToDenseSetOperation DepthToSpace DepthwiseConv2dNativeBackpropFilter DiagPart"
    " Dilation2D Div DivNoNan DynamicPartition DynamicStitch Eig EluGrad Empty EnsureShape Equal EuclideanNorm"
    " ExtractGlimpse ExtractGlimpseV2 ExtractImagePatches ExtractVolumePatches FixedUnigramCandidateSampler FloorDiv"
    " FloorMod FractionalAvgPool FractionalMaxPool FusedBatchNorm FusedBatchNormGrad FusedBatchNormGradV2"
    " FusedBatchNormGradV3 FusedBatchNormV2 FusedBatchNormV3 Gather GatherNd Greater GreaterEqual IRFFT IRFFT2D"
    " IRFFT3D Igamma IgammaGradA Igammac ImageProjectiveTransformV2 ImageProjectiveTransformV3 InvertPermutation"
    " LSTMBlockCellGrad LeakyReluGrad LearnedUnigramCandidateSampler LeftShift Less LessEqual LinSpace ListDiff"
    " LogUniformCandidateSampler LogicalAnd LogicalOr LoopCond MatMul MatrixDiagPart MatrixSetDiag MatrixSolve"
    " MatrixTriangularSolve Max MaxPool MaxPool3D MaxPoolGrad MaxPoolGradV2 MaxPoolGradWithArgmax MaxPoolWithArgmax"
    " Maximum Mean Mfcc Min Minimum MirrorPad Mod Mul Multinomial NonMaxSuppression Pack Pad PadV2"
    " ParallelDynamicStitch PlaceholderWithDefault Polygamma Pow Prod Qr QuantizedDepthwiseConv2D QuantizedMul RFFT"
    " RFFT2D RFFT3D RaggedRange RandomGamma RandomGammaGrad RandomPoissonV2 Range RealDiv ReduceJoin RefSelect"
    " RefSwitch Relu6Grad ReluGrad Reshape ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor"
    " ResizeNearestNeighborGrad RestoreSlice Reverse ReverseSequence RightShift ScaleAndTranslate ScatterAdd"
    " ScatterDiv ScatterMax ScatterMin ScatterMul ScatterSub ScatterUpdate SegmentMax SegmentMean SegmentMin"
    " SegmentProd SegmentSum Select SelectV2 SelfAdjointEigV2 SeluGrad Slice SoftmaxCrossEntropyWithLogits"
    " SoftplusGrad SoftsignGrad SparseConcat SparseFillEmptyRows SparseMatMul SparseReshape SparseSegmentMean"
    " SparseSegmentMeanGrad SparseSegmentSqrtN SparseSegmentSqrtNGrad SparseSegmentSum SparseTensorDenseMatMul"
    " SparseToDense SquaredDifference Squeeze StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg"
    " StatelessRandomNormalV2 StatelessRandomUniform StatelessRandomUniformV2"
    " StatelessTruncatedNormal StridedSlice StridedSliceGrad StringJoin Sub Sum Svd Switch TensorArrayV3"
    " TensorListConcatLists TensorListPushBackBatch ThreadUnsafeUnigramCandidateSampler Tile TopKUnique TopKWithUnique"
    " TruncateDiv TruncateMod TruncatedNormal UnicodeEncode UniformCandidateSampler Unique Unpack UnravelIndex"
    " UnsortedSegmentJoin UnsortedSegmentMax UnsortedSegmentProd Zeta _SwitchN".split()
)
"""Ops of which graphscope refuses all inputs that TensorFlow refuses; of the others it takes some, mostly of a wrong rank."""

VAGUE = frozenset(
    "DenseBincount Equal ExtractVolumePatches FractionalAvgPool FractionalMaxPool MatrixDiagV2 MatrixDiagV3 MatrixSetDiagV2"
    " MatrixSetDiagV3"
    " MaxPoolGradGrad NotEqual ParseExampleV2 QuantizeAndDequantizeV4Grad QuantizeV2 RFFT RFFT2D RFFT3D ResourceGatherNd"
    " SoftmaxCrossEntropyWithLogits SpaceToDepth SparseReduceMax SparseReduceSum SparseSlice SparseSplit"
    " _ReadVariablesOp".split()
)
"""Ops of whose outputs TensorFlow sometimes knows more."""

STRICTER = frozenset(
    "FractionalAvgPoolGrad IRFFT IRFFT2D MatrixSetDiag OneHot RFFT RFFT2D RFFT3D SparseReduceMax SparseReduceSum"
    " SparseReorder SparseReshape".split()
)
"""Ops of which graphscope refuses inputs that TensorFlow refuses only when it runs them."""

_INDEX_ATTRIBUTES = frozenset(
    "Tidx Tindices Tshape Tpaddings Tmultiples Tperm Index Tdim Taxis out_idx out_type Tblock_shape Tcrops Tlen"
    " Tsegmentids Tsplits output_type".split()
)
_NUMBERS = (DataType.INT32, DataType.INT64)
_TRIES = 6


@dataclass(frozen=True)
class OpGraph:
    """A graph whose last node is of the op.

    Attributes:
        graph_def: the graph.
        name: of the last node.
        shapes: what TensorFlow says of its outputs; ``None`` where it refuses the graph.
        error: its reason.
    """

    graph_def: GraphDef
    name: str
    shapes: list[Shape] | None
    error: str = ""

    def __str__(self) -> str:
        inputs = " ".join(_input_text(node) for node in self.graph_def.node[:-1])
        node = self.graph_def.node[-1]
        values = {k: str(v).replace("\n", " ") for k, v in node.attr.items() if v.WhichOneof("value") != "type"}
        return f"{node.op}({inputs}) {values} -> {self.shapes or self.error}"


def _input_text(node: NodeDef) -> str:
    if node.op == "Const":
        return str(
            tf.make_ndarray(tf.make_tensor_proto(0).FromString(node.attr["value"].tensor.SerializeToString())).tolist()
        )
    shape = node.attr["shape"].shape
    return "?" if shape.unknown_rank else shape_text(tuple(None if d.size < 0 else d.size for d in shape.dim))


class OpGraphs:
    """Makes graphs of one op: inputs of unknown rank first, then one input after the other becomes something random."""

    def __init__(self, op: str, random: Random) -> None:
        self.op = op
        self.random = random
        self._graph = tf.Graph()
        self._count = 0

    def make(self) -> Iterator[OpGraph]:
        """Graphs that TensorFlow accepts, each a little more definite; and some that it refuses."""
        definition = registered_ops()[self.op]
        for _ in range(_TRIES):
            attributes = self._attributes(definition)
            inputs = [self._unknown(dtype, place) for place, dtype in enumerate(self._types(definition, attributes))]
            current = self._imported(attributes, inputs)
            if current.shapes is not None:
                break
        yield current
        common = [self._shape(), self._shape()]
        for place in self.random.sample(range(len(inputs)), len(inputs)) if len(inputs) < 24 else ():
            for _ in range(_TRIES):
                trial = list(inputs)
                trial[place] = self._definite(inputs[place], common)
                result = self._imported(attributes, trial)
                yield result
                if result.shapes is not None:
                    inputs = trial
                    break

    def _imported(self, attributes: dict[str, AttrValue], inputs: list[NodeDef]) -> OpGraph:
        self._count += 1
        prefix = f"n{self._count}"
        graph = GraphDef()
        graph.versions.producer = tf.version.GRAPH_DEF_VERSION
        for place, node in enumerate(inputs):
            graph.node.add().CopyFrom(node)
            graph.node[-1].name = f"{prefix}_{place}"
        final = graph.node.add(name=prefix, op=self.op, input=[node.name for node in graph.node])
        for name, value in attributes.items():
            final.attr[name].CopyFrom(value)
        return import_last(self._graph, graph)

    def _types(self, definition: OpDef, attributes: dict[str, AttrValue]) -> list[tuple[DataType, bool]]:
        args = definition.input_arg
        types = input_types(definition, attributes)
        return [(dtype, place < len(args) and args[place].is_ref) for place, dtype in enumerate(types)]

    def _unknown(self, kind: tuple[DataType, bool], place: int) -> NodeDef:
        dtype, is_ref = kind
        node = NodeDef(name=f"i{place}", op="VariableV2" if is_ref else "Placeholder")
        node.attr["dtype"].type = int(dtype)
        node.attr["shape"].shape.unknown_rank = True
        return node

    def _definite(self, node: NodeDef, common: list[Shape]) -> NodeDef:
        """A constant for indices, often; otherwise something of a random shape."""
        random, dtype = self.random, DataType.of(node.attr["dtype"].type)
        if dtype in _NUMBERS and node.op != "VariableV2" and random.random() < 0.7:
            return self._constant(dtype)
        result = NodeDef(name=node.name, op=node.op)
        result.attr["dtype"].type = int(dtype)
        if dtype is DataType.RESOURCE and random.random() < 0.8:
            result.op = "VarHandleOp"
            result.attr["dtype"].type = int(DataType.FLOAT)
        set_shape(result.attr["shape"], random.choice([*common, self._shape()]))
        return result

    def _constant(self, dtype: DataType) -> NodeDef:
        shape = self.random.choice([(), (), (1,), (2,), (3,), (4,), (2, 2), (1, 2), (3, 2)])
        numbers = [self.random.choice([-1, 0, 0, 1, 1, 2, 2, 3]) for _ in range(math.prod(shape))]
        node = NodeDef(name="c", op="Const")
        node.attr["dtype"].type = int(dtype)
        array = np.array(numbers, dtype.numpy).reshape(shape)
        node.attr["value"].tensor.ParseFromString(tf.make_tensor_proto(array).SerializeToString())
        return node

    def _shape(self) -> Shape:
        if self.random.random() < 0.05:
            return None
        rank = self.random.choice([0, 1, 1, 2, 2, 2, 3, 4, 4, 5])
        return tuple(self.random.choice([1, 2, 3, 2, 4, None]) for _ in range(rank))

    def _attributes(self, definition: OpDef) -> dict[str, AttrValue]:
        result = {}
        for attr in definition.attr:
            if attr.type == "type" or not attr.HasField("default_value") or self.random.random() < 0.4:
                result[attr.name] = self._attribute(attr)
        return result

    def _attribute(self, attr: OpDef.AttrDef) -> AttrValue:  # type: ignore[name-defined]
        value, allowed = AttrValue(), attr.allowed_values.list
        random = self.random
        if attr.type == "type":
            value.type = self._type(attr)
        elif attr.type == "int":
            low = attr.minimum if attr.has_minimum else -1
            value.i = max(random.choice([low, low + 1, 0, 1, 2, 3]), low if attr.has_minimum else -9)
        elif attr.type == "float":
            value.f = random.choice([1.0, 0.5, 2.0])
        elif attr.type == "bool":
            value.b = random.random() < 0.5
        elif attr.name == "equation":
            value.s = random.choice([b"ij,jk->ik", b"...ij,...jk->...ik", b"ab->ba", b"bi,bj->bij", b"i,i->"])
        elif attr.type == "string":
            value.s = random.choice(list(allowed.s)) if allowed.s else attr.default_value.s or b"x"
        elif attr.type == "shape":
            set_shape(value, self._shape())
        elif attr.type == "tensor":
            value.tensor.ParseFromString(tf.make_tensor_proto(1.0).SerializeToString())
        else:
            self._fill_list(attr, value)
        return value

    def _type(self, attr: OpDef.AttrDef) -> int:  # type: ignore[name-defined]
        allowed = list(attr.allowed_values.list.type)
        wanted = (3, 9) if attr.name in _INDEX_ATTRIBUTES else (1, 3, 9, 10, 7)
        choices = [number for number in wanted if not allowed or number in allowed] or allowed
        return self.random.choice(choices)

    def _fill_list(self, attr: OpDef.AttrDef, value: AttrValue) -> None:  # type: ignore[name-defined]
        random, allowed = self.random, attr.allowed_values.list
        value.list.SetInParent()
        count = max(attr.minimum, random.choice([1, 1, 2]))
        if attr.type == "list(type)":
            types = list(allowed.type)
            choices = [number for number in (1, 9, 7) if not types or number in types] or types
            value.list.type.extend(random.choice(choices) for _ in range(count))
        elif attr.type == "list(shape)":
            for _ in range(count):
                item = AttrValue()
                set_shape(item, self._shape())
                value.list.shape.add().CopyFrom(item.shape)
        elif attr.type == "list(int)":
            value.list.i.extend(self._integers(attr))
        elif attr.type == "list(float)":
            value.list.f.extend([1.0, 1.5, 1.3, 1.0])
        elif attr.type == "list(string)":
            value.list.s.extend([allowed.s[0] if allowed.s else b"x"] * count)

    def _integers(self, attr: OpDef.AttrDef) -> list[int]:  # type: ignore[name-defined]
        random = self.random
        if attr.name in ("squeeze_dims", "axis"):
            return [random.choice([0, -1, 1]) for _ in range(random.choice([0, 1, 2]))]
        if attr.name == "explicit_paddings":
            return random.choice([[], [0, 0, 1, 0, 0, 2, 0, 0], [0, 0, 0, 0, 1, 1, 0, 2]])
        middle = [random.choice([1, 2]) for _ in range(random.choice([2, 2, 3]))]
        ends = [1, random.choice([1, 1, 2])]
        return random.choice([[1, *middle, ends[1]], [1, 1, *middle]])


def import_last(importer: tf.Graph, message: GraphDef) -> OpGraph:
    """A graph with what TensorFlow says of its last node when it is imported beside others."""
    name = message.node[-1].name
    try:
        with importer.as_default():
            tf.import_graph_def(tf.compat.v1.GraphDef.FromString(message.SerializeToString()), name="")
        outputs = importer.get_operation_by_name(name).outputs
        return OpGraph(message, name, [None if t.shape.rank is None else tuple(t.shape.as_list()) for t in outputs])
    except (ValueError, tf.errors.OpError) as error:
        return OpGraph(message, name, None, str(error).partition("\n")[0])


def set_shape(value: Any, shape: Shape) -> None:
    """States ``shape`` in an attribute."""
    value.shape.SetInParent()
    value.shape.unknown_rank = shape is None
    for size in shape or ():
        value.shape.dim.add(size=-1 if size is None else size)
