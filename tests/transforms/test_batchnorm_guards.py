"""Batch norms into the layers before them, node by node: how far constants are looked for, what is copied, named, placed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import constant, make_node
from graphscope.core.graph import Graph, Node
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.transforms.batchnorm import ScaledPayload, fold_batch_norms
from tests.support.graphs import const, graph_of, op, placeholder

X = placeholder("x")
WEIGHTS = [[1, 2, 3], [4, 5, 6]]


def chain(count: int, source: str, name: str) -> list[Node]:
    between = [f"{name}_{i}" for i in range(count - 1)] + [name]
    return [op(new, "Identity", before) for before, new in zip([source, *between], between)]


def layer(
    weights: str = "w", *rest: Node, scale: str = "c", shift: str = "d", kind: str = "MatMul", **attrs: Any
) -> list[Node]:
    """``x`` times ``w`` times ``c`` plus ``d``: all constants there, the nodes in the order of the computation."""
    made = [op("layer", kind, "x", weights, **attrs), op("m", "Mul", "layer", scale), op("out", "Add", "m", shift)]
    return [X, const("w", WEIGHTS), const("c", [1, 10, 100]), const("d", [5, 6, 7]), *rest, *made]


def content(graph: Graph, name: str) -> list[Any]:
    tensor = graph[name].tensor()
    assert tensor is not None
    return tensor.numpy().tolist()  # type: ignore[no-any-return]


def folds(nodes: list[Node], keep: tuple[str, ...] = ()) -> bool:
    graph = graph_of(*nodes)
    return fold_batch_norms(graph, keep=keep) is not graph


def test_scales_go_into_the_weights_and_shifts_into_one_bias() -> None:
    graph = fold_batch_norms(graph_of(*layer()))
    assert [(n.name, n.op, list(n.inputs)) for n in graph][1:] == [
        ("w", "Const", []), ("c", "Const", []), ("d", "Const", []), ("layer", "MatMul", ["x", "w"]),
        ("out/bias", "Const", []), ("out", "BiasAdd", ["layer", "out/bias"]),
    ]  # fmt: skip
    assert content(graph, "w") == [[1, 20, 300], [4, 50, 600]]
    assert content(graph, "out/bias") == [5, 6, 7]
    assert graph["out"].attrs["data_format"].s == b"NHWC"


def test_the_order_of_shifts_and_scales_counts() -> None:
    nodes = layer()[:-2]
    nodes += [
        op("a", "Add", "layer", "d"),
        op("b", "Mul", "c", "a"),
        op("e", "Sub", "b", "d"),
        op("out", "RealDiv", "e", "c"),
    ]
    graph = fold_batch_norms(graph_of(*nodes))
    np.testing.assert_allclose(content(graph, "out/bias"), [0, (60 - 6) / 10, (700 - 7) / 100], rtol=1e-6)
    np.testing.assert_allclose(content(graph, "w"), WEIGHTS, rtol=1e-6)


@pytest.mark.parametrize(("count", "is_folded"), [(7, True), (8, False)])
def test_weights_are_looked_for_behind_identities(count: int, is_folded: bool) -> None:
    assert folds(layer("i", *chain(count, "w", "i"))) is is_folded


@pytest.mark.parametrize(("count", "is_folded"), [(7, True), (8, False)])
def test_constants_are_looked_for_behind_what_computes_them(count: int, is_folded: bool) -> None:
    assert folds(layer("w", *chain(count, "c", "i"), scale="i")) is is_folded


@pytest.mark.parametrize(
    ("nodes", "scale"),
    [
        ([op("s", "Rsqrt", "c")], [1, 10**-0.5, 0.1]),
        ([op("s", "Add", "c", "d")], [6, 16, 107]),
        ([op("s", "AddV2", "c", "d")], [6, 16, 107]),
        ([op("s", "Sub", "c", "d")], [-4, 4, 93]),
        ([op("s", "Mul", "c", "d")], [5, 60, 700]),
        ([op("s", "Mul", "c", "two"), const("two", 2)], [2, 20, 200]),
        ([op("s", "Neg", "c")], None),
        ([op("s", "Add", "c")], None),
        ([op("s", "Identity", "c", "d")], None),
        ([op("s", "Add", "c", "x")], None),
        ([op("s", "Add", "c", "nowhere")], None),
    ],
)
def test_what_constants_are_computed_by(nodes: list[Node], scale: list[float] | None) -> None:
    graph = graph_of(*layer("w", *nodes, scale="s"))
    folded = fold_batch_norms(graph)
    if scale is None:
        assert folded is graph
    else:
        np.testing.assert_allclose(content(folded, "w"), np.array(WEIGHTS) * scale, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "weights", "attrs", "is_folded"),
    [
        ("MatMul", np.ones((3, 2)), {"transpose_b": True}, True),
        ("MatMul", np.ones((2, 3)), {"transpose_b": True}, False),
        ("MatMul", np.ones((1, 2, 3)), {}, False),
        ("BatchMatMul", np.ones((2, 3)), {}, False),
        ("Conv2D", np.ones((1, 1, 2, 3)), {}, True),
        ("Conv2D", np.ones((1, 1, 3, 2)), {}, False),
        ("Conv2D", np.ones((1, 1, 2, 3)), {"data_format": b"NCHW_VECT_C"}, False),
        ("Conv2DBackpropInput", np.ones((1, 1, 3, 2)), {}, True),
        ("Conv2DBackpropInput", np.ones((1, 1, 2, 3)), {}, False),
        ("Conv3D", np.ones((1, 1, 1, 2, 3)), {}, True),
        ("Conv3DBackpropInputV2", np.ones((1, 1, 1, 3, 2)), {}, True),
        ("DepthwiseConv2dNative", np.ones((1, 1, 3, 1)), {}, True),
        ("DepthwiseConv2dNative", np.ones((1, 1, 2, 3)), {}, False),
    ],
)
def test_which_axes_of_the_weights_make_channels(
    kind: str, weights: Any, attrs: dict[str, Any], is_folded: bool
) -> None:
    nodes = [const("w", weights) if n.name == "w" else n for n in layer(kind=kind, **attrs)]
    graph = graph_of(*nodes)
    folded = fold_batch_norms(graph)
    assert (folded is not graph) is is_folded
    if is_folded:
        assert sorted(set(np.ravel(content(folded, "w")))) == [1, 10, 100]


@pytest.mark.parametrize(
    ("form", "shape", "is_folded"),
    [
        (None, (3,), True),
        (b"NHWC", (3,), True),
        (b"NCHW", (3,), False),
        (b"NCHW", (3, 1, 1), True),
        (b"NHWC", (3, 1, 1), False),
    ],
)
def test_constants_lie_along_the_channels(form: bytes | None, shape: tuple[int, ...], is_folded: bool) -> None:
    attrs = {} if form is None else {"data_format": form}
    nodes = {n.name: n for n in layer(kind="Conv2D", **attrs)}
    nodes |= {
        "w": const("w", np.ones((1, 1, 2, 3))),
        "c": const("c", np.reshape([1, 10, 100], shape)),
        "d": const("d", np.ones(shape)),
    }
    graph = fold_batch_norms(graph_of(*nodes.values()))
    assert (graph["out"].op == "BiasAdd") is is_folded
    if is_folded:
        assert graph["out"].attrs["data_format"].s == (form or b"NHWC")


def test_channels_first_in_five_dimensions() -> None:
    nodes = {n.name: n for n in layer(kind="Conv3D", data_format=b"NCDHW")}
    shape = (3, 1, 1, 1)
    nodes |= {
        "w": const("w", np.ones((1, 1, 1, 2, 3))),
        "c": const("c", np.ones(shape)),
        "d": const("d", np.ones(shape)),
    }
    graph = fold_batch_norms(graph_of(*nodes.values()))
    assert (graph["out"].op, "data_format" in graph["out"].attrs) == ("AddV2", False)
    assert np.shape(content(graph, "out/bias")) == shape


# Users


@pytest.mark.parametrize(
    ("nodes", "keep", "copied"),
    [
        (layer(), (), False),
        (layer("i", *chain(1, "w", "i")), (), False),
        (layer("i", *chain(1, "w", "i")), ("i",), True),
        (layer("i", *chain(1, "w", "i")), ("w:0",), True),
        ([*layer("i", *chain(1, "w", "i")), op("other", "Neg", "w")], (), True),
        ([*layer("i", *chain(1, "w", "i")), op("other", "Neg", "i")], (), True),
        ([*layer("i", *chain(1, "w", "i")), op("other", "Neg", "x", "^i")], (), True),
        (layer("w", op("x2", "Neg", "x")), ("x",), False),
    ],
)
def test_weights_of_somebody_else_are_copied(nodes: list[Node], keep: tuple[str, ...], copied: bool) -> None:
    graph = fold_batch_norms(graph_of(*nodes), keep=keep)
    assert ("w/folded" in graph) is copied
    assert content(graph, "w/folded" if copied else "w") == [[1, 20, 300], [4, 50, 600]]
    assert content(graph, "w") == (WEIGHTS if copied else [[1, 20, 300], [4, 50, 600]])
    if copied:
        place = [n.name for n in graph].index("layer")
        assert graph.nodes[place - 1].name == "w/folded"
        assert graph["layer"].inputs[1] == "w/folded"


def test_copies_wait_for_what_their_source_waits_for() -> None:
    held = const("w", WEIGHTS, controls=["^x"])
    held.proto.device = "/cpu:1"
    nodes = [held if n.name == "w" else n for n in layer("i", op("i", "Identity", "w", "^e"), op("e", "Neg", "x"))]
    nodes[-3].proto.input.append("^e")
    own = fold_batch_norms(graph_of(*nodes))
    assert (list(own["w"].inputs), own["w"].device, list(own["out/bias"].inputs)) == (["^x"], "/cpu:1", ["^e", "^x"])
    assert list(own["layer"].inputs) == ["x", "i", "^e"]
    copied = fold_batch_norms(graph_of(*nodes), keep=["w"])
    assert (list(copied["w/folded"].inputs), copied["w/folded"].device) == (["^e", "^x"], "/cpu:1")
    assert list(copied["layer"].inputs) == ["x", "w/folded", "^e"]


def test_the_result_waits_for_what_the_chain_waited_for() -> None:
    nodes = layer("w", op("e", "Neg", "x"), op("f", "Neg", "x"))
    nodes[-2].proto.input.append("^f")
    nodes[-1].proto.input.extend(["^e", "^f", "^m"])
    nodes[-1].proto.device = "/cpu:1"
    graph = fold_batch_norms(graph_of(*nodes))
    assert list(graph["out"].inputs) == ["layer", "out/bias", "^f", "^e"]
    assert (graph["out"].device, graph["out/bias"].device, graph["w"].device) == ("/cpu:1", "/cpu:1", "")


def test_new_names_are_free() -> None:
    taken = [placeholder("out/bias"), placeholder("out/bias_1"), placeholder("w/folded")]
    graph = fold_batch_norms(graph_of(*layer(), *taken), keep=["w"])
    assert {"out/bias_2", "w/folded_1"} <= set(graph.by_name)


def test_two_layers_of_one_weight_get_one_copy_each() -> None:
    second = [op("layer2", "MatMul", "x", "w"), op("m2", "Mul", "layer2", "c"), op("out2", "Add", "m2", "d")]
    graph = fold_batch_norms(graph_of(*layer(), *second))
    assert (graph["layer"].inputs[1], graph["layer2"].inputs[1]) == ("w/folded", "w/folded_1")
    assert [n.name for n in graph if n.op == "BiasAdd"] == ["out", "out2"]


# Ends of a chain


@pytest.mark.parametrize(
    ("extra", "keep", "ops"),
    [
        ([], (), ("BiasAdd", None)),
        ([], ("m",), ("Add", "Mul")),
        ([op("other", "Neg", "m")], (), ("Add", "Mul")),
        ([op("other", "Neg", "x", "^m")], (), ("Add", "Mul")),
        ([op("more", "Relu", "out")], (), ("BiasAdd", None)),
        ([], ("layer:0",), ("Add", "Mul")),
        ([op("other", "Neg", "layer:1")], (), ("Add", "Mul")),
    ],
)
def test_a_chain_ends_where_others_take_it(
    extra: list[Node], keep: tuple[str, ...], ops: tuple[str, str | None]
) -> None:
    graph = fold_batch_norms(graph_of(*layer(), *extra), keep=keep)
    assert (graph["out"].op, graph["m"].op if "m" in graph else None) == ops


def norm(**attrs: Any) -> list[Node]:
    nodes = {n.name: n for n in layer(kind="Conv2D")[:-2]}
    nodes["w"] = const("w", np.ones((1, 1, 2, 3)))
    moments = [const("mean", [1, 2, 3]), const("variance", [3, 8, 15])]
    return [
        *nodes.values(),
        *moments,
        op("out", "FusedBatchNormV3", "layer", "c", "d", "mean", "variance", epsilon=1.0, is_training=False, **attrs),
    ]


def test_a_batch_norm_by_its_formula() -> None:
    graph = fold_batch_norms(graph_of(*norm()))
    np.testing.assert_allclose(np.ravel(content(graph, "w"))[:3], [1 / 2, 10 / 3, 100 / 4], rtol=1e-6)
    np.testing.assert_allclose(content(graph, "out/bias"), [5 - 1 / 2, 6 - 20 / 3, 7 - 300 / 4], rtol=1e-5)


@pytest.mark.parametrize(
    ("nodes", "keep", "is_folded"),
    [
        (norm(), (), True),
        (norm(data_format=b"NCHW"), (), False),
        ([*norm(), op("y", "Neg", "out:1")], (), False),
        ([*norm(), op("y", "Neg", "out")], (), True),
        ([*norm(), op("y", "Neg", "out", "^x")], ("out:0",), True),
        (norm(), ("out:2",), False),
        (norm(), ("mean:2",), True),
        ([*norm()[:-1], op("out", "FusedBatchNormV3", "layer", "c", "d", "mean", is_training=False)], (), False),
    ],
)
def test_a_batch_norm_whose_statistics_are_taken_stays(
    nodes: list[Node], keep: tuple[str, ...], is_folded: bool
) -> None:
    assert folds(nodes, keep) is is_folded


@pytest.mark.parametrize("gone", [b"loc:@m", b"loc:@layer"])
def test_nobody_is_placed_beside_what_has_gone(gone: bytes) -> None:
    beside = make_node("e", "NoOp")
    beside.proto.attr["_class"].list.s.append(gone)
    graph = fold_batch_norms(graph_of(*layer(), beside))
    assert ("_class" in graph["e"].attrs) is (gone == b"loc:@layer")


def test_scaled_weights_are_multiplied_in_double_precision() -> None:
    class Counted(ArrayPayload):
        reads = 0

        def numpy(self) -> Any:
            Counted.reads += 1
            return super().numpy()

    weights: Payload = Counted(np.float32([[0.1, 0.3]]))
    scaled = ScaledPayload(weights, np.array([[1 / 3, 3.0]]))
    assert (scaled.dtype, scaled.shape, Counted.reads) == (weights.dtype, (1, 2), 0)
    expected = (weights.numpy().astype(np.float64) * [[1 / 3, 3.0]]).astype(np.float32)
    assert scaled.numpy().tobytes() == b"".join(scaled.chunks()) == expected.tobytes()
    assert constant("w", scaled).tensor() is not None
