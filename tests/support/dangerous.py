"""Graphs that hold every op of the table of effects, each at one place, in every format that holds a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from graphscope.board.writer import EventStream
from graphscope.core.ops.effects import OP_EFFECTS, OpEffect
from graphscope.core.ops.table import registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.protos import Event, GraphDef, MetaGraphDef, NodeDef, SavedModel

TARGET = "/outside/of/the/model"
LEVELS = ("top level", "called function", "uncalled function", "nested")


def dangerous_graph(level: str) -> GraphDef:
    """A graph with a node of every op in the table, at ``level``."""
    graph = GraphDef()
    if level == "top level":
        graph.node.extend(node for op in OP_EFFECTS for node in _nodes(op, OP_EFFECTS[op]))
        return graph
    function = graph.library.function.add()
    function.signature.name = "acts"
    function.node_def.extend(node for op in OP_EFFECTS for node in _nodes(op, OP_EFFECTS[op]))
    if level == "called function":
        graph.node.add(name="call", op="acts")
    elif level == "nested":
        for name, called in (("outer", "middle"), ("middle", "acts")):
            wrapper = graph.library.function.add()
            wrapper.signature.name = name
            wrapper.node_def.add(name="call", op="StatefulPartitionedCall").attr["f"].func.name = called
        graph.node.add(name="call", op="PartitionedCall").attr["f"].func.name = "outer"
    else:
        graph.node.add(name="x", op="NoOp")
    return graph


def _nodes(op: str, does: OpEffect) -> Iterator[NodeDef]:
    node = NodeDef(name=f"n/{op}", op=op)
    definition = registered_ops()[op]
    for argument in definition.input_arg:
        if argument.name == does.argument:
            yield _text(f"n/{op}/{argument.name}")
        node.input.append(f"n/{op}/{argument.name}" if argument.name == does.argument else "missing")
    if does.attribute:
        [kind] = [attr.type for attr in definition.attr if attr.name == does.attribute]
        value = node.attr[does.attribute]
        if kind == "string":
            value.s = TARGET.encode()
        else:
            value.list.s.append(TARGET.encode())
    yield node


def _text(name: str) -> NodeDef:
    node = NodeDef(name=name, op="Const")
    tensor = node.attr["value"].tensor
    node.attr["dtype"].type = tensor.dtype = int(DataType.STRING)
    tensor.tensor_shape.SetInParent()
    tensor.string_val.append(TARGET.encode())
    return node


def _pb(graph: GraphDef, directory: Path) -> Path:
    path = directory / "graph.pb"
    path.write_bytes(graph.SerializeToString())
    return path


def _pbtxt(graph: GraphDef, directory: Path) -> Path:
    path = directory / "graph.pbtxt"
    path.write_text(str(graph))
    return path


def _meta(graph: GraphDef, directory: Path) -> Path:
    path = directory / "graph.meta"
    meta = MetaGraphDef(graph_def=graph)
    meta.meta_info_def.tensorflow_version = "2.21.0"
    path.write_bytes(meta.SerializeToString())
    return path


def _saved_model(graph: GraphDef, directory: Path) -> Path:
    saved = SavedModel(saved_model_schema_version=1)
    meta = saved.meta_graphs.add()
    meta.graph_def.CopyFrom(graph)
    meta.meta_info_def.tags.append("serve")
    (directory / "saved_model.pb").write_bytes(saved.SerializeToString())
    return directory


def _events(graph: GraphDef, directory: Path) -> Path:
    path = directory / "events.out.tfevents.1"
    with path.open("wb") as file:
        EventStream(file).add(Event(graph_def=graph.SerializeToString()))
    return path


WRITERS: dict[str, Callable[[GraphDef, Path], Path]] = {
    "pb": _pb,
    "pbtxt": _pbtxt,
    "meta": _meta,
    "SavedModel": _saved_model,
    "event file": _events,
}
