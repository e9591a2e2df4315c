"""Text for a screen: names from files made harmless, widths in cells, sizes and counts as people read them."""

from __future__ import annotations

from graphscope.core.hostile import escape as escape
from graphscope.core.patterns import Pattern
from graphscope.core.tensors import StatedShape, shape_text
from graphscope.core.units import size as size
from graphscope.core.values.dtypes import DataType

_NARROW = Pattern("[ -~\u00a1-\u00ac\u00ae-\u02ff\u2500-\u257f\u2026]*")
"""Characters that take one cell each: ASCII, Latin letters, box drawing, the ellipsis."""


def is_simple(text: str) -> bool:
    """Whether every character of ``text`` is harmless and takes one cell."""
    return (text.isascii() and text.isprintable()) or _NARROW.fullmatch(text) is not None


def cells(text: str) -> int:
    """Number of terminal columns that ``text`` takes."""
    if is_simple(text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def pad(text: str, width: int, right: bool = False) -> str:
    """``text`` filled up with spaces to ``width`` cells; longer text stays as it is."""
    space = " " * (width - cells(text))
    return space + text if right else text + space


def elide(text: str, width: int) -> str:
    """``text`` in at most ``width`` cells, with an ellipsis in the middle, because both ends of a name matter most."""
    tail = (width - 1) // 2
    head = width - 1 - tail
    if is_simple(text):
        return text if len(text) <= width else f"{text[:head]}…{text[len(text) - tail :]}"
    if cells(text) <= width:
        return text
    return _fitting(text, head) + "…" + _fitting(text[::-1], tail)[::-1]


def elide_start(text: str, width: int) -> str:
    """``text`` in at most ``width`` cells, with an ellipsis at the beginning."""
    return text if cells(text) <= width else "…" + _fitting(text[::-1], width - 1)[::-1]


def _fitting(text: str, width: int) -> str:
    """The longest beginning of ``text`` that takes at most ``width`` cells."""
    end = min(len(text), width)
    while cells(text[:end]) > width:
        end -= 1
    return text[:end]


def number(value: float | None) -> str:
    """A statistic with four digits; empty for none."""
    return "" if value is None else f"{value:.4g}"


def type_name(dtype: DataType, is_ref: bool = False) -> str:
    """``float32``, ``float32_ref``; ``?`` for the type of an unknown op."""
    return "?" if dtype is DataType.INVALID else dtype.label + ("_ref" if is_ref else "")


def tensor_type(dtype: DataType, shape: StatedShape, is_ref: bool = False) -> str:
    """``float32 (?, 10)``; the type alone where the rank is not known."""
    name = type_name(dtype, is_ref)
    return name if shape is None else f"{name} {shape_text(shape)}"
