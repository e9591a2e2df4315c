"""A joined graph in TensorFlow, without the weights that are constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphscope.core.graph import Graph
from graphscope.protos import VariableDef
from graphscope.training.graft.base import Base
from graphscope.training.graft.join_models import Joined
from graphscope.training.graft.open_batch import open_batch
from graphscope.training.graft.variable_defs import declare_variables


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


def import_joined(joined: Joined, base: Base, notes: list[str]) -> Ready:
    """The joined graph for any number of examples.

    Raises:
        GraphscopeError: the base is built for a fixed number, which cannot be changed.
    """
    graph, variables = declare_variables(joined.graph, joined.values)
    opened = open_batch(graph, base.path, list(dict.fromkeys([*base.at, *joined.tops])))
    if opened.is_changed:
        notes.append(f"{', '.join(s.name for s in base.inputs)} now takes any number of examples")
    return Ready(opened.graph, variables, opened.imported)
