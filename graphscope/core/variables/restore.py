"""Which checkpoint key belongs to which variable, as the graph's own restore ops say.

Names in a checkpoint need not be op names: ``Saver({"v2": v})`` and ``variables_to_restore()`` rename. The truth is in the
graph: a restore op reads keys from a constant, and an assign op puts each result into a variable. Source:
``tensorflow/python/training/saver.py`` (``BulkSaverBuilder``, ``BaseSaverBuilder``).
"""

from __future__ import annotations

from collections.abc import Iterable

from graphscope.core.graph import Body, Graph, Node
from graphscope.core.ops.sets import ASSIGN_OPS, CALL_OPS
from graphscope.core.tensors import TensorName, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import IncompleteModelError
from graphscope.named_tuple import NamedTuple

RESTORE_OPS = frozenset({"RestoreV2", "Restore", "RestoreSlice"})
_PASSED_THROUGH = frozenset({"Identity", "Reshape", "Cast", "RefIdentity"})
_CONVERTS = frozenset({"Reshape", "Cast"})
_MAX_STEPS = 8


class RestoreSource(NamedTuple):
    """Where a saver finds a variable's value.

    Attributes:
        key: the checkpoint key.
        slice: the shape-and-slice text of a partition, ``784 10 0,196:0,10``; empty for a whole variable.
        validates: whether the value must have the variable's shape (``validate_shape`` of the assign op).
        converts: whether a ``Reshape`` or ``Cast`` between the restore op and the assign op makes the value fit.
    """

    key: str
    slice: str = ""
    validates: bool = True
    converts: bool = False


def restore_sources(graph: Graph, restore_op: str = "") -> dict[str, RestoreSource]:
    """Variable op -> where its value is, from the restore ops of ``graph``. Reads the constants that hold the keys.

    Args:
        restore_op: the saver's own restore node (``saver_def.restore_op_name``): what it runs wins over other savers'.
    """
    return {**_Restores(graph).sources(restore_op), **_called_sources(graph, restore_op)}


def reads_checkpoint(graph: Graph, node: Node) -> bool:
    """Whether ``node`` takes what it needs from a restore op: a saver's own, not part of how the graph begins."""
    return any(graph[name].op in RESTORE_OPS for name in graph.ancestors([node.name]))


def _called_sources(graph: Graph, restore_op: str) -> dict[str, RestoreSource]:
    """What the function that a TF2 SavedModel's restore op calls puts into its arguments."""
    call = graph.get(restore_op)
    if call is None or call.op not in CALL_OPS or "f" not in call.attrs:
        return {}
    function = graph.functions.get(call.attrs["f"].func.name)
    if function is None:
        return {}
    given = {arg.name: node_of(text) for arg, text in zip(function.signature.input_arg, call.data_inputs())}
    return {given[arg]: source for arg, source in _Restores(function).sources("").items() if arg in given}


class _Restores:
    def __init__(self, graph: Body) -> None:
        self.graph = graph
        self.constants: dict[str, list[str]] = {}

    def sources(self, restore_op: str) -> dict[str, RestoreSource]:
        found: dict[str, RestoreSource] = {}
        for assign in [*self.assigns_below(restore_op), *self.all_assigns()]:
            source = self.source(assign)
            if source is not None:
                found.setdefault(node_of(assign.inputs[0]), source)
        return found

    def all_assigns(self) -> Iterable[Node]:
        return (node for op, node in zip(self.graph.ops, self.graph.nodes) if op in ASSIGN_OPS)

    def assigns_below(self, restore_op: str) -> Iterable[Node]:
        """The assign ops that the restore node waits for, through nested groups of ``NoOp``."""
        graph = self.graph
        if restore_op not in graph:
            return []
        groups = graph.reach([restore_op], lambda n: graph.producers(n) if n.op == "NoOp" else ())
        return [graph[name] for name in groups if graph[name].op in ASSIGN_OPS]

    def source(self, assign: Node) -> RestoreSource | None:
        """The key that ``assign`` takes its value from; ``None`` if that is not a restore op."""
        if len(assign.data_inputs()) < 2:
            return None
        tensor = TensorName.parse(assign.inputs[1])
        converts = False
        for _ in range(_MAX_STEPS):
            node = self.graph.get(tensor.node)
            if node is None:
                return None
            if node.op in RESTORE_OPS:
                source = self.read(node, tensor.index)
                return source and source._replace(validates=_validates(assign), converts=converts)
            converts |= node.op in _CONVERTS
            if node.op not in _PASSED_THROUGH or not node.data_inputs():
                return None
            tensor = TensorName.parse(node.inputs[0])
        return None

    def read(self, node: Node, index: int) -> RestoreSource | None:
        """``RestoreV2(prefix, tensor_names, shape_and_slices)``: output i belongs to name i.

        ``Restore(file_pattern, tensor_name)`` and ``RestoreSlice(file_pattern, tensor_name, shape_and_slice)`` have one.
        """
        keys, slices = self.strings(node, 1), self.strings(node, 2)
        if not 0 <= index < len(keys):
            return None
        return RestoreSource(keys[index], slices[index] if index < len(slices) else "")

    def strings(self, node: Node, position: int) -> list[str]:
        """The strings of the constant at data input ``position`` of ``node``; empty if there is none."""
        inputs = node.data_inputs()
        if position >= len(inputs):
            return []
        name = node_of(inputs[position])
        if name not in self.constants:
            constant = self.graph.get(name)
            tensor = constant.tensor() if constant is not None and constant.op == "Const" else None
            is_text = tensor is not None and tensor.dtype is DataType.STRING
            values = _values(tensor) if tensor is not None and is_text else []
            self.constants[name] = [value.decode(errors="replace") for value in values]
        return self.constants[name]


def _validates(assign: Node) -> bool:
    """``Assign`` compares shapes unless told otherwise; ``AssignVariableOp`` leaves that to the variable's declared shape."""
    stated = assign.attr("validate_shape") if assign.op == "Assign" else None
    return stated is None or stated.b


def _values(tensor: Payload) -> list[bytes]:
    """The strings in ``tensor``; none if a log left them out of the graph."""
    try:
        return tensor.listed()
    except IncompleteModelError:
        return []
