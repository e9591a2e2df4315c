"""Small lookup tables as ops that need no initializer: a comparison with all keys, and the value of the one that is equal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph, Node
from graphscope.core.names import FreeNames
from graphscope.core.ops.sets import TABLE_FILLING_OPS, TABLES
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.core.variables.restore import reads_checkpoint
from graphscope.protos import AttrValue
from graphscope.transforms.subgraph import cut

MAX_KEYS = 4096
"""Of a larger table, a comparison with every key would take too long."""

_FINDS = frozenset({"LookupTableFind", "LookupTableFindV2"})
_SIZES = frozenset({"LookupTableSize", "LookupTableSizeV2"})
_FILLS = frozenset({"InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2"})
_KEYS = frozenset({DataType.STRING, DataType.INT64, DataType.INT32})


@dataclass(frozen=True, slots=True)
class BakedTables:
    """A graph without its small tables.

    Attributes:
        graph: the result.
        keys: table -> how many keys it had.
        left: tables that stay.
    """

    graph: Graph
    keys: Mapping[str, int] = field(default_factory=dict)
    left: tuple[str, ...] = ()


def bake_tables(graph: Graph, whole: Graph, outputs: list[str]) -> BakedTables:
    """``graph`` in which look-ups in tables of constant keys and values are comparisons with these. Reads the tables.

    Args:
        whole: the graph with the nodes that fill the tables.
        outputs: what to keep.
    """
    contents = dict(_contents(whole))
    made = _Maker(graph, contents)
    result = graph.with_nodes(node for original in graph for node in made.nodes(original))
    result = cut(result, outputs) if made.used else graph
    left = tuple(node.name for node in result if TABLES.fullmatch(node.op))
    return BakedTables(result, {name: len(contents[name][0].numpy()) for name in made.used if name not in left}, left)


def initializers_of(graph: Graph, tables: tuple[str, ...]) -> list[str]:
    """The nodes of ``graph`` that fill ``tables``; empty if one of these is filled by none, or from a checkpoint."""
    fills = [node for node in graph if node.op in TABLE_FILLING_OPS and not reads_checkpoint(graph, node)]
    found = {_table(graph, node): node.name for node in fills}
    return [found[table] for table in tables] if set(tables) <= found.keys() else []


def _contents(graph: Graph) -> Iterator[tuple[str, tuple[Payload, Payload]]]:
    """Table -> its keys and values, where these are few constants and the table is filled once."""
    fills: dict[str, list[Node]] = {}
    for node in graph:
        if node.op in TABLE_FILLING_OPS and node.inputs:
            fills.setdefault(_table(graph, node), []).append(node)
    for table, nodes in fills.items():
        if len(nodes) == 1 and nodes[0].op in _FILLS:
            keys, values = (_constant(graph, text) for text in nodes[0].data_inputs()[1:3])
            if keys is not None and values is not None and keys.dtype in _KEYS and _is_small(keys, values):
                yield table, (keys, values)


def _is_small(keys: Payload, values: Payload) -> bool:
    return len(keys.shape) == 1 and keys.shape == values.shape and 0 < (keys.shape[0] or 0) <= MAX_KEYS


def _table(graph: Graph, node: Node) -> str:
    """The node that makes the table in the first input of ``node``."""
    found = graph.get(node_of(node.inputs[0]))
    while found is not None and found.op == "Identity" and found.inputs:
        found = graph.get(node_of(found.inputs[0]))
    return found.name if found is not None else ""


def _constant(graph: Graph, text: str) -> Payload | None:
    node = graph.get(node_of(text))
    while node is not None and node.op == "Identity" and node.inputs:
        node = graph.get(node_of(node.inputs[0]))
    return node.tensor() if node is not None and node.op == "Const" else None


class _Maker:
    """Writes look-ups anew.

    Attributes:
        used: the tables that were looked up in.
    """

    def __init__(self, graph: Graph, contents: Mapping[str, tuple[Payload, Payload]]) -> None:
        self.graph = graph
        self.contents = contents
        self.used: dict[str, None] = {}
        self.free = FreeNames(graph.names)

    def nodes(self, node: Node) -> Iterator[Node]:
        """``node``, or what takes its place, which ends in a node of its name."""
        table = _table(self.graph, node) if node.op in _FINDS | _SIZES else ""
        if table not in self.contents:
            yield node
            return
        self.used[table] = None
        keys, values = self.contents[table]
        if node.op in _SIZES:
            yield constant(node.name, np.array(len(keys.numpy()), np.int64), _controls(node))
        else:
            yield from self._look_up(node, keys, values)

    def _look_up(self, node: Node, keys: Payload, values: Payload) -> Iterator[Node]:
        """Which key is equal, or the place behind the last one, where the default lies among the values."""
        key, value, index = type_attr(keys.dtype), type_attr(values.dtype), type_attr(DataType.INT32)
        _, asked, default = node.data_inputs()[:3]
        n = {part: self.free(f"{node.name}/{part}") for part in _PARTS}
        truth = type_attr(DataType.BOOL)
        yield constant(n["keys"], keys, _controls(node))
        yield constant(n["values"], values)
        yield constant(n["one"], np.array([1], np.int32))
        yield constant(n["column"], np.array([-1, 1], np.int32))
        yield constant(n["axis"], np.array(1, np.int32))
        yield constant(n["zero"], np.array(0, np.int32))
        yield constant(n["count"], np.array(keys.shape[0], np.int64))
        yield make_node(n["asked"], "Reshape", [asked, n["column"]], {"T": key, "Tshape": index})
        yield make_node(n["equal"], "Equal", [n["asked"], n["keys"]], {"T": key})
        yield make_node(n["any"], "Any", [n["equal"], n["axis"]], {"Tidx": index, "keep_dims": AttrValue(b=False)})
        yield make_node(n["number"], "Cast", [n["equal"]], {"SrcT": truth, "DstT": index})
        yield make_node(n["first"], "ArgMax", [n["number"], n["axis"]], {"T": index, "Tidx": index})
        long = type_attr(DataType.INT64)
        yield make_node(n["shape"], "Shape", [n["first"]], {"T": long, "out_type": index})
        yield make_node(n["behind"], "Fill", [n["shape"], n["count"]], {"T": long})
        yield make_node(n["place"], "Select", [n["any"], n["first"], n["behind"]], {"T": long})
        yield make_node(n["default"], "Reshape", [default, n["one"]], {"T": value, "Tshape": index})
        joined = {"T": value, "N": AttrValue(i=2), "Tidx": index}
        yield make_node(n["all"], "ConcatV2", [n["values"], n["default"], n["zero"]], joined)
        found = {"Tparams": value, "Tindices": long, "validate_indices": AttrValue(b=True)}
        yield make_node(n["found"], "Gather", [n["all"], n["place"]], found)
        yield make_node(n["sizes"], "Shape", [asked], {"T": key, "out_type": index})
        yield make_node(node.name, "Reshape", [n["found"], n["sizes"]], {"T": value, "Tshape": index})


_PARTS = (
    "keys values one column axis zero count asked equal any number first shape behind place default all found sizes"
).split()


def _controls(node: Node) -> list[str]:
    return [text for text in node.inputs if text.startswith("^")]
