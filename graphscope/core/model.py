"""A model: the content of a file, or of a set of files that belong together."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from graphscope.advice import Advice, Call
from graphscope.core.checks.validity import Problem, find_problems, refuse_invalid
from graphscope.core.collections import Collection, collections_of
from graphscope.core.graph import Graph
from graphscope.core.ops.sets import VARIABLE_OPS
from graphscope.core.ops.table import OpCatalog
from graphscope.core.shown import Shown
from graphscope.core.signatures import (
    INIT_OP,
    LEGACY_INIT_OP,
    MAIN_OP,
    TABLE_INITIALIZERS,
    Signature,
    signatures_of,
)
from graphscope.core.tensors import node_of
from graphscope.core.values.payload import ConvertedPayload, Payload
from graphscope.core.variables.refusals import missing_value, refuse_mismatch
from graphscope.core.variables.variables import Variable, VariableStore
from graphscope.errors import IncompleteModelError, NotTensorFlowError, UnknownNameError
from graphscope.named_tuple import NamedTuple
from graphscope.protos import DecodeError, MetaGraphDef, TrackableObjectGraph


class ModelKind(enum.Enum):
    """What was opened."""

    GRAPH = "graph"
    META_GRAPH = "meta graph"
    META_CHECKPOINT = "meta checkpoint"
    CHECKPOINT = "checkpoint"
    SAVED_MODEL = "SavedModel"
    EVENT_FILE = "event file"
    ARCHIVE = "archive of arrays"


class ModelFile(NamedTuple):
    """One file of a model.

    Attributes:
        path: where the file is, or should be.
        role: ``graph``, ``index``, ``data`` or ``asset``.
        size_bytes: ``None`` if the file is missing.
    """

    path: str
    role: str
    size_bytes: int | None


class Model(Shown):
    """Graph, variables, signatures and collections of a model, and their files.

    Attributes:
        path: the path to open it again: a file, a checkpoint prefix or a directory.
        kind: see :class:`ModelKind`.
        encoding: ``binary`` or ``text``, of the graph's file; empty without one.
        files: all files of the model, including missing ones.
        meta: the meta graph without its graph; an empty message for a plain graph.
        store: the checkpoint, if there is one.
        store_version: ``V1`` or ``V2`` of the checkpoint, ``""`` without one.
        tag_sets: the tags of every meta graph of a SavedModel, in file order.
        notes: information about how the files were found.
        warnings: files outside the given location that were opened because another file names them.
    """

    def __init__(  # written out: to import dataclasses takes a tenth of the time of ``info``
        self,
        path: str,
        kind: ModelKind,
        encoding: str,
        files: tuple[ModelFile, ...],
        loaded_graph: Graph | None = None,
        meta: MetaGraphDef | None = None,
        store: VariableStore | None = None,
        store_version: str = "",
        tag_sets: tuple[frozenset[str], ...] = (),
        notes: tuple[str, ...] = (),
        warnings: tuple[str, ...] = (),
    ) -> None:
        self.path = path
        self.kind = kind
        self.encoding = encoding
        self.files = files
        self.loaded_graph = loaded_graph
        self.meta = MetaGraphDef() if meta is None else meta
        self.store = store
        self.store_version = store_version
        self.tag_sets = tag_sets
        self.notes = notes
        self.warnings = warnings

    def __repr__(self) -> str:
        nodes = f", {len(self.loaded_graph):,} nodes" if self.loaded_graph is not None else ""
        values = f", {len(self.store.entries):,} values" if self.store is not None else ""
        return f"<Model {self.path!r}: {self.kind.value}{nodes}{values}>"

    def replace(self, **changes: Any) -> Model:
        """A model that differs in the given arguments of the constructor."""
        return Model(**{name: getattr(self, name) for name in _PARTS} | changes)

    def with_graph(self, graph: Graph) -> Model:
        """The model with another graph."""
        return self.replace(loaded_graph=graph)

    def __getitem__(self, name: str) -> Payload:
        """The content of a variable, of a value in the checkpoint, or of a constant. No I/O until it is read.

        ``np.asarray(model["conv1/weights"])`` is its array.

        Raises:
            UnknownNameError: there is no variable, value or constant of that name.
            IncompleteModelError: no checkpoint holds the variable's value.
        """
        node = self.loaded_graph.get(node_of(name)) if self.loaded_graph is not None else None
        constant = node.tensor() if node is not None and node.op == "Const" else None
        if constant is not None:
            return constant
        return self.value(self.variable(name if name in self._named else node_of(name)))

    @cached_property
    def _named(self) -> frozenset[str]:
        return frozenset(name for v in self.variables for name in (v.name, v.key) if name is not None)

    @property
    def has_graph(self) -> bool:
        """False for a checkpoint without a meta graph."""
        return self.loaded_graph is not None

    @property
    def graph(self) -> Graph:
        """The graph.

        Raises:
            IncompleteModelError: the model is a checkpoint without a graph.
        """
        if self.loaded_graph is None:
            what = (
                "an archive of arrays has no graph"
                if self.kind is ModelKind.ARCHIVE
                else f"a checkpoint without a graph: there is no {self.path}.meta beside it"
            )
            raise IncompleteModelError(
                f"{self.path}: {what}", hint=Advice(Call("vars", (self.path,)), "   lists its contents")
            )
        return self.loaded_graph

    @cached_property
    def catalog(self) -> OpCatalog:
        """The ops that the graph may use: library functions, the file's stripped op list, TensorFlow's own."""
        return self.graph.catalog(self.meta.meta_info_def.stripped_op_list.op)

    @cached_property
    def signatures(self) -> Mapping[str, Signature]:
        """By name, sorted, including those of TensorFlow's own bookkeeping."""
        return signatures_of(self.meta)

    @cached_property
    def collections(self) -> Mapping[str, Collection]:
        """By name, sorted."""
        return collections_of(self.meta)

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """The graph's variables joined with the checkpoint's values, then the values that no variable uses."""
        if self._has_no_variables:
            return ()
        from graphscope.core.variables.binding import bind  # a frozen graph has nothing to bind

        return tuple(bind(self.loaded_graph, self.meta, self.collections, self.store, self.objects))

    @property
    def _has_no_variables(self) -> bool:
        """Whether neither the graph nor a checkpoint has any."""
        if self.store is not None or self.loaded_graph is None or self.meta.HasField("object_graph_def"):
            return False
        return VARIABLE_OPS.isdisjoint(self.loaded_graph.ops)

    @cached_property
    def objects(self) -> TrackableObjectGraph | None:
        """The checkpoint's object graph (TF2); ``None`` if there is none. Reads one string of the checkpoint.

        If its data file is missing, the structure can still be shown: ``files`` lists the missing file, and reading a value
        raises an error.

        Raises:
            CorruptFileError: as :meth:`Payload.numpy`.
            IncompleteModelError: the string is not an object graph.
        """
        if self.store is None:
            return None
        from graphscope.core.variables.object_graph import OBJECT_GRAPH_KEY

        if OBJECT_GRAPH_KEY not in self.store.entries:
            return None
        try:
            value = self.store.payload(OBJECT_GRAPH_KEY).numpy().item()
        except (IncompleteModelError, NotTensorFlowError):
            return None
        try:
            return TrackableObjectGraph.FromString(value)
        except DecodeError as error:
            raise IncompleteModelError(
                f"{self.path}: {OBJECT_GRAPH_KEY} is not a TrackableObjectGraph: {error}"
            ) from error

    def variable(self, name: str) -> Variable:
        """The variable called ``name``, or stored under the key ``name``.

        Raises:
            UnknownNameError: there is none.
        """
        for variable in self.variables:
            if name in (variable.name, variable.key):
                return variable
        raise UnknownNameError("variable", name, (v.name for v in self.variables))

    @property
    def checkpoint(self) -> str:
        """The prefix or the file of the checkpoint that holds the values; empty without one."""
        found = {file.role: file.path for file in reversed(self.files)} if self.store is not None else {}
        return found["index"].removesuffix(".index") if "index" in found else found.get("data", "")

    def fitting_value(self, variable: Variable) -> Payload:
        """As :meth:`value`, and checks that the value fits the variable.

        Raises:
            IncompleteModelError: no checkpoint holds its value, or the value has another type or shape.
        """
        refuse_mismatch(self.path, self.checkpoint, [variable])
        return self.value(variable)

    @property
    def problems(self) -> list[Problem]:
        """The problems that make the graph invalid; see :func:`find_problems`. Huge graphs are not compared closely."""
        size = sum(len(body) for _, body in self.graph.bodies)
        return find_problems(self.graph, self.catalog, closely=size <= _COMPARED)

    def starts(self, *, tables: bool = False) -> list[str]:
        """Names of what TensorFlow runs of a SavedModel after its variables are restored. They may be missing in the graph.

        Args:
            tables: include the collection of initializers of tables, which a program runs by itself.
        """
        signature = self.signatures.get(INIT_OP)
        found = [spec.name for specs in (signature.outputs.values() if signature else ()) for spec in specs]
        for name in (MAIN_OP, LEGACY_INIT_OP, *([TABLE_INITIALIZERS] if tables else [])):
            found += self.collections[name].names if name in self.collections else ()
        return list(map(node_of, found))

    def refuse_invalid(self, *, closely: bool = False) -> None:
        """Refuses a graph that TensorFlow would refuse.

        Args:
            closely: see :func:`find_problems`. What is written must be right as a whole, what is read where it is needed.

        Raises:
            GraphscopeError: the graph is invalid.
            IncompleteModelError: there is no graph.
        """
        refuse_invalid(self.graph, self.catalog, self.path, closely=closely)

    def refuse_mismatch(self) -> None:
        """Refuses a checkpoint that belongs to another graph.

        Raises:
            IncompleteModelError: a value has another type or shape than the variable that takes it.
        """
        if self.has_graph:
            refuse_mismatch(self.path, self.checkpoint, self.variables)

    def missing_value(self, name: str, what: str) -> IncompleteModelError:
        """The error for variable ``name``, for which the checkpoint holds no value; see :func:`missing_value`."""
        keys = self.store.entries if self.store is not None else ()
        return missing_value(self.path, self.checkpoint, keys, name, what)

    def value(self, variable: Variable) -> Payload:
        """The content of ``variable``. No I/O until it is read.

        Raises:
            IncompleteModelError: no checkpoint holds its value.
        """
        if self.store is None or variable.key is None:
            raise IncompleteModelError(f"{self.path}: no checkpoint holds a value of {variable.name}")
        whole = self.store.payload(variable.key)
        if variable.converts and not variable.mismatch:
            return ConvertedPayload(
                whole, variable.dtype, whole.shape if variable.demanded is None else variable.demanded
            )
        if variable.slice is None:
            return whole
        from graphscope.core.values.slices import SlicePayload

        return SlicePayload(whole, variable.slice)


_COMPARED = 5_000
"""Nodes, those of functions too. Larger graphs are compared when they are written: it takes a third of the time of ``info``."""

_PARTS = tuple("path kind encoding files loaded_graph meta store store_version tag_sets notes warnings".split())
"""The arguments of the constructor, each an attribute."""
