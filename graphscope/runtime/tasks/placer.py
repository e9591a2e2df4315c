"""Where a master puts nodes before TensorFlow rewrites anything: what ``log_device_placement`` tells on its own stdout.

The graph is run once without any rewriting, and the graphs that ran tell their devices. Nothing is computed there: whatever has
no input waits for a tensor that is dead, and so does all that follows. So it goes without weights, feeds and variables.

Sources: ``tensorflow/core/common_runtime/executor.cc``: a node with a dead input passes that on and does not run;
``tensorflow/core/graph/graph_partition.cc``: ``Switch``, ``Enter``, ``Exit``, ``NextIteration`` end next to their inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphscope.board.blank import blank_weights
from graphscope.core.changes.build import constant, make_node, type_attr, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.protos import RunMetadata
from graphscope.runtime.importing import import_graph, tensorflow_errors
from graphscope.runtime.tensorflow import tensorflow
from graphscope.tracing.fused import covered_nodes
from graphscope.tracing.names import NodeNames
from graphscope.tracing.partitions import Partitions
from graphscope.tracing.report import Placement

SCOPE = "graphscope_placement"
"""Of the nodes that are added."""

_NEVER = f"{SCOPE}/never"

_PLAIN = -1
"""``OptimizerOptions.L0``: no optimization."""


def cluster_placement(graph: Graph, config: Any, path: str, master: str) -> list[Placement]:
    """The device of each node of ``graph``, in the graph's order; nodes of library functions are left out. Starts TensorFlow.

    Args:
        config: a ``tf.compat.v1.ConfigProto`` for sessions on ``master``.
        path: the model, for errors.
        master: ``grpc://host:port``; empty for this process.

    Raises:
        GraphscopeError: TensorFlow cannot place a node, or the master does not answer.
    """
    tf1 = tensorflow().compat.v1
    ran = tf1.RunMetadata()
    asked = tf1.RunOptions(output_partition_graphs=True)
    idle = import_graph(_idle(blank_weights(graph)), path)
    operations = [idle.get_operation_by_name(node.name) for node in graph]
    with (
        tensorflow_errors(f"{path}: TensorFlow cannot place the graph"),
        tf1.Session(master, graph=idle, config=_without_rewriting(config)) as session,
    ):
        session.run(operations, options=asked, run_metadata=ran)
    devices = _devices(graph, Partitions(RunMetadata.FromString(ran.SerializeToString()).partition_graphs))
    return [Placement(n.name, n.op, n.device, devices[n.name]) for n in graph if n.name in devices]


def _idle(graph: Graph) -> Graph:
    """``graph``, none of whose nodes ever runs."""
    waiting = (with_inputs(node, [f"^{_NEVER}"]) if not node.inputs else node for node in graph)
    return graph.with_nodes([*_dead(), *waiting])


def _dead() -> Iterator[Node]:
    """What is false, and its copy for where it is true."""
    import numpy as np

    boolean = {"T": type_attr(DataType.BOOL)}
    yield constant(f"{SCOPE}/false", np.array(False))
    yield make_node(f"{SCOPE}/switch", "Switch", [f"{SCOPE}/false", f"{SCOPE}/false"], boolean)
    yield make_node(_NEVER, "Identity", [f"{SCOPE}/switch:1"], boolean)


def _devices(graph: Graph, ran: Partitions) -> dict[str, str]:
    """Node -> device. A constant that several devices take is where its first replica is.

    What oneDNN has fused, which only the master's own environment switches off, is where it was fused.
    """
    names = NodeNames(graph.by_name)
    devices = {node.name: node.device for node in ran.nodes.values()}
    for node in ran.computing:
        for name in (names.node(node.name), *covered_nodes(graph, node.name, node.op, ran.nodes)):
            devices.setdefault(name, node.device)
    return devices


def _without_rewriting(config: Any) -> Any:
    plain = type(config)()
    plain.CopyFrom(config)
    plain.graph_options.rewrite_options.disable_meta_optimizer = True
    plain.graph_options.optimizer_options.opt_level = _PLAIN
    return plain
