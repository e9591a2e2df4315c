"""Turns variables into constants: reference variables, and resource variables through conds, loops and library functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from graphscope.advice import SAVED_MODEL, Advice, Option
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Body, Function, Graph, Node
from graphscope.core.names import free_name
from graphscope.core.ops.sets import ASSIGN_OPS, COUNT_OPS, VARIABLE_OPS
from graphscope.core.ops.table import takes_reference
from graphscope.core.tensors import TensorName
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import GraphscopeError
from graphscope.protos import FunctionDef, NodeDef
from graphscope.transforms.findings.switches import open_switches

Values = Callable[[str], Payload]
"""Variable op -> its value; raises if there is none."""

REFERENCE_OPS = {
    "RefSwitch": "Switch",
    "RefMerge": "Merge",
    "RefEnter": "Enter",
    "RefExit": "Exit",
    "RefNextIteration": "NextIteration",
    "RefIdentity": "Identity",
}
"""Ops on references, and what they are on values."""

_PASSES_HANDLE = frozenset("Identity Switch Merge Enter Exit NextIteration StopGradient IdentityN".split())
_CALLS = {
    "PartitionedCall": ("f",),
    "StatefulPartitionedCall": ("f",),
    "If": ("then_branch", "else_branch"),
    "StatelessIf": ("then_branch", "else_branch"),
    "While": ("cond", "body"),
    "StatelessWhile": ("cond", "body"),
    "Case": ("branches",),
    "StatelessCase": ("branches",),
}
"""Ops that hand handles on to functions, and the attributes that name those."""

_TYPE_LISTS = {"While": "T", "StatelessWhile": "T"}
_STATED_OF_HANDLES = "_output_shapes _handle_dtypes _handle_shapes _read_only_resource_inputs".split()
_SKIPPED_INPUTS = {"If": 1, "StatelessIf": 1, "Case": 1, "StatelessCase": 1}


def freeze_variables(graph: Graph, values: Values) -> Graph:
    """Every variable of ``graph`` becomes a constant of the same name. Library functions that take handles get copies.

    Raises:
        GraphscopeError: a node writes to a variable, or uses a handle in a way that has no constant form.
        IncompleteModelError: as ``values``.
    """
    if not any(op in VARIABLE_OPS for op in graph.ops):
        return graph
    return _Freezer(graph, values).run()


class _Freezer:
    def __init__(self, graph: Graph, values: Values) -> None:
        self.graph = graph
        self.values = values
        self.functions: dict[str, Function] = {}

    def run(self) -> Graph:
        handles = {n.name: _dtype(n) for n in self.graph if n.op == "VarHandleOp"}
        nodes = list(_Body(self, self.graph, handles).converted())
        return self.graph.with_nodes(nodes).with_functions([*self.graph.functions.values(), *self.functions.values()])

    def specialize(self, name: str, handles: Mapping[int, DataType], *, is_loop_body: bool = False) -> str:
        """A copy of function ``name`` that takes values where it took handles; its name."""
        suffix = "_".join(f"{i}{t.label}" for i, t in sorted(handles.items()))
        copy = f"{name}_frozen_{suffix}"
        if copy not in self.functions:
            self.functions[copy] = self._specialize(name, copy, handles, is_loop_body)
        return copy

    def _specialize(self, name: str, copy: str, handles: Mapping[int, DataType], is_loop_body: bool) -> Function:
        function = self.graph.functions.get(name)
        if function is None:
            raise GraphscopeError(f"the library function {name} is called but not in the graph")
        proto = FunctionDef()
        proto.CopyFrom(function.proto)
        proto.signature.name = copy
        arguments = {}
        for i, dtype in handles.items():
            argument = proto.signature.input_arg[i]
            argument.type = int(dtype)
            argument.ClearField("handle_data")
            arguments[argument.name] = dtype
            if i in proto.arg_attr:
                proto.arg_attr[i].attr.pop("_output_shapes", None)
            if is_loop_body:
                proto.signature.output_arg[i].type = int(dtype)
        body = _Body(self, function, arguments)
        nodes = list(body.converted())
        for key, source in proto.ret.items():
            proto.ret[key] = body.renamed_output(source)
        return Function(proto, nodes)


class _Body:
    """One graph or function body: ``handles`` are its names (nodes or arguments) that refer to a variable, with its type."""

    def __init__(self, freezer: _Freezer, body: Body, handles: Mapping[str, DataType]) -> None:
        self.freezer = freezer
        self.body = body
        self.is_graph = body is freezer.graph
        self.handles: dict[tuple[str, int], DataType] = {(name, 0): dtype for name, dtype in handles.items()}
        self.spread()

    def spread(self) -> None:
        """Handles flow through identities, switches and loops, to a fixed point: a merge may come before its source."""
        if not self.handles:
            return
        grown = True
        while grown:
            before = len(self.handles)
            for found in self.body:
                if found.op in _PASSES_HANDLE:
                    self._pass(found)
                elif found.op in _TYPE_LISTS:
                    for i, dtype in self.handle_inputs(found).items():
                        self.handles[found.name, i] = dtype
            grown = len(self.handles) > before

    def _pass(self, found: Node) -> None:
        for i, dtype in self.handle_inputs(found).items():
            outputs = (0, 1) if found.op == "Switch" else (i,) if found.op == "IdentityN" else (0,)
            self.handles.update({(found.name, k): dtype for k in outputs})

    def handle_inputs(self, found: Node) -> dict[int, DataType]:
        """Position -> the variable's type, for the data inputs that are handles."""
        result = {}
        for i, text in enumerate(found.data_inputs()):
            tensor = TensorName.parse(text)
            dtype = self.handles.get((tensor.node, self._index(tensor)))
            if dtype is not None:
                result[i] = dtype
        return result

    def _index(self, tensor: TensorName) -> int:
        """The output's number; in a function an argument's name is part of the tensor's, and lists count within it."""
        producer = self.body.get(tensor.node)
        if tensor.argument == "output_true" or (producer is not None and tensor.argument == "value_index"):
            return 1
        return tensor.index

    def converted(self) -> Iterator[Node]:
        for found in self.body:
            self.check(found)
        for found in self.body:
            yield from self.convert(found)

    def check(self, found: Node) -> None:
        """Refuses, before any value is read, what has no constant form."""
        handles = self.handle_inputs(found)
        if not handles:
            self.refuse_writers(found)
        elif found.op in ASSIGN_OPS | COUNT_OPS:
            raise self.written(found, found.inputs[min(handles)])
        elif found.op not in _READERS and found.op not in _PASSES_HANDLE and found.op not in _CALLS:
            raise GraphscopeError(
                f"{self.told(found)} uses {self.variable(found.inputs[min(handles)])} as more than a value",
                hint=Advice("cut it away with ", Option("outputs"), ", or keep the variables: ", SAVED_MODEL),
            )

    def convert(self, found: Node) -> Iterator[Node]:
        if found.op in VARIABLE_OPS:
            if not self.is_graph:
                raise GraphscopeError(f"variable {found.name} is made inside a library function: it has no saved value")
            yield constant(found.name, self.freezer.values(found.name), _controls(found))
            return
        handles = self.handle_inputs(found)
        if found.op == _ASKS_OF_REFERENCE:
            yield from _is_initialized(found, DataType.BOOL, self)
        elif found.op in REFERENCE_OPS:
            yield self.plain(found, REFERENCE_OPS[found.op])
        elif not handles:
            yield self.plain(found, found.op)
        elif found.op in _READERS:
            yield from _READERS[found.op](self.plain(found, found.op), handles[0], self)
        elif found.op in _PASSES_HANDLE:
            yield self.retype(found, handles)
        else:
            yield self.call(found, handles)

    def refuse_writers(self, found: Node) -> None:
        """An op on references that changes what it is given: the frozen graph would not be the same model."""
        if found.op in REFERENCE_OPS or found.op == _ASKS_OF_REFERENCE or not takes_reference(found.op):
            return
        for source in self.body.producers(found):
            if source.op in VARIABLE_OPS or source.op in REFERENCE_OPS:
                raise self.written(found, source.name)

    def written(self, found: Node, variable: str) -> GraphscopeError:
        """What says that an op changes a variable in a graph that shall hold constants."""
        switches = open_switches(self.freezer.graph)
        name, value = next(iter(switches.items()), ("NAME", "false"))
        return GraphscopeError(
            f"{self.told(found)} writes to {self.variable(variable)} whenever the outputs are computed",
            hint=Advice(
                Option("set", f"{name}={value}"), " fixes a training switch; ", SAVED_MODEL, " keeps the variables"
            ),
        )

    def told(self, found: Node) -> str:
        """A node, as an error names it."""
        function = f" in function {self.body.name}" if isinstance(self.body, Function) else ""
        return f"node {found.name} ({found.op}){function}"

    def variable(self, text: str) -> str:
        """A variable, as an error names it: a function knows it by the name of an argument only."""
        return f"variable {text}" if self.is_graph else "a variable"

    def plain(self, found: Node, op: str) -> Node:
        """A copy of ``found`` as ``op`` whose inputs follow renamed outputs; ``found`` itself where nothing changes."""
        inputs = [self.renamed_output(i) for i in found.inputs]
        if op == found.op and inputs == list(found.inputs):
            return found
        proto = NodeDef()
        proto.CopyFrom(found.proto)
        proto.op = op
        del proto.input[:]
        proto.input.extend(inputs)
        return Node(proto, found.payloads)

    def renamed_output(self, text: str) -> str:
        """In a function ``read:value:0`` of a ``ReadVariableOp`` becomes ``read:output:0`` of the identity in its place."""
        if self.is_graph or text.startswith("^"):
            return text
        tensor = TensorName.parse(text)
        producer = self.body.get(tensor.node)
        if producer is None or _RENAMED.get(producer.op) != tensor.argument or not self.handle_inputs(producer):
            return text
        return str(TensorName(tensor.node, tensor.index, "output"))

    def retype(self, found: Node, handles: Mapping[int, DataType]) -> Node:
        copy = NodeDef()
        copy.CopyFrom(self.plain(found, found.op).proto)
        if found.op == "IdentityN":
            for i, dtype in handles.items():
                copy.attr["T"].list.type[i] = int(dtype)
        else:
            copy.attr["T"].type = int(handles[min(handles)])
        return _without_shapes(copy)

    def call(self, found: Node, handles: Mapping[int, DataType]) -> Node:
        """A call whose functions take values where they took handles."""
        copy = NodeDef()
        copy.CopyFrom(self.plain(found, found.op).proto)
        skipped = _SKIPPED_INPUTS.get(found.op, 0)
        inner = {i - skipped: dtype for i, dtype in handles.items()}
        for attribute in _CALLS[found.op]:
            is_body = found.op in _TYPE_LISTS and attribute == "body"
            value = copy.attr[attribute]
            for function in [value.func] if value.HasField("func") else value.list.func:
                function.name = self.freezer.specialize(function.name, inner, is_loop_body=is_body)
        if found.op in _TYPE_LISTS:
            copy.attr.pop("output_shapes", None)
        types = copy.attr[_TYPE_LISTS.get(found.op, "Tin")].list.type
        for i, dtype in inner.items():
            types[i] = int(dtype)
        copy.attr.pop("config_proto", None)
        return _without_shapes(copy)


def _without_shapes(copy: NodeDef) -> Node:
    """What was stated of the handles, scalars all of them, does not hold for the values."""
    for name in _STATED_OF_HANDLES:
        copy.attr.pop(name, None)
    return Node(copy)


def _dtype(found: Node) -> DataType:
    value = found.attr("dtype")
    return DataType.of(value.type) if value is not None else DataType.INVALID


def _read(found: Node, dtype: DataType, _: _Body) -> Iterator[Node]:
    yield make_node(found.name, "Identity", found.inputs, {"T": type_attr(dtype)})


def _shape(found: Node, dtype: DataType, _: _Body) -> Iterator[Node]:
    attrs = {"T": type_attr(dtype), "out_type": type_attr(_type_of(found, "out_type", DataType.INT32))}
    yield make_node(found.name, "Shape", found.inputs, attrs)


def _gather(found: Node, dtype: DataType, body: _Body) -> Iterator[Node]:
    attrs = {"Tparams": type_attr(dtype), "Tindices": type_attr(_type_of(found, "Tindices", DataType.INT32))}
    batch_dims = found.attr("batch_dims")
    if batch_dims is None or not batch_dims.i:
        # A constant axis, which GatherV2 takes, would be outside the loop that this node may be in.
        yield make_node(found.name, "Gather", found.inputs, attrs)
        return
    axis = free_name(f"{found.name}/axis", body.body)
    anchor = [f"^{TensorName.parse(found.inputs[1]).node}"] if body.is_graph else []  # it may be in a loop
    yield constant(axis, np.array(batch_dims.i, np.int32), anchor)
    attrs |= {"Taxis": type_attr(DataType.INT32), "batch_dims": batch_dims}
    axis_input = axis if body.is_graph else f"{axis}:output:0"
    yield make_node(found.name, "GatherV2", [*found.data_inputs(), axis_input, *_controls(found)], attrs)


def _is_initialized(found: Node, _: DataType, __: _Body) -> Iterator[Node]:
    """Every variable that becomes a constant has its value."""
    yield constant(found.name, np.array(True), _controls(found))


def _gather_nd(found: Node, dtype: DataType, _: _Body) -> Iterator[Node]:
    attrs = {"Tparams": type_attr(dtype), "Tindices": type_attr(_type_of(found, "Tindices", DataType.INT32))}
    yield make_node(found.name, "GatherNd", found.inputs, attrs)


def _type_of(found: Node, name: str, default: DataType) -> DataType:
    value = found.attr(name)
    return DataType.of(value.type) if value is not None else default


def _controls(found: Node) -> Iterable[str]:
    return [i for i in found.inputs if i.startswith("^")]


_RENAMED = {"ReadVariableOp": "value", "VarIsInitializedOp": "is_initialized"}
"""Ops whose output argument has another name, ``output``, in what takes their place."""

_ASKS_OF_REFERENCE = "IsVariableInitialized"

_READERS: Mapping[str, Callable[[Node, DataType, _Body], Iterator[Node]]] = {
    "ReadVariableOp": _read,
    "VariableShape": _shape,
    "VarIsInitializedOp": _is_initialized,
    "ResourceGather": _gather,
    "ResourceGatherNd": _gather_nd,
}
"""Ops that take a handle and give something that the value alone gives too."""
