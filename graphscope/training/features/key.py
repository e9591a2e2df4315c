"""The key of features: a digest of everything that they depend on.

Two grafts of the same base with different heads share a key; another weight, cut, preprocessing or file changes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from graphscope.core.graph import Graph
from graphscope.core.ops.sets import DEFAULTED
from graphscope.core.tensors import TensorName
from graphscope.core.values.payload import Payload
from graphscope.formats.lazy.pieces import flow, node_field
from graphscope.training.data.cache import digest
from graphscope.training.data.source import Dataset
from graphscope.training.graft.base import Base

VERSION = 1
"""Incremented whenever features with the same key would be stored or computed differently."""


def feature_key(base: Base, source: Dataset) -> str:
    """64 hexadecimal digits. Reads the base's weights once.

    Raises:
        CorruptFileError, IncompleteModelError: a weight cannot be read.
    """
    return digest(VERSION, base.at, graph_hash(base.graph), values_hash(base), source.fingerprint)


def graph_hash(graph: Graph) -> str:
    """Of the nodes with their constants and of the functions, whatever their order; names count."""
    found = hashlib.sha256(str(graph.producer).encode())
    for _, node in sorted(graph.by_name.items()):
        for chunk in flow(node_field(1, node)):
            found.update(chunk)
    for _, function in sorted(graph.functions.items()):
        found.update(function.proto.SerializeToString(deterministic=True))
        for node in function.nodes:
            for chunk in flow(node_field(3, node)):
                found.update(chunk)
    return found.hexdigest()


def values_hash(base: Base) -> str:
    """Of the variables: names, types, shapes and contents."""
    found = hashlib.sha256()
    for name, payload in sorted(base.values.items()):
        found.update(digest(name, payload.dtype.label, payload.shape).encode())
        for chunk in _content(payload):
            found.update(chunk)
    return found.hexdigest()


def _content(payload: Payload) -> Iterator[bytes]:
    if payload.nbytes is not None:
        yield from payload.chunks()
    else:
        yield from (hashlib.sha256(text).digest() for text in payload.numpy().reshape(-1).tolist())


def below_stop(graph: Graph, tensor: str) -> str:
    """The tensor that ``tensor`` passes on, if it is a ``StopGradient`` or the place behind one where features are fed."""
    name = TensorName.parse(tensor)
    while graph[name.node].op in ("StopGradient", DEFAULTED):
        name = TensorName.parse(graph[name.node].inputs[0])
    return str(name)
