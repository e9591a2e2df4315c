"""What each guard of the core is there for."""

from __future__ import annotations

from typing import Any

import pytest

from graphscope.core.build import node, type_attr
from graphscope.core.dtypes import DataType
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.restore import Source, restore_sources
from graphscope.protos import AttrValue, FunctionDef
from tests.graphs import FLOAT, const, graph_of

HANDLE = {"dtype": type_attr(DataType.FLOAT)}


def restoring(key: str, prefix: str, variable: str, scope: str = "") -> list[Node]:
    """``variable`` gets the value stored under ``key``. ``scope`` is put before the names."""
    output = ":tensors:0" if not scope else ""
    name = f"{scope}restore"
    return [
        const(f"{scope}names", [key.encode()], object),
        const(f"{scope}slices", [b""], object),
        node(name, "RestoreV2", [prefix, f"{scope}names", f"{scope}slices"]),
        node(f"{scope}value", "Identity", [name + output], FLOAT),
        node(f"{scope}assign", "AssignVariableOp", [variable, f"{scope}value"], HANDLE),
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
        node("v", "VarHandleOp", (), HANDLE),
        const("file", b"ckpt", object),
        *restoring("old", "file", "v", "save/"),
        node("call", "StatefulPartitionedCall", ["file", "v"], {"f": called}),
    ).with_functions([restore_function("new")])


@pytest.mark.parametrize(
    ("restore_op", "key"), [("call", "new"), ("", "old"), ("save/assign", "old"), ("nothing", "old")]
)
def test_the_savers_own_restore_op_says_the_key(restore_op: str, key: str) -> None:
    assert restore_sources(two_ways(), restore_op) == {"v": Source(key)}
