"""New names for the nodes of a model: its values, signatures, saver and collections follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from graphscope.core.assets import COLLECTION as ASSETS
from graphscope.core.changes.build import constant
from graphscope.core.changes.draft import renamed_text
from graphscope.core.changes.refill import refill
from graphscope.core.changes.renaming import rename_strings
from graphscope.core.collections import collections_of
from graphscope.core.graph import Body, Function, Graph, Node
from graphscope.core.model import Model
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.editing.edited import Edited, with_parts
from graphscope.editing.values import RenamedStore, renamed_keys
from graphscope.errors import GraphscopeError
from graphscope.protos import AssetFileDef, Message, MetaGraphDef

_KEYED = frozenset({"RestoreV2", "SaveV2", "Restore", "RestoreSlice", "Save", "SaveSlices"})
"""Ops whose second input is the keys in a checkpoint."""


def rename_nodes(edited: Edited, names: Mapping[str, str]) -> Edited:
    """Gives nodes of the graph, or of library functions as ``function/node``, other names.

    A variable that is stored under its own name is stored under the new one.

    Raises:
        UnknownNameError: there is no such node.
        GraphscopeError: two nodes or two values would have one name.
    """
    names = {old: new for old, new in names.items() if old != new}
    model = edited.model
    with model.graph.edit(model.catalog) as editor:
        editor.rename(names)
    keys = renamed_keys(model, names)
    _refuse_clash(model, keys)
    graph = with_keys(editor.graph, keys)
    store = RenamedStore(model.store, keys) if model.store is not None and keys else None
    changed = with_parts(model, graph, renamed_meta(model.meta, lambda text: renamed_text(text, names)), store)
    return replace(edited, model=changed).renamed({o: n for o, n in names.items() if o in model.graph})


def _refuse_clash(model: Model, keys: Mapping[str, str]) -> None:
    entries = model.store.entries if model.store is not None else {}
    stays = {key for key in entries if key not in keys}
    for old, new in keys.items():
        if new in stays:
            raise GraphscopeError(f"{model.path}: {old} would be stored as {new}, which the checkpoint has already")


def with_keys(graph: Graph, keys: Mapping[str, str]) -> Graph:
    """``graph`` whose savers know values by new keys, old -> new."""
    if not keys:
        return graph
    functions = [f.with_nodes(_rekey(f, keys)) for f in graph.functions.values()]
    return graph.with_nodes(_rekey(graph, keys)).with_functions(functions)


def _rekey(body: Graph | Function, keys: Mapping[str, str]) -> list[Node]:
    holders = set(_key_constants(body))
    return [_with_strings(node, keys) if node.name in holders else node for node in body]


def _key_constants(body: Body) -> Iterator[str]:
    """The constants that hold the keys of savers."""
    for node in body:
        data = node.data_inputs() if node.op in _KEYED else []
        source = body.get(node_of(data[1])) if len(data) > 1 else None
        if source is not None and source.op == "Const":
            yield source.name


def _with_strings(node: Node, keys: Mapping[str, str]) -> Node:
    import numpy as np

    payload = node.tensor()
    if payload is None or payload.dtype is not DataType.STRING:
        return node
    old = payload.numpy()
    new = [keys.get(text.decode(errors="replace"), "").encode() or text for text in old.reshape(-1).tolist()]
    values = np.array(new, object).reshape(old.shape)
    changed = constant(node.name, values, node.inputs)
    for name, value in node.attrs.items():
        if name not in changed.proto.attr:
            changed.proto.attr[name].CopyFrom(value)
    changed.proto.device = node.device
    return changed


def renamed_meta(meta: MetaGraphDef, rename: Callable[[str], str]) -> MetaGraphDef:
    """``meta`` with what ``rename`` makes of the nodes and tensors that it names.

    Objects are named by paths, which stay; those that are constants name a node.
    """
    found = MetaGraphDef()
    found.CopyFrom(meta)
    for signature in found.signature_def.values():
        for infos in (signature.inputs, signature.outputs):
            for info in infos.values():
                rename_strings(info, rename)
    rename_strings(found.saver_def, rename)
    for asset in found.asset_file_def:
        rename_strings(asset.tensor_info, rename)
    for item in found.object_graph_def.nodes:
        if item.HasField("constant"):
            item.constant.operation = rename(item.constant.operation)
    decoded = collections_of(meta)
    for name, proto in found.collection_def.items():
        if name == ASSETS:
            for packed in proto.any_list.value:
                packed.value = _renamed_entry(AssetFileDef.FromString(packed.value), rename, ("tensor_info",))
        elif proto.HasField("node_list"):
            refill(proto.node_list.value, [rename(text) for text in proto.node_list.value])
        elif proto.HasField("bytes_list"):
            refill(proto.bytes_list.value, [_renamed_entry(value, rename) for value in decoded[name].values])
    return found


def _renamed_entry(value: Any, rename: Callable[[str], str], fields: Iterable[str] = ()) -> bytes:
    """An entry of a collection: a message whose strings are renamed, in all or some ``fields``; or bytes as they are."""
    if not isinstance(value, Message):
        return bytes(value)
    message = type(value)()
    message.CopyFrom(value)
    for part in [getattr(message, field) for field in fields] or [message]:
        rename_strings(part, rename)
    return message.SerializeToString()
