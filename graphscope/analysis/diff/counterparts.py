"""Matches the nodes of one model's graph with another's."""

from __future__ import annotations

from collections.abc import Mapping

from graphscope.analysis.attributes import Attributes
from graphscope.analysis.diff.functions import match_functions
from graphscope.analysis.diff.matching import match
from graphscope.analysis.diff.sides import Side
from graphscope.core.model import Model


def counterparts(a: Model, b: Model) -> Mapping[str, str]:
    """Node of ``b`` -> node of ``a``: found by name, by structure, then within renamed scopes; library functions aside."""
    shared = {other: name for name, other in match_functions(a.graph.functions, b.graph.functions).items()}
    sides = [Side(m.graph, Attributes(m.catalog, keeps_marks=False), names) for m, names in ((a, {}), (b, shared))]
    return match(*sides)[0].backward
