"""The shapes of a graph, inferred once and only if they are asked for: the shape rules alone take a while to import."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from graphscope.core.graph import Graph

if TYPE_CHECKING:
    from graphscope.analysis.shapes import Shapes


def lazily_inferred(graph: Graph) -> Callable[[], Shapes]:
    """A function that returns the shapes of ``graph``, always the same."""

    @functools.cache
    def shapes() -> Shapes:
        from graphscope.analysis.shapes import infer

        return infer(graph)

    return shapes
