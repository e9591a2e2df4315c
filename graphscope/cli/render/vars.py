"""``vars``: rows of variables and constants."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graphscope.analysis.statistics import Statistics
from graphscope.analysis.variable_rows import WeightRow
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.plain import plain
from graphscope.cli.terminal.table import Column
from graphscope.cli.terminal.text import number, size, type_name
from graphscope.cli.terminal.views import View, write_rows
from graphscope.core.tensors import Shape, shape_text
from graphscope.core.units import count
from graphscope.core.values.dtypes import DataType
from graphscope.core.variables.variables import Role

_STATISTICS = (
    ("min", "minimum", True, 0),
    ("max", "maximum", True, 0),
    ("mean", "mean", True, 1),
    ("std", "std", True, 2),
    ("zeros", "zeros", False, 3),
    ("NaN", "nans", False, 0),
    ("Inf", "infinities", False, 0),
)
"""Headings, fields, whether a column is shown even if it is all zero, and which is dropped first on a narrow terminal."""

_MODEL = Role.MODEL
_HEADER = (
    *("name", "kind", "dtype", "shape", "elements", "size_bytes", "shard"),
    *("key", "part", "trainable", "role", "is_missing", "is_extra", "stored"),
)


def write_weights(
    sink: Sink,
    format: Format,
    rows: Sequence[WeightRow],
    *,
    has_statistics: bool = False,
    is_choice: bool = False,
) -> None:
    """Writes the rows, and on a terminal their number and size.

    Args:
        is_choice: the model has rows, of which these were chosen.
    """
    nothing = "no variable matches" if is_choice else "the model has no variables and no constants"
    write_rows(sink, format, weight_view(rows, has_statistics=has_statistics), rows, nothing)
    if sink.is_terminal and format is Format.TABLE and rows:
        sink.lines([sink.paint(total(rows), "dim")])


def weight_view(rows: Sequence[WeightRow], *, has_statistics: bool) -> View[WeightRow]:
    """One row for each variable or constant; ``rows`` determine which columns are not empty."""
    last = 10 if has_statistics else 0  # a narrow terminal drops the other columns before statistics
    columns, getters = tuple(zip(*_chosen(rows, has_statistics, last), strict=True)) or ((), ())

    def cells(row: WeightRow) -> Sequence[str]:
        name, _, dtype, shape, elements, size_bytes = row[:6]
        common = name, *_repeated(dtype, shape, elements, size_bytes)
        return (*common, *[get(row) for get in getters]) if getters else common

    header = [*_HEADER, *(field for _, field, *_ in _STATISTICS if has_statistics)]
    return View(
        [*_columns(last), *columns],
        cells,
        lambda row: _record(row, has_statistics),
        header,
        lambda row: _fields(row, has_statistics),
        lambda row: row.name,
    )


def _columns(last: int) -> list[Column]:
    """The columns that every listing has."""
    return [
        Column("name", minimum=24),
        Column("dtype", style="shape"),
        Column("shape", style="shape"),
        Column("elements", right=True, drop=last + 2),
        Column("size", right=True, drop=last + 1),
    ]


@functools.lru_cache(1024)
def _repeated(dtype: DataType, shape: Shape, elements: int | None, size_bytes: int | None) -> tuple[str, ...]:
    """The cells of these columns but the name, which are the same in many rows."""
    return type_name(dtype), shape_text(shape), "?" if elements is None else f"{elements:,}", size(size_bytes)


def _chosen(
    rows: Sequence[WeightRow], has_statistics: bool, last: int
) -> Iterator[tuple[Column, Callable[[WeightRow], str]]]:
    """The further columns that are not empty."""
    shards, is_marked, is_keyed = _occurring(rows)
    if len(shards - {None}) > 1:
        yield Column("shard", right=True, drop=last + 4), lambda row: "" if row.shard is None else str(row.shard)
    for title, field, always, drop in _STATISTICS:
        if has_statistics and (always or any(getattr(row.statistics, field, None) for row in rows)):
            yield Column(title, right=True, drop=drop), _statistic(field)
    if is_marked:
        yield (
            Column("marks", style="mark", minimum=9, drop=last + 3 if has_statistics else 1),
            lambda row: ", ".join(marks(row)),
        )
    if is_keyed:
        yield Column("key", style="dim", minimum=16, drop=last + 5), _key


def _statistic(field: str) -> Callable[[WeightRow], str]:
    def text(row: WeightRow) -> str:
        value = getattr(row.statistics, field, None)
        return f"{value:,}" if isinstance(value, int) else number(value)

    return text


def _occurring(rows: Sequence[WeightRow]) -> tuple[set[int | None], bool, bool]:
    """The data files, whether a row has a mark, and whether one has a key or part. Unpacks: reading fields takes longer."""
    shards: set[int | None] = set()
    is_marked = is_keyed = False
    for _, _, _, _, _, _, shard, key, part, trainable, role, is_missing, is_extra, stored, _ in rows:
        shards.add(shard)
        if key or part:
            is_keyed = True
        if trainable or is_missing or is_extra or stored or role is not _MODEL:
            is_marked = True
    return shards, is_marked, is_keyed


def marks(row: WeightRow) -> list[str]:
    """The marks of a variable: trainable, its role, and whether its value is missing, unused, or does not fit."""
    found = ["trainable"] if row.trainable else []
    found += [row.role.value] if row.role is not Role.MODEL else []
    found += ["missing"] if row.is_missing else []
    found += ["extra"] if row.is_extra else []
    return found + ([f"stored as {row.stored}"] if row.stored else [])


def _key(row: WeightRow) -> str:
    return " ".join(filter(None, (row.key, part_text(row))))


def part_text(row: WeightRow) -> str:
    """``[0:392, 0:100]`` for a partition; empty for a whole value."""
    return "" if row.part is None else "[" + ", ".join(f"{start}:{start + length}" for start, length in row.part) + "]"


def _record(row: WeightRow, has_statistics: bool) -> dict[str, Any]:
    found = {
        "name": row.name,
        "kind": row.kind,
        "dtype": row.dtype.label,
        "shape": row.shape,
        "elements": row.elements,
        "size_bytes": row.size_bytes,
        "shard": row.shard,
        "key": row.key,
        "part": row.part,
        "trainable": row.trainable,
        "role": row.role.value,
        "is_missing": row.is_missing,
        "is_extra": row.is_extra,
        "stored": row.stored,
    }
    return found | {"statistics": plain(row.statistics)} if has_statistics else found


def _fields(row: WeightRow, has_statistics: bool) -> Sequence[object]:
    found = _record(row, False) | {"shape": shape_text(row.shape), "part": part_text(row)}
    statistics = plain(row.statistics or Statistics()) if has_statistics else {}
    return [*found.values(), *statistics.values()]


def total(rows: Sequence[WeightRow]) -> str:
    """The number of rows and their total size."""
    noun = rows[0].kind if rows else "variable"
    elements = sum(row.elements or 0 for row in rows)
    return f"{count(len(rows), noun)}, {count(elements, 'element')}, {size(sum(row.size_bytes or 0 for row in rows))}"
