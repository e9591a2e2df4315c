"""Variables, their assignments, and the steps of optimizers."""

from __future__ import annotations

import functools

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Fact, Facts, outputs
from graphscope.analysis.shapes.sizes import Dim, Dims, at_least, merge
from graphscope.analysis.shapes.table import rule
from graphscope.core.ops.table import registered_ops


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


_STEPS = tuple(name for name in registered_ops() if name.startswith(("Apply", "SparseApply")))
"""The ops that change a variable by a gradient."""

_SLOTS = frozenset(
    "var accum accum_update m v mg ms mom linear gradient_accumulator gradient_squared_accumulator".split()
)
"""The arguments that are of the variable's shape: the variable and what an optimizer keeps beside it."""


@rule(" ".join(_STEPS))
def optimizer_step(call: Call) -> Facts:
    """The variable; a sparse gradient has rows of it."""
    shape: Dims = None
    is_sparse = call.node.op.startswith("Sparse")
    for index, name in enumerate(_arguments(call.node.op)):
        if name in _SLOTS or (name in ("grad", "delta") and not is_sparse):
            shape = merge(shape, call.shape(index))
        elif name == "grad":
            rows = at_least(call.shape(index), 1)
            shape = merge(shape, None if rows is None else (Dim(), *rows[1:]))
    return outputs(shape)


@functools.cache
def _arguments(op: str) -> tuple[str, ...]:
    return tuple(arg.name for arg in registered_ops()[op].input_arg)


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
