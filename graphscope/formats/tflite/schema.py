"""The tables of a TensorFlow Lite file: the slot of each field that is read.

Source: ``tensorflow/compiler/mlir/lite/schema/schema.fbs`` (version 3). The tests compare the slots with the package
``ai_edge_litert``.
"""

from __future__ import annotations

import enum

IDENTIFIER = b"TFL3"
"""What stands at byte 4 of the file."""

VERSION = 3
"""Of the schema; no other has ever been written by a release."""


class Model(enum.IntEnum):
    """The root."""

    VERSION = 0
    OPERATOR_CODES = 1
    SUBGRAPHS = 2
    DESCRIPTION = 3
    BUFFERS = 4
    METADATA = 6
    SIGNATURE_DEFS = 7


class OperatorCode(enum.IntEnum):
    """An operator that the model uses; numbers above 127 do not fit the older field."""

    DEPRECATED_BUILTIN_CODE = 0
    CUSTOM_CODE = 1
    VERSION = 2
    BUILTIN_CODE = 3


class SubGraph(enum.IntEnum):
    """A graph; the first is the one that runs."""

    TENSORS = 0
    INPUTS = 1
    OUTPUTS = 2
    OPERATORS = 3
    NAME = 4


class Tensor(enum.IntEnum):
    """A tensor; its signature has -1 where its shape, for which the file was planned, has a size that may change."""

    SHAPE = 0
    TYPE = 1
    BUFFER = 2
    NAME = 3
    QUANTIZATION = 4
    SPARSITY = 6
    SHAPE_SIGNATURE = 7


class QuantizationParameters(enum.IntEnum):
    """The quantization of a tensor."""

    SCALE = 2
    ZERO_POINT = 3
    QUANTIZED_DIMENSION = 6


class Operator(enum.IntEnum):
    """A node; inputs and outputs are numbers of tensors, -1 for one that is left out."""

    OPCODE_INDEX = 0
    INPUTS = 1
    OUTPUTS = 2
    BUILTIN_OPTIONS_TYPE = 3
    BUILTIN_OPTIONS = 4
    CUSTOM_OPTIONS = 5
    BUILTIN_OPTIONS_2_TYPE = 11
    BUILTIN_OPTIONS_2 = 12


class Buffer(enum.IntEnum):
    """Content of a tensor; beyond 2 GiB it lies behind the flatbuffer, at ``offset``."""

    DATA = 0
    OFFSET = 1
    SIZE = 2


class Metadata(enum.IntEnum):
    """Something about the model, in a buffer."""

    NAME = 0
    BUFFER = 1


class SignatureDef(enum.IntEnum):
    """A way to call the model."""

    INPUTS = 0
    OUTPUTS = 1
    SIGNATURE_KEY = 2
    SUBGRAPH_INDEX = 4


class TensorMap(enum.IntEnum):
    """An argument, and the number of its tensor."""

    NAME = 0
    TENSOR_INDEX = 1
