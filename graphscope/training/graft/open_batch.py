"""Makes a base that was built for a fixed number of examples accept any number of them.

:mod:`graphscope.transforms.input_shapes` rewrites the constants that state the number. The result is then checked with a
number of examples that occurs nowhere else: each tensor that the head or the loss is built on must have one row per example.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphscope.advice import Advice, Option
from graphscope.core.graph import Graph
from graphscope.core.tensors import Shape, TensorName, shape_text
from graphscope.errors import GraphscopeError
from graphscope.runtime.importing import import_graph
from graphscope.training.graft.skeleton import skeleton
from graphscope.transforms.bake import placeholder_spec
from graphscope.transforms.input_shapes import reshape_inputs, with_placeholder_shapes

_PLACEHOLDERS = ("Placeholder", "PlaceholderV2")

_PROBE = 1_000_003
"""A number of examples that no graph states."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A base's graph and the same graph in TensorFlow.

    Attributes:
        graph: the nodes.
        imported: the ``tf.Graph``, without large constants.
        is_changed: whether the graph was rewritten to accept any number of examples.
    """

    graph: Graph
    imported: Any
    is_changed: bool = False


def open_batch(graph: Graph, path: str, tensors: Sequence[str]) -> Opened:
    """Rewrites ``graph`` to compute ``tensors`` for any number of examples, if its inputs state a fixed number.

    Args:
        path: of the base, for messages.
        tensors: names of the tensors that the loss and the head are built on.

    Raises:
        GraphscopeError: the graph was built for a fixed number, and cannot be rewritten.
    """
    imported = import_graph(skeleton(graph), path)
    shapes = _shapes(imported, tensors)
    batch = _batch(graph, shapes)
    if batch is None:
        return Opened(graph, imported)
    stated = with_placeholder_shapes(graph, _with_batch(graph, batch, batch))
    try:
        opened, probed = (
            reshape_inputs(stated, _with_batch(stated, batch, new), tensors).graph for new in (None, _PROBE)
        )
    except GraphscopeError as error:
        raise _built_for(path, batch, error.message) from error
    imported = import_graph(skeleton(opened), path)
    for found, expected in ((imported, None), (import_graph(skeleton(probed), path), _PROBE)):
        for name, shape in _shapes(found, tensors).items():
            if not shape or shape[0] not in (expected, None):
                raise _built_for(path, batch, f"{name} is {shape_text(shapes[name])}, not one row per example")
    return Opened(opened, imported, True)


def _shapes(imported: Any, tensors: Sequence[str]) -> dict[str, Shape]:
    found = {name: imported.get_tensor_by_name(str(TensorName.parse(name))).shape for name in tensors}
    return {name: None if shape.rank is None else tuple(shape.as_list()) for name, shape in found.items()}


def _is_open(shape: Shape) -> bool:
    return bool(shape) and shape is not None and shape[0] is None


def _batch(graph: Graph, shapes: dict[str, Shape]) -> int | None:
    """The number of examples that ``graph`` was built for; ``None`` if it accepts any number, or nothing states one."""
    first = {shape[0] for shape in _placeholders(graph).values() if shape}
    if None in first and all(map(_is_open, shapes.values())):
        return None
    fixed = first - {None}
    if not fixed and None in first:
        fixed = {shape[0] for shape in shapes.values() if shape and shape[0] is not None}
    return fixed.pop() if len(fixed) == 1 else None


def _placeholders(graph: Graph) -> dict[str, Shape]:
    return {node.name: placeholder_spec(node).shape for node in graph.nodes if node.op in _PLACEHOLDERS}


def _with_batch(graph: Graph, old: int, new: int | None) -> dict[str, Shape]:
    """Placeholder of ``old`` examples, or of any number -> its shape for ``new`` ones."""
    shapes = _placeholders(graph).items()
    return {name: (new, *shape[1:]) for name, shape in shapes if shape and shape[0] in (old, None)}


def _built_for(path: str, batch: int, reason: str) -> GraphscopeError:
    return GraphscopeError(
        f"{path}: the base is built for a batch of {batch}: {reason}, so a loss would not be a mean over the examples",
        hint=Advice("export the model with a batch of None, or cut it elsewhere: ", Option("at", "TENSOR")),
    )
