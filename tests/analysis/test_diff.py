"""What differs between two models: nothing between a model and itself, and a planted edit alone."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.analysis.diff.compare import DiffOptions, diff
from graphscope.analysis.diff.report import DiffReport, Method, Section
from graphscope.analysis.diff.weights import Depth, measure
from graphscope.core.graph import Graph
from graphscope.core.model import Model, ModelKind
from graphscope.core.values.align import align
from graphscope.core.values.payload import ArrayPayload
from graphscope.protos import AssetFileDef, GraphDef, MetaGraphDef, NodeDef, SavedModel, VariableDef
from graphscope.transforms.batchnorm import fold_batch_norms
from graphscope.transforms.freeze import FreezeOptions, freeze
from tests.support.fixture_files import FIXTURES
from tests.support.zoo_files import needs_zoo, zoo_files

EXACT = DiffOptions(Depth.EXACT, strict=True)
PLAIN = DiffOptions(explains=False)
FROZEN = FIXTURES / "lenet5" / "frozen.pb"


def saved(proto: GraphDef | MetaGraphDef, path: Path) -> Model:
    path.write_bytes(proto.SerializeToString())
    return graphscope.load(path)


def found(report: DiffReport) -> list[tuple[str, str, str, str]]:
    """Section, change, place and detail of each difference; explanations as such."""
    differences = [
        (d.section.value, d.change.value, f"{d.function}/{d.name}" if d.function else d.name, d.detail)
        for d in report.differences
    ]
    return differences + [("explained", e.kind, "", e.text) for e in report.explanations]


# Nothing differs


def twice(path: Path) -> DiffReport | None:
    """A model compared with itself, opened twice; ``None``, if it is no model."""
    try:
        return diff(graphscope.load(path), graphscope.load(path), EXACT)
    except graphscope.GraphscopeError:
        return None


FIXTURE_MODELS = [
    *sorted({path.with_suffix("") for path in FIXTURES.rglob("*.meta")}),
    FROZEN,
    FIXTURES / "softmax" / "frozen.pb",
    FIXTURES / "softmax" / "graph.pbtxt",
    FIXTURES / "lenet5" / "saved_model",
]


@pytest.mark.parametrize("path", FIXTURE_MODELS, ids=lambda path: str(path.relative_to(FIXTURES)))
def test_a_fixture_equals_itself(path: Path) -> None:
    report = twice(path)
    assert report is not None
    assert found(report) == []
    assert report.nodes[0] == report.nodes[1] == sum(report.matched.values())


@needs_zoo
def test_every_file_of_the_zoos_equals_itself() -> None:
    reports = {path: twice(path) for path in zoo_files("*.pb", "*.pbtxt", "*.meta", "*tfevents*")}
    compared = {path: report for path, report in reports.items() if report is not None}
    assert len(compared) > 300
    assert {path.name: found(report) for path, report in compared.items() if not report.is_equal} == {}


@pytest.mark.parametrize("name", ["lenet5", "batchnorm_resource", "rnn", "partitioned", "softmax/v1"])
@pytest.mark.parametrize("suffix", [".pb", ".pbtxt", ".meta"])
def test_a_graph_that_went_through_another_format(name: str, suffix: str, tmp_path: Path) -> None:
    model = graphscope.load(FIXTURES / name)
    graphscope.save(model, tmp_path / f"m{suffix}")
    other = graphscope.load(tmp_path / f"m{suffix}")
    report = diff(model, other)
    assert found(report) == []
    assert bool(report.notes) is (suffix != ".meta" and bool(model.collections))


@pytest.mark.parametrize(
    "name", ["lenet5", "batchnorm_resource", "rnn", "partitioned", "softmax/v1", "lenet5/saved_model"]
)
@pytest.mark.parametrize("target", ["m.ckpt", "m/", "m.npz"])
def test_a_model_that_went_through_another_form(name: str, target: str, tmp_path: Path) -> None:
    """A checkpoint, a SavedModel (whose saver is another one), the values alone, and those beside the graph again."""
    model = graphscope.load(FIXTURES / name)
    graphscope.save(model, f"{tmp_path}/{target}")
    other = graphscope.load(tmp_path / target)
    report = diff(model, other, DiffOptions(Depth.EXACT))
    declared = [("signatures", "added", "serving_default")] if target == "m/" and not model.signatures else []
    assert [(section, change, name) for section, change, name, _ in found(report)] == declared
    if target == "m.npz":
        graphscope.save(model, tmp_path / "back.ckpt", weights=tmp_path / target)
        assert found(diff(model, graphscope.load(tmp_path / "back.ckpt"), DiffOptions(Depth.EXACT))) == []


def test_order_defaults_and_encodings_are_no_differences(tmp_path: Path) -> None:
    """Nodes in another order, defaults left out, a constant's values in another field, ``:0`` spelled out."""
    proto = GraphDef.FromString(FROZEN.read_bytes())
    nodes = list(proto.node)
    random.Random(3).shuffle(nodes)
    other = GraphDef(node=nodes, versions=proto.versions)
    for node in other.node:
        for i, text in enumerate(node.input):
            node.input[i] = text if ":" in text or text.startswith("^") else f"{text}:0"
        for name in ("dilations", "use_cudnn_on_gpu", "explicit_paddings", "data_format", "transpose_a", "transpose_b"):
            node.attr.pop(name, None)
        node.device = "/device:CPU:0"
        node.attr["_class"].list.s.append(b"loc:@x")
    [shape] = [node for node in other.node if node.name == "Reshape/shape"]
    values = np.frombuffer(shape.attr["value"].tensor.tensor_content, np.int32)
    shape.attr["value"].tensor.tensor_content = b""
    shape.attr["value"].tensor.int_val.extend(int(v) for v in values)
    ones = graphscope.load(FROZEN)
    report = diff(ones, saved(other, tmp_path / "m.pb"))
    assert found(report) == []
    strict = diff(ones, saved(other, tmp_path / "m.pb"), EXACT)
    assert {d.section for d in strict.differences} == {Section.ATTRIBUTES, Section.INPUTS}


# One edit, and what is told of it

Edit = Callable[[GraphDef], None]


def node_of(graph: GraphDef, name: str) -> NodeDef:
    [node] = [node for node in graph.node if node.name == name]
    return node


def renamed(old: str, new: str) -> Edit:
    """Every name that starts with ``old``."""

    def moved(text: str) -> str:
        mark = "^" if text.startswith("^") else ""
        name = text[len(mark) :]
        is_it = name == old or name.startswith((f"{old}/", f"{old}:")) if old else True
        return mark + (new + name[len(old) :] if is_it else name)

    def edit(graph: GraphDef) -> None:
        for node in graph.node:
            node.name = moved(node.name)
            inputs = [moved(text) for text in node.input]
            del node.input[:]
            node.input.extend(inputs)

    return edit


def set_attr(name: str, attribute: str, **value: Any) -> Edit:
    def edit(graph: GraphDef) -> None:
        made = node_of(graph, name).attr[attribute]
        for key, content in value.items():
            if key == "ints":
                made.list.i[:] = content
            else:
                setattr(made, key, content)

    return edit


def set_op(name: str, op: str) -> Edit:
    def edit(graph: GraphDef) -> None:
        node_of(graph, name).op = op

    return edit


def removed(name: str) -> Edit:
    def edit(graph: GraphDef) -> None:
        graph.node.remove(node_of(graph, name))  # type: ignore[attr-defined]

    return edit


def inserted(taker: str) -> Edit:
    """An ``Identity`` before the first input of ``taker``."""

    def edit(graph: GraphDef) -> None:
        node = node_of(graph, taker)
        graph.node.add(name="new", op="Identity", input=[node.input[0]]).attr["T"].type = 1
        node.input[0] = "new"

    return edit


def rewired(name: str, position: int, text: str) -> Edit:
    def edit(graph: GraphDef) -> None:
        node_of(graph, name).input[position] = text

    return edit


def waits(name: str, text: str) -> Edit:
    def edit(graph: GraphDef) -> None:
        node_of(graph, name).input.append(text)

    return edit


def moved_weight(name: str, index: int, step: float) -> Edit:
    def edit(graph: GraphDef) -> None:
        tensor = node_of(graph, name).attr["value"].tensor
        values = np.frombuffer(tensor.tensor_content, np.float32).copy()
        values[index] += np.float32(step)
        tensor.tensor_content = values.tobytes()

    return edit


def set_integers(name: str, values: list[int]) -> Edit:
    def edit(graph: GraphDef) -> None:
        node_of(graph, name).attr["value"].tensor.tensor_content = np.array(values, np.int32).tobytes()

    return edit


def reshaped(name: str, dims: list[int]) -> Edit:
    def edit(graph: GraphDef) -> None:
        shape = node_of(graph, name).attr["value"].tensor.tensor_shape
        for dim, size in zip(shape.dim, dims):
            dim.size = size

    return edit


def placeholder_shape(name: str, dims: list[int]) -> Edit:
    def edit(graph: GraphDef) -> None:
        for dim, size in zip(node_of(graph, name).attr["shape"].shape.dim, dims):
            dim.size = size

    return edit


EDITS: dict[str, tuple[Edit, list[tuple[str, str, str, str]]]] = {
    "one node renamed": (renamed("fc1/relu", "fc1/act"), [("names", "renamed", "fc1/relu", "fc1/relu -> fc1/act")]),
    "a scope renamed": (
        renamed("conv1", "first"),
        [("explained", "scope renamed", "", "scope conv1/ -> first/, 7 nodes")],
    ),
    "all in a new scope": (renamed("", "model/"), [("explained", "scope renamed", "", "scope / -> model/, 43 nodes")]),
    "another op": (set_op("fc1/relu", "Elu"), [("nodes", "changed", "fc1/relu", "Relu -> Elu")]),
    "an attribute": (
        set_attr("pool1", "strides", ints=[1, 1, 1, 1]),
        [("attributes", "changed", "pool1", "strides: [1, 2, 2, 1] -> [1, 1, 1, 1]")],
    ),
    "an attribute that was a default": (
        set_attr("conv1/conv", "data_format", s=b"NCHW"),
        [("attributes", "changed", "conv1/conv", "data_format: NHWC -> NCHW")],
    ),
    "a node removed at the end": (removed("softmax"), [("nodes", "removed", "softmax", "Softmax")]),
    "a node inserted": (
        inserted("fc2/relu"),
        [
            ("nodes", "added", "new", "Identity"),
            ("wiring", "changed", "fc2/relu", "input 0: fc2/bias_add:0 -> new:0"),
        ],
    ),
    "another input": (
        rewired("fc3/MatMul", 0, "fc2/BiasAdd"),
        [("wiring", "changed", "fc3/MatMul", "input 0: fc2/relu:0 -> fc2/BiasAdd:0")],
    ),
    "a control edge": (
        waits("fc2/relu", "^pool1"),
        [("wiring", "changed", "fc2/relu", "waits for: nothing -> ^pool1")],
    ),
    "one weight": (
        moved_weight("fc1/weights", 4711, 0.5),
        [("weights", "changed", "fc1/weights", "2.08e-05 of 48,000 values, max |difference| 0.5")],
    ),
    "one bias": (moved_weight("conv2/biases", 3, 1.0), [("weights", "changed", "conv2/biases", "0.0625 of 16 values")]),
    "a constant": (
        set_integers("flatten/shape", [-1, 25]),
        [("weights", "changed", "flatten/shape", "[-1, 400] -> [-1, 25]")],
    ),
    "a weight's shape": (
        reshaped("fc2/weights", [84, 120]),
        [("weights", "changed", "fc2/weights", "float32 (120, 84) -> float32 (84, 120)")],
    ),
    "an input's shape": (
        placeholder_shape("input", [1, 784]),
        [("inputs", "changed", "input", "shape: (?, 784) -> (1, 784)")],
    ),
    "an input's type": (
        set_attr("input", "dtype", type=2),
        [("inputs", "changed", "input", "dtype: float32 -> float64")],
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_planted_edit_is_told_exactly_and_alone(name: str, tmp_path: Path) -> None:
    edit, expected = EDITS[name]
    proto = GraphDef.FromString(FROZEN.read_bytes())
    edit(proto)
    report = diff(graphscope.load(FROZEN), saved(proto, tmp_path / "m.pb"))
    told = [(s, c, n, d[: len(e[3])]) for (s, c, n, d), e in zip(found(report), expected)]
    assert told == expected
    assert len(found(report)) == len(expected)
    back = diff(saved(proto, tmp_path / "m.pb"), graphscope.load(FROZEN), PLAIN)
    assert len(found(back)) == len(expected)


def test_edits_within_a_renamed_scope(tmp_path: Path) -> None:
    proto = GraphDef.FromString(FROZEN.read_bytes())
    for edit in (
        set_attr("conv1/conv", "strides", ints=[1, 2, 2, 1]),
        set_op("conv1/relu", "Elu"),
        moved_weight("conv1/biases", 2, 1.0),
        renamed("", "net/"),
    ):
        edit(proto)
    report = diff(graphscope.load(FROZEN), saved(proto, tmp_path / "m.pb"))
    assert [(d.section.value, d.name, d.other) for d in report.differences] == [
        ("nodes", "conv1/relu", "net/conv1/relu"),
        ("attributes", "conv1/conv", "net/conv1/conv"),
        ("weights", "conv1/biases", "net/conv1/biases"),
    ]
    assert [e.text for e in report.explanations] == ["scope / -> net/, 43 nodes"]
    assert report.matched.keys() <= {Method.STRUCTURE, Method.SCOPE}


def graph_of(*nodes: NodeDef) -> GraphDef:
    return GraphDef(node=nodes)


def test_equal_trifles_are_no_renamed_nodes(tmp_path: Path) -> None:
    """A lone node says too little for a match by what it does."""
    one, other = (
        graph_of(NodeDef(name="x", op="NoOp"), NodeDef(name=name, op="NoOp")) for name in ("a/first", "b/second")
    )
    assert of_functions(one, other, tmp_path) == [
        ("nodes", "removed", "a/first", "NoOp"),
        ("nodes", "added", "b/second", "NoOp"),
    ]


def test_control_inputs_follow_renamed_nodes(tmp_path: Path) -> None:
    """Of a node that was renamed, what waits for it still waits for the same; what waits for another does not."""
    ones = [NodeDef(name=name, op="Placeholder") for name in ("x", "z")]
    one = [*ones, NodeDef(name="first", op="Relu", input=["x"]), NodeDef(name="y", op="Tanh", input=["z", "^first"])]
    for waited, is_same in (("^renamed", True), ("^x", False)):
        renamed = NodeDef(name="renamed", op="Relu", input=["x"])
        other = [*ones, renamed, NodeDef(name="y", op="Tanh", input=["z", waited])]
        report = diff(saved(graph_of(*one), tmp_path / "a.pb"), saved(graph_of(*other), tmp_path / "b.pb"), PLAIN)
        assert [d.name for d in report.differences if d.section is Section.WIRING] == ([] if is_same else ["y"])


def test_nodes_are_told_apart_by_the_output_that_they_take(tmp_path: Path) -> None:
    split = NodeDef(name="split", op="Split", input=["axis", "x"])
    sources = [NodeDef(name=name, op="Placeholder") for name in ("axis", "x")]
    ones = [NodeDef(name="up", op="Relu", input=["split"]), NodeDef(name="down", op="Relu", input=["split:1"])]
    others = [NodeDef(name="below", op="Relu", input=["split:1"]), NodeDef(name="above", op="Relu", input=["split:0"])]
    report = diff(
        saved(graph_of(*sources, split, *ones), tmp_path / "a.pb"),
        saved(graph_of(*sources, split, *others), tmp_path / "b.pb"),
    )
    assert {(d.name, d.other) for d in report.differences} == {("up", "above"), ("down", "below")}
    assert {d.section for d in report.differences} == {Section.NAMES}


def test_files_that_have_nothing_in_common() -> None:
    report = diff(graphscope.load(FROZEN), graphscope.load(FIXTURES / "rnn"), PLAIN)
    pairs = sum(report.matched.values())
    removed_nodes = sum(
        d.change.value == "removed" for d in report.differences if d.section.value in ("nodes", "inputs")
    )
    assert pairs + removed_nodes == report.nodes[0]


# Functions, signatures, collections, versions


def with_function(name: str = "__inference_f_12", op: str = "Relu") -> GraphDef:
    graph = GraphDef(
        node=[NodeDef(name="x", op="Placeholder"), NodeDef(name="call", op="PartitionedCall", input=["x"])]
    )
    graph.node[0].attr["dtype"].type = 1
    graph.node[1].attr["f"].func.name = name
    for key in ("Tin", "Tout"):
        graph.node[1].attr[key].list.type.append(1)
    function = graph.library.function.add()
    function.signature.name = name
    function.signature.input_arg.add(name="a", type=1)
    function.signature.output_arg.add(name="y", type=1)
    function.node_def.add(name="act", op=op, input=["a"]).attr["T"].type = 1
    function.node_def.add(name="out", op="Neg", input=["act:activations:0"]).attr["T"].type = 1
    function.ret["y"] = "out:y:0"
    return graph


def of_functions(one: GraphDef, other: GraphDef, directory: Path) -> list[tuple[str, str, str, str]]:
    return found(diff(saved(one, directory / "a.pb"), saved(other, directory / "b.pb")))


def test_functions_that_were_traced_again_are_the_same(tmp_path: Path) -> None:
    other = with_function("__inference_f_998")
    other.library.function[0].signature.input_arg[0].name = "renamed"
    other.library.function[0].node_def[0].input[0] = "renamed"
    assert of_functions(with_function(), other, tmp_path) == []


def test_functions_that_look_alike_are_told_apart_by_their_names(tmp_path: Path) -> None:
    one, other = GraphDef(), GraphDef()
    for graph, names in ((one, ("a_1", "b_2")), (other, ("b_5", "a_6"))):
        for name in names:
            function = graph.library.function.add()
            function.signature.name = name
            function.node_def.add(name="n", op="Relu", input=["x"]).attr["which"].s = name[0].encode()
    assert of_functions(one, other, tmp_path) == []


def test_what_differs_in_a_function(tmp_path: Path) -> None:
    name = "__inference_f_12"
    assert of_functions(with_function(), with_function(op="Elu"), tmp_path) == [
        ("nodes", "changed", f"{name}/act", "Relu -> Elu")
    ]
    other = with_function()
    other.library.function[0].ret["y"] = "act:activations:0"
    assert of_functions(with_function(), other, tmp_path) == [
        ("functions", "changed", name, "result y: out:y:0 -> act:activations:0")
    ]
    other = with_function()
    other.library.function.add().signature.name = "lonely"
    assert of_functions(with_function(), other, tmp_path) == [("functions", "added", "lonely", "0 nodes")]
    assert of_functions(with_function(), with_function("another_name"), tmp_path) == [
        ("functions", "renamed", name, f"{name} -> another_name")
    ]


def test_a_call_of_another_function(tmp_path: Path) -> None:
    one, other = with_function(), with_function()
    for graph in (one, other):
        graph.library.function.add().CopyFrom(graph.library.function[0])
        graph.library.function[1].signature.name = "second"
        graph.library.function[1].node_def[0].op = "Elu"
    other.node[1].attr["f"].func.name = "second"
    assert of_functions(one, other, tmp_path) == [
        ("attributes", "changed", "call", "f: __inference_f_12 -> second"),
    ]


def meta(output: str = "call:0") -> MetaGraphDef:
    made = MetaGraphDef(graph_def=with_function())
    made.meta_info_def.tensorflow_version = "2.21.0"
    signature = made.signature_def["serving_default"]
    signature.method_name = "predict"
    signature.inputs["x"].name, signature.inputs["x"].dtype = "x:0", 1
    signature.outputs["y"].name, signature.outputs["y"].dtype = output, 1
    made.collection_def["losses"].node_list.value.append("call:0")
    return made


def test_signatures_collections_and_versions(tmp_path: Path) -> None:
    one, other = meta(), meta("x:0")
    other.signature_def["extra"].method_name = "m"
    other.collection_def["losses"].node_list.value[0] = "x:0"
    other.meta_info_def.tensorflow_version = "1.15"
    a, b = saved(one, tmp_path / "a.meta"), saved(other, tmp_path / "b.meta")
    expected = [
        ("signatures", "added", "extra", ""),
        ("signatures", "changed", "serving_default", "output y: call:0 float32 () -> x:0 float32 ()"),
        ("collections", "changed", "losses", "1 -> 1 entries: call:0, x:0"),
    ]
    assert found(diff(a, b)) == expected
    strict = [*expected, ("versions", "changed", "TensorFlow", "2.21.0 -> 1.15")]
    assert found(diff(a, b, DiffOptions(strict=True))) == strict
    bare = saved(with_function(), tmp_path / "c.pb")
    report = diff(a, bare)
    assert (found(report), report.notes) == (
        [],
        (f"signatures and collections were not compared: {bare.path} holds none",),
    )


def test_signatures_follow_renamed_nodes(tmp_path: Path) -> None:
    other = meta()
    renamed("", "m/")(other.graph_def)
    other.signature_def["serving_default"].inputs["x"].name = "m/x:0"
    other.signature_def["serving_default"].outputs["y"].name = "m/call:0"
    other.collection_def["losses"].node_list.value[0] = "m/call:0"
    report = diff(saved(meta(), tmp_path / "a.meta"), saved(other, tmp_path / "b.meta"))
    assert {s for s, *_ in found(report)} <= {"explained", "names"}


# Values


def test_two_checkpoints_of_one_training() -> None:
    a, b = (graphscope.load(FIXTURES / "softmax" / f"model.ckpt-{step}") for step in (5400, 6000))
    report = diff(a, b)
    assert [(d.section, d.name) for d in report.differences] == [
        (Section.WEIGHTS, "inference/weights"),
        (Section.WEIGHTS, "inference/biases"),
        *([(Section.WEIGHTS, "global_step")] if "global_step" in {v.name for v in a.variables} else []),
    ]
    change = report.differences[0].weight
    assert change is not None
    one, other = (m.value(m.variable("inference/weights")).numpy().astype(float) for m in (a, b))
    assert change.changed == np.count_nonzero(one != other)
    assert change.max_abs == np.abs(one - other).max()
    assert change.relative == pytest.approx(np.linalg.norm(other - one) / np.linalg.norm(one), rel=1e-12)
    cosine = (one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other)
    assert change.cosine == pytest.approx(cosine, rel=1e-12)
    assert found(diff(a, b, DiffOptions(Depth.NONE))) == []
    assert found(diff(a, b, DiffOptions(Depth.EXACT))) == found(report)


def test_checkpoints_without_graphs(tmp_path: Path) -> None:
    for step in (5400, 6000):
        for suffix in (".index", ".data-00000-of-00001"):
            source = FIXTURES / "softmax" / f"model.ckpt-{step}{suffix}"
            (tmp_path / f"{step}{suffix}").write_bytes(source.read_bytes())
    a, b = graphscope.load(tmp_path / "5400"), graphscope.load(tmp_path / "6000")
    assert a.kind is ModelKind.CHECKPOINT
    assert {d.name for d in diff(a, b).differences} >= {"inference/weights", "inference/biases"}
    assert diff(a, a).is_equal
    [note] = diff(a, graphscope.load(FIXTURES / "softmax" / "model.ckpt-5400")).notes
    assert note == f"only values were compared: there is no graph in {a.path}"


def payload(*values: Any, dtype: Any = np.float32) -> ArrayPayload:
    return ArrayPayload(np.array(values, dtype))


def test_what_is_measured_of_special_values() -> None:
    nan = measure(payload(1, np.nan, 2), payload(1, np.nan, 3))
    assert (nan.changed, nan.max_abs) == (1, 1.0)
    zero = measure(payload(0, 0), payload(0, 1))
    assert (zero.relative, zero.cosine, zero.max_abs) == (None, None, 1.0)
    text = measure(payload(b"a", b"b", dtype=object), payload(b"a", b"c", dtype=object))
    assert (text.changed, text.max_abs) == (1, None)
    truth = measure(payload(True, False, dtype=np.bool_), payload(True, True, dtype=np.bool_))
    assert (truth.changed, truth.max_abs) == (1, None)
    signed = measure(payload(0.0), payload(-0.0))
    assert (signed.changed, signed.max_abs) == (1, 0.0)


def test_streams_are_cut_at_the_same_places() -> None:
    pieces = list(align(iter([b"abc", b"d"]), iter([b"a", b"bcd"])))
    assert pieces == [(b"a", b"a"), (b"bc", b"bc"), (b"d", b"d")]
    assert list(align(iter([b"ab"]), iter([b"a"]))) == [(b"a", b"a"), (b"b", b"")]
    assert list(align(iter([]), iter([]))) == []


# What freezing and folding do


def frozen(name: str, **options: Any) -> Graph:
    outputs = {"lenet5": "softmax", "batchnorm": "predictions", "batchnorm_resource": "predictions"}
    values = {"is_training": np.array(False)} if name != "lenet5" else {}
    return freeze(graphscope.load(FIXTURES / name), FreezeOptions([outputs[name]], values=values, **options)).graph


def as_model(graph: Graph) -> Model:
    return Model("m.pb", ModelKind.GRAPH, "binary", (), graph)


@pytest.mark.parametrize("name", ["lenet5", "batchnorm", "batchnorm_resource"])
@pytest.mark.parametrize("options", [{"fold": False}, {}, {"batch_norms": True}], ids=str)
def test_a_frozen_model_is_explained(name: str, options: dict[str, bool]) -> None:
    report = diff(graphscope.load(FIXTURES / name), as_model(frozen(name, **options)))
    assert report.differences == ()
    kinds = [e.kind for e in report.explanations]
    assert {"frozen", "cut"} <= set(kinds)
    assert kinds.count("batch norm folded") == (3 if options.get("batch_norms") and name != "lenet5" else 0)


def test_a_weight_that_changed_while_freezing_is_found(tmp_path: Path) -> None:
    proto = GraphDef.FromString(FROZEN.read_bytes())
    moved_weight("fc2/weights", 7, 1e-3)(proto)
    report = diff(graphscope.load(FIXTURES / "lenet5"), saved(proto, tmp_path / "m.pb"))
    assert [(d.section, d.name) for d in report.differences] == [(Section.WEIGHTS, "fc2/weights")]


def replaced(graph: Graph, name: str, change: Callable[[Any], Any]) -> Graph:
    from graphscope.core.changes.build import constant

    def value(payload: Any) -> Any:
        return change(payload.numpy().copy())

    return graph.with_nodes(constant(n.name, value(n.tensor())) if n.name == name else n for n in graph.nodes)


@pytest.mark.parametrize("part", ["weights", "bias"])
def test_a_batch_norm_that_was_folded_wrongly_is_not_explained(part: str) -> None:
    plain = frozen("batchnorm", fold=False)
    folded = fold_batch_norms(plain)
    name = {"weights": "conv1/weights", "bias": "conv1/batch_norm/cond/FusedBatchNormV3_1/bias"}[part]
    report = diff(as_model(plain), as_model(folded))
    assert [e.text for e in report.explanations if e.kind == "batch norm folded"] == [
        f"{layer}: batch norm folded, weights x gamma/sqrt(var)"
        for layer in ("conv1/Conv2D", "conv2/Conv2D", "dense/MatMul")
    ]
    wrong = replaced(folded, name, lambda value: value * np.float32(1.01))
    report = diff(as_model(plain), as_model(wrong))
    explained = [e.names[0] for e in report.explanations if e.kind == "batch norm folded"]
    assert explained == ["conv2/Conv2D", "dense/MatMul"]
    assert report.differences != ()


# What only a close look finds


def edited(tmp_path: Path, source: Path, edit: Callable[[Any], None]) -> list[tuple[str, str, str, str]]:
    """What differs between a SavedModel or a meta graph and a copy of it whose meta graph was edited."""
    path = tmp_path / source.name
    if source.is_dir():
        shutil.copytree(source, path)
        saved_model = SavedModel.FromString((source / "saved_model.pb").read_bytes())
        edit(saved_model.meta_graphs[0])
        (path / "saved_model.pb").write_bytes(saved_model.SerializeToString())
        return found(diff(graphscope.load(source), graphscope.load(path)))
    meta = MetaGraphDef.FromString(source.read_bytes())
    edit(meta)
    return found(diff(graphscope.load(source), saved(meta, path)))


META = FIXTURES / "partitioned"


def first_variable(change: Callable[[VariableDef], object]) -> Callable[[MetaGraphDef], None]:
    def edit(meta: MetaGraphDef) -> None:
        values = meta.collection_def["trainable_variables"].bytes_list.value
        variable = VariableDef.FromString(values[0])
        change(variable)
        values[0] = variable.SerializeToString()

    return edit


def test_entries_of_collections_are_compared_as_a_whole(tmp_path: Path) -> None:
    [source] = META.glob("*.meta")
    edit = first_variable(lambda variable: setattr(variable, "initializer_name", "elsewhere"))
    [(section, change, name, detail)] = edited(tmp_path, source, edit)
    assert (section, change, name) == ("collections", "changed", "trainable_variables")
    assert detail.endswith('-> initializer_name: "elsewhere"')


def test_the_order_of_a_collection(tmp_path: Path) -> None:
    [source] = META.glob("*.meta")

    def reverse(meta: MetaGraphDef) -> None:
        values = meta.collection_def["trainable_variables"].bytes_list.value
        values[:] = list(values)[::-1]

    assert [row[3] for row in edited(tmp_path, source, reverse)] == ["5 -> 5 entries, in another order"]


@pytest.mark.parametrize("text", [b"other", None], ids=["contents", "absent"])
def test_assets_are_compared(tmp_path: Path, text: bytes | None) -> None:
    models = []
    for name, content in (("a", b"words"), ("b", text)):
        meta = MetaGraphDef(asset_file_def=[AssetFileDef(filename="words.txt")])
        meta.meta_info_def.tags.append("serve")
        (tmp_path / name / "assets").mkdir(parents=True)
        (tmp_path / name / "saved_model.pb").write_bytes(SavedModel(meta_graphs=[meta]).SerializeToString())
        if content is not None:
            (tmp_path / name / "assets" / "words.txt").write_bytes(content)
        models.append(graphscope.load(tmp_path / name))
    expected = (
        ("removed", "words.txt", "") if text is None else ("changed", "words.txt", "other contents, 5 bytes -> 5 bytes")
    )
    assert found(diff(*models)) == [("assets", *expected)]


def test_what_a_signature_takes_by_default(tmp_path: Path) -> None:
    def edit(meta: MetaGraphDef) -> None:
        meta.signature_def["serving_default"].defaults["input"].dtype = 1

    [(section, _, name, detail)] = edited(tmp_path, FIXTURES / "lenet5" / "saved_model", edit)
    assert (section, name) == ("signatures", "serving_default")
    assert detail.startswith("default of input: nothing -> float32")


FUNCTION_EDITS: dict[str, tuple[Callable[[GraphDef], object], str]] = {
    "control result": (
        lambda graph: graph.library.function[0].control_ret.update({"done": "act"}),
        "a call waits for: nothing -> ^act",
    ),
    "attribute": (
        lambda graph: setattr(graph.library.function[0].attr["_noinline"], "b", True),
        "_noinline: not stated -> true",
    ),
    "gradient": (
        lambda graph: graph.library.gradient.add(function_name="__inference_f_12", gradient_func="g"),
        "gradient: none -> g",
    ),
}


@pytest.mark.parametrize("name", FUNCTION_EDITS)
def test_what_a_function_declares(tmp_path: Path, name: str) -> None:
    edit, detail = FUNCTION_EDITS[name]
    other = with_function()
    edit(other)
    assert of_functions(with_function(), other, tmp_path) == [("functions", "changed", "__inference_f_12", detail)]


@pytest.mark.parametrize(("op", "other"), [("FusedBatchNorm", "FusedBatchNormV3"), ("ReadVariableOp", "Identity")])
def test_ops_that_freezing_changes_count_where_nothing_was_frozen(tmp_path: Path, op: str, other: str) -> None:
    one, two = (graph_of(NodeDef(name="n", op=each)) for each in (op, other))
    assert of_functions(one, two, tmp_path) == [("nodes", "changed", "n", f"{op} -> {other}")]


def test_a_variable_without_a_value_in_place_of_a_constant(tmp_path: Path) -> None:
    one, two = (graph_of(NodeDef(name="n", op=op)) for op in ("Const", "VariableV2"))
    assert [row[:2] for row in of_functions(one, two, tmp_path)] == [("explained", "unfrozen")]


def test_shared_names_count_but_for_their_numbers(tmp_path: Path) -> None:
    def table(text: bytes) -> GraphDef:
        graph = graph_of(NodeDef(name="n", op="HashTableV2"))
        graph.node[0].attr["shared_name"].s = text
        return graph

    assert of_functions(table(b"table_12"), table(b"table_7"), tmp_path) == []
    assert [row[0] for row in of_functions(table(b"table_12"), table(b"another_12"), tmp_path)] == ["attributes"]


def test_values_that_are_not_finite_are_counted() -> None:
    change = measure(payload(1, 2, np.inf, 4), payload(1, np.nan, 3, 5))
    assert (change.changed, change.not_finite, change.max_abs) == (3, 2, 1.0)
