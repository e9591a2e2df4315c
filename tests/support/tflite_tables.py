"""Writes what graphscope knows of TensorFlow Lite's operators: ``python -m tests.support.tflite_tables``.

The source is the package ``ai_edge_litert``, whose ``schema_py_generated`` is made from ``schema.fbs``.
"""

from __future__ import annotations

import ast
import importlib.resources
import inspect
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
                fields = dict(_fields(getattr(schema(), name)))
                slots = (fields.get(slot, "-") for slot in range(max(fields, default=-1) + 1))
                yield " ".join([union.removeprefix("BuiltinOptions") or "1", str(number), name, *slots])


def _fields(table: Any) -> Iterator[tuple[int, str]]:
    """Slot -> ``name:code`` and, if it is not zero, ``=default``."""
    [parsed] = ast.parse(inspect.getsource(table)).body
    assert isinstance(parsed, ast.ClassDef)
    for method in parsed.body:
        text = ast.unparse(method)
        offset = re.search(r"\.Offset\((\d+)\)", text)
        scalar = re.search(r"number_types\.(\w+?)Flags, (o|a)\b", text)
        if not (isinstance(method, ast.FunctionDef) and offset and scalar) or method.name.endswith("AsNumpy"):
            continue
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", method.name).lower()
        default = ast.unparse(method.body[-1]).removeprefix("return ")
        stated = "" if default in ("0", "0.0", "False") else f"={default}"
        is_vector = len(method.args.args) == 2
        yield (int(offset[1]) - 4) // 2, f"{name}:{CODES[scalar[1]]}{'[]' if is_vector else stated}"


def main() -> None:
    directory = Path(str(importlib.resources.files(tflite)))
    for name, lines in ((OPERATORS, operator_lines()), (OPTIONS, option_lines())):
        (directory / name).write_text("".join(f"{line}\n" for line in lines), "utf-8")


if __name__ == "__main__":
    main()
