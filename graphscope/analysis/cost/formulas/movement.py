"""Ops that compute nothing: sources of data, views of it, and copies."""

from __future__ import annotations

from graphscope.analysis.cost.table import Access, moves

moves(
    "Const Placeholder PlaceholderV2 Variable VariableV2 AutoReloadVariable VarHandleOp TemporaryVariable _Arg _Retval NoOp"
    " ControlTrigger LoopCond Shape ShapeN Rank Size VariableShape BroadcastGradientArgs ConcatOffset Assert"
    " IsVariableInitialized VarIsInitializedOp HashTable HashTableV2 MutableHashTable MutableHashTableV2 LookupTableSizeV2"
    " TensorArrayV2 TensorArrayV3 TensorArraySizeV2 TensorArraySizeV3 TensorArrayCloseV2 TensorArrayCloseV3"
    " TensorListReserve EmptyTensorList TensorListLength TensorListElementShape TensorListResize"
    " Iterator IteratorV2 OneShotIterator IteratorGetNext IteratorGetNextSync"
    " FIFOQueue FIFOQueueV2 QueueDequeue QueueDequeueV2 QueueDequeueMany QueueDequeueManyV2 QueueDequeueUpTo"
    " QueueDequeueUpToV2 OptionalNone OptionalFromValue InvertPermutation",
    Access.SOURCE,
)
moves(
    "Identity RefIdentity IdentityN DeepCopy Snapshot StopGradient PreventGradient CheckNumerics PlaceholderWithDefault"
    " Reshape Squeeze ExpandDims Bitcast QuantizedReshape EnsureShape Switch RefSwitch Merge RefMerge Enter RefEnter Exit"
    " RefExit NextIteration RefNextIteration ReadVariableOp DisableCopyOnRead Print TensorArrayReadV2 TensorArrayReadV3"
    " TensorArrayWriteV2 TensorArrayWriteV3 TensorListGetItem TensorListSetItem TensorListPopBack TensorListPushBack"
    " OptionalGetValue",
    Access.VIEW,
)
moves(
    "Slice StridedSlice Gather GatherV2 GatherNd ResourceGather ResourceGatherNd EmbeddingLookup"
    " TensorArrayGatherV2 TensorArrayGatherV3 TensorArrayConcatV2 TensorArrayConcatV3 TensorListStack TensorListGather"
    " TensorListConcatV2",
    Access.PART,
)
moves(
    "Concat ConcatV2 ParallelConcat Pack Unpack Split SplitV Transpose ConjugateTranspose Tile Pad PadV2 MirrorPad Reverse"
    " ReverseV2 ReverseSequence Roll SpaceToDepth DepthToSpace SpaceToBatch SpaceToBatchND BatchToSpace BatchToSpaceND"
    " Fill ZerosLike OnesLike Empty Range LinSpace OneHot BroadcastTo Cast ScatterNd SparseToDense TensorScatterUpdate"
    " Diag MatrixDiag MatrixDiagV2 MatrixDiagV3 MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 DiagPart MatrixDiagPart"
    " ExtractImagePatches DynamicStitch ParallelDynamicStitch DynamicPartition ResizeNearestNeighbor StridedSliceGrad"
    " Assign AssignVariableOp"
    " TensorArrayScatterV2 TensorArrayScatterV3 TensorArraySplitV2 TensorArraySplitV3 TensorListFromTensor"
    " TensorListScatterIntoExistingList",
    Access.WHOLE,
)
