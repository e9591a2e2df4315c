"""Compares the object graphs of two TensorFlow 2 SavedModels, from which ``tf.saved_model.load`` makes what it returns.

Objects are matched along equal names from the roots, then by the functions that capture them. Source:
``saved_object_graph.proto``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import zip_longest

from graphscope.analysis.diff.interfaces import first_change
from graphscope.analysis.diff.report import Change, Difference, Section
from graphscope.core.model import Model, ModelKind
from graphscope.core.tensors import shape_of, shape_text
from graphscope.core.units import count
from graphscope.core.values.dtypes import DataType
from graphscope.core.variables.object_graph import saved_variables
from graphscope.named_tuple import NamedTuple
from graphscope.protos import Message

OBJECT_GRAPH = "object graph"
"""The name of the difference where only one of two SavedModels has one."""

_ROOT = "root object"


def object_differences(
    a: Model, b: Model, names: Mapping[str, str], functions: Mapping[str, str]
) -> Iterator[Difference]:
    """Objects that only one model has, and those that hold, capture or call something else.

    Args:
        names: node of ``a`` -> node of ``b``.
        functions: library function of ``a`` -> library function of ``b``.

    Raises:
        CorruptFileError, IncompleteModelError: as :attr:`Model.objects`.
    """
    has_objects = [model.meta.HasField("object_graph_def") for model in (a, b)]
    if all(has_objects):
        yield from _Comparison(_Objects(a, names, functions), _Objects(b, {}, {})).differences()
    elif any(has_objects) and a.kind is b.kind is ModelKind.SAVED_MODEL:
        owner, change = (a, Change.REMOVED) if has_objects[0] else (b, Change.ADDED)
        size = count(len(owner.meta.object_graph_def.nodes), "object")
        yield Difference(Section.OBJECTS, change, OBJECT_GRAPH, f"{size}; without them, only the signatures are loaded")


class _Objects:
    """The object graph of one model, in names that both share.

    Attributes:
        nodes: the objects.
        functions: what is said of each function that objects call.
        names, shared: what the other model calls a node or a library function.
    """

    def __init__(self, model: Model, names: Mapping[str, str], shared: Mapping[str, str]) -> None:
        self.model = model
        self.nodes = model.meta.object_graph_def.nodes
        self.functions = model.meta.object_graph_def.concrete_functions
        self.names = names
        self.shared = shared

    def function(self, name: str) -> str:
        return self.shared.get(name, name)

    @cached_property
    def keys(self) -> dict[int, str | None]:
        """Number of a variable -> the checkpoint key of its value."""
        numbers = (i for i, node in enumerate(self.nodes) if node.WhichOneof("kind") == "variable")
        return {
            i: v.key for i, v in zip(numbers, saved_variables(self.model.meta.object_graph_def, self.model.objects))
        }

    @cached_property
    def paths(self) -> dict[int, str]:
        """Number -> the shortest path from the root; of several, the first in alphabetical order."""
        paths = {0: ""} if self.nodes else {}
        pending = list(paths)
        for number in pending:  # grows meanwhile
            for child in sorted(self.nodes[number].children, key=lambda child: child.local_name):
                if child.node_id not in paths and child.node_id in self:
                    paths[child.node_id] = f"{paths[number]}/{child.local_name}".removeprefix("/")
                    pending.append(child.node_id)
        return paths

    def __contains__(self, number: int) -> bool:
        return 0 <= number < len(self.nodes)

    def path(self, number: int) -> str:
        """The name to show for an object."""
        return self.paths.get(number, f"object {number}") or _ROOT

    def edges(self, number: int) -> dict[str, int]:
        """Label -> the object that it leads to: children, slots of optimizers, functions that save and restore."""
        node = self.nodes[number]
        edges = {child.local_name: child.node_id for child in node.children}
        for slot in node.slot_variables:
            edges[f"{slot.slot_name} of {self.path(slot.original_variable_node_id)}"] = slot.slot_variable_node_id
        for name, saveable in node.saveable_objects.items():
            edges[f"save function of {name}"] = saveable.save_function
            edges[f"restore function of {name}"] = saveable.restore_function
        return edges

    def facts(self, number: int) -> Mapping[str, object]:
        """What decides what is made of an object, the objects that it leads to aside."""
        node = self.nodes[number]
        kind = node.WhichOneof("kind") or "nothing"
        return {
            "kind": kind,
            "registered as": node.registered_name,
            "registered saver": node.registered_saver,
            "registered data": node.serialized_user_proto,
            **(_FACTS[kind](self, number) if kind in _FACTS else {}),
        }


def _of_user_object(objects: _Objects, number: int) -> Mapping[str, object]:
    user = objects.nodes[number].user_object
    return {"class": user.identifier, "metadata": user.metadata}


def _of_asset(objects: _Objects, number: int) -> Mapping[str, object]:
    index, files = objects.nodes[number].asset.asset_file_def_index, objects.model.meta.asset_file_def
    return {"file": files[index].filename if 0 <= index < len(files) else f"number {index}"}


def _of_function(objects: _Objects, number: int) -> Mapping[str, object]:
    function = objects.nodes[number].function
    return {
        "functions": ", ".join(map(objects.function, function.concrete_functions)),
        "arguments": function.function_spec,
    }


def _of_bare_function(objects: _Objects, number: int) -> Mapping[str, object]:
    function = objects.nodes[number].bare_concrete_function
    return {
        "function": objects.function(function.concrete_function_name),
        "keywords": ", ".join(function.argument_keywords),
        "positional arguments": function.allowed_positional_arguments,
        "arguments": function.function_spec,
    }


def _of_variable(objects: _Objects, number: int) -> Mapping[str, object]:
    variable = objects.nodes[number].variable
    stored = {} if objects.model.objects is None else {"checkpoint key": objects.keys[number]}
    return {
        "variable": objects.names.get(variable.name, variable.name),
        "type": DataType.of(variable.dtype).label,
        "shape": shape_text(shape_of(variable.shape)),
        "trainable": variable.trainable,
        **stored,
    }


def _of_constant(objects: _Objects, number: int) -> Mapping[str, object]:
    operation = objects.nodes[number].constant.operation
    return {"constant": objects.names.get(operation, operation)}


def _of_captured_tensor(objects: _Objects, number: int) -> Mapping[str, object]:
    captured = objects.nodes[number].captured_tensor
    return {"tensor": captured.name, "function": objects.function(captured.concrete_function)}


_FACTS: Mapping[str, Callable[[_Objects, int], Mapping[str, object]]] = {
    "user_object": _of_user_object,
    "asset": _of_asset,
    "function": _of_function,
    "bare_concrete_function": _of_bare_function,
    "variable": _of_variable,
    "constant": _of_constant,
    "captured_tensor": _of_captured_tensor,
}
"""Kind of object -> what decides what is made of it; devices, and how values are distributed, aside."""


class _Edge(NamedTuple):
    """Where two matched objects lead to under one name: ``None`` where one of them does not."""

    name: str
    one: int | None
    other: int | None


class _Comparison:
    """Matches the objects of two models and compares them."""

    def __init__(self, a: _Objects, b: _Objects) -> None:
        self.a, self.b = a, b
        self.forward: dict[int, int] = {}
        self.backward: dict[int, int] = {}
        self.edges: list[_Edge] = []
        self._pending: list[tuple[int, int]] = []
        self._match()

    def _match(self) -> None:
        """Along names; then what functions capture; then by number what nothing leads to."""
        self._follow(0, 0)
        for one, other in self._shared_functions().items():
            for pair in zip(self.a.functions[one].bound_inputs, self.b.functions[other].bound_inputs):
                self._follow(*pair)
        for number in range(min(len(self.a.nodes), len(self.b.nodes))):
            self._follow(number, number)

    def _follow(self, one: int, other: int) -> None:
        """Matches two objects, if neither has a partner, and whatever they lead to."""
        self._pair(one, other)
        for here, there in self._pending:  # grows meanwhile
            ones, others = self.a.edges(here), self.b.edges(there)
            for label in {**ones, **others}:
                edge = _Edge(
                    f"{self.a.paths.get(here, '')}/{label}".removeprefix("/"), ones.get(label), others.get(label)
                )
                self.edges.append(edge)
                if edge.one is not None and edge.other is not None:
                    self._pair(edge.one, edge.other)
        self._pending.clear()

    def _pair(self, one: int, other: int) -> None:
        if one in self.a and other in self.b and one not in self.forward and other not in self.backward:
            self.forward[one], self.backward[other] = other, one
            self._pending.append((one, other))

    def _shared_functions(self) -> dict[str, str]:
        """Functions that the objects of both models call."""
        moved = {name: self.a.function(name) for name in sorted(self.a.functions)}
        return {name: other for name, other in moved.items() if other in self.b.functions}

    def _is_same(self, one: int, other: int) -> bool:
        return self.forward.get(one, one if one not in self.a else None) == other

    def differences(self) -> Iterator[Difference]:
        """Those of objects, then those of the functions that they call."""
        for edge in self.edges:
            yield from self._edge(edge)
        for one, other in self.forward.items():
            for detail in _changes(self.a.facts(one), self.b.facts(other)):
                yield _changed(self.a.path(one), detail)
        for name, partner in self._shared_functions().items():
            yield from (_changed(name, detail) for detail in self._function(name, partner))
        yield from self._lone_functions()

    def _edge(self, edge: _Edge) -> Iterator[Difference]:
        if edge.one is None or edge.other is None:
            yield Difference(Section.OBJECTS, Change.ADDED if edge.one is None else Change.REMOVED, edge.name)
        elif not self._is_same(edge.one, edge.other):
            yield _changed(edge.name, f"leads to {self.a.path(edge.one)} -> {self.b.path(edge.other)}")

    def _function(self, name: str, other: str) -> Iterator[str]:
        a, b = self.a.functions[name], self.b.functions[other]
        for number, (one, two) in enumerate(zip_longest(a.bound_inputs, b.bound_inputs)):
            if one is None or two is None or not self._is_same(one, two):
                before = "nothing" if one is None else self.a.path(one)
                after = "nothing" if two is None else self.b.path(two)
                yield f"captured input {number}: {before} -> {after}"
        yield from _changes(
            {"arguments": a.canonicalized_input_signature, "results": a.output_signature},
            {"arguments": b.canonicalized_input_signature, "results": b.output_signature},
        )

    def _lone_functions(self) -> Iterator[Difference]:
        """Functions that both models have, but objects of only one can call."""
        shared = self._shared_functions()
        taken = {*shared.values(), *(self.a.function(name) for name in self.a.model.graph.functions)}
        for name in sorted(self.a.functions):
            if name not in shared and self.a.function(name) in self.b.model.graph.functions:
                yield Difference(Section.OBJECTS, Change.REMOVED, name, "function that objects call")
        for name in sorted(self.b.functions):
            if name not in shared.values() and name in taken:
                yield Difference(Section.OBJECTS, Change.ADDED, name, "function that objects call")


def _changes(ones: Mapping[str, object], others: Mapping[str, object]) -> Iterator[str]:
    """What two objects of one kind say differently, where both say something; of two kinds, only that."""
    if ones.get("kind") != others.get("kind"):
        ones, others = {"kind": ones["kind"]}, {"kind": others["kind"]}
    for label in (label for label in ones if label in others):
        one, other = ones[label], others[label]
        if one != other:
            is_message = isinstance(one, Message)
            yield f"{label}: {first_change(one, other) if is_message else f'{_shown(one)} -> {_shown(other)}'}"


def _shown(value: object) -> str:
    return str(value) if value or value == 0 else "none"


def _changed(name: str, detail: str) -> Difference:
    return Difference(Section.OBJECTS, Change.CHANGED, name, detail)
