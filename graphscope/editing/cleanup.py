"""The step that removes unneeded nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from graphscope.analysis.ends.choose_outputs import choose_outputs
from graphscope.core.changes.build import with_inputs
from graphscope.core.changes.draft import renamed_text
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model
from graphscope.core.ops.sets import PLACEHOLDER_OPS, VARIABLE_OPS
from graphscope.core.tensors import node_of
from graphscope.core.values.payload import Payload
from graphscope.editing.edited import Edited
from graphscope.editing.parts import drop_absent
from graphscope.errors import GraphscopeError
from graphscope.protos import Message, NodeDef
from graphscope.transforms.effects import Effects
from graphscope.transforms.identities import remove_pass_through
from graphscope.transforms.subgraph import prune_library

_IGNORED = ("_class", "_output_shapes")
"""Attributes that do not affect what a node computes."""


@dataclass(frozen=True, slots=True)
class Cleanup:
    """Removes unneeded nodes, duplicate nodes and constants, and identities.

    Needed are the named outputs, or those of signatures, or the likely ones, and nodes named in collections or by the saver.
    Identities are removed only from graphs without variables: in others, gradients may still be computed.
    """

    def apply(self, edited: Edited) -> Edited:
        """See :class:`graphscope.editing.steps.Step`."""
        graph = edited.model.graph
        needed = [name for name in _find_needed(edited) if name in graph]
        kept = graph.with_nodes(_in_order(graph, graph.ancestors(needed)))
        merged = merge_equal_nodes(kept, frozenset(needed))
        if VARIABLE_OPS.isdisjoint(merged.ops):
            merged = remove_pass_through(merged, needed)
        result = merged.with_nodes(_in_order(merged, merged.ancestors(n for n in needed if n in merged)))
        model = drop_absent(edited.model, prune_library(result))
        gone = len(graph) - len(model.graph)
        return replace(edited, model=model).noted(f"cleanup took out {gone:,} of {len(graph):,} nodes")


def _in_order(graph: Graph, names: dict[str, int]) -> Iterator[Node]:
    return (node for node in graph if node.name in names)


def _find_needed(edited: Edited) -> list[str]:
    """Nodes that something outside the graph names."""
    model = edited.model
    signatures = [
        node_of(spec.name)
        for signature in model.signatures.values()
        for arguments in (signature.inputs, signature.outputs)
        for specs in arguments.values()
        for spec in specs
    ]
    listed = [node_of(name) for collection in model.collections.values() for name in _names(collection.values)]
    saver = model.meta.saver_def
    own = [node_of(name) for name in (saver.restore_op_name, saver.save_tensor_name, saver.filename_tensor_name)]
    placeholders = [node.name for node in model.graph if node.op in PLACEHOLDER_OPS]
    outputs = [node_of(name) for name in edited.outputs]
    if not (outputs or signatures):
        outputs = [node_of(name) for name in _likely_outputs(model)]
    assets = [node_of(asset.tensor_info.name) for asset in model.meta.asset_file_def]
    tables = [node.name for node in model.graph if node.op.startswith(("InitializeTable", "LookupTableImport"))]
    return list(dict.fromkeys([*outputs, *signatures, *listed, *own, *placeholders, *assets, *tables]))


def _likely_outputs(model: Model) -> Sequence[str]:
    """The likely outputs; every end of a graph that is still trained, if none is clear."""
    try:
        return choose_outputs(model).outputs
    except GraphscopeError:
        if VARIABLE_OPS.isdisjoint(model.graph.ops):
            raise
        return [name for name in model.graph.names if name not in model.graph.consumer_names]


def _names(values: Iterable[object]) -> Iterator[str]:
    """Every text in a collection: names of nodes and tensors, and those in its messages."""
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, Message):
            yield from _names(content for _, content in value.ListFields())
        elif isinstance(value, Iterable) and not isinstance(value, bytes):
            yield from _names(value.values() if isinstance(value, Mapping) else value)


def merge_equal_nodes(graph: Graph, keep: frozenset[str] = frozenset()) -> Graph:
    """Returns ``graph`` with only the first of nodes that compute the same.

    Nodes with a state, references, control flow and placeholders stay, and so do those in ``keep``.

    Raises:
        CorruptFileError, IncompleteModelError: a constant cannot be read.
    """
    effects = Effects(graph)
    while True:
        names = _equals(graph, effects, keep)
        if not names:
            return graph
        graph = graph.with_nodes(_taking(node, names) for node in graph if node.name not in names)


def _equals(graph: Graph, effects: Effects, keep: frozenset[str]) -> dict[str, str]:
    """Node that may go -> the first one that computes the same."""
    first: dict[object, str] = {}
    names: dict[str, str] = {}
    for node in graph:
        if effects.acts(node.op) or node.op in PLACEHOLDER_OPS:
            continue
        key = _key(node)
        other = first.setdefault(key, node.name)
        if other != node.name and node.name not in keep and _is_equal(graph[other], node):
            names[node.name] = other
    return names


def _key(node: Node) -> object:
    proto = NodeDef()
    proto.CopyFrom(node.proto)
    proto.ClearField("name")
    for name in _IGNORED:
        proto.attr.pop(name, None)
    sizes = tuple((name, payload.nbytes) for name, payload in sorted(node.payloads.items()))
    crcs = tuple(payload.stored_crc for payload in node.payloads.values())
    return proto.SerializeToString(deterministic=True), sizes, crcs


def _is_equal(one: Node, other: Node) -> bool:
    """Whether the contents outside the messages are equal too."""
    return all(_is_same(payload, other.payloads[name]) for name, payload in one.payloads.items())


def _is_same(one: Payload, other: Payload) -> bool:
    if one.nbytes is None or other.nbytes is None:
        return one.listed() == other.listed()
    return one.nbytes == other.nbytes and _checksum(one) == _checksum(other)


def _checksum(payload: Payload) -> bytes:
    """SHA-256 of the content, read in pieces."""
    digest = hashlib.sha256()
    for chunk in payload.chunks():
        digest.update(chunk)
    return digest.digest()


def _taking(node: Node, names: dict[str, str]) -> Node:
    inputs = [renamed_text(text, names) for text in node.inputs]
    return with_inputs(node, inputs) if inputs != list(node.inputs) else node
