"""What a model costs, by its structure: no TensorFlow, no weights read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.analysis.cost.branches import MAX_DEPTH
from graphscope.analysis.cost.devices import DEVICES, parse_peak
from graphscope.analysis.cost.report import Amount, ByBatch, CostReport
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.tensors import Shape
from graphscope.core.values.dtypes import DataType
from graphscope.errors import ArgumentError, GraphscopeError, UnknownNameError
from graphscope.protos import AttrValue, FunctionDef, GraphDef
from tests.support.fixture_files import FIXTURES
from tests.support.written import graph_of, model_of

FLOAT = type_attr(DataType.FLOAT)


def ints(*numbers: int) -> AttrValue:
    value = AttrValue()
    value.list.i.extend(numbers)
    return value


def text(value: str) -> AttrValue:
    return AttrValue(s=value.encode())


def placeholder(name: str, shape: Shape, dtype: DataType = DataType.FLOAT) -> Node:
    sizes = AttrValue()
    sizes.shape.unknown_rank = shape is None
    for size in shape or ():
        sizes.shape.dim.add(size=-1 if size is None else size)
    if shape == ():
        sizes.shape.SetInParent()
    return make_node(name, "Placeholder", (), {"dtype": type_attr(dtype), "shape": sizes})


def weight(name: str, *shape: int) -> Node:
    return constant(name, np.zeros(shape, np.float32))


def op(name: str, kind: str, *inputs: str, **attrs: AttrValue) -> Node:
    return make_node(name, kind, inputs, {"T": FLOAT, **attrs})


def costs(*nodes: Node, functions: tuple[Function, ...] = (), **options: Any) -> CostReport:
    header = GraphDef()
    header.versions.producer = 1395
    return graphscope.cost(model_of(Graph(header, nodes, functions)), **options)


def function(name: str, inputs: dict[str, DataType], outputs: dict[str, str], *nodes: Node) -> Function:
    """A library function; ``outputs``: result -> the tensor that it is, all of floating point but ``go``."""
    proto = FunctionDef()
    proto.signature.name = name
    for argument, dtype in inputs.items():
        proto.signature.input_arg.add(name=argument, type=int(dtype))
    for result, source in outputs.items():
        proto.signature.output_arg.add(
            name=result, type=int(DataType.BOOL if result == "go" else inputs.get(result, 1))
        )
        proto.ret[result] = source
    return Function(proto, nodes)


def named(value: str) -> AttrValue:
    result = AttrValue()
    result.func.name = value
    return result


def test_lenet_reads_as_keras_users_know_it() -> None:
    report = graphscope.cost(FIXTURES / "lenet5", batch=1)
    parameters = {row.name: row.figures.parameters for row in report.rows if row.figures.parameters}
    assert parameters == {"conv1": 156, "conv2": 2416, "fc1": 48120, "fc2": 10164, "fc3": 850}
    assert [row.name for row in report.rows] == "conv1 pool1 conv2 pool2 fc1 fc2 fc3 softmax".split()
    assert report.rows[0].shape == (1, 28, 28, 6)
    assert report.total.parameters == graphscope.summarize(FIXTURES / "lenet5").parameters.elements == 61_706
    assert report.total.macs == 117_600 + 240_000 + 48_000 + 10_080 + 840
    assert (report.batch, report.inputs) == (1, {"input:0": (1, 784)})


@pytest.mark.parametrize("path", ["lenet5/frozen.pb", "lenet5/saved_model"])
def test_layers_are_the_same_in_every_file(path: str) -> None:
    expected = {row.name: row.figures for row in graphscope.cost(FIXTURES / "lenet5").rows}
    found = {row.name: row.figures for row in graphscope.cost(FIXTURES / path, outputs="softmax").rows}
    assert found == expected


def vgg16() -> Iterator[Node]:
    """VGG-16 as TF-Slim names it: ops in scopes, variables beside them."""
    yield placeholder("input", (None, 224, 224, 3))
    last, channels = "input", 3
    for block, (count, width) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], 1):
        for layer in range(1, count + 1):
            scope = f"vgg_16/conv{block}/conv{block}_{layer}"
            yield from layer_of(
                scope, "Conv2D", last, (3, 3, channels, width), strides=ints(1, 1, 1, 1), padding=text("SAME")
            )
            last, channels = f"{scope}/Relu", width
        window = {"ksize": ints(1, 2, 2, 1), "strides": ints(1, 2, 2, 1), "padding": text("SAME")}
        yield op(f"vgg_16/pool{block}/MaxPool", "MaxPool", last, **window)
        last = f"vgg_16/pool{block}/MaxPool"
    for scope, size, shape in (("fc6", 7, (512, 4096)), ("fc7", 1, (4096, 4096)), ("fc8", 1, (4096, 1000))):
        yield from layer_of(
            f"vgg_16/{scope}", "Conv2D", last, (size, size, *shape), strides=ints(1, 1, 1, 1), padding=text("VALID")
        )
        last = f"vgg_16/{scope}/Relu"


def layer_of(scope: str, kind: str, last: str, shape: tuple[int, ...], **attrs: AttrValue) -> Iterator[Node]:
    yield weight(f"{scope}/weights", *shape)
    yield weight(f"{scope}/biases", shape[-1])
    yield op(f"{scope}/{kind}", kind, last, f"{scope}/weights", **attrs)
    yield op(f"{scope}/BiasAdd", "BiasAdd", f"{scope}/{kind}", f"{scope}/biases")
    yield op(f"{scope}/Relu", "Relu", f"{scope}/BiasAdd")


def test_vgg16() -> None:
    report = costs(*vgg16())
    assert report.total.macs == 15_470_264_320
    assert report.total.by_batch is not None
    assert report.total.by_batch.macs == Amount(0, 15_470_264_320)
    assert report.total.parameters == 138_357_544
    layers = [row.name for row in report.rows if row.figures.parameters]
    assert layers[:3] == ["vgg_16/conv1/conv1_1", "vgg_16/conv1/conv1_2", "vgg_16/conv2/conv2_1"]
    assert len(layers) == 16
    assert report.rows[0].figures.parameters == 1_792
    assert costs(*vgg16(), batch=4).total.macs == 4 * report.total.macs
    assert [row.name for row in costs(*vgg16(), depth=1).rows] == ["vgg_16"]
    assert len(costs(*vgg16(), depth=2).rows) == 5 + 5 + 3


def test_a_shape_makes_sizes_known() -> None:
    nodes = [placeholder("x", None), op("y", "Square", "x")]
    assert costs(*nodes).unsized == ("y",)
    assert costs(*nodes).total.without_flops == costs(*nodes).total.without_bytes == 1
    found = costs(*nodes, shape={"x": (3, 5)}).total
    assert (found.flops, found.read_bytes, found.written_bytes, found.without_flops) == (15, 60, 60, 0)
    with pytest.raises(UnknownNameError):
        costs(*nodes, shape={"z": (3,)})
    with pytest.raises(GraphscopeError, match=r"x:0 is \(2\) and cannot be fed \(3, 5\)"):
        costs(placeholder("x", (2,)), op("y", "Square", "x"), shape={"x": (3, 5)})


@pytest.mark.parametrize(("name", "all"), [("lenet5", True), ("rnn", False), ("batchnorm", True)])
def test_amounts_for_any_batch_are_those_of_each_batch(name: str, all: bool) -> None:
    found = graphscope.cost(FIXTURES / name, all=all, by="op")
    assert (found.batch, found.is_batch_open) == (None, True)
    for batch in (5, 640):
        expected = graphscope.cost(FIXTURES / name, all=all, by="op", batch=batch)
        rows = {row.name: row.figures for row in expected.rows} | {"total": expected.total}
        assert rows.keys() == {row.name for row in found.rows} | {"total"}
        for label, sums in [*((row.name, row.figures) for row in found.rows), ("total", found.total)]:
            assert sums.by_batch is not None
            for field in fields(ByBatch):
                amount = getattr(sums.by_batch, field.name)
                assert amount.fixed + amount.per_example * batch == getattr(rows[label], field.name), (
                    label,
                    field.name,
                )
        for side in ("low", "high"):
            peak = getattr(found, f"peak_{side}_by_batch")
            assert peak.fixed + peak.per_example * batch == getattr(expected, f"peak_{side}_bytes")


def test_amounts_that_are_not_in_proportion_to_the_batch_are_not_told() -> None:
    nodes = [
        placeholder("x", (None, 4)),
        op("y", "MatMul", "x", "x", transpose_b=AttrValue(b=True)),
        op("z", "Neg", "x"),
    ]
    report = costs(*nodes, outputs=("y", "z"), by="node")
    square, straight = (row.figures.by_batch for row in report.rows)
    assert square == ByBatch(None, None, Amount(0, 16), None, None)
    assert straight == ByBatch(Amount(0, 0), Amount(0, 4), *[Amount(0, 16)] * 3)
    assert [row.shape for row in report.rows] == [(None, None), (None, 4)]
    assert report.total.by_batch == ByBatch(None, None, Amount(0, 32), None, None)
    assert report.peak_low_by_batch is None


def test_a_graph_for_one_example_alone_is_not_scaled() -> None:
    """It takes any batch, but gives its input the shape of one example."""
    sizes = constant("sizes", np.array([1, 12], np.int32))
    report = costs(placeholder("x", (None, 12)), sizes, op("one", "Reshape", "x", "sizes"), op("y", "Neg", "one"))
    assert report.total.flops == 12
    assert report.total.by_batch is not None
    assert report.total.by_batch.flops is None


def test_ops_without_a_formula_are_named() -> None:
    report = costs(placeholder("x", (8,)), op("a", "Betainc", "x", "x", "x"), op("b", "Square", "a"), by="op")
    assert report.without_formula == {"Betainc": 1}
    by_op = {row.name: row.figures for row in report.rows}
    assert (by_op["Betainc"].flops, by_op["Betainc"].without_flops) == (0, 1)
    assert (report.total.flops, report.total.without_flops) == (8, 1)


def test_what_only_passes_data_on_costs_nothing() -> None:
    report = costs(
        placeholder("x", (8, 4)),
        op("kept", "Identity", "x"),
        constant("sizes", np.array([4, 8], np.int32)),
        op("viewed", "Reshape", "kept", "sizes"),
        op("y", "Neg", "viewed"),
        by="node",
    )
    assert [row.name for row in report.rows] == ["y"]
    assert report.total.read_bytes == report.total.written_bytes == 8 * 4 * 4
    assert report.total.intensity == pytest.approx(32 / 256)


def test_a_look_up_reads_its_rows_alone() -> None:
    report = costs(
        weight("table", 1000, 16),
        placeholder("ids", (7,), DataType.INT32),
        constant("axis", np.array(0, np.int32)),
        make_node(
            "rows", "GatherV2", ("table", "ids", "axis"), {"Tparams": FLOAT, "Tindices": type_attr(DataType.INT32)}
        ),
    )
    assert report.total.read_bytes == 7 * 16 * 4 + 7 * 4 + 4
    assert report.total.parameters == 16_000


def test_a_row_has_an_op_where_all_of_its_nodes_have_it() -> None:
    nodes = [placeholder("x", (2, 4)), weight("a/w", 4, 4), op("a/MatMul", "MatMul", "x", "a/w")]
    nodes += [op("a/Relu", "Relu", "a/MatMul"), op("b/one", "Neg", "a/Relu"), op("b/two", "Neg", "b/one")]
    assert {row.name: row.op for row in costs(*nodes, by="node").rows} == {
        "a/MatMul": "MatMul",
        "a/Relu": "Relu",
        "b/one": "Neg",
        "b/two": "Neg",
    }
    assert {row.name: row.op for row in costs(*nodes).rows} == {"a": "", "b": "Neg"}
    assert {row.name: row.op for row in costs(*nodes, by="op").rows} == {op: op for op in ("MatMul", "Relu", "Neg")}


def test_shared_weights_count_once() -> None:
    nodes = [placeholder("x", (2, 4)), weight("w", 4, 4), op("a/MatMul", "MatMul", "x", "w")]
    report = costs(*nodes, op("b/MatMul", "MatMul", "a/MatMul", "w"))
    assert {row.name: row.figures.parameters for row in report.rows} == {"a": 16, "b": 0}
    assert report.total.parameters == 16
    assert report.total.macs == 2 * 2 * 4 * 4


def test_the_larger_branch_of_a_cond_counts() -> None:
    lines = (
        "p Placeholder:bool()",
        "x Placeholder(8,8)",
        "s Switch x p",
        "small Neg s:0",
        "square MatMul s:1 s:1",
        "large MatMul square square",
        "y Merge small large",
    )
    report = graphscope.cost(model_of(graph_of(lines)), outputs="y", by="node")
    assert [row.name for row in report.rows] == ["square", "large"]
    [branch] = report.branches
    assert (branch.name, branch.taken, branch.flops, branch.other_flops) == ("p", "true", 2 * 2 * 8**3, 64)
    fixed = graphscope.cost(model_of(graph_of(["p Const:bool=false", *lines[1:]])), outputs="y", by="node")
    assert ([row.name for row in fixed.rows], fixed.branches) == (["small"], ())


def test_conds_within_conds() -> None:
    lines = (
        *("p Placeholder:bool()", "q Placeholder:bool()", "x Placeholder(8,8)", "s Switch x p", "t Switch s:1 q"),
        *(
            "out MatMul s:0 s:0",
            "a Neg t:0",
            "b MatMul t:1 t:1",
            "c MatMul b b",
            "inner Merge a c",
            "y Merge out inner",
        ),
    )
    report = graphscope.cost(model_of(graph_of(lines)), outputs="y", by="node")
    assert [row.name for row in report.rows] == ["b", "c"]
    assert {branch.name for branch in report.branches} == {"p", "q"}


def test_training_switches_are_set_for_inference() -> None:
    report = graphscope.cost(FIXTURES / "batchnorm")
    assert report.values == {"is_training:0": 0}
    assert report.branches == ()
    assert graphscope.cost(FIXTURES / "batchnorm", all=True).branches


def test_v1_loops_count_their_turns() -> None:
    report = graphscope.cost(FIXTURES / "rnn", by="node")
    [loop] = report.loops
    assert (loop.turns, loop.is_known, loop.is_limit) == (28, True, False)
    product = next(row for row in report.rows if row.name == "rnn/while/lstm_cell/MatMul")
    assert product.executions == 28
    assert product.figures.macs == 28 * 92 * 256
    assert product.figures.activation_bytes == 256 * 4


def loop_of(limit: Node, step: int = 3) -> CostReport:
    types = {"i": DataType.INT32, "n": DataType.INT32, "x": DataType.FLOAT}
    condition = function("cond", types, {"go": "less:z:0"}, op("less", "Less", "i", "n", T=type_attr(DataType.INT32)))
    body = function(
        "body",
        types,
        {"i": "next:z:0", "n": "n", "x": "product:product:0"},
        constant("step", np.array(step, np.int32)),
        op("next", "AddV2", "i", "step:output:0", T=type_attr(DataType.INT32)),
        op("product", "MatMul", "x", "x"),
    )
    listed = AttrValue()
    listed.list.type.extend([3, 3, 1])
    nodes = [constant("start", np.array(1, np.int32)), limit, placeholder("x", (4, 4))]
    loop = make_node("loop", "While", ("start", "n", "x"), {"T": listed, "cond": named("cond"), "body": named("body")})
    return costs(*nodes, loop, functions=(condition, body), by="node", outputs="loop:2")


@pytest.mark.parametrize(("limit", "turns"), [(11, 4), (10, 3), (1, 0), (2, 1)])
def test_while_loops_count_their_turns(limit: int, turns: int) -> None:
    report = loop_of(constant("n", np.array(limit, np.int32)))
    assert (report.loops[0].turns, report.loops[0].is_known) == (turns, True)
    product = next(row for row in report.rows if row.name == "product")
    assert (product.function, product.executions, product.figures.macs) == ("body", turns, turns * 64)


def test_a_loop_of_unknown_length_counts_one_turn() -> None:
    for report in (
        loop_of(placeholder("n", (), DataType.INT32)),
        loop_of(constant("n", np.array(5, np.int32)), step=0),
    ):
        assert [(loop.turns, loop.is_known) for loop in report.loops] == [(1, False)]
        assert report.total.macs == 64


def test_functions_are_followed() -> None:
    inner = function(
        "inner", {"x": DataType.FLOAT, "w": DataType.FLOAT}, {"y": "m:product:0"}, op("m", "MatMul", "x", "w")
    )
    outer = function(
        "outer",
        {"x": DataType.FLOAT, "w": DataType.FLOAT},
        {"y": "twice:output:0"},
        call("once", "inner", "x", "w"),
        call("twice", "inner", "once:output:0", "w"),
    )
    report = costs(
        placeholder("x", (4, 4)), weight("w", 4, 4), call("run", "outer", "x", "w"), functions=(inner, outer), by="node"
    )
    [row] = report.rows
    assert (row.function, row.name, row.executions, row.figures.macs) == ("inner", "m", 2, 128)
    assert report.total.parameters == 16


def call(name: str, of: str, *inputs: str) -> Node:
    types = AttrValue()
    types.list.type.extend([1] * len(inputs))
    results = AttrValue()
    results.list.type.append(1)
    return make_node(name, "PartitionedCall", inputs, {"Tin": types, "Tout": results, "f": named(of)})


def test_calls_of_calls_of_calls_take_no_time() -> None:
    """Sixty functions that call the next one twice: 2**60 runs, each counted."""
    one = {"x": DataType.FLOAT}
    functions = [function("f0", one, {"y": "n:y:0"}, op("n", "Neg", "x"))]
    for k in range(1, 61):
        twice = (call("a", f"f{k - 1}", "x"), call("b", f"f{k - 1}", "a:output:0"))
        functions.append(function(f"f{k}", one, {"y": "b:output:0"}, *twice))
    report = costs(placeholder("x", (4,)), call("run", "f60", "x"), functions=tuple(functions), by="node")
    assert report.rows[0].executions == 2**60
    assert report.total.flops == 4 * 2**60


def test_a_function_that_calls_itself_is_named() -> None:
    endless = function("f", {"x": DataType.FLOAT}, {"y": "a:output:0"}, call("a", "f", "x"))
    report = costs(placeholder("x", (4,)), call("run", "f", "x"), functions=(endless,), outputs="run")
    assert report.without_formula == {"PartitionedCall": 1}


def test_the_larger_branch_of_an_if_counts() -> None:
    one = {"x": DataType.FLOAT}
    small = function("small", one, {"y": "n:y:0"}, op("n", "Neg", "x"))
    large = function("large", one, {"y": "m:product:0"}, op("m", "MatMul", "x", "x"))
    types, listed = AttrValue(), AttrValue()
    types.list.type.append(1)
    listed.list.type.append(1)
    attrs = {"Tcond": type_attr(DataType.BOOL), "Tin": types, "Tout": listed}
    choice = make_node(
        "choice", "If", ("p", "x"), {**attrs, "then_branch": named("small"), "else_branch": named("large")}
    )
    data = placeholder("x", (4, 4))
    open_ = costs(
        placeholder("p", (), DataType.BOOL), data, choice, functions=(small, large), by="node", outputs="choice"
    )
    assert [(row.function, row.name) for row in open_.rows] == [("large", "m")]
    assert [(b.name, b.taken, b.flops, b.other_flops) for b in open_.branches] == [("choice", "large", 128, 16)]
    known = costs(constant("p", np.array(True)), data, choice, functions=(small, large), by="node", outputs="choice")
    assert [(row.function, row.name) for row in known.rows] == [("small", "n")]
    assert known.branches == ()


def test_the_peak_is_a_range() -> None:
    """Two buffers at once where a kernel writes over its input; where none does, three of a kind never live together."""
    nodes = [placeholder("x", (10, 10)), weight("w", 10, 10), op("m", "MatMul", "x", "w")]
    nodes += [op("r", "Relu", "m"), op("s", "Sigmoid", "r"), op("y", "MatMul", "s", "w")]
    report = costs(*nodes)
    assert (report.peak_low_bytes, report.peak_high_bytes) == (800, 800)
    grown = costs(*nodes[:5], outputs="s")
    assert (grown.peak_low_bytes, grown.peak_high_bytes) == (400, 800)
    kept = costs(*nodes[:5], op("z", "AddV2", "s", "m"), outputs="z")
    assert (kept.peak_low_bytes, kept.peak_high_bytes, kept.peak_node) == (800, 1200, "s")


def test_times_are_limited_by_operations_or_bytes() -> None:
    nodes = [placeholder("x", (100, 100)), weight("w", 100, 100), op("m", "MatMul", "x", "w")]
    assert costs(*nodes).total.time_us is None
    by_operations = costs(*nodes, peak="1MFLOPS,1TB/s").total.time_us
    assert by_operations == pytest.approx(2 * 100**3)
    by_bytes = costs(*nodes, peak="1PFLOPS, 1.2 MB/s").total.time_us
    assert by_bytes == pytest.approx(3 * 40_000 / 1.2)
    both = costs(*nodes, device="T4")
    assert both.device == DEVICES["t4"]
    with pytest.raises(UnknownNameError, match="no device is named 'gtx'"):
        costs(*nodes, device="gtx")
    with pytest.raises(ArgumentError):
        costs(*nodes, device="t4", peak="1GFLOPS,1GB/s")


@pytest.mark.parametrize(
    "text", ["10", "10TFLOPS", "10TFLOPS,50", "x,y", "0FLOPS,1GB/s", "1GFLOPS,1Gb", "-1GFLOPS,1GB/s"]
)
def test_peaks_that_are_none(text: str) -> None:
    with pytest.raises(GraphscopeError, match="is not a peak such as 10TFLOPS,50GB/s"):
        parse_peak(text)


def test_all_nodes_or_outputs() -> None:
    model = graphscope.load(FIXTURES / "lenet5")
    everything = graphscope.cost(model, all=True)
    assert everything.outputs == ()
    assert everything.total.flops > 2 * graphscope.cost(model).total.flops
    with pytest.raises(ArgumentError):
        graphscope.cost(model, all=True, outputs="softmax")
    with pytest.raises(UnknownNameError):
        graphscope.cost(model, outputs="sofmax")


def test_where_no_output_is_clear_all_likely_ones_count() -> None:
    report = graphscope.cost(FIXTURES / "towers")
    assert {"prediction:0", "tower_0/softmax:0"} <= set(report.outputs)
    assert report.total.parameters == 54_314


def test_every_device_has_a_source() -> None:
    for name, device in DEVICES.items():
        assert (device.name, name.lower()) == (name, name)
        assert device.source
        assert 1e11 < device.bytes_per_s < device.flops_per_s < 1e15


def test_cycles_that_are_no_loops_do_no_harm() -> None:
    report = costs(op("a", "Neg", "b"), op("b", "Neg", "a"), all=True, by="node")
    assert len(report.rows) == 2
    assert report.total.without_flops == 2


def test_many_conds_within_conds_take_no_memory() -> None:
    """Of those that lie within too many others both branches count."""
    count = MAX_DEPTH + 8
    lines = ["x Placeholder(8)", *(f"p{k} Placeholder:bool()" for k in range(count))]
    lines += [
        line for k in range(count) for line in (f"s{k} Switch n{k - 1} p{k}", f"n{k} Neg s{k}:1", f"o{k} Exp s{k}")
    ]
    lines[count + 1] = "s0 Switch x p0"
    lines += [f"m{k} Merge o{k} {f'm{k + 1}' if k + 1 < count else f'n{k}'}" for k in reversed(range(count))]
    report = graphscope.cost(model_of(graph_of(lines)), outputs="m0", by="op")
    negated = next(row for row in report.rows if row.name == "Neg")
    assert negated.nodes == count
    others = next(row for row in report.rows if row.name == "Exp")
    assert others.nodes == count - MAX_DEPTH


def test_a_dequantized_weight_belongs_to_what_takes_it() -> None:
    quantized = constant("store/w", np.zeros((4, 4), np.uint8))
    quantized.proto.attr["dtype"].type = quantized.proto.attr["value"].tensor.dtype = int(DataType.QUINT8)
    bounds = [constant(f"store/{name}", np.float32(value)) for name, value in (("low", 0), ("high", 1))]
    plain = make_node(
        "store/plain", "Dequantize", ("store/w", "store/low", "store/high"), {"T": type_attr(DataType.QUINT8)}
    )
    report = costs(placeholder("x", (2, 4)), quantized, *bounds, plain, op("layer/y", "MatMul", "x", "store/plain"))
    assert {row.name: row.figures.parameters for row in report.rows} == {"store": 0, "layer": 16}
