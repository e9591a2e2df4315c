"""The inputs of a graph: its placeholders, without those of savers, tables and queues."""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.analysis.ends.savers import saver_nodes
from graphscope.analysis.tensors import TensorLister
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model
from graphscope.core.ops.sets import PLACEHOLDER_OPS, brings_data
from graphscope.core.tensors import Shape, TensorName, node_of
from graphscope.core.values.dtypes import UNFEEDABLE, DataType
from graphscope.named_tuple import NamedTuple

DECODING_OPS = frozenset(
    "DecodeJpeg DecodePng DecodeGif DecodeBmp DecodeImage DecodeAndCropJpeg DecodeWebP DecodeWav DecodeRaw"
    " DecodeCompressed".split()
)
"""Ops that decode fed data: encoded bytes from a placeholder, or from a constant in its place."""

_BOOKKEEPING_OPS = frozenset(
    "Save SaveV2 SaveSlices Restore RestoreV2 RestoreSlice ShardedFilename MergeV2Checkpoints StringJoin"
    " InitializeTableFromTextFile InitializeTableFromTextFileV2 NoOp Assert QueueEnqueue QueueEnqueueV2 QueueEnqueueMany"
    " QueueEnqueueManyV2 Stage".split()
)
"""Ops that only save, restore, check, or fill what others take the data from."""

_PASSED = frozenset({"PlaceholderWithDefault", "Identity", "Pack"})
_DEFAULT_ELEMENTS = 16


class InputRow(NamedTuple):
    """A placeholder.

    Attributes:
        tensor: its tensor name.
        dtype, shape: as stated.
        default: the value that it takes when it is not fed, as text; ``None`` if it must be fed.
        argument: the name that a signature gives it; empty without one.
    """

    tensor: str
    dtype: DataType
    shape: Shape
    default: str | None = None
    argument: str = ""


def find_inputs(model: Model) -> list[InputRow]:
    """The inputs: those of signatures first, in their order, then other placeholders, those with a default last."""
    graph = model.graph
    lister = TensorLister(model.catalog, graph.producer)
    arguments = {
        spec.name: name for signature in model.signatures.values() for name, s in signature.inputs.items() for spec in s
    }
    order = {tensor: i for i, tensor in enumerate(arguments)}
    savers = saver_nodes(graph)
    rows = []
    for op, node in zip(graph.ops, graph.nodes):
        if op not in PLACEHOLDER_OPS or not is_feedable(node):
            continue
        if f"{node.name}:0" in arguments or not (node.name in savers or _is_bookkeeping(graph, node, model)):
            spec = lister.outputs(node, graph)[0]
            default = _default(graph, node) if node.op == "PlaceholderWithDefault" else None
            rows.append(InputRow(spec.name, spec.dtype, spec.shape, default, arguments.get(spec.name, "")))
    for node in encoded_constants(graph):
        rows += [
            InputRow(s.name, s.dtype, s.shape, argument=arguments.get(s.name, "")) for s in lister.outputs(node, graph)
        ]
    if all(row.shape == () for row in rows):  # at most switches and rates are fed, and handles of iterators
        rows += _data_sources(graph, lister)
    return sorted(rows, key=lambda row: (order.get(row.tensor, len(order)), row.default is not None))


def is_feedable(placeholder: Node) -> bool:
    """Whether a person can give its value: resources and variants, which a traced function captured, have no array form."""
    dtype = placeholder.attr("dtype")
    return dtype is None or DataType.of(dtype.type) not in UNFEEDABLE


def encoded_constants(graph: Graph) -> list[Node]:
    """Scalar string constants that are decoded in the graph: inputs that an author left a constant, to be fed over it."""
    found: dict[str, Node] = {}
    for op, node in zip(graph.ops, graph.nodes):
        if op in DECODING_OPS and node.inputs:
            source = graph.get(node_of(node.inputs[0]))
            while source is not None and source.op == "Identity" and source.inputs:
                source = graph.get(node_of(source.inputs[0]))
            if source is not None and source.op == "Const":
                found[source.name] = source
    return list(found.values())


def _data_sources(graph: Graph, lister: TensorLister) -> Iterator[InputRow]:
    """What iterators, queues and parsers give: their outputs that are used, of those from which the model gets the data."""
    sources = [node for op, node in zip(graph.ops, graph.nodes) if brings_data(op)]
    last = [node for node in sources if not _fills_others(graph, node.name)]
    for node in last or sources:
        inputs = (TensorName.parse(i) for c in graph.consumers(node.name) for i in c.data_inputs())
        used = {i.index for i in inputs if i.node == node.name}
        for i, spec in enumerate(lister.outputs(node, graph)):
            if i in used and spec.dtype not in UNFEEDABLE:
                yield InputRow(spec.name, spec.dtype, spec.shape)


def _fills_others(graph: Graph, name: str) -> bool:
    """Whether all that source ``name`` gives goes into other sources, as a reader's records go into a queue of batches."""
    seen = {graph.numbers[name]}
    waiting = list(seen)
    fills = False
    while waiting:
        i = waiting.pop()
        fresh = [c for c in graph.consumer_numbers[i] if c not in seen]
        seen.update(fresh)
        op = graph.ops[i]
        if op in _BOOKKEEPING_OPS or (brings_data(op) and graph.names[i] != name):
            fills = True
        elif graph.consumer_numbers[i]:
            waiting += fresh
        elif "Summary" not in op:
            return False
    return fills


def _is_bookkeeping(graph: Graph, node: Node, model: Model) -> bool:
    """Whether only savers and table initializers read it: the file name that a saver is fed."""
    if node_of(model.meta.saver_def.filename_tensor_name) == node.name:
        return True
    saver_scope = model.meta.saver_def.filename_tensor_name.rpartition("/")[0]
    if saver_scope and node.name.startswith(saver_scope + "/"):
        return True
    ends = _ends(graph, node.name)
    if not ends:
        return node.op == "PlaceholderWithDefault" and node.name.rpartition("/")[2].startswith(("Const", "filename"))
    return ends <= _BOOKKEEPING_OPS


def _ends(graph: Graph, name: str) -> set[str]:
    """The ops that take node ``name``, or what only passes it on."""
    start = graph.numbers[name]
    seen = {start}
    waiting = [start]
    while waiting:
        for consumer in graph.consumer_numbers[waiting.pop()]:
            if consumer not in seen:
                seen.add(consumer)
                if graph.ops[consumer] in _PASSED:
                    waiting.append(consumer)
    return {graph.ops[i] for i in seen if i != start} - _PASSED


def _default(graph: Graph, node: Node) -> str:
    """The default of a ``PlaceholderWithDefault``, where it is a small constant; otherwise the tensor it comes from."""
    source = graph.get(node_of(node.inputs[0])) if node.inputs else None
    tensor = source.tensor() if source is not None and source.op == "Const" else None
    if tensor is None or tensor.elements > _DEFAULT_ELEMENTS:
        return node.inputs[0] if node.inputs else ""
    return str(tensor.numpy().tolist())
