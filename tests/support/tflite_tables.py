"""Writes what graphscope knows of TensorFlow Lite's operators: ``python -m tests.support.tflite_tables``.

The source is the package ``ai_edge_litert``, whose ``schema_py_generated`` is made from ``schema.fbs``.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphscope.formats import tflite

OPERATORS, OPTIONS = "operators.txt", "options.txt"
CODES = {"Int8": "b", "Uint8": "B", "Bool": "?", "Int16": "h", "Uint16": "H", "Int32": "i", "Uint32": "I"}
CODES |= {"Int64": "q", "Uint64": "Q", "Float32": "f", "Float64": "d"}


def schema() -> Any:
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


def members(kind: Any) -> dict[int, str]:
    """Number -> name of an enumeration."""
    return {value: name for name, value in vars(kind).items() if isinstance(value, int) and name != "__firstlineno__"}


def operator_lines() -> Iterator[str]:
    """The name of each operator, on the line of its number."""
    names = members(schema().BuiltinOperator)
    return (names[number] for number in range(max(names) + 1))


def option_lines() -> Iterator[str]:
    """Union, number, name and fields of each table of options; a field's code ends in ``[]`` for a vector of them."""
    for union in ("BuiltinOptions", "BuiltinOptions2"):
        for number, name in members(getattr(schema(), union)).items():
            if number:
                fields = dict(_fields(_classes()[name]))
                slots = (fields.get(slot, "-") for slot in range(max(fields, default=-1) + 1))
                yield " ".join([union.removeprefix("BuiltinOptions") or "1", str(number), name, *slots])


@functools.cache
def _classes() -> dict[str, str]:
    """Name -> source of each class. Not by ``inspect``, which reads the whole module for each."""
    parts = re.split(r"^class (\w+)\(object\):\n", Path(schema().__file__).read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


_METHOD = re.compile(
    r"    def (?P<name>\w+)\(self(?P<index>, j)?\):\n"
    r"        o = [^\n]*\.Offset\((?P<offset>\d+)\)\)\n"
    r"        if o != 0:\n"
    r"(?:            a = [^\n]*\n)?"
    r"            return (?:bool\()?self\._tab\.Get\(flatbuffers\.number_types\.(?P<type>\w+)Flags[^\n]*\n"
    r"        return (?P<default>[^\n]*)"
)
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _fields(table: str) -> Iterator[tuple[int, str]]:
    """Slot -> ``name:code`` and, if it is not zero, ``=default``."""
    for method in _METHOD.finditer(table):
        name = _WORDS.sub("_", method["name"]).lower()
        stated = "" if method["default"] in ("0", "0.0", "False") else f"={method['default']}"
        yield (int(method["offset"]) - 4) // 2, f"{name}:{CODES[method['type']]}{'[]' if method['index'] else stated}"


def main() -> None:
    directory = Path(str(importlib.resources.files(tflite)))
    for name, lines in ((OPERATORS, operator_lines()), (OPTIONS, option_lines())):
        (directory / name).write_text("".join(f"{line}\n" for line in lines), "utf-8")


if __name__ == "__main__":
    main()
