"""Variables joined with the values of a checkpoint, node by node: keys, roles, shapes, and the values that nobody takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.collections import collections_of
from graphscope.core.graph import Node
from graphscope.core.ops.table import registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.core.variables.binding import bind
from graphscope.core.variables.object_graph import OBJECT_GRAPH_KEY
from graphscope.core.variables.variables import Entry, Role, Variable
from graphscope.protos import AttrValue, MetaGraphDef, TrackableObjectGraph, VariableDef
from tests.support.graphs import FLOAT, const, graph_of
from tests.support.running import attr_value


class Store:
    """A checkpoint of which only the index is asked."""

    def __init__(self, entries: Mapping[str, tuple[DataType, tuple[int, ...]]]) -> None:
        self.entries = {key: Entry(key, dtype, shape) for key, (dtype, shape) in entries.items()}

    def payload(self, key: str) -> Payload:
        raise AssertionError(key)


def stored(*keys: str, shape: tuple[int, ...] = (2,)) -> Store:
    return Store(dict.fromkeys(keys, (DataType.FLOAT, shape)))


def variable(name: str, kind: str = "VarHandleOp", shape: tuple[int, ...] | None = (2,), dtype: bool = True) -> Node:
    attrs = {"dtype": type_attr(DataType.FLOAT)} if dtype else {}
    if shape is not None:
        attrs["shape"] = attr_value(registered_ops()["Placeholder"], "shape", shape)
    return make_node(name, kind, (), attrs)


def restored(
    name: str, key: str, text: str = "", kind: str = "AssignVariableOp", between: str = "", **attrs: AttrValue
) -> list[Node]:
    """Nodes that put the value under ``key`` into ``name``, through a node of op ``between``."""
    scope = f"{name}/save"
    nodes = [const(f"{scope}/keys", [key.encode()], object), const(f"{scope}/parts", [text.encode()], object)]
    nodes.append(make_node(f"{scope}/r", "RestoreV2", ["file", f"{scope}/keys", f"{scope}/parts"]))
    source = f"{scope}/r"
    if between:
        nodes.append(make_node(f"{scope}/b", between, [source]))
        source = f"{scope}/b"
    return [*nodes, make_node(f"{scope}/a", kind, [name, source], attrs)]


def meta_of(**collections: Sequence[str]) -> MetaGraphDef:
    meta = MetaGraphDef()
    for key, names in collections.items():
        values = meta.collection_def[key].bytes_list.value
        values.extend(VariableDef(variable_name=f"{name}:0").SerializeToString() for name in names)
        meta.collection_def[key].SetInParent()
    return meta


def bound(
    nodes: Sequence[Node] | None,
    store: Store | None = None,
    meta: MetaGraphDef | None = None,
    objects: TrackableObjectGraph | None = None,
) -> dict[str, Variable]:
    meta = meta or MetaGraphDef()
    graph = None if nodes is None else graph_of(*nodes)
    return {v.name: v for v in bind(graph, meta, collections_of(meta), store, objects)}


# Keys


def test_a_variable_takes_the_value_of_its_name_or_of_its_restore_op() -> None:
    found = bound([variable("v"), variable("w"), variable("x"), *restored("w", "other")], stored("v", "other", "extra"))
    assert {name: (v.key, v.in_graph) for name, v in found.items()} == {
        "v": ("v", True), "w": ("other", True), "x": (None, True), "extra": ("extra", False)
    }  # fmt: skip
    assert (found["x"].entry, found["v"].entry) == (None, stored("v").entries["v"])
    assert list(bound([variable("v")])) == ["v"]


def test_a_key_that_only_objects_know() -> None:
    objects = TrackableObjectGraph()
    objects.nodes.add().attributes.add(full_name="v", checkpoint_key="path/v")
    store = stored("path/v", OBJECT_GRAPH_KEY)
    found = bound([variable("v")], store, objects=objects)
    assert [(v.name, v.key) for v in found.values()] == [("v", "path/v")]
    alone = bound(None, store, objects=objects)
    assert [(v.name, v.key, v.in_graph) for v in alone.values()] == [("v", "path/v", False)]
    assert OBJECT_GRAPH_KEY in store.entries


def test_the_type_and_the_shape_that_the_graph_declares() -> None:
    untyped = bound([variable("v", dtype=False)])["v"]
    assert (untyped.dtype, bound([variable("v")])["v"].dtype) == (DataType.INVALID, DataType.FLOAT)
    store = stored("v", shape=(2, 3))
    for kind, shape, expected in (
        ("VarHandleOp", (2, 3), (2, 3)),
        ("VarHandleOp", (-1, 3), (2, 3)),
        ("VarHandleOp", None, (2, 3)),
        ("VarHandleOp", (), ()),
        ("VariableV2", (), ()),
        ("Variable", (), (2, 3)),
        ("Variable", (4,), (4,)),
    ):
        assert bound([variable("v", kind, shape)], store)["v"].shape == expected, (kind, shape)
    assert bound([variable("v", "Variable", ())])["v"].shape is None
    assert bound([variable("v", shape=(-1, 3))])["v"].shape == (None, 3)


@pytest.mark.parametrize(
    ("nodes", "demanded", "part", "converts"),
    [
        ([], (2,), None, False),
        (restored("v", "v"), (2,), None, False),
        (restored("v", "v", kind="Assign", validate_shape=AttrValue(b=False)), None, None, False),
        (restored("v", "v", between="Cast"), (2,), None, True),
        (restored("v", "v", "6 0,2"), (6,), ((0, 2),), False),
        (restored("v", "v", "no part"), (2,), None, False),
    ],
)
def test_what_a_value_must_have(nodes: list[Node], demanded: Any, part: Any, converts: bool) -> None:
    found = bound([variable("v"), *nodes], stored("v", shape=(6,)))["v"]
    assert (found.demanded, found.slice, found.converts, found.shape) == (demanded, part, converts, (2,))
    assert bound([variable("v", shape=(-1,))])["v"].demanded is None
    open_part = bound([variable("v", shape=(-1,)), *restored("v", "v", "6 0,2")], stored("v", shape=(6,)))["v"]
    assert (open_part.shape, open_part.demanded) == ((None,), (6,))


# Roles


@pytest.mark.parametrize(
    ("collections", "role"),
    [
        ({}, Role.MODEL),
        ({"variables": ["v"]}, Role.MODEL),
        ({"variables": ["other"]}, Role.LOCAL),
        ({"variables": []}, Role.LOCAL),
        ({"local_variables": ["v"]}, Role.LOCAL),
        ({"local_variables": ["v"], "variables": ["v"]}, Role.MODEL),
        ({"global_step": ["v"]}, Role.STEP),
        ({"global_step": ["v"], "local_variables": ["v"]}, Role.LOCAL),
    ],
)
def test_collections_tell_roles(collections: dict[str, list[str]], role: Role) -> None:
    assert bound([variable("v")], meta=meta_of(**collections))["v"].role is role


def test_what_a_saver_restores_belongs_to_the_model() -> None:
    meta = meta_of(variables=["other"])
    assert bound([variable("v"), *restored("v", "v")], meta=meta)["v"].role is Role.MODEL
    assert bound([variable("v"), *restored("v", "v")], meta=meta_of(local_variables=["v"]))["v"].role is Role.LOCAL


def test_names_and_training_ops_tell_slots() -> None:
    nodes = [
        variable("w"),
        variable("w/Adam"),
        variable("global_step"),
        variable("m", "VariableV2"),
        variable("n", "VariableV2"),
    ]
    nodes.append(make_node("t", "ApplyMomentum", ["m", "n", "lr", "g", "mu"], FLOAT))
    roles = {name: v.role for name, v in bound(nodes).items()}
    assert roles == {"w": Role.MODEL, "w/Adam": Role.SLOT, "global_step": Role.STEP, "m": Role.MODEL, "n": Role.SLOT}
    renamed = bound([variable("v"), *restored("v", "net/global_step")])
    assert renamed["v"].role is Role.STEP


def test_what_is_trainable_is_what_a_collection_lists() -> None:
    nodes = [variable("v"), variable("w")]
    assert [v.trainable for v in bound(nodes).values()] == [None, None]
    assert [v.trainable for v in bound(nodes, meta=meta_of(trainable_variables=["w"])).values()] == [False, True]


def test_values_that_nobody_takes_have_roles_by_name() -> None:
    found = bound([variable("w")], stored("w", "w/Adam", "other/Momentum", "x", "x/Momentum"))
    assert {n: v.role for n, v in found.items() if not v.in_graph} == {
        "w/Adam": Role.SLOT, "other/Momentum": Role.MODEL, "x": Role.MODEL, "x/Momentum": Role.SLOT
    }  # fmt: skip
    assert all(
        v.trainable is None and v.entry is not None and v.shape == (2,) for v in found.values() if not v.in_graph
    )


# SavedModels


def saved_model(*names: str, key: str = "") -> tuple[MetaGraphDef, TrackableObjectGraph]:
    """A root with one variable for each name; ``key`` is what the checkpoint calls the first."""
    meta, objects = MetaGraphDef(), TrackableObjectGraph()
    root, theirs = meta.object_graph_def.nodes.add(), objects.nodes.add()
    for i, name in enumerate(names, 1):
        root.children.add(node_id=i, local_name=f"c{i}")
        made = meta.object_graph_def.nodes.add().variable
        made.name, made.dtype, made.trainable = name, 1, i == 1
        made.shape.dim.add(size=2)
        theirs.children.add(node_id=i, local_name=f"c{i}")
        node = objects.nodes.add()
        if i == 1 and key:
            node.attributes.add(full_name=name, checkpoint_key=key)
    return meta, objects


def test_a_saved_models_variables_are_found_by_their_paths() -> None:
    meta, objects = saved_model("w", "b", key="path/w")
    found = bound([variable("w"), variable("b"), variable("scratch")], stored("path/w"), meta, objects)
    assert [(v.name, v.key, v.trainable, v.role) for v in found.values()] == [
        ("w", "path/w", True, Role.MODEL), ("b", None, False, Role.MODEL), ("scratch", None, None, Role.LOCAL)
    ]  # fmt: skip
    assert (found["w"].demanded, found["w"].shape, found["w"].in_graph) == ((2,), (2,), True)


def test_without_an_object_graph_the_restore_function_says_the_key() -> None:
    meta, _ = saved_model("w")
    nodes = [variable("w"), *restored("w", "path/w")]
    assert [(v.name, v.key) for v in bound(nodes, stored("path/w"), meta).values()] == [("w", "path/w")]
    twice, _ = saved_model("w", "w")
    assert [(v.name, v.key) for v in bound(nodes, stored("path/w"), twice).values()] == [("w", "path/w")]
    assert bound(nodes, stored("path/w"), twice)["w"].trainable is None, "listed as the op that it is"


def test_of_equal_names_the_op_is_the_one_that_the_restore_function_fills() -> None:
    meta, objects = saved_model("w", "w", key="first")
    nodes = [variable("w_1"), *restored("w_1", "first")]
    assert list(bound(nodes, stored("first"), meta, objects)) == ["w_1", "w"]
