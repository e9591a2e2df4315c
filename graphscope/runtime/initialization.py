"""Initialization of the variables and lookup tables of a run.

Source: ``tensorflow/python/saved_model/loader_impl.py`` (main op, legacy init op, assets) and ``meta_graph.proto``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from graphscope.core.collections import VARIABLE_COLLECTIONS
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model
from graphscope.core.ops.sets import ASSIGN_OPS, TABLE_FILLING_OPS, VARIABLE_OPS
from graphscope.core.tensors import Shape, TensorSpec, node_of, shape_text
from graphscope.core.values.payload import Payload
from graphscope.core.variables.restore import RESTORE_OPS
from graphscope.core.variables.variables import Role, Variable
from graphscope.errors import IncompleteModelError
from graphscope.feeding.dependencies import Need, need
from graphscope.formats.savedmodel.assets import declared_assets
from graphscope.protos import VariableDef

_REQUIRED = frozenset({Role.MODEL, Role.MOVING_AVERAGE})
"""Roles of variables that need a stored value; slots, steps and local variables start from their initializers."""


@dataclass(frozen=True, slots=True)
class Start:
    """The initialization of a run.

    Attributes:
        needed: the nodes to import, including those needed only for the initialization.
        values: variable op -> the content to assign.
        restore: the graph's own restore node, run first; empty if ``values`` has all that is needed.
        prefix: the checkpoint that the graph's own restore ops read; empty without one.
        initializers: nodes that initialize variables without a stored value, in a valid order.
        setup: nodes to run after that, together: initializers of tables, and the init op of a SavedModel.
        assets: node -> the absolute path that it must return.
    """

    needed: Need
    values: Mapping[str, Payload]
    restore: Sequence[str]
    prefix: str
    initializers: Sequence[str]
    setup: Sequence[str]
    assets: Mapping[str, Path]


def start_of(
    model: Model,
    targets: Iterable[str],
    given: Sequence[TensorSpec] = (),
    values: Mapping[str, Payload] | None = None,
    *,
    initialize: bool = False,
) -> Start:
    """The initialization of a run that computes ``targets`` while ``given`` are fed. Reads only small constants.

    Args:
        values: variable op -> content that replaces the checkpoint's.
        initialize: let the model's own variables also start from their initializers, if no checkpoint holds a value.

    Raises:
        UnknownNameError: a target is not in the graph.
        IncompleteModelError: a variable has no value, or one of another type or shape.
    """
    return _Starter(model, given, values or {}, initialize).start([node_of(name) for name in targets])


class _Starter:
    def __init__(
        self, model: Model, given: Sequence[TensorSpec], values: Mapping[str, Payload], initialize: bool
    ) -> None:
        self.model = model
        self.graph = model.graph
        self.given = given
        self.values = values
        self.initialize = initialize
        self.variables = {v.name: v for v in model.variables if v.in_graph}
        self.declared = _declared_initializers(model)
        self.fillers = _table_fillers(self.graph)
        self.members = list(_setup_members(model))
        self.has_objects = model.meta.HasField("object_graph_def")

    def start(self, targets: list[str]) -> Start:
        """Initializers may need further variables, tables and assets: nodes are added until nothing is missing."""
        setup: list[str] = []
        initializers: dict[str, str] = {}
        restore: list[str] = []
        while True:
            needed = need(self.graph, [*targets, *restore, *setup, *initializers.values()], self.given)
            before = len(restore) + len(setup) + len(initializers)
            restore = restore or self.restore(needed)
            setup += [name for name in self.setup(needed) if name not in setup]
            initializers |= self.initializers(needed)
            if before == len(restore) + len(setup) + len(initializers):
                break
        return Start(
            needed,
            dict(self.iterate_assigned(needed)),
            restore,
            _prefix(self.model),
            self.order(initializers),
            setup,
            self.assets(needed),
        )

    def assets(self, needed: Need) -> dict[str, Path]:
        """Node that gives the path of an asset -> where that asset is now."""
        found = {node_of(asset.tensor): asset.source.absolute() for asset in declared_assets(self.model)}
        return {name: path for name, path in found.items() if name in needed.names}

    def restore(self, needed: Need) -> list[str]:
        """The restore node of a SavedModel of objects, if variables are needed.

        It names its variables by paths through objects; TensorFlow's own restore function knows which is which.
        """
        name = self.model.meta.saver_def.restore_op_name
        if not self.has_objects or name not in self.graph or not any(self.variable_nodes(needed)):
            return []
        if self.model.store is None:
            missing = ", ".join(f.path for f in self.model.files if f.size_bytes is None)
            raise IncompleteModelError(f"{self.model.path}: its variables are missing: {missing}")
        self.model.refuse_mismatch()
        return [name]

    def setup(self, needed: Need) -> Iterator[str]:
        """What fills the tables that are needed, and what a SavedModel runs when it is opened."""
        for name in self.members:
            node = self.graph[name]
            is_direct = node.op in TABLE_FILLING_OPS or node.op in ASSIGN_OPS
            if not is_direct or node_of(node.inputs[0]) in needed.names:
                yield name
        for table, fillers in self.fillers.items():
            if table in needed.names:
                yield from (name for name in fillers if name not in self.members)

    def initializers(self, needed: Need) -> dict[str, str]:
        """Variable without a stored value -> the node that initializes it."""
        return {n.name: self.initializer(n.name) for n in self.open_variables(needed) if self.payload(n.name) is None}

    def iterate_assigned(self, needed: Need) -> Iterator[tuple[str, Payload]]:
        """Variables and the values that they are assigned."""
        for node in self.open_variables(needed):
            payload = self.payload(node.name)
            if payload is not None:
                if node.name in self.values:
                    self.check(node, payload)
                yield node.name, payload

    def open_variables(self, needed: Need) -> Iterator[Node]:
        """The variables to assign: of a SavedModel of objects only those that its own nodes do not restore.

        Those are variables with another value, and further handles of a variable that a function captured by another name, as
        it does those of Keras: TensorFlow 2 makes both from one object.
        """
        nodes = self.variable_nodes(needed)
        if not self.has_objects:
            return nodes
        return (node for node in nodes if node.name in self.values or node.name not in self.restored)

    @cached_property
    def restored(self) -> Collection[str]:
        """What the graph's own restore node takes: the handles of the variables that it assigns."""
        name = self.model.meta.saver_def.restore_op_name
        return self.graph.ancestors([name]) if name in self.graph else ()

    def variable_nodes(self, needed: Need) -> Iterator[Node]:
        """The variables that are needed and not fed."""
        for op, node in zip(self.graph.ops, self.graph.nodes):
            if op in VARIABLE_OPS and node.name in needed.names and node.name not in needed.opened:
                yield node

    def payload(self, name: str) -> Payload | None:
        """The value of a variable; ``None`` if none is stored."""
        if name in self.values:
            return self.values[name]
        variable = self.variables.get(name)
        return self.model.fitting_value(variable) if variable is not None and variable.entry is not None else None

    def initializer(self, name: str) -> str:
        """The node that gives variable ``name`` its first value."""
        variable = self.variables.get(name)
        is_required = variable is None or variable.role in _REQUIRED
        found = None if is_required and not self.initialize else self.declared.get(name) or _assign(self.graph, name)
        if found is None:
            raise _missing(self.model, name, variable)
        return found

    def order(self, initializers: Mapping[str, str]) -> list[str]:
        """Those first that others read; in a circle TensorFlow will say what is not initialized."""
        pending = {
            variable: need(self.graph, [initializer], self.given).names & initializers.keys() - {variable}
            for variable, initializer in initializers.items()
        }
        order: list[str] = []
        while pending:
            ready = [v for v, others in pending.items() if not others & pending.keys()] or list(pending)
            order += ready
            pending = {v: others for v, others in pending.items() if v not in ready}
        return [initializers[variable] for variable in order]

    def check(self, node: Node, payload: Payload) -> None:
        """A value that replaces the checkpoint's must be of the variable's type and shape."""
        variable = self.variables[node.name]
        if payload.dtype is not variable.dtype or not _fits(node, payload.shape, variable.shape):
            stated = f"{variable.dtype.label} {shape_text(variable.shape)}"
            raise IncompleteModelError(
                f"{self.model.path}: variable {node.name} is {stated} in the graph, but its value is"
                f" {payload.dtype.label} {shape_text(payload.shape)}"
            )


def _fits(node: Node, shape: tuple[int, ...], stated: Shape) -> bool:
    """The op ``Variable`` writes an unknown shape as an empty one."""
    if stated is None or (node.op == "Variable" and not stated):
        return True
    return len(shape) == len(stated) and all(s is None or s == d for s, d in zip(stated, shape))


def _missing(model: Model, name: str, variable: Variable | None) -> IncompleteModelError:
    role = f" ({variable.role.value})" if variable is not None else ""
    if model.store is not None:
        return model.missing_value(name, f"no value of variable {name}{role}, which the run needs")
    return IncompleteModelError(
        f"{model.path}: no checkpoint holds a value of variable {name}{role}, which the run needs"
    )


def _declared_initializers(model: Model) -> dict[str, str]:
    """Variable op -> its initializer, as the meta graph's collections say."""
    found = {}
    for collection in VARIABLE_COLLECTIONS:
        values = model.collections[collection].values if collection in model.collections else ()
        for value in values:
            if isinstance(value, VariableDef) and value.initializer_name in model.graph:
                found[node_of(value.variable_name)] = value.initializer_name
    return found


def _assign(graph: Graph, name: str) -> str | None:
    """The assign op that is no part of a saver: the one called ``<variable>/Assign``, or the only one."""
    assigns = [
        node.name
        for node in graph.consumers(name)
        if node.op in ASSIGN_OPS
        and node_of(node.inputs[0]) == name
        and not any(producer.op in RESTORE_OPS for producer in graph.producers(node))
    ]
    return f"{name}/Assign" if f"{name}/Assign" in assigns else assigns[0] if len(assigns) == 1 else None


def _table_fillers(graph: Graph) -> dict[str, list[str]]:
    """Table -> the nodes that fill it."""
    found: dict[str, list[str]] = {}
    for op, node in zip(graph.ops, graph.nodes):
        if op in TABLE_FILLING_OPS and node.inputs:
            found.setdefault(node_of(node.inputs[0]), []).append(node.name)
    return found


def _setup_members(model: Model) -> Iterator[str]:
    """What the model's init op and its table initializers consist of, each once; groups (``NoOp``) are opened."""
    graph = model.graph
    known = [name for name in model.starts(tables=True) if name in graph]
    reached = graph.reach(known, lambda n: graph.producers(n) if n.op == "NoOp" else ())
    return (name for name in reached if graph[name].op != "NoOp")


def _prefix(model: Model) -> str:
    """The checkpoint's prefix as a restore op takes it; empty without a checkpoint."""
    index = next((file.path for file in model.files if file.role == "index"), "")
    return index.removesuffix(".index")
