"""``TensorArray`` and lists of tensors: whole tensors whose first axis counts the elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from graphscope.core.graph import Node
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.export.onnx.builder import vector
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.loops import Array
from graphscope.export.onnx.registry import rule
from graphscope.export.onnx.rules.sizes import join, reshape_to, size_of
from graphscope.export.onnx.value import Value
from graphscope.export.refusal import NotExpressibleError


def _array(value: Value) -> Array:
    if not isinstance(value, Array):
        raise NotExpressibleError("its array is not known")
    return value


def _elements(value: Value) -> Value:
    """All elements that were written."""
    array = _array(value)
    if array.elements is None or array.written is not None:
        raise NotExpressibleError("it reads an array that is still being written")
    return array.elements


def _new(call: Call, length: Value | None) -> Array:
    return Array(call.node.name, DataType.FLOAT, (), length=length)


@rule("TensorArrayV3", "TensorArrayV2")
def _tensor_array(call: Call) -> Sequence[Value]:
    """The handle has no content; the flow tensor identifies the elements."""
    made = _new(call, None if call.attr("dynamic_size").b else call[0])
    return made, made


@rule("TensorArrayScatterV3")
def _scatter(call: Call) -> Value:
    """Writes all elements at once, at indices 0, 1, 2 and so on."""
    array = _array(call[3])
    if array.elements is not None or not _counts_up(call, call.node.data_inputs()[1]):
        raise NotExpressibleError("it does not write all elements in order")
    return replace(array, elements=call[2])


def _counts_up(call: Call, text: str) -> bool:
    """Whether a tensor is 0, 1, 2 and so on."""
    node = call.region.body.get(node_of(text))
    if node is None:
        return False
    if node.op == "Const":
        tensor = node.tensor()
        return tensor is not None and tensor.listed() == list(range(tensor.elements))
    if node.op != "Range":
        return False
    start, _, delta = (_number(call, place) for place in node.data_inputs())
    return start == 0 and delta == 1


def _number(call: Call, text: str) -> int | None:
    node: Node | None = call.region.body.get(node_of(text))
    tensor = node.tensor() if node is not None and node.op == "Const" else None
    return None if tensor is None else int(tensor.listed()[0])


@rule("TensorArrayReadV3", "TensorArrayGatherV3")
def _read(call: Call) -> Value:
    return _take(call, call[2], call[1])


def _take(call: Call, array: Value, places: Value) -> Value:
    """The elements at ``places``, one or several."""
    return call.op("Gather", _elements(array), call.cast(places, DataType.INT64), axis=0)


@rule("TensorArrayWriteV3")
def _write(call: Call) -> Value:
    return _write_element(_array(call[3]), call[1], call[2])


def _write_element(array: Array, place: Value | None, element: Value) -> Array:
    if array.written is not None or array.elements is not None:
        raise NotExpressibleError("it writes several elements of an array at a time")
    return replace(array, written=(place, element))


@rule("TensorArraySizeV3")
def _size(call: Call) -> Value:
    array = _array(call[1])
    if array.length is not None:
        return array.length
    return call.cast(call.squeeze(_first_size(call, _elements(array)), 0), DataType.INT32)


def _first_size(call: Call, value: Value) -> Value:
    return join(call, [size_of(call, value, 0)])


@rule("TensorArrayConcatV3")
def _concat(call: Call) -> Sequence[Value]:
    """The concatenated elements. An ONNX loop produces elements of one size only."""
    elements = _elements(call[1])
    if elements.size(1) is None:
        raise NotExpressibleError("its elements may be of different sizes")
    sizes = [size_of(call, elements, i) for i in range(call.rank(elements))]
    whole = reshape_to(call, elements, [-1, *sizes[2:]])
    lengths = call.op("Expand", join(call, [sizes[1]]), join(call, [sizes[0]]))
    return whole, lengths


@rule("TensorListReserve")
def _reserve(call: Call) -> Value:
    return replace(_new(call, call[1]), grows=_may_grow(call))


def _may_grow(call: Call) -> bool:
    """Whether any write to a list of the graph may go beyond the list's end."""
    nodes = (node for _, body in call.region.conversion.graph.bodies for node in body.nodes)
    return any(node.op == "TensorListSetItem" and node.attrs[_RESIZES].b for node in nodes if _RESIZES in node.attrs)


_RESIZES = "resize_if_index_out_of_bounds"


@rule("EmptyTensorList")
def _empty(call: Call) -> Value:
    return _new(call, None)


@rule("TensorListFromTensor")
def _from_tensor(call: Call) -> Value:
    return replace(_new(call, None), elements=call[0])


@rule("TensorListGetItem")
def _get_item(call: Call) -> Value:
    return _take(call, call[0], call[1])


@rule("TensorListSetItem")
def _set_item(call: Call) -> Value:
    return _write_element(_array(call[0]), call[1], call[2])


@rule("TensorListPushBack")
def _push_back(call: Call) -> Value:
    return _write_element(_array(call[0]), None, call[1])


@rule("TensorListLength")
def _length(call: Call) -> Value:
    array = _array(call[0])
    if array.length is not None and not array.grows:
        return array.length
    count = call.cast(call.squeeze(_first_size(call, _elements(array)), 0), DataType.INT32)
    return count if array.length is None else call.op("Max", count, array.length)


@rule("TensorListStack")
def _stack(call: Call) -> Value:
    """Elements that a loop did not write are 0."""
    array, elements = _array(call[0]), _elements(call[0])
    if array.length is None:
        return elements
    missing = call.op("Sub", call.vector(array.length), _first_size(call, elements))
    missing = call.op("Max", missing, vector([0])) if array.grows else missing
    rank = call.rank(elements)
    pads = call.op("Concat", vector([0] * rank), missing, vector([0] * (rank - 1)), axis=0)
    padded = call.op("Pad", elements, pads, np.zeros((), elements.dtype.numpy))
    return call.builder.reshaped(padded, (None, *(elements.dims or ())[1:]))
