"""What an audit finds in a graph: every op that can do harm, wherever it lies; and what is judged harmless."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphscope
from graphscope.analysis.audit import denial
from graphscope.analysis.audit.code import lambda_layers
from graphscope.analysis.audit.finding import Finding, Reach, Severity
from graphscope.analysis.audit.model import audit_model
from graphscope.analysis.audit.rules import RULES, Category
from graphscope.core.ops.effects import OP_EFFECTS, Effect, OpEffect, is_harmless
from graphscope.core.values.dtypes import DataType
from graphscope.protos import GraphDef, MetaGraphDef, NodeDef, SavedModel
from tests.support.dangerous import LEVELS, TARGET, WRITERS, dangerous_graph
from tests.support.fixture_files import FIXTURES
from tests.support.zoo_files import needs_zoo, zoo_files, zoo_id

PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}


@pytest.mark.parametrize("format", WRITERS)
@pytest.mark.parametrize("level", LEVELS)
def test_every_op_that_does_more_than_compute_is_found(level: str, format: str, tmp_path: Path) -> None:
    model = graphscope.load(WRITERS[format](dangerous_graph(level), tmp_path))
    findings = {finding.op: finding for finding in findings_of(model)}
    assert findings.keys() == OP_EFFECTS.keys()
    for op, does in OP_EFFECTS.items():
        finding = findings[op]
        assert finding.category.value == does.effect.value, op
        assert finding.function == ("" if level == "top level" else "acts"), op
        assert finding.target == (TARGET if does.argument or does.attribute else ""), op
        assert is_severe(finding, does) if level != "uncalled function" else is_dead(finding), op


def is_severe(finding: Finding, does: OpEffect) -> bool:
    is_milder = does.effect is Effect.READS or finding.op in PYTHON
    return finding.severity >= (Severity.MEDIUM if is_milder else Severity.HIGH)


def is_dead(finding: Finding) -> bool:
    return (finding.severity, finding.reach) == (Severity.LOW, Reach.DEAD)


def test_the_rules_have_the_categories_of_the_effects() -> None:
    assert {effect.value for effect in Effect} < {category.value for category in Category}
    assert {rule.category for rule in RULES.values()} == set(Category)


def node(name: str, op: str, *inputs: str, **types: int) -> NodeDef:
    made = NodeDef(name=name, op=op, input=inputs)
    for key, value in types.items():
        made.attr[key].type = value
    return made


def text(name: str, value: str, op: str = "Const") -> NodeDef:
    made = node(name, op)
    tensor = made.attr["value"].tensor
    made.attr["dtype"].type = tensor.dtype = int(DataType.STRING)
    tensor.tensor_shape.SetInParent()
    tensor.string_val.append(value.encode())
    return made


def integers(name: str, *values: int) -> NodeDef:
    made = node(name, "Const", dtype=int(DataType.INT64))
    tensor = made.attr["value"].tensor
    tensor.dtype = int(DataType.INT64)
    tensor.tensor_shape.dim.add(size=len(values))
    tensor.int64_val.extend(values)
    return made


def audited(graph: GraphDef | MetaGraphDef, directory: Path) -> list[Finding]:
    """The findings in a graph, or in a SavedModel of one meta graph."""
    if isinstance(graph, MetaGraphDef):
        saved = SavedModel(saved_model_schema_version=1, meta_graphs=[graph])
        (directory / "saved_model.pb").write_bytes(saved.SerializeToString())
        return findings_of(graphscope.load(directory))
    (directory / "g.pb").write_bytes(graph.SerializeToString())
    return findings_of(graphscope.load(directory / "g.pb"))


def findings_of(model: graphscope.Model) -> list[Finding]:
    """The findings in a model; those of a higher severity alone are the same."""
    findings = audit_model(model)
    for least in Severity:
        assert audit_model(model, least) == tuple(f for f in findings if f.severity >= least)
    return list(findings)


def served(*nodes: NodeDef, output: str = "", init: str = "") -> MetaGraphDef:
    meta = MetaGraphDef(graph_def=GraphDef(node=nodes))
    meta.meta_info_def.tags.append("serve")
    for name, tensor in (("serving_default", output), ("__saved_model_init_op", init)):
        if tensor:
            meta.signature_def[name].outputs["out"].name = f"{tensor}:0"
    return meta


def read(path: str, name: str = "read") -> list[NodeDef]:
    return [text(f"{name}/path", path), node(name, "ReadFile", f"{name}/path")]


def test_when_a_node_runs(tmp_path: Path) -> None:
    parts = [*read("/a", "loaded"), *read("/b", "served"), *read("/c", "other")]
    findings = audited(served(*parts, output="served", init="loaded"), tmp_path)
    assert {f.node: f.reach for f in findings} == {
        "loaded": Reach.LOAD,
        "served": Reach.SIGNATURE,
        "other": Reach.REQUEST,
    }


@pytest.mark.parametrize(
    ("path", "severity"),
    [
        ("/etc/hosts", Severity.HIGH),
        ("../../etc/hosts", Severity.HIGH),
        ("a/../../b", Severity.HIGH),
        ("~/.ssh/id_rsa", Severity.HIGH),
        (r"C:\windows\win.ini", Severity.HIGH),
        ("s3://bucket/key", Severity.HIGH),
        ("words.txt", Severity.MEDIUM),
        ("data/a..b/words.txt", Severity.MEDIUM),
    ],
)
def test_a_path_is_judged_by_where_it_leads(path: str, severity: Severity, tmp_path: Path) -> None:
    [finding] = audited(GraphDef(node=read(path)), tmp_path)
    assert (finding.severity, finding.target) == (severity, path)


def test_one_bad_path_among_many_counts(tmp_path: Path) -> None:
    parts = read("a.txt")
    for path in ("b.txt", "c.txt", "d.txt", "/etc/hosts"):
        parts[0].attr["value"].tensor.string_val.append(path.encode())
    parts[0].attr["value"].tensor.tensor_shape.dim.add(size=5)
    [finding] = audited(GraphDef(node=parts), tmp_path)
    assert (finding.severity, finding.target) == (Severity.HIGH, "/etc/hosts, a.txt, b.txt")


def test_a_path_that_is_computed_from_constants_is_hidden(tmp_path: Path) -> None:
    parts = [text("p", "/ETC/HOSTS"), node("low", "StringLower", "p"), node("read", "ReadFile", "low")]
    [finding] = audited(GraphDef(node=parts), tmp_path)
    assert finding.severity is Severity.HIGH
    fed = [node("p", "Placeholder"), *parts[1:]]
    [finding] = audited(GraphDef(node=fed), tmp_path)
    assert finding.severity is Severity.MEDIUM
    [finding] = audited(served(*fed, output="read"), tmp_path)
    assert finding.severity is Severity.HIGH


def test_functions_that_are_named_in_roundabout_ways_are_called(tmp_path: Path) -> None:
    """In the attributes of a function that is called, and as the gradient of one."""
    graph = GraphDef(node=[node("call", "PartitionedCall")])
    graph.node[0].attr["f"].func.name = "outer"
    graph.node[0].attr["f"].func.attr["g"].func.name = "inner"
    for name in ("outer", "inner", "gradient"):
        graph.library.function.add().signature.name = name
    graph.library.function[1].node_def.extend(read("/inner"))
    graph.library.function[2].node_def.extend(read("/gradient"))
    graph.library.gradient.add(function_name="outer", gradient_func="gradient")
    assert {f.function: f.reach for f in audited(graph, tmp_path)} == {
        "inner": Reach.REQUEST,
        "gradient": Reach.REQUEST,
    }


def test_programs_in_strings(tmp_path: Path) -> None:
    graph = GraphDef(node=[node("d", "DatasetFromGraph", "x"), node("x", "Placeholder"), node("m", "XlaCallModule")])
    found = [(f.rule, f.node, f.severity) for f in audited(graph, tmp_path)]
    assert found == [("hidden-graph", "d", Severity.HIGH), ("hidden-graph", "m", Severity.LOW)]


def test_a_table_file_is_worse_where_it_is_read_unasked(tmp_path: Path) -> None:
    table = node("table", "HashTableV2")
    fill = node("fill", "InitializeTableFromTextFileV2", "table", "path")
    parts = [table, text("path", "/home/me/words.txt"), fill]
    for init, severity in (("", Severity.MEDIUM), ("fill", Severity.HIGH)):
        place = tmp_path / (init or "plain")
        place.mkdir()
        [finding] = audited(served(*parts, init=init), place)
        assert finding.severity is severity


def test_an_own_asset_is_no_cause_for_alarm(tmp_path: Path) -> None:
    fill = node("fill", "InitializeTableFromTextFileV2", "table", "path")
    meta = served(node("table", "HashTableV2"), text("path", "words.txt"), fill, init="fill")
    asset = meta.asset_file_def.add(filename="words.txt")
    asset.tensor_info.name = "path:0"
    [finding] = audited(meta, tmp_path)
    assert (finding.severity, finding.reason) == (Severity.INFO, "the file is one of the model's own assets")


@pytest.mark.parametrize("filename", ["../../etc/passwd", "/etc/passwd", "a\0b", "..\\..\\x"])
def test_an_asset_that_leads_out_of_the_model(filename: str, tmp_path: Path) -> None:
    fill = node("fill", "InitializeTableFromTextFileV2", "table", "path")
    meta = served(node("table", "HashTableV2"), text("path", filename), fill, init="fill")
    meta.asset_file_def.add(filename=filename).tensor_info.name = "path:0"
    rules = {f.rule: f.severity for f in audited(meta, tmp_path)}
    assert rules["path-traversal"] is Severity.HIGH
    assert rules["reads-file"] >= Severity.MEDIUM


def saver(default: str) -> list[NodeDef]:
    shape = text("shape", "")
    return [
        text("save/Const", default),
        shape,
        node("save/SaveV2", "SaveV2", "save/Const", "shape", "shape", "shape"),
        node("save/RestoreV2", "RestoreV2", "save/Const", "shape", "shape"),
        node("save/restore_all", "NoOp", "^save/RestoreV2"),
    ]


def with_saver(meta: MetaGraphDef) -> MetaGraphDef:
    definition = meta.saver_def
    definition.filename_tensor_name = "save/Const:0"
    definition.save_tensor_name = "save/SaveV2:0"
    definition.restore_op_name = "save/restore_all"
    return meta


def test_a_saver_whose_file_is_fed_is_normal(tmp_path: Path) -> None:
    findings = audited(with_saver(served(*saver("/anything/at/all"))), tmp_path)
    assert {f.op for f in findings} == {"SaveV2", "RestoreV2"}
    assert {(f.severity, f.reach) for f in findings} == {(Severity.INFO, Reach.SAVER)}


def test_a_saver_that_a_signature_runs_is_not(tmp_path: Path) -> None:
    """Nobody feeds the file's name there: what the constant says is written."""
    findings = audited(with_saver(served(*saver("/etc/cron.d/x"), output="save/SaveV2")), tmp_path)
    assert {f.op: f.severity for f in findings} == {"SaveV2": Severity.HIGH, "RestoreV2": Severity.INFO}


def test_a_signature_that_saves_under_the_default_name(tmp_path: Path) -> None:
    findings = audited(with_saver(served(*saver("model"), output="save/SaveV2")), tmp_path)
    assert {f.op: f.severity for f in findings} == {"SaveV2": Severity.HIGH, "RestoreV2": Severity.INFO}


def test_a_saver_in_a_function(tmp_path: Path) -> None:
    """As TensorFlow 2 writes it: the graph calls one function to save, and hands it the name of the file."""
    meta = served(node("save/Const", "Placeholder"), node("save/SaveV2", "saves", "save/Const"))
    meta.graph_def.node.add(name="save/restore_all", op="NoOp")
    function = meta.graph_def.library.function.add()
    function.signature.name = "saves"
    function.signature.input_arg.add(name="path", type=int(DataType.STRING))
    function.node_def.append(node("s", "SaveV2", "path", "x", "x", "x"))
    [finding] = audited(with_saver(meta), tmp_path)
    assert (finding.severity, finding.reach, finding.place) == (Severity.INFO, Reach.SAVER, "saves/s")


@pytest.mark.parametrize(("default", "severity"), [("model", Severity.INFO), ("/tmp/x", Severity.HIGH)])
def test_a_saver_that_nothing_declares(default: str, severity: Severity, tmp_path: Path) -> None:
    findings = audited(GraphDef(node=saver(default)), tmp_path)
    assert max(f.severity for f in findings) is severity


def test_the_functions_of_objects_are_called_by_their_methods_or_on_load(tmp_path: Path) -> None:
    meta = served(node("x", "NoOp"))
    for name in ("method", "starts", "dead"):
        function = meta.graph_def.library.function.add()
        function.signature.name = name
        function.node_def.extend(read(f"/{name}"))
    objects = meta.object_graph_def
    objects.concrete_functions["method"].SetInParent()
    objects.concrete_functions["starts"].SetInParent()
    objects.nodes.add().children.add(node_id=1, local_name="_initialize")
    objects.nodes.add().function.concrete_functions.append("starts")
    reaches = {f.function: f.reach for f in audited(meta, tmp_path)}
    assert reaches == {"method": Reach.METHOD, "starts": Reach.LOAD, "dead": Reach.DEAD}


def test_an_empty_name_is_harmless_where_the_kernel_then_touches_nothing() -> None:
    """A cache in memory, a vocabulary that is stated otherwise, a debugger that nobody listens to."""
    harmless = {op for op in OP_EFFECTS if is_harmless(op, "")}
    assert harmless == {
        *("CacheDataset", "CacheDatasetV2", "FixedUnigramCandidateSampler", "DebugIdentity", "DebugIdentityV2"),
        *("DebugIdentityV3", "DebugNanCount", "DebugNumericSummary"),
    }
    assert not any(is_harmless(op, "x") for op in OP_EFFECTS)
    assert {op for op in OP_EFFECTS if is_harmless(op, "stderr")} == {"PrintV2"}


def test_an_op_that_nobody_knows_is_found_once(tmp_path: Path) -> None:
    findings = audited(GraphDef(node=[node("a", "Resampler"), node("b", "Resampler"), node("c", "NoOp")]), tmp_path)
    assert [(f.rule, f.node, f.severity) for f in findings] == [("unknown-op", "a", Severity.MEDIUM)]
    assert "1 more time" in findings[0].text


# Denial


def fill(*dims: int) -> list[NodeDef]:
    return [integers("dims", *dims), node("one", "Placeholder"), node("fill", "Fill", "dims", "one", T=1)]


def random(*dims: int) -> list[NodeDef]:
    return [integers("dims", *dims), node("same", "Identity", "dims"), node("r", "RandomUniform", "same", dtype=2)]


def repeated(size: int) -> list[NodeDef]:
    made = integers("c", 7)
    made.attr["value"].tensor.tensor_shape.dim[0].size = size
    return [made]


@pytest.mark.parametrize(
    ("nodes", "severity"),
    [
        (fill(1000, 1000), None),
        (fill(1 << 15, 1 << 15), Severity.MEDIUM),
        (fill(1 << 20, 1 << 20), Severity.HIGH),
        (fill(1 << 62, 1 << 62, 1 << 62), Severity.HIGH),
        (random(1 << 14, 1 << 15), Severity.MEDIUM),
        (random(1 << 14, 1 << 14), None),
        (repeated(1 << 40), Severity.HIGH),
        (repeated(1 << 20), None),
    ],
)
def test_tensors_that_no_machine_holds(nodes: list[NodeDef], severity: Severity | None, tmp_path: Path) -> None:
    findings = audited(GraphDef(node=nodes), tmp_path)
    assert [f.severity for f in findings if f.rule == "huge-tensor"] == ([severity] if severity else [])


SIZED = [("Fill", 0), ("RandomUniform", 0), ("BroadcastTo", 1), ("SparseToDense", 1), ("ScatterNd", 2)]
COUNTED = [
    *(("Tile", 1), ("OneHot", 1), ("LinSpace", 2), ("Bincount", 1), ("TensorListReserve", 1), ("TensorArrayV3", 0)),
    *(("ResizeBilinear", 1), ("ResizeNearestNeighbor", 1)),
]


def sized(op: str, position: int, numbers: list[int], *, through: str = "Identity") -> list[NodeDef]:
    """A node that gets ``numbers`` at one of its inputs, passed on."""
    inputs = ["other"] * position + ["passed", "other"]
    return [integers("n", *numbers), node("other", "Placeholder"), node("passed", through, "n"), node("x", op, *inputs)]


@pytest.mark.parametrize(("op", "position"), [*SIZED, *COUNTED])
def test_ops_that_allocate_what_an_input_says(op: str, position: int, tmp_path: Path) -> None:
    """4 GiB and more, of elements of 4 bytes; only where a constant says so that nothing computes with."""
    for numbers, count in (([1 << 15, 1 << 15], 1), ([1 << 15, (1 << 15) - 1], 0), ([-(1 << 20), 1 << 40], 0)):
        assert len(huge(sized(op, position, numbers), tmp_path)) == count, numbers
    assert len(huge(sized(op, position, [1 << 40], through="Cast"), tmp_path)) == 1
    assert huge(sized(op, position, [1 << 40], through="Neg"), tmp_path) == []
    assert huge([node("x", op)], tmp_path) == []


@pytest.mark.parametrize(
    ("numbers", "severity"),
    [
        ((0, 1 << 30, 1), Severity.MEDIUM),
        ((0, (1 << 30) - 1, 1), None),
        ((0, 1 << 30, 2), None),
        ((1 << 30, 0, -1), Severity.MEDIUM),
        ((-(1 << 41), 0, 1), Severity.HIGH),
        ((1, 1 << 60, 0), None),
    ],
)
def test_ranges_that_no_machine_holds(numbers: tuple[int, int, int], severity: Severity | None, tmp_path: Path) -> None:
    limits = [integers(name, number) for name, number in zip("abc", numbers)]
    found = huge([*limits, node("x", "Range", "a", "b", "c", Tidx=int(DataType.INT32))], tmp_path)
    assert [f.severity for f in found] == ([severity] if severity else [])


def huge(nodes: list[NodeDef], directory: Path) -> list[Finding]:
    return [f for f in audited(GraphDef(node=nodes), directory) if f.rule == "huge-tensor"]


def chain(levels: int, last: str) -> GraphDef:
    """Functions that each call the next one twice."""
    graph = GraphDef(node=[node("start", "f0")])
    for level in range(levels):
        function = graph.library.function.add()
        function.signature.name = f"f{level}"
        following = f"f{level + 1}" if level + 1 < levels else last
        function.node_def.extend([node("a", following), node("b", following)])
    return graph


@pytest.mark.parametrize(
    ("many", "endless", "severity"), [(7, 8, Severity.MEDIUM), (7, 7, Severity.HIGH), (8, 9, None)]
)
def test_all_calls_are_counted(
    many: int, endless: int, severity: Severity | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three functions, of which two call the next one twice: 1 + 2 + 4 calls."""
    monkeypatch.setattr(denial, "MANY_CALLS", many)
    monkeypatch.setattr(denial, "ENDLESS_CALLS", endless)
    found = [f.severity for f in audited(chain(3, "NoOp"), tmp_path) if f.rule == "call-explosion"]
    assert found == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("graph", "rules"),
    [
        (chain(10, "NoOp"), []),
        (chain(25, "NoOp"), [("call-explosion", Severity.MEDIUM)]),
        (chain(200, "NoOp"), [("call-explosion", Severity.HIGH)]),
        (chain(1, "f0"), [("recursion", Severity.HIGH)]),
        (chain(3, "f0"), [("recursion", Severity.HIGH)]),
    ],
)
def test_functions_that_never_end(graph: GraphDef, rules: list[tuple[str, Severity]], tmp_path: Path) -> None:
    assert list(dict.fromkeys((f.rule, f.severity) for f in audited(graph, tmp_path))) == rules


def truth(name: str, value: bool) -> NodeDef:
    made = node(name, "Const", dtype=int(DataType.BOOL))
    tensor = made.attr["value"].tensor
    tensor.dtype = int(DataType.BOOL)
    tensor.tensor_shape.SetInParent()
    tensor.bool_val.append(value)
    return made


@pytest.mark.parametrize("value", [True, False])
def test_loops_that_never_stop(value: bool, tmp_path: Path) -> None:
    graph = GraphDef(node=[truth("c", value), node("cond", "LoopCond", "c"), node("while", "While")])
    graph.node[2].attr["cond"].func.name = "always"
    function = graph.library.function.add()
    function.signature.name = "always"
    function.signature.output_arg.add(name="o", type=int(DataType.BOOL))
    function.node_def.append(truth("t", value))
    function.ret["o"] = "t:output:0"
    found = [(f.rule, f.node) for f in audited(graph, tmp_path)]
    assert found == ([("endless-loop", "cond"), ("endless-loop", "while")] if value else [])


# Deception


def test_names_that_are_not_what_they_seem(tmp_path: Path) -> None:
    graph = GraphDef(node=[node("a", "NoOp"), node("a", "NoOp"), node("safe\u202egp", "NoOp"), node("é", "NoOp")])
    graph.library.function.add().signature.name = "MatMul"
    rules = [(f.rule, f.node, f.severity) for f in audited(graph, tmp_path)]
    assert rules == [
        ("hidden-characters", "safe\u202egp", Severity.HIGH),
        ("duplicate-name", "a", Severity.MEDIUM),
        ("shadowed-op", "MatMul", Severity.MEDIUM),
    ]


def test_devices_of_other_processes(tmp_path: Path) -> None:
    graph = GraphDef(node=[node("a", "NoOp"), node("b", "NoOp"), node("c", "NoOp")])
    for made, device in zip(graph.node, ("/job:ps/task:0", "/job:ps/task:0", "/job:localhost/device:CPU:0")):
        made.device = device
    assert [(f.rule, f.severity, f.target) for f in audited(graph, tmp_path)] == [
        ("remote-device", Severity.INFO, "/job:ps/task:0")
    ]


# Keras

BYTECODE = '{"class_name": "Lambda", "config": {"name": "l", "function": ["4wEAAA", null, null]}}'
MODERN = '{"class_name":"Lambda","config":{"name":"l","function":{"class_name":"__lambda__","config":{"code":"4wE"}}}}'
NAMED = '{"class_name": "Lambda", "config": {"name": "l", "function": "scale", "function_type": "function"}}'
KERAS_3 = (
    '{"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "dtype": {"class_name": "DTypePolicy"},'
    ' "function": FUNCTION}}'
)
CODE, STATED = '{"class_name": "__lambda__", "config": {"code": "4wE"}}', '{"class_name": "function", "config": "f"}'
ACTIVATION = f'{{"class_name": "Dense", "config": {{"activation": {CODE}}}}}'
DENSE = '{"class_name": "Dense", "config": {"name": "d", "function": ["x"]}}'


@pytest.mark.parametrize(
    ("content", "severities"),
    [
        (BYTECODE, [Severity.HIGH]),
        (MODERN, [Severity.HIGH]),
        (KERAS_3.replace("FUNCTION", CODE), [Severity.HIGH]),
        (KERAS_3.replace("FUNCTION", STATED), [Severity.MEDIUM]),
        (KERAS_3.replace("FUNCTION", STATED) + ACTIVATION, [Severity.MEDIUM, Severity.HIGH]),
        (NAMED, [Severity.MEDIUM]),
        (NAMED + DENSE, [Severity.MEDIUM]),
        (DENSE, []),
        (DENSE + BYTECODE + " " * 200_000 + NAMED, [Severity.HIGH, Severity.MEDIUM]),
    ],
)
@pytest.mark.parametrize("size", [1 << 20, 1000, 7])
def test_lambda_layers(content: str, severities: list[Severity], size: int) -> None:
    data = content.encode()
    if size == 7 and len(data) > 100_000:
        data = data.replace(b" " * 100_000, b"")
    found = list(lambda_layers(data[i : i + size] for i in range(0, len(data), size)))
    assert [f.severity for f in found] == severities
    assert {f.node for f in found} <= {"l", ""}


@pytest.mark.parametrize(
    ("content", "target"),
    [
        ('{"class_name": "TFOpLambda", "config": {"name": "tf.io", "function": "io.write_file"}}', "io.write_file"),
        (
            '{"class_name": "TFOpLambda", "config": {"name": "tf.raw", "function": "raw_ops.ReadFile"}}',
            "raw_ops.ReadFile",
        ),
        ('{"class_name": "TFOpLambda", "config": {"name": "tf.math", "function": "math.add"}}', None),
        ('{"module": "subprocess", "class_name": "function", "config": "run"}', "subprocess"),
        ('{"module": "keras.utils", "class_name": "get_file", "config": {}}', "get_file"),
        ('{"module": "keras.layers", "class_name": "Dense", "config": {"function": "io.x"}}', None),
    ],
)
def test_what_a_keras_configuration_names(content: str, target: str | None) -> None:
    found = list(lambda_layers([content.encode()]))
    assert [f.target for f in found] == ([target] if target else [])
    assert {f.severity for f in found} <= {Severity.HIGH}


def test_lambda_layers_in_a_saved_model(tmp_path: Path) -> None:
    meta = served(node("x", "NoOp"))
    meta.object_graph_def.nodes.add().user_object.metadata = BYTECODE
    assert [f.rule for f in audited(meta, tmp_path)] == ["keras-lambda"]


# Real files


def models() -> list[Path]:
    found = zoo_files("*.pb", "*.pbtxt", "*.meta", "*tfevents*")
    return [path for path in found if path.name not in ("keras_metadata.pb", "fingerprint.pb", "tfhub_module.pb")]


def highest(path: Path) -> set[tuple[str, str]]:
    """Rule and op of what is high in a file; nothing, if it is no model."""
    try:
        model = graphscope.load(path)
    except graphscope.GraphscopeError:
        return set()
    return {(f.rule, f.op) for f in findings_of(model) if f.severity is Severity.HIGH}


def test_nothing_is_high_in_the_fixtures() -> None:
    files = [path for pattern in ("*.pb", "*.pbtxt", "*.meta") for path in FIXTURES.rglob(pattern)]
    assert len(files) > 15
    assert {path.name: found for path in files if (found := highest(path))} == {}


TAXI = "tensorflow+tfx/tfx/components/testdata/trainer/current/Format-Serving"
EXPECTED = {
    f"meta_ckpt/{TAXI}/model.ckpt-0.meta",
    f"meta_ckpt/{TAXI}/model.ckpt-1000.meta",
    f"pbtxt/{TAXI}/graph.pbtxt",
    f"events/{TAXI}/events.out.tfevents.1646034739.jiyongjung.c.googlers.com",
    f"events/{TAXI}/eval_chicago-taxi-eval/events.out.tfevents.1646034751.jiyongjung.c.googlers.com",
}
"""One training graph, whose input pipeline lists the directories of the person who trained: it does read outside the model."""


@needs_zoo
def test_nothing_is_high_in_the_zoos_but_what_is_listed() -> None:
    files = models()
    assert len(files) > 350
    found = {zoo_id(path): high for path in files if (high := highest(path))}
    assert found == {name: {("reads-file", "MatchingFiles")} for name in EXPECTED}
