"""The sources of a graph, one bit for each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from graphscope.analysis.ends.flow import FLAGS, Flow
from graphscope.analysis.ends.inputs import encoded_constants, is_feedable
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import PLACEHOLDER_OPS, VARIABLE_OPS, brings_data
from graphscope.core.ops.table import registered_ops
from graphscope.core.patterns import Pattern
from graphscope.core.stated_shapes import stated_shape
from graphscope.core.tensors import TensorName, node_of
from graphscope.core.values.dtypes import DataType

_RATES = r"keep_?prob|drop_?out|learning|(^|/)lr$|rate$|momentum"
_RATE_NAME = Pattern(_RATES, re.IGNORECASE)
_SWITCH_NAME = Pattern(rf"train|phase|{_RATES}", re.IGNORECASE)
"""Names of hyperparameters; an array that is called ``train_inputs`` holds examples."""


def source_bits(flow: Flow, graph: Graph) -> dict[tuple[int, int], int]:
    """(node, output) -> bit for every source; output -1 means all outputs of the node.

    Hyperparameters (scalars, booleans, keep_prob) are no sources, unless there is nothing else; a graph without any
    source is fed by its constants, or else by its variables.
    """
    data_ops = set(filter(brings_data, flow.by_op))
    encoded = {node.name for node in encoded_constants(graph)}
    placeholders = [i for i in flow.within(PLACEHOLDER_OPS) if is_feedable(flow.nodes[i])]
    found = [(i, -1) for i in placeholders if not _is_switch(flow.nodes[i])]
    found += [(i, -1) for i in flow.within({"Const"}) if flow.nodes[i].name in encoded]
    for i in flow.within(data_ops):
        found += [(i, k) for k in _used_outputs(flow, i)]
    if not any(flow.consumers[i] for i, _ in found):
        found = [(i, -1) for i in placeholders if flow.consumers[i]] or found
    if not any(flow.consumers[i] for i, _ in found):
        constants = [i for i in flow.within({"Const"}) if _is_used(flow, i)]
        arrays = [i for i in constants if _rank(flow.nodes[i])]
        data = [i for i in arrays if _is_data(flow, i)]
        found = [(i, -1) for i in data or arrays or constants or flow.within(VARIABLE_OPS)]
    return {source: FLAGS + 1 << k for k, source in enumerate(found)}


def _is_used(flow: Flow, i: int) -> bool:
    return not flow.consumers[i] or any(not flow.outside[c] for c in flow.consumers[i])


def _used_outputs(flow: Flow, i: int) -> Iterable[int]:
    name = flow.nodes[i].name
    used: set[int] = set()
    for consumer in flow.consumers[i]:
        parsed = map(TensorName.parse, flow.nodes[consumer].data_inputs())
        used.update(t.index for t in parsed if t.node == name)
    return sorted(used)


def _is_switch(node: Node) -> bool:
    """A hyperparameter: boolean, stated to be a scalar, or named like one."""
    dtype, shape = node.attr("dtype"), node.attr("shape")
    if dtype is not None and DataType.of(dtype.type) is DataType.BOOL:
        return True
    rank = len(shape.shape.dim) if shape is not None else 0
    return rank < 2 and bool((_RATE_NAME if rank else _SWITCH_NAME).search(node.name))


def is_single(node: Node, graph: Graph) -> bool:
    """Whether it is a placeholder of one number, which has no part for each example."""
    return node.op in PLACEHOLDER_OPS and stated_shape(node, 0, graph.producer, graph) == ()


_SETTINGS = frozenset(
    "shape new_shape dense_shape axis dim reduction_indices concat_dim split_dim begin size end strides perm paddings multiples"
    " size_splits dims block_shape crops ksize indices_shape".split()
)
"""Arguments that say how an op works; constants for them are part of the program, not data."""


def _is_data(flow: Flow, i: int) -> bool:
    """Whether something within the model takes node ``i`` for more than a setting."""
    name = flow.nodes[i].name
    inside = [flow.nodes[c] for c in flow.consumers[i] if not flow.outside[c]]
    return any(argument not in _SETTINGS for node in inside for argument in _arguments(node, name))


def _arguments(node: Node, producer: str) -> Iterator[str]:
    """The names of the arguments as which ``node`` takes outputs of ``producer``; a list's name for what follows a list."""
    definition = registered_ops().get(node.op)
    names = [arg.name for arg in definition.input_arg] if definition is not None else []
    for position, text in enumerate(node.data_inputs()):
        if node_of(text) == producer:
            yield names[min(position, len(names) - 1)] if names else ""


def _rank(node: Node) -> int:
    tensor = node.tensor()
    return len(tensor.shape) if tensor is not None else 0
