"""What TensorFlow Lite calls its types, operators and their options.

``operators.txt`` has the name of each operator on the line of its number, ``options.txt`` the fields of each table of options.
Both are written by ``tests/support/tflite_tables.py`` and compared with the package ``ai_edge_litert`` in the tests.

Source: ``tensorflow/compiler/mlir/lite/schema/schema.fbs`` (version 3).
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graphscope.core.values.dtypes import DataType
from graphscope.formats.tflite.flatbuffer import Number

_DIRECTORY = Path(__file__).parent

CUSTOM = 32
"""The number of operators that have a name of their own."""

_TYPES = (
    *(DataType.FLOAT, DataType.HALF, DataType.INT32, DataType.UINT8, DataType.INT64, DataType.STRING, DataType.BOOL),
    *(DataType.INT16, DataType.COMPLEX64, DataType.INT8, DataType.DOUBLE, DataType.COMPLEX128, DataType.UINT64),
    *(DataType.RESOURCE, DataType.VARIANT, DataType.UINT32, DataType.UINT16, DataType.INT4, DataType.BFLOAT16),
    *(DataType.INT2, DataType.UINT4, DataType.FLOAT8_E4M3FN, DataType.FLOAT8_E5M2),
)


def data_type(number: int) -> DataType:
    """The type behind a ``TensorType``; ``INVALID`` for one that is not known."""
    return _TYPES[number] if 0 <= number < len(_TYPES) else DataType.INVALID


@functools.cache
def _operators() -> Sequence[str]:
    return (_DIRECTORY / "operators.txt").read_text("utf-8").split()


def operator_name(number: int) -> str:
    """The name of a ``BuiltinOperator``."""
    return _operators()[number] if 0 <= number < len(_operators()) else f"operator {number}"


@dataclass(frozen=True, slots=True)
class Option:
    """A field of a table of options.

    Attributes:
        name: as in the schema.
        code: of its type, as :mod:`struct` has it.
        is_vector: whether it is a vector of those.
        default: where a file does not state it.
    """

    name: str
    code: str
    is_vector: bool
    default: Number

    @classmethod
    def parse(cls, text: str) -> Option | None:
        """``stride_w:i``, ``axes:i[]``, ``factor:i=1``; ``None`` for ``-``, which is text, a table, or gone."""
        name, colon, kind = text.partition(":")
        code, _, default = kind.partition("=")
        return (
            cls(name, code.removesuffix("[]"), code.endswith("[]"), ast.literal_eval(default or "0")) if colon else None
        )


@functools.cache
def option_tables() -> Mapping[tuple[int, int], Sequence[Option | None]]:
    """Number of the union (1 or 2) and of the table in it -> its fields by slot."""
    found = {}
    for line in (_DIRECTORY / "options.txt").read_text("utf-8").splitlines():
        union, number, _, *fields = line.split(" ")
        found[int(union), int(number)] = [Option.parse(field) for field in fields]
    return found


NAMES: Mapping[str, Sequence[str]] = {
    "padding": ("SAME", "VALID"),
    "fused_activation_function": ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT"),
    "mode": ("REFLECT", "SYMMETRIC"),
}
"""Options that are numbers of an enumeration -> the names of its members."""

TYPE_OPTIONS = frozenset(
    {"in_data_type", "out_data_type", "output_type", "out_type", "idx_out_type", "quantized_bias_type"}
)
"""Options that are types of tensors."""
