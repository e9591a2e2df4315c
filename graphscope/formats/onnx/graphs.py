"""Graphs of an ONNX file as lists of nodes and tensors; the graphs within their nodes too."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence

from graphscope.core.foreign import ForeignGraph, ForeignNode, ForeignTensor
from graphscope.core.names import FreeNames
from graphscope.core.values.payload import Payload
from graphscope.formats.lazy.split_weights import Place
from graphscope.formats.onnx.attributes import describe
from graphscope.formats.onnx.tensors import OnnxTensors
from graphscope.formats.onnx.value_types import value_of
from graphscope.protos import OnnxAttribute, OnnxFunction, OnnxGraph, OnnxNode

OWN_DOMAINS = frozenset({"", "ai.onnx"})
"""How ONNX's own operators are called; others show their domain."""


class GraphReader:
    """Reads the graphs of one file.

    Args:
        tensors: of the file.

    Attributes:
        bodies: name -> graphs found within nodes so far, and functions.
    """

    def __init__(self, tensors: OnnxTensors) -> None:
        self.tensors = tensors
        self.bodies: dict[str, ForeignGraph] = {}
        self._body_names = FreeNames()

    def graph(self, message: OnnxGraph, place: Place = (), scope: str = "") -> ForeignGraph:
        """The graph at ``place``, called ``scope``; the graphs in it become :attr:`bodies`.

        Raises:
            CorruptFileError: a constant cannot be.
        """
        constants = dict(self._initializers(message, place))
        nodes = self._nodes(message.node, place, scope)
        constants |= self._constants(message.node, place)
        known = [value_of(info) for infos in (message.value_info, message.input, message.output) for info in infos]
        known += [ForeignTensor(name, p.dtype, p.shape) for name, p in constants.items()]
        types = {tensor.name: tensor for tensor in known}
        return ForeignGraph(
            tuple(nodes),
            tuple(types[info.name] for info in message.input if info.name not in constants),
            tuple(types[info.name] for info in message.output),
            types,
            constants,
        )

    def function(self, message: OnnxFunction, number: int) -> None:
        """Function ``number`` of the model becomes one of :attr:`bodies`; raises as :meth:`graph`."""
        name = self._body_names(_qualify(message.domain, message.name, message.overload))
        place: Place = (("function", number),)
        types = {info.name: value_of(info) for info in message.value_info}
        self.bodies[name] = ForeignGraph()  # its place in the order, before the bodies within it
        nodes = self._nodes(message.node, place, name)
        self.bodies[name] = ForeignGraph(
            tuple(nodes),
            tuple(types.get(name) or ForeignTensor(name) for name in message.input),
            tuple(types.get(name) or ForeignTensor(name) for name in message.output),
            types,
            dict(self._constants(message.node, place)),
        )

    def _initializers(self, message: OnnxGraph, place: Place) -> Iterator[tuple[str, Payload]]:
        for i, tensor in enumerate(message.initializer):
            yield tensor.name, self.tensors.payload(tensor, (*place, ("initializer", i)), f"initializer {tensor.name}")

    def _constants(self, nodes: Sequence[OnnxNode], place: Place) -> Iterator[tuple[str, Payload]]:
        for i, node in enumerate(nodes):
            if node.op_type != "Constant" or not node.output:
                continue
            for k, attribute in enumerate(node.attribute):
                if attribute.name == "value" and attribute.HasField("t"):
                    where = (*place, ("node", i), ("attribute", k))
                    yield node.output[0], self.tensors.payload(attribute.t, where, f"constant {node.output[0]}")

    def _nodes(self, nodes: Sequence[OnnxNode], place: Place, scope: str) -> list[ForeignNode]:
        unique = FreeNames()
        return [self._node(node, (*place, ("node", i)), scope, unique) for i, node in enumerate(nodes)]

    def _node(self, node: OnnxNode, place: Place, scope: str, unique: FreeNames) -> ForeignNode:
        name = unique(node.name, *node.output[:1], node.op_type)
        captures = self._inner(node.attribute, place, f"{scope}/{name}" if scope else name)
        return ForeignNode(
            name,
            _qualify(node.domain, node.op_type, node.overload),
            tuple(node.input),
            tuple(node.output),
            tuple(captures),
            functools.partial(describe, node.attribute),
        )

    def _inner(self, attributes: Iterable[OnnxAttribute], place: Place, scope: str) -> dict[str, None]:
        """Reads the graphs within a node; returns the tensors that they take from outside, in order."""
        captures: dict[str, None] = {}
        for k, attribute in enumerate(attributes):
            if not (attribute.HasField("g") or attribute.graphs):
                continue
            at = (*place, ("attribute", k))
            graphs = [(attribute.g, at)] if attribute.HasField("g") else []
            graphs += [(graph, (*at, ("graphs", n))) for n, graph in enumerate(attribute.graphs)]
            for message, where in graphs:
                name = self._body_names(f"{scope}/{attribute.name}")
                self.bodies[name] = ForeignGraph()
                self.bodies[name] = body = self.graph(message, where, name)
                captures.update(dict.fromkeys(_free(body)))
        return captures


def _free(body: ForeignGraph) -> Iterator[str]:
    """The tensors that ``body`` reads or returns and does not have itself."""
    own = {tensor.name for tensor in body.inputs} | set(body.producers) | set(body.constants)
    wanted = [name for node in body for name in node.needs] + [tensor.name for tensor in body.outputs]
    return (name for name in wanted if name and name not in own)


def _qualify(domain: str, name: str, overload: str) -> str:
    full = name if domain in OWN_DOMAINS else f"{domain}.{name}"
    return f"{full}:{overload}" if overload else full
