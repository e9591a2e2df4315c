"""A canonical text of a model for comparison: one line for each node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphscope.analysis.attributes import Attributes, exact_text
from graphscope.analysis.contents import UNREADABLE, content_crc
from graphscope.core.collections import Collection
from graphscope.core.graph import Body, Function, Node
from graphscope.core.model import Model
from graphscope.core.signatures import Signature
from graphscope.core.tensors import TensorSpec, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import AbsentPayload, Payload
from graphscope.core.variables.variables import Variable

SHORT = 8
"""Up to this many elements, a constant's values are written out."""


def model_text(model: Model, *, reads_values: bool = True) -> Iterator[str]:
    """The lines of the text: signatures, functions, nodes, variables, collections, each sorted by name.

    Order of nodes, attributes that are defaults, inferred shapes, paths and versions leave no trace. Of values, there is the
    CRC-32C; a checkpoint states it, constants are read.

    Args:
        reads_values: whether values are read; without it, a line tells only their type and shape.

    Raises:
        CorruptFileError, IncompleteModelError: a value cannot be read.
    """
    text = _Text(model, reads_values)
    for signature in model.signatures.values():
        yield _signature(signature)
    if model.has_graph:
        for _, function in sorted(model.graph.functions.items()):
            yield from text.function(function)
        yield from text.nodes("", model.graph)
    yield from sorted(text.variable(variable) for variable in model.variables)
    yield from map(_collection, model.collections.values())


class _Text:
    def __init__(self, model: Model, reads_values: bool) -> None:
        self.model = model
        self.reads_values = reads_values
        self.attributes = Attributes(model.catalog) if model.has_graph else None

    def function(self, function: Function) -> Iterator[str]:
        signature = function.signature
        taken = ", ".join(f"{a.name}: {DataType.of(a.type).label}" for a in signature.input_arg)
        given = ", ".join(f"{a.name}: {DataType.of(a.type).label}" for a in signature.output_arg)
        yield f"function {function.name}({taken}) -> ({given})"
        yield from self.nodes("  ", function)
        for name, source in sorted(function.proto.ret.items()):
            yield f"  return {name} = {source}"

    def nodes(self, indent: str, body: Body) -> Iterator[str]:
        for node in sorted(body.nodes, key=lambda node: node.name):
            yield f"{indent}node {self.node(node)}"

    def node(self, node: Node) -> str:
        inputs = [text.removesuffix(":0") if text.count(":") == 1 else text for text in node.inputs]
        data = [text for text in inputs if not text.startswith("^")]
        control = sorted(text for text in inputs if text.startswith("^"))
        values = self.attributes.of(node) if self.attributes is not None else {}
        parts = [f"{name}={self.attribute(node, name)}" for name in values]
        device = [f"device={node.device}"] if node.device else []
        return " ".join([f"{node.name} = {node.op}({', '.join([*data, *control])})", *parts, *device])

    def attribute(self, node: Node, name: str) -> str:
        if name in node.payloads or node.attrs[name].WhichOneof("value") == "tensor":
            payload = node.tensor(name)
            return self.value(payload) if payload is not None else ""
        return exact_text(node.attrs[name])

    def value(self, payload: Payload) -> str:
        head = f"{payload.dtype.label} {shape_text(payload.shape)}"
        if not self.reads_values or payload.dtype in UNREADABLE or isinstance(payload, AbsentPayload):
            return head
        if payload.elements <= SHORT and payload.nbytes is not None:
            return f"{head} {payload.listed()}"
        return f"{head} crc32c:{content_crc(payload):08x}"

    def variable(self, variable: Variable) -> str:
        key = f" key={variable.key}" if variable.key not in (None, variable.name) else ""
        if variable.entry is None:
            value = f"{variable.dtype.label} {shape_text(variable.shape)} no value"
        else:
            value = self.value(self.model.value(variable))
        return f"variable {variable.name} {value}{key}"


def _signature(signature: Signature) -> str:
    inputs, outputs = _arguments(signature.inputs), _arguments(signature.outputs)
    return f"signature {signature.name} {signature.method} ({inputs}) -> ({outputs})"


def _arguments(arguments: Mapping[str, tuple[TensorSpec, ...]]) -> str:
    return ", ".join(
        f"{name}: {spec.name} {spec.dtype.label} {shape_text(spec.shape)}"
        for name, specs in arguments.items()
        for spec in specs
    )


def _collection(collection: Collection) -> str:
    names = ", ".join(collection.names)
    return f"collection {collection.name}: {len(collection.values)} {collection.kind}" + (
        f" [{names}]" if names else ""
    )
