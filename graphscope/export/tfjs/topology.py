"""``model.json``: the graph as protobuf writes it in JSON, the signature, and where the weights are.

Source: ``tfjs-converter/src/data/compiled_api.ts`` and ``tfjs-core/src/io/types.ts`` (``ModelJSON``), 4.22.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.core.changes.build import tensor_head
from graphscope.core.graph import Function, Node
from graphscope.core.ops.table import registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.export.tfjs.element_types import in_attributes
from graphscope.export.tfjs.ops import op_table
from graphscope.protos import AttrValue, TensorShapeProto

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from graphscope.export.tfjs.graph import TfjsGraph


def model_json(graph: TfjsGraph, shards: Sequence[str]) -> dict[str, Any]:
    """The content of ``model.json``.

    Args:
        shards: names of the weight files.
    """
    library = {"function": [_function(function) for function in graph.graph.functions.values()]}
    signature = _message(graph.signature)
    return {
        "format": "graph-model",
        "generatedBy": "TensorFlow",
        "convertedBy": "graphscope",
        "signature": signature,
        "userDefinedMetadata": {"signature": signature},
        "modelTopology": {
            "node": _nodes(graph.graph),
            "library": library,
            "versions": {"minConsumer": 0, **_message(graph.graph.versions)},
        },
        "weightsManifest": [{"paths": list(shards), "weights": [weight.entry for weight in graph.weights]}],
    }


def _nodes(nodes: Iterable[Node]) -> list[dict[str, Any]]:
    return [_node(node) for node in nodes]


def _node(node: Node) -> dict[str, Any]:
    """Without control inputs: TF.js counts them as data."""
    written: dict[str, Any] = {"name": node.name, "op": node.op}
    inputs = node.data_inputs()
    if inputs:
        written["input"] = inputs
    written["attr"] = {name: _attribute(value) for name, value in _attributes(node).items()}
    return written


def _attributes(node: Node) -> Mapping[str, AttrValue]:
    """The node's attributes, and the defaults of missing ones that TF.js reads."""
    stated = {name: value for name, value in sorted(node.attrs.items()) if not name.startswith("_")}
    definition = registered_ops().get(node.op)
    wanted = op_table().attributes.get(node.op, ())
    for attribute in definition.attr if definition is not None else ():
        if attribute.name in wanted and attribute.name not in stated and attribute.HasField("default_value"):
            stated[attribute.name] = attribute.default_value
    payload = node.tensor() if node.op == "Const" else None
    if payload is not None:
        head = tensor_head(payload)
        head.dtype = stated["dtype"].type
        stated["value"] = AttrValue(tensor=head)
    return stated


def _attribute(value: AttrValue) -> dict[str, Any]:
    """An attribute in JSON, with types that TF.js knows."""
    kind = value.WhichOneof("value")
    if kind == "type":
        return {"type": _type(value.type)}
    if kind == "shape":
        return {"shape": _shape(value.shape)}
    if kind == "tensor":
        return {"tensor": {"dtype": _type(value.tensor.dtype), "tensorShape": _shape(value.tensor.tensor_shape)}}
    if kind == "list" and value.list.type:
        return {"list": {"type": [_type(number) for number in value.list.type]}}
    if kind == "list" and value.list.shape:
        return {"list": {"shape": [_shape(shape) for shape in value.list.shape]}}
    return _message(value)


def _shape(proto: TensorShapeProto) -> dict[str, Any]:
    """Differs from protobuf's JSON, which omits sizes of 0; TF.js would read them as NaN."""
    return {"unknownRank": True} if proto.unknown_rank else {"dim": [{"size": str(dim.size)} for dim in proto.dim]}


def _type(number: int) -> str:
    return f"DT_{in_attributes(DataType.of(number)).name}"


def _function(function: Function) -> dict[str, Any]:
    """Includes empty lists, which protobuf omits and TF.js requires."""
    proto = _message(function.proto)
    signature = {"inputArg": [], "outputArg": [], **proto.get("signature", {})}
    return {"ret": {}, **proto, "signature": signature, "nodeDef": _nodes(function)}


def _message(message: Message) -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict

    found: dict[str, Any] = MessageToDict(message)
    return found
