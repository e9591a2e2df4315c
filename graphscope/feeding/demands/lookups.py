"""Strings that are looked up in a table: most random ones are among its keys, so that they are found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import TABLE_FILLING_OPS
from graphscope.core.tensors import TensorSpec, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import FileError, file_errors
from graphscope.feeding.demands.demanded import Demanded
from graphscope.feeding.demands.encoded import PASSED
from graphscope.formats.io.paths import is_file
from graphscope.named_tuple import NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.feeding.demands.inferred import Consumers
    from graphscope.feeding.random_values import Source

_FINDS = frozenset({"LookupTableFind", "LookupTableFindV2"})
_FROM_FILE = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
_STEPS = 32
_MAX_BYTES = 1 << 20
"""Of a vocabulary, at most so much is read."""
_MAX_KEYS = 65_536
_WHOLE_LINE = -2
"""The index of a column that stands for the whole line: ``TextFileIndex.WHOLE_LINE``."""


class LookedUp(NamedTuple):
    """Strings that are looked up.

    Attributes:
        keys: strings that the table has.
    """

    keys: tuple[bytes, ...]

    def draw(self, spec: TensorSpec, source: Source) -> NDArray[Any]:
        """See :meth:`graphscope.feeding.demands.demanded.Content.draw`."""
        return source.strings(spec, self.keys)


def looked_up_strings(consumers: Consumers, spec: TensorSpec) -> Demanded | None:
    """``spec`` with the keys of the first table that it is looked up in; ``None`` if no keys are known."""
    graph = consumers.graph
    for table in _tables(graph, spec.name):
        keys = next(filter(None, (_keys(consumers, filler) for filler in _fillers(graph, table))), ())
        if keys:
            return Demanded(spec, LookedUp(keys))
    return None


def _tables(graph: Graph, start: str) -> Iterator[str]:
    """The tables in which what ``start`` gives is looked up, behind ops that pass strings on."""
    waiting = [node_of(start)]
    for name in waiting:
        for node in graph.consumers(name):
            taken = [node_of(text) for text in node.data_inputs()]
            if node.op in _FINDS and name in taken[1:2]:
                yield _source(graph, taken[0])
            if node.op in PASSED and node.name not in waiting and len(waiting) < _STEPS:
                waiting.append(node.name)


def _source(graph: Graph, name: str) -> str:
    """The node that gives what identities pass on as ``name``, also through a variable that is assigned once."""
    for _ in range(_STEPS):
        node = graph.get(name)
        if node is None or node.op not in ("Identity", "ReadVariableOp") or not node.data_inputs():
            break
        given = node_of(node.data_inputs()[0])
        assigns = [n for n in graph.consumers(given) if n.op == "AssignVariableOp" and len(n.data_inputs()) > 1]
        if node.op == "Identity":
            name = given
        elif len(assigns) == 1:
            name = node_of(assigns[0].data_inputs()[1])
        else:
            break
    return name


def _fillers(graph: Graph, table: str) -> Iterator[Node]:
    for op, node in zip(graph.ops, graph.nodes):
        if op in TABLE_FILLING_OPS and node.data_inputs() and _source(graph, node_of(node.data_inputs()[0])) == table:
            yield node


def _keys(consumers: Consumers, filler: Node) -> tuple[bytes, ...]:
    """The keys that ``filler`` gives a table, as far as a constant or a file at hand says them."""
    inputs = filler.data_inputs()
    source = _source(consumers.graph, node_of(inputs[1])) if len(inputs) > 1 else ""
    if filler.op in _FROM_FILE:
        path = consumers.assets.get(source)
        return tuple(_lines(path, filler)) if path is not None and is_file(path) else ()
    node = consumers.graph.get(source)
    tensor = node.tensor() if node is not None and node.op == "Const" else None
    if tensor is None or tensor.dtype is not DataType.STRING:
        return ()
    return tuple(tensor.numpy().ravel()[:_MAX_KEYS].tolist())


def _start(path: Path) -> bytes:
    """The whole lines at the start of a file; nothing if it cannot be read, which a run of the model reports."""
    try:
        with file_errors(path), path.open("rb") as file:
            content = file.read(_MAX_BYTES)
    except FileError:
        return b""
    if len(content) == _MAX_BYTES:
        return content.rpartition(b"\n")[0]
    return content.removesuffix(b"\n").removesuffix(b"\r")


def _lines(path: Path, filler: Node) -> Iterator[bytes]:
    """The keys in the first lines of a vocabulary."""
    index, delimiter = filler.attr("key_index"), filler.attr("delimiter")
    column = index.i if index is not None else _WHOLE_LINE
    separator = delimiter.s if delimiter is not None and delimiter.s else b"\t"
    for line in _start(path).replace(b"\r\n", b"\n").split(b"\n")[:_MAX_KEYS]:
        columns = line.split(separator)
        if column == _WHOLE_LINE:
            yield line
        elif 0 <= column < len(columns):
            yield columns[column]
