"""Readable amounts: three digits and a decimal unit, and counts with nouns."""

from __future__ import annotations

import functools

_HISSING = ("ch", "s", "sh", "x")
"""How a noun ends whose plural takes ``es``."""
_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")


@functools.lru_cache(1024)
def size(number: int | None) -> str:
    """Bytes with three digits and a decimal unit (1 kB = 1000 B); ``?`` where the size is not known."""
    if number is None:
        return "?"
    if number < 1000:
        return f"{number} B"
    scale = 1
    for name in _UNITS:
        scale *= 1000
        if number < 999.5 * scale:
            return f"{number / scale:.3g} {name}"
    return f"over 999 {_UNITS[-1]}"


def short_count(number: int) -> str:
    """``156``, ``48.1k``, ``25.6M``; of a billion and more, ``1.5G``."""
    return str(number) if number < 1000 else size(number).removesuffix("B").replace(" ", "")


def duration(microseconds: float) -> str:
    """``12 µs``, ``3.4 ms``, ``1.2 s``."""
    for limit, unit in ((1e3, "µs"), (1e6, "ms")):
        if microseconds < 0.9995 * limit:
            return f"{microseconds / limit * 1e3:.3g} {unit}"
    return f"{microseconds / 1e6:.3g} s"


def count(number: int, noun: str) -> str:
    """``412 nodes``, ``1 node``, ``no nodes``, ``3 batches``."""
    if number == 1:
        return f"1 {noun}"
    nouns = f"{noun}es" if noun.endswith(_HISSING) else f"{noun}s"
    return f"{number:,} {nouns}" if number else f"no {nouns}"
