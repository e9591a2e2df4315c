"""One of two bodies that are compared: its nodes with their normal form, and which node of the other each is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

from graphscope.analysis.attributes import Attributes
from graphscope.analysis.ends.savers import saver_nodes
from graphscope.core.graph import Body, Function, Graph, Node
from graphscope.core.ops.sets import VARIABLE_OPS
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

GATHERS = ("ResourceGather", "Gather")
"""What freezing makes of a gather in a library function."""

_OUTPUTS = {("ReadVariableOp", "Identity"): ("value", "output"), ("Identity", "ReadVariableOp"): ("output", "value")}
"""What the output argument of an op is called once it is another op."""


_COUNTED = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<!\d)\d+\Z")


def shared_name(node: Node, value: AttrValue) -> bytes:
    """A shared name for comparison: mostly it is the node's own; identifiers and counters are new in each program."""
    return b"\0its own" if value.s == node.name.encode() else _COUNTED.sub(b"#", value.s)


class Side:
    """One body.

    Attributes:
        body: its nodes.
        attributes: returns their normal form.
        names: the library functions of this model -> a name that both models share.
    """

    def __init__(self, body: Body, attributes: Attributes, names: Mapping[str, str]) -> None:
        self.body = body
        self.attributes = attributes
        self.names = names
        self._keys: dict[bytes, int] = {}
        self._known: list[int | None] = [None] * len(body)
        self._bare = NodeDef()

    @cached_property
    def arguments(self) -> list[str]:
        """The arguments of a library function, in order."""
        return [a.name for a in self.body.signature.input_arg] if isinstance(self.body, Function) else []

    @cached_property
    def bookkeeping(self) -> frozenset[str]:
        """Saver nodes: programs recreate them, so they are matched by name only."""
        return saver_nodes(self.body) if isinstance(self.body, Graph) else frozenset()

    def takers(self, name: str) -> Sequence[tuple[str, int]]:
        """Each node that takes the node or argument ``name``, and as which input; -1 for a control input."""
        return self._takers.get(name, ())

    @cached_property
    def _takers(self) -> Mapping[str, Sequence[tuple[str, int]]]:
        result: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for name, node in zip(self.body.names, self.body.nodes):
            for position, text in enumerate(node.proto.input):
                result[node_of(text)].append((name, -1 if text.startswith("^") else position))
        return result

    def key(self, number: int) -> int:
        """Hash of a node without names: op, attributes, content of small constants."""
        known = self._known[number]
        if known is None:
            known = self._known[number] = self._key(self.body.nodes[number])
        return known

    def _key(self, node: Node) -> int:
        bare = self._bare
        bare.CopyFrom(node.proto)
        bare.ClearField("name")
        bare.ClearField("input")
        bare.ClearField("device")
        if "shared_name" in bare.attr:
            bare.attr["shared_name"].s = shared_name(node, node.attrs["shared_name"])
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
        self._open: tuple[int, list[Node], list[Node]] = (-1, [], [])
        self._searched: tuple[int, list[Node], list[Node]] = (-1, [], [])

    def add(self, name: str, other: str) -> None:
        """``name`` of the first body is ``other`` of the second."""
        self.forward[name] = other
        self.backward[other] = name

    def open(self) -> tuple[list[Node], list[Node]]:
        """The nodes of each body that have no partner yet, in file order."""
        count = len(self.forward)
        if self._open[0] != count:
            a, b = self.a.body, self.b.body
            ones = [node for name, node in zip(a.names, a.nodes) if name not in self.forward]
            others = [node for name, node in zip(b.names, b.nodes) if name not in self.backward]
            self._open = (count, ones, others)
        return self._open[1:]

    def find_searched(self) -> tuple[list[Node], list[Node]]:
        """As :meth:`open`, without the nodes of savers."""
        count = len(self.forward)
        if self._searched[0] != count:
            open_a, open_b = self.open()
            ones = [node for node in open_a if node.proto.name not in self.a.bookkeeping]
            others = [node for node in open_b if node.proto.name not in self.b.bookkeeping]
            self._searched = (count, ones, others)
        return self._searched[1:]

    @cached_property
    def partners(self) -> list[int | None]:
        """For each node of the first body, the number of its partner; valid once matching is complete."""
        find = self.b.body.numbers.get
        return [None if other is None else find(other) for other in map(self.forward.get, self.a.body.names)]

    @cached_property
    def pairs(self) -> list[tuple[Node, Node]]:
        """The matched nodes, in the first body's order; valid once matching is complete."""
        others = self.b.body.nodes
        return [(a, others[b]) for a, b in zip(self.a.body.nodes, self.partners) if b is not None]

    @cached_property
    def changed(self) -> list[tuple[Node, Node]]:
        """Those :attr:`pairs` whose op or inputs differ."""
        a, b = self.a.body.nodes, self.b.body.nodes
        return [(a[one], b[other]) for one, other in self.unequal if self._has_changed(one, other)]

    @cached_property
    def unequal(self) -> list[tuple[int, int]]:
        """The numbers of partners that are not equal as messages, in the first body's order."""
        a, b = self.a.body, self.b.body
        named = zip(a.names, a.nodes, self.partners)
        return [
            (one, other)
            for one, (name, node, other) in enumerate(named)
            if other is not None and (name != b.names[other] or node.proto != b.nodes[other].proto)
        ]

    def _has_changed(self, one: int, other: int) -> bool:
        a, b = self.a.body.nodes[one].proto, self.b.body.nodes[other].proto
        return a.op != b.op or self.is_rewired(one, other)

    def is_rewired(self, one: int, other: int) -> bool:
        """Whether the inputs of two partners, given by their numbers, are not partners in the same order."""
        a, b = self.a.body, self.b.body
        wired, partners = a.wires[one], self.partners
        if None not in wired and None not in b.wires[other]:
            return [partners[source] for source in wired if source is not None] != b.wires[other]
        return list(map(self.moved, a.nodes[one].proto.input)) != b.nodes[other].proto.input[:]

    def moved(self, text: str) -> str:
        """An input of the first body as the second calls it; one without a partner stands out by a leading blank."""
        other = self.forward.get(text)
        if other is not None:
            return other
        mark, name = ("^", text[1:]) if text.startswith("^") else ("", text)
        node, colon, port = name.partition(":")
        return f"{mark}{self.forward.get(node, ' ' + node)}{colon}{self.moved_port(node, port)}"

    def moved_port(self, name: str, port: str) -> str:
        """Which output of a node of the first body as the second calls it; in functions, ops name their outputs."""
        argument, colon, index = port.partition(":")
        a = self.a.body.get(name) if colon else None
        b = self.b.body.get(self.forward.get(name, "")) if a is not None else None
        if a is None or b is None or a.op == b.op:
            return port
        before, after = _OUTPUTS.get((a.op, b.op), (argument, argument))
        return f"{after if argument == before else argument}:{index}"
