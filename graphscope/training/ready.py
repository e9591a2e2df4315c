"""A joined graph in TensorFlow, without the weights that are constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphscope.core.graph import Graph
from graphscope.core.tensors import TensorName
from graphscope.protos import VariableDef
from graphscope.runtime.importing import import_graph
from graphscope.training.base import Base, with_open_batch
from graphscope.training.declared import declared
from graphscope.training.joined import Joined
from graphscope.training.skeleton import skeleton


@dataclass(frozen=True, slots=True)
class Ready:
    """A joined graph that TensorFlow has imported without its large constants.

    Attributes:
        graph: with its constants.
        variables: variable op -> what TensorFlow's Python must know of it.
        imported: the ``tf.Graph``.
    """

    graph: Graph
    variables: Mapping[str, VariableDef]
    imported: Any


def made_ready(joined: Joined, base: Base, notes: list[str]) -> Ready:
    """Placeholders of a fixed number of examples take any, where the cut then has any as well."""
    graph, variables = declared(joined.graph, joined.values)
    opened = with_open_batch(graph)
    if opened is not None:
        imported = import_graph(skeleton(opened), base.path)
        shapes = [imported.get_tensor_by_name(str(TensorName.parse(name))).shape for name in (*base.at, *joined.tops)]
        if all(shape.rank and shape[0] is None for shape in shapes):
            notes.append(f"{', '.join(s.name for s in base.inputs)} takes any number of examples now")
            return Ready(opened, variables, imported)
    return Ready(graph, variables, import_graph(skeleton(graph), base.path))
