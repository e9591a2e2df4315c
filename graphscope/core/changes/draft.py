"""A graph or a function's body while it is edited: nodes by name, and who takes what of whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from graphscope.core.changes.build import with_inputs
from graphscope.core.changes.refill import refill
from graphscope.core.checks.attributes import LOCATION
from graphscope.core.graph import Body, Function, Graph, Node
from graphscope.core.names import free_name
from graphscope.core.ops.table import ArgumentType, OpCatalog
from graphscope.core.tensors import TensorName, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.protos import FunctionDef, NodeDef

SHAPES = "_output_shapes"
"""The attribute in which programs note the shapes that they inferred; TensorFlow refuses a node for which it infers others."""


class Draft:
    """One body.

    Attributes:
        touched: nodes that were put or changed.
        reshaped: those of them that may give other shapes than before.
        results: what a function returns, by argument; empty for a graph.
        waited: the nodes that a call of a function waits for, by the name of the control result; empty for a graph.
    """

    def __init__(self, body: Body, catalog: OpCatalog) -> None:
        self._body = body
        self._catalog = catalog
        self._nodes = dict(body.by_name)
        self._followers: dict[str, list[str]] = {}
        self._takers = {name: dict.fromkeys(takers) for name, takers in body.consumer_names.items()}
        self.touched: dict[str, None] = {}
        self.reshaped: dict[str, None] = {}
        self.is_function = isinstance(body, Function)
        self.results: dict[str, str] = dict(body.proto.ret) if isinstance(body, Function) else {}
        self.waited: dict[str, str] = dict(body.proto.control_ret) if isinstance(body, Function) else {}
        self._arguments = (
            {a.name: DataType.of(a.type) for a in body.signature.input_arg} if isinstance(body, Function) else {}
        )

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def get(self, name: str) -> Node | None:
        """The node called ``name``, or ``None``."""
        return self._nodes.get(name)

    @property
    def nodes(self) -> list[Node]:
        """The nodes, each new one behind the one that it was put after."""
        placed = {name for names in self._followers.values() for name in names}
        return [node for name in self._nodes if name not in placed for node in self._with_followers(name)]

    def _with_followers(self, name: str) -> Iterator[Node]:
        pending = [name]
        while pending:
            current = pending.pop()
            if current in self._nodes:
                yield self._nodes[current]
            pending += reversed(self._followers.get(current, ()))

    def has_source(self, text: str) -> bool:
        """Whether an input may be spelled so: its node or argument is here."""
        name = node_of(text)
        return name in self._nodes or name in self._arguments

    def put(self, node: Node, *, after: str = "", reshapes: bool = True) -> None:
        """Adds a node, or replaces the one of its name.

        Args:
            after: where a new one goes; at the end by default.
            reshapes: whether it may give other shapes than the one before.
        """
        old = self._nodes.get(node.name)
        if old is None and after:
            self._followers.setdefault(after, []).append(node.name)
        self._forget(old)
        self._nodes[node.name] = node
        for text in node.inputs:
            self._takers.setdefault(node_of(text), {})[node.name] = None
        self.touched[node.name] = None
        if reshapes:
            self.reshaped[node.name] = None

    def delete(self, name: str) -> None:
        """Takes a node out; nodes that were colocated with it no longer are."""
        self._forget(self._nodes.get(name))
        followers = self._followers.pop(name, [])
        if followers:  # they stay, at the end
            self._nodes.update({follower: self._nodes.pop(follower) for follower in followers})
        for names in self._followers.values():
            if name in names:
                names.remove(name)
        del self._nodes[name]
        self.touched.pop(name, None)
        self.waited = {key: old for key, old in self.waited.items() if old != name}
        location = LOCATION + name.encode()
        for other in self._colocate({location}):
            groups = [group for group in other.attrs["_class"].list.s if group != location]
            self._nodes[other.name] = _with_class(other, groups)

    def _forget(self, node: Node | None) -> None:
        for text in node.inputs if node is not None else ():
            self._takers.get(node_of(text), {}).pop(node.name if node is not None else "", None)

    def takers(self, name: str) -> list[Node]:
        """The nodes that take an output of ``name`` or wait for it."""
        return [self._nodes[taker] for taker in self._takers.get(name, ()) if taker in self._nodes]

    def used_outputs(self, name: str) -> set[int]:
        """The numbers of the outputs of ``name`` that a node or a result takes."""
        texts = [text for taker in self.takers(name) for text in taker.data_inputs() if node_of(text) == name]
        texts += [text for text in self.results.values() if node_of(text) == name]
        return {self.index(text) for text in texts}

    def spell(self, text: str) -> str:
        """A tensor of this body, written ``node:1``, as inputs name it: ``node:argument:0`` in a function.

        Raises:
            GraphscopeError: the node has no such output.
        """
        name = node_of(text)
        if name not in self._nodes or not self.is_function:
            return text.removesuffix(":0")
        outputs = self._catalog.outputs(self._nodes[name].op, self._nodes[name].attrs)
        tensor = TensorName.parse(text)
        if outputs is None or tensor.argument is not None:
            return text
        if tensor.node != name or tensor.index >= len(outputs):
            raise GraphscopeError(f"node {name} ({self._nodes[name].op}) has no output {text[len(name) + 1 :] or 0}")
        argument = outputs[tensor.index].argument
        first = next(i for i, output in enumerate(outputs) if output.argument == argument)
        return f"{name}:{argument}:{tensor.index - first}"

    def index(self, text: str) -> int:
        """Which output of its node a tensor is, counted over all output arguments."""
        tensor = TensorName.parse(text)
        if not self.is_function or tensor.argument is None:
            return tensor.index
        for first, output in enumerate(self._outputs(tensor.node)):
            if output.argument == tensor.argument:
                return first + tensor.index
        return tensor.index

    def dtype(self, text: str) -> DataType:
        """The element type of a tensor; ``INVALID`` if it is unknown."""
        if node_of(text) in self._arguments and node_of(text) not in self._nodes:
            return self._arguments[node_of(text)]
        found = self._type(text)
        return found.dtype if found is not None else DataType.INVALID

    def _type(self, text: str) -> ArgumentType | None:
        outputs = self._outputs(node_of(text))
        index = self.index(text)
        return outputs[index] if 0 <= index < len(outputs) else None

    def _outputs(self, name: str) -> tuple[ArgumentType, ...]:
        node = self._nodes.get(name)
        return (self._catalog.outputs(node.op, node.attrs) or ()) if node is not None else ()

    def replace_output(self, name: str, index: int, text: str) -> None:
        """Lets everything that takes an output of a node take ``text``; what writes to a variable keeps it."""
        given = self._type(text)
        is_ref = given is not None and given.is_ref

        def new(old: str, *, is_written: bool = False) -> str:
            is_it = not old.startswith("^") and node_of(old) == name and self.index(old) == index
            return text if is_it and (is_ref or not is_written) else old

        def inputs(taker: Node) -> list[str]:
            wanted, _ = self._catalog.both(taker.op, taker.attrs) or ((), ())
            written = [i < len(wanted) and wanted[i].is_ref for i in range(len(taker.inputs))]
            return [new(old, is_written=is_written) for old, is_written in zip(taker.inputs, written)]

        changed = [with_inputs(taker, inputs(taker)) for taker in self.takers(name)]
        results = {argument: new(old) for argument, old in self.results.items()}
        for node in changed:
            self.put(node)
        self.results = results

    def splice(self, name: str, source: str | None) -> None:
        """Takes a node out: what took its first output takes ``source``, what waited for it waits for that.

        What the node itself waited for, its takers wait for.
        """
        waited = self._nodes[name].control_inputs()
        stand_in = [f"^{node_of(source)}"] if source is not None and node_of(source) in self._nodes else []
        takers = [taker.name for taker in self.takers(name)]
        if source is not None:
            self.replace_output(name, 0, source)
        if stand_in:
            self.waited = {key: node_of(stand_in[0]) if old == name else old for key, old in self.waited.items()}
        for taker in takers:
            old = self._nodes[taker]
            inputs = [new for text in old.inputs for new in (stand_in if text == f"^{name}" else [text])]
            self.put(with_inputs(old, _once([*inputs, *(f"^{producer}" for producer in waited)])))
        self.delete(name)

    def free_name(self, wanted: str) -> str:
        """``wanted``, with a number if a node or an argument has that name."""
        return free_name(wanted, self._nodes, self._arguments)

    def rename(self, names: Mapping[str, str]) -> None:
        """Gives nodes other names.

        Raises:
            UnknownNameError: there is no such node.
            GraphscopeError: two nodes would have one name, or one would have none.
        """
        unknown = next((name for name in names if name not in self._nodes), None)
        if unknown is not None:
            raise UnknownNameError("node", unknown, self._nodes)
        _refuse_clash([names.get(name, name) for name in self._nodes], self._arguments)
        renamed = [renamed_node(node, names) for node in self.nodes]
        self.results = {argument: renamed_text(text, names) for argument, text in self.results.items()}
        self.waited = {key: names.get(node, node) for key, node in self.waited.items()}
        body = Body(renamed)
        self.touched = {names.get(name, name): None for name in self.touched}
        self.reshaped = {names.get(name, name): None for name in self.reshaped}
        self._nodes, self._followers = dict(body.by_name), {}
        self._takers = {name: dict.fromkeys(takers) for name, takers in body.consumer_names.items()}

    def _colocate(self, locations: set[bytes]) -> list[Node]:
        return [
            node
            for node in self._nodes.values()
            if "_class" in node.proto.attr and not locations.isdisjoint(node.proto.attr["_class"].list.s)
        ]

    def built(self, body: Graph | Function) -> Graph | Function:
        """``body`` with the nodes and results of the draft."""
        if isinstance(body, Graph):
            return body.with_nodes(self._shaped_nodes())
        proto = FunctionDef()
        proto.CopyFrom(body.proto)
        for argument, text in self.results.items():
            proto.ret[argument] = text
        for key in [key for key in proto.control_ret if key not in self.waited]:
            del proto.control_ret[key]
        for key, node in self.waited.items():
            proto.control_ret[key] = node
        refill(proto.signature.control_output, [k for k in proto.signature.control_output if k in self.waited])
        return Function(proto, self._shaped_nodes())

    def _shaped_nodes(self) -> list[Node]:
        """The nodes; those that may give other shapes now state none."""
        nodes = self.nodes
        changed = [name for name in self.reshaped if name in self._nodes]
        if not changed:
            return nodes
        stale = Body(nodes).descendants(changed)
        return [_without_shapes(node) if node.name in stale and SHAPES in node.proto.attr else node for node in nodes]


def _once(inputs: Iterable[str]) -> Iterator[str]:
    """Data inputs as they are, then each control input once."""
    inputs = list(inputs)
    yield from (text for text in inputs if not text.startswith("^"))
    yield from dict.fromkeys(text for text in inputs if text.startswith("^"))


def _refuse_clash(names: list[str], arguments: Mapping[str, DataType]) -> None:
    seen: set[str] = set(arguments)
    for name in names:
        if not name:
            raise GraphscopeError("a node would have no name")
        if name in seen:
            raise GraphscopeError(f"two nodes would be called {name}")
        seen.add(name)


def renamed_text(text: str, names: Mapping[str, str]) -> str:
    """An input that names a node by another name."""
    name = node_of(text)
    if name not in names:
        return text
    start = int(text.startswith("^"))
    return text[:start] + names[name] + text[start + len(name) :]


def renamed_node(node: Node, names: Mapping[str, str]) -> Node:
    """``node`` with the new names: its own, those of its inputs, of its colocation, and a shared name that is its own."""
    own = names.get(node.name)
    inputs = [renamed_text(text, names) for text in node.inputs]
    groups = list(node.proto.attr["_class"].list.s) if "_class" in node.proto.attr else []
    moved = [_renamed_location(group, names) for group in groups]
    if own is None and inputs == list(node.inputs) and moved == groups:
        return node
    proto = NodeDef()
    proto.CopyFrom(node.proto)
    refill(proto.input, inputs)
    if moved != groups:
        refill(proto.attr["_class"].list.s, moved)
    if own is not None:
        proto.name = own
        if "shared_name" in proto.attr and proto.attr["shared_name"].s == node.name.encode():
            proto.attr["shared_name"].s = own.encode()
    return Node(proto, node.payloads)


def _renamed_location(group: bytes, names: Mapping[str, str]) -> bytes:
    if not group.startswith(LOCATION):
        return group
    name = group.removeprefix(LOCATION).decode(errors="replace")
    return LOCATION + names[name].encode() if name in names else group


def _without_shapes(node: Node) -> Node:
    proto = NodeDef()
    proto.CopyFrom(node.proto)
    del proto.attr[SHAPES]
    return Node(proto, node.payloads)


def _with_class(node: Node, groups: list[bytes]) -> Node:
    proto = NodeDef()
    proto.CopyFrom(node.proto)
    refill(proto.attr["_class"].list.s, groups)
    if not groups:
        del proto.attr["_class"]
    return Node(proto, node.payloads)
