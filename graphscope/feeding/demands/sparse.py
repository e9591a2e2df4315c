"""Placeholders for the parts of a sparse tensor: indices must be within the shape, so neither can be arbitrary."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import DEFAULTED, PLACEHOLDER_OPS
from graphscope.core.ops.table import registered_ops
from graphscope.core.tensors import Shape, TensorSpec, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.feeding.demands.demanded import Demanded
from graphscope.feeding.demands.weights import small_integers
from graphscope.named_tuple import NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphscope.analysis.shapes import Shapes
    from graphscope.feeding.random_values import Source

_STEPS = 16
_PASSED = frozenset({"Identity", "Cast", "StopGradient"})
_PARTS = _PASSED | {"StridedSlice", "Pack"}
"""Columns of indices ascend as the indices do; sizes are taken out of one shape and put into another."""
_SIZES = ("shape", "dense_shape", "shapes")
"""What an argument ``a_indices`` has beside it is called ``a_shape``, or one of these."""


DenseSizes = tuple[int | None, ...]
"""Of a dense tensor; unknown ones are ``None``."""


class SparseIndices(NamedTuple):
    """Indices of a sparse tensor, which represents a dense one of those sizes."""

    sizes: DenseSizes

    def draw(self, spec: TensorSpec, source: Source) -> NDArray[Any]:
        """See :meth:`graphscope.feeding.demands.demanded.Content.draw`."""
        import numpy as np

        return np.array(_places(source.rng, _known(self.sizes, source), source.shape(spec)), np.int64)


class SparseSizes(NamedTuple):
    """The shape of a sparse tensor, as a vector of those sizes."""

    sizes: DenseSizes

    def draw(self, _: TensorSpec, source: Source) -> NDArray[Any]:
        """See :meth:`graphscope.feeding.demands.demanded.Content.draw`."""
        import numpy as np

        return np.array(_known(self.sizes, source), np.int64)


def _known(sizes: DenseSizes, source: Source) -> list[int]:
    return [source.unknown if size is None else size for size in sizes]


def _places(rng: np.random.Generator, sizes: Sequence[int], shape: tuple[int, ...]) -> NDArray[Any]:
    """Indices of shape ``shape`` within ``sizes``, ascending, none twice if there are enough places."""
    import numpy as np

    columns = sizes[: shape[-1]] if len(shape) > 1 else sizes[:1]
    sizes = [min(size, int(_PLACES ** (1 / len(columns)))) for size in columns]
    count, total = shape[0] if shape else 1, math.prod(sizes)
    if not total:
        return np.zeros(shape, np.int64)
    chosen = np.sort(rng.choice(total, count, replace=count > total))
    return np.stack(np.unravel_index(chosen, sizes), axis=-1).reshape(shape)


_PLACES = 2**40
"""Indices are drawn from so many places at most."""


def sparse_part(graph: Graph, spec: TensorSpec, shapes: Callable[[], Shapes]) -> Demanded | None:
    """``spec`` as the part of a sparse tensor that the placeholder is; ``None`` if it is none.

    Args:
        shapes: those of ``graph``.
    """
    node = graph.get(node_of(spec.name))
    if node is None or spec.dtype is not DataType.INT64:
        return None
    for consumer, place in _takers(graph, node):
        for indices, shape in _sparse_arguments(consumer):
            if place in (indices, shape):
                sizes = _sizes(graph, consumer, indices, shape, shapes)
                return _indices(spec, sizes) if place == indices else _as_sizes(spec, sizes)
        if place == _segments(consumer):
            return _indices(spec, (None,) * (_columns(graph, spec.name) or 2))
    return None


def _indices(spec: TensorSpec, sizes: DenseSizes) -> Demanded:
    """``spec`` with a column for each size, unless it is one index or has the columns that the file states."""
    shape = spec.shape
    if shape is None or (len(shape) == 2 and shape[1] is None):
        shape = (None if shape is None else shape[0], len(sizes))
    return Demanded(spec._replace(shape=shape), SparseIndices(sizes))


def _as_sizes(spec: TensorSpec, sizes: DenseSizes) -> Demanded | None:
    """``spec`` as the vector of ``sizes``; ``None`` if it is no such vector."""
    if spec.shape is not None and spec.shape not in ((None,), (len(sizes),)):
        return None
    return Demanded(spec._replace(shape=(len(sizes),)), SparseSizes(sizes))


def lacks_sizes(graph: Graph, placeholder: Node) -> bool:
    """Whether its default leaves sizes open, as ``tf.sparse_placeholder`` does with -1: no sparse tensor has that shape."""
    return placeholder.op == DEFAULTED and any(size < 0 for size in _default(graph, placeholder) or ())


def _takers(graph: Graph, start: Node) -> Iterator[tuple[Node, int]]:
    """What takes the value of ``start``, with the place at which it does."""
    waiting = [start.name]
    for name in waiting:
        for node in graph.consumers(name):
            places = [i for i, text in enumerate(node.data_inputs()) if text in (name, f"{name}:0")]
            yield from ((node, place) for place in places)
            if node.op in _PARTS and places and len(waiting) < _STEPS:
                waiting.append(node.name)


def _sparse_arguments(node: Node) -> list[tuple[int, int]]:
    """The places of indices, each with that of the shape that they belong to."""
    count = node.attr("N")
    return _sparse_places(node.op, max(count.i, 1) if count is not None else 1)


def _segments(node: Node) -> int | None:
    """The place of the segments that rows belong to, which have to ascend."""
    definition = registered_ops().get(node.op)
    if definition is None or node.op.startswith("Unsorted"):
        return None
    return next((i for i, argument in enumerate(definition.input_arg) if argument.name == "segment_ids"), None)


@lru_cache(1024)
def _sparse_places(op: str, count: int) -> list[tuple[int, int]]:
    definition = registered_ops().get(op)
    places: dict[str, range] = {}
    at = 0
    for argument in definition.input_arg if definition is not None else ():
        size = count if argument.number_attr == "N" else 1
        places[argument.name] = range(at, at + size)
        at += size
    found = []
    for name, indices in places.items():
        prefix = name.removesuffix("indices")
        shape = next((places[key] for key in (*(prefix + s for s in _SIZES), "output_shape") if key in places), None)
        if prefix != name and shape is not None:
            found += list(zip(indices, shape))
    return found


def _sizes(graph: Graph, taker: Node, indices: int, shape: int, shapes: Callable[[], Shapes]) -> tuple[int | None, ...]:
    """What is known of the dense tensor's sizes."""
    inputs = taker.data_inputs()
    stated = _stated(graph, inputs[shape], shapes) or (None,) * (_columns(graph, inputs[indices]) or 2)
    sizes = [None if size is None or size < 0 else size for size in stated]
    if taker.op == "SparseTensorDenseMatMul" and len(sizes) == 2:
        inner = 0 if _flag(taker, "adjoint_a") else 1
        dense = shapes().shape(inputs[3])
        if sizes[inner] is None and dense is not None and len(dense) == 2:
            sizes[inner] = dense[1 if _flag(taker, "adjoint_b") else 0]
    return tuple(sizes)


def _stated(graph: Graph, text: str, shapes: Callable[[], Shapes]) -> Shape:
    """The sizes that a vector holds, if they follow from the graph; ``None`` if none do."""
    node = _source(graph, text)
    if node is not None and node.op in PLACEHOLDER_OPS:
        return _default(graph, node) or _unknown_sizes(node)
    value = shapes().flow.fact(text).value
    return None if value is None else tuple(size if isinstance(size, int) else None for size in value)


def _unknown_sizes(vector: Node) -> Shape:
    stated = vector.attr("shape")
    if stated is None or len(stated.shape.dim) != 1 or stated.shape.dim[0].size < 0:
        return None
    return (None,) * min(stated.shape.dim[0].size, _STEPS)


def _default(graph: Graph, placeholder: Node) -> tuple[int, ...] | None:
    numbers = (
        small_integers(graph, placeholder.inputs[0]) if placeholder.op == DEFAULTED and placeholder.inputs else None
    )
    return None if numbers is None else tuple(numbers)


def _columns(graph: Graph, indices: str) -> int | None:
    """How many numbers an index has, where the placeholder of ``indices`` says so."""
    node = _source(graph, indices)
    stated = node.attr("shape") if node is not None and node.op in PLACEHOLDER_OPS else None
    if stated is None or len(stated.shape.dim) != 2 or stated.shape.dim[1].size < 1:
        return None
    return min(stated.shape.dim[1].size, _STEPS)


def _source(graph: Graph, text: str) -> Node | None:
    """The node that gives a value, behind what only passes it on."""
    node = graph.get(node_of(text))
    for _ in range(_STEPS):
        if node is None or node.op not in _PASSED or not node.inputs:
            return node
        node = graph.get(node_of(node.inputs[0]))
    return None


def _flag(node: Node, name: str) -> bool:
    value = node.attr(name)
    return value is not None and value.b
