"""Opens a graph: what a person names as an input becomes a placeholder, and what fed it falls away.

A node that gives several tensors, as iterators, queues and parsers do, becomes a placeholder for each one that is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from graphscope.advice import Advice, Option, Options
from graphscope.core.changes.build import make_node, type_attr, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.names import free_name
from graphscope.core.ops.sets import DEFAULTED, PLACEHOLDER_OPS
from graphscope.core.ops.table import OpCatalog, input_types
from graphscope.core.stated_shapes import stated_shape
from graphscope.core.tensors import Shape, TensorName, TensorSpec, node_of
from graphscope.core.values.dtypes import UNFEEDABLE, DataType
from graphscope.errors import GraphscopeError
from graphscope.protos import AttrValue
from graphscope.transforms.feedable import REPLACED, places_behind, used_outputs

ShapeOf = Callable[[str], Shape]
"""Returns the shape of a tensor without a stated shape, by name; ``None`` if it is not known."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A graph with placeholders where it was opened.

    Attributes:
        graph: the result.
        originals: tensor of a new placeholder -> the tensor of the old graph in whose place it is, where the names differ.
    """

    graph: Graph
    originals: Mapping[str, str]


def open_at(
    graph: Graph,
    inputs: Collection[str],
    outputs: Collection[str],
    catalog: OpCatalog,
    shape_of: ShapeOf | None = None,
) -> Opened:
    """Placeholders in the place of ``inputs``, of the types and shapes that are known of them.

    The placeholder of a node's only tensor has the node's name. Of several tensors, one that an ``Identity`` alone takes
    becomes a placeholder of that identity's name; another is called ``node_1``, by its number.

    Args:
        inputs: nodes, or single tensors of nodes that give several.
        outputs: what is to be computed: decides which tensors are needed.
        catalog: tells the types of tensors.
        shape_of: is asked for shapes that the file does not state.

    Raises:
        UnknownNameError: an input is not in the graph.
        GraphscopeError: the type of an input is unknown.
    """
    if not inputs:
        return Opened(graph, {})
    return _Opener(graph, inputs, outputs, catalog, shape_of).opened()


def opened_tensors(graph: Graph, inputs: Collection[str], outputs: Collection[str], catalog: OpCatalog) -> list[str]:
    """The tensors that have to be fed so that ``outputs`` need nothing of ``inputs``, in their order.

    Raises:
        UnknownNameError: an input is not in the graph.
        GraphscopeError: one of the tensors has a type that cannot be fed.
    """
    opener = _Opener(graph, inputs, outputs, catalog, None)
    needed = opener.needed()
    found = [(graph[name], k) for name in opener.named for k in opener.wanted(name, needed)]
    return [text for node, k in found for text in opener.fed(opener.checked(node, k))]


def placeholder(name: str, spec: TensorSpec) -> Node:
    """A ``Placeholder`` of type and shape of ``spec``."""
    shape = AttrValue()
    shape.shape.unknown_rank = spec.shape is None
    for size in spec.shape or ():
        shape.shape.dim.add(size=-1 if size is None else size)
    return make_node(name, "Placeholder", (), {"dtype": type_attr(spec.dtype), "shape": shape})


class _Opener:
    def __init__(
        self,
        graph: Graph,
        inputs: Collection[str],
        outputs: Collection[str],
        catalog: OpCatalog,
        shape_of: ShapeOf | None,
    ) -> None:
        self.graph = graph
        self.outputs = [TensorName.parse(text) for text in outputs]
        self.catalog = catalog
        self.shape_of = shape_of
        self.named = self.tensors(inputs)
        self.new: dict[tuple[str, int], str] = {}  # tensor -> the placeholder that gives it
        self.made: dict[str, Node] = {}
        self.originals: dict[str, str] = {}

    def tensors(self, inputs: Iterable[str]) -> dict[str, set[int]]:
        """Node -> the numbers of the tensors that are inputs; none if all are."""
        named: dict[str, set[int]] = {}
        for text in inputs:
            tensor = TensorName.parse(text)
            self.graph[tensor.node]
            named.setdefault(tensor.node, set())
            if ":" in text:
                named[tensor.node].add(tensor.index)
        return named

    def opened(self) -> Opened:
        needed = self.needed()
        for name in self.named:
            original = self.graph[name]
            if original.op == DEFAULTED or original.op not in PLACEHOLDER_OPS:
                self.open(original, needed)
        if not self.made:
            return Opened(self.graph, {})
        return Opened(self.graph.with_nodes(self.nodes()), self.originals)

    def needed(self) -> Collection[str]:
        """What the outputs need while everything is open that is named as a whole."""
        stops = {name for name, numbers in self.named.items() if not numbers or numbers == {0}}
        starts = [t.node for t in self.outputs]
        return self.graph.reach(starts, lambda n: () if n.name in stops else self.graph.producers(n))

    def open(self, original: Node, needed: Collection[str]) -> None:
        used = self.used(original.name, needed)
        wanted = self.wanted(original.name, needed)
        types = self.catalog.outputs(original.op, original.attrs)
        is_single = used in ([], [0]) or (types is not None and len(types) == 1)
        for k in wanted:
            name, replaced = (original.name, original) if is_single else self.name(original.name, k, needed)
            self.new[original.name, k] = name
            self.made[name] = placeholder(name, self.spec(original, k))
            if replaced is None:
                self.originals[f"{name}:0"] = f"{original.name}:{k}"

    def wanted(self, name: str, needed: Collection[str]) -> list[int]:
        """The numbers of the tensors of node ``name`` to open: those that are used, of those that are named."""
        numbers = self.named[name]
        return [k for k in self.used(name, needed) if not numbers or k in numbers] or [0]

    def used(self, name: str, needed: Collection[str]) -> list[int]:
        """The numbers of the tensors of node ``name`` that something needed takes."""
        return sorted({*used_outputs(self.graph, name, needed), *(t.index for t in self.outputs if t.node == name)})

    def name(self, original: str, index: int, needed: Collection[str]) -> tuple[str, Node | None]:
        """What the placeholder of one of several tensors is called, and the identity whose place it takes."""
        consumers = [c for c in self.graph.consumers(original) if c.name in needed and _takes(c, original, index)]
        if len(consumers) == 1 and consumers[0].op == "Identity" and consumers[0].name not in self.made:
            return consumers[0].name, consumers[0]
        return free_name(f"{original}_{index}", self.graph, self.made), None

    def checked(self, original: Node, index: int) -> str:
        """The name of the tensor, which can be fed.

        Raises:
            GraphscopeError: its type has no form that a person could give.
        """
        types = self.catalog.outputs(original.op, original.attrs)
        if types is not None and index < len(types) and types[index].dtype in UNFEEDABLE:
            behind = [Option("inputs", place) for place in places_behind(self.graph, self.catalog, original, index)]
            raise GraphscopeError(
                f"{original.name}:{index} ({original.op}) cannot be an input: a {types[index].dtype.label} cannot be fed",
                hint=Advice(Options(tuple(behind)), "   opens the graph behind it") if behind else None,
            )
        return f"{original.name}:{index}"

    def fed(self, tensor: str) -> list[str]:
        """What a session has to be fed for ``tensor``: the identities behind what calls functions.

        Raises:
            GraphscopeError: something else takes it.
        """
        name, index = TensorName.parse(tensor).node, TensorName.parse(tensor).index
        if self.graph[name].op not in REPLACED:
            return [tensor]
        takers = [consumer for consumer in self.graph.consumers(name) if _takes(consumer, name, index)]
        if not takers or any(taker.op != "Identity" for taker in takers):
            takers_named = [Option("inputs", taker.name) for taker in takers]
            raise GraphscopeError(
                f"{tensor} ({self.graph[name].op}) cannot be fed: TensorFlow replaces what calls functions",
                hint=Advice(Options(tuple(takers_named)), "   opens the graph behind it") if takers else None,
            )
        return [f"{taker.name}:0" for taker in takers]

    def spec(self, original: Node, index: int) -> TensorSpec:
        types = self.catalog.outputs(original.op, original.attrs)
        dtype = types[index].dtype if types is not None and index < len(types) else self.expected(original.name, index)
        if dtype is DataType.INVALID:
            raise GraphscopeError(f"{original.name}:{index} ({original.op}) cannot be an input: its type is unknown")
        tensor = self.checked(original, index)
        shape = stated_shape(original, index, self.graph.producer, self.graph)
        if shape is None and self.shape_of is not None:
            shape = self.shape_of(tensor)
        return TensorSpec(tensor, dtype, shape)

    def expected(self, name: str, index: int) -> DataType:
        """The type in which the consumers of a tensor take it."""
        for consumer in self.graph.consumers(name):
            definition = self.catalog.get(consumer.op)
            types = input_types(definition, consumer.attrs) if definition is not None else []
            for text, dtype in zip(consumer.data_inputs(), types):
                tensor = TensorName.parse(text)
                if (tensor.node, tensor.index) == (name, index) and dtype is not DataType.INVALID:
                    return dtype
        return DataType.INVALID

    def nodes(self) -> Iterator[Node]:
        """The nodes in their old order, the new placeholders of a node in its place."""
        late = {name: [] for name in self.named}  # type: dict[str, list[str]]
        for (source, _), name in self.new.items():
            if name not in self.graph:
                late[source].append(name)
        whole = {source for source, k in self.new if self.new[source, k] == source}
        for original in self.graph.nodes:
            if original.name in self.made:
                yield self.made[original.name]
            elif original.name not in whole:
                yield self.rewire(original)
            yield from (self.made[name] for name in late.get(original.name, ()))

    def rewire(self, original: Node) -> Node:
        inputs = [self.renamed(text) for text in original.inputs]
        return with_inputs(original, inputs) if inputs != list(original.inputs) else original

    def renamed(self, text: str) -> str:
        if text.startswith("^") or node_of(text) not in self.named:
            return text
        tensor = TensorName.parse(text)
        return self.new.get((tensor.node, tensor.index), text)


def _takes(consumer: Node, name: str, index: int) -> bool:
    tensors = (TensorName.parse(text) for text in consumer.data_inputs())
    return any(t.node == name and t.index == index for t in tensors)
