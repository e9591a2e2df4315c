"""Rules that only equate sizes, as rows of a table; see :mod:`graphscope.analysis.shapes.patterns`."""

from __future__ import annotations

from collections.abc import Mapping

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import SCALAR, Facts
from graphscope.analysis.shapes.patterns import pattern
from graphscope.analysis.shapes.table import rule

_LINEAR_ALGEBRA = {
    "Cholesky MatrixInverse BatchMatrixInverse BatchCholesky": "(B...,n,n) -> (B...,n,n)",
    "MatrixExponential MatrixLogarithm MatrixSquareRoot": "(B...,n,n) -> (B...,n,n)",
    "CholeskyGrad BatchCholeskyGrad": "(B...,n,n) _ -> (B...,n,n)",
    "MatrixDeterminant BatchMatrixDeterminant": "(B...,n,n) -> (B...)",
    "LogMatrixDeterminant": "(B...,n,n) -> (B...) (B...)",
    "Lu": "(B...,n,n) -> (B...,n,n) (B...,n)",
    "Cross": "X X -> X",
    "TridiagonalSolve": "(B...,?,?) (C...,m,k) -> (C...,m,k)",
    "TridiagonalMatMul": "(B...,?,?) _ _ (C...,m,k) -> (C...,m,k)",
    "MatrixDiag BatchMatrixDiag": "(B...,n) -> (B...,n,n)",
    "MatrixBandPart BatchMatrixBandPart": "X _ _ -> X",
    "FFT IFFT": "(B...,a) -> (B...,a)",
    "FFT2D IFFT2D": "(B...,a,b) -> (B...,a,b)",
    "FFT3D IFFT3D": "(B...,a,b,c) -> (B...,a,b,c)",
    "FFTND IFFTND": "X _ _ -> X",
}

_LOSSES = {
    "L2Loss": "_ -> ()",
    "Softmax LogSoftmax": "(B...,n) -> (B...,n)",
    "SparseSoftmaxCrossEntropyWithLogits": "(n,c) (n) -> (n) (n,c)",
    "InTopK": "(n,c) (n) -> (n)",
    "InTopKV2": "(n,c) (n) _ -> (n)",
    "CTCLoss CTCLossV2": "(t,b,c) (?,?) (?) (b) -> (b) (t,b,c)",
    "CTCGreedyDecoder": "(t,b,c) (b) -> (?,2) (?) (2) (b,1)",
    "LRN": "(a,b,c,d) -> (a,b,c,d)",
    "LRNGrad": "(a,b,c,d) (a,b,c,d) (a,b,c,d) -> (a,b,c,d)",
    "IsotonicRegression": "X -> X X",
    "ComputeAccidentalHits": "(n,k) (?) -> (m) (m) (m)",
    "KthOrderStatistic": "(n,?) -> (n)",
    "MakeUnique": "(n,k) -> (n,k)",
}

_NORMS = {
    "BatchNormWithGlobalNormalization": "(b,h,w,c) (c) (c) (c) (c) -> (b,h,w,c)",
    "BatchNormWithGlobalNormalizationGrad": "(b,h,w,c) (c) (c) (c) (b,h,w,c) -> (b,h,w,c) (c) (c) (c) (c)",
    "QuantizedBatchNormWithGlobalNormalization": "(b,h,w,c) _ _ (c) _ _ (c) _ _ (c) _ _ (c) _ _ -> (b,h,w,c) () ()",
}
"""The first two are deprecated, but in every Inception of 2015."""

_RECURRENT = {
    "LSTMBlockCell": "(b,x) (?,c) _ _ _ _ _ _ -> (b,c) (b,c) (b,c) (b,c) (b,c) (b,c) (b,c)",
    "GRUBlockCell": "(b,x) (?,c) _ _ _ _ -> (b,c) (b,c) (b,c) (b,c)",
    "GRUBlockCellGrad": "(b,x) (?,c) (?,g) _ _ _ _ _ _ _ -> (b,x) (b,c) (b,c) (b,g)",
    "BlockLSTMGrad BlockLSTMGradV2": "_ (t,b,x) (d,e) (h,i) (j,k) (l) (m) (n) (o) -> (t,b,x) (d,e) (h,i) (j,k) (l) (m) (n) (o)",
    "CudnnRNNBackprop CudnnRNNBackpropV2 CudnnRNNBackpropV3": "X H C P -> X H C P",
}

_SPARSE = {
    "SparseReorder": "(n,r) (n) (?) -> (n,r) (n)",
    "SparseSoftmax": "(n,?) (n) (?) -> (n)",
    "SparseTensorDenseAdd": "_ _ _ X -> X",
    "SparseDenseCwiseMul SparseDenseCwiseAdd SparseDenseCwiseDiv": "(n,r) _ _ _ -> (n)",
    "SparseFillEmptyRowsGrad": "(n) (m) -> (n) ()",
    "SparseSparseMaximum SparseSparseMinimum": "(?,?) (?) (?) (?,?) (?) (?) -> (m,?) (m)",
    "SparseAdd": "_ _ (r) _ _ _ _ -> (m,r) (m) (r)",
    "SparseAddGrad": "_ (n,?) (m,?) _ -> (n) (m)",
    "SparseSliceGrad": "_ (n,?) _ _ -> (n)",
    "SerializeSparse": "(?,?) (?) (?) -> (3)",
    "SerializeManySparse": "(?,?) (?) (?) -> (?,3)",
    "DeserializeManySparse": "(?,3) -> (?,?) (?) (?)",
    "DeserializeSparse": "(B...,3) -> (?,?) (?) (?)",
    "AddManySparseToTensorsMap": "(?,?) (?) (?) -> (?)",
    "TakeManySparseFromTensorsMap": "(?) -> (?,?) (?) (?)",
    "RaggedFillEmptyRows": "(n) (n) () () -> (?) (?) (?) (n)",
    "RaggedFillEmptyRowsGrad": "(n) (m) -> (n) ()",
    "StringSplit StringSplitV2": "(?) () -> (?,2) (?) (2)",
}

_TEXT = {
    "RegexFullMatch": "X () -> X",
    "RegexReplace": "X () () -> X",
    "DecodeRaw": "X -> (X...,?)",
    "DecodePaddedRaw": "X _ -> (X...,?)",
    "DecodeCompressed": "X -> X",
    "StringNGrams": "(?) (n) -> (?) (n)",
    "SdcaFprint": "(n) -> (n,2)",
    "ReaderReadUpTo": "(?) (?) () -> (?) (?)",
    "ReaderReadUpToV2": "() () () -> (?) (?)",
    "ReaderRead": "(2) (2) -> () ()",
}

_IMAGES = {
    "AdjustContrastv2": "(B...,a,b,c) () -> (B...,a,b,c)",
    "AdjustHue AdjustSaturation": "(B...,a,b,c) _ -> (B...,a,b,c)",
    "RGBToHSV HSVToRGB": "(B...,3) -> (B...,3)",
    "DrawBoundingBoxes": "(b,h,w,c) (?,?,4) -> (b,h,w,c)",
    "DrawBoundingBoxesV2": "(B...,h,w,c) _ _ -> (B...,h,w,c)",
    "ResizeBilinearGrad ResizeBicubicGrad": "_ X -> X",
    "ScaleAndTranslateGrad": "_ X _ _ -> X",
    "CropAndResizeGradBoxes": "_ _ X _ -> X",
    "SampleDistortedBoundingBox": "(3) (?,?,4) -> (3) (3) (1,1,4)",
    "SampleDistortedBoundingBoxV2": "(3) (?,?,4) () -> (3) (3) (1,1,4)",
    "StatelessSampleDistortedBoundingBox": "(3) (?,?,4) () (2) -> (3) (3) (1,1,4)",
    "ExtractJpegShape": "() -> (3)",
    "FractionalMaxPoolGrad": "(a,b,c,d) _ _ _ _ -> (a,b,c,d)",
    "Dilation2DBackpropFilter": "_ X _ -> X",
    "Dilation2DBackpropInput": "X _ _ -> X",
    "EncodePng": "(B...,h,w,c) -> (B...)",
    "EncodeJpeg": "(h,w,c) -> ()",
}

_QUANTIZED = {
    "FakeQuantWithMinMaxVars": "X () () -> X",
    "FakeQuantWithMinMaxVarsGradient": "X X () () -> X () ()",
    "FakeQuantWithMinMaxVarsPerChannel": "(B...,c) (c) (c) -> (B...,c)",
    "QuantizeDownAndShrinkRange QuantizedRelu QuantizedRelu6": "X () () -> X () ()",
    "QuantizedReluX": "X () () () -> X () ()",
    "Requantize": "X () () () () -> X () ()",
    "RequantizePerChannel": "X (?) (?) () () -> X () ()",
    "QuantizeAndDequantizeV2 QuantizeAndDequantizeV4": "X _ _ -> X",
    "QuantizeAndDequantizeV3": "X _ _ () -> X",
    "QuantizedBiasAdd": "(B...,c) (c) () () () () -> (B...,c) () ()",
    "QuantizedInstanceNorm": "(a,b,c,d) () () -> (a,b,c,d) () ()",
    "UniformDequantize UniformQuantize": "X _ _ -> X",
}

_STATES = {
    "RngReadAndSkip": "_ () () -> (3)",
    "GuaranteeConst InplaceAdd InplaceSub InplaceUpdate Relayout StatelessShuffle": "X -> X",
    "CollectivePermute CollectiveReduce CollectiveReduceV2 CollectiveReduceV3 NcclAllReduce NcclBroadcast": "X -> X",
    "CrossReplicaSum": "X -> X",
    "StackPush": "_ X -> X",
    "QueueSizeV2": "X -> X",
    "MatchingFiles": "_ -> (?)",
    "StochasticCastToInt": "X _ _ () -> X",
    "LookupTableExport": "_ -> (?) _",
    "LowerBound UpperBound": "(?,?) (n,k) -> (n,k)",
}

_ROWS: tuple[Mapping[str, str], ...] = (
    *(_LINEAR_ALGEBRA, _LOSSES, _NORMS, _RECURRENT, _SPARSE),
    *(_TEXT, _IMAGES, _QUANTIZED, _STATES),
)

_SCALARS = (
    "AccumulatorNumAccumulated AddSparseToTensorsMap AnonymousHashTable AnonymousIterator AnonymousIteratorV2"
    " AnonymousIteratorV3"
    " AnonymousMemoryCache AnonymousMultiDeviceIterator AnonymousMultiDeviceIteratorV3 AnonymousMutableDenseHashTable"
    " AnonymousMutableHashTable AnonymousMutableHashTableOfTensors AnonymousRandomSeedGenerator AnonymousSeedGenerator"
    " AudioSummary AudioSummaryV2 BarrierIncompleteSize BarrierReadySize BoostedTreesEnsembleResourceHandleOp"
    " BoostedTreesQuantileStreamResourceHandleOp BoostedTreesSerializeEnsemble CompositeTensorVariantFromComponents"
    " CompressElement DatasetCardinality DatasetFingerprint DatasetFromGraph DatasetToGraph DatasetToGraphV2 DebugNanCount"
    " DeviceIndex DummyIterationCounter DummyMemoryCache DummySeedGenerator EmptyTensorMap EncodeJpegVariableQuality EncodeWav"
    " ExperimentalDatasetCardinality ExperimentalIteratorGetDevice ExperimentalStatsAggregatorHandle"
    " ExperimentalStatsAggregatorSummary ExperimentalThreadPoolHandle FixedLengthRecordReaderV2 GetOptions GetSessionHandle"
    " GetSessionHandleV2 HashTableV2 HistogramSummary IdentityReaderV2 ImageSummary IsBoostedTreesEnsembleInitialized"
    " IsBoostedTreesQuantileStreamResourceInitialized Iterator IteratorFromStringHandle IteratorFromStringHandleV2"
    " IteratorGetDevice IteratorGetModelProto IteratorGetNextAsOptional IteratorToStringHandle IteratorV2 LookupTableSize"
    " LookupTableSizeV2 MapIncompleteSize MapSize MergeSummary MultiDeviceIterator MultiDeviceIteratorFromStringHandle"
    " MultiDeviceIteratorInit MultiDeviceIteratorToStringHandle MutableDenseHashTableV2 MutableHashTableOfTensorsV2"
    " MutableHashTableV2 MutexLock MutexV2 OneShotIterator OrderedMapIncompleteSize OrderedMapSize QueueIsClosed"
    " QueueIsClosedV2 QueueSize ReadFile ReaderNumRecordsProduced ReaderNumRecordsProducedV2"
    " ReaderNumWorkUnitsCompleted ReaderNumWorkUnitsCompletedV2 ReaderReadV2 ReaderSerializeState ReaderSerializeStateV2"
    " RequantizationRange RequantizationRangePerChannel ResourceAccumulatorNumAccumulated ScalarSummary SerializeTensor"
    " ShardedFilename ShardedFilespec StageSize StatelessRandomGetAlg StatsAggregatorHandle StatsAggregatorHandleV2"
    " StatsAggregatorSummary StubResourceHandleOp SummaryWriter TFRecordReaderV2 TensorMapErase TensorMapHasKey"
    " TensorMapInsert TensorMapSize TensorSummary TensorSummaryV2 TextLineReaderV2 ThreadPoolHandle Timestamp ToBool"
    " UnwrapDatasetVariant WholeFileReaderV2 WrapDatasetVariant"
)
"""Ops whose outputs are all scalars."""

_PAIRS = (
    "Barrier ConditionalAccumulator FakeQueue FixedLengthRecordReader HashTable IdentityReader LMDBReader"
    " MutableDenseHashTable MutableHashTable MutableHashTableOfTensors PriorityQueue ResourceConditionalAccumulator"
    " SparseConditionalAccumulator Stack StackV2 TFRecordReader TextLineReader WholeFileReader"
)
"""Ops whose output is a handle of two strings."""

_ANYTHING = (
    "AccumulatorTakeGradient BarrierTakeMany BatchFunction CompositeTensorVariantToComponents DebugNumericSummary"
    " DebugNumericSummaryV2 EagerPyFunc GetSessionTensor InfeedDequeueTuple LookupTableExportV2 MapDefun"
    " ParseTensor PyFunc PyFuncStateless RaggedBincount ResourceAccumulatorTakeGradient Restore SetSize"
    " SparseAccumulatorTakeGradient SparseBincount SparseReduceMaxSparse"
    " SparseReduceSumSparse TensorMapLookup TensorMapStackKeys Recv _Recv"
    " LookupTableFind"
)
"""Ops whose output shapes TensorFlow knows only at run time."""


def _scalars(_: Call) -> Facts:
    return (SCALAR, SCALAR)


def _anything(_: Call) -> Facts:
    return ()


def register_rows() -> None:
    """Puts every row into the table of rules."""
    for rows in _ROWS:
        for ops, text in rows.items():
            rule(ops)(pattern(text))
    rule(_SCALARS)(_scalars)
    rule(_PAIRS)(pattern("-> (2)"))
    rule(_ANYTHING)(_anything)
