"""Lookup tables as part of a frozen graph: what TensorFlow's own tables give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope.core.model import Model, ModelKind
from graphscope.errors import GraphscopeError
from graphscope.formats.lazy.pieces import flow, graph_pieces
from graphscope.transforms.freeze import FreezeOptions, FrozenGraph, freeze
from graphscope.transforms.tables import MAX_KEYS
from tests.support.invoked import code_of
from tests.support.running import parsed, run_graph, tf

v1 = tf.compat.v1
OPS = {"string": tf.string, "int64": tf.int64, "float": tf.float32}
VALUES: dict[str, list[Any]] = {
    "string": [b"rose", b"", "blüte".encode(), b"rose tree"],
    "int64": [5, -1, 1 << 40, 0],
    "float": [0.5, -1.0, 3.0, 0.0],
}


def looked_up(keys: list[Any], values: list[Any], key: str, value: str, default: Any, shape: list[int | None]) -> Any:
    """The graph, and what it computes of ``x`` after its tables were filled."""
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(OPS[key], shape, name="x")
        initializer = tf.lookup.KeyValueTensorInitializer(
            tf.constant(keys, OPS[key]), tf.constant(values, OPS[value]), OPS[key], OPS[value]
        )
        table = tf.lookup.StaticHashTable(initializer, tf.constant(default, OPS[value]), name="table")
        tf.identity(table.lookup(x), name="y")
        tf.identity(table.size(), name="size")
        definition = graph.as_graph_def().SerializeToString()

    def expected(fed: Any) -> list[Any]:
        with tf.Graph().as_default(), v1.Session() as session:
            tf.import_graph_def(v1.GraphDef.FromString(definition), name="")
            for node in session.graph.get_operations():
                if node.type in ("InitializeTableV2", "LookupTableImportV2"):
                    session.run(node)
            return [np.asarray(value) for value in session.run(["y:0", "size:0"], {"x:0": fed})]

    return Model("m", ModelKind.GRAPH, "binary", (), parsed(definition)), expected


def frozen(model: Model, tables: bool = True) -> FrozenGraph:
    return freeze(model, FreezeOptions(["y", "size"], tables=tables))


@pytest.mark.parametrize(
    ("key", "value", "default", "shape"),
    [
        ("string", "int64", -7, [None]),
        ("int64", "string", b"unknown", [2, 3]),
        ("string", "string", b"", []),
        ("int64", "float", -1.5, [None, None]),
    ],
)
def test_the_same_is_found(key: str, value: str, default: Any, shape: list[int | None]) -> None:
    model, expected = looked_up(VALUES[key], VALUES[value], key, value, default, shape)
    found = frozen(model)
    assert list(found.tables.values()) == [4]
    assert not [op for op in found.graph.ops if "Table" in op]
    asked = np.array(
        [*VALUES[key], b"none" if key == "string" else 77, VALUES[key][0]], object if key == "string" else None
    )
    fed = asked.reshape(2, 3) if len(shape) == 2 else asked[4] if not shape else asked
    for mine, theirs in zip(run_graph(found.graph, ["y:0", "size:0"], {"x:0": fed}), expected(fed)):
        np.testing.assert_array_equal(mine, theirs)


def test_of_no_keys_nothing_is_found() -> None:
    model, expected = looked_up(VALUES["int64"], VALUES["float"], "int64", "float", 9.0, [None])
    fed = np.zeros(0, np.int64)
    np.testing.assert_array_equal(run_graph(frozen(model).graph, ["y:0"], {"x:0": fed})[0], expected(fed)[0])


def test_large_tables_keep_what_fills_them() -> None:
    count = MAX_KEYS + 1
    model, expected = looked_up(list(range(count)), [2 * k for k in range(count)], "int64", "int64", -1, [None])
    found = frozen(model)
    assert not found.tables
    [initializer] = found.initializers
    with tf.Graph().as_default(), v1.Session() as session:
        content = b"".join(flow(graph_pieces(found.graph)))
        tf.import_graph_def(v1.GraphDef.FromString(content), name="")
        session.run(initializer)
        fed = np.array([3, count])
        np.testing.assert_array_equal(session.run("y:0", {"x:0": fed}), expected(fed)[0])


def test_without_the_option_tables_are_refused() -> None:
    model, _ = looked_up(VALUES["int64"], VALUES["float"], "int64", "float", 9.0, [None])
    with pytest.raises(GraphscopeError, match="lookup tables, which a frozen graph cannot carry") as error:
        frozen(model, tables=False)
    assert "tables=True bakes small ones" in str(error.value.hint)


@pytest.mark.parametrize("tables", [False, True])
def test_a_table_that_nothing_fills_is_refused(tables: bool) -> None:
    model, _ = looked_up(VALUES["int64"], VALUES["float"], "int64", "float", 9.0, [None])
    graph = model.graph.with_nodes(n for n in model.graph if "Initialize" not in n.op and "Import" not in n.op)
    with pytest.raises(GraphscopeError, match="lookup tables") as error:
        frozen(Model("m", ModelKind.GRAPH, "binary", (), graph), tables=tables)
    assert "tables=True" not in str(error.value.hint)


def test_a_table_that_only_the_checkpoint_fills_is_refused() -> None:
    """The saver's own nodes would read a file that whoever is handed the graph does not have."""
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.int64, [None], name="x")
        table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)
        tf.identity(table.lookup(x), name="y")
        tf.identity(table.size(), name="size")
        v1.train.Saver()
        model = Model("m", ModelKind.GRAPH, "binary", (), parsed(graph.as_graph_def().SerializeToString()))
    assert "LookupTableImportV2" in model.graph.ops
    with pytest.raises(GraphscopeError, match="lookup tables, which a frozen graph cannot carry"):
        frozen(model)


def test_a_saved_model_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.int64, [None], name="x")
        table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant([1, 2], tf.int64), tf.constant(["one", "two"])), "many", name="table"
        )  # fmt: skip
        y = tf.identity(table.lookup(x), name="y")
        session.run(v1.tables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "m"), {"x": x}, {"y": y}, v1.tables_initializer())
    words = ("freeze", tmp_path / "m", tmp_path / "f.pb", "--output", "y", "--tables", "--verify")
    assert code_of(*words, "--feed", "x=[1, 2, 3]") == 0
    out = capsys.readouterr().out
    assert "is part of the graph: 2 keys" in out
    assert "equal" in out
