"""Folding at its limits: what counts as read, as made, as grown; and which outputs of a node become constants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import constant, make_node, type_attr, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.transforms import fold as folding
from graphscope.transforms.effects import Effects, sweep
from graphscope.transforms.fold import fold
from tests.support.graphs import FLOAT, const, graph_of, names, op, placeholder, value
from tests.support.running import Array

AXIS = const("axis", 0, np.int32)
MEBI = 1 << 20


def zeros(count: int, name: str = "w") -> Node:
    return constant(name, np.zeros(count, np.float32))


def reading(*sources: str) -> list[Node]:
    return [placeholder("x"), *(op(f"y_{s.replace(':', '_')}", "Add", "x", s) for s in sources)]


def lend(*arrays: Array) -> Any:
    return lambda single, inputs: list(arrays)


# Sizes


@pytest.mark.parametrize(("count", "folds"), [(2 * MEBI, True), (2 * MEBI + 1, False)])
def test_eight_mebibytes_are_read_and_no_more(count: int, folds: bool) -> None:
    graph = graph_of(zeros(count), op("n", "Neg", "w"), *reading("n"))
    assert ("Neg" not in fold(graph).ops) is folds


@pytest.mark.parametrize(("count", "folds"), [(2 * MEBI, True), (2 * MEBI + 1, False)])
def test_what_is_lent_reads_and_makes_as_much(count: int, folds: bool) -> None:
    taken = graph_of(zeros(count), op("s", "Softmax", "w"), *reading("s"))
    assert ("Softmax" not in fold(taken, evaluate=lend(np.zeros(1, np.float32))).ops) is folds
    made = graph_of(zeros(1), op("s", "Softmax", "w"), *reading("s"))
    answer = lend(np.zeros(count, np.float32))
    assert ("Softmax" not in fold(made, evaluate=answer, max_growth_bytes=16 * MEBI).ops) is folds


def test_what_folding_holds_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each negative takes 4,000 bytes of the room; what is passed on takes none; a kilobyte is always there."""
    monkeypatch.setattr(folding, "MAX_HELD_BYTES", 8_000)
    large = [
        n
        for i in range(3)
        for n in (zeros(1000, f"w{i}"), op(f"i{i}", "Identity", f"w{i}"), op(f"n{i}", "Neg", f"i{i}"))
    ]
    small = [
        n
        for s, count in (("s", 256), ("t", 257))
        for n in (zeros(count, s), op(f"i{s}", "Identity", s), op(f"n{s}", "Neg", f"i{s}"))
    ]
    folded = fold(graph_of(*large, *small, *reading("n0", "n1", "n2", "ns", "nt")))
    assert sorted(n.name for n in folded if n.op == "Neg") == ["n2", "nt"]


def test_a_constant_of_one_kibibyte_does_not_count_as_growth() -> None:
    def filled(count: int) -> Graph:
        dims = const("dims", [count], np.int32)
        return graph_of(dims, const("v", 1), make_node("f", "Fill", ["dims", "v"], FLOAT), *reading("f"))

    assert "Fill" not in fold(filled(256), max_growth_bytes=0).ops
    assert "Fill" in fold(filled(257), max_growth_bytes=0).ops
    paid = 4 * 257 - 4 - 4
    assert "Fill" not in fold(filled(257), max_growth_bytes=paid).ops
    assert "Fill" in fold(filled(257), max_growth_bytes=paid - 1).ops


def test_the_default_growth_is_a_mebibyte() -> None:
    def tiled(count: int) -> Graph:
        return graph_of(zeros(1), const("n", [count], np.int32), op("t", "Tile", "w", "n", Tmultiples=DataType.INT32),
                        *reading("t", "w", "n"))  # fmt: skip

    graph = tiled(MEBI // 4)
    assert "Tile" not in fold(graph).ops
    assert "Tile" in fold(tiled(MEBI // 4 + 1)).ops


def test_what_two_paths_lead_to_is_freed_once() -> None:
    """Two results of one weight put together take 4 MiB, where 2 MiB go: 2 MiB more than there were."""
    parts = [zeros(MEBI // 2), op("n", "Neg", "w"), op("m", "Abs", "w"), AXIS]
    graph = graph_of(*parts, op("c", "ConcatV2", "n", "m", "axis", N=2), *reading("c"))
    assert "ConcatV2" in fold(graph).ops
    assert "ConcatV2" not in fold(graph, max_growth_bytes=2 * MEBI).ops


# Outputs


def split(name: str, source: str, num: int) -> Node:
    return op(name, "Split", "axis", source, num_split=num)


def test_only_outputs_that_are_read_count_and_become_constants() -> None:
    graph = graph_of(AXIS, const("c", [1, 2, 3]), split("s", "c", 3), *reading("s:2"))
    folded = fold(graph)
    assert names(folded) == ["s/folded_2", "x", "y_s_2"]
    assert value(folded, "s/folded_2").tolist() == [3]


def test_a_folded_node_reads_other_outputs_itself() -> None:
    graph = graph_of(AXIS, const("c", [1, 2]), split("s", "c", 2), op("n", "Neg", "s:1"), *reading("n"))
    folded = fold(graph)
    assert names(folded) == ["n", "x", "y_n"]
    assert value(folded, "n").tolist() == [-2]


def test_every_name_that_is_taken_is_passed_over() -> None:
    taken = [placeholder("s/folded_1"), placeholder("s/folded_1_1")]
    folded = fold(graph_of(AXIS, const("c", [1, 2]), split("s", "c", 2), *taken, *reading("s:1")))
    assert names(folded) == ["s/folded_1_2", "s/folded_1", "s/folded_1_1", "x", "y_s_1"]


def test_a_node_of_several_outputs_that_nobody_takes_stays_and_so_do_its_inputs() -> None:
    graph = graph_of(AXIS, const("c", [1, 2]), op("n", "Neg", "c"), split("s", "n", 2))
    folded = fold(graph)
    assert names(folded) == ["axis", "n", "s"]
    assert value(folded, "n").tolist() == [-1, -2]


def test_a_large_node_that_stays_keeps_its_inputs() -> None:
    count = const("count", [MEBI], np.int32)
    graph = graph_of(
        count,
        const("one", 1),
        op("minus", "Neg", "one"),
        make_node("f", "Fill", ["count", "minus"], FLOAT),
        *reading("f"),
    )
    folded = fold(graph)
    assert (folded["f"].op, folded["minus"].op) == ("Fill", "Const")


@pytest.mark.parametrize("reads", ["w", "n"])
def test_what_another_node_takes_too_is_not_freed(reads: str) -> None:
    """The result takes 4 MB; its source goes only where nobody else reads it, be it through other nodes that go."""
    nodes = [zeros(MEBI), op("n", "Neg", "w"), op("m", "Abs", "w"), op("s", "Sub", "n", "m"), op("a", "Neg", "s")]
    assert "Neg" not in fold(graph_of(*nodes, *reading("a")), max_growth_bytes=0).ops
    shared = fold(graph_of(*nodes, *reading("a"), op("other", "Add", "x", reads)), max_growth_bytes=0)
    assert shared["a"].op == ("Neg" if reads == "w" else "Const") or shared["n"].op == "Neg"


# Control edges and rewiring


def test_a_control_edge_of_a_reader_stays_one() -> None:
    graph = graph_of(AXIS, const("c", [1, 2]), split("s", "c", 2), op("r", "Neg", "x", "^s"), *reading("s:1"))
    folded = fold(graph)
    assert list(folded["r"].inputs) == ["x", "^s"]
    assert list(folded["y_s_1"].inputs) == ["x", "s/folded_1"]


def test_readers_of_a_first_output_stay_as_they_are() -> None:
    reader = op("y", "Add", "x", "n:0")
    assert fold(graph_of(const("c", 1), op("n", "Neg", "c"), placeholder("x"), reader))["y"] is reader


def test_a_device_stays_and_no_colocation_appears() -> None:
    placed = op("n", "Neg", "c")
    placed.proto.device = "/cpu:1"
    folded = fold(graph_of(const("c", 1), placed, *reading("n")))
    assert folded["n"].device == "/cpu:1"
    assert "_class" not in folded["n"].attrs


def test_no_op_that_waits_alone_is_a_constant() -> None:
    graph = graph_of(const("c", 1), make_node("group", "NoOp", ["^c"]), op("n", "Neg", "c", "^group"), *reading("n"))
    assert fold(graph)["n"].op == "Const"
    unknown = graph_of(const("c", 1), make_node("e", "SomebodysOp", []), op("n", "Neg", "c", "^e"), *reading("n"))
    assert list(fold(unknown)["n"].inputs) == ["^e"]


def test_a_variant_is_no_constant() -> None:
    handle = make_node("h", "Identity", ["c"], {"T": type_attr(DataType.VARIANT)})
    held = constant("c", ArrayPayload(np.zeros(1, np.uint8), DataType.UINT8))
    held.proto.attr["dtype"].type = int(DataType.VARIANT)
    held.proto.attr["value"].tensor.dtype = int(DataType.VARIANT)
    graph = graph_of(held, handle)
    assert fold(graph) is graph


# Sweeping


def swept(nodes: list[Node], gone: str, keep: tuple[str, ...] = (), passed: tuple[str, ...] = ()) -> list[str]:
    """What is left of ``nodes`` once the node ``gone`` no longer takes anything."""
    before = graph_of(*nodes)
    after = before.with_nodes(with_inputs(n, []) if n.name == gone else n for n in nodes)
    return names(sweep(after, before, keep, Effects(before), passed))


CHAIN = [placeholder("x"), op("a", "Neg", "x"), op("b", "Neg", "a", "a"), op("end", "Neg", "b"), op("idle", "Neg", "x")]


def test_what_lost_its_last_consumer_goes_with_what_only_it_needed() -> None:
    assert swept(CHAIN, "end") == ["x", "end", "idle"]
    assert swept(CHAIN, "end", keep=("a",)) == ["x", "a", "end", "idle"]
    assert swept([*CHAIN, op("more", "Neg", "a")], "end") == ["x", "a", "end", "idle", "more"]


@pytest.mark.parametrize(
    ("kind", "stays"),
    [
        ("Neg", False),
        ("RandomUniform", False),
        ("RandomStandardNormal", False),
        ("TruncatedNormal", False),
        ("Print", True),
        ("RandomShuffle", True),
        ("Multinomial", True),
        ("Switch", True),
        ("Assign", True),
        ("SomebodysOp", True),
        ("Placeholder", True),
        ("PlaceholderWithDefault", True),
    ],
)
def test_what_acts_or_is_fed_stays(kind: str, stays: bool) -> None:
    nodes = [
        placeholder("x"),
        op("a", kind, "x") if kind != "SomebodysOp" else make_node("a", kind, ["x"]),
        op("end", "Neg", "a"),
    ]
    assert ("a" in swept(nodes, "end")) is stays
    assert ("a" in swept(nodes, "end", passed=("a",))) is kind.startswith("Placeholder")


@pytest.mark.parametrize(
    ("groups", "left"),
    [
        ([b"loc:@a"], []),
        ([b"loc:@x", b"loc:@a"], [b"loc:@x"]),
        ([b"loc:@x"], [b"loc:@x"]),
        ([b"a"], [b"a"]),
        ([b"xyz:@a"], [b"xyz:@a"]),
        ([b"loc:@\xff"], [b"loc:@\xff"]),
    ],
)
def test_nobody_is_placed_beside_what_has_gone(groups: list[bytes], left: list[bytes]) -> None:
    last = op("end", "Neg", "a")
    last.proto.attr["_class"].list.s.extend(groups)
    before = graph_of(placeholder("x"), op("a", "Neg", "x"), last)
    after = before.with_nodes([*before.nodes[:2], with_inputs(last, ["x"])])
    found = sweep(after, before, (), Effects(before))
    assert names(found) == ["x", "end"]
    assert list(found["end"].attrs["_class"].list.s if "_class" in found["end"].attrs else []) == left
    assert ("_class" in found["end"].attrs) is bool(left)
