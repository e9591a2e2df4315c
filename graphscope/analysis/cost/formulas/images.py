"""Resizing."""

from __future__ import annotations

from graphscope.analysis.cost.table import row

_INTERPOLATION = 9
"""Two interpolations along one axis and one along the other: a difference, a product and a sum each."""

row("ResizeBilinear CropAndResize", lambda o: _INTERPOLATION * o.given())
