"""Savers of old graphs brought up to date, new ones where there are none, and checkpoints that share data files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Node
from graphscope.core.model import Model, ModelKind
from graphscope.core.names import free_name
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.core.variables.restore import RestoreSource, restore_sources
from graphscope.core.variables.variables import Entry, Role, Variable
from graphscope.errors import FileError, UnsupportedError
from graphscope.formats.checkpoint.saver import free_scope, with_own_saver, with_restore_v2, with_saver
from graphscope.formats.checkpoint.update import update_checkpoint
from graphscope.formats.checkpoint.v2 import BundleStore
from graphscope.protos import AttrValue, MetaGraphDef, SaverDef
from tests.support.graphs import const, graph_of, names, placeholder, value
from tests.support.payloads import MemoryStore
from tests.support.saving import small_v2

# Old restore ops

TEXTS = [
    const("file", b"c", object),
    const("key", b"k", object),
    const("part", [b"4 0,2"], object),
    const("keys", [b"a", b"b"], object),
]


def restore(kind: str, *inputs: str) -> Node:
    attrs = {"dt": type_attr(DataType.HALF), "preferred_shard": AttrValue(i=3), "_class": AttrValue(s=b"c")}
    result = make_node("r", kind, inputs, attrs)
    result.proto.device = "/cpu:1"
    return result


@pytest.mark.parametrize(
    ("node", "part"),
    [
        (restore("Restore", "file", "key", "^key"), b""),
        (restore("RestoreSlice", "file", "key:0", "part", "^key"), b"4 0,2"),
    ],
)
def test_an_old_restore_op_becomes_a_new_one(node: Node, part: bytes) -> None:
    graph = with_restore_v2(graph_of(*TEXTS, node, placeholder("x")), "m")
    assert names(graph) == ["file", "key", "part", "keys", "r/tensor_names", "r/shape_and_slices", "r", "x"]
    assert (value(graph, "r/tensor_names").tolist(), value(graph, "r/shape_and_slices").tolist()) == ([b"k"], [part])
    made = graph["r"]
    assert (made.op, list(made.inputs)) == ("RestoreV2", ["file", "r/tensor_names", "r/shape_and_slices", "^key"])
    assert (list(made.attrs["dtypes"].list.type), made.device, set(made.attrs)) == (
        [DataType.HALF],
        "/cpu:1",
        {"dtypes", "_class"},
    )
    assert made.attrs["_class"].s == b"c"


def test_new_names_are_free_and_other_graphs_stay() -> None:
    graph = graph_of(
        *TEXTS, restore("Restore", "file", "key"), placeholder("r/tensor_names"), placeholder("r/tensor_names_1")
    )
    assert "r/tensor_names_2" in with_restore_v2(graph, "m")
    plain = graph_of(*TEXTS)
    assert with_restore_v2(plain, "m") is plain
    assert (free_name("x", plain), free_name("key", plain)) == ("x", "key_1")
    scopes = graph_of(placeholder("save/a"), placeholder("save_1"), placeholder("other/save_2"))
    assert (free_scope(scopes, "save"), free_scope(scopes, "a")) == ("save_2", "a")


@pytest.mark.parametrize("key", ["nowhere", "keys", "number", "x", "key:1"])
def test_a_key_that_is_no_constant_is_refused(key: str) -> None:
    graph = graph_of(*TEXTS, const("number", 1), placeholder("x"), restore("Restore", "file", key))
    with pytest.raises(UnsupportedError, match="reads the name of a tensor from"):
        with_restore_v2(graph, "m")


# New savers


def variable(name: str, key: str | None = None, part: tuple[tuple[int, int], ...] | None = None) -> Variable:
    entry = Entry(key or name, DataType.FLOAT, (4, 3) if part else (2,))
    return Variable(name, DataType.FLOAT, (2,), key, True, None, Role.MODEL, entry, part)


def test_a_saver_that_the_graph_lacks_is_forgotten() -> None:
    """A new one takes its place, if there is something to restore."""
    dtype = {"dtype": type_attr(DataType.FLOAT)}
    graph = graph_of(make_node("v", "VariableV2", (), dtype), make_node("save/restore_all", "NoOp"))
    stated = SaverDef(restore_op_name="save/restore_all", sharded=True)
    for restore_op, store, expected in (
        ("save/restore_all", True, stated),
        ("gone", False, SaverDef()),
        ("gone", True, SaverDef(restore_op_name="save_1/restore_all")),
    ):
        values = MemoryStore([("v", ArrayPayload(np.ones(2, np.float32)))]) if store else None
        model, meta = Model("m", ModelKind.GRAPH, "", (), graph, store=values), MetaGraphDef()
        meta.saver_def.CopyFrom(SaverDef(restore_op_name=restore_op, sharded=True))
        result = with_own_saver(model, graph, meta)
        assert (meta.saver_def.restore_op_name, meta.saver_def.sharded) == (expected.restore_op_name, expected.sharded)
        assert meta.HasField("saver_def") is (restore_op != "gone" or store)
        assert (result is graph) is not (restore_op == "gone" and store)


def test_a_new_saver_restores_what_it_saves() -> None:
    dtype = {"dtype": type_attr(DataType.FLOAT)}
    nodes = [
        make_node("v", "VariableV2", (), dtype),
        make_node("h", "VarHandleOp", (), dtype),
        make_node("p", "VariableV2", (), dtype),
    ]
    variables = [variable("v"), variable("h", "other"), variable("p", "whole", ((0, 2), (1, 2)))]
    graph, definition = with_saver(graph_of(*nodes, placeholder("save/x")), variables)
    assert graph.nodes[:3] == nodes
    scope = "save_1"
    stated = (
        definition.filename_tensor_name,
        definition.save_tensor_name,
        definition.restore_op_name,
        definition.version,
    )
    assert stated == (f"{scope}/Const:0", f"{scope}/control_dependency:0", f"{scope}/restore_all", 2)
    assert value(graph, f"{scope}/tensor_names").tolist() == [b"v", b"other", b"whole"]
    assert value(graph, f"{scope}/shape_and_slices").tolist() == [b"", b"", b"4 3 0,2:1,2"]
    saves = graph[f"{scope}/SaveV2"]
    lists = [f"{scope}/Const", f"{scope}/tensor_names", f"{scope}/shape_and_slices"]
    assert list(saves.inputs) == [*lists, "v", f"{scope}/Read_1", "p"]
    assert (
        list(saves.attrs["dtypes"].list.type)
        == list(graph[f"{scope}/RestoreV2"].attrs["dtypes"].list.type)
        == [1, 1, 1]
    )
    assert list(graph[f"{scope}/control_dependency"].inputs) == [f"{scope}/Const", f"^{scope}/SaveV2"]
    assert (graph[f"{scope}/Read_1"].op, list(graph[f"{scope}/Read_1"].inputs)) == ("ReadVariableOp", ["h"])
    assert graph[f"{scope}/Const"].attrs["shape"].HasField("shape")
    assert value(graph, f"{scope}/filename").tolist() == b"model"
    assert restore_sources(graph, definition.restore_op_name) == {
        "v": RestoreSource("v"), "h": RestoreSource("other"), "p": RestoreSource("whole", "4 3 0,2:1,2")
    }  # fmt: skip
    assert len(graph[f"{scope}/restore_all"].inputs) == 3
    assigns = [graph[f"{scope}/Assign_{i}"] for i in range(3)]
    assert [(node.op, {key: attr.type for key, attr in node.attrs.items()}) for node in assigns] == [
        ("Assign", {"T": DataType.FLOAT}),
        ("AssignVariableOp", {"dtype": DataType.FLOAT}),
        ("Assign", {"T": DataType.FLOAT}),
    ]


# Shared data files


def written(
    directory: Path, changed: dict[str, list[float]], *, overwrite: bool = False
) -> tuple[BundleStore, BundleStore, list[Path]]:
    """A small checkpoint, and a copy of it with other values."""
    old = BundleStore(f"{small_v2(directory)}/model")
    (directory / "old.meta").write_bytes(b"meta")
    tensors = [(key, ArrayPayload(np.array(numbers, np.float32))) for key, numbers in changed.items()]
    files = update_checkpoint(old, f"{directory}/new", tensors, meta=directory / "old.meta", overwrite=overwrite)
    return old, BundleStore(f"{directory}/new"), files


def test_changed_values_lie_in_a_file_of_their_own(tmp_path: Path) -> None:
    old, new, files = written(tmp_path, {"zzz": [1, 2], "added": [3]})
    assert list(new.entries) == sorted({*old.entries, "zzz", "added"})
    assert (new.payload("zzz").numpy().tolist(), new.payload("added").numpy().tolist()) == ([1, 2], [3])
    for key in old.entries:
        expected, found = old.payload(key).numpy(), new.payload(key).numpy()
        assert (found.tolist(), found.dtype) == (expected.tolist(), expected.dtype), key
    data = [path for path in files if ".data-" in path.name]
    assert [path.name for path in data] == [f"new.data-{i:05d}-of-{len(data):05d}" for i in range(len(data))]
    assert data == new.shard_paths
    assert [path.name for path in files[len(data) :]] == ["new.index", "new.meta"]
    assert data[0].samefile(old.shard_paths[0]), "it is shared, not copied"
    assert data[-1].stat().st_size == 12
    assert (tmp_path / "new.meta").read_bytes() == b"meta"


def test_where_all_values_change_nothing_is_shared(tmp_path: Path) -> None:
    old = BundleStore(f"{small_v2(tmp_path)}/model")
    _, new, files = written(tmp_path, {key: [float(i)] for i, key in enumerate(old.entries)})
    assert [path.name for path in files] == ["new.data-00000-of-00001", "new.index", "new.meta"]
    assert [new.payload(key).numpy().tolist() for key in new.entries] == [[float(i)] for i in range(len(old.entries))]


def test_nothing_is_replaced_unless_that_is_asked_for(tmp_path: Path) -> None:
    written(tmp_path, {"a": [1]})
    with pytest.raises(FileError):
        written(tmp_path, {"a": [2]})
    assert BundleStore(f"{tmp_path}/new").payload("a").numpy().tolist() == [1]
    _, new, _ = written(tmp_path, {"a": [2]}, overwrite=True)
    assert new.payload("a").numpy().tolist() == [2]
