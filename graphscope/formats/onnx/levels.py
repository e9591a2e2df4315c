"""Where the weights of an ONNX file are: the way down to them by field number.

Source: ``onnx/onnx.proto`` (1.23). Graphs hold nodes, whose attributes hold graphs; see
:class:`graphscope.formats.lazy.split_weights.Level`.
"""

from __future__ import annotations

from graphscope.formats.lazy.split_weights import Level

_RAW_DATA = 9
_KEPT = frozenset({1, 2, 8, 12, 13, 14})
"""Sizes, type, name, documentation, external data and where the data is."""


def _tensor(name: str | None) -> Level:
    return Level(name, content=_RAW_DATA, kept=_KEPT)


def _sparse(name: str | None) -> Level:
    return Level(name, {1: _tensor("values"), 2: _tensor("indices")})


_in_attribute: dict[int, Level] = {
    5: _tensor(None),
    10: _tensor("tensors"),
    22: _sparse(None),
    23: _sparse("sparse_tensors"),
}
ATTRIBUTE = Level("attribute", _in_attribute)
NODE = Level("node", {5: ATTRIBUTE})
_in_graph = {1: NODE, 5: _tensor("initializer"), 15: _sparse("sparse_initializer")}
GRAPH = Level(None, _in_graph)
_in_attribute |= {6: GRAPH, 11: Level("graphs", _in_graph)}
FUNCTION = Level("function", {7: NODE})
MODEL = Level(None, {7: GRAPH, 25: FUNCTION})
