"""The result of shape inference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

from graphscope.analysis.shapes.flow import Flow
from graphscope.analysis.shapes.sizes import Dims, public
from graphscope.analysis.tensors import TensorLister
from graphscope.core.graph import Graph
from graphscope.core.ops.sets import PLACEHOLDER_OPS
from graphscope.core.ops.table import OpCatalog
from graphscope.core.tensors import Shape, TensorName
from graphscope.core.values.dtypes import DataType


class Shapes:
    """The shapes of all tensors of a graph, and what could not be inferred.

    Attributes:
        flow: the inferred facts, including those inside functions.
        errors: name of a node -> why it does not fit its op; ``function/node`` within a library function.
        without_rule: op -> number of nodes whose outputs are unknown because there is no rule for the op; most frequent first.
    """

    def __init__(
        self,
        graph: Graph,
        catalog: OpCatalog,
        flow: Flow,
        assumed: Collection[tuple[int, int]],
        errors: Mapping[str, str],
        lacking: Mapping[str, str],
    ) -> None:
        self._graph = graph
        self.flow = flow
        self._assumed = assumed
        self._lister = TensorLister(catalog, graph.producer)
        self.errors = errors
        self.without_rule: Mapping[str, int] = dict(Counter(lacking.values()).most_common())

    def shape(self, tensor: str) -> Shape:
        """The shape of a tensor; ``a`` is ``a:0``. ``None`` for an unknown rank, and for an output that is not there.

        Raises:
            UnknownNameError: there is no such node.
        """
        return public(self.sizes(tensor))

    def sizes(self, tensor: str) -> Dims:
        """As :meth:`shape`, with unknown sizes that are the same object where they are known to be equal."""
        place, index = self._find(tensor)
        facts = self.flow.facts[place] or ()
        return facts[index].shape if index < len(facts) else None

    def integers(self, tensor: str) -> tuple[int, ...] | None:
        """The elements of a small tensor of integers, in order, if all are known. Raises as :meth:`shape`."""
        place, index = self._find(tensor)
        facts = self.flow.facts[place] or ()
        elements = facts[index].value if index < len(facts) and facts[index].has_value else None
        known = [element for element in elements or () if type(element) is int]
        return tuple(known) if elements is not None and len(known) == len(elements) else None

    def dtype(self, tensor: str) -> DataType:
        """The element type of a tensor; ``INVALID`` where the op or the output is not known. Raises as :meth:`shape`."""
        place, index = self._find(tensor)
        outputs = self._lister.outputs(self._graph.nodes[place], self._graph)
        return outputs[index].dtype if index < len(outputs) else DataType.INVALID

    def known(self, tensor: str) -> bool:
        """Whether the shape follows from the file; False if it was inferred from consumers of a placeholder.

        Raises as :meth:`shape`.
        """
        return self._find(tensor) not in self._assumed

    @property
    def assumed_placeholders(self) -> list[str]:
        """The nodes whose shapes were inferred from their consumers, in file order."""
        nodes = self._graph.nodes
        return [nodes[p].name for p, _ in sorted(self._assumed) if nodes[p].op in PLACEHOLDER_OPS]

    @cached_property
    def by_name(self) -> Mapping[str, Shape]:
        """Tensor name -> shape, for every tensor whose rank is known."""
        return dict(self._iterate_named())

    def _iterate_named(self) -> Iterator[tuple[str, Shape]]:
        for place, node in enumerate(self._graph.nodes):
            name = node.proto.name
            for index, fact in enumerate(self.flow.facts[place] or ()):
                if fact.shape is not None:
                    yield f"{name}:{index}", public(fact.shape)

    def _find(self, tensor: str) -> tuple[int, int]:
        name = TensorName.parse(tensor)
        return self.flow.wiring.places[self._graph[name.node].name], name.index
