"""Handles of lists, arrays, optionals, stacks and queues lead to tensors, whose shapes are those that TensorFlow finds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from graphscope.analysis.shapes import infer
from tests.analysis.test_shapes import graph_of
from tests.support.saving import tf
from tests.support.shape_oracle import contradicts, is_less

raw, v1 = tf.raw_ops, tf.compat.v1
FLOAT = tf.float32
SHAPES = (None, [None, 3], [2, 3])


def tensor(shape: Any) -> Any:
    return v1.placeholder(FLOAT, shape)


def element(shape: Any) -> Any:
    return [-1 if size is None else size for size in shape] if shape is not None else -1


def made_lists(stated: Any, shape: Any) -> Iterator[Callable[[], Any]]:
    rows = None if shape is None else [4, *shape]
    yield lambda: raw.TensorListReserve(element_shape=element(stated), num_elements=4, element_dtype=FLOAT)
    empty = raw.EmptyTensorList(element_shape=element(stated), max_num_elements=4, element_dtype=FLOAT)
    yield lambda: raw.TensorListPushBack(input_handle=empty, tensor=tensor(shape))
    yield lambda: raw.TensorListFromTensor(tensor=tensor(rows), element_shape=element(stated))
    yield lambda: raw.TensorListScatter(tensor=tensor(rows), indices=[1, 0, 2, 3], element_shape=element(stated))
    yield lambda: raw.TensorListScatterV2(
        tensor=tensor(rows), indices=[1, 0, 2, 3], element_shape=element(stated), num_elements=6
    )
    yield lambda: raw.TensorListSplit(tensor=tensor(rows), lengths=[1, 3], element_shape=element(stated))


def used_lists(handle: Any, stated: Any, shape: Any) -> Iterator[Callable[[], Any]]:
    like = {"element_shape": element(stated), "element_dtype": FLOAT}
    yield lambda: raw.TensorListGetItem(input_handle=handle, index=1, **like)
    yield lambda: raw.TensorListStack(input_handle=handle, **like)
    for count in (0, 1, 4):
        yield lambda count=count: raw.TensorListStack(input_handle=handle, num_elements=count, **like)
    yield lambda: raw.TensorListGather(input_handle=handle, indices=[0, 2, 3], **like)
    yield lambda: raw.TensorListConcat(
        input_handle=handle, element_dtype=FLOAT, element_shape=None if stated is None else stated
    )
    yield lambda: raw.TensorListConcatV2(input_handle=handle, leading_dims=[1, 2], **like)
    yield lambda: raw.TensorListLength(input_handle=handle)
    yield lambda: raw.TensorListElementShape(input_handle=handle, shape_type=tf.int32)
    yield lambda: raw.TensorListGetItem(
        input_handle=raw.TensorListSetItem(input_handle=handle, index=1, item=tensor(shape)), index=0, **like
    )
    yield lambda: raw.TensorListStack(input_handle=raw.TensorListResize(input_handle=handle, size=7), **like)
    yield lambda: raw.TensorListPopBack(input_handle=handle, **like)
    yield lambda: raw.TensorListStack(
        input_handle=raw.TensorListConcatLists(input_a=handle, input_b=handle, element_dtype=FLOAT), **like
    )
    yield lambda: raw.TensorListPushBackBatch(input_handles=tf.stack([handle, handle]), tensor=tensor(shape))


def arrays(stated: Any, shape: Any) -> Iterator[Callable[[], Any]]:
    for identical in (False, True):
        array = raw.TensorArrayV3(size=4, dtype=FLOAT, element_shape=stated, identical_element_shapes=identical)
        write = lambda array=array: raw.TensorArrayWriteV3(  # noqa: E731
            handle=array.handle, index=0, value=tensor(shape), flow_in=array.flow
        )
        rows = None if shape is None else [4, *shape]
        scatter = lambda array=array, rows=rows: raw.TensorArrayScatterV3(  # noqa: E731
            handle=array.handle, indices=[0, 1, 2, 3], value=tensor(rows), flow_in=array.flow
        )
        for flow in (lambda array=array: array.flow, write, scatter):
            yield lambda array=array, flow=flow: raw.TensorArrayReadV3(
                handle=array.handle, index=0, flow_in=flow(), dtype=FLOAT
            )
            yield lambda array=array, flow=flow: raw.TensorArrayGatherV3(
                handle=array.handle, indices=[0, 1], flow_in=flow(), dtype=FLOAT, element_shape=stated
            )
        yield lambda array=array: raw.TensorArrayConcatV3(handle=array.handle, flow_in=array.flow, dtype=FLOAT)
        yield lambda array=array: raw.TensorArraySizeV3(handle=array.handle, flow_in=array.flow)
        yield lambda array=array: raw.TensorArrayGradV3(handle=array.handle, flow_in=array.flow, source="gradients")


def others(stated: Any, shape: Any) -> Iterator[Callable[[], Any]]:
    optional = raw.OptionalFromValue(components=[tensor(shape), tensor([2])])
    yield lambda: raw.OptionalGetValue(optional=optional, output_types=[FLOAT, FLOAT], output_shapes=[stated, None])
    yield lambda: raw.OptionalHasValue(optional=optional)
    stack = raw.StackV2(max_size=4, elem_type=FLOAT)
    yield lambda: raw.StackPushV2(handle=stack, elem=tensor(shape))
    yield lambda: raw.StackPopV2(handle=stack, elem_type=FLOAT)
    if stated is None or None not in stated:
        queue = raw.FIFOQueueV2(component_types=[FLOAT, FLOAT], shapes=[] if stated is None else [stated, [5]])
        yield lambda: raw.QueueDequeueV2(handle=queue, component_types=[FLOAT, FLOAT])
        yield lambda: raw.QueueDequeueUpToV2(handle=queue, n=3, component_types=[FLOAT, FLOAT])
        yield lambda: raw.QueueSizeV2(handle=queue)


def attempt(build: Callable[[], Any]) -> Any:
    """What is built; None where TensorFlow refuses it."""
    try:
        return build()
    except ValueError:
        return None


def lists(stated: Any, shape: Any) -> Iterator[Callable[[], Any]]:
    for handle in map(attempt, made_lists(stated, shape)):
        if handle is not None:
            for again in SHAPES:
                yield from used_lists(handle, again, shape)


@pytest.mark.parametrize("family", [lists, arrays, others])
def test_what_handles_lead_to(family: Callable[[Any, Any], Iterator[Callable[[], Any]]]) -> None:
    with tf.Graph().as_default() as graph:
        for stated, shape in itertools.product(SHAPES, SHAPES):
            for build in family(stated, shape):
                attempt(build)
    found = infer(graph_of(graph.as_graph_def()))
    assert found.errors == {}
    known = 0
    for operation in graph.get_operations():
        for output in operation.outputs:
            theirs = None if output.shape.rank is None else tuple(output.shape.as_list())
            ours = found.shape(output.name)
            assert not contradicts(ours, theirs), (operation.node_def, ours, theirs)
            assert not is_less(ours, theirs), (operation.node_def, ours, theirs)
            known += theirs is not None
    assert known > 10
