"""Graphs for older releases: what goes changes nothing, what cannot go is named. The table is compared with TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.changes.build import make_node
from graphscope.core.ops.history import NEWEST, OLDEST, TABLE, op_histories, parse_version
from graphscope.core.ops.table import registered_ops
from graphscope.errors import GraphscopeError
from graphscope.runtime.op_history import table_lines
from graphscope.transforms.for_tensorflow import backport
from graphscope.transforms.freeze import FreezeOptions, freeze
from tests.support.fixture_files import FIXTURES
from tests.support.graphs import graph_of, op, placeholder
from tests.support.running import built, run_graph, tf

v1 = tf.compat.v1


def test_the_table_knows_what_tensorflow_registers() -> None:
    histories = op_histories()
    assert TABLE.stat().st_size < 300_000
    for name, definition in registered_ops().items():
        assert NEWEST in histories[name].releases, name
        for attr in definition.attr:
            assert histories[name].knows(attr.name, NEWEST), f"{name}.{attr.name}"
    gone = [
        name for name, history in histories.items() if history.releases.last is None and name not in registered_ops()
    ]
    assert [name for name in gone if not name.startswith("_")] == []


@pytest.mark.parametrize(
    ("name", "version", "is_known"),
    [
        ("AddV2", "1.4", False),
        ("AddV2", "1.15", True),
        ("FusedBatchNormV3", "1.13", False),
        ("FusedBatchNormV3", "1.14", True),
        ("Rpc", "2.4", True),
        ("Rpc", "2.5", False),
    ],
)
def test_releases_of_ops(name: str, version: str, is_known: bool) -> None:
    assert (parse_version(version) in op_histories()[name].releases) is is_known


def test_attributes_of_ops() -> None:
    convolution = op_histories()["Conv2D"]
    assert not convolution.knows("dilations", (1, 4))
    assert convolution.knows("dilations", (1, 5))
    assert convolution.knows("padding", OLDEST)


def test_the_table_is_written_as_it_is_read() -> None:
    releases = {
        (1, 0): {"A": frozenset("x")},
        (1, 1): {"A": frozenset("xy"), "B": frozenset()},
        (2, 0): {"A": frozenset("y")},
    }
    assert list(table_lines(releases)) == ["A 1.0 x=1.0-1.1 y=1.1", "B 1.1-1.1"]


@pytest.mark.parametrize("version", ["1.0", "1.4", "1.14", "2.3"])
def test_the_same_is_computed(version: str) -> None:
    model = graphscope.load(FIXTURES / "batchnorm")
    values = {"is_training": np.asarray(False)}
    options = FreezeOptions(["predictions"], values=values)
    new = freeze(model, options).graph
    old = backport(new, parse_version(version))
    x = np.random.default_rng(0).random((3, 784), np.float32)
    [expected], [found] = (run_graph(graph, ["predictions:0"], {"input:0": x}) for graph in (new, old.graph))
    np.testing.assert_array_equal(found, expected)
    histories, release = op_histories(), parse_version(version)
    for node in old.graph:
        assert release in histories[node.op].releases
        assert all(histories[node.op].knows(name, release) for name in node.attrs if not name.startswith("_"))


def product(one: list[int | None], other: list[int | None]) -> Callable[[], Any]:
    def build() -> Any:
        x, y = v1.placeholder(tf.float32, one, "x"), v1.placeholder(tf.float32, other, "y")
        return tf.identity(tf.raw_ops.BatchMatMulV2(x=x, y=y), "out")

    return build


def test_products_that_do_not_broadcast() -> None:
    graph = built(product([2, 3, 4], [2, 4, 5]))
    found = backport(graph, (1, 4))
    assert found.replaced == {"BatchMatMulV2 -> BatchMatMul": 1}
    x, y = np.ones((2, 3, 4), np.float32), np.ones((2, 4, 5), np.float32)
    [value], [expected] = (run_graph(g, ["out:0"], {"x:0": x, "y:0": y}) for g in (found.graph, graph))
    np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("shapes", [([1, 3, 4], [2, 4, 5]), ([None, 3, 4], [None, 4, 5])])
def test_products_that_may_broadcast_are_named(shapes: tuple[list[int | None], list[int | None]]) -> None:
    with pytest.raises(GraphscopeError, match=r"op BatchMatMulV2 \(since 1.14\), node BatchMatMulV2"):
        backport(built(product(*shapes)), (1, 4))


def dilated() -> Any:
    x = v1.placeholder(tf.float32, [1, 8, 8, 1], "x")
    return tf.raw_ops.Conv2D(
        input=x, filter=np.ones((2, 2, 1, 1), np.float32), strides=[1] * 4, padding="SAME", dilations=[1, 2, 2, 1]
    )


def test_what_cannot_go_is_named() -> None:
    with pytest.raises(GraphscopeError) as error:
        backport(built(dilated), (1, 4))
    assert error.value.message.splitlines() == [
        "TensorFlow 1.4 cannot load the graph:",
        "  attribute dilations of Conv2D (since 1.5) is not the default: node Conv2D",
    ]
    assert backport(built(dilated), (1, 5)).stripped["Conv2D.explicit_paddings"] == 1


def test_ops_of_other_libraries_are_told() -> None:
    graph = graph_of(placeholder("x"), make_node("y", "MyOp", ["x"]))
    assert backport(graph, (1, 4)).unknown == ("MyOp",)


def test_nothing_to_do_changes_no_node() -> None:
    graph = graph_of(placeholder("x"), op("y", "Neg", "x"))
    assert all(a is b for a, b in zip(backport(graph, NEWEST).graph, graph))


@pytest.mark.parametrize("text", ["1.16", "2.22", "3.0", "0.12", "x", "1"])
def test_versions_outside_the_table(text: str) -> None:
    with pytest.raises(GraphscopeError, match="TensorFlow"):
        parse_version(text)
