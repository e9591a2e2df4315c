"""Graphs written as text, one node to a line, with what is expected of each behind a bar.

``name Op:dtype(shape){"attribute":value}=value input input ... | expected``; all but name and op may be missing. The type is
float where none is stated, a dimension ``?`` is unknown; attributes (see :func:`_attribute`) and the value of a constant
are JSON without blanks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from graphscope.core.changes.build import constant, make_node
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model, ModelKind
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue, GraphDef

_OP = re.compile(r"(\w+)(?::(\w+))?(?:\(([\d?,]*)\))?(\{.*\})?(?:=(\S+))?")
_TYPES = {kind.label: kind for kind in DataType}


def graph_of(lines: Iterable[str], *, reverse: bool = False) -> Graph:
    """The graph of such lines; lines that begin with ``<`` or ``>`` are no nodes."""
    nodes = [
        _node(line.partition("|")[0].split()) for line in lines if line.strip() and not line.startswith((">", "<"))
    ]
    return Graph(GraphDef(), reversed(nodes) if reverse else nodes)


def model_of(graph: Graph) -> Model:
    """A model of a graph alone."""
    return Model("written", ModelKind.GRAPH, "", (), graph)


def sections(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Title and lines of each part of a file that begins with ``# title``."""
    for part in re.split(r"^# ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, *lines = part.splitlines()
        yield title, [line for line in lines if line.strip()]


def _node(words: Sequence[str]) -> Node:
    name, spec, *inputs = words
    match = _OP.fullmatch(spec)
    assert match is not None, spec
    op, label, shape, attributes, value = match.groups()
    kind = _TYPES[label or "float32"]
    if value is not None:
        array = np.array(json.loads(value), object if kind is DataType.STRING else kind.numpy)
        return constant(name, np.char.encode(array.astype(str)).astype(object) if kind is DataType.STRING else array)
    result = make_node(name, op, inputs, {key: AttrValue(type=int(kind)) for key in ("T", "dtype")})
    for key, given in json.loads(attributes or "{}").items():
        result.proto.attr[key].CopyFrom(_attribute(given))
    if shape is not None:
        sizes = [-1 if size == "?" else int(size) for size in shape.split(",") if size]
        result.proto.attr["shape"].shape.SetInParent()
        for size in sizes:
            result.proto.attr["shape"].shape.dim.add(size=size)
    return result


def _attribute(given: str | int | bool | list[str]) -> AttrValue:
    """Strings, numbers and booleans as they are, a list of the names of types."""
    if isinstance(given, list):
        return AttrValue(list={"type": [int(_TYPES[label]) for label in given]})
    if isinstance(given, bool):
        return AttrValue(b=given)
    return AttrValue(i=given) if isinstance(given, int) else AttrValue(s=given.encode())
