"""Steps that take a part out of a model, or put two models into one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from filecmp import cmp

from graphscope.advice import Advice, Call
from graphscope.analysis.ends.savers import saver_nodes
from graphscope.analysis.shapes import infer
from graphscope.core.assets import COLLECTION as ASSETS
from graphscope.core.assets import stated_assets
from graphscope.core.changes.refill import refill
from graphscope.core.checks.frames import refuse_inside_loop, refuse_mixed_frames
from graphscope.core.collections import collections_of
from graphscope.core.graph import Graph
from graphscope.core.model import Model
from graphscope.core.names import is_node_name
from graphscope.core.signatures import INIT_OP
from graphscope.core.tensors import TensorName, node_of
from graphscope.editing.edited import Edited, with_parts
from graphscope.editing.initializers import filling_nodes, initializers_of, joined_initializer, with_initializer
from graphscope.editing.names import renamed_meta
from graphscope.editing.objects import plain_model
from graphscope.editing.values import NamedValues, values_by_name
from graphscope.errors import GraphscopeError
from graphscope.formats.checkpoint.saver import free_scope
from graphscope.formats.io.paths import is_file
from graphscope.formats.savedmodel.assets import declared_assets
from graphscope.protos import AssetFileDef, GraphDef, MetaGraphDef, VariableDef
from graphscope.transforms.name_prefix import add_prefix
from graphscope.transforms.opening import open_at
from graphscope.transforms.subgraph import cut, prune_library


@dataclass(frozen=True, slots=True)
class Extract:
    """Keeps what some tensors need, from some others on.

    Attributes:
        outputs: what is kept.
        inputs: become placeholders; without any, the model's own stay.
    """

    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()

    def apply(self, edited: Edited) -> Edited:
        """See :class:`graphscope.editing.steps.Step`."""
        model = edited.model
        opened = open_at(model.graph, self.inputs, self.outputs, model.catalog, infer(model).by_name.get)
        kept = cut(opened.graph, self.outputs)
        filling = filling_nodes(model.meta, opened.graph, kept)
        needed = cut(opened.graph, [*self.outputs, *_beginnings(model, kept), *filling])
        graph = prune_library(with_initializer(model.meta, needed, filling))
        refuse_mixed_frames(graph)
        for tensor in self.outputs:
            refuse_inside_loop(graph, tensor)
        part = restrict(replace(edited, outputs=self.outputs), graph)
        names = {old: new for new, old in opened.originals.items()}
        return replace(part, names={**part.names, **names})


def _beginnings(model: Model, graph: Graph) -> Iterator[str]:
    """What fills and reads the variables of ``graph``, as collections say: a program that opens the model looks for it."""
    for collection in model.collections.values():
        for value in collection.values:
            if isinstance(value, VariableDef) and node_of(value.variable_name) in graph:
                yield from filter(None, (getattr(value, name) for name in _VARIABLE_NODES))


_VARIABLE_NODES = ("variable_name", "initializer_name", "initial_value_name", "snapshot_name")


def restrict(edited: Edited, graph: Graph) -> Edited:
    """The model with a part of its graph: values of the variables in it, signatures and collections that name nothing else."""
    model = edited.model
    meta = _drop_absent(model.meta, graph)
    meta.ClearField("saver_def")
    values = {name: payload for name, payload in values_by_name(model).items() if name in graph}
    store = NamedValues(values) if model.store is not None else None
    return replace(edited, model=with_parts(model, graph, meta, store))


def drop_absent(model: Model, graph: Graph) -> Model:
    """``model`` with a part of its graph; its saver and its values stay."""
    return with_parts(model, graph, _drop_absent(model.meta, graph))


def _drop_absent(meta: MetaGraphDef, graph: Graph) -> MetaGraphDef:
    """``meta`` without what names nodes that ``graph`` lacks."""
    found = MetaGraphDef()
    found.CopyFrom(meta)
    for name, signature in meta.signature_def.items():
        infos = [*signature.inputs.values(), *signature.outputs.values()]
        if any(info.name and TensorName.parse(info.name).node not in graph for info in infos):
            del found.signature_def[name]
    for name, collection in collections_of(meta).items():
        proto = found.collection_def[name]
        if name == ASSETS:
            stated = [(packed, AssetFileDef.FromString(packed.value)) for packed in proto.any_list.value]
            refill(proto.any_list.value, [p for p, asset in stated if node_of(asset.tensor_info.name) in graph])
        elif proto.HasField("node_list"):
            refill(proto.node_list.value, [text for text in proto.node_list.value if node_of(text) in graph])
        elif proto.HasField("bytes_list"):
            entries = zip(proto.bytes_list.value, collection.values)
            refill(proto.bytes_list.value, [raw for raw, value in entries if _is_kept(value, graph)])
        if proto.ByteSize() <= _EMPTY:
            del found.collection_def[name]
    refill(found.asset_file_def, (a for a in meta.asset_file_def if node_of(a.tensor_info.name) in graph))
    return found


_EMPTY = 2
"""Bytes of a collection that lists nothing."""


def _is_kept(value: object, graph: Graph) -> bool:
    """Whether the node that a message of a collection is about is there; what is no such message stays."""
    named = (getattr(value, field, "") for field in (*_VARIABLE_NODES, "queue_name", "pivot_name"))
    return all(node_of(name) in graph for name in named if name)


@dataclass(frozen=True, slots=True)
class Merge:
    """Adds another model to the graph.

    Attributes:
        model: the other one.
        scope: the name scope that its nodes, functions, values and signatures get.
    """

    model: Model
    scope: str

    def apply(self, edited: Edited) -> Edited:
        """See :class:`graphscope.editing.steps.Step`."""
        if not is_node_name(self.scope):
            raise GraphscopeError(f"{self.scope!r} is not a name that TensorFlow takes for a scope")
        own, other = edited.model, plain_model(self.model)
        _refuse_other_files(own, other)
        scope = free_scope(own.graph, self.scope)
        moved = add_prefix(_without_savers(other), scope)
        renamed = renamed_meta(other.meta, lambda text: _under(scope, text, other.graph))
        meta = _joined_meta(own, renamed, scope)
        graph = _side_by_side(_without_savers(own), moved)
        starts = initializers_of(own.meta), initializers_of(renamed)
        graph = joined_initializer(graph, meta, *starts, f"{scope}/{INIT_OP.strip('_')}")
        values = values_by_name(own) | {f"{scope}/{name}": p for name, p in values_by_name(other).items()}
        has_values = own.store is not None or other.store is not None
        store = NamedValues(values) if has_values else None
        merged = replace(edited, model=with_parts(own, graph, meta, store))
        return merged if scope == self.scope else merged.noted(f"{other.path} is in the scope {scope}")


def _under(scope: str, text: str, graph: Graph) -> str:
    if node_of(text) not in graph:
        return text
    return f"^{scope}/{text[1:]}" if text.startswith("^") else f"{scope}/{text}"


def _side_by_side(own: Graph, other: Graph) -> Graph:
    header = GraphDef()
    header.CopyFrom(own.header)
    header.library.gradient.extend(other.header.library.gradient)
    header.versions.producer = min(own.producer, other.producer)
    header.versions.min_consumer = max(own.versions.min_consumer, other.versions.min_consumer)
    return Graph(header, [*own.nodes, *other.nodes], [*own.functions.values(), *other.functions.values()])


def _without_savers(model: Model) -> Graph:
    """The graph of ``model`` without its savers: they know the values by the keys of another checkpoint."""
    graph = model.graph
    savers = saver_nodes(graph).difference(map(node_of, _beginnings(model, graph)))
    needed = graph.ancestors(name for name in graph.names if name not in savers)
    return graph.with_nodes(node for node in graph if node.name in needed)


def _refuse_other_files(own: Model, other: Model) -> None:
    """Refuses two models with different assets of one name.

    Raises:
        GraphscopeError: there are such assets.
    """
    mine, theirs = ({asset.filename: asset.source for asset in declared_assets(model)} for model in (own, other))
    for name in mine.keys() & theirs.keys():
        if is_file(mine[name]) and is_file(theirs[name]) and not cmp(mine[name], theirs[name], shallow=False):
            raise GraphscopeError(
                f"{own.path} and {other.path} have different files called {name}: one model cannot hold both",
                hint=Advice(Call("freeze", (other.path,)), "   writes its tables into the graph"),
            )


def _joined_meta(own: Model, other: MetaGraphDef, scope: str) -> MetaGraphDef:
    """Both models' signatures and collections; a saver of one would not know the values of the other."""
    meta = MetaGraphDef()
    meta.CopyFrom(own.meta)
    meta.ClearField("saver_def")
    meta.collection_def.pop("savers", None)
    for name, signature in other.signature_def.items():
        if name == INIT_OP:
            continue
        meta.signature_def[name if name not in meta.signature_def else f"{scope}_{name}"].CopyFrom(signature)
    for name, collection in other.collection_def.items():
        if name not in ("savers", ASSETS) and not _extend(meta, name, other):
            meta.collection_def[name].CopyFrom(collection)
    refill(meta.asset_file_def, [*stated_assets(own.meta), *stated_assets(other)])
    meta.collection_def.pop(ASSETS, None)
    return meta


def _extend(meta: MetaGraphDef, name: str, other: MetaGraphDef) -> bool:
    """Appends a collection of ``other`` to the one of the same name and kind; False if there is none."""
    if name not in meta.collection_def:
        return False
    mine, theirs = meta.collection_def[name], other.collection_def[name]
    kind = mine.WhichOneof("kind")
    if kind is None or kind != theirs.WhichOneof("kind"):
        return False
    getattr(mine, kind).value.extend(getattr(theirs, kind).value)
    return True
