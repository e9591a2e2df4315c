"""The nodes that save and restore variables: those of old graphs brought up to V2 checkpoints, new ones if there are none.

Source: ``tensorflow/python/training/saver.py`` (``BulkSaverBuilder``, ``BaseSaverBuilder``), ``tensorflow/core/ops/io_ops.cc``
and ``tensorflow/core/kernels/save_restore_v2_ops.cc`` (2.21).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model
from graphscope.core.names import free_name
from graphscope.core.values.dtypes import DataType
from graphscope.core.variables.variables import Variable
from graphscope.errors import UnsupportedError
from graphscope.protos import AttrValue, MetaGraphDef, SaverDef

if TYPE_CHECKING:
    from numpy.typing import NDArray

_V2 = 2
"""``SaverDef.CheckpointFormatVersion.V2``"""

_OLD_RESTORE_OPS = frozenset({"Restore", "RestoreSlice"})


def with_restore_v2(graph: Graph, where: str) -> Graph:
    """``graph`` with ``RestoreV2`` in place of ``Restore`` and ``RestoreSlice``, which find no V2 checkpoint.

    ``RestoreV2`` reads checkpoints of both formats. The saving ops stay: what they write, ``RestoreV2`` reads.

    Args:
        where: what errors call the graph.

    Raises:
        UnsupportedError: the name of a tensor to restore is no constant.
    """
    if _OLD_RESTORE_OPS.isdisjoint(graph.ops):
        return graph
    nodes: list[Node] = []
    for original in graph:
        nodes += _restore_v2(graph, original, where) if original.op in _OLD_RESTORE_OPS else [original]
    return graph.with_nodes(nodes)


def _restore_v2(graph: Graph, original: Node, where: str) -> Iterator[Node]:
    """``Restore(file_pattern, tensor_name)``, ``RestoreSlice(file_pattern, tensor_name, shape_and_slice)``: scalars."""
    file, *strings = original.data_inputs()
    names = [free_name(f"{original.name}/{name}", graph) for name in ("tensor_names", "shape_and_slices")]
    texts = [_text_constant(graph, name, where) for name in strings]
    for name, text in zip(names, [*texts, _texts([""])]):
        yield constant(name, text)
    proto = make_node(original.name, "RestoreV2", [file, *names, *(f"^{c}" for c in original.control_inputs())]).proto
    proto.attr["dtypes"].list.type.append(original.proto.attr["dt"].type)
    proto.device = original.device
    for name, value in original.attrs.items():
        if name.startswith("_"):
            proto.attr[name].CopyFrom(value)
    yield Node(proto)


def _text_constant(graph: Graph, name: str, where: str) -> NDArray[Any]:
    """The one string in the constant called ``name``, as an array of one element."""
    source = graph.get(name.removesuffix(":0"))
    tensor = source.tensor() if source is not None and source.op == "Const" else None
    if tensor is None or tensor.dtype is not DataType.STRING or tensor.elements != 1:
        raise UnsupportedError(f"a saver reads the name of a tensor from {name}, which is not a constant", path=where)
    return tensor.numpy().reshape(1)


def with_own_saver(model: Model, graph: Graph, meta: MetaGraphDef) -> Graph:
    """Keeps the saver that ``meta`` names; adds one for the variables that have a value, where it names none."""
    if meta.saver_def.restore_op_name in graph:
        return graph
    meta.ClearField("saver_def")
    variables = [v for v in model.variables if v.in_graph and v.entry is not None]
    if not variables:
        return graph
    graph, definition = with_saver(graph, variables)
    meta.saver_def.CopyFrom(definition)
    return graph


def with_saver(graph: Graph, variables: Sequence[Variable]) -> tuple[Graph, SaverDef]:
    """``graph`` with nodes that save ``variables`` and restore them, and the description of these nodes.

    The nodes are those of ``tf.compat.v1.train.Saver``; partitions of a variable read their part of the whole tensor.

    Args:
        variables: of the graph; each with the entry that holds its value.
    """
    scope = free_scope(graph, "save")
    prefix, saved, restored, group = (f"{scope}/{n}" for n in ("Const", "SaveV2", "RestoreV2", "restore_all"))
    nodes = [*_file_name(scope), *_keys(scope, variables)]
    lists = [f"{scope}/tensor_names", f"{scope}/shape_and_slices"]
    dtypes = AttrValue()
    dtypes.list.type.extend(int(variable.dtype) for variable in variables)
    reads, assigns = _reads(scope, graph, variables), _assigns(scope, graph, variables)
    values = [read.name if read is not None else v.name for v, read in zip(variables, reads, strict=True)]
    nodes += [
        *(read for read in reads if read is not None),
        make_node(saved, "SaveV2", [prefix, *lists, *values], {"dtypes": dtypes}),
        make_node(f"{scope}/control_dependency", "Identity", [prefix, f"^{saved}"], {"T": type_attr(DataType.STRING)}),
        make_node(restored, "RestoreV2", [prefix, *lists], {"dtypes": dtypes}),
        *assigns,
        make_node(group, "NoOp", [f"^{assign.name}" for assign in assigns]),
    ]
    definition = SaverDef(
        filename_tensor_name=f"{prefix}:0",
        save_tensor_name=f"{scope}/control_dependency:0",
        restore_op_name=group,
        version=_V2,
    )
    return graph.with_nodes([*graph.nodes, *nodes]), definition


def _file_name(scope: str) -> list[Node]:
    attrs = {"dtype": type_attr(DataType.STRING), "shape": AttrValue()}
    attrs["shape"].shape.SetInParent()
    default = f"{scope}/filename"
    return [
        constant(default, _scalar("model")),
        make_node(f"{scope}/Const", "PlaceholderWithDefault", [default], attrs),
    ]


def _keys(scope: str, variables: Iterable[Variable]) -> list[Node]:
    keys = _texts([variable.key or variable.name for variable in variables])
    slices = _texts([_slice_text(variable) for variable in variables])
    return [constant(f"{scope}/tensor_names", keys), constant(f"{scope}/shape_and_slices", slices)]


def _slice_text(variable: Variable) -> str:
    """``784 10 0,196:0,10`` for a partition; empty for a whole variable."""
    if variable.slice is None or variable.entry is None:
        return ""
    extents = ":".join(f"{start},{length}" for start, length in variable.slice)
    return " ".join([*map(str, variable.entry.shape), extents])


def _reads(scope: str, graph: Graph, variables: Sequence[Variable]) -> list[Node | None]:
    """A ``ReadVariableOp`` for each resource; a reference is read by its consumer."""
    return [
        make_node(f"{scope}/Read_{i}", "ReadVariableOp", [variable.name], {"dtype": type_attr(variable.dtype)})
        if graph[variable.name].op == "VarHandleOp"
        else None
        for i, variable in enumerate(variables)
    ]


def _assigns(scope: str, graph: Graph, variables: Sequence[Variable]) -> list[Node]:
    made = []
    for i, variable in enumerate(variables):
        is_resource = graph[variable.name].op == "VarHandleOp"
        op, key = ("AssignVariableOp", "dtype") if is_resource else ("Assign", "T")
        inputs = [variable.name, f"{scope}/RestoreV2:{i}" if i else f"{scope}/RestoreV2"]
        made.append(make_node(f"{scope}/Assign_{i}", op, inputs, {key: type_attr(variable.dtype)}))
    return made


def free_scope(graph: Graph, name: str) -> str:
    """``name``, ``name_1``, ...: the first scope that no node of the graph is in."""
    return free_name(name, {node.partition("/")[0] for node in graph.by_name})


def _texts(values: Sequence[str]) -> NDArray[Any]:
    """A vector of strings."""
    import numpy as np

    array = np.empty(len(values), np.object_)
    array[:] = [value.encode() for value in values]
    return array


def _scalar(value: str) -> NDArray[Any]:
    import numpy as np

    return np.array(value.encode(), np.object_)
