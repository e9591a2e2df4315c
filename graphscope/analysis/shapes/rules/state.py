"""Variables, their assignments, and the steps of optimizers."""

from __future__ import annotations

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Fact, Facts, outputs
from graphscope.analysis.shapes.sizes import Dims, at_least, merge, merge_all
from graphscope.analysis.shapes.table import rule


def variable_shape(call: Call, index: int = 0) -> Dims:
    """The shape of the variable that a handle leads to."""
    handle = call.input(index).handle
    return handle[0] if handle else None


@rule("ReadVariableOp DestroyTemporaryVariable _ReadVariablesOp")
def read(call: Call) -> Facts:
    """The variable."""
    if call.node.op == "DestroyTemporaryVariable":
        return outputs(call.shape(0))
    return outputs(variable_shape(call))


@rule("Assign")
def assign(call: Call) -> Facts:
    """The variable; without ``validate_shape``, what is assigned."""
    if call.flag("validate_shape"):
        return outputs(merge(call.shape(0), call.shape(1)))
    return outputs(call.shape(1))


@rule("AssignAdd AssignSub")
def assign_change(call: Call) -> Facts:
    """The variable."""
    return outputs(merge(call.shape(0), call.shape(1)))


@rule("AssignVariableOp AssignAddVariableOp AssignSubVariableOp")
def assign_resource(call: Call) -> Facts:
    """No outputs."""
    call.input(1)
    if call.node.op != "AssignVariableOp" or call.flag("validate_shape"):
        merge(variable_shape(call), call.shape(1))
    return ()


@rule("IsVariableInitialized VarIsInitializedOp")
def is_initialized(_: Call) -> Facts:
    """A scalar."""
    return outputs(())


@rule("CountUpTo ResourceCountUpTo")
def count_up_to(_: Call) -> Facts:
    """A scalar."""
    return outputs(())


_SLOTS = {
    "ApplyGradientDescent": (0, 2),
    "ApplyProximalGradientDescent": (0, 4),
    "ApplyAdadelta": (0, 1, 2, 6),
    "ApplyAdagrad": (0, 1, 3),
    "ApplyAdagradV2": (0, 1, 4),
    "ApplyProximalAdagrad": (0, 1, 5),
    "ApplyAdagradDA": (0, 1, 2, 3),
    "ApplyFtrl": (0, 1, 2, 3),
    "ApplyFtrlV2": (0, 1, 2, 3),
    "ApplyMomentum": (0, 1, 3),
    "ApplyAdam": (0, 1, 2, 9),
    "ApplyAdaMax": (0, 1, 2, 8),
    "ApplyRMSProp": (0, 1, 2, 7),
    "ApplyCenteredRMSProp": (0, 1, 2, 3, 8),
    "ApplyAddSign": (0, 1, 6),
    "ApplyPowerSign": (0, 1, 6),
}
"""Op -> the inputs that are of the variable's shape: the variable, its slots and the gradient."""


@rule(" ".join(_SLOTS))
def optimizer_step(call: Call) -> Facts:
    """The variable."""
    return outputs(merge_all(call.shape(k) for k in _SLOTS[call.node.op]))


@rule(
    "SparseApplyAdadelta SparseApplyAdagrad SparseApplyAdagradDA SparseApplyAdagradV2 SparseApplyCenteredRMSProp"
    " SparseApplyFtrl SparseApplyFtrlV2 SparseApplyMomentum SparseApplyProximalAdagrad SparseApplyProximalGradientDescent"
    " SparseApplyRMSProp"
)
def sparse_optimizer_step(call: Call) -> Facts:
    """The variable."""
    return outputs(at_least(call.shape(0), 1))


@rule(
    "ResourceApplyAdaMax ResourceApplyAdadelta ResourceApplyAdagrad ResourceApplyAdagradDA ResourceApplyAdagradV2"
    " ResourceApplyAdam ResourceApplyAdamWithAmsgrad ResourceApplyAddSign ResourceApplyCenteredRMSProp ResourceApplyFtrl"
    " ResourceApplyFtrlV2 ResourceApplyGradientDescent ResourceApplyKerasMomentum ResourceApplyMomentum"
    " ResourceApplyPowerSign ResourceApplyProximalAdagrad ResourceApplyProximalGradientDescent ResourceApplyRMSProp"
    " ResourceSparseApplyAdadelta ResourceSparseApplyAdagrad ResourceSparseApplyAdagradDA ResourceSparseApplyAdagradV2"
    " ResourceSparseApplyCenteredRMSProp ResourceSparseApplyFtrl ResourceSparseApplyFtrlV2"
    " ResourceSparseApplyKerasMomentum ResourceSparseApplyMomentum ResourceSparseApplyProximalAdagrad"
    " ResourceSparseApplyProximalGradientDescent ResourceSparseApplyRMSProp ResourceScatterAdd ResourceScatterSub"
    " ResourceScatterMul ResourceScatterDiv ResourceScatterMin ResourceScatterMax ResourceScatterUpdate"
    " ResourceScatterNdAdd ResourceScatterNdSub ResourceScatterNdUpdate ResourceScatterNdMin ResourceScatterNdMax"
    " ResourceStridedSliceAssign DestroyResourceOp DisableCopyOnRead NoOp ControlTrigger Assert Abort SaveV2 Save"
    " SaveSlices MergeV2Checkpoints InitializeTable InitializeTableV2 InitializeTableFromTextFile"
    " InitializeTableFromTextFileV2 InitializeTableFromDataset LookupTableInsert LookupTableInsertV2 LookupTableImport"
    " LookupTableImportV2 LookupTableRemoveV2 QueueEnqueue QueueEnqueueV2 QueueEnqueueMany QueueEnqueueManyV2 QueueClose"
    " QueueCloseV2 StackClose StackCloseV2 TensorArrayClose TensorArrayCloseV2 TensorArrayCloseV3 WriteFile PrintV2"
    " MakeIterator DeleteIterator DeleteSessionTensor Stage StageClear MapStage OrderedMapStage MapClear OrderedMapClear"
    " _Send _HostSend Send ReaderReset ReaderResetV2 ReaderRestoreState ReaderRestoreStateV2 AccumulatorApplyGradient"
    " AccumulatorSetGlobalStep ResourceAccumulatorApplyGradient ResourceAccumulatorSetGlobalStep SparseAccumulatorApplyGradient"
    " RngSkip WriteSummary WriteScalarSummary WriteHistogramSummary WriteImageSummary WriteAudioSummary"
    " WriteGraphSummary WriteRawProtoSummary CloseSummaryWriter FlushSummaryWriter CreateSummaryFileWriter"
    " CreateSummaryDbWriter ImportEvent BarrierClose BarrierInsertMany ConfigureTPUEmbedding DeleteMultiDeviceIterator"
    " DeleteMemoryCache DeleteRandomSeedGenerator DeleteSeedGenerator BoostedTreesCreateEnsemble"
    " BoostedTreesCreateQuantileStreamResource BoostedTreesDeserializeEnsemble OutfeedEnqueue OutfeedEnqueueTuple"
    " InfeedEnqueue InfeedEnqueueTuple NegTrain"
)
def no_outputs(_: Call) -> Facts:
    """Ops without outputs."""
    return ()


@rule("TensorStridedSliceUpdate StridedSliceAssign")
def slice_assign(call: Call) -> Facts:
    """What is assigned to."""
    return (Fact(call.shape(0)),)
