"""One of two bodies that are compared: its nodes with their normal form, and which node of the other each is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from graphscope.analysis.attributes import Attributes
from graphscope.analysis.savers import saver_nodes
from graphscope.core.graph import Body, Function, Graph, Node
from graphscope.core.op_sets import VARIABLE_OPS
from graphscope.core.tensors import node_of
from graphscope.protos import AttrValue, NodeDef

FREEZES: Mapping[str, str] = {
    **dict.fromkeys(VARIABLE_OPS, "Const"),
    "ReadVariableOp": "Identity",
    "ResourceGather": "GatherV2",
    "FusedBatchNorm": "FusedBatchNormV3",
    "FusedBatchNormV2": "FusedBatchNormV3",
}
"""Op -> what freezing makes of it under the same name."""


class Side:
    """One body.

    Attributes:
        body: its nodes.
        attributes: gives their normal form.
        names: the library functions of this model -> a name that both models share.
    """

    def __init__(self, body: Body, attributes: Attributes, names: Mapping[str, str]) -> None:
        self.body = body
        self.attributes = attributes
        self.names = names
        self._keys: dict[bytes, int] = {}
        self._known: dict[str, int] = {}

    @cached_property
    def arguments(self) -> list[str]:
        """The arguments of a library function, in order."""
        return [a.name for a in self.body.signature.input_arg] if isinstance(self.body, Function) else []

    @cached_property
    def bookkeeping(self) -> frozenset[str]:
        """Nodes of savers: programs write them anew, so that they are found again by name alone."""
        return saver_nodes(self.body) if isinstance(self.body, Graph) else frozenset()

    @cached_property
    def takers(self) -> Mapping[str, list[tuple[str, int]]]:
        """Node -> each node that takes it, and as which input; -1 for a control input."""
        found: dict[str, list[tuple[str, int]]] = {}
        for node in self.body.nodes:
            name = node.proto.name
            for position, text in enumerate(node.proto.input):
                is_control = text.startswith("^")
                found.setdefault(node_of(text), []).append((name, -1 if is_control else position))
        return found

    def key(self, node: Node) -> int:
        """Hash of what ``node`` does, whatever it and its inputs are called: op, attributes, content of small constants."""
        name = node.proto.name
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._key(node)
        return known

    def _key(self, node: Node) -> int:
        bare = NodeDef()
        bare.CopyFrom(node.proto)
        for field in ("name", "input", "device"):
            bare.ClearField(field)
        if "shared_name" in bare.attr:  # mostly the node's own name
            bare.attr["shared_name"].s = b"its own" if node.attrs["shared_name"].s == node.name.encode() else b"another"
        stated = bare.SerializeToString(deterministic=True)
        known = self._keys.get(stated)
        if known is None:
            known = self._keys[stated] = hash(self._normal(Node(bare)))
        return known

    def _normal(self, node: Node) -> tuple[object, ...]:
        values = self.attributes.of(node)
        return (self.names.get(node.op, node.op), *((name, self.text(value)) for name, value in values.items()))

    def text(self, value: AttrValue) -> object:
        """``value`` for comparison: functions by the names that both models share."""
        kind = value.WhichOneof("value")
        if kind == "func":
            return self._function(value)
        if kind == "list" and value.list.func:
            return tuple(self.names.get(function.name, function.name) for function in value.list.func)
        return value.SerializeToString(deterministic=True)

    def _function(self, value: AttrValue) -> object:
        inner = sorted((name, self.text(v)) for name, v in value.func.attr.items())
        return (self.names.get(value.func.name, value.func.name), *inner)


class Matching:
    """Which node of the second body each node of the first is.

    Attributes:
        a, b: the two bodies.
        forward, backward: name -> name, arguments of a function included.
    """

    def __init__(self, a: Side, b: Side) -> None:
        self.a, self.b = a, b
        same_arguments = len(a.arguments) == len(b.arguments)
        self.forward: dict[str, str] = dict(zip(a.arguments, b.arguments)) if same_arguments else {}
        self.backward: dict[str, str] = {b: a for a, b in self.forward.items()}

    def add(self, name: str, other: str) -> None:
        """``name`` of the first body is ``other`` of the second."""
        self.forward[name] = other
        self.backward[other] = name

    def open(self) -> tuple[list[Node], list[Node]]:
        """The nodes of each body that have no partner yet, in file order."""
        return (
            [node for node in self.a.body.nodes if node.proto.name not in self.forward],
            [node for node in self.b.body.nodes if node.proto.name not in self.backward],
        )

    def find_searched(self) -> tuple[list[Node], list[Node]]:
        """As :meth:`open`, without the nodes of savers."""
        open_a, open_b = self.open()
        return (
            [node for node in open_a if node.proto.name not in self.a.bookkeeping],
            [node for node in open_b if node.proto.name not in self.b.bookkeeping],
        )

    @cached_property
    def pairs(self) -> list[tuple[Node, Node]]:
        """The nodes that belong together, in the first body's order; to be asked for once all are found."""
        ones, others = self.a.body.by_name, self.b.body.by_name
        known = ((ones.get(name), others.get(other)) for name, other in self._iterate_ordered())
        return [(a, b) for a, b in known if a is not None and b is not None]

    def _iterate_ordered(self) -> Iterator[tuple[str, str]]:
        names = (node.proto.name for node in self.a.body.nodes)
        return ((name, self.forward[name]) for name in names if name in self.forward)

    def moved(self, text: str) -> str:
        """An input of the first body as the second calls it; one without a partner stands out by a leading blank."""
        other = self.forward.get(text)
        if other is not None:
            return other
        mark, name = ("^", text[1:]) if text.startswith("^") else ("", text)
        node, colon, port = name.partition(":")
        return f"{mark}{self.forward.get(node, ' ' + node)}{colon}{port}"
