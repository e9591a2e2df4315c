"""Selects the scopes that are shown open."""

from __future__ import annotations

from collections.abc import Callable

from graphscope.drawing.boxes import Box

COMFORTABLE = 60
"""The number of boxes that a viewer can take in: without a depth, scopes are opened level by level up to this limit."""


def opened(root: Box, depth: int | None, is_detail: bool = False) -> Callable[[Box], bool]:
    """Whether a box is open: scopes down to ``depth`` levels, 1 for the outermost alone. Series and training parts stay closed.

    Args:
        root: the scope to draw.
        depth: ``None`` for as many levels as fit.
        is_detail: without a depth, open everything.
    """
    levels = depth if depth is not None else 1_000 if is_detail else _levels(root)

    def is_open(box: Box) -> bool:
        return box is root or (box.level - root.level < levels and not box.is_series and not _is_apart(box, root))

    return is_open


def _is_apart(box: Box, root: Box) -> bool:
    return box.is_outside and not root.is_outside


def _levels(root: Box) -> int:
    shown, level = len(root.children), 1
    row = root.children
    while True:
        opening = [box for box in row if box.node < 0 and not box.is_series and not _is_apart(box, root)]
        inner = [child for box in opening for child in box.children]
        shown += len(inner)
        if not inner or shown > COMFORTABLE:
            return level
        level += 1
        row = inner
