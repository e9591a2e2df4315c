"""Formulas by subject; importing this registers them."""

from graphscope.analysis.cost.formulas import (
    elementwise,
    images,
    movement,
    normalizing,
    products,
    recurrent,
    reductions,
    updates,
    windows,
)

__all__ = [
    "elementwise",
    "images",
    "movement",
    "normalizing",
    "products",
    "recurrent",
    "reductions",
    "updates",
    "windows",
]
