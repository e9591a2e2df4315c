"""Shape inference by TensorFlow, on a copy of the graph without its weights."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphscope.analysis.shapes import Shapes as StaticShapes
from graphscope.analysis.shapes import infer
from graphscope.analysis.tensors import Shapes
from graphscope.core.graph import Body, Graph, Node, called_functions
from graphscope.core.model import Model
from graphscope.core.ops.effects import read_at_import
from graphscope.core.ops.table import input_types, registered_ops
from graphscope.core.tensors import Shape, TensorName
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError
from graphscope.protos import FunctionDef, GraphDef, NodeDef
from graphscope.runtime.tensorflow import tensorflow

_NODE_IN_ERROR = re.compile(r"\{\{node ([^{}]+)\}\}|[Nn]ode '([^']+)'|for '([^']+)' \(op|of node (\S+) was passed")
_MAX_REFUSED = 100


@dataclass(frozen=True, slots=True)
class Inferred:
    """The result of shape inference.

    Attributes:
        shapes: tensor name -> shape, for the graph itself; tensors of unknown shape are left out.
        unknown_ops: unknown op -> number of its nodes; shapes that depend on them are unknown.
        refused: nodes that TensorFlow would not import, with its reason.
    """

    shapes: Shapes
    unknown_ops: dict[str, int]
    refused: dict[str, str]


def infer_shapes(model: Model) -> Inferred:
    """Shapes of all tensors of the graph that TensorFlow can infer. Starts TensorFlow; reads no weights.

    A node that TensorFlow does not know, or refuses, becomes a placeholder, so that shapes that depend on it are unknown. So
    does one that reads files: TensorFlow computes small tensors while it imports a graph, and would read them then.

    Raises:
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: TensorFlow refuses the graph and names no node.
    """
    tf = tensorflow()
    copy = _Copy(model)
    refused = _find_removed(model.graph)
    while True:
        try:
            return Inferred(_shapes(tf, copy.graph_def(frozenset(refused))), copy.unknown, refused)
        except (ValueError, tf.errors.OpError) as error:
            name = _culprit(str(error), model.graph, refused)
            if name is None or len(refused) >= _MAX_REFUSED:
                raise GraphscopeError(f"TensorFlow refuses the graph: {_first_line(error)}") from error
            refused[name] = _first_line(error)


def importable(model: Model) -> GraphDef:
    """A copy of the graph, without its weights, that TensorFlow can import."""
    return _Copy(model).graph_def(frozenset(_find_removed(model.graph)))


def shape_lookup(model: Model) -> Callable[[str], Shape]:
    """Returns the shape of a tensor by name, if it follows from the file; ``None`` if it is not known.

    What is below an op that has no rule in :mod:`graphscope.analysis.shapes`, TensorFlow is asked for: once, with the first
    tensor of these, and if it is installed and takes the graph.
    """

    @functools.cache
    def inferred() -> StaticShapes:
        return infer(model)

    @functools.cache
    def asked() -> Shapes:
        try:
            return infer_shapes(model).shapes
        except GraphscopeError:
            return {}

    def shape_of(tensor: str) -> Shape:
        found = inferred()
        shape = found.by_name.get(tensor)
        if shape is not None and found.known(tensor):
            return shape
        lacks = not registered_ops().keys().isdisjoint(found.without_rule)
        return asked().get(tensor) if lacks else None

    return shape_of


def _find_removed(graph: Graph) -> dict[str, str]:
    """Nodes whose op TensorFlow keeps for the graphs of older producers only, with the reason that it gives."""
    found = {}
    for op, node in zip(graph.ops, graph.nodes):
        definition = registered_ops().get(op)
        if definition is not None and definition.HasField("deprecation"):
            version, advice = definition.deprecation.version, definition.deprecation.explanation
            if graph.producer >= version:
                found[node.name] = f"Op {op} is not available in GraphDef version {version} and later. {advice}"
    return found


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]


def _culprit(message: str, body: Body, refused: dict[str, str]) -> str | None:
    """The node that an error names, if it is one of ``body`` that was not taken out before."""
    for groups in _NODE_IN_ERROR.findall(message):
        for name in groups:
            if name in body and name not in refused:
                return str(name)
    return None


def _shapes(tf: Any, graph_def: GraphDef) -> dict[str, Shape]:
    with tf.Graph().as_default() as graph:
        tf.compat.v1.import_graph_def(tf.compat.v1.GraphDef.FromString(graph_def.SerializeToString()), name="")
    found: dict[str, Shape] = {}
    for operation in graph.get_operations():
        for tensor in operation.outputs:
            if tensor.shape.rank is not None:
                found[tensor.name] = tuple(tensor.shape.as_list())
    return found


class _Copy:
    """Makes graphs that TensorFlow can import: weights, devices and unknown ops are taken out."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.graph = model.graph
        bodies = [body for _, body in self.graph.bodies]
        self.unknown = dict(Counter(op for body in bodies for op in body.ops if not self._is_known(op)).most_common())
        self.lost_functions = self._functions_with_unknown_ops()

    def _is_known(self, op: str) -> bool:
        return op in registered_ops() or op in self.graph.functions

    def _functions_with_unknown_ops(self) -> set[str]:
        """Functions that are not to be imported, because of an op in them or in a function that they call."""
        lost: set[str] = set()
        while True:
            found = {
                name
                for name, function in self.graph.functions.items()
                if name not in lost and any(self._is_lost(node, lost) for node in function)
            }
            if not found:
                return lost
            lost |= found

    def _is_lost(self, node: Node, lost: set[str]) -> bool:
        return (
            not self._is_known(node.op)
            or node.op in read_at_import()
            or (bool(lost) and not lost.isdisjoint(called_functions([node])))
        )

    def graph_def(self, refused: frozenset[str]) -> GraphDef:
        result = GraphDef()
        result.CopyFrom(self.graph.header)
        replaced = {n.name for n in self.graph if n.name in refused or self._is_lost(n, self.lost_functions)}
        for node in self.graph:
            if node.name in replaced:
                self._add_placeholders(result, node)
            else:
                result.node.append(self._strip(node, replaced))
        for function in self.graph.functions.values():
            if function.name in self.lost_functions:
                continue
            copy = FunctionDef()
            copy.CopyFrom(function.proto)
            copy.node_def.extend(self._strip(node, set()) for node in function.nodes)
            result.library.function.append(copy)
        kept = {function.signature.name for function in result.library.function}
        gradients = [g for g in result.library.gradient if {g.function_name, g.gradient_func} <= kept]
        del result.library.gradient[:]
        result.library.gradient.extend(gradients)
        return result

    def _strip(self, node: Node, replaced: set[str]) -> NodeDef:
        """A copy without device, colocation and weights, that reads ``a_2`` where it read output 2 of a replaced ``a``."""
        proto = NodeDef()
        proto.CopyFrom(node.proto)
        proto.device = ""
        proto.attr.pop("_class", None)
        inputs = [_redirect(text, replaced) for text in node.inputs]
        del proto.input[:]
        proto.input.extend(inputs)
        if node.payloads and node.op == "Const":
            _become_placeholder(proto)
        return proto

    def _add_placeholders(self, result: GraphDef, node: Node) -> None:
        """One placeholder for each output that is used, of the type that its consumers expect; one at least."""
        types = {0: DataType.FLOAT}
        for consumer in self.graph.consumers(node.name):
            op = self.model.catalog.get(consumer.op)
            expected = input_types(op, consumer.attrs) if op is not None else []
            for text, dtype in zip(consumer.data_inputs(), expected):
                tensor = TensorName.parse(text)
                if tensor.node == node.name and dtype is not DataType.INVALID:
                    types[tensor.index] = dtype
        for index, dtype in types.items():
            proto = result.node.add(name=_placeholder_name(node.name, index), op="Placeholder")
            proto.attr["dtype"].type = int(dtype)
            proto.attr["shape"].shape.unknown_rank = True


def _redirect(text: str, replaced: set[str]) -> str:
    tensor = TensorName.parse(text)
    if tensor.is_control or tensor.node not in replaced:
        return text
    return _placeholder_name(tensor.node, tensor.index)


def _placeholder_name(name: str, index: int) -> str:
    return f"{name}_graphscope_{index}" if index else name


def _become_placeholder(proto: NodeDef) -> None:
    """A constant whose content stayed in the file becomes a placeholder of its shape; control inputs stay."""
    shape = proto.attr["value"].tensor.tensor_shape
    proto.op = "Placeholder"
    proto.attr["shape"].shape.CopyFrom(shape)
    del proto.attr["value"]
