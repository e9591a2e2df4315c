"""The output of ``draw``."""

from __future__ import annotations

from graphscope.cli.terminal.text import escape, size
from graphscope.core.units import count
from graphscope.drawing.drawing import SavedDrawing


def saved_line(saved: SavedDrawing) -> str:
    """The file, its size, and how much of the graph it initially shows."""
    shown = f"{count(saved.boxes, 'box')} of {count(saved.nodes, 'node')}"
    return f"{escape(saved.path)}  {saved.format}, {shown}, {size(saved.size_bytes)}"
