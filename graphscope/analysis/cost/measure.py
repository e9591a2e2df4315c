"""The cost of one execution of one node: operations and bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from graphscope.analysis.cost.formulas import access, formulas
from graphscope.analysis.cost.operands import Operands, UnsizedError
from graphscope.analysis.cost.table import Access
from graphscope.analysis.shapes.facts import Fact
from graphscope.analysis.shapes.sizes import all_known
from graphscope.core.ops.sets import ASSIGN_OPS, COUNT_OPS
from graphscope.core.values.dtypes import DataType

MACS = 2
"""The number of operations in one multiply-add."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A tensor: its known properties and type."""

    fact: Fact
    dtype: DataType

    @property
    def size_bytes(self) -> int | None:
        """Its size; 0 for strings and handles, whose content is elsewhere; ``None`` if the shape is not known."""
        if self.dtype.itemsize is None:
            return 0
        return math.prod(self.fact.shape) * self.dtype.itemsize if all_known(self.fact.shape) else None

    def variable_bytes(self, dtype: DataType) -> int | None:
        """The size of the variable that a handle refers to; ``None`` if unknown."""
        shape = self.fact.handle[0] if self.fact.handle else None
        return math.prod(shape) * dtype.itemsize if all_known(shape) and dtype.itemsize is not None else None


@dataclass(frozen=True, slots=True)
class Work:
    """One execution of a node; ``None`` for unknown amounts.

    Attributes:
        flops: floating-point operations; integer ones count alike.
        macs: multiplications with an addition each, which are in ``flops`` as two.
        read_bytes, written_bytes: from and to memory, if nothing stays in a cache.
        result_bytes: size of the newly allocated results.
        has_formula: whether the op has one; without a size that it needs, ``flops`` is unknown all the same.
        access: which data it touches.
    """

    flops: int | None
    macs: int | None
    read_bytes: int | None
    written_bytes: int | None
    result_bytes: int | None
    has_formula: bool
    access: Access


def flops_of(operands: Operands) -> int | None:
    """Floating-point operations; ``None`` if there is no formula, or a size that it needs is not known."""
    row = formulas().get(operands.call.node.op)
    if row is None:
        return None
    try:
        return row.flops(operands)
    except UnsizedError:
        return None


def measure(operands: Operands, inputs: Sequence[Typed], outputs: Sequence[Typed]) -> Work:
    """The cost of a node.

    Args:
        inputs: the tensors that it reads, each counted once.
        outputs: the tensors that it produces.
    """
    op = operands.call.node.op
    row, kind = formulas().get(op), access(op)
    flops = flops_of(operands)
    macs = flops // MACS if flops is not None and row is not None and row.is_product else 0 if row is not None else None
    given = 0 if kind in (Access.VIEW, Access.SOURCE) else _bytes_given(op, inputs, outputs)
    read, written = _bytes_moved(operands, kind, inputs, given)
    return Work(flops, None if flops is None else macs, read, written, given, row is not None, kind)


_INTO_LISTS = {
    **dict.fromkeys(("TensorArrayScatterV2", "TensorArrayScatterV3"), 2),
    **dict.fromkeys(("TensorArraySplitV2", "TensorArraySplitV3"), 1),
    "TensorListFromTensor": 0,
    "TensorListScatterIntoExistingList": 1,
}
"""Ops that take a tensor apart into a list of tensors, which is not an output -> the input that this is."""

_ONE_RESULT = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
"""Ops whose other outputs are small, and in part of a size that only the kernel knows."""


def _bytes_given(op: str, inputs: Sequence[Typed], outputs: Sequence[Typed]) -> int | None:
    """The size of a node's results in bytes."""
    if op in _INTO_LISTS:
        return _sum([tensor.size_bytes for tensor in inputs[_INTO_LISTS[op] :][:1]])
    return _sum([tensor.size_bytes for tensor in (outputs[:1] if op in _ONE_RESULT else outputs)])


def _bytes_moved(
    operands: Operands, kind: Access, inputs: Sequence[Typed], given: int | None
) -> tuple[int | None, int | None]:
    """The bytes read and the bytes written."""
    if kind in (Access.VIEW, Access.SOURCE):
        return 0, 0
    changed = _sum(_variables(operands, inputs)) if kind is Access.WHOLE else 0
    written = _sum([given, changed])
    if kind is Access.PART:
        return _sum([given, *(tensor.size_bytes for tensor in inputs[1:])]), written
    reads_changed = 0 if operands.call.node.op == "AssignVariableOp" else changed
    return _sum([*(tensor.size_bytes for tensor in inputs), reads_changed]), written


def _variables(operands: Operands, inputs: Sequence[Typed]) -> list[int | None]:
    """The sizes of the variables that the node changes through their handles."""
    call = operands.call
    if call.node.op not in ASSIGN_OPS | COUNT_OPS and not call.node.op.startswith("Resource"):
        return []
    dtype = call.type("T") if call.attr("T") is not None else call.type("dtype")
    handles = [tensor for tensor in inputs if tensor.dtype is DataType.RESOURCE and tensor.fact.handle]
    return [tensor.variable_bytes(dtype) for tensor in handles]


def _sum(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None
