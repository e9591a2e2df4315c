"""Variables of a base as TensorFlow's Python knows them: ``VariableDef`` messages, and the nodes that these name.

An initializer fills a variable with zeros: its value is in the checkpoint, not in the graph. Source:
``tensorflow/core/framework/variable.proto``, ``RefVariable._init_from_proto`` and ``ResourceVariable._init_from_proto``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph, Node
from graphscope.core.names import free_name
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.protos import VariableDef

_RESOURCE = "VarHandleOp"
_READ = {True: ("ReadVariableOp", "dtype"), False: ("Identity", "T")}
_ASSIGN = {True: ("AssignVariableOp", "dtype"), False: ("Assign", "T")}
"""Whether the variable is a resource -> the op, and the attribute that holds the type."""


def declare_variables(graph: Graph, values: Mapping[str, Payload]) -> tuple[Graph, dict[str, VariableDef]]:
    """``graph`` with an initializer and a read for each variable of ``values``, and the messages that name them."""
    nodes: list[Node] = []
    messages = {}
    for name, payload in values.items():
        found = graph[name]
        zeros, assign = (free_name(f"{name}/{part}", graph) for part in ("Initializer/zeros", "Assign"))
        read = _read_of(graph, found)
        nodes += _initializer(found, payload, zeros, assign)
        if read is None:
            read = free_name(f"{name}/read", graph)
            op, key = _READ[found.op == _RESOURCE]
            nodes.append(make_node(read, op, [name], {key: type_attr(payload.dtype)}))
        messages[name] = VariableDef(
            variable_name=f"{name}:0",
            initializer_name=assign,
            initial_value_name=f"{zeros}:0",
            snapshot_name=f"{read}:0",
            is_resource=found.op == _RESOURCE,
        )
    return graph.with_nodes([*graph.nodes, *nodes]), messages


def _read_of(graph: Graph, variable: Node) -> str | None:
    """A node that gives the variable's value and nothing else."""
    op, _ = _READ[variable.op == _RESOURCE]
    readers = (c for c in graph.consumers(variable.name) if c.op == op and not c.control_inputs())
    return next((c.name for c in readers if node_of(c.inputs[0]) == variable.name), None)


def _initializer(variable: Node, payload: Payload, zeros: str, assign: str) -> Iterator[Node]:
    import numpy as np

    shape, zero = f"{zeros}/shape", f"{zeros}/Const"
    yield constant(shape, np.array(payload.shape, np.int64))
    yield constant(zero, _zero(payload.dtype))
    yield make_node(
        zeros, "Fill", [shape, zero], {"T": type_attr(payload.dtype), "index_type": type_attr(DataType.INT64)}
    )
    op, key = _ASSIGN[variable.op == _RESOURCE]
    yield make_node(assign, op, [variable.name, zeros], {key: type_attr(payload.dtype)})


def _zero(dtype: DataType) -> Payload:
    import numpy as np

    return ArrayPayload(np.array(b"", object) if dtype is DataType.STRING else np.zeros((), dtype.numpy), dtype)
