"""The filters of a network's first convolutions as pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model
from graphscope.core.tensors import node_of
from graphscope.core.values.payload import Payload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONVOLUTIONS = frozenset({"Conv2D", "DepthwiseConv2dNative"})
"""Ops whose second input is a filter (height, width, channels in, channels out)."""

MAX_TILES = 256
MAX_KERNEL = 64
TILE_PIXELS = 32
GAP_PIXELS = 2

_HOPS = frozenset({"Identity", "ReadVariableOp", "Enter", "RefEnter", "Switch", "RefSwitch", "Cast"})


def first_filters(model: Model) -> Iterator[tuple[str, Payload]]:
    """Name and content of the weights of the convolutions without a preceding convolution, each once.

    Empty if there is no such convolution, or no value of its filter. No I/O.
    """
    seen = set()
    for convolution in first_convolutions(model.graph):
        name = _weight_of(model.graph, convolution)
        payload = _content(model, name)
        if payload is not None and name not in seen and _is_filter(payload):
            seen.add(name)
            yield name, payload


def first_convolutions(graph: Graph) -> list[Node]:
    """The convolutions without a preceding convolution, in file order; the first one if all are in a cycle."""
    found = [node for op, node in zip(graph.ops, graph.nodes) if op in CONVOLUTIONS]
    after = graph.descendants(dict.fromkeys(c.name for node in found for c in graph.consumers(node.name)))
    return [node for node in found if node.name not in after] or found[:1]


def _weight_of(graph: Graph, convolution: Node) -> str:
    """The node that produces the filter, looked for through ops that only pass it on."""
    node: Node | None = convolution
    name = convolution.name
    position = 1
    while node is not None and len(node.data_inputs()) > position:
        name = node_of(node.data_inputs()[position])
        node = graph.get(name)
        position = 0
        if node is None or node.op not in _HOPS:
            break
    return name


def _content(model: Model, name: str) -> Payload | None:
    """The value of the variable or constant called ``name``; ``None`` if there is none."""
    node = model.graph.get(name)
    if node is not None and node.op == "Const":
        return node.tensor()
    variable = next((v for v in model.variables if v.name == name and v.entry is not None), None)
    return model.value(variable) if variable is not None else None


def _is_filter(payload: Payload) -> bool:
    """Whether a filter can be drawn: four nonempty dimensions, the first two of a small picture."""
    height, width = (*payload.shape, 0, 0)[:2]
    return (
        payload.dtype.is_real and len(payload.shape) == 4 and payload.elements > 0 and max(height, width) <= MAX_KERNEL
    )


def grid(filters: NDArray[Any]) -> NDArray[np.uint8]:
    """A picture (height, width, 1 or 3) with a tile for each filter, enlarged to about :data:`TILE_PIXELS`.

    Filters on three channels are shown in color, others as one gray tile for each channel. Each tile is scaled separately from
    black to white; non-finite and constant values are gray.

    Args:
        filters: (height, width, channels in, channels out). At most :data:`MAX_TILES` tiles are drawn.
    """
    import numpy as np

    height, width, channels, count = filters.shape
    is_color = channels == 3
    tiles = np.moveaxis(filters.astype(np.float64), 3, 0)
    if not is_color:
        tiles = np.moveaxis(tiles, 3, 1).reshape(count * channels, height, width, 1)
    pictures = [_enlarge(_normalize(tile)) for tile in tiles[:MAX_TILES]]
    return _arrange(pictures)


def _normalize(tile: NDArray[np.float64]) -> NDArray[np.uint8]:
    import numpy as np

    finite = tile[np.isfinite(tile)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    scaled = (tile - low) / (high - low) if high > low else np.full(tile.shape, 0.5)
    return np.asarray(np.rint(np.where(np.isfinite(tile), scaled, 0.5) * 255), np.uint8)


def _enlarge(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = max(1, round(TILE_PIXELS / max(tile.shape[:2])))
    return tile.repeat(factor, axis=0).repeat(factor, axis=1)


def _arrange(tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The tiles in rows on white, in an approximate square."""
    import numpy as np

    height, width, channels = tiles[0].shape
    columns = math.ceil(math.sqrt(len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    step_y, step_x = height + GAP_PIXELS, width + GAP_PIXELS
    shape = (rows * step_y + GAP_PIXELS, columns * step_x + GAP_PIXELS, channels)
    out = np.full(shape, 255, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = (i // columns) * step_y + GAP_PIXELS, (i % columns) * step_x + GAP_PIXELS
        out[y : y + height, x : x + width] = tile
    return out
