"""MetaGraphDef: a graph with its collections, saver and signatures.

Source: ``tensorflow/core/protobuf/meta_graph.proto``.
"""

from __future__ import annotations

from graphscope.core.graph import Graph
from graphscope.formats.graph.graphdef import graph_from
from graphscope.formats.lazy.holders import Holder
from graphscope.formats.lazy.split_weights import Place
from graphscope.protos import MetaGraphDef


def split_meta_graph(meta: MetaGraphDef, holder: Holder, place: Place) -> Graph:
    """The graph of ``meta``, which lies at ``place`` and keeps everything but that graph."""
    graph = graph_from(meta.graph_def, holder, place)
    meta.ClearField("graph_def")
    return graph
