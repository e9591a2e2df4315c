"""Graphs written to a file, opened and listed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import graphscope
from graphscope.analysis.listing import Listing, NodeFilter, NodeRow, list_nodes
from graphscope.core.model import Model
from tests.support.saving import tf

v1 = tf.compat.v1
GraphDef = v1.GraphDef


def opened(graph: Any, directory: Path) -> Model:
    """``graph``, a ``tf.Graph`` or a ``GraphDef``, from a file."""
    message = graph.as_graph_def() if isinstance(graph, tf.Graph) else graph
    (directory / "graph.pb").write_bytes(message.SerializeToString())
    return graphscope.load(directory / "graph.pb")


def rows(model: Model, functions: bool = False, **filters: Any) -> list[NodeRow]:
    return list(list_nodes(model, Listing(NodeFilter(**filters), functions)))


def names(found: Iterable[NodeRow]) -> list[str]:
    return [row.name for row in found]
