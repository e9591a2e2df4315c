"""Running graphs in TensorFlow: the oracle of what is computed without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graphscope.core.changes.build import make_node, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.table import registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.errors import MissingDependencyError
from graphscope.formats.graph.graphdef import graph_from
from graphscope.formats.lazy.pieces import flow, graph_pieces
from graphscope.protos import AttrValue, GraphDef, OpDef
from graphscope.runtime.tensorflow import is_exact, tensorflow

try:
    tf = tensorflow()
except MissingDependencyError as error:
    pytest.skip(f"TensorFlow runs these graphs for comparison: {error}", allow_module_level=True)

Array = NDArray[Any]
Argument = Array | list[Array]


def assert_same_bits(found: Any, expected: Any) -> None:
    """Equal to the bit; nearly so where this process has oneDNN, whose kernels round differently from process to process."""
    assert_same_values(found, expected)
    if is_exact():
        assert np.asarray(found).tobytes() == np.asarray(expected).tobytes()


def assert_same_values(found: Any, expected: Any, name: str = "") -> None:
    """Equal, zeros of either sign too; with oneDNN, floating-point numbers nearly so."""
    values = np.asarray(expected)
    if is_exact() or not np.issubdtype(values.dtype, np.floating):
        np.testing.assert_array_equal(found, expected, err_msg=name)
    else:
        scale = np.abs(values[np.isfinite(values)], dtype=np.float64).max(initial=1e-3)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * scale, err_msg=name)


def serialized(graph: Graph) -> bytes:
    """The ``GraphDef`` with its weights."""
    return b"".join(flow(graph_pieces(graph)))


def refusal(graph: Graph) -> str:
    """What TensorFlow says, importing ``graph``; empty if it does import it."""
    try:
        with tf.Graph().as_default():
            tf.import_graph_def(tf.compat.v1.GraphDef.FromString(serialized(graph)), name="")
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        return str(error)
    return ""


def run_graph(graph: Graph | bytes, fetches: Sequence[str], feed: Mapping[str, Any] | None = None) -> list[Array]:
    """The values of tensors, in a session without rewriting, so that every op is TensorFlow's own as written."""
    content = graph if isinstance(graph, bytes) else serialized(graph)
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = -1
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(content), name="")
        values = session.run(list(fetches), dict(feed or {}))
    return [np.array(value, object) if isinstance(value, bytes) else np.asarray(value) for value in values]


def node_of_op(op: str, inputs: Sequence[Argument], attrs: Mapping[str, Any] | None = None) -> Node:
    """A node ``n`` of ``op`` that reads ``in_0``, ``in_1`` and so on; the types and counts of its inputs become attributes."""
    definition = registered_ops()[op]
    count = sum(len(i) if isinstance(i, list) else 1 for i in inputs)
    result = make_node("n", op, [f"in_{i}" for i in range(count)])
    for argument, given in zip(definition.input_arg, inputs):
        types = [DataType.from_numpy(a.dtype) for a in (given if isinstance(given, list) else [given])]
        if argument.type_attr:
            result.proto.attr[argument.type_attr].type = int(types[0])
        if argument.number_attr:
            result.proto.attr[argument.number_attr].i = len(types)
        if argument.type_list_attr:
            result.proto.attr[argument.type_list_attr].list.type[:] = map(int, types)
    for name, value in (attrs or {}).items():
        result.proto.attr[name].CopyFrom(attr_value(definition, name, value))
    return result


def attr_value(definition: OpDef, name: str, value: Any) -> AttrValue:
    """``value`` as the attribute ``name`` of an op."""
    [kind] = [a.type for a in definition.attr if a.name == name]
    if kind.startswith("list("):
        return AttrValue(list=AttrValue.ListValue(**{_FIELDS[kind[5:-1]]: value}))  # type: ignore[attr-defined]
    if kind == "shape":
        result = AttrValue()
        for size in value:
            result.shape.dim.add(size=size)
        return result
    return AttrValue(**{_FIELDS[kind]: int(value) if kind == "type" else value})


_FIELDS = {"int": "i", "bool": "b", "float": "f", "string": "s", "type": "type"}


def flat(inputs: Sequence[Argument]) -> list[Array]:
    """Inputs in order, lists taken apart."""
    return [a for i in inputs for a in (i if isinstance(i, list) else [i])]


def run_nodes(calls: Sequence[tuple[Node, Sequence[Array], int]]) -> list[list[Array]]:
    """What TensorFlow's kernels give for nodes made by :func:`node_of_op`, their fed inputs, and how many outputs each has."""
    graph, feed, fetches = GraphDef(), {}, []
    for number, (single, inputs, outputs) in enumerate(calls):
        for i, value in enumerate(inputs):
            placeholder = graph.node.add(name=f"call_{number}/in_{i}", op="Placeholder")
            placeholder.attr["dtype"].type = int(DataType.from_numpy(value.dtype))
            feed[f"{placeholder.name}:0"] = value
        alone = with_inputs(single, [f"call_{number}/{i}" for i in single.inputs])
        alone.proto.name = f"call_{number}/n"
        graph.node.append(alone.proto)
        fetches += [f"call_{number}/n:{k}" for k in range(outputs)]
    results = iter(run_graph(graph.SerializeToString(), fetches, feed))
    return [[next(results) for _ in range(outputs)] for _, _, outputs in calls]


def built(build: Callable[[], object]) -> Graph:
    """What ``build`` makes in a graph of TensorFlow, with ``Switch`` and ``Merge`` for its branches and loops."""
    modern = tf.compat.v1.control_flow_v2_enabled()
    tf.compat.v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default() as made:
            build()
    finally:
        if modern:
            tf.compat.v1.enable_control_flow_v2()
    return parsed(made.as_graph_def().SerializeToString())


def parsed(content: bytes) -> Graph:
    """A ``GraphDef`` as a graph, all tensors in its messages."""
    return graph_from(GraphDef.FromString(content), _NothingOutside(), ())


class _NothingOutside:
    def payloads(self, body: object, nodes: object) -> Iterator[Any]:
        return iter(())
