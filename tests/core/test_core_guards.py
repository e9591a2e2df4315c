"""What each guard of the core is there for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.core.variables.object_graph import saved_variables
from graphscope.core.variables.restore import RestoreSource, restore_sources
from graphscope.core.variables.variables import Role
from graphscope.protos import AttrValue, FunctionDef, SavedObjectGraph, TrackableObjectGraph
from tests.support.graphs import FLOAT, const, graph_of
from tests.support.running import tf

v1 = tf.compat.v1

HANDLE = {"dtype": type_attr(DataType.FLOAT)}


def restoring(key: str, prefix: str, variable: str, scope: str = "") -> list[Node]:
    """``variable`` gets the value stored under ``key``. ``scope`` is put before the names."""
    output = ":tensors:0" if not scope else ""
    name = f"{scope}restore"
    return [
        const(f"{scope}names", [key.encode()], object),
        const(f"{scope}slices", [b""], object),
        make_node(name, "RestoreV2", [prefix, f"{scope}names", f"{scope}slices"]),
        make_node(f"{scope}value", "Identity", [name + output], FLOAT),
        make_node(f"{scope}assign", "AssignVariableOp", [variable, f"{scope}value"], HANDLE),
    ]


def restore_function(key: str) -> Function:
    proto = FunctionDef()
    proto.signature.name = "restore"
    proto.signature.input_arg.add(name="file", type=int(DataType.STRING))
    proto.signature.input_arg.add(name="handle", type=int(DataType.RESOURCE))
    body = restoring(key, "file", "handle")
    return Function(proto, body)


def two_ways(**attrs: Any) -> Graph:
    """An assign that takes the key ``old``, and a restore function that takes ``new``."""
    called = AttrValue()
    called.func.name = "restore"
    return graph_of(
        make_node("v", "VarHandleOp", (), HANDLE),
        const("file", b"ckpt", object),
        *restoring("old", "file", "v", "save/"),
        make_node("call", "StatefulPartitionedCall", ["file", "v"], {"f": called}),
    ).with_functions([restore_function("new")])


@pytest.mark.parametrize(
    ("restore_op", "key"), [("call", "new"), ("", "old"), ("save/assign", "old"), ("nothing", "old")]
)
def test_the_savers_own_restore_op_says_the_key(restore_op: str, key: str) -> None:
    assert restore_sources(two_ways(), restore_op) == {"v": RestoreSource(key)}


# Types


def test_every_type_is_tensorflows() -> None:
    for dtype in DataType:
        if dtype is DataType.INVALID:
            continue
        try:
            theirs = tf.dtypes.as_dtype(int(dtype))
        except TypeError:
            continue
        assert (dtype.label, int(dtype)) == (theirs.name, theirs.as_datatype_enum)
        assert dtype.is_floating is theirs.is_floating, dtype
        if dtype.itemsize is not None and not theirs.is_quantized:
            assert dtype.itemsize == theirs.size, dtype
            assert DataType.from_numpy(np.dtype(theirs.as_numpy_dtype)) is dtype
    assert len(set(map(int, DataType))) == len(DataType.__members__)


# Constants


@pytest.mark.parametrize("value", [np.float32(2), np.zeros((0, 3), np.int64), np.array([b"a", b""], object)])
def test_a_constant_is_what_tensorflow_reads(value: Any) -> None:
    proto = const("c", value, value.dtype).proto.attr["value"].tensor
    assert proto.HasField("tensor_shape"), "without it the rank would be unknown"
    theirs = tf.make_ndarray(tf.make_tensor_proto(0).FromString(proto.SerializeToString()))
    assert (theirs.shape, theirs.tolist()) == (value.shape, value.tolist())


@pytest.mark.parametrize(("count", "is_payload"), [(256, False), (257, True)])
def test_what_is_larger_than_a_kilobyte_stays_outside(count: int, is_payload: bool) -> None:
    found = const("c", np.arange(count))
    assert ("value" in found.payloads) is is_payload
    assert bool(found.proto.attr["value"].tensor.tensor_content) is not is_payload
    tensor = found.tensor()
    assert tensor is not None
    assert tensor.numpy().tolist() == list(range(count))


def test_strings_have_no_bytes_to_stream() -> None:
    with pytest.raises(TypeError, match="strings"):
        list(ArrayPayload(np.array([b"a"], object)).chunks())
    big_endian = ArrayPayload(np.arange(3, dtype=">i4"))
    assert b"".join(big_endian.chunks()) == np.arange(3, dtype="<i4").tobytes()


# Objects


def trees() -> tuple[SavedObjectGraph, TrackableObjectGraph]:
    """root -> layer -> w, and root -> again, the same layer; the checkpoint's nodes have other numbers. A cycle leads back."""
    saved, objects = SavedObjectGraph(), TrackableObjectGraph()
    for _ in range(3):
        saved.nodes.add()
    saved.nodes[0].children.add(node_id=1, local_name="layer")
    saved.nodes[0].children.add(node_id=1, local_name="again")
    saved.nodes[0].children.add(node_id=9, local_name="outside")
    saved.nodes[1].children.add(node_id=2, local_name="w")
    saved.nodes[1].children.add(node_id=0, local_name="parent")
    saved.nodes[2].variable.name = "w"
    saved.nodes[2].variable.dtype = 1
    for _ in range(5):
        objects.nodes.add()
    objects.nodes[0].children.add(node_id=3, local_name="layer")
    objects.nodes[0].children.add(node_id=4, local_name="again")
    objects.nodes[0].children.add(node_id=2, local_name="outside")
    objects.nodes[3].children.add(node_id=1, local_name="w")
    objects.nodes[3].children.add(node_id=0, local_name="parent")
    objects.nodes[1].attributes.add(full_name="w", checkpoint_key="layer/w")
    return saved, objects


def test_equal_paths_lead_to_the_same_variable() -> None:
    saved, objects = trees()
    assert [(v.name, v.key) for v in saved_variables(saved, objects)] == [("w", "layer/w")]
    assert [v.key for v in saved_variables(saved, None)] == [None]
    assert [v.key for v in saved_variables(saved, TrackableObjectGraph())] == [None]
    assert saved_variables(SavedObjectGraph(), objects) == []


@pytest.mark.parametrize("number", [-1, 5, 1 << 30])
def test_children_outside_of_the_object_graph_are_nobody(number: int) -> None:
    saved, objects = trees()
    objects.nodes[3].children[0].node_id = number
    assert [v.key for v in saved_variables(saved, objects)] == [None]


# Roles


@pytest.mark.parametrize("use_resource", [False, True])
def test_a_local_variable_stays_local_where_a_saver_saves_it(tmp_path: Path, use_resource: bool) -> None:
    with tf.Graph().as_default():
        local = [v1.GraphKeys.LOCAL_VARIABLES]
        v = v1.get_variable("seen", [2], trainable=False, collections=local, use_resource=use_resource)
        both = [*local, v1.GraphKeys.GLOBAL_VARIABLES]
        w = v1.get_variable("both", [2], trainable=False, collections=both, use_resource=use_resource)
        with v1.Session() as session:
            session.run([v.initializer, w.initializer])
            v1.train.Saver([v, w]).save(session, f"{tmp_path}/m")
    found = {variable.name: variable.role for variable in graphscope.load(f"{tmp_path}/m").variables}
    assert found == {"seen": Role.LOCAL, "both": Role.MODEL}
