"""Measures texts: names from files are escaped and shortened to a width."""

from __future__ import annotations

import functools

from graphscope.core.hostile import escape

FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
"""All but the last have the same widths; pictures state text lengths, so other fonts fit too."""

FIRST = 32
REGULAR = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556,
    556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip
BOLD = (
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611, 556, 333, 611,
    611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584,
)  # fmt: skip
"""Advance widths of Helvetica and Helvetica Bold for the characters from the space to ``~``, in thousandths of the font's size.

Source: Adobe, Core 14 AFM files, which Arial and Liberation Sans follow.
"""
OTHER = {"×": 584, "…": 1000, "·": 278, "µ": 576}
"""Widths of some other characters."""
WIDE = 1000
"""Width of all others: that of the widest letters and ideographs."""


@functools.lru_cache(1 << 16)
def width(text: str, size: float, is_bold: bool = False) -> float:
    """The width of a text in pixels, at a font size in pixels."""
    table = BOLD if is_bold else REGULAR
    total = 0
    for character in text:
        place = ord(character) - FIRST
        total += table[place] if 0 <= place < len(table) else OTHER.get(character, WIDE)
    return total * size / 1000


@functools.lru_cache(1 << 16)
def fit(text: str, size: float, widest: float, is_bold: bool = False) -> str:
    """The escaped text, or its beginning and end around an ellipsis, at most ``widest`` wide."""
    text = escape(text)
    if width(text, size, is_bold) <= widest:
        return text
    low, high = 0, min(len(text), 400)
    while low < high:
        middle = (low + high + 1) // 2
        if width(_cut(text, middle), size, is_bold) <= widest:
            low = middle
        else:
            high = middle - 1
    return _cut(text, low)


def _cut(text: str, kept: int) -> str:
    tail = kept // 2
    return f"{text[: kept - tail]}…{text[len(text) - tail :]}"
