"""Where TensorFlow puts nodes before it rewrites anything: what ``log_device_placement`` tells.

A session places its whole graph when it first runs. The values of constants do not matter for that: the graph is handed over
without its weights, and one node that does nothing runs.

Source: ``LogDeviceAssignment`` in ``tensorflow/core/common_runtime/placer.cc``: a line for each node on stdout,
``name: (Op): device``.
"""

from __future__ import annotations

import re
from typing import Any

from graphscope.board.blank import blank_weights
from graphscope.core.graph import Graph
from graphscope.errors import GraphscopeError
from graphscope.runtime.held_output import held_back
from graphscope.runtime.importing import import_graph, tensorflow_errors
from graphscope.runtime.tensorflow import tensorflow
from graphscope.tracing.report import Placement

_LINE = re.compile(r"(\S+): \(\S+\): (\S+)")


def placement(graph: Graph, config: Any, path: str) -> list[Placement]:
    """The device of each node of ``graph``, in the graph's order; nodes of library functions are left out. Starts TensorFlow.

    Args:
        config: a ``tf.compat.v1.ConfigProto`` for sessions in this process.
        path: the model, for errors.

    Raises:
        GraphscopeError: TensorFlow cannot place a node, or stdout is closed, where it tells the devices.
    """
    lines = map(_LINE.fullmatch, _log(graph, config, path).splitlines())
    devices = {line[1]: line[2] for line in lines if line is not None}
    return [Placement(n.name, n.op, n.device, devices[n.name]) for n in graph if n.name in devices]


def _log(graph: Graph, config: Any, path: str) -> str:
    """What TensorFlow writes to stdout when it places ``graph``."""
    tf = tensorflow()
    telling = type(config)()
    telling.CopyFrom(config)
    telling.log_device_placement = True
    placed = import_graph(blank_weights(graph), path)
    with placed.as_default():
        nothing = tf.no_op()
    try:
        with (
            held_back(1) as written,
            tensorflow_errors(f"{path}: TensorFlow cannot place the graph"),
            tf.compat.v1.Session(graph=placed, config=telling) as session,
        ):
            session.run(nothing)
    except OSError as error:
        raise GraphscopeError(f"TensorFlow cannot tell where nodes run: stdout: {error.strerror}") from error
    return written.decode(errors="replace")
