"""Finds the boundaries between networks: generator and discriminator, actor and critic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

from graphscope.analysis.ends.flow import BATCHED, FLAGS, NOISE, Flow
from graphscope.analysis.ends.unlabelled import RESHAPES, followers
from graphscope.core.ops.sets import VARIABLE_OPS
from graphscope.errors import GraphscopeError

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
    copies = _Copies(flow)
    applied = {i: list(map(copies.original, weights_of(flow, i))) for i in flow.layers}
    layers = Counter(chain.from_iterable(applied.values()))
    for i, weights in applied.items():
        for weight in weights:
            if layers[weight] == 1:
                uses.setdefault((weight, -1), []).extend(_iterate_stacked(flow, i))
                continue
            for place, part in parts_of(flow, i):
                uses.setdefault((weight, place), []).append(part)
    found = set()
    learned = _find_learned(flow)
    for (weight, _), parts in uses.items():
        raw = [_find_fed(flow, p) for p in parts if not flow.depth[p]]
        apart = _find_apart(flow, parts)
        for part in parts:
            is_made = bool(raw) and flow.ops[weight] == "Const" and part in learned
            is_other = any(mask & ~_find_fed(flow, part) for mask in raw)
            if flow.depth[part] and (is_made or is_other or part in apart):
                found.add(_before_common_ops(flow, part, [p for p in parts if not flow.depth[p]]))
    return found


def _find_apart(flow: Flow, parts: Sequence[int]) -> set[int]:
    """Those of ``parts`` that one of them, a slice of what was fed, does not go into: pairs of pictures are fed as one."""
    made = {p for p in parts if flow.depth[p]}
    slices = [p for p in parts if flow.ops[p] in _SLICES and not flow.depth[p]] if made else []
    found: set[int] = set()
    for p in dict.fromkeys(slices[:_MAX_COMMON]):
        beside = (c for i in flow.inputs[p] for c in flow.consumers[i])
        if any(c != p and flow.ops[c] in _SLICES for c in beside):
            found |= made - followers(flow, [p])
    return found


_SLICES = frozenset({"StridedSlice", "Slice"})


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
    layers = {i for i in flow.layers if any(flow.ops[weight] in VARIABLE_OPS for weight in weights_of(flow, i))}
    found: set[int] = set()
    for i in flow.order if layers else ():
        if i in layers or not found.isdisjoint(flow.inputs[i]):
            found.add(i)
    return found


def _find_fed(flow: Flow, i: int) -> int:
    return flow.sources[i] & ~(FLAGS & ~NOISE)


def weights_of(flow: Flow, layer: int) -> Iterator[int]:
    """The variables that a layer applies, looked up through their reads, and through what scales them."""
    for producer in flow.inputs[layer]:
        if flow.is_weight[producer]:
            while flow.ops[producer] in _READS | _WITH_WEIGHTS | RESHAPES:
                before = next((p for p in flow.inputs[producer] if flow.is_weight[p]), None)
                if before is None:
                    break
                producer = before
            yield producer


class _Copies:
    """Constants of equal shape and content in a graph that trains: a network that was loaded, and built twice.

    Arrays of one number are no such thing: a cell without peepholes has zeros for them, however often it is applied.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.first: dict[tuple[object, ...], int] = {}

    def original(self, i: int) -> int:
        """The first constant that is the same as node ``i``; ``i`` itself if there is none, or it is something else."""
        tensor = self.flow.nodes[i].tensor() if self.flow.is_trained and self.flow.ops[i] == "Const" else None
        if tensor is None:
            return i
        try:
            content = bytes(next(iter(tensor.chunks()), b"")[:_MAX_COMPARED])
        except GraphscopeError:
            return i
        size = tensor.dtype.itemsize or 1
        if content[size:] == content[:-size]:
            return i
        return self.first.setdefault((tensor.dtype, tensor.shape, content), i)


_MAX_COMPARED = 1 << 12


def parts_of(flow: Flow, layer: int) -> Iterator[tuple[int, int]]:
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
    within = {i for i in _chains(flow) if not _is_grouping(flow, i)}
    deeper = {p for i in flow.layers for p in _ancestry(flow, i)}
    return {
        i for i in within if i not in deeper and not any(c in within and not flow.outside[c] for c in flow.consumers[i])
    }


def _is_grouping(flow: Flow, i: int) -> bool:
    """Whether node ``i`` reshapes examples only to take them apart: to anchors with their positives and negatives."""
    users = [flow.ops[c] for c in flow.consumers[i] if not flow.outside[c]]
    return flow.ops[i] == "Reshape" and bool(users) and _TAKE_APART.issuperset(users)


_TAKE_APART = frozenset({"Unpack", "Split", "SplitV", *_SLICES})


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
