"""Reports as JSON and CSV: dataclasses and named tuples become objects whose keys are the field names, units included."""

from __future__ import annotations

import enum
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from graphscope.cli.terminal.text import escape
from graphscope.core.hostile import HOSTILE
from graphscope.core.values.dtypes import DataType


def plain(value: Any) -> Any:
    """``value`` as JSON types: data types by their label, other enums by their value, NaN and infinities as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, enum.Enum):
        return value.label if isinstance(value, DataType) else value.value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if hasattr(value, "__dataclass_fields__"):
        import dataclasses  # what this is one of has imported it

        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    return value


def json_text(value: object, *, indent: int | None = None, is_unicode: bool = True) -> str:
    r"""``value``, plain already, as JSON; hostile characters as ``\u202e``, letters and emoji as they are."""
    import json

    text = json.dumps(value, ensure_ascii=not is_unicode, allow_nan=False, indent=indent)
    return text if text.isascii() and text.isprintable() else HOSTILE.compiled.sub(_json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    return match[0] if match[0] == "\n" else f"\\u{ord(match[0]):04x}"


def json_array(values: Iterable[object], is_unicode: bool = True) -> Iterator[str]:
    """The lines of an array, one element per line, generated one by one."""
    import json

    encode = json.JSONEncoder(ensure_ascii=not is_unicode, allow_nan=False).encode
    yield "["
    before = ""
    for value in values:
        if before:
            yield before + ","
        text = encode(value)
        before = text if text.isascii() and text.isprintable() else HOSTILE.compiled.sub(_json_escape, text)
    if before:
        yield before
    yield "]"


class _Line:
    """A target for ``csv.writer`` that returns the line."""

    def write(self, text: str) -> str:
        return text


def csv_lines(header: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """A heading and the rows as CSV (RFC 4180, but lines end in a newline only); ``None`` is empty, booleans are words."""
    import csv

    to_line: Callable[[Iterable[object]], str] = csv.writer(_Line(), lineterminator="").writerow
    yield to_line(header)
    for row in rows:
        yield to_line([_csv_cell(cell) for cell in row])


def _csv_cell(cell: object) -> object:
    if isinstance(cell, str):
        return escape(cell)
    return str(cell).lower() if isinstance(cell, bool) else cell


def flatten(prefix: str, value: object) -> Iterator[tuple[str, object]]:
    """Every leaf of a JSON value with its path: ``graph.inputs.0.tensor``."""
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from flatten(f"{prefix}.{key}" if prefix else key, child)
    elif isinstance(value, list) and value:
        for i, child in enumerate(value):
            yield from flatten(f"{prefix}.{i}", child)
    else:
        yield prefix, None if value in ([], {}) else value
