"""Imports a graph into TensorFlow, and converts TensorFlow's exceptions to readable errors."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from graphscope.advice import Advice, Option
from graphscope.core.graph import Graph
from graphscope.errors import GraphscopeError, UnsupportedError, some
from graphscope.formats.lazy.pieces import flow, graph_pieces, size_of
from graphscope.runtime.tensorflow import tensorflow

MAX_GRAPH_BYTES = (1 << 31) - 1
"""The maximum size of a message that TensorFlow parses."""

_MAX_LISTED = 3
_HINTS: Mapping[str, str | Advice] = {
    "ResourceExhaustedError": "a smaller batch needs less memory",
    "DeadlineExceededError": Advice(Option("timeout", "SECONDS"), " allows more time"),
}
_WORD = re.compile(r"\w")
_NODE_IN_ERROR = re.compile(r"\{\{node ([^{}]+)\}\}")


def import_graph(graph: Graph, path: str) -> Any:
    """``graph`` as a ``tf.Graph``; reads its weights.

    Raises:
        UnsupportedError: TensorFlow does not have an op, or the graph is too large for it.
        CorruptFileError: a weight cannot be read.
        GraphscopeError: TensorFlow refuses the graph; the error names the node.
    """
    tf = tensorflow()
    _refuse_unknown_ops(graph, path)
    pieces = graph_pieces(graph)
    size = size_of(pieces)
    if size > MAX_GRAPH_BYTES:
        raise UnsupportedError(
            f"a graph of {size:,} bytes; TensorFlow accepts none above {MAX_GRAPH_BYTES:,}", path=path
        )
    graph_def = tf.compat.v1.GraphDef.FromString(b"".join(flow(pieces)))
    with tf.Graph().as_default() as imported, tensorflow_errors(f"{path}: TensorFlow refuses the graph"):
        tf.compat.v1.import_graph_def(graph_def, name="")
    return imported


@contextlib.contextmanager
def tensorflow_errors(what: str) -> Iterator[None]:
    """Converts TensorFlow's exceptions to a sentence that names the node.

    Raises:
        GraphscopeError: ``what``, the node, the first line of TensorFlow's message that has words.
    """
    tf = tensorflow()
    try:
        yield
    except (tf.errors.OpError, ValueError, TypeError) as error:
        # A session puts a stack trace before the message; the message alone is in the error that it came from.
        cause = error.__context__ if isinstance(error.__context__, tf.errors.OpError) else error
        text = str(getattr(cause, "message", cause))
        line = _first_sentence(text)
        node = _node_in(error, text)
        place = f"node {node}: " if node and node not in line else ""
        hint = next((hint for kind, hint in _HINTS.items() if isinstance(error, getattr(tf.errors, kind))), None)
        raise GraphscopeError(f"{what}: {place}{line}", hint=hint) from error


def _first_sentence(text: str) -> str:
    """The first line that has words; an error of another task may begin with a rule of equals signs."""
    return next((line.strip() for line in text.splitlines() if _WORD.search(line)), "")


def _node_in(error: Exception, text: str) -> str:
    operation = getattr(error, "op", None)
    found = _NODE_IN_ERROR.search(text)
    return operation.name if operation is not None else found[1] if found else ""


def _refuse_unknown_ops(graph: Graph, path: str) -> None:
    from tensorflow.python.framework import op_def_registry

    unknown: dict[str, str] = {}
    for function, body in graph.bodies:
        for op, node in zip(body.ops, body.nodes):
            if op not in unknown and op not in graph.functions and op_def_registry.get(op) is None:
                unknown[op] = f"{op} (node {node.name}{f' of function {function}' if function else ''})"
    if unknown:
        listed = some(unknown.values(), _MAX_LISTED)
        version = tensorflow().__version__
        raise UnsupportedError(f"TensorFlow {version} lacks ops that would run: {listed}", path=path)
