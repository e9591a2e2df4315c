"""Nodes, graphs and library functions: thin wrappers of TensorFlow's messages that keep weights outside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from graphscope.core.ops import table as ops
from graphscope.core.shown import Shown
from graphscope.core.tensors import node_of
from graphscope.core.values.inline import InlinePayload
from graphscope.core.values.payload import Payload
from graphscope.errors import UnknownNameError
from graphscope.protos import AttrValue, FunctionDef, GraphDef, NodeDef, OpDef, VersionDef

if TYPE_CHECKING:
    from graphscope.core.changes.editor import GraphEditor

_NO_PAYLOADS: Mapping[str, Payload] = MappingProxyType({})


class Node(Shown):
    """A ``NodeDef`` whose large tensors are payloads. Never modify ``proto`` of a node that may be shared.

    Attributes:
        proto: the message; of a tensor that is a payload, it has only dtype and shape.
        payloads: attribute name -> content outside the message; empty for most nodes.
    """

    __slots__ = ("payloads", "proto")

    def __init__(self, proto: NodeDef, payloads: Mapping[str, Payload] | None = None) -> None:
        self.proto = proto
        self.payloads: Mapping[str, Payload] = payloads or _NO_PAYLOADS

    @property
    def name(self) -> str:
        """Unique in its graph or function body."""
        return self.proto.name

    @property
    def op(self) -> str:
        """The op's or the library function's name."""
        return self.proto.op

    @property
    def inputs(self) -> Sequence[str]:
        """As stored: ``a``, ``a:1``, ``^a``; control inputs last."""
        return self.proto.input

    @property
    def device(self) -> str:
        """The requested device; empty if there is none."""
        return self.proto.device

    @property
    def attrs(self) -> Mapping[str, AttrValue]:
        """Attribute name -> value."""
        return self.proto.attr

    def attr(self, name: str) -> AttrValue | None:
        """The attribute, or ``None`` if the node does not have it."""
        return self.proto.attr.get(name)

    def tensor(self, name: str = "value") -> Payload | None:
        """The tensor in attribute ``name``; ``None`` if there is no such tensor. No I/O."""
        if name in self.payloads:
            return self.payloads[name]
        value = self.attr(name)
        if value is None or value.WhichOneof("value") != "tensor":
            return None
        return InlinePayload(value.tensor, self.name)

    def data_inputs(self) -> list[str]:
        """The inputs that carry data: all but the control inputs."""
        return [i for i in self.proto.input if not i.startswith("^")]

    def control_inputs(self) -> list[str]:
        """Names of the nodes of the control inputs, without ``^``."""
        return [i[1:] for i in self.proto.input if i.startswith("^")]

    def __repr__(self) -> str:
        return f"Node({self.name!r}, {self.op!r})"


class Body(Shown):
    """Nodes in file order with lookup by name; shared by graphs and function bodies."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes: list[Node] = list(nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __contains__(self, name: object) -> bool:
        return name in self.numbers

    def __getitem__(self, name: str) -> Node:
        """The node called ``name``.

        Raises:
            UnknownNameError: there is no such node; the error lists the closest names.
        """
        number = self.numbers.get(name)
        if number is None:
            raise UnknownNameError("node", name, self.numbers)
        return self.nodes[number]

    def get(self, name: str) -> Node | None:
        """The node called ``name``, or ``None``."""
        number = self.numbers.get(name)
        return None if number is None else self.nodes[number]

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """Name -> node; of nodes that share a name (an invalid graph), the last."""
        return dict(zip(self.names, self.nodes))

    @cached_property
    def names(self) -> list[str]:
        """The name of each node, in file order."""
        return [node.proto.name for node in self.nodes]

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Name -> node number, the place in file order; of nodes that share a name, the last."""
        return dict(zip(self.names, range(len(self.names))))

    @cached_property
    def ops(self) -> list[str]:
        """The op of each node, in file order."""
        return [node.proto.op for node in self.nodes]

    @cached_property
    def wires(self) -> list[list[int | None]]:
        """For each node and each of its inputs, the number of the node whose first output it is.

        ``None`` for all other inputs: another output, a control input, a name that does not exist.
        """
        find = self.numbers.get
        return [list(map(find, node.proto.input[:])) for node in self.nodes]

    @cached_property
    def consumer_names(self) -> Mapping[str, list[str]]:
        """Node name -> names of the nodes that take one of its outputs or wait for it, in file order, each once.

        Includes names of producers that do not exist.
        """
        names, numbers = self.names, self.numbers
        taken = enumerate(self.consumer_numbers)
        result = {names[i]: [names[taker] for taker in takers] for i, takers in taken if takers}
        for name, node, wired in zip(names, self.nodes, self.wires):
            for producer in dict.fromkeys(map(node_of, node.proto.input)) if None in wired else ():
                if producer not in numbers:
                    result.setdefault(producer, []).append(name)
        return result

    @cached_property
    def consumer_numbers(self) -> list[list[int]]:
        """For each node, the numbers of the nodes that take one of its outputs or wait for it, ascending, each once."""
        result: list[list[int]] = [[] for _ in self.nodes]
        find = self.numbers.get
        for i, wired in enumerate(self.wires):
            if None in wired:
                wired = [find(node_of(text)) for text in self.nodes[i].proto.input]
            for producer in wired:
                takers = result[producer] if producer is not None else [i]
                if not takers or takers[-1] != i:
                    takers.append(i)
        return result

    def consumers(self, name: str) -> list[Node]:
        """The nodes that take an output of ``name`` or wait for it."""
        return [self.by_name[c] for c in self.consumer_names.get(name, ())]

    def producers(self, node: Node) -> list[Node]:
        """The nodes whose outputs ``node`` takes or for which it waits, each once; dangling names are skipped."""
        found = (self.by_name.get(n) for n in dict.fromkeys(map(node_of, node.inputs)))
        return [n for n in found if n is not None]

    def reach(
        self, start: Iterable[str], step: Callable[[Node], Iterable[Node]], depth: int | None = None
    ) -> dict[str, int]:
        """Names reachable from ``start`` by ``step``, with the number of steps to each; 0 for ``start`` itself.

        Raises:
            UnknownNameError: a start is not in the graph.
        """
        distance = {self[name].name: 0 for name in start}
        frontier = list(distance)
        level = 0
        while frontier and (depth is None or level < depth):
            level += 1
            found = dict.fromkeys(n.name for name in frontier for n in step(self.by_name[name]))
            frontier = [name for name in found if name not in distance]
            distance.update(dict.fromkeys(frontier, level))
        return distance

    def ancestors(self, names: Iterable[str], depth: int | None = None) -> dict[str, int]:
        """The nodes that ``names`` need, and themselves: name -> distance, up to ``depth`` steps; raises as :meth:`reach`."""
        return self.reach(names, self.producers, depth)

    def descendants(self, names: Iterable[str], depth: int | None = None) -> dict[str, int]:
        """The nodes that need ``names``, and themselves: name -> distance, up to ``depth`` steps; raises as :meth:`reach`."""
        return self.reach(names, lambda node: self.consumers(node.name), depth)


class Function(Body):
    """A library function: signature, results and body.

    Attributes:
        proto: the ``FunctionDef`` without its nodes.
    """

    def __init__(self, proto: FunctionDef, nodes: Iterable[Node]) -> None:
        super().__init__(nodes)
        self.proto = proto

    def __repr__(self) -> str:
        return f"<Function {self.name!r}: {len(self):,} nodes>"

    @property
    def name(self) -> str:
        """The name by which nodes call it."""
        return self.proto.signature.name

    @property
    def signature(self) -> OpDef:
        """The function as an op definition."""
        return self.proto.signature

    def with_nodes(self, nodes: Iterable[Node]) -> Function:
        """The same function with another body."""
        return Function(self.proto, nodes)


class Graph(Body):
    """A ``GraphDef``.

    Attributes:
        header: the message without its nodes and functions: versions, gradients of the library, unknown fields.
        functions: name -> library function, in file order.
        clashing_functions: names for which the file has several different functions; the first one is used.
    """

    def __init__(self, header: GraphDef, nodes: Iterable[Node], functions: Iterable[Function] = ()) -> None:
        super().__init__(nodes)
        self.header = header
        self.functions: Mapping[str, Function] = {}
        self.clashing_functions: tuple[str, ...] = ()
        for function in functions:
            known = self.functions.setdefault(function.name, function)
            if known is not function and not _is_same(known, function):
                self.clashing_functions += (function.name,)

    def __repr__(self) -> str:
        functions = f", {len(self.functions):,} functions" if self.functions else ""
        return f"<Graph: {len(self):,} nodes{functions}>"

    def with_nodes(self, nodes: Iterable[Node]) -> Graph:
        """The same graph with other nodes."""
        return Graph(self.header, nodes, self.functions.values())

    def with_functions(self, functions: Iterable[Function]) -> Graph:
        """The same graph with another library."""
        return Graph(self.header, self.nodes, functions)

    @property
    def versions(self) -> VersionDef:
        """Producer, min_consumer and bad consumers."""
        return self.header.versions

    @property
    def producer(self) -> int:
        """The producer version of the file, 0 if there is none."""
        return self.header.versions.producer or self.header.version

    def catalog(self, extra: Iterable[OpDef] = ()) -> ops.OpCatalog:
        """The ops that this graph may use: its functions, ``extra`` (a stripped op list), TensorFlow's."""
        return ops.OpCatalog([*extra, *(f.signature for f in self.functions.values())])

    def edit(self, catalog: ops.OpCatalog | None = None) -> GraphEditor:
        """An editor whose changes are applied together; see :class:`graphscope.core.changes.editor.GraphEditor`."""
        from graphscope.core.changes.editor import GraphEditor

        return GraphEditor(self, catalog)

    @property
    def bodies(self) -> Iterator[tuple[str, Body]]:
        """The graph itself with the name ``""``, then each library function with its own."""
        yield "", self
        yield from self.functions.items()


def _is_same(one: Function, other: Function) -> bool:
    return one.proto == other.proto and [n.proto for n in one] == [n.proto for n in other]


def called_functions(nodes: Iterable[Node]) -> Iterator[str]:
    """Names of functions that ``nodes`` may call: their ops, and the functions in their attributes."""
    for node in nodes:
        yield node.op
        for value in node.attrs.values():
            yield from named_functions(value)


def reached_functions(
    graph: Graph, nodes: Iterable[Node], gradients: Mapping[str, str] | None = None
) -> Iterator[Function]:
    """The library functions that ``nodes`` call, directly or indirectly, in the order of discovery.

    Args:
        gradients: function -> its gradient function, which may be called wherever the function is.
    """
    seen: set[str] = set()
    pending = [nodes] if graph.functions else []
    while pending:
        for called in called_functions(pending.pop()):
            for name in (called, gradients.get(called, "") if gradients else ""):
                if name in graph.functions and name not in seen:
                    seen.add(name)
                    pending.append(graph.functions[name].nodes)
                    yield graph.functions[name]


def named_functions(value: AttrValue) -> Iterator[str]:
    """The library functions named in an attribute."""
    kind = value.WhichOneof("value")
    functions = [value.func] if kind == "func" else value.list.func if kind == "list" else ()
    for function in functions:
        yield function.name
        for inner in function.attr.values():  # what its own body calls by the name of an attribute
            yield from named_functions(inner)
