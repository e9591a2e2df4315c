"""New nodes between those of a graph: transposes and small constants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Node
from graphscope.core.names import FreeNames
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue


class NewNodes:
    """Collects the nodes of a result, in an order in which each comes after what it takes.

    Attributes:
        nodes: so far.
        free: gives out names that no node has.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self.nodes: list[Node] = []
        self.free = FreeNames(taken)

    def integers(self, name: str, numbers: object) -> str:
        """A constant of integers; returns its name."""
        found = self.free(name)
        self.nodes.append(constant(found, np.array(numbers, np.int32)))
        return found

    def transpose(self, name: str, source: str, order: Sequence[int], dtype: AttrValue) -> None:
        """A ``Transpose`` called ``name``, which is free or the name of a node that goes."""
        perm = self.integers(f"{name}/perm", order)
        attrs = {"T": dtype, "Tperm": type_attr(DataType.INT32)}
        self.nodes.append(make_node(name, "Transpose", [source, perm], attrs))

    def reordered_sizes(self, name: str, source: str, order: Sequence[int]) -> str:
        """The elements of a vector of sizes in another order; returns the name of what gives them."""
        places = self.integers(f"{name}/order", order)
        found = self.free(name)
        index = type_attr(DataType.INT32)
        attrs = {"Tparams": index, "Tindices": index, "validate_indices": AttrValue(b=True)}
        self.nodes.append(make_node(found, "Gather", [source, places], attrs))
        return found
