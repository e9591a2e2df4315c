"""How a session is set up: its devices, threads and memory, as people know them from ``tf.compat.v1.ConfigProto``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphscope.cluster.hosts import Cluster
from graphscope.core.graph import Graph
from graphscope.feeding.dependencies import Need, part
from graphscope.runtime.tensorflow import tensorflow
from graphscope.transforms.colocate import colocate
from graphscope.transforms.device_placement import Rule, place, place_unplaced
from graphscope.transforms.subgraph import clear_placement


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What a person may choose of a session. The defaults are TensorFlow's own, but for soft placement.

    Attributes:
        devices: device type (``CPU``) -> how many: that many virtual CPUs, at most that many GPUs; TensorFlow's own number
            (one CPU, every GPU) for types that are not named.
        soft_placement: a node runs elsewhere where its device does not exist or has no kernel for it.
        allow_growth: GPU memory is taken as it is needed, not all at once.
        gpu_memory_fraction: the share of each GPU's memory that may be taken, above 0 and up to 1.
        intra_threads, inter_threads: threads within one op, and for ops that run at the same time; 0 lets TensorFlow choose.
        log_placement: whoever runs the session is to say where TensorFlow puts the graph's nodes. TensorFlow's own
            ``log_device_placement`` is left off: it prints them on stdout.
        log_executed: the same of what ran, after TensorFlow has rewritten the graph.
    """

    devices: Mapping[str, int] = field(default_factory=dict)
    soft_placement: bool = True
    allow_growth: bool = False
    gpu_memory_fraction: float | None = None
    intra_threads: int = 0
    inter_threads: int = 0
    log_placement: bool = False
    log_executed: bool = False


DEFAULT = SessionOptions()

OPERATION_S = 60.0
"""How long a master may take for one operation."""


@dataclass(frozen=True, slots=True)
class Placing:
    """Where nodes run.

    Attributes:
        clear_devices: forget the devices that the graph names; otherwise nodes run there, and beside a node that names one if
            the graph says so.
        place: after that, rules on the names of nodes, see :func:`graphscope.transforms.device_placement.place`.
        device: where nodes run that name no device even so.
        master: the master that runs them, ``grpc://host:port``; empty for this process.
        cluster: whose master that is, where it is known: each of its tasks is asked whether it is there.
        timeout_s: how long the master may take for one operation: to hear from all its tasks, to run a step.
    """

    clear_devices: bool = False
    place: Sequence[Rule] = ()
    device: str = ""
    master: str = ""
    cluster: Cluster | None = None
    timeout_s: float = OPERATION_S

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
