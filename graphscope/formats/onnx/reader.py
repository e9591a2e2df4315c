"""ONNX files as lists of nodes and tensors.

Source: ``onnx/onnx.proto`` (1.23).
"""

from __future__ import annotations

from graphscope.core.foreign import ForeignModel
from graphscope.formats.detect.locate import GraphFile
from graphscope.formats.io.files import model_file
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.split_weights import CutTensor, cut
from graphscope.formats.onnx.graphs import OWN_DOMAINS, GraphReader
from graphscope.formats.onnx.levels import MODEL
from graphscope.formats.onnx.tensors import OnnxTensors
from graphscope.protos import DecodeError, OnnxModel


def read_foreign(location: GraphFile) -> ForeignModel:
    """The ONNX model at ``location``: its structure; weights stay in their files.

    Raises:
        CorruptFileError: it is broken, or has no graph.
    """
    source = location.source
    message, tensors = _message(source)
    reader = GraphReader(OnnxTensors(source, tensors))
    graph = reader.graph(message.graph)
    for number, function in enumerate(message.functions):
        reader.function(function, number)
    external = reader.tensors.external
    return ForeignModel(
        path=str(source.path),
        kind="ONNX model",
        files=(model_file(source.path, "graph"), *external.files),
        graph=graph,
        bodies=reader.bodies,
        producer=f"{message.producer_name} {message.producer_version}".strip(),
        versions=_versions(message),
        description=message.doc_string.decode("utf-8", "replace").strip(),
        metadata={entry.key: entry.value for entry in message.metadata_props},
        notes=tuple(external.notes),
    )


def _message(source: FileSource) -> tuple[OnnxModel, list[CutTensor]]:
    skeleton = cut(source.view(), source.path, MODEL)
    try:
        message = OnnxModel.FromString(skeleton.message)
    except DecodeError as error:
        raise source.corrupt(f"not a valid ONNX model: {error}") from error
    if not message.HasField("graph"):
        raise source.corrupt("not a valid ONNX model: it has no graph")
    return message, skeleton.tensors


def _versions(message: OnnxModel) -> dict[str, int | str]:
    stated = {"IR version": message.ir_version, "model version": message.model_version}
    found: dict[str, int | str] = {name: number for name, number in stated.items() if number}
    for operators in message.opset_import:
        own = operators.domain in OWN_DOMAINS
        found["opset" if own else f"opset of {operators.domain}"] = operators.version
    return found
