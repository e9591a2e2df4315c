"""The configuration of a session: devices, threads and memory, as in ``tf.compat.v1.ConfigProto``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphscope.cluster.hosts import Cluster
from graphscope.core.arguments import check_fields
from graphscope.core.graph import Graph
from graphscope.feeding.dependencies import Need, part
from graphscope.runtime.tensorflow import tensorflow
from graphscope.transforms.colocate import colocate
from graphscope.transforms.device_placement import Rule, place, place_unplaced
from graphscope.transforms.subgraph import clear_placement


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """Options of a session. The defaults are TensorFlow's own, except for soft placement.

    Attributes:
        devices: device type (``CPU``) -> number: of virtual CPUs, or the maximum number of GPUs; TensorFlow's default (one CPU,
            all GPUs) for other types.
        soft_placement: a node runs on another device if its own does not exist or has no kernel for it.
        allow_growth: allocate GPU memory as needed, not all at once.
        gpu_memory_fraction: the fraction of each GPU's memory to use, above 0 and up to 1.
        intra_threads, inter_threads: threads within one op, and for ops that run at the same time; 0 lets TensorFlow choose.
        log_placement: report the devices of the graph's nodes. TensorFlow's own ``log_device_placement`` stays off, because it
            prints to stdout.
        log_executed: report the executed nodes and their devices, after TensorFlow has rewritten the graph.
    """

    devices: Mapping[str, int] = field(default_factory=dict)
    soft_placement: bool = True
    allow_growth: bool = False
    gpu_memory_fraction: float | None = None
    intra_threads: int = 0
    inter_threads: int = 0
    log_placement: bool = False
    log_executed: bool = False

    def __post_init__(self) -> None:
        check_fields(self)


DEFAULT = SessionOptions()

OPERATION_S = 60.0
"""The time limit of a master for one operation."""


@dataclass(frozen=True, slots=True)
class Placing:
    """The placement of nodes.

    Attributes:
        clear_devices: ignore the device assignments of the graph; by default they are kept, including colocation.
        place: rules for node names, applied after that, see :func:`graphscope.transforms.device_placement.place`.
        device: the device of nodes that still have none.
        master: the master that runs them, ``grpc://host:port``; empty for this process.
        cluster: the cluster of the master, if it is known: all of its tasks are checked.
        timeout_s: time limit of the master for one operation: connecting to all of its tasks, running a step.
    """

    clear_devices: bool = False
    place: Sequence[Rule] = ()
    device: str = ""
    master: str = ""
    cluster: Cluster | None = None
    timeout_s: float = OPERATION_S

    def __post_init__(self) -> None:
        check_fields(self)

    def graph(self, graph: Graph) -> Graph:
        """``graph`` with the devices on which its nodes are to run."""
        return self._place(clear_placement(graph) if self.clear_devices else colocate(graph))

    def part(self, graph: Graph, needed: Need) -> Graph:
        """The part of ``graph`` that a run touches, with devices as :meth:`graph` gives them."""
        whole = graph if self.clear_devices else colocate(graph)
        return self._place(part(whole, needed, keep_devices=not self.clear_devices))

    def _place(self, graph: Graph) -> Graph:
        return place_unplaced(place(graph, self.place), self.device)


AS_STATED = Placing()
UNPLACED = Placing(clear_devices=True)


def session_config(options: SessionOptions = DEFAULT, *, native: bool = False) -> Any:
    """``options`` as a ``tf.compat.v1.ConfigProto``. Starts TensorFlow.

    Args:
        native: see :func:`graphscope.runtime.tensorflow.tensorflow`.

    Raises:
        MissingDependencyError: TensorFlow is not installed.
    """
    config = tensorflow(native=native).compat.v1.ConfigProto(
        device_count=dict(options.devices),
        allow_soft_placement=options.soft_placement,
        intra_op_parallelism_threads=options.intra_threads,
        inter_op_parallelism_threads=options.inter_threads,
    )
    if options.allow_growth:
        config.gpu_options.allow_growth = True
    if options.gpu_memory_fraction is not None:
        config.gpu_options.per_process_gpu_memory_fraction = options.gpu_memory_fraction
    return config
