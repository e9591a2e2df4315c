"""``TensorArray`` (version 3) as lists of tensors, the form in which TensorFlow 2 writes loops and other converters know them.

A ``TensorArray`` is a resource; its flow, a number that is passed on, gives the order in which it is written. A list is a value
and takes the place of the flow. The shape of its elements, an argument of list ops, takes the place of the handle, so that both
reach a loop where the array's did. Source: ``tensorflow/core/ops/{data_flow_ops,list_ops}.cc``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphscope.analysis.shapes import infer
from graphscope.core.changes.build import constant, make_node, type_attr, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import ENTERS, EXITS, MERGES, SWITCHES
from graphscope.core.tensors import Shape, TensorName, node_of, shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARRAY = "TensorArrayV3"
_ELEMENT_SHAPE = "/element_shape"
_PASSES = ENTERS | EXITS | MERGES | SWITCHES | {"NextIteration", "Identity"}
_FLOWS = frozenset({"TensorArrayWriteV3", "TensorArrayScatterV3"})
"""They take a flow and give the next one."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What an op of arrays becomes.

    Attributes:
        op: of lists.
        inputs: which of the inputs it takes, handle and flow by what takes their place; ``None`` is the shape made for it.
        dtype: the attribute with the type of an element.
        is_shaped: whether it says the type of the shape.
    """

    op: str
    inputs: tuple[int | None, ...]
    dtype: str = ""
    is_shaped: bool = False


_RULES = {
    ARRAY: _Rule("TensorListReserve", (None, 0), "dtype", is_shaped=True),
    "TensorArrayReadV3": _Rule("TensorListGetItem", (2, 1, 0), "dtype"),
    "TensorArrayWriteV3": _Rule("TensorListSetItem", (3, 1, 2), "T"),
    "TensorArrayScatterV3": _Rule("TensorListFromTensor", (2, 0), "T", is_shaped=True),
    "TensorArrayGatherV3": _Rule("TensorListStack", (2, 0), "dtype"),
    "TensorArraySizeV3": _Rule("TensorListLength", (1,)),
}

_MAX_STEPS = 64
"""From a write to the array, through the loops and branches around it."""

_INDEXED = {"TensorArrayScatterV3": 1, "TensorArrayGatherV3": 1}
"""Their input that says which elements, which has to be all of them in order."""


def with_tensor_lists(graph: Graph) -> Graph:
    """``graph`` with a list for each array; the same graph if it has no array, or one that is more than a list.

    Such are arrays that grow, that are split or concatenated, those of which chosen elements are scattered or gathered, and
    those with elements of unknown rank: none is stated, nor does what is written have one.
    """
    arrays = [
        node for node in graph if node.op.startswith("TensorArray") and not node.op.startswith("TensorArrayDataset")
    ]
    if not arrays or any(node.op not in _RULES or not _is_list(graph, node) for node in arrays):
        return graph
    shapes = _element_shapes(graph, arrays)
    if None in shapes.values():
        return graph
    kinds = _kinds(graph)
    return graph.with_nodes(node for original in graph for node in _nodes(original, shapes, kinds))


def _element_shapes(graph: Graph, arrays: Iterable[Node]) -> dict[str, Shape]:
    """Array -> the shape of its elements, as it states it or as what is written says; ``None`` where neither does."""
    found = {node.name: shape_of(node.attrs["element_shape"].shape) for node in arrays if node.op == ARRAY}
    if None not in found.values():
        return found
    inferred = infer(graph)
    for node in arrays:
        array = _array(graph, node) if node.op in _FLOWS else None
        if array is not None and found[array] is None:
            shape = inferred.shape(str(TensorName.parse(node.inputs[2])))
            found[array] = shape[1:] if shape is not None and node.op == "TensorArrayScatterV3" else shape
    return found


def _array(graph: Graph, node: Node) -> str | None:
    """The array whose handle ``node`` takes; ``None`` if it comes through more than loops and branches."""
    for _ in range(_MAX_STEPS):
        node = graph[node_of(node.inputs[0])]
        if node.op == ARRAY:
            return node.name
        if node.op not in _PASSES:
            break
    return None


def _is_list(graph: Graph, node: Node) -> bool:
    if node.op == ARRAY:
        return not node.attrs["dynamic_size"].b
    if node.op == "TensorArrayScatterV3" and graph[node_of(node.inputs[3])].op != ARRAY:
        return False
    place = _INDEXED.get(node.op)
    return place is None or _is_in_order(graph, graph[node_of(node.inputs[place])])


def _is_in_order(graph: Graph, indices: Node) -> bool:
    """Whether it gives 0, 1, 2, ...: TensorFlow's own functions ask for as many as there are."""
    if indices.op == "Range":
        start, _, delta = (graph[node_of(text)] for text in indices.data_inputs())
        return _holds(start, 0) and _holds(delta, 1)
    values = _values(indices)
    return values is not None and bool(np.array_equal(values, np.arange(values.size)))


def _holds(node: Node, number: int) -> bool:
    values = _values(node)
    return values is not None and values.shape == () and bool(values == number)


def _values(node: Node) -> NDArray[Any] | None:
    content = node.tensor() if node.op == "Const" else None
    return None if content is None else content.numpy()


def _kinds(graph: Graph) -> dict[str, DataType]:
    """Node that passes on a handle or a flow -> the type that takes its place: of a shape, or of a list."""
    kinds: dict[str, DataType] = {}
    waiting = [(n.name, DataType.VARIANT) for n in graph if n.op in _FLOWS]
    for array in (n for n in graph if n.op == ARRAY):
        for node in graph.consumers(array.name):
            taken = {TensorName.parse(text).index for text in node.data_inputs() if node_of(text) == array.name}
            if node.op in _PASSES:
                waiting.append((node.name, DataType.INT32 if taken == {0} else DataType.VARIANT))
                kinds[node.name] = waiting[-1][1]
    while waiting:
        name, kind = waiting.pop()
        for node in graph.consumers(name):
            passes = node.op in _PASSES and any(node_of(text) == name for text in node.data_inputs()[: _data(node)])
            if passes and node.name not in kinds:
                kinds[node.name] = kind
                waiting.append((node.name, kind))
    return kinds


def _data(node: Node) -> int:
    """How many inputs carry what it passes on; the predicate of a switch does not."""
    return 1 if node.op in SWITCHES else len(node.inputs)


def _nodes(original: Node, shapes: Mapping[str, Shape], kinds: Mapping[str, DataType]) -> Iterator[Node]:
    node = with_inputs(original, [_rename(text, shapes.keys()) for text in original.inputs])
    if node.op == ARRAY:
        sizes = shapes[node.name] or ()
        yield constant(
            f"{node.name}{_ELEMENT_SHAPE}", np.array([-1 if size is None else size for size in sizes], np.int32)
        )
    if node.op in _RULES:
        rule = _RULES[node.op]
        yield _list_op(node, rule)
    elif node.name in kinds:
        yield make_node(node.name, node.op, node.inputs, {**node.attrs, "T": type_attr(kinds[node.name])})
    else:
        yield node


def _rename(text: str, arrays: AbstractSet[str]) -> str:
    """Of an array, the handle is now the shape of an element, and the flow the list."""
    if text.startswith("^") or node_of(text) not in arrays:
        return text
    name = TensorName.parse(text)
    return name.node if name.index else f"{name.node}{_ELEMENT_SHAPE}"


def _list_op(node: Node, rule: _Rule) -> Node:
    inputs = node.data_inputs()
    taken = [f"{node.name}{_ELEMENT_SHAPE}" if place is None else inputs[place] for place in rule.inputs]
    controls = [text for text in node.inputs if text.startswith("^")]
    attrs = {"element_dtype": node.attrs[rule.dtype]} if rule.dtype else {}
    if rule.is_shaped:
        attrs["shape_type"] = type_attr(DataType.INT32)
    if rule.op == "TensorListStack":
        attrs["num_elements"] = AttrValue(i=-1)
    return make_node(node.name, rule.op, [*taken, *controls], attrs)
