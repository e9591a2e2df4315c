"""Makes resource variables of reference variables: the same nodes, with the ops that take a handle.

Ops that write give no value in this form, so what took a new value from them reads the variable once they have run.

Source: ``tensorflow/core/ops/state_ops.cc``, ``training_ops.cc`` and ``resource_variable_ops.cc``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from graphscope.core.changes.build import make_node, type_attr, with_inputs
from graphscope.core.graph import Node
from graphscope.core.model import Model
from graphscope.core.names import FreeNames
from graphscope.core.ops.table import registered_ops
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import UnsupportedError
from graphscope.named_tuple import NamedTuple
from graphscope.protos import AttrValue, OpDef
from graphscope.transforms.findings.read_after_write import writes as writes_to_first

HANDLE = "VarHandleOp"

_RENAMED = {
    "Assign": "AssignVariableOp",
    "AssignAdd": "AssignAddVariableOp",
    "AssignSub": "AssignSubVariableOp",
    "IsVariableInitialized": "VarIsInitializedOp",
}
"""Ops whose form for resources is not called ``Resource...``."""

_PASSING = {f"Ref{op}": op for op in ("Identity", "Switch", "Merge", "Enter", "Exit", "NextIteration")}
"""Ops that give a reference on, and those that do so with a handle."""


def with_resource_variables(model: Model, names: Collection[str]) -> Model:
    """``model``, in whose graph the variables ``names`` are resources.

    Raises:
        UnsupportedError: a node takes a reference in a way that has no equivalent for resources, as ``RefSelect`` does.
    """
    graph = model.graph
    references = {name for name in names if graph[name].op != HANDLE}
    if not references:
        return model
    conversion = _Conversion(model, references)
    return model.with_graph(graph.with_nodes([new for node in graph for new in conversion.nodes(node)]))


class _Taken(NamedTuple):
    """A reference, as resources have it.

    Attributes:
        variable: whose it is.
        handle: the tensor that takes its place.
        waits: for the ops that have written to it and given it on; control inputs.
    """

    variable: Node
    handle: str
    waits: tuple[str, ...] = ()


class _Conversion:
    """Converts one node after the other."""

    def __init__(self, model: Model, references: Collection[str]) -> None:
        self._path = model.path
        self._graph = model.graph
        self._references = references
        self._free = FreeNames(model.graph.by_name)
        self._late = dict(self._find_late_readers())

    def _find_late_readers(self) -> Iterator[tuple[tuple[str, str], _Taken]]:
        """Node, input -> the variable, where a node takes a read and waits for a write after it.

        What reads a reference copies nothing, so such a node takes the new value.
        """
        reads: dict[str, list[Node]] = {}
        writes: dict[str, list[str]] = {}
        for node in self._graph:
            taken = self._reference(node.inputs[0]) if node.inputs else None
            if taken is not None and (node.op == "Identity" or writes_to_first(node.op)):
                if node.op == "Identity":
                    reads.setdefault(taken.variable.name, []).append(node)
                else:
                    writes.setdefault(taken.variable.name, []).append(node.name)
        for name in reads.keys() & writes.keys():
            after = {writer: self._graph.descendants([writer]) for writer in writes[name]}
            for read in reads[name]:
                later = {writer: names for writer, names in after.items() if read.name not in names}
                for taker in self._graph.consumers(read.name):
                    waits = [writer for writer, names in later.items() if taker.name in names]
                    texts = {text for text in taker.data_inputs() if node_of(text) == read.name} if waits else ()
                    controls = tuple(f"^{waited}" for waited in [*read.control_inputs(), *waits])
                    yield from (((taker.name, text), _Taken(self._graph[name], name, controls)) for text in texts)

    def nodes(self, node: Node) -> Iterator[Node]:
        """What takes the place of ``node``."""
        if node.name in self._references:
            yield _handle(node)
            return
        taken = {
            n: found
            for n, text in enumerate(node.data_inputs())
            if (found := self._late.get((node.name, text)) or self._reference(text))
        }
        if not taken:
            yield node
        elif node.op == "Identity":
            yield _read(node.name, node, taken[0])
        else:
            by_reference = self._taken_by_reference(node, taken)
            inputs = list(node.inputs)
            for position, reference in taken.items():
                if position in by_reference:
                    inputs[position] = reference.handle
                    inputs += reference.waits
                else:
                    read = _read(self._free(f"{node.name}/read"), node, reference)
                    inputs[position] = read.name
                    yield read
            yield with_inputs(_by_handle(node) if by_reference else node, inputs)

    def _taken_by_reference(self, node: Node, taken: Collection[int]) -> Collection[int]:
        """The inputs that ``node`` takes by reference: among ``taken``, those that become handles."""
        definition = registered_ops().get(node.op)
        if definition is None or not any(argument.is_ref for argument in definition.input_arg):
            return ()
        if any(argument.number_attr for argument in definition.input_arg):
            found = set(range(len(node.data_inputs())))
        else:
            found = {n for n, argument in enumerate(definition.input_arg) if argument.is_ref}
        if _form(node.op) is None or not found <= set(taken):
            raise UnsupportedError(
                f"node {node.name} ({node.op}) takes a variable by reference, and has no equivalent for resource variables",
                path=self._path,
            )
        return found

    def _reference(self, text: str) -> _Taken | None:
        """What ``text`` is if it is the reference of a variable that is converted, directly or by ops that give it on."""
        handle, waits = "", []
        seen: set[str] = set()
        while (name := node_of(text)) not in self._references:
            giver = self._graph.get(name)
            if giver is None or name in seen or not _gives_reference(giver.op):
                return None
            seen.add(name)
            if giver.op in _PASSING:
                handle = handle or text
            elif not handle:
                waits.append(f"^{name}")
            text = giver.inputs[0]
        return _Taken(self._graph[name], handle or name, tuple(waits))


def _read(name: str, taker: Node, taken: _Taken) -> Node:
    """A read when ``taker`` takes the variable."""
    waits = [*(f"^{control}" for control in taker.control_inputs()), *taken.waits]
    return _like(
        taker, name, "ReadVariableOp", [taken.handle, *dict.fromkeys(waits)], {"dtype": taken.variable.attrs["dtype"]}
    )


def _form(op: str) -> OpDef | None:
    """The op that takes handles where ``op`` takes references."""
    return registered_ops().get(_PASSING.get(op) or _RENAMED.get(op) or f"Resource{op}")


def _gives_reference(op: str) -> bool:
    """Whether an op gives on the reference that it takes first."""
    definition = registered_ops().get(op)
    return _form(op) is not None and definition is not None and any(output.is_ref for output in definition.output_arg)


def _by_handle(node: Node) -> Node:
    """``node`` as the op that takes handles, with the attributes that both have; the type has another name in some."""
    target = _form(node.op)
    assert target is not None
    wanted = {attr.name for attr in target.attr}
    attrs = {key: value for key, value in node.attrs.items() if key in wanted or key.startswith("_")}
    if node.op in _PASSING:
        attrs["T"] = type_attr(DataType.RESOURCE)
    elif "dtype" in wanted:
        attrs["dtype"] = node.attrs["T"] if "T" in node.attrs else node.attrs["dtype"]
    return _like(node, node.name, target.name, node.inputs, attrs)


def _handle(variable: Node) -> Node:
    attrs = variable.attrs
    shape = AttrValue()
    shape.CopyFrom(attrs["shape"])
    if variable.op == "Variable" and not shape.shape.dim:
        shape.shape.unknown_rank = True  # a scalar there stands for any shape
    shared = attrs["shared_name"].s if "shared_name" in attrs else b""
    kept = {key: attrs[key] for key in ("dtype", "container", "_class") if key in attrs}
    name = AttrValue(s=shared or variable.name.encode())
    return _like(variable, variable.name, HANDLE, variable.inputs, {**kept, "shape": shape, "shared_name": name})


def _like(node: Node, name: str, op: str, inputs: Iterable[str], attrs: Mapping[str, AttrValue]) -> Node:
    """A node on the device of ``node``."""
    result = make_node(name, op, inputs, attrs)
    result.proto.device = node.proto.device
    return result
