"""Tensor arrays, tensor lists, stacks and optionals: handles that lead to tensors."""

from __future__ import annotations

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import SCALAR, UNKNOWN, Fact, Facts, Handle, outputs
from graphscope.analysis.shapes.sizes import Dim, Dims, Size, at_least, merge, merge_sizes
from graphscope.analysis.shapes.table import rule


@rule("TensorArrayV3")
def tensor_array(call: Call) -> Facts:
    """A handle, which leads to the shape of the elements if they have one shape, and a flow."""
    call.ranked(0, 0)
    shape = call.shape_attr("element_shape")
    same = call.flag("identical_element_shapes")
    return Fact((2,), None, (shape,) if shape is not None or same else None), SCALAR


def element_shape(handle: Handle) -> Dims:
    """The shape of the elements; ``None`` if it is unknown."""
    return handle[0] if handle else None


@rule("TensorArrayGradV3 TensorArrayGradWithShape")
def tensor_array_gradient(call: Call) -> Facts:
    """Another array of the same elements."""
    own = call.input(0).handle
    return Fact((2,), None, own if call.node.op == "TensorArrayGradV3" else None), SCALAR


@rule(
    "TensorArrayWriteV3 TensorArrayScatterV3 TensorArraySplitV3 TensorArrayUnpack TensorArrayWriteV2"
    " TensorArrayScatterV2 TensorArraySplitV2"
)
def tensor_array_write(call: Call) -> Facts:
    """The flow. That of an array which is made of one tensor leads to the shape of its elements."""
    if call.node.op == "TensorArrayWriteV3":
        merge(element_shape(call.input(0).handle), call.shape(2))
    value = call.shape(2) if "Scatter" in call.node.op else None
    return (Fact((), None, (value[1:],)) if value else SCALAR,)


@rule("TensorArrayReadV3 TensorArrayReadV2")
def tensor_array_read(call: Call) -> Facts:
    """An element."""
    call.ranked(1, 0)
    written = element_shape(call.input(2).handle)
    return outputs(merge(element_shape(call.input(0).handle), written) if call.node.op.endswith("V3") else written)


@rule("TensorArrayGatherV3")
def tensor_array_gather(call: Call) -> Facts:
    """As many elements as there are indices."""
    indices = call.ranked(1, 1)
    stated = call.shape_attr("element_shape")
    shape = merge(stated, element_shape(call.input(0).handle))
    return outputs(None if shape is None else (*indices, *shape))


@rule("TensorArrayConcatV3")
def tensor_array_concat(call: Call) -> Facts:
    """The concatenated elements, and the length of each."""
    shape = call.shape_attr("element_shape_except0")
    return outputs(None if shape is None else (Dim(), *shape), (Dim(),))


@rule("TensorArraySizeV3 TensorArraySizeV2")
def tensor_array_size(_: Call) -> Facts:
    """A scalar."""
    return (SCALAR,)


@rule("StackPushV2")
def stack_push(call: Call) -> Facts:
    """What is pushed."""
    return (Fact(call.shape(1)),)


@rule("StackPopV2 StackPop TensorArrayGatherV2 TensorArrayPack")
def unknown_element(_: Call) -> Facts:
    """Anything."""
    return (UNKNOWN,)


@rule("EmptyTensorList TensorListReserve")
def empty_list(call: Call) -> Facts:
    """A list of elements of the stated shape."""
    return (Fact((), None, (_stated_element(call, 0),)),)


def _stated_element(call: Call, index: int) -> Dims:
    """An element shape that an input states: -1 alone stands for an unknown rank."""
    shape = call.shape(index)
    return call.sizes(index) if shape is not None and len(shape) == 1 else None


@rule("TensorListPushBack")
def push_back(call: Call) -> Facts:
    """The list, with an element more."""
    handle = call.input(0).handle
    merge(element_shape(handle), call.shape(1))
    return (Fact((), None, handle),)


@rule("TensorListPopBack")
def pop_back(call: Call) -> Facts:
    """The list and its last element."""
    own = call.input(0)
    shape = merge(element_shape(own.handle), _stated_element(call, 1))
    return Fact((), None, own.handle), Fact(shape)


@rule("TensorListSetItem TensorListScatterIntoExistingList TensorListResize")
def same_list(call: Call) -> Facts:
    """The list."""
    return (Fact((), None, call.input(0).handle),)


@rule("TensorListConcatLists")
def concat_lists(call: Call) -> Facts:
    """Concatenated lists."""
    return (Fact(merge(call.shape(0), call.shape(1)), None, call.input(0).handle),)


@rule("TensorListPushBackBatch")
def push_back_batch(call: Call) -> Facts:
    """A list for each row."""
    rows = at_least(call.shape(1), 1)
    count = call.ranked(0, 1)[0]
    return (Fact((count if rows is None else merge_sizes(count, rows[0]),), None, call.input(0).handle),)


@rule("TensorListLength")
def list_length(_: Call) -> Facts:
    """A scalar."""
    return (SCALAR,)


@rule("TensorListElementShape")
def list_element_shape(call: Call) -> Facts:
    """The shape as a vector."""
    shape = element_shape(call.input(0).handle)
    return (Fact((Dim(),) if shape is None else (len(shape),), shape),)


@rule("TensorListGetItem")
def get_item(call: Call) -> Facts:
    """An element."""
    return outputs(merge(element_shape(call.input(0).handle), _stated_element(call, 2)))


@rule("TensorListStack")
def list_stack(call: Call) -> Facts:
    """All elements in one tensor."""
    shape = merge(element_shape(call.input(0).handle), _stated_element(call, 1))
    number = call.number("num_elements")
    count: Size = number if number >= 0 else Dim()
    return outputs(None if shape is None else (count, *shape))


@rule("TensorListGather")
def list_gather(call: Call) -> Facts:
    """As many elements as there are indices."""
    shape, indices = merge(element_shape(call.input(0).handle), _stated_element(call, 2)), call.shape(1)
    return outputs(None if shape is None or indices is None else indices + shape)


@rule("TensorListFromTensor TensorListScatter TensorListScatterV2")
def list_from_tensor(call: Call) -> Facts:
    """A list of the tensor's rows."""
    tensor = call.shape(0)
    if call.node.op != "TensorListFromTensor":
        return (Fact((), None, (_stated_element(call, 2),)),)
    stated = _stated_element(call, 1)
    return (Fact((), None, (merge(tensor[1:], stated) if tensor else stated,)),)


@rule("TensorListConcat TensorListConcatV2")
def list_concat(call: Call) -> Facts:
    """The concatenated elements, and the length of each."""
    shape = element_shape(call.input(0).handle)
    stated = call.shape_attr("element_shape") if call.node.op == "TensorListConcat" else _stated_element(call, 1)
    shape = merge(shape, stated) if stated is not None else shape
    return outputs(None if not shape else (Dim(), *shape[1:]), (Dim(),))


@rule("TensorListSplit")
def list_split(call: Call) -> Facts:
    """A list of parts along the first dimension."""
    return (Fact((), None, (_stated_element(call, 1),)),)


@rule("OptionalFromValue")
def optional(call: Call) -> Facts:
    """A handle that leads to the values."""
    return (Fact((), None, tuple(fact.shape for fact in call.inputs)),)


@rule("OptionalNone OptionalHasValue")
def scalar(_: Call) -> Facts:
    """A scalar."""
    return (SCALAR,)


@rule(
    "UncompressElement GetElementAtIndex OptionalGetValue IteratorGetNext IteratorGetNextSync DatasetToSingleElement"
    " MultiDeviceIteratorGetNextFromShard"
)
def components(call: Call) -> Facts:
    """The stated shapes."""
    return outputs(*call.shape_attrs("output_shapes"))


@rule("QueueDequeue QueueDequeueV2")
def dequeue(call: Call) -> Facts:
    """An element of the queue."""
    return outputs(*(call.input(0).handle or ()))


@rule("QueueDequeueMany QueueDequeueManyV2 QueueDequeueUpTo QueueDequeueUpToV2")
def dequeue_many(call: Call) -> Facts:
    """Elements of the queue, as many as stated or, at the end, fewer."""
    count: Size = Dim() if "UpTo" in call.node.op else call.size(1)
    return outputs(*(_behind(count, shape) for shape in call.input(0).handle or ()))


def _behind(count: Size, shape: Dims) -> Dims:
    return None if shape is None else (count, *shape)


@rule("Unstage StagePeek MapUnstage MapPeek OrderedMapUnstage OrderedMapPeek MapUnstageNoKey OrderedMapUnstageNoKey")
def unstage(_: Call) -> Facts:
    """Anything."""
    return ()
