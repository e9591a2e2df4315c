"""Finds the boundaries between networks: generator and discriminator, actor and critic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from graphscope.analysis.ends.flow import BATCHED, FLAGS, NOISE, Flow
from graphscope.core.ops.sets import VARIABLE_OPS

_READS = frozenset({"Identity", "ReadVariableOp", "Enter", "RefEnter", "Cast"})
_JOINS = frozenset({"Concat", "ConcatV2", "Pack"})
_CHAIN = frozenset(
    "Identity Reshape Squeeze ExpandDims Transpose Cast BiasAdd BiasAddV1 Relu Relu6 Elu Selu LeakyRelu Softplus Softsign Tanh"
    " Sigmoid Softmax LogSoftmax FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 FakeQuantWithMinMaxVars".split()
)
"""Ops that a layer ends with, and those that pass on what it gives."""
_WITH_WEIGHTS = frozenset("Add AddV2 Mul Sub RealDiv".split())


def passed_results(flow: Flow) -> set[int]:
    """Ends of networks whose result goes into a layer that is applied to something fed as well, which it does not depend on.

    The discriminator of an adversarial network sees real and generated examples, a critic actions of others and the actor's
    own. Of a recurrent layer each step depends on what the first one was fed. What has constants for weights learns nothing: it
    compares what the model makes with what it was made of, by their features.
    """
    uses: dict[tuple[int, int], list[int]] = {}
    layers = Counter(weight for i in flow.layers for weight in _weights(flow, i))
    for i in flow.layers:
        for weight in _weights(flow, i):
            if layers[weight] == 1:
                uses.setdefault((weight, -1), []).extend(_iterate_stacked(flow, i))
                continue
            for place, part in _parts(flow, i):
                uses.setdefault((weight, place), []).append(part)
    found = set()
    learned = _find_learned(flow)
    for (weight, _), parts in uses.items():
        raw = [_find_fed(flow, p) for p in parts if not flow.depth[p]]
        for part in parts:
            is_made = bool(raw) and flow.ops[weight] == "Const" and part in learned
            if flow.depth[part] and (is_made or any(mask & ~_find_fed(flow, part) for mask in raw)):
                found.add(_before_common_ops(flow, part, [p for p in parts if not flow.depth[p]]))
    return found


def _before_common_ops(flow: Flow, part: int, fed: Sequence[int]) -> int:
    """What ``part`` was before the ops that the second network begins with: it applies them to what is ``fed``, too."""
    for _ in range(_MAX_COMMON):
        fed = [flow.inputs[p][0] for p in fed if flow.ops[p] == flow.ops[part] and flow.inputs[p]]
        before = flow.inputs[part][:1]
        if not fed or not before or not flow.depth[before[0]]:
            break
        part = before[0]
    return part


_MAX_COMMON = 8


def _find_learned(flow: Flow) -> set[int]:
    """What depends on a layer whose weights are variables."""
    layers = {i for i in flow.layers if any(flow.ops[weight] in VARIABLE_OPS for weight in _weights(flow, i))}
    found: set[int] = set()
    for i in flow.order:
        if i in layers or not found.isdisjoint(flow.inputs[i]):
            found.add(i)
    return found


def _find_fed(flow: Flow, i: int) -> int:
    return flow.sources[i] & ~(FLAGS & ~NOISE)


def _weights(flow: Flow, layer: int) -> Iterator[int]:
    """The variables that a layer applies, looked up through their reads."""
    for producer in flow.inputs[layer]:
        if flow.is_weight[producer]:
            while flow.ops[producer] in _READS and flow.inputs[producer]:
                producer = flow.inputs[producer][0]
            yield producer


def _parts(flow: Flow, layer: int) -> Iterator[tuple[int, int]]:
    """The tensors that a layer is applied to, each with its input index; the parts of a concatenation separately."""
    for place, producer in enumerate(flow.inputs[layer]):
        if flow.ops[producer] in _JOINS:
            for k, part in enumerate(flow.inputs[producer]):
                if flow.sources[part]:
                    yield _MAX_INPUTS * (place + 1) + k, part
        elif not flow.is_weight[producer] and flow.sources[producer]:
            yield place, producer


_MAX_INPUTS = 1 << 20


def _iterate_stacked(flow: Flow, layer: int) -> Iterator[int]:
    """The parts of a batch that is put together from several."""
    for producer in flow.inputs[layer]:
        if flow.ops[producer] in _JOINS and _axis(flow, producer) == 0:
            yield from (p for p in flow.inputs[producer] if flow.sources[p])


def _axis(flow: Flow, join: int) -> int | None:
    if flow.ops[join] == "Pack":
        return None
    last = flow.inputs[join][-1 if flow.ops[join] == "ConcatV2" else 0]
    tensor = flow.nodes[last].tensor() if flow.ops[last] == "Const" else None
    return int(tensor.listed()[0]) if tensor is not None and tensor.elements == 1 else None


def last_layers(flow: Flow) -> set[int]:
    """Ends of the last layers: their biases, activations and reshapes included, where no such thing follows."""
    within = _chains(flow)
    deeper = {p for i in flow.layers for p in _ancestry(flow, i)}
    return {
        i for i in within if i not in deeper and not any(c in within and not flow.outside[c] for c in flow.consumers[i])
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
        elif flow.ops[i] in _SCALES and len(data) == 2 and data[0] in found and _is_norm(flow, data[1], data[0]):
            found.add(i)
    return found


def _is_norm(flow: Flow, i: int, whole: int) -> bool:
    """Whether node ``i`` is the norm of ``whole``, for each example, or one divided by it."""
    for _ in range(_MAX_COMMON):
        data = {p for p in flow.inputs[i] if flow.sources[p]}
        if i == whole or flow.ops[i] not in _NORM or not flow.sources[i] & BATCHED or len(data) != 1:
            return False
        [i] = data
        if i == whole:
            return True
    return False


_SCALES = frozenset({"Mul", "RealDiv", "Div", "DivNoNan"})
_NORM = frozenset("Rsqrt Sqrt Maximum Sum Square Add AddV2 Abs Mul Reshape ExpandDims Identity".split())


def _ancestry(flow: Flow, layer: int) -> Iterator[int]:
    return (p for p in flow.inputs[layer] if flow.depth[p])
