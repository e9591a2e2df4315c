"""The profile report. An op's, a scope's and a device's time is the sum of its nodes' medians: all tables add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphscope.core.shown import Shown
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType


@dataclass(frozen=True, slots=True)
class Times:
    """Wall time of one step, over all steps.

    Attributes:
        wall_us: the median, in microseconds.
        low_us, high_us: the quartiles: half of the steps are between them.
    """

    wall_us: float
    low_us: float
    high_us: float


@dataclass(frozen=True, slots=True)
class Feed:
    """The value fed to a tensor.

    Attributes:
        tensor, dtype, shape: as it was fed.
        how: ``given``, ``random``, or ``for inference`` (a training switch).
    """

    tensor: str
    dtype: DataType
    shape: tuple[int, ...]
    how: str


@dataclass(frozen=True, slots=True)
class NodeCost:
    """The cost of one node on one device.

    Attributes:
        name: the node's; the trace's own name where no node was found.
        is_found: whether the graph has the node.
        op: in the graph; empty where it is not known.
        kernel: the op that ran in its place.
        covers: nodes of the graph whose work it did too: a convolution and its bias, done by one fused kernel.
        device: where it ran.
        executions: number of runs in one step: more than one in a loop.
        times: of all executions in one step.
        share: of the time of all nodes, 0 to 1.
        outputs: its outputs, each with its shape.
        output_bytes: the size of that.
        allocated_bytes: bytes allocated for it in one step, including scratch memory.
        flops: floating-point operations in one step; ``None`` if they are not known.
        flops_per_s: at the median time.
    """

    name: str
    is_found: bool
    op: str
    kernel: str
    covers: tuple[str, ...]
    device: str
    executions: int
    times: Times
    share: float
    outputs: tuple[TensorSpec, ...]
    output_bytes: int
    allocated_bytes: int
    flops: int | None
    flops_per_s: float | None


@dataclass(frozen=True, slots=True)
class GroupCost:
    """The cost of the nodes of one op, one name scope or one device.

    Attributes:
        name: the op that ran, the scope (empty for nodes outside all scopes), or the device.
        depth: 0 for an outermost scope; 0 for ops and devices.
        nodes: how many.
        executions: of all of them in one step.
        times, share, output_bytes: as for :class:`NodeCost`, summed.
        flops: of those nodes for which they are known; ``None`` if there are none.
        flops_per_s: of these nodes, at their median times.
    """

    name: str
    depth: int
    nodes: int
    executions: int
    times: Times
    share: float
    output_bytes: int
    flops: int | None
    flops_per_s: float | None


@dataclass(frozen=True, slots=True)
class DeviceCost:
    """The executions on one device.

    Attributes:
        name: full name.
        placed: nodes placed there, including those that only prepare something.
        nodes, executions, times, share: of the nodes traced there.
        peak_bytes: peak allocation in any step, without persistent memory.
        persistent_bytes: memory of variables and constants.
    """

    name: str
    placed: int
    nodes: int
    executions: int
    times: Times
    share: float
    peak_bytes: int
    persistent_bytes: int


@dataclass(frozen=True, slots=True)
class Placement:
    """TensorFlow's placement of a node of the graph, before any rewriting.

    Attributes:
        name: the node.
        op: its op.
        requested: the device that the graph requests; empty if it requests none.
        device: the assigned device.
    """

    name: str
    op: str
    requested: str
    device: str


@dataclass(frozen=True, slots=True)
class Executed:
    """What ran on a device.

    Attributes:
        name: the node that ran; ``node`` the graph's node that it was made of, empty if there is none.
        op: that ran; of a node within a fused kernel, its own.
        requested: the device that the graph requests; empty if it requests none.
        device: the device that it ran on.
        within: the node whose fused kernel did its work; empty for a node that ran itself.
    """

    name: str
    node: str
    op: str
    requested: str
    device: str
    within: str = ""


@dataclass(frozen=True, slots=True)
class PathCost:
    """A node on the critical path.

    Attributes:
        name, kernel, device: as for :class:`NodeCost`.
        executions: number of times that the path passes through it.
        wall_us: the time of these.
    """

    name: str
    kernel: str
    device: str
    executions: int
    wall_us: float


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """The longest chain of executions that waited for one another, in the step whose length is the median.

    Attributes:
        wall_us: its length: the sum of the medians of their times.
        executions: how many there are.
        nodes: by first appearance.
    """

    wall_us: float
    executions: int
    nodes: Sequence[PathCost]


@dataclass(frozen=True, slots=True, repr=False)
class Profile(Shown):
    """The cost of traced runs of a graph.

    Attributes:
        path: the model, or the log directory that the traces are from.
        outputs: the computed outputs.
        feeds: the fed values.
        steps: number of traced runs.
        untraced: wall time without tracing, as the caller saw it; ``None`` if that was not measured.
        traced: wall time with tracing.
        span: from the first op's start to the last one's end.
        wall_us: the time of all nodes: more than the span where they ran side by side.
        unfound: names of the trace for which the graph has no node.
        unfound_stats: how many executions of all steps that were.
        unfound_share: their share of the time.
        nodes, ops, scopes, devices: costliest first; a scope before those in it.
        placement: TensorFlow's placement of the graph's own nodes; empty for traces that were read, and for those of a master.
        executed: what ran, by device, in the order of the partition graphs; empty if the trace has none.
        critical: the critical path.
    """

    path: str
    outputs: Sequence[str]
    feeds: Sequence[Feed]
    steps: int
    untraced: Times | None
    traced: Times | None
    span: Times
    wall_us: float
    unfound: Sequence[str]
    unfound_stats: int
    unfound_share: float
    nodes: Sequence[NodeCost]
    ops: Sequence[GroupCost]
    scopes: Sequence[GroupCost]
    devices: Sequence[DeviceCost]
    placement: Sequence[Placement]
    executed: Sequence[Executed]
    critical: CriticalPath

    def __repr__(self) -> str:
        return f"<Profile {self.path!r}: {self.steps:,} steps, {self.span.wall_us:,.0f} us each>"

    @property
    def examples(self) -> int | None:
        """How many examples a run took: the first size that all fed tensors but scalars share; ``None`` if they do not."""
        sizes = {feed.shape[0] for feed in self.feeds if feed.shape}
        return sizes.pop() if len(sizes) == 1 else None

    @property
    def examples_per_s(self) -> float | None:
        """How many examples a second of untraced runs takes; ``None`` if either is not known."""
        if self.untraced is None or not self.untraced.wall_us or self.examples is None:
            return None
        return self.examples * 1e6 / self.untraced.wall_us

    @property
    def overhead(self) -> float | None:
        """How much longer a traced run takes, as a share of an untraced one."""
        if self.untraced is None or self.traced is None or not self.untraced.wall_us:
            return None
        return self.traced.wall_us / self.untraced.wall_us - 1
