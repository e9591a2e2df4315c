"""Where one network ends and another begins: generator and judge, actor and critic."""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.analysis.flow import FLAGS, NOISE, Flow

_READS = frozenset({"Identity", "ReadVariableOp", "Enter", "RefEnter", "Cast"})
_JOINS = frozenset({"Concat", "ConcatV2", "Pack"})
_CHAIN = frozenset(
    "Identity Reshape Squeeze ExpandDims Transpose Cast BiasAdd BiasAddV1 Relu Relu6 Elu Selu LeakyRelu Softplus Softsign Tanh Sigmoid"
    " Softmax LogSoftmax FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 FakeQuantWithMinMaxVars".split()
)
"""Ops that a layer ends with, and those that pass on what it gives."""
_WITH_WEIGHTS = frozenset("Add AddV2 Mul Sub RealDiv".split())
_STEPS = 8


def handed_on(flow: Flow) -> set[int]:
    """Ends of networks whose result goes into a layer that is applied to something fed as well, which it does not depend on.

    The judge of an adversarial network sees real examples and made ones, a critic actions of others and the actor's own. Of a
    recurrent layer each step depends on what the first one was fed.
    """
    uses: dict[int, list[int]] = {}
    found = set()
    for i in flow.layers:
        for weight in _weights(flow, i):
            uses.setdefault(weight, []).append(i)
    for layers in uses.values():
        parts = [p for i in layers for p in _parts(flow, i)] if len(layers) > 1 else list(_stacked(flow, layers[0]))
        raw = [_fed(flow, p) for p in parts if not flow.depth[p]]
        for part in parts:
            if flow.depth[part] and any(mask & ~_fed(flow, part) for mask in raw):
                end = _end(flow, part)
                if end is not None:
                    found.add(end)
    return found


def _fed(flow: Flow, i: int) -> int:
    return flow.sources[i] & ~(FLAGS & ~NOISE)


def _weights(flow: Flow, layer: int) -> Iterator[int]:
    """The variables that a layer applies, behind what reads them."""
    for producer in flow.inputs[layer]:
        if flow.is_weight[producer]:
            while flow.ops[producer] in _READS and flow.inputs[producer]:
                producer = flow.inputs[producer][0]
            yield producer


def _parts(flow: Flow, layer: int) -> Iterator[int]:
    """What a layer is applied to; the parts of it that are joined, where a part was fed and another one made."""
    for producer in flow.inputs[layer]:
        if not flow.is_weight[producer] and flow.sources[producer]:
            yield producer
    yield from _stacked(flow, layer, axis=None)


def _stacked(flow: Flow, layer: int, axis: int | None = 0) -> Iterator[int]:
    """The parts of a batch that is put together from several; along any axis where ``axis`` is ``None``."""
    for producer in flow.inputs[layer]:
        if flow.ops[producer] in _JOINS and (axis is None or _axis(flow, producer) == axis):
            yield from (p for p in flow.inputs[producer] if flow.sources[p])


def _axis(flow: Flow, join: int) -> int | None:
    node = flow.nodes[join]
    if flow.ops[join] == "Pack":
        return None
    last = flow.inputs[join][-1 if flow.ops[join] == "ConcatV2" else 0]
    tensor = flow.nodes[last].tensor() if flow.ops[last] == "Const" else None
    return int(tensor.numpy().reshape(-1)[0]) if tensor is not None and tensor.elements == 1 and node.inputs else None


def last_layers(flow: Flow) -> set[int]:
    """Ends of the last layers: their biases, activations and reshapes included, where no such thing follows."""
    within = _chains(flow)
    deeper = {p for i in flow.layers for p in _ancestry(flow, i)}
    return {
        i
        for i in within
        if i not in deeper and not any(c in within and not flow.outside[c] for c in flow.consumers[i])
    }


def _chains(flow: Flow) -> set[int]:
    """Layers, and what belongs to them."""
    found = set(flow.layers)
    for i in flow.order:
        if i in found or flow.outside[i]:
            continue
        data = [p for p in flow.inputs[i] if flow.sources[p]]
        if flow.ops[i] in _CHAIN:
            if data and data[0] in found:
                found.add(i)
        elif flow.ops[i] in _WITH_WEIGHTS and len(data) == 1 and data[0] in found:
            others = [p for p in flow.inputs[i] if p != data[0]]
            if others and flow.is_weight[others[0]]:
                found.add(i)
    return found


def _ancestry(flow: Flow, layer: int) -> Iterator[int]:
    return (p for p in flow.inputs[layer] if flow.depth[p])


def _end(flow: Flow, i: int) -> int | None:
    """The end of the network that made node ``i``, behind what prepares it for the next one."""
    for _ in range(_STEPS):
        if flow.ops[i] not in _JOINS:
            return i
        deep = [p for p in flow.inputs[i] if flow.depth[p]]
        if not deep:
            return None
        i = max(deep, key=lambda p: flow.depth[p])
    return None
