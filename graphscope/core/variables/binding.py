"""Joins the variables of a graph with the values of a checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping

from graphscope.core.collections import Collection, variable_names
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import VARIABLE_OPS
from graphscope.core.tensors import Shape, is_known, shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.slices import parse_slice, whole_shape
from graphscope.core.variables.object_graph import (
    OBJECT_GRAPH_KEY,
    SavedVariable,
    TrackedName,
    keys_by_name,
    saved_variables,
    tracked_names,
)
from graphscope.core.variables.restore import RestoreSource, restore_sources
from graphscope.core.variables.roles import role_by_name, slots_in_graph
from graphscope.core.variables.variables import Entry, Role, Variable, VariableStore, maker
from graphscope.protos import MetaGraphDef, TrackableObjectGraph

_VARIABLE = maker(Variable)


def bind(
    graph: Graph | None,
    meta: MetaGraphDef,
    collections: Mapping[str, Collection],
    store: VariableStore | None,
    objects: TrackableObjectGraph | None,
) -> list[Variable]:
    """The graph's variables in file order, each with its value's key; then the values that no variable uses.

    The key is what the graph's restore ops say, otherwise the variable's own name; where a checkpoint of objects lacks that
    key, the one that its object graph gives that name. Variables of a TensorFlow 2 SavedModel are found by paths through
    objects.
    """
    entries = dict(store.entries) if store is not None else {}
    entries.pop(OBJECT_GRAPH_KEY, None)
    tracked = tracked_names(objects) if objects is not None else {}
    bound: list[Variable] = []
    if graph is not None:
        binder = _Binder(graph, meta, collections, entries, keys_by_name(objects) if objects is not None else {})
        if meta.HasField("object_graph_def"):
            bound += binder.saved(saved_variables(meta.object_graph_def, objects), tracked)
            claimed = {v.key: v for v in bound}
            binder.keys = {
                name: key
                for name, key in binder.keys.items()
                if key not in claimed or _is_handle_of(graph.get(name), claimed[key])
            }
        names = {v.name for v in bound}
        bound += binder.variables(
            [n for op, n in zip(graph.ops, graph.nodes) if op in VARIABLE_OPS and n.name not in names]
        )
    taken = {v.key for v in bound}
    free = {k: e for k, e in entries.items() if k not in taken} if taken else entries
    named = {tracked[k].name if k in tracked else k for k in free} if tracked else free.keys()
    bound += _iterate_unclaimed(free, tracked, {v.name for v in bound} | named if bound else named)
    return bound


def find_stored(store: VariableStore, objects: TrackableObjectGraph | None, name: str) -> Variable | None:
    """What :func:`bind` makes of one value of a checkpoint without a graph: of its variable's name, or stored under that key.

    Asks ``store`` for single entries alone.
    """
    tracked = tracked_names(objects) if objects is not None else {}
    keys = {name, *(key for key, found in tracked.items() if found.name == name)} - {OBJECT_GRAPH_KEY}
    for key in sorted(keys, key=str.encode):
        entry = store.entries.get(key)
        if entry is not None:
            return next(_iterate_unclaimed({key: entry}, tracked, _StoredNames(store, tracked)))
    return None


class _StoredNames(Container[str]):
    """The names of all variables of a checkpoint, of which only some are asked for."""

    def __init__(self, store: VariableStore, tracked: Mapping[str, TrackedName]) -> None:
        self._entries = store.entries
        self._tracked = tracked
        self._named = {found.name for key, found in tracked.items() if key in self._entries}

    def __contains__(self, name: object) -> bool:
        return name in self._named or (name in self._entries and name not in {OBJECT_GRAPH_KEY, *self._tracked})


def _iterate_unclaimed(
    entries: Mapping[str, Entry], tracked: Mapping[str, TrackedName], owners: Container[str]
) -> Iterator[Variable]:
    """Values that no variable of the graph takes; all values, if there is no graph."""
    for key, entry in entries.items():
        found = tracked.get(key)
        name = found.name if found is not None else key
        role = Role.SLOT if found is not None and found.is_slot else role_by_name(name, key, owners)
        yield _VARIABLE((name, entry.dtype, entry.shape, key, False, None, role, entry, None, None, False))


class _Binder:
    """What is looked up once for all of a graph's variables."""

    def __init__(
        self,
        graph: Graph,
        meta: MetaGraphDef,
        collections: Mapping[str, Collection],
        entries: Mapping[str, Entry],
        keys: Mapping[str, str],
    ) -> None:
        self.entries = entries
        self.keys = keys
        self.sources = restore_sources(graph, meta.saver_def.restore_op_name)
        self.slots = slots_in_graph(graph)
        self.trainable = variable_names(collections, "trainable_variables")
        self.states_trainable = "trainable_variables" in collections
        self.step = variable_names(collections, "global_step")
        self.local = variable_names(collections, "local_variables") - variable_names(collections, "variables")
        self.has_objects = meta.HasField("object_graph_def")
        self.global_names = variable_names(collections, "variables") if "variables" in collections else None

    def saved(self, variables: Iterable[SavedVariable], tracked: Mapping[str, TrackedName]) -> Iterator[Variable]:
        """The variables of a TF2 SavedModel, under the names of the ops that the restore function fills.

        Those are the variables' own names, with a number where several share one.
        """
        handles = {source.key: name for name, source in self.sources.items()}
        variables = list(variables)
        uses = Counter(saved.name for saved in variables)
        for saved in variables:
            key = saved.key
            if not tracked and saved.name in self.sources:
                if uses[saved.name] > 1:
                    continue  # which op is whose cannot be told: they are listed as ops
                key = self.sources[saved.name].key  # without an object graph the restore function says it
            entry = self.entries.get(key or saved.name)
            found = tracked.get(key or "")
            yield Variable(
                name=handles.get(key or "", saved.name),
                dtype=saved.dtype,
                shape=saved.shape,
                key=entry.key if entry is not None else None,
                in_graph=True,
                trainable=saved.trainable,
                role=Role.SLOT if found is not None and found.is_slot else role_by_name(saved.name, key),
                entry=entry,
                demanded=saved.shape if is_known(saved.shape) else None,
            )

    def variables(self, nodes: list[Node]) -> Iterator[Variable]:
        owners = {node.name for node in nodes}
        for node in nodes:
            yield self.variable(node, owners)

    def variable(self, node: Node, owners: set[str]) -> Variable:
        source = self.sources.get(node.name, RestoreSource(node.name))
        entry = self.entries.get(source.key) or self.entries.get(self.keys.get(source.key, ""))
        dtype = node.attr("dtype")
        part = parse_slice(source.slice) if source.slice else None
        declared = _declared_shape(node)
        demanded = declared if source.validates and is_known(declared) else None
        return Variable(
            name=node.name,
            dtype=DataType.of(dtype.type) if dtype is not None else DataType.INVALID,
            shape=declared if part is not None or entry is None or is_known(declared) else entry.shape,
            key=entry.key if entry is not None else None,
            in_graph=True,
            trainable=node.name in self.trainable if self.states_trainable else None,
            role=self.role(node.name, source.key, owners),
            entry=entry,
            slice=part,
            demanded=demanded if part is None else whole_shape(source.slice),
            converts=source.converts,
        )

    def role(self, name: str, key: str, owners: set[str]) -> Role:
        if name in self.local:
            return Role.LOCAL
        if name in self.step:
            return Role.STEP
        by_name = role_by_name(name, key, owners)
        if by_name is not Role.MODEL:
            return by_name
        if name in self.slots:
            return Role.SLOT
        return Role.MODEL if name in self.sources or self.is_global(name) else Role.LOCAL

    def is_global(self, name: str) -> bool:
        """Whether ``name`` is what a saver saves, as far as the file says what that is."""
        if self.has_objects:
            return False  # of a TF2 SavedModel's variables those are saved that its object graph names
        return self.global_names is None or name in self.global_names


def _is_handle_of(node: Node | None, variable: Variable) -> bool:
    """Whether an op with the name of a variable, which another op restores, is a further handle of it.

    Keras captures its variables by such handles. An op of another type or shape is another variable: a table's file name, for
    example, whose value nobody saves.
    """
    dtype = node.attr("dtype") if node is not None else None
    if node is None or dtype is None or DataType.of(dtype.type) is not variable.dtype:
        return False
    return _declared_shape(node) == variable.shape


def _declared_shape(node: Node) -> Shape:
    """The shape that the graph declares."""
    value = node.attr("shape")
    declared = shape_of(value.shape) if value is not None else None
    if node.op == "Variable" and not declared:
        return None  # the first variable op wrote an unknown shape as an empty one
    return declared
