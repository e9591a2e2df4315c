"""Shape functions around nodes that fit their ops: with an input a little different, the same as TensorFlow's, refusals too.

Behind a bar stands of how many such nodes graphscope takes what TensorFlow refuses.
"""

from __future__ import annotations

import pytest

from tests.analysis.test_shapes_of_ops import inferred
from tests.support.op_calls import OpCall
from tests.support.op_graphs import STRICTER, VAGUE
from tests.support.shape_oracle import contradicts, is_less
from tests.support.shape_rules import every_rule

CALLS = """
SpaceToDepth (2,4,6,3) block_size:2
SpaceToDepth (2,3,4,6) block_size:2 data_format:NCHW
DepthToSpace (2,4,6,12) block_size:2
DepthToSpace (2,12,4,6) block_size:2 data_format:NCHW
SpaceToBatch (2,5,4,3) =[[0,1],[1,1]] block_size:2 | 11
BatchToSpace (8,3,4,3) =[[0,1],[1,1]] block_size:2 | 15
SpaceToBatchND (2,5,4,3) =[2,3] =[[0,1],[1,1]] | 8
BatchToSpaceND (12,3,4,3) =[2,3] =[[0,1],[1,1]] | 12
Switch (2,3) () T:float32
Conv2D (2,7,8,6) (3,2,3,4) strides:[1,2,1,1] padding:SAME | 3
Conv2D (2,7,8,3) (3,2,3,4) strides:[1,2,1,1] dilations:[1,2,2,1] padding:VALID | 1
Conv2D (2,3,7,8) (3,2,3,4) strides:[1,1,2,3] padding:VALID data_format:NCHW | 3
Conv2D (2,7,8,3) (3,2,3,4) strides:[1,2,1,1] padding:EXPLICIT explicit_paddings:[0,0,1,2,3,0,0,0] | 1
Conv3D (2,5,7,8,3) (2,3,2,3,4) strides:[1,1,2,1,1] padding:VALID | 3
DepthwiseConv2dNative (2,7,8,3) (3,2,3,2) strides:[1,2,2,1] padding:VALID | 2
DepthwiseConv2dNative (2,3,7,8) (3,2,3,2) strides:[1,1,2,2] padding:SAME data_format:NCHW
Conv2DBackpropInput =[2,7,8,3] (3,2,3,4) (2,4,8,4) strides:[1,2,1,1] padding:SAME
Conv2DBackpropInput =[7,8] (3,2,3,4) (2,4,8,4) strides:[1,2,1,1] padding:SAME | 4
Conv2DBackpropInput =[7,8] (3,2,3,4) (2,4,7,8) strides:[1,1,1,1] padding:SAME data_format:NCHW | 4
Conv2DBackpropFilter (2,7,8,3) =[3,2,3,4] (2,4,8,4) strides:[1,2,1,1] padding:SAME
Conv3DBackpropInputV2 =[2,5,7,8,3] (2,3,2,3,4) (2,5,7,8,4) strides:[1,1,1,1,1] padding:SAME
Conv3DBackpropFilterV2 (2,5,7,8,3) =[2,3,2,3,4] (2,5,7,8,4) strides:[1,1,1,1,1] padding:SAME
DepthwiseConv2dNativeBackpropInput =[2,7,8,3] (3,2,3,2) (2,7,8,6) strides:[1,1,1,1] padding:SAME
DepthwiseConv2dNativeBackpropFilter (2,7,8,3) =[3,2,3,2] (2,7,8,6) strides:[1,1,1,1] padding:SAME
Range =2 =9 =3
LinSpace () () =5
OneHot (2,3) =4 () () | 1
OneHot (2,3) =4 () () axis:1 | 1
TopKV2 (2,7) =3 | 1
NthElement (2,7) =3 | 6
Where (2,3)
Unique (5)
UniqueWithCounts (5)
UniqueV2 (2,5) =[1] | 2
UniqueWithCountsV2 (2,5) =[0] | 2
Bincount (4) =7 (4)
DenseBincount (4) =7 (4) | 2
DenseBincount (3,4) =7 (3,4) | 2
HistogramFixedWidth (4) (2) =7 | 3
ListDiff (5) (3)
Betainc (2,3) (2,3) (2,3)
Betainc ? () (4,3)
ReluGrad (2,3) (2,3)
AddN (2,3) (2,3) N:2
ClipByValue (2,3) () ()
SelectV2 (2,1) (1,3) (2,3)
Select (2,3) (2,3) (2,3)
Select (2) (2,3) (2,3)
BiasAdd (2,4,3) (3)
BiasAdd (2,3,4,5) (3) data_format:NCHW
BiasAddGrad (2,4,3)
BiasAddGrad (2,3,4,5) data_format:NCHW
Equal (2,3) (2,3) incompatible_shape_error:false
Tile (2,3) =[2,3] | 2
BroadcastTo (2,1) =[4,2,3]
Fill =[2,3] () | 2
Pad (2,3) =[[1,2],[0,1]]
PadV2 (2,3) =[[1,2],[0,1]] ()
MirrorPad (4,3) =[[1,2],[0,1]] mode:REFLECT
MirrorPadGrad (7,4) =[[1,2],[0,1]] mode:REFLECT | 17
Gather (4,3) (2,5)
ResourceGather @(4,3) (2,5) dtype:float32
GatherNd (4,3,5) (7,2)
ResourceGatherNd @(4,3,5) (7,2) dtype:float32
ScatterNd (7,2) (7,5) =[4,3,5] | 4
TensorScatterUpdate (4,3,5) (7,2) (7,5) | 1
ScatterNdUpdate (4,3,5) (7,2) (7,5) | 1
ScatterAdd (4,3) (2,5) (2,5,3)
ScatterUpdate (4,3) () (3)
DynamicStitch =[0,2] =[1,3] (2,5) (2,5) N:2
DynamicPartition (4,3) (4) num_partitions:2
DynamicPartition (4,3) (4,3) num_partitions:3
Pack (2,3) (2,3) N:2 axis:1
Pack (2,3) (2,3) N:2 axis:-1
Unpack (2,3) num:3 axis:1
Unpack (2,3) num:2 axis:-2
ConcatV2 (2,3) (2,4) =1 N:2 | 2
ConcatV2 (2,3) (2,3) =-2 N:2 | 2
Concat =1 (2,3) (2,4) N:2 | 2
Split =1 (2,6) num_split:3 | 1
SoftmaxCrossEntropyWithLogits (4,5) (4,5)
LSTMBlockCellGrad (2,3) (2,4) (2,4) (7,16) (4) (4) (4) (16) (2,4) (2,4) (2,4) (2,4) (2,4) (2,4) (2,4) (2,4) use_peephole:true
BlockLSTM () (6,2,3) (2,4) (2,4) (7,16) (4) (4) (4) (16) | 2
BlockLSTMV2 () (6,2,3) (2,4) (2,4) (7,16) (4) (4) (4) (16) | 2
CudnnRNN (6,2,3) (1,2,4) (1,2,4) (99) | 2
CudnnRNN (6,2,3) (2,2,4) (2,2,4) (99) direction:bidirectional | 2
CudnnRNNV2 (6,2,3) (1,2,4) (1,2,4) (99) rnn_mode:gru | 2
ReverseSequence (2,5,3) (2) seq_dim:1
ReverseSequence (2,5,3) (5) seq_dim:2 batch_dim:1
Roll (2,3) =1 =0 | 4
Roll (2,3) =[1,2] =[0,1] | 14
MatrixDiagPart (2,4,3)
MatrixSetDiag (2,4,3) (2,3) | 5
TopKUnique (2,7) k:3
UnravelIndex (5) =[2,3]
UnravelIndex =5 =[2,3]
RFFT (2,8) =[6]
RFFT2D (2,8,9) =[6,7]
RFFT3D (8,9,5) =[6,7,4]
IRFFT (2,8) =[6]
IRFFT2D (2,8,9) =[6,7]
QuantizedMatMul (2,3) (3,4) () () () () Toutput:qint32 T1:quint8 T2:quint8
QuantizedConv2D (2,7,8,3) (3,2,3,4) () () () () strides:[1,2,2,1] padding:SAME Tinput:quint8 Tfilter:quint8 | 1
QuantizedMaxPool (2,7,8,3) () () ksize:[1,2,2,1] strides:[1,2,2,1] padding:SAME T:quint8
QuantizedReshape (2,6) =[3,-1] () () T:quint8 | 1
QuantizedAdd (2,1) (1,3) () () () () T1:quint8 T2:quint8
QuantizeV2 (2,3) () () T:quint8
QuantizeV2 (2,3) (3) (3) T:quint8 axis:1 | 8
QuantizeAndDequantizeV4Grad (2,3) (2,3) () () | 2
QuantizeAndDequantizeV4Grad (2,3) (2,3) (3) (3) axis:1 | 8
MatMul (2,3) (3,4)
MatMul (3,2) (4,3) transpose_a:true transpose_b:true
BatchMatMul (5,2,3) (5,3,4)
BatchMatMulV2 (5,1,2,3) (6,3,4)
BatchMatMulV2 (5,3,2) (1,4,3) adj_x:true adj_y:true
Einsum (5,2,3) (5,3,4) equation:bij,bjk->bik N:2 | 4
Einsum (6,5,2,3) (5,3,4) equation:...ij,...jk->...ik N:2 | 2
Einsum (3,3) equation:ii->i N:1 | 2
SparseTensorDenseMatMul (7,2) (7) =[4,5] (5,3)
SparseTensorDenseMatMul (7,2) (7) =[5,4] (3,5) adjoint_a:true adjoint_b:true
MatrixSolveLs (2,5,4) (2,5,3) () | 1
MatrixSolve (2,4,4) (2,4,3)
MatrixTriangularSolve (2,4,4) (2,4,3)
Svd (2,5,4)
Svd (2,5,4) full_matrices:true
Svd (2,5,4) compute_uv:false
Qr (2,5,4)
Qr (2,4,5) full_matrices:true
SelfAdjointEigV2 (2,4,4) compute_v:false
SelfAdjointEigV2 (2,4,4) compute_v:true
DecodeJpeg () channels:3
DecodePng () channels:0
DecodeGif ()
DecodeImage () channels:1
ResizeBilinear (2,5,6,3) =[7,8]
ResizeNearestNeighborGrad (2,5,6,3) =[7,8]
ImageProjectiveTransformV2 (2,5,6,3) (2,8) =[7,8] interpolation:NEAREST
QuantizedResizeBilinear (2,5,6,3) =[7,8] () ()
CropAndResize (2,5,6,3) (7,4) (7) =[8,9]
CropAndResizeGradImage (7,8,9,3) (7,4) (7) =[2,5,6,3]
CropAndResizeGradBoxes (7,8,9,3) (2,5,6,3) (7,4) (7)
ExtractGlimpse (2,9,9,3) =[4,5] (2,2)
NonMaxSuppression (7,4) (7) =3
NonMaxSuppressionV2 (7,4) (7) =3 () | 1
NonMaxSuppressionV3 (7,4) (7) =3 () () | 2
NonMaxSuppressionV4 (7,4) (7) =3 () () | 2
NonMaxSuppressionV4 (7,4) (7) =3 () () pad_to_max_output_size:true | 2
NonMaxSuppressionV5 (7,4) (7) =3 () () () | 3
NonMaxSuppressionV5 (7,4) (7) =3 () () () pad_to_max_output_size:true | 3
NonMaxSuppressionWithOverlaps (7,7) (7) =3 () () | 4
CombinedNonMaxSuppression (2,7,1,4) (2,7,5) =3 =6 () () | 16
CombinedNonMaxSuppression (2,7,5,4) (2,7,5) =3 =6 () () pad_per_class:true | 19
DecodeWav () desired_channels:2 desired_samples:9
AudioSpectrogram (30,2) window_size:8 stride:4
Mfcc (2,7,9) () dct_coefficient_count:5
FractionalAvgPool (2,6,9,3) pooling_ratio:[1.0,1.5,1.5,1.0]
FusedBatchNormV3 (2,5,6,3) (3) (3) (3) (3) is_training:false
FusedBatchNormV3 (2,3,5,6) (3) (3) (3) (3) data_format:NCHW is_training:false
FusedBatchNorm (2,5,6,3) (3) (3) (0) (0) is_training:true
FusedBatchNormGradV3 (2,5,6,3) (2,5,6,3) (3) (3) (3) (3) is_training:true
FusedBatchNormGrad (2,3,5,6) (2,3,5,6) (3) (3) (3) data_format:NCHW is_training:true
MaxPool (2,7,8,3) ksize:[1,2,3,1] strides:[1,2,2,1] padding:VALID | 2
MaxPool (2,3,7,8) ksize:[1,1,2,3] strides:[1,1,2,2] padding:SAME data_format:NCHW
AvgPool (2,7,8,3) ksize:[1,3,2,1] strides:[1,1,2,1] padding:SAME
MaxPool3D (2,5,7,8,3) ksize:[1,2,2,3,1] strides:[1,1,2,2,1] padding:VALID | 3
MaxPoolV2 (2,7,8,3) =[1,2,3,1] =[1,2,2,1] padding:VALID | 12
MaxPoolWithArgmax (2,7,8,3) ksize:[1,2,3,1] strides:[1,2,2,1] padding:VALID | 2
MaxPoolGrad (2,7,8,3) (2,4,4,3) (2,4,4,3) ksize:[1,2,2,1] strides:[1,2,2,1] padding:SAME
MaxPoolGradWithArgmax (2,7,8,3) (2,4,4,3) (2,4,4,3) ksize:[1,2,2,1] strides:[1,2,2,1] padding:SAME
AvgPoolGrad =[2,7,8,3] (2,4,4,3) ksize:[1,2,2,1] strides:[1,2,2,1] padding:SAME
AvgPool3DGrad =[2,5,7,8,3] (2,5,4,4,3) ksize:[1,1,2,2,1] strides:[1,1,2,2,1] padding:SAME
Dilation2D (2,7,8,3) (3,2,3) strides:[1,2,1,1] rates:[1,1,2,1] padding:VALID
ExtractImagePatches (2,7,8,3) ksizes:[1,3,2,1] strides:[1,2,1,1] rates:[1,2,2,1] padding:VALID
RandomUniform =[2,3] dtype:float32
StatelessRandomUniform =[2,3] =[1,2]
StatelessRandomUniformV2 =[2,3] (1) (2) =1
StatelessRandomUniformInt =[2,3] =[1,2] () () | 2
StatefulStandardNormalV2 @(3) =1 =[2,3] | 2
RandomGamma =[2,3] (4)
StatelessRandomBinomial =[2,3] =[1,2] (3) (3) | 7
Multinomial (2,7) =5
StatelessMultinomial (2,7) =5 =[1,2] | 7
StatelessRandomGetKeyCounter (2)
UniformCandidateSampler (2,3) num_true:3 num_sampled:5 range_max:9
Sum (2,3,4) =[0,2]
Sum (2,3,4) =-1 keep_dims:true
ArgMax (2,3,4) =1
ArgMax (2,3,4) =-1
Cumsum (2,3) =1
ConcatOffset =1 =[2,3] =[2,4] N:2
BroadcastGradientArgs =[2,1] =[2,3]
Reshape (2,6) =[3,4]
Reshape (2,6) =[3,-1] | 1
ExpandDims (2,3) =1
ExpandDims (2,3) =-1
Squeeze (2,1,3,1)
Squeeze (2,1,3,1) squeeze_dims:[1]
Squeeze (2,1,3,1) squeeze_dims:[-1,1]
Transpose (2,3,4) =[2,0,1] | 1
Diag (2,3)
DiagPart (2,3,2,3)
InvertPermutation =[2,0,1]
Bitcast (2,4) T:uint8 type:float32
Bitcast (2,4) T:float32 type:uint8
ReverseV2 (2,3) =[1] | 6
Reverse (2,3) (2)
SegmentSum (5,3) (5)
UnsortedSegmentSum (5,3) (5) =4 | 2
UnsortedSegmentSum (5,2,3) (5,2) =4 | 2
SparseSegmentSum (5,3) (4) (4)
SparseSegmentSumWithNumSegments (5,3) (4) (4) =7 | 2
SparseSegmentSumGrad (5,3) (4) (4) =7
Shape (2,3)
ShapeN (2,3) (4) N:2
VariableShape @(2,3)
BroadcastArgs =[2,1] =[2,3]
Slice (5,6) =[1,2] =[3,-1] | 2
StridedSlice (5,6,7) =[1,0,2] =[4,6,3] =[2,1,1] shrink_axis_mask:4 | 3
StridedSlice (5,6,7) =[1,2] =[4,0] =[1,-1] begin_mask:1 end_mask:2
StridedSlice (5,6,7) =[0,0,1] =[0,0,4] =[1,1,1] ellipsis_mask:1 new_axis_mask:2
StridedSliceGrad =[5,6] =[1,2] =[4,5] =[1,1] (3,3)
SparseToDense (7,2) =[4,5] (7) ()
SparseReshape (7,2) =[4,6] =[8,3]
SparseReshape (7,2) =[4,6] =[8,-1]
SparseFillEmptyRows (7,2) (7) =[4,5] ()
SparseConcat (7,2) (6,2) (7) (6) (2) (2) N:2 concat_dim:0
SparseSplit =1 (7,2) (7) (2) num_split:2
SparseSlice (7,2) (7) (2) (2) (2)
SparseReduceSum (7,2) (7) =[4,5] =[1]
SparseReduceSum (7,2) (7) =[4,5] =-1 keep_dims:true
DenseToDenseSetOperation (2,5) (2,4) set_operation:union
DenseToSparseSetOperation (2,5) (7,2) (7) (2) set_operation:union | 15
SparseToSparseSetOperation (7,2) (7) (2) (6,2) (6) (2) set_operation:union | 20
RaggedRange (4) (4) (4)
RaggedRange () (4) ()
RaggedTensorToSparse (4) (7,3) RAGGED_RANK:1 | 2
RaggedGather (4) (7,3) (5) PARAMS_RAGGED_RANK:1 OUTPUT_RAGGED_RANK:1 | 4
UnicodeDecode (5) input_encoding:UTF-8
UnicodeEncode (7) (1) output_encoding:UTF-8
StridedSlice (5,6) =[1,0] =[4,6] =[1,1] begin_mask:1
StridedSlice (?,6) =[0,1] =[-1,-1] =[1,2] begin_mask:1 shrink_axis_mask:2 | 3
StridedSlice (5,6,7) =[1,1] =[4,2] =[2,1] ellipsis_mask:2
RaggedTensorToTensor =[4,5] (9) () () (5) num_row_partition_tensors:2 row_partition_types:FIRST_DIM_SIZE,VALUE_ROWIDS | 8
RaggedTensorToTensor =[4,5,3] (9,3) () (5) num_row_partition_tensors:1 row_partition_types:ROW_SPLITS | 6
UnicodeEncode (7) (4) output_encoding:UTF-8
StringJoin (2,3) (2,3) N:2
StringJoin (2,3) () N:2
Substr (2,3) (2,3) (2,3) T:int32 | 7
Substr (2,3) () () T:int32
EditDistance (7,2) (7) =[4,5] (6,2) (6) =[4,3] T:int32 | 34
BoostedTreesBucketize (5) (5) (3) (4) num_features:2
Assign (2,3) (2,3)
Assign (2,3) (4) validate_shape:false
AssignAdd (2,3) (2,3)
AssignVariableOp @(2,3) (2,3) dtype:float32 | 12
ReadVariableOp @(2,3) dtype:float32
ApplyGradientDescent (2,3) () (2,3) | 1
ApplyMomentum (2,3) (2,3) () (2,3) () | 2
ApplyAdam (2,3) (2,3) (2,3) () () () () () () (2,3) | 6
ResourceApplyAdam @(2,3) @(2,3) @(2,3) () () () () () () (2,3) T:float32 | 24
SparseApplyMomentum (4,3) (4,3) () (2,3) (2) () | 8
TensorStridedSliceUpdate (5,6) =[1,2] =[4,5] =[1,1] (3,3)
ParseSingleExample () (2) num_sparse:1 sparse_keys:a dense_keys:x sparse_types:float32 Tdense:float32 dense_shapes:(2)
ParseExample (5) (5) () () (2) Nsparse:1 Ndense:1 sparse_types:float32 Tdense:float32 dense_shapes:(2)
ParseExampleV2 (5) (5) () () () num_sparse:0 Tdense: dense_shapes: ragged_value_types: ragged_split_types: | 1
ParseExampleV2 (5) (5) () (1) () num_sparse:0 ragged_value_types:float32 ragged_split_types:int64 | 1
ParseExampleV2 () () () (1) () num_sparse:1 sparse_types:float32 ragged_value_types:float32 ragged_split_types:int64
Tile (2,3) =[2,0] | 2
InvertPermutation (3)
DecodeCSV (5) () () OUT_TYPE:float32,float32
RestoreV2 () (2) (2) dtypes:float32,float32 | 4
CholeskyGrad (2,4,4) (2,4,4)
Lu (2,4,4)
Cross (2,3) (2,3)
MatrixDiag (2,3)
SparseSoftmaxCrossEntropyWithLogits (4,5) (4)
InTopKV2 (4,5) (4) ()
CTCLoss (6,2,5) (7,2) (7) (2) | 4
CTCGreedyDecoder (6,2,5) (2)
LSTMBlockCell (2,3) (2,4) (2,4) (7,16) (4) (4) (4) (16)
GRUBlockCell (2,3) (2,4) (7,8) (7,4) (8) (4)
SparseReorder (7,2) (7) (2)
SparseTensorDenseAdd (7,2) (7) (2) (4,5)
AdjustContrastv2 (2,5,6,3) ()
RGBToHSV (2,5,6,3)
DrawBoundingBoxes (2,5,6,3) (2,7,4)
FakeQuantWithMinMaxVarsPerChannel (2,3) (3) (3)
QuantizedBiasAdd (2,3) (3) () () () () T1:quint8 T2:quint8
LowerBound (2,7) (2,3)
StringNGrams (5) (3) separator:x ngram_widths:[1] left_pad:x right_pad:x pad_width:0
""".strip().splitlines()


KNOWING = frozenset(
    "BoostedTreesBucketize BroadcastGradientArgs CombinedNonMaxSuppression Conv2DBackpropInput CudnnRNN CudnnRNNV2 Dilation2D"
    " DrawBoundingBoxes ExpandDims FakeQuantWithMinMaxVarsPerChannel LowerBound MaxPoolV2 MirrorPadGrad SparseFillEmptyRows"
    " SparseReorder StridedSlice TensorScatterUpdate Unique UniqueV2 UniqueWithCountsV2".split()
)
"""Ops of whose outputs graphscope sometimes knows more."""


@pytest.mark.parametrize("row", CALLS)
def test_calls(row: str) -> None:
    call, _, most = row.partition(" | ")
    cases, taken = list(OpCall(call).make()), []
    assert cases[0].shapes is not None, cases[0].error
    for case in cases:
        found = inferred(case)
        is_refused = case.name in found.errors
        if case.shapes is None:
            taken += [] if is_refused else [str(case)]
            continue
        op = call.split()[0]
        assert not is_refused or op in STRICTER, (str(case), found.errors)
        ours = [found.shape(f"{case.name}:{index}") for index in range(len(case.shapes))]
        assert not any(map(contradicts, ours, case.shapes)), (str(case), ours)
        assert is_refused or op in VAGUE or not any(map(is_less, ours, case.shapes)), (str(case), ours)
        assert is_refused or op in KNOWING | VAGUE or ours == case.shapes, (str(case), ours)
        assert all(size is None or size >= 0 for shape in ours for size in shape or ()), (str(case), ours)
    assert len(taken) <= int(most or 0), taken


def test_calls_are_of_ops_that_have_every_rule() -> None:
    assert {row.split()[0] for row in CALLS} <= every_rule().keys()
