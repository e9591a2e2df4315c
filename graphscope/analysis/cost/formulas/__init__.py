"""Formulas by subject; importing this registers them."""

from __future__ import annotations

from collections.abc import Mapping

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
from graphscope.analysis.cost.table import ACCESS, FORMULAS, Access, Formula

__all__ = [
    "access",
    "computes",
    "elementwise",
    "formulas",
    "images",
    "movement",
    "normalizing",
    "products",
    "recurrent",
    "reductions",
    "updates",
    "windows",
]


def formulas() -> Mapping[str, Formula]:
    """Op -> formula, of all ops that have one."""
    return FORMULAS


def access(op: str) -> Access:
    """The data that an op accesses."""
    return ACCESS.get(op, Access.WHOLE)


def computes(op: str) -> bool:
    """Whether an op has a formula and does more than move data."""
    return op in FORMULAS and op not in ACCESS
