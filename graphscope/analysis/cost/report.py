"""The cost report: sizes in bytes, times in microseconds, counts of operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphscope.analysis.cost.devices import Device
from graphscope.core.shown import Shown
from graphscope.core.tensors import Shape
from graphscope.core.values.dtypes import DataType


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount for any batch: ``fixed + per_example * batch``."""

    fixed: int
    per_example: int


@dataclass(frozen=True, slots=True)
class ByBatch:
    """Figures of a model whose batch is open, each for any batch.

    ``None`` for an amount that does not grow in proportion to the batch, such as a product of a batch with itself.
    """

    macs: Amount | None
    flops: Amount | None
    read_bytes: Amount | None
    written_bytes: Amount | None
    activation_bytes: Amount | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over nodes, each multiplied by its number of runs; for one example if the batch size is open.

    Attributes:
        parameters: learned numbers, each counted once, at first use.
        parameter_bytes: their size in memory.
        macs: multiplications with an addition each.
        flops: floating-point operations, ``2 * macs`` among them.
        read_bytes, written_bytes: from and to memory, if nothing stays in a cache.
        activation_bytes: of all results, each node's once.
        without_flops: nodes whose ``flops`` are not known and not in the sum: ops without a formula, and unknown sizes.
        without_bytes: nodes whose bytes are not known and not in the sums.
        time_us: at the peak of a device, each node limited by its operations or by its bytes; ``None`` without a device.
        by_batch: the same for any batch; ``None`` if the batch is known, or nothing depends on one.
    """

    parameters: int
    parameter_bytes: int
    macs: int
    flops: int
    read_bytes: int
    written_bytes: int
    activation_bytes: int
    without_flops: int
    without_bytes: int
    time_us: float | None
    by_batch: ByBatch | None = None

    @property
    def intensity(self) -> float | None:
        """Arithmetic intensity: operations for each byte that is read or written; ``None`` if no bytes are known."""
        moved = self.read_bytes + self.written_bytes
        return self.flops / moved if moved else None


@dataclass(frozen=True, slots=True)
class CostRow:
    """A layer, a scope, an op, or a node.

    Attributes:
        name: of the scope or the node; the op's.
        function: the library function that a node is in; empty otherwise.
        op: a node's; empty for what has several.
        nodes: how many nodes compute or move something.
        executions: how often they run together.
        dtype, shape: what a node or a scope gives at its end; of an op ``INVALID`` and ``None``.
        figures: see :class:`Figures`.
    """

    name: str
    function: str
    op: str
    nodes: int
    executions: int
    dtype: DataType
    shape: Shape
    figures: Figures


@dataclass(frozen=True, slots=True)
class LoopRow:
    """A loop.

    Attributes:
        name: of its frame or node.
        turns: number of iterations; 1 if unknown, so that figures are per iteration.
        is_known: whether constants determine it.
        is_limit: whether ``turns`` is an upper bound.
    """

    name: str
    turns: int
    is_known: bool
    is_limit: bool


@dataclass(frozen=True, slots=True)
class BranchRow:
    """Branches: only the one with more operations is counted, since the file does not say which one runs.

    Attributes:
        name: of the node that decides.
        taken: the branch that is counted: ``true``, ``false`` or a function.
        flops, other_flops: of one run of that branch, and of the other.
    """

    name: str
    taken: str
    flops: int
    other_flops: int


@dataclass(frozen=True, slots=True, repr=False)
class CostReport(Shown):
    """What one run of a model costs, by its structure.

    Attributes:
        path: of the model.
        outputs: what is computed; empty if all nodes are counted.
        inputs: tensor name -> its shape, of what is fed.
        batch: the size that open batch dimensions were given; ``None`` if there was none, and where it stays open.
        is_batch_open: whether the batch size is unknown. Shapes have ``None`` for it then, figures are for one example, and
            ``by_batch`` has them for any batch.
        values: tensor name -> value, of training switches that were set for inference.
        by: the kind of row: ``scope``, ``op`` or ``node``.
        rows: in the order in which they run; ops with the most operations first.
        total: of all nodes.
        peak_low_bytes, peak_high_bytes: peak memory of activations: if kernels overwrite inputs that are no longer needed, and
            if every result has its own memory.
        peak_node: the node at which that is.
        peak_unsized: results of unknown size, which are not in the peak.
        peak_low_by_batch, peak_high_by_batch: the peak for any batch; ``None`` as in :class:`ByBatch`.
        without_formula: op -> number of nodes, of ops without a formula.
        unsized: nodes that have a formula but not the sizes for it.
        loops, branches: see :class:`LoopRow` and :class:`BranchRow`.
        device: at whose peak the times are.
    """

    path: str
    outputs: tuple[str, ...]
    inputs: Mapping[str, Shape]
    batch: int | None
    is_batch_open: bool
    values: Mapping[str, float]
    by: str
    rows: tuple[CostRow, ...]
    total: Figures
    peak_low_bytes: int
    peak_high_bytes: int
    peak_node: str
    peak_unsized: int
    peak_low_by_batch: Amount | None
    peak_high_by_batch: Amount | None
    without_formula: Mapping[str, int]
    unsized: tuple[str, ...]
    loops: tuple[LoopRow, ...]
    branches: tuple[BranchRow, ...]
    device: Device | None

    def __repr__(self) -> str:
        each = " for each example" if self.is_batch_open else ""
        return f"<CostReport {self.path!r}: {self.total.parameters:,} parameters, {self.total.macs:,} MACs{each}>"
