"""Batch norm that was built for training: it takes mean and variance from the batch, so that examples depend on one another.

Besides the fused ops that is what ``tf.nn.moments`` makes of the result of a layer, over the examples.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.core.graph import Body, Graph, Node, reached_functions
from graphscope.core.ops.sets import ENTERS
from graphscope.core.tensors import node_of
from graphscope.transforms.findings.dropout import PASS_THROUGH
from graphscope.transforms.findings.switches import open_switches

_FUSED = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
_LAYERS = frozenset(
    "BiasAdd MatMul Conv1D Conv2D Conv3D DepthwiseConv2dNative Conv2DBackpropInput Relu Relu6 LeakyRelu".split()
)
_MAX_STEPS = 16


def find_batch_statistics(graph: Graph) -> list[str]:
    """The nodes of ``graph``, and of the functions that it calls, that normalize by the statistics of a batch.

    None while a training switch is open: it may well decide about them.
    """
    bodies: list[Body] = [graph, *reached_functions(graph, graph.nodes)]
    found = [node.name for body in bodies for node in _normalizing(body)]
    return [] if found and open_switches(graph) else found


def _normalizing(body: Body) -> Iterator[Node]:
    ops = set(body.ops)
    if _FUSED.isdisjoint(ops) and "SquaredDifference" not in ops:
        return
    for op, node in zip(body.ops, body.nodes):
        if op in _FUSED:
            trains = node.attr("is_training")
            if trains is None or trains.b:
                yield node
        elif op == "Mean" and _is_variance(body, node):
            yield node


def _is_variance(body: Body, mean: Node) -> bool:
    """Whether ``mean`` is over the squared differences of a layer's results from their mean, both over the examples."""
    square = _averaged(body, mean)
    if square is None or square.op != "SquaredDifference" or len(square.data_inputs()) != 2:
        return False
    whole, average = (_behind(body, text) for text in square.data_inputs())
    if whole is None or whole.op not in _LAYERS or average is None or average.op != "Mean":
        return False
    again = _averaged(body, average)
    return again is not None and again.name == whole.name


def _averaged(body: Body, mean: Node) -> Node | None:
    """What ``mean`` averages over the examples, whatever other axes; ``None`` if that is not sure."""
    if len(mean.data_inputs()) != 2:
        return None
    value, axes = (_behind(body, text) for text in mean.data_inputs())
    tensor = axes.tensor() if axes is not None and axes.op == "Const" else None
    return value if tensor is not None and tensor.elements < _MAX_STEPS and 0 in tensor.listed() else None


def _behind(body: Body, text: str) -> Node | None:
    """The node that gives what others pass on as ``text``."""
    node = body.get(node_of(text))
    for _ in range(_MAX_STEPS):
        if node is None or node.op not in PASS_THROUGH | ENTERS or not node.inputs:
            break
        node = body.get(node_of(node.inputs[0]))
    return node
