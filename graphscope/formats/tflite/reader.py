"""TensorFlow Lite files as lists of nodes and tensors.

Source: ``tensorflow/compiler/mlir/lite/schema/schema.fbs`` (version 3).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence

from graphscope.core.foreign import (
    ForeignGraph,
    ForeignModel,
    ForeignNode,
    ForeignSignature,
    ForeignTensor,
    Quantization,
)
from graphscope.core.names import FreeNames
from graphscope.core.tensors import StatedShape
from graphscope.core.values.payload import Payload
from graphscope.errors import UnsupportedError
from graphscope.formats.detect.locate import GraphFile
from graphscope.formats.io.files import model_file
from graphscope.formats.tflite import schema
from graphscope.formats.tflite.contents import Buffers
from graphscope.formats.tflite.flatbuffer import FlatBuffer, Table
from graphscope.formats.tflite.operators import OperatorKind, describe
from graphscope.formats.tflite.schema import Model, Operator, QuantizationParameters, SubGraph, Tensor
from graphscope.formats.tflite.vocabulary import data_type

RUNTIME_VERSION = "min_runtime_version"
"""Metadata that is text: the oldest runtime that has all the kernels."""


def read_foreign(location: GraphFile) -> ForeignModel:
    """The TensorFlow Lite model at ``location``: its structure; weights stay in the file.

    Raises:
        CorruptFileError: it is broken, or has no graph.
        UnsupportedError: it is of another version of the schema.
    """
    return _Reader(FlatBuffer(location.source)).model()


class _Reader:
    def __init__(self, file: FlatBuffer) -> None:
        self.file = file
        self.path = file.source.path
        if file.read(4, 4) != schema.IDENTIFIER:
            raise file.corrupt("not a TensorFlow Lite model: it has no TFL3 in bytes 4 to 7", 4)
        self.root = file.root()
        self.version = self.root.integer(Model.VERSION, "I")
        if self.version != schema.VERSION:
            raise UnsupportedError(f"version {self.version} of the schema; {schema.VERSION} is read", path=self.path)
        self.buffers = Buffers(file, self.root.tables(Model.BUFFERS))
        self.kinds = [OperatorKind.read(code) for code in self.root.tables(Model.OPERATOR_CODES)]
        self.names: list[list[str]] = []

    def model(self) -> ForeignModel:
        graphs = dict(self._graphs())
        if not graphs:
            raise self.file.corrupt("not a TensorFlow Lite model: it has no graph", self.root.at)
        main, *others = graphs.items()
        metadata = dict(self._metadata())
        versions: dict[str, int | str] = {"schema": self.version}
        if RUNTIME_VERSION in metadata:
            versions["runtime"] = metadata.pop(RUNTIME_VERSION)
        return ForeignModel(
            path=str(self.path),
            kind="TensorFlow Lite model",
            files=(model_file(self.path, "graph"),),
            graph=main[1],
            bodies=dict(others),
            versions=versions,
            signatures=tuple(self._signatures()),
            description=self.root.text(Model.DESCRIPTION),
            metadata=metadata,
        )

    def _graphs(self) -> Iterator[tuple[str, ForeignGraph]]:
        unique = FreeNames()
        for number, table in enumerate(self.root.tables(Model.SUBGRAPHS)):
            yield unique(table.text(SubGraph.NAME), f"subgraph_{number}"), self._graph(table)

    def _graph(self, table: Table) -> ForeignGraph:
        unique = FreeNames()
        constants: dict[str, Payload] = {}
        tensors = [self._tensor(entry, i, unique, constants) for i, entry in enumerate(table.tables(SubGraph.TENSORS))]
        names = [tensor.name for tensor in tensors]
        self.names.append(names)
        node_names = FreeNames()
        nodes = [self._node(operator, names, node_names) for operator in table.tables(SubGraph.OPERATORS)]
        known = {tensor.name: tensor for tensor in tensors}
        inputs, outputs = (self._names_at(table, slot, names) for slot in (SubGraph.INPUTS, SubGraph.OUTPUTS))
        return ForeignGraph(
            tuple(nodes), tuple(known[n] for n in inputs if n), tuple(known[n] for n in outputs if n), known, constants
        )

    def _tensor(self, table: Table, number: int, unique: FreeNames, constants: dict[str, Payload]) -> ForeignTensor:
        name = unique(table.text(Tensor.NAME), f"tensor_{number}")
        dtype = data_type(table.integer(Tensor.TYPE, "b"))
        shape = table.integers(Tensor.SHAPE)
        is_sparse = table.has(Tensor.SPARSITY)
        tensor = ForeignTensor(
            name, dtype, _stated_shape(shape, table), "sparse" if is_sparse else "", _quantization(table)
        )
        if min(shape, default=0) >= 0:
            self._add_content(tensor, shape, table.integer(Tensor.BUFFER, "I"), constants)
        return tensor

    def _add_content(
        self, tensor: ForeignTensor, shape: tuple[int, ...], buffer: int, constants: dict[str, Payload]
    ) -> None:
        payload = self.buffers.payload(buffer, tensor.dtype, shape, f"tensor {tensor.name}")
        if payload is not None:
            constants[tensor.name] = payload

    def _node(self, table: Table, names: Sequence[str], unique: FreeNames) -> ForeignNode:
        number = table.integer(Operator.OPCODE_INDEX, "I")
        if number >= len(self.kinds):
            raise self.file.corrupt(f"operator code {number:,} of {len(self.kinds):,}", table.at)
        kind = self.kinds[number]
        inputs, outputs = (self._names_at(table, slot, names) for slot in (Operator.INPUTS, Operator.OUTPUTS))
        name = unique(*outputs[:1], kind.name)
        return ForeignNode(name, kind.name, inputs, outputs, describe=functools.partial(describe, table, kind))

    def _names_at(self, table: Table, slot: int, names: Sequence[str]) -> tuple[str, ...]:
        """The names of the tensors whose numbers are in the vector at ``slot``; empty for one that is left out."""
        return tuple(self._name(number, names, table) for number in table.integers(slot))

    def _name(self, number: int, names: Sequence[str], table: Table) -> str:
        if not -1 <= number < len(names):
            raise self.file.corrupt(f"tensor {number:,} of {len(names):,}", table.at)
        return names[number] if number >= 0 else ""

    def _metadata(self) -> Iterator[tuple[str, str]]:
        for entry in self.root.tables(Model.METADATA):
            name, buffer = entry.text(schema.Metadata.NAME), entry.integer(schema.Metadata.BUFFER, "I")
            _, size = self.buffers.region(buffer)
            is_text = name == RUNTIME_VERSION and size <= 64
            yield name, self.buffers.text(buffer) if is_text else f"{size:,} bytes"

    def _signatures(self) -> Iterator[ForeignSignature]:
        for table in self.root.tables(Model.SIGNATURE_DEFS):
            number = table.integer(schema.SignatureDef.SUBGRAPH_INDEX, "I")
            if number >= len(self.names):
                raise self.file.corrupt(f"subgraph {number:,} of {len(self.names):,}", table.at)
            inputs, outputs = (
                self._arguments(table, slot, self.names[number])
                for slot in (schema.SignatureDef.INPUTS, schema.SignatureDef.OUTPUTS)
            )
            yield ForeignSignature(table.text(schema.SignatureDef.SIGNATURE_KEY), inputs, outputs)

    def _arguments(self, signature: Table, slot: int, names: Sequence[str]) -> Mapping[str, str]:
        return {
            entry.text(schema.TensorMap.NAME): self._name(
                entry.integer(schema.TensorMap.TENSOR_INDEX, "I"), names, entry
            )
            for entry in signature.tables(slot)
        }


def _stated_shape(shape: tuple[int, ...], table: Table) -> StatedShape:
    """The shape with ``None`` for sizes that may change."""
    signature = table.integers(Tensor.SHAPE_SIGNATURE)
    return tuple(size if size >= 0 else None for size in (signature if len(signature) == len(shape) else shape))


def _quantization(table: Table) -> Quantization | None:
    stated = table.table(Tensor.QUANTIZATION)
    scales = tuple(map(float, stated.numbers(QuantizationParameters.SCALE, "f"))) if stated is not None else ()
    if stated is None or not scales:
        return None
    zero_points = stated.integers(QuantizationParameters.ZERO_POINT, "q")
    return Quantization(scales, zero_points, stated.integer(QuantizationParameters.QUANTIZED_DIMENSION, "i"))
