"""Finds reads that only make sense after a write: what a control edge orders, and a frozen graph cannot repeat."""

from __future__ import annotations

import re
from collections.abc import Mapping

from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import VARIABLE_OPS
from graphscope.core.tensors import node_of

_WRITES = re.compile(r"(Resource)?(Assign|Scatter|Apply|SparseApply|CountUpTo|StridedSliceAssign).*")
_PASSES_ON = frozenset("Identity RefIdentity Switch RefSwitch Enter RefEnter".split())
_MAX_STEPS = 64


def writes(op: str) -> bool:
    """Whether a node of ``op`` writes to the variable that is its first input."""
    return _WRITES.fullmatch(op) is not None


def reads_after_write(graph: Graph) -> Mapping[str, str]:
    """Nodes that read a variable and wait for a node that writes to it: reader -> writer.

    Such a read gives the new value, as ``v.assign_add(x)`` does for a resource variable.
    """
    readers: dict[str, list[Node]] = {}
    writers: dict[str, list[str]] = {}
    for found in graph:
        is_writer = writes(found.op)
        if is_writer or any(text.startswith("^") for text in found.inputs):
            for name in {origin(graph, text) for text in found.data_inputs()[: 1 if is_writer else None]} - {""}:
                if is_writer:
                    writers.setdefault(name, []).append(found.name)
                else:
                    readers.setdefault(name, []).append(found)
    return {
        reader.name: writer
        for name in readers.keys() & writers.keys()
        for writer in writers[name]
        for after in [graph.descendants([writer])]
        for reader in readers[name]
        if any(waited in after for waited in reader.control_inputs())
    }


def origin(graph: Graph, text: str) -> str:
    """The variable that ``text`` is the reference or handle of; empty for any other tensor."""
    for _ in range(_MAX_STEPS):
        found = graph.get(node_of(text))
        if found is None or found.op in VARIABLE_OPS:
            return found.name if found is not None else ""
        if found.op not in _PASSES_ON or not found.inputs:
            return ""
        text = found.inputs[0]
    return ""
