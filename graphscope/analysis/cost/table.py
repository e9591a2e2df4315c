"""The table of formulas: op -> floating-point operations, and which data an op touches."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from graphscope.analysis.cost.operands import Operands

Count = Callable[[Operands], int]
"""Counts operations of one execution of a node.

Raises:
    UnsizedError: a size that it needs is not known.
"""


@dataclass(frozen=True, slots=True)
class Formula:
    """The cost formula of an op.

    Attributes:
        flops: floating-point operations. Those of integers and booleans count alike, as in TensorFlow's profiler.
        is_product: whether these are multiplications and additions in pairs, as in a matrix product: two are a MAC.
        in_place: whether the kernel may overwrite its first input if nothing else uses it.
    """

    flops: Count
    is_product: bool = False
    in_place: bool = False


class Access(enum.Enum):
    """Which data an op reads and writes."""

    WHOLE = "all inputs are read, all outputs are written"
    PART = "of the first input as much is read as is written"
    VIEW = "the output is the first input's buffer: nothing is read or written"
    SOURCE = "what it gives is there before it runs, or is a few numbers: nothing is read or written"


FORMULAS: dict[str, Formula] = {}
ACCESS: dict[str, Access] = {}
"""Op -> formula, registered by the modules in ``formulas/``."""


def row(ops: str, flops: Count, *, is_product: bool = False, in_place: bool = False) -> None:
    """Registers a formula for ``ops``, names with spaces between them."""
    FORMULAS.update(dict.fromkeys(ops.split(), Formula(flops, is_product, in_place)))


def formula(ops: str, *, is_product: bool = False, in_place: bool = False) -> Callable[[Count], Count]:
    """Registers a function as :func:`row` does."""

    def register(count: Count) -> Count:
        row(ops, count, is_product=is_product, in_place=in_place)
        return count

    return register


def moves(ops: str, access: Access) -> None:
    """Registers ops that compute nothing."""
    row(ops, lambda _: 0)
    ACCESS.update(dict.fromkeys(ops.split(), access))
