"""A small YAML file whose aliases stand for more text than a machine can hold."""

from __future__ import annotations

import itertools

_NAMES = "abcdefghijkl"

BOMB = (
    "[&a [x, x, x, x, x, x, x, x, x], "
    + ", ".join(f"&{name} [{', '.join([f'*{inner}'] * 9)}]" for inner, name in itertools.pairwise(_NAMES))
    + "]"
)
"""A list of twelve lists, each of nine of the one before: 9**12 words in the last."""
