"""Models of other runtimes (ONNX, TensorFlow Lite), as far as they are looked at: lists of nodes, tensors and constants.

None of this is a TensorFlow graph: tensors have names of their own, ops another meaning. So these are not a
:class:`graphscope.core.model.Model`, and nothing that changes or runs a graph takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from graphscope.core.attribute import Attribute
from graphscope.core.model import ModelFile
from graphscope.core.tensors import StatedShape
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class Quantization:
    """How integers stand for real numbers: ``real = scale * (integer - zero_point)``.

    Attributes:
        scales: one, or one for each index along ``axis``.
        zero_points: as many; fewer stand for zeros.
        axis: the dimension that the scales belong to.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True, slots=True)
class ForeignTensor:
    """What a file says of a tensor.

    Attributes:
        name: as in the file.
        dtype: its element type; ``INVALID`` if nothing says it.
        shape: ``None`` for an unknown rank; text is a symbol for an unknown dimension.
        container: ``sequence``, ``optional``, ``map`` or ``sparse`` for what is not one dense tensor; empty otherwise.
        quantization: ``None`` if the elements are what they say.
    """

    name: str
    dtype: DataType = DataType.INVALID
    shape: StatedShape = None
    container: str = ""
    quantization: Quantization | None = None

    @property
    def is_ref(self) -> bool:
        """False: only TensorFlow has references to buffers."""
        return False


def _no_attributes() -> Sequence[Attribute]:
    return ()


@dataclass(frozen=True, slots=True)
class ForeignNode:
    """One node.

    Attributes:
        name: unique in its graph: as stated, or the name of its first output.
        op: with its domain if that is not the runtime's own: ``com.microsoft.FusedConv``.
        inputs: names of tensors; empty for an optional one that is left out.
        outputs: names of tensors; empty for an unused one.
        captures: tensors of the graph that bodies within the node read.
        describe: makes the attributes.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    captures: tuple[str, ...] = ()
    describe: Callable[[], Sequence[Attribute]] = _no_attributes

    @property
    def needs(self) -> tuple[str, ...]:
        """The tensors that it reads, those that bodies within it read included."""
        return tuple(filter(None, (*self.inputs, *self.captures)))


@dataclass(frozen=True)
class ForeignGraph:
    """Nodes in file order, and the tensors between them.

    Attributes:
        nodes: in file order.
        inputs, outputs: what is fed and computed.
        tensors: tensor name -> what the file says of it; tensors of which it says nothing are not there.
        constants: tensor name -> content that the file states.
    """

    nodes: tuple[ForeignNode, ...] = ()
    inputs: tuple[ForeignTensor, ...] = ()
    outputs: tuple[ForeignTensor, ...] = ()
    tensors: Mapping[str, ForeignTensor] = field(default_factory=dict)
    constants: Mapping[str, Payload] = field(default_factory=dict)

    def __iter__(self) -> Iterator[ForeignNode]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def tensor(self, name: str) -> ForeignTensor:
        """What is known of the tensor ``name``."""
        return self.tensors.get(name) or ForeignTensor(name)

    @cached_property
    def by_name(self) -> Mapping[str, ForeignNode]:
        """Name -> node."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def producers(self) -> Mapping[str, ForeignNode]:
        """Tensor name -> the node that computes it."""
        return {name: node for node in self.nodes for name in node.outputs if name}

    @cached_property
    def takers(self) -> Mapping[str, Sequence[ForeignNode]]:
        """Tensor name -> the nodes that read it, each once."""
        found: dict[str, list[ForeignNode]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.needs):
                found.setdefault(name, []).append(node)
        return found

    @cached_property
    def names(self) -> Sequence[str]:
        """Everything that can be asked for: nodes, tensors and constants, each once."""
        ends = [tensor.name for tensor in self.inputs]
        return list(dict.fromkeys([*self.by_name, *ends, *self.producers, *self.constants]))

    def find(self, name: str) -> ForeignNode | None:
        """The node called ``name``, or the one that computes the tensor ``name``."""
        return self.by_name.get(name) or self.producers.get(name)

    def sources(self, node: ForeignNode) -> list[ForeignNode]:
        """The nodes whose outputs ``node`` reads, each once."""
        return _unique(self.producers[name] for name in node.needs if name in self.producers)

    def consumers(self, node: ForeignNode) -> list[ForeignNode]:
        """The nodes that read an output of ``node``, each once."""
        return _unique(taker for name in node.outputs for taker in self.takers.get(name, ()))

    def needed_by(self, name: str, depth: int | None) -> dict[str, int]:
        """The nodes that node or tensor ``name`` needs, up to ``depth`` steps away, with the steps to each.

        Raises:
            UnknownNameError: there is no such node or tensor.
        """
        node = self.find(name)
        if node is None:
            self._refuse_unknown(name)
            return {}
        return _reach(self.sources(node), self.sources, depth, node.name)

    def needing(self, name: str, depth: int | None) -> dict[str, int]:
        """The nodes that need node or tensor ``name``; as :meth:`needed_by`."""
        node = self.find(name)
        if node is not None:
            return _reach(self.consumers(node), self.consumers, depth, node.name)
        self._refuse_unknown(name)
        return _reach(list(self.takers.get(name, ())), self.consumers, depth, "")

    def _refuse_unknown(self, name: str) -> None:
        if name not in self.names:
            raise UnknownNameError("node or tensor", name, self.names)


def _unique(nodes: Iterator[ForeignNode]) -> list[ForeignNode]:
    return list({node.name: node for node in nodes}.values())


def _reach(
    first: list[ForeignNode], step: Callable[[ForeignNode], list[ForeignNode]], depth: int | None, start: str
) -> dict[str, int]:
    distance: dict[str, int] = {}
    frontier, level = first, 0
    while frontier and (depth is None or level < depth):
        level += 1
        fresh = [node for node in frontier if node.name not in distance and node.name != start]
        distance.update((node.name, level) for node in fresh)
        frontier = _unique(further for node in fresh for further in step(node))
    return distance


@dataclass(frozen=True, slots=True)
class ForeignSignature:
    """A way to call a model: argument -> tensor name."""

    name: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class ForeignModel:
    """A file of another runtime.

    Attributes:
        path: the file.
        kind: ``ONNX model``, ``TensorFlow Lite model``.
        files: the file, and those that hold its weights, missing ones included.
        producer: the program that wrote it; empty if nothing says so.
        versions: what it states: of the format, of sets of operators, of a runtime.
        graph: the graph that runs.
        bodies: name -> other graphs: functions, bodies of nodes, further subgraphs.
        signatures: in file order.
        description: the file's own.
        metadata: name -> text, or what is known of what is no text.
        notes: what a person should know of it.
    """

    path: str
    kind: str
    files: tuple[ModelFile, ...]
    graph: ForeignGraph
    bodies: Mapping[str, ForeignGraph] = field(default_factory=dict)
    producer: str = ""
    versions: Mapping[str, int | str] = field(default_factory=dict)
    signatures: tuple[ForeignSignature, ...] = ()
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<ForeignModel {self.path!r}: {self.kind}, {len(self.graph):,} nodes>"

    @property
    def graphs(self) -> Iterator[tuple[str, ForeignGraph]]:
        """The graph that runs, under an empty name, then the others."""
        yield "", self.graph
        yield from self.bodies.items()
