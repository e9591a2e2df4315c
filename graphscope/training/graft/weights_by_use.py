"""The constants of a frozen graph that are weights: those used by an op as a layer's weights."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import DEFAULTED, PLACEHOLDER_OPS
from graphscope.core.tensors import node_of

_PLACES: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(
        ("Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Conv3DBackpropInputV2"), (1,)
    ),
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), (0, 1)),
    **dict.fromkeys(("BiasAdd", "BiasAddV1"), (1,)),
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), (1, 2)),
    "BatchNormWithGlobalNormalization": (3, 4),
    **dict.fromkeys(("Gather", "GatherV2"), (0,)),
}
"""Op -> the places of its inputs that are kernels, biases, scales, offsets or embeddings."""

_KERNELS = frozenset(op for op in _PLACES if op.startswith(("Conv", "Depthwise", "MatMul", "BatchMatMul", "Gather")))
_ELEMENTWISE = frozenset(("Add", "AddV2", "Sub", "Mul", "RealDiv"))
_PASSED = frozenset(("Identity", "Cast", "Reshape", "ExpandDims", "Enter")) | _ELEMENTWISE


def used_as_weights(graph: Graph, names: Iterable[str]) -> list[str]:
    """Those of ``names`` that are kernels, biases and the like by what takes their value.

    An element-wise op makes a weight of a constant only behind the first kernel: what is done to pixels before it (a mean
    that is subtracted, a factor) is no weight.
    """
    data = graph.descendants([n.name for n in graph.nodes if n.op in PLACEHOLDER_OPS - {DEFAULTED}])
    layers = graph.descendants([n.name for n in graph.nodes if n.op in _KERNELS and n.name in data])
    return [name for name in names if _is_weight(graph, name, data, layers)]


def _is_weight(graph: Graph, name: str, data: Collection[str], layers: Collection[str]) -> bool:
    seen, waiting = {name}, [name]
    while waiting:
        source = waiting.pop()
        for consumer in graph.consumers(source):
            if _takes_weight(consumer, source, layers):
                return True
            if consumer.name not in seen and consumer.op in _PASSED and consumer.name not in data:
                seen.add(consumer.name)
                waiting.append(consumer.name)
    return False


def _takes_weight(consumer: Node, source: str, layers: Collection[str]) -> bool:
    inputs = [node_of(text) for text in consumer.data_inputs()]
    places = [place for place, text in enumerate(inputs) if text == source]
    if consumer.op in _ELEMENTWISE:
        return bool(places) and any(text in layers for text in inputs if text != source)
    return any(place in _PLACES.get(consumer.op, ()) for place in places)
