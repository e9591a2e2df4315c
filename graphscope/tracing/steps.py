"""The contents of a traced run: which op ran where, when and for how long, with inputs and outputs.

Source: ``tensorflow/core/framework/step_stats.proto``, ``NodeExecStatsWrapper`` in
``tensorflow/core/common_runtime/step_stats_collector.cc`` (labels), ``core/profiler/internal/tfprof_node.cc`` (streams).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from graphscope.core.patterns import NamePattern
from graphscope.core.values.dtypes import DataType
from graphscope.protos import DeviceStepStats, NodeExecStats, StepStats

NS = 1000
"""Nanoseconds in a microsecond: old TensorFlow versions record only microseconds."""

RECEIVED = "RecvTensor"
"""A transfer between tasks; named after the edge of the graph: ``edge_5_name``."""

_EDGE = NamePattern(r"(?P<edge>edge_\d+_(?P<tensor>.+?)) from (?=/)")
_ANNOTATED = NamePattern(r"@@(?P<name>[^#]+?)(?::(?P<op>\w+))?#")
_KERNEL = re.compile(r"(?P<name>.+):(?P<op>\w+)")
_STREAM = re.compile(r"(?P<device>.*)/(?P<stream>stream:\w+|memcpy)")


@dataclass(frozen=True, slots=True)
class OutputSlot:
    """One output tensor of an op.

    Attributes:
        slot: which output.
        dtype: its element type.
        shape: its dimensions.
        size_bytes: of its buffer.
    """

    slot: int
    dtype: DataType
    shape: tuple[int, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of one node, as the trace has it.

    Attributes:
        name: the node's name in the graph that TensorFlow made of the model's.
        op: the op that ran, which rewriting may have changed; empty if the trace does not say.
        device: full name, without the stream of a GPU.
        stream: which of a GPU's streams ran a kernel of the node; empty for the op itself.
        thread: as the trace has it; most traces have 0 everywhere.
        scheduled_ns: when its inputs were ready, in nanoseconds since 1970.
        start_ns, end_ns: when it ran, including TensorFlow's overhead.
        inputs: tensors that it read, as the trace names them, without control inputs.
        outputs: its output tensors.
        allocated_bytes: bytes allocated for it, outputs and scratch memory.
        persistent_bytes: memory kept between runs: variables, constants.
        allocations: when (ns since 1970) how many bytes were allocated (> 0) or freed (< 0).
    """

    name: str
    op: str
    device: str
    stream: str
    thread: int
    scheduled_ns: int
    start_ns: int
    end_ns: int
    inputs: tuple[str, ...] = ()
    outputs: tuple[OutputSlot, ...] = ()
    allocated_bytes: int = 0
    persistent_bytes: int = 0
    allocations: tuple[tuple[int, int], ...] = ()

    @property
    def wall_ns(self) -> int:
        """How long it took, in nanoseconds."""
        return self.end_ns - self.start_ns

    @property
    def output_bytes(self) -> int:
        """The total size of its outputs."""
        return sum(output.size_bytes for output in self.outputs)


@dataclass(frozen=True)
class Step:
    """One traced run.

    Attributes:
        executions: by their start.
    """

    executions: Sequence[Execution]

    @property
    def start_ns(self) -> int:
        """When its first op started, in nanoseconds since 1970; 0 for an empty step."""
        return self.executions[0].start_ns if self.executions else 0

    @cached_property
    def span_ns(self) -> int:
        """From the start of the first op to the end of the last."""
        return max((e.end_ns for e in self.executions), default=0) - self.start_ns


def read_step(stats: StepStats) -> Step:
    """The executions of one traced run, each once: of a GPU's streams, ``stream:all`` repeats the others."""
    return Step(sorted(_executions(stats), key=lambda e: (e.start_ns, e.end_ns)))


def _executions(stats: StepStats) -> Iterator[Execution]:
    devices = [device.device for device in stats.dev_stats]
    for device in stats.dev_stats:
        match = _STREAM.fullmatch(device.device)
        if match is None:
            yield from (_execution(node, device.device, "") for node in device.node_stats)
        elif match["stream"] == "stream:all" or f"{match['device']}/stream:all" not in devices:
            yield from _kernels(device, _owner(match["device"], devices), match["stream"])


def _owner(device: str, devices: Iterable[str]) -> str:
    """Streams are named without job and task: the device of the ops that launched them."""
    return next((d for d in devices if d.endswith(device) and not _STREAM.fullmatch(d)), device)


def _kernels(device: DeviceStepStats, owner: str, stream: str) -> Iterator[Execution]:
    for node in device.node_stats:
        yield _execution(node, owner, stream)


def _execution(node: NodeExecStats, device: str, stream: str) -> Execution:
    name, op, inputs = _parse_label(node, stream)
    start = node.all_start_nanos or node.all_start_micros * NS
    wall = node.all_end_rel_nanos or node.all_end_rel_micros * NS
    return Execution(
        name=name,
        op=op,
        device=device,
        stream=stream,
        thread=node.thread_id,
        scheduled_ns=node.scheduled_nanos or node.scheduled_micros * NS or start,
        start_ns=start,
        end_ns=start + max(wall, 0),
        inputs=inputs,
        outputs=tuple(map(_output, node.output)),
        allocated_bytes=sum(max(used.total_bytes, 0) for used in node.memory),
        persistent_bytes=max(node.memory_stats.persistent_memory_size, 0),
        allocations=tuple((r.alloc_micros * NS, r.alloc_bytes) for m in node.memory for r in m.allocation_records),
    )


def _parse_label(node: NodeExecStats, stream: str) -> tuple[str, str, tuple[str, ...]]:
    """Name, op and inputs: an op's label is ``name = Op(inputs)``, a kernel's ends in ``@@name:Op#...``, a transfer's is
    ``[40B] [1Mb/s] edge_5_name from DEVICE to DEVICE``."""
    if stream:
        kernel = _ANNOTATED.search(node.timeline_label) or _KERNEL.fullmatch(node.node_name)
        return (kernel["name"], kernel["op"] or "", ()) if kernel else (node.node_name, "", ())
    if node.node_name == RECEIVED:
        edge = _EDGE.search(node.timeline_label)
        return (edge["edge"], RECEIVED, (edge["tensor"],)) if edge else (RECEIVED, RECEIVED, ())
    _, _, rest = node.timeline_label.partition(" = ")
    op, is_op, inputs = rest.partition("(")
    if not is_op or not inputs.endswith(")"):
        return node.node_name, "", ()
    return node.node_name, op, tuple(filter(None, inputs[:-1].split(", ")))


def _output(output: Any) -> OutputSlot:
    tensor = output.tensor_description
    dtype = DataType.of(tensor.dtype)
    shape = tuple(dim.size for dim in tensor.shape.dim)
    stated = tensor.allocation_description.requested_bytes
    return OutputSlot(output.slot, dtype, shape, stated or math.prod(shape) * (dtype.itemsize or 0))
