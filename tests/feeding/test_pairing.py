"""Outputs and inputs of one model are found again in another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.cli.terminal.wording import to_words
from graphscope.core.model import Model, ModelKind
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.feeding.pairing import pair
from graphscope.protos import MetaGraphDef
from tests.support.running import built, tf

t = tf.compat.v1


def model(build: Callable[[], object], name: str = "m.pb") -> Model:
    return Model(name, ModelKind.GRAPH, "binary", (), built(build))


def net(
    x: str = "x", y: str = "y", scope: str = "net", dtype: Any = np.float32, width: int = 3
) -> Callable[[], object]:
    def build() -> None:
        given = t.placeholder(dtype, [None, 4], x)
        with t.name_scope(scope):
            weights = t.constant(np.arange(4 * width, dtype=np.float32).reshape(4, width), name="weights")
            hidden = t.nn.relu(t.matmul(t.cast(given, t.float32), weights, name="product"), name="relu")
        t.nn.softmax(hidden, name=y)

    return build


def two_inputs(a: str, b: str) -> Callable[[], object]:
    def build() -> None:
        one, two = (t.placeholder(t.float32, [None, 2], name) for name in (a, b))
        t.identity(one - two, "y")

    return build


def test_equal_names_are_pairs() -> None:
    found = pair(model(net()), model(net()), ["y"])
    assert (found.outputs, found.names, found.reason) == (("y:0",), {"y:0": "y:0", "x:0": "x:0"}, "")


def test_other_names_are_found_by_what_the_nodes_do() -> None:
    one, two = model(net()), model(net("images", "probabilities", "tower"))
    found = pair(one, two)
    assert found.names == {"probabilities:0": "y:0", "images:0": "x:0"}
    assert found.reason
    assert graphscope.verify(one, two).is_within


def test_swapped_names_do_as_they_are_told() -> None:
    """Each input is fed what belongs to it, even if the other model has the same names for the others."""
    one, two = model(two_inputs("a", "b")), model(two_inputs("b", "a"))
    assert not graphscope.verify(one, two, outputs="y").is_within
    found = graphscope.verify(one, two, outputs="y", map={"a": "b", "b": "a"})
    assert found.is_equal
    assert {spec.name for spec in found.inputs} == {"a:0", "b:0"}


def test_signatures_pair_what_structure_does_not() -> None:
    def signed(build: Callable[[], object], x: str, y: str) -> Model:
        meta = MetaGraphDef()
        signature = meta.signature_def["serving_default"]
        signature.inputs["images"].name, signature.outputs["scores"].name = x, y
        for info in (signature.inputs["images"], signature.outputs["scores"]):
            info.dtype = 1
        return Model("signed", ModelKind.SAVED_MODEL, "binary", (), built(build), meta)

    def other() -> None:
        given = t.placeholder(t.float32, [None, 4], "in")
        t.concat([given, given], 1, name="out")

    found = pair(signed(net(), "x:0", "y:0"), signed(other, "in:0", "out:0"), ["out"])
    assert found.names == {"out:0": "y:0", "in:0": "x:0"}


def test_what_has_no_counterpart_is_named_with_the_option_that_settles_it() -> None:
    def others() -> None:
        c, d = (t.placeholder(t.float32, [None, 2], name) for name in "cd")
        t.identity(t.matmul(c, d, transpose_b=True) + 1, "y")

    with pytest.raises(GraphscopeError, match=r"c:0, d:0 of m\.pb has no counterpart") as caught:
        pair(model(two_inputs("a", "b")), model(others), ["y"])
    assert "--map TENSOR=c:0" in to_words(caught.value.hint)


def test_the_same_tensor_twice_and_unknown_ones_are_refused() -> None:
    one, two = model(two_inputs("a", "b")), model(two_inputs("c", "d"))
    with pytest.raises(GraphscopeError, match="has two counterparts: a:0 and b"):
        pair(one, two, ["y"], {"a": "c", "b": "c"})
    with pytest.raises(UnknownNameError, match="nowhere"):
        pair(one, two, ["y"], {"nowhere": "c"})


def test_inputs_of_other_types_cannot_be_fed_the_same() -> None:
    with pytest.raises(GraphscopeError, match=r"x:0 is uint8 in m.pb, but x:0 is float32 in m.pb"):
        pair(model(net()), model(net(dtype=np.uint8)), ["y"])


def test_a_mapped_tensor_within_the_graph_is_the_output() -> None:
    found = pair(model(net()), model(net("x", "y", "tower")), (), {"net/product": "tower/product"})
    assert found.outputs == ("tower/product:0",)
