"""Graphs for a fixed number of examples, written as text: what is opened, what is rewritten, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from graphscope.errors import GraphscopeError
from graphscope.training.graft.open_batch import Opened, open_batch
from tests.support.running import tf
from tests.support.written import graph_of

v1 = tf.compat.v1
X = "x Placeholder(4,2)"
C = "c Const=[[1,2],[3,4],[5,6],[7,8]]"


def opened(text: str, tensors: tuple[str, ...] = ("out",)) -> Opened:
    graph = graph_of(text.split("; "))
    graph.header.versions.producer = 1000
    return open_batch(graph, "m", tensors)


def shape(tensor: Any) -> tuple[int | None, ...]:
    return tuple(tensor.shape.as_list())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{X}; w Const=[[1,2],[3,4]]; out MatMul x w", (None, 2)),
        (f"{X}; k Placeholder:int32(); out Neg x", (None, 2)),
        (f"{X}; s Const:int32=[-1,2]; out Reshape x s", (None, 2)),
        (f"{X}; y Placeholder(?,2); out Add x y", (None, 2)),
        ("x Placeholder(1,2); s Const:int32=[1,2,1]; out Reshape x s", (None, 2, 1)),
    ],
)
def test_what_is_opened(text: str, expected: tuple[int | None, ...]) -> None:
    found = opened(text)
    assert found.is_changed
    assert shape(found.imported.get_tensor_by_name("out:0")) == expected
    assert [d.size for d in found.graph["x"].attrs["shape"].shape.dim] == [-1, 2]


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        (f"{X}; s Const:int32=[4,1,2]; out Reshape x s", {"out": [-1, 1, 2]}),
        (f"{X}; s Const:int32=[4,-1]; out Reshape x s", {"out": [-1, 2]}),
        ("x Placeholder(4,6); s Const:int32=[4,-1,3]; out Reshape x s", {"out": [-1, 2, 3]}),
        ("x Placeholder(4,6); s Const:int32=[4,2,3]; a Reshape x s; t Const:int32=[4,6]; out Reshape a t",
         {"a": [-1, 2, 3], "out": [-1, 6]}),
        ("x Placeholder(?,2); s Const:int32=[4,2]; out Reshape x s", {"out": [-1, 2]}),
        (f"{X}; s Const:int32=[4,2]; r Reshape c s; {C}; out Neg x", {"r": [4, 2]}),
    ],
)  # fmt: skip
def test_shapes_that_are_rewritten(text: str, shapes: dict[str, list[int]]) -> None:
    found = opened(text)
    made = {n.name: found.graph[n.inputs[1]].tensor() for n in found.graph if n.op == "Reshape"}
    assert {name: None if tensor is None else tensor.numpy().tolist() for name, tensor in made.items()} == shapes
    assert shape(found.imported.get_tensor_by_name("out:0"))[0] is None


@pytest.mark.parametrize(
    "text",
    [
        "x Placeholder(?,2); out Neg x",
        f"{X}; y Placeholder(5,2); out Neg x",
        f"{X}; y Placeholder(4,2); z Placeholder(3); out Add x y",
        "x Placeholder(); out Neg x",
    ],
)
def test_what_stays_as_it_is(text: str) -> None:
    found = opened(text)
    assert not found.is_changed
    assert [n.name for n in found.graph] == [part.split()[0] for part in text.split("; ")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{X}; s Const:int32=[2,4]; out Reshape x s", r"batch of 4: .*node out \(Reshape\) does not allow it"),
        (f"{X}; s Const:int32=[8]; out Reshape x s", r"batch of 4: out is \(8\), not one row per example"),
        (
            f"{X}; s Const:int32=[2,4]; r Reshape x s; out Neg x",
            r"batch of 4: .*node r \(Reshape\) does not allow it",
        ),
        (f"{X}; {C}; out Add x c", r"batch of 4: .*node out \(Add\) does not allow it"),
        (f"{X}; {C}; a Add x c; b Neg a; out Neg b", r"node a \(Add\) does not allow it"),
        (f"{X}; o Const=1; i Const:int32=[0,1]; out Sum x i; l Neg out", r"out is \(\), not one row per example"),
        (
            "x Placeholder(4,2); s Const:int32=[4,2]; t Const:int32=[2,4]; a Reshape x t; out Reshape a s",
            r"node a \(Reshape\) does not allow it",
        ),
    ],
)
def test_what_states_the_number_otherwise_is_refused(text: str, message: str) -> None:
    with pytest.raises(GraphscopeError, match=message):
        opened(text)
