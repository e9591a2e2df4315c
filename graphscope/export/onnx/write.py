"""Writes an ONNX graph: the weights are streamed from file to file.

Source: ``onnx/onnx.proto``. One protobuf message holds less than 2 GiB, so large graphs have their weights beside them, in one
file of external data.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper

from graphscope.core.values.payload import PAYLOAD_BYTES, Payload
from graphscope.export.onnx.builder import type_proto
from graphscope.export.onnx.element_types import element_type
from graphscope.export.onnx.graph import OnnxGraph
from graphscope.export.onnx.value import Value
from graphscope.export.target import Written
from graphscope.formats.io.atomic import write_file
from graphscope.formats.io.progress import Progress, quiet, report_chunks
from graphscope.formats.io.staging import staged_files, together
from graphscope.formats.lazy.pieces import Piece, Stream, field, flow

ONE_FILE_BYTES = 1_900_000_000
"""Larger graphs are written with external data."""

ALIGNMENT = 4096
"""Weights of external data begin at multiples of this, so that runtimes can map them."""

_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
"""Numbers of fields: ``ModelProto.graph``, ``GraphProto.initializer``, ``TensorProto.raw_data``."""


def write_onnx(
    graph: OnnxGraph,
    path: str | os.PathLike[str],
    *,
    external_data: bool | None = None,
    overwrite: bool = False,
    progress: Progress = quiet,
    check: Callable[[Path], None] = lambda _: None,
) -> Written:
    """Writes ``graph`` to ``path``, its weights into the same file or into ``path`` + ``.data`` beside it.

    Only weights whose elements must be rearranged are held in memory, one at a time.

    Args:
        external_data: whether the weights go beside the model; by default if there are more than :data:`ONE_FILE_BYTES`.
        check: inspects the finished files before they are moved into place; if it raises, no files remain.

    Raises:
        FileError: a file exists and ``overwrite`` is not set, or the operating system refuses.
        CorruptFileError: a weight cannot be read.
    """
    target = Path(path)
    large = {name: value for name, value in graph.constants.items() if _is_large(value)}
    if external_data or (external_data is None and not is_one_file(graph)):
        return _write_apart(graph, target, large, overwrite, progress, check)
    pieces = model_pieces(graph)
    size = write_file(target, report_chunks(flow(pieces), progress), overwrite=overwrite, check=check)
    return Written((target,), size, len(graph.nodes))


def is_one_file(graph: OnnxGraph) -> bool:
    """Whether one message can hold ``graph`` with its weights."""
    return sum(value.nbytes or 0 for value in graph.constants.values() if _is_large(value)) <= ONE_FILE_BYTES


def model_pieces(graph: OnnxGraph) -> list[Piece]:
    """``graph`` as a ``ModelProto`` with its weights, which are read during writing."""
    large = {name: value for name, value in graph.constants.items() if _is_large(value)}
    streams = [field(_INITIALIZER, _tensor_pieces(name, value)) for name, value in large.items()]
    return _pieces(graph, [], streams)


def model_bytes(graph: OnnxGraph) -> bytes:
    """``graph`` as a ``ModelProto`` with its weights, in memory."""
    return b"".join(flow(model_pieces(graph)))


def _write_apart(
    graph: OnnxGraph,
    target: Path,
    large: Mapping[str, Payload],
    overwrite: bool,
    progress: Progress,
    check: Callable[[Path], None],
) -> Written:
    data = target.with_name(f"{target.name}.data")
    places = _places(large)
    tensors = [_external(name, value, data.name, places[name]) for name, value in large.items()]
    model = b"".join(flow(_pieces(graph, tensors, [])))
    paths = (target, data)
    with staged_files(paths, overwrite=overwrite) as files, together(files, paths) as whole:
        file, weights = files
        for chunk in report_chunks([model], progress):
            file.write(chunk)
        for chunk in report_chunks(_align(large, places), progress):
            weights.write(chunk)
        size = file.tell() + weights.tell()
        for each in files:
            each.flush()
        check(whole)
    return Written(paths, size, len(graph.nodes))


def _places(large: Mapping[str, Payload]) -> dict[str, int]:
    """The offset of each weight."""
    places, end = {}, 0
    for name, value in large.items():
        places[name] = end + -end % ALIGNMENT
        end = places[name] + (value.nbytes or 0)
    return places


def _align(large: Mapping[str, Payload], places: Mapping[str, int]) -> Iterator[bytes]:
    end = 0
    for name, value in large.items():
        yield bytes(places[name] - end)
        yield from value.chunks()
        end = places[name] + (value.nbytes or 0)


def _is_large(value: Payload) -> bool:
    return value.nbytes is not None and value.nbytes > PAYLOAD_BYTES


def _pieces(graph: OnnxGraph, tensors: Sequence[TensorProto], streams: Sequence[Sequence[Piece]]) -> list[Piece]:
    proto = graph_proto(graph)
    proto.initializer.extend(tensors)
    inner: list[Piece] = [proto.SerializeToString()]
    inner += [piece for stream in streams for piece in stream]
    return [_header(graph).SerializeToString(), *field(_GRAPH, inner)]


def _header(graph: OnnxGraph) -> ModelProto:
    opset = helper.make_opsetid("", graph.opset)
    version = helper.find_min_ir_version_for([opset])
    return ModelProto(ir_version=version, opset_import=[opset], producer_name="graphscope")


def graph_proto(graph: OnnxGraph) -> GraphProto:
    """The graph with its small constants, without the large ones."""
    proto = GraphProto(name="graph", node=graph.nodes)
    proto.input.extend(map(_info, graph.inputs))
    proto.output.extend(map(_info, graph.outputs))
    proto.value_info.extend(map(_info, graph.values))
    for name, value in graph.constants.items():
        if not _is_large(value):
            proto.initializer.append(numpy_helper.from_array(value.numpy(), name))
    return proto


def _info(value: Value) -> ValueInfoProto:
    return helper.make_value_info(value.name, type_proto(value))


def _tensor_pieces(name: str, value: Payload) -> list[Piece]:
    """A ``TensorProto`` whose content is streamed."""
    head = TensorProto(name=name, data_type=element_type(value.dtype), dims=value.shape)
    content: list[Piece] = [Stream(value.nbytes or 0, value.chunks)]
    return [head.SerializeToString(), *field(_RAW_DATA, content)]


def _external(name: str, value: Payload, location: str, offset: int) -> TensorProto:
    tensor = TensorProto(
        name=name,
        data_type=element_type(value.dtype),
        dims=value.shape,
        data_location=TensorProto.EXTERNAL,
    )
    for key, text in (("location", location), ("offset", str(offset)), ("length", str(value.nbytes or 0))):
        tensor.external_data.add(key=key, value=text)
    return tensor
