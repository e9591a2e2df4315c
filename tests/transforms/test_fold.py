"""Constant folding: what becomes a constant, what stays, and what it may cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import constant, make_node, type_attr, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import CorruptFileError
from graphscope.protos import AttrValue, GraphDef
from graphscope.transforms.fold import fold
from tests.support.graphs import FLOAT, const, graph_of, names, op, placeholder, value
from tests.support.running import Array, built, run_graph, tf

AXIS = const("axis", 0, np.int32)


def split(name: str = "s", source: str = "c", num: int = 2) -> Node:
    return op(name, "Split", "axis", source, num_split=num)


# What folds


def test_a_chain_becomes_one_constant_of_the_last_name() -> None:
    graph = graph_of(
        op("out", "Add", "x", "sum"), placeholder("x"), const("a", [1, 2]), const("b", 3), op("sum", "AddV2", "neg", "b"),
        op("neg", "Neg", "a"),
    )  # fmt: skip
    folded = fold(graph)
    assert names(folded) == ["out", "x", "sum"]
    assert value(folded, "sum").tolist() == [2, 1]
    assert folded["out"] is graph["out"]
    assert folded.header is graph.header


def test_nothing_to_fold_gives_the_same_graph() -> None:
    graph = graph_of(placeholder("x"), const("c", 1), op("y", "Add", "x", "c"))
    assert fold(graph) is graph
    done = fold(graph_of(const("a", 1), op("b", "Neg", "a"), placeholder("x"), op("y", "Add", "x", "b")))
    assert fold(done) is done


def test_an_output_folds_to_a_constant_of_its_name() -> None:
    folded = fold(graph_of(const("a", 4), op("out", "Sqrt", "a")))
    assert names(folded) == ["out"]
    assert value(folded, "out") == 2


def test_what_is_kept_stays() -> None:
    graph = graph_of(const("a", 4), op("b", "Sqrt", "a"), op("out", "Neg", "b"))
    folded = fold(graph, keep=["a", "b"])
    assert names(folded) == ["a", "b", "out"]
    assert folded["a"] is graph["a"]
    assert value(folded, "b") == 2


def test_device_and_colocation_stay_and_colocation_with_what_went_does_not() -> None:
    doubled = op("b", "Neg", "a")
    doubled.proto.device = "/GPU:0"
    doubled.proto.attr["_class"].list.s.extend([b"loc:@x"])
    user = op("y", "Add", "x", "b")
    user.proto.attr["_class"].list.s.extend([b"loc:@a", b"loc:@x"])
    lonely = op("z", "Neg", "x")
    lonely.proto.attr["_class"].list.s.append(b"loc:@a")
    folded = fold(graph_of(const("a", 1), doubled, placeholder("x"), user, lonely))
    assert folded["b"].device == "/GPU:0"
    assert list(folded["b"].attrs["_class"].list.s) == [b"loc:@x"]
    assert list(folded["y"].attrs["_class"].list.s) == [b"loc:@x"]
    assert "_class" not in folded["z"].attrs
    assert list(user.attrs["_class"].list.s) == [b"loc:@a", b"loc:@x"]


def test_strings_fold_where_they_only_move() -> None:
    texts = constant("t", np.array([b"a", b"bc"], object))
    one = const("one", [1], np.int32)
    sizes = {"T": type_attr(DataType.STRING), "Index": type_attr(DataType.INT32)}
    sliced = make_node("s", "Slice", ["t", "one", "one"], sizes)
    assert value(fold(graph_of(texts, one, sliced)), "s").tolist() == [b"bc"]


def test_a_quantized_type_keeps_its_name() -> None:
    quantized = constant("q", ArrayPayload(np.array([[1, 2]], np.uint8), DataType.QUINT8))
    reshape = make_node("r", "Reshape", ["q", "shape"], {"T": type_attr(DataType.QUINT8)})
    folded = fold(graph_of(quantized, const("shape", [2], np.int32), reshape))
    assert folded["r"].attrs["dtype"].type == DataType.QUINT8
    assert run_graph(folded, ["r:0"])[0].tolist() == [1, 2]


# What stays


def test_random_stateful_and_unknown_ops_and_defaults_stay() -> None:
    shape, seed = const("shape", [2], np.int32), const("seed", [1, 2], np.int64)
    stays = [
        make_node(
            "r", "RandomUniform", ["shape"], {"dtype": type_attr(DataType.FLOAT), "T": type_attr(DataType.INT32)}
        ),
        make_node("n", "StatelessRandomNormal", ["shape", "seed"], {}),
        make_node("p", "PlaceholderWithDefault", ["shape"], {"dtype": type_attr(DataType.INT32), "shape": AttrValue()}),
        make_node("u", "SomebodysOp", ["shape"]),
        make_node("f", "MatchingFiles", ["pattern"]),
        op("e", "Enter", "shape", frame_name=b"loop"),
    ]
    graph = graph_of(shape, seed, constant("pattern", np.array(b"/*", object)), *stays)
    assert fold(graph, evaluate=lambda single, inputs: [np.zeros(2, np.float32)]) is graph


def calling() -> Graph:
    @tf.function
    def sixfold(x: Any) -> Any:
        return x * (tf.constant(2.0) * tf.constant(3.0))

    return built(lambda: tf.add(sixfold(tf.constant(2.0)), tf.sqrt(tf.constant(4.0)), name="out"))


def test_library_functions_stay_as_they_are() -> None:
    graph = calling()
    folded = fold(graph)
    assert len(folded) < len(graph)
    assert folded.functions == graph.functions
    assert run_graph(folded, ["out:0"]) == run_graph(graph, ["out:0"]) == [14]


def test_a_library_function_shadows_the_op_of_its_name() -> None:
    [function] = calling().functions.values()
    function.proto.signature.name = "Neg"
    graph = Graph(GraphDef(), [const("c", 1), op("out", "Neg", "c")], [function])
    assert fold(graph) is graph


@pytest.mark.parametrize(
    "wrong",
    [
        op("n", "Neg", "c", "c"),
        op("n", "Add", "c"),
        op("n", "Add", "c", "i"),
        op("n", "Neg", "c:1"),
        op("n", "Neg", "nowhere"),
        make_node("n", "Neg", ["c"]),
        make_node("n", "Reshape", ["c", "c"], {"T": type_attr(DataType.FLOAT), "Tshape": type_attr(DataType.FLOAT)}),
        op("n", "Add", "c", "m"),
        make_node("n", "Cast", ["c"], {"SrcT": type_attr(DataType.FLOAT)}),
        make_node("n", "Identity", ["n"], FLOAT),
        make_node("n", "Pack", ["c", "c"], {**FLOAT, "N": AttrValue(i=3)}),
    ],
)
def test_an_invalid_node_stays_as_it_is(wrong: Node) -> None:
    graph = graph_of(const("c", [1, 2, 3]), const("i", 1, np.int32), const("m", [1, 2]), wrong)
    assert fold(graph) is graph


def test_a_constant_that_does_not_hold_what_it_says_is_an_error() -> None:
    broken = const("a", [1, 2, 3])
    broken.proto.attr["value"].tensor.tensor_content = b"xx"
    with pytest.raises(CorruptFileError, match="a: "):
        fold(graph_of(broken, op("b", "Neg", "a")))


# Growth


def fill(elements: int, name: str = "f") -> list[Node]:
    dims = const(f"{name}/dims", [elements], np.int32)
    return [dims, const(f"{name}/value", 1), make_node(name, "Fill", [f"{name}/dims", f"{name}/value"], FLOAT)]


def user(*sources: str) -> list[Node]:
    return [placeholder("x"), *(op(f"y_{s.replace(':', '_')}", "Add", "x", s) for s in sources)]


def test_growth_is_bounded() -> None:
    graph = graph_of(*fill(300_000), *user("f"))
    assert fold(graph) is graph
    assert len(fold(graph, max_growth_bytes=1_200_000)) == 3
    assert fold(graph, max_growth_bytes=1_199_000) is graph


def test_the_bound_is_for_all_new_constants_together_and_small_ones_always_fold() -> None:
    parts = [n for i in range(3) for n in fill(100_000, f"f{i}")]
    small = [n for i in range(50) for n in fill(10, f"s{i}")]
    graph = graph_of(*parts, *small, *user("f0", "f1", "f2", *(f"s{i}" for i in range(50))))
    folded = fold(graph, max_growth_bytes=900_000)
    assert folded.ops.count("Fill") == 1
    assert fold(graph, max_growth_bytes=0).ops.count("Fill") == 3


def test_a_large_intermediate_costs_nothing() -> None:
    graph = graph_of(*fill(300_000), op("m", "Max", "f", "axis", Tidx=DataType.INT32), AXIS, *user("m"))
    assert names(fold(graph, max_growth_bytes=0)) == ["m", "x", "y_m"]


def weight(elements: int = 1_000_000) -> Node:
    return constant("w", np.arange(elements, dtype=np.float32))


def test_a_constant_that_goes_pays_for_the_one_that_comes() -> None:
    alone = graph_of(weight(), op("n", "Neg", "w"), op("a", "Abs", "n"), *user("a"))
    folded = fold(alone, max_growth_bytes=0)
    assert names(folded) == ["a", "x", "y_a"]
    shared = graph_of(weight(), op("n", "Neg", "w"), op("a", "Abs", "n"), *user("a", "w"))
    assert fold(shared) is shared
    half = graph_of(weight(), op("n", "Neg", "w"), op("a", "Abs", "n"), *user("a", "n"))
    assert names(fold(half)) == ["n", "a", "x", "y_a", "y_n"]
    kept = graph_of(weight(), op("n", "Neg", "w"), *user("n"))
    assert fold(kept, keep=["w"]) is kept


class Unreadable(ArrayPayload):
    """A weight that nobody should need to read."""

    def numpy(self) -> Array:
        raise AssertionError("read")


def test_an_identity_of_a_large_constant_passes_it_on_unread() -> None:
    large = Unreadable(np.zeros(8 << 20, np.float32))
    graph = graph_of(constant("w", large), op("read", "Identity", "w"), op("neg", "Neg", "w"), *user("read"))
    assert fold(graph) is graph
    folded = fold(graph_of(constant("w", large), op("read", "Identity", "w"), *user("read")))
    assert names(folded) == ["read", "x", "y_read"]
    assert folded["read"].tensor() is large


def test_what_is_computed_and_held_is_bounded() -> None:
    """Eight weights of 4 MiB and two of 1 MiB, each replaced by its negative: no growth, but no more than 32 MiB in memory."""
    weights = [constant(f"w{i}", np.full(1 << (20 if i < 8 else 18), i, np.float32)) for i in range(10)]
    graph = graph_of(*weights, *(op(f"n{i}", "Neg", f"w{i}") for i in range(10)), *user(*(f"n{i}" for i in range(10))),
                     const("one", 1), op("m", "Neg", "one"), *user("m")[1:])  # fmt: skip
    folded = fold(graph, max_growth_bytes=0)
    assert [n.name for n in folded if n.op == "Neg"] == ["n8", "n9"]
    assert value(folded, "m") == -1


# Several outputs


def test_every_output_that_is_used_becomes_a_constant() -> None:
    graph = graph_of(AXIS, const("c", [1, 2, 3, 4]), split(), *user("s", "s:1"), op("t", "Add", "x", "s:1"))
    folded = fold(graph)
    assert names(folded) == ["s", "s/folded_1", "x", "y_s", "y_s_1", "t"]
    assert list(folded["t"].inputs) == ["x", "s/folded_1"]
    assert value(folded, "s").tolist() == [1, 2]
    assert value(folded, "s/folded_1").tolist() == [3, 4]
    assert list(graph["t"].inputs) == ["x", "s:1"]


def test_a_first_output_that_nobody_uses_goes() -> None:
    graph = graph_of(AXIS, const("c", [1, 2, 3, 4]), split(), *user("s:1"), placeholder("s/folded_1"))
    assert names(fold(graph)) == ["s/folded_1_1", "x", "y_s_1", "s/folded_1"]
    waiting = graph_of(AXIS, const("c", [1, 2, 3, 4]), split(), *user("s:1"), op("w", "Neg", "x", "^s"))
    assert names(fold(waiting)) == ["s", "s/folded_1", "x", "y_s_1", "w"]


def test_several_outputs_that_are_asked_for_by_name_stay() -> None:
    constants = (AXIS, const("c", [1, 2, 3, 4]))
    end = graph_of(*constants, split())
    assert fold(end) is end
    kept = graph_of(*constants, split(), op("n", "Neg", "s:1"), *user("n"))
    folded = fold(kept, keep=["s"])
    assert names(folded) == ["axis", "c", "s", "n", "x", "y_n"]
    assert value(folded, "n").tolist() == [-3, -4]


# Kernels that are lent


def test_what_the_table_lacks_is_asked_for() -> None:
    asked: list[str] = []

    def lend(single: Node, inputs: list[Array]) -> list[Array]:
        asked.append(single.op)
        return [np.asarray(inputs[0] * 10, np.float32)]

    graph = graph_of(const("c", 4), op("s", "Sqrt", "c"), op("e", "Softmax", "s"), op("n", "Neg", "e"))
    folded = fold(graph, evaluate=lend)
    assert asked == ["Softmax"]
    assert value(folded, "n") == -20


@pytest.mark.parametrize(
    "answer",
    [None, [], [np.zeros((), np.float64)], [np.zeros((), np.float32)] * 2, [np.zeros(5 << 20, np.float32)]],
    ids=["none", "no output", "another type", "two outputs", "large"],
)
def test_an_answer_that_does_not_fit_is_not_taken(answer: list[Array] | None) -> None:
    graph = graph_of(const("c", 4), op("e", "Softmax", "c"))
    assert fold(graph, evaluate=lambda single, inputs: answer) is graph


@pytest.mark.parametrize(
    "single",
    [
        make_node("n", "StatelessRandomNormal", ["shape", "seed"], {"Tseed": type_attr(DataType.INT64)}),
        make_node(
            "n",
            "XlaReducePrecision",
            ["c"],
            {**FLOAT, "exponent_bits": AttrValue(i=1), "mantissa_bits": AttrValue(i=1)},
        ),
        make_node("n", "AsString", ["c"], FLOAT),
        make_node("n", "StringToNumber", ["text"]),
        make_node("n", "InplaceUpdate", ["c", "shape", "c"], FLOAT),
        make_node("n", "PyFuncStateless", ["c"], {"token": AttrValue(s=b"t")}),
        make_node("n", "Softmax", ["large"], FLOAT),
        make_node("n", "Cast", ["huge"], {"SrcT": FLOAT["T"], "DstT": type_attr(DataType.INT32)}),
        make_node("n", "Rsqrt", ["c"], FLOAT),
    ],
    ids=lambda single: single.op,
)
def test_what_is_never_asked_for(single: Node) -> None:
    def lend(asked: Node, inputs: list[Array]) -> list[Array]:
        raise AssertionError(asked.op)

    inputs = [const("c", [1.0]), const("shape", [1], np.int32), const("seed", [1, 2], np.int64)]
    inputs += [constant("text", np.array(b"1", object)), constant("large", Unreadable(np.zeros(5 << 20, np.float32)))]
    inputs.append(const("huge", 1e30))
    graph = graph_of(*inputs, single)
    assert fold(graph, evaluate=lend) is graph


def test_inputs_are_read_where_they_stand() -> None:
    """A control input between data inputs, which no valid graph has, does not shift them."""
    odd = with_inputs(op("n", "Sub", "a", "b"), ["a", "^x", "b"])
    assert value(fold(graph_of(const("a", 5), const("b", 3), placeholder("x"), odd)), "n") == 2
