"""``import graphscope``: what it exports, and that a person can write with it what the command line does."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope.advice import Advice, Call, Option, Options
from graphscope.cli.app import COMMANDS  # type: ignore[attr-defined]
from graphscope.cli.terminal.wording import to_words
from graphscope.core.changes.build import constant, make_node
from graphscope.core.graph import Graph
from graphscope.errors import ArgumentError, FileError, GraphscopeError, IncompleteModelError, UnknownNameError
from graphscope.formats.registry import FORMATS, format_for, writable
from graphscope.protos import GraphDef
from tests.support.fixture_files import FIXTURES, ROOT

LENET = FIXTURES / "lenet5"

FUNCTIONS = {
    "audit": "paths",
    "compare_layers": "model other outputs map feeds set batch seed atol rtol trust listener",
    "convert": (
        "model path to outputs inputs shape batch for_tensorflow weights rename checkpoint tags allow_outside overwrite"
        " listener"
    ),
    "cost": "model outputs all by depth shape batch device peak checkpoint tags listener",
    "diff": "a b weights strict explain tags listener",
    "draw": "model depth scope focus radius color profile checkpoint tags",
    "draw_diff": "a b weights strict explain tags listener",
    "dump": "model logdir run shapes shape batch histograms filters embeddings checkpoint tags listener",
    "edit": "model steps recipe outputs checkpoint tags listener",
    "evaluate": (
        "model data outputs inputs set regression multilabel labels ema batch reading wrong confusion logdir checkpoint tags"
        " trust engine overwrite listener"
    ),
    "export_model": (
        "model path to outputs inputs set ema rename shape batch opset external_data quantize data reading verify feeds atol"
        " rtol trust overwrite listener"
    ),
    "feature_function": "base at inputs set batch session checkpoint tags trust listener",
    "features": "base data out at inputs set batch reading workers cluster job task checkpoint tags trust overwrite listener",
    "find_nonfinite": "model outputs feeds batch seed trust listener",
    "freeze": (
        "model outputs inputs set ema fold fold_batch_norms keep_devices float16 shape batch tables data_format for_tensorflow"
        " strict listener"
    ),
    "graft": (
        "base at head out classes multilabel regression inputs set unfreeze stop_gradient head_model bind head_output prefix"
        " optimizer learning_rate decay l2 ema seed train checkpoint tags trust overwrite listener"
    ),
    "load": "path tags checkpoint lazily",
    "load_foreign": "path",
    "profile": (
        "model feeds outputs checkpoint tags batch steps warmup seed placing session cluster timeout trust listener"
    ),
    "read_profile": "path",
    "run": (
        "model feeds outputs signature checkpoint tags batch seed scaling labels placing session trust engine listener"
    ),
    "save": "model path to outputs inputs shape batch for_tensorflow weights rename allow_outside overwrite listener",
    "scalars": "logdir tags runs listener",
    "serve": "cluster job task session listener",
    "summarize": "model checkpoint tags",
    "text": "model values checkpoint tags",
    "tune": (
        "model data validation epochs batch seed patience augment reading use_cache logdir out keep save_every resume workers"
        " cluster job task asynchronous ps elastic timeout towers trust overwrite watchers interrupted listener"
    ),
    "verify": "model other outputs map feeds set batches batch seed atol rtol trust engine listener",
}


def test_every_public_name_is_there_and_documented() -> None:
    assert sorted(graphscope.__all__) == dir(graphscope)
    for name in graphscope.__all__:
        found = getattr(graphscope, name)
        if name != "__version__":
            assert found.__module__.startswith("graphscope.")
            assert inspect.getdoc(found)
    with pytest.raises(AttributeError, match="no attribute 'frezee'"):
        _ = graphscope.frezee  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_stay(name: str) -> None:
    parameters = inspect.signature(getattr(graphscope, name)).parameters
    assert " ".join(parameters) == FUNCTIONS[name]
    assert not any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def test_every_function_is_listed() -> None:
    functions = {n for n in graphscope.__all__ if inspect.isfunction(getattr(graphscope, n))}
    assert functions == set(FUNCTIONS)
    shown_otherwise = {"info", "nodes", "vars", "show", "board"}  # what a Model holds, and a server
    named_otherwise = {"eval": "evaluate"}  # what Python itself calls eval is something else
    assert {named_otherwise.get(name, name) for name in set(COMMANDS) - shown_otherwise} <= functions


def test_importing_it_imports_little() -> None:
    script = "import sys, graphscope; print({'numpy', 'tensorflow', 'tensorboard', 'typer'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "set()\n"


def test_a_model_tells_what_it_is_in_one_line() -> None:
    model = graphscope.load(LENET)
    assert repr(model) == f"<Model {model.path!r}: meta checkpoint, 388 nodes, 33 values>"
    assert repr(model.graph) == "<Graph: 388 nodes>"
    assert repr(model["conv1/weights"]).endswith(" float32 (5, 5, 1, 6)>")
    assert all(
        "\n" not in repr(thing) and len(repr(thing)) < 200 for thing in (model, model.graph, model["fc3/biases"])
    )


def test_weights_are_arrays() -> None:
    model = graphscope.load(LENET)
    weights = np.asarray(model["conv1/weights"])
    assert weights.shape == (5, 5, 1, 6)
    assert (np.asarray(model["conv1/weights:0"]) == weights).all()
    assert np.asarray(model["conv1/weights"], np.float64).dtype == np.float64
    frozen = graphscope.freeze(model, outputs="softmax").model
    assert (np.asarray(frozen["conv1/weights"]) == weights).all()
    with pytest.raises(UnknownNameError, match="closest: conv1/weights"):
        _ = model["conv1/weihgts"]
    alone = graphscope.load(FIXTURES / "softmax" / "graph.pbtxt")
    with pytest.raises(IncompleteModelError, match="no checkpoint holds"):
        _ = alone[next(v.name for v in alone.variables)]


def test_a_str_is_one_name() -> None:
    model = graphscope.load(LENET)
    one = graphscope.freeze(model, outputs="softmax", inputs="input")
    many = graphscope.freeze(model, outputs=["softmax"], inputs=["input"])
    assert one.outputs == many.outputs == ("softmax:0",)
    assert [n.name for n in one.model.graph] == [n.name for n in many.model.graph]


def test_freeze_reports_and_saves_by_suffix(tmp_path: Path) -> None:
    frozen = graphscope.freeze(LENET, outputs=["softmax"])
    assert {change.op for change in frozen.changes} >= {"VariableV2", "Const"}
    assert frozen.open_switches == {}
    binary, text = tmp_path / "a.pb", tmp_path / "a.pbtxt"
    assert frozen.save(binary).size_bytes == binary.stat().st_size
    assert frozen.save(text).format == "pbtxt"
    assert text.read_text("utf-8").startswith("node {")
    assert [n.name for n in graphscope.load(text).graph] == [n.name for n in graphscope.load(binary).graph]
    with pytest.raises(ArgumentError, match="no format with the suffix"):
        frozen.save(tmp_path / "a.h5")
    with pytest.raises(FileError) as taken:
        frozen.save(binary)
    assert str(taken.value.hint) == "overwrite=True replaces it"


@pytest.mark.parametrize("name", ["m.pb", "m.pbtxt", "m.meta", "m.npz", "m.safetensors", "model.ckpt", "saved/"])
def test_save_writes_what_the_name_says(name: str, tmp_path: Path) -> None:
    model = graphscope.load(LENET)
    saved = graphscope.save(model, f"{tmp_path}/{name}")
    assert saved.format == format_for(f"{tmp_path}/{name}").name
    again = graphscope.load(saved.path)
    row = next(row for row in FORMATS if row.name == saved.format)
    assert again.has_graph == (row.has_graph and True)
    if row.has_values:
        assert (np.asarray(again["conv1/weights"]) == np.asarray(model["conv1/weights"])).all()
    with pytest.raises(FileError):
        graphscope.save(model, f"{tmp_path}/{name}")


@pytest.mark.parametrize("name", ["m.h5", "m.unknown", "m", "m.index"])
def test_save_refuses_what_nothing_writes(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError) as error:
        graphscope.save(graphscope.load(LENET), tmp_path / name)
    assert all(row.title in str(error.value.hint) for row in writable())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["saved_model.pb", "saved_model.pbtxt", "fingerprint.pb", "checkpoint"])
def test_names_that_tensorflow_reserves_are_not_overwritten(name: str, tmp_path: Path) -> None:
    """A graph there would break the model in that directory, and nothing would open it."""
    (tmp_path / name).write_bytes(b"old")
    model = graphscope.load(LENET)
    works = [
        lambda: graphscope.freeze(model).save(tmp_path / name, overwrite=True),
        lambda: graphscope.save(model, tmp_path / name, to="pbtxt" if name.endswith("txt") else "pb", overwrite=True),
    ]
    for work in works:
        with pytest.raises(ArgumentError, match=f"{name}: TensorFlow reserves this name for "):
            work()
    assert (tmp_path / name).read_bytes() == b"old"


def test_a_name_must_not_mislead(tmp_path: Path) -> None:
    model = graphscope.load(LENET)
    for name, to in (("m.pbtxt", "pb"), ("m.h5", "pb"), ("m.npz", "checkpoint")):
        with pytest.raises(ArgumentError, match="the name implies"):
            graphscope.save(model, tmp_path / name, to=to)
    with pytest.raises(UnknownNameError, match="no format that can be written is named 'pbx'; closest: pb"):
        graphscope.save(model, tmp_path / "m", to="pbx")
    assert graphscope.save(model, tmp_path / "m", to="pb").format == "pb"


def test_a_graph_is_saved_and_a_dangling_input_is_not(tmp_path: Path) -> None:
    graph = Graph(GraphDef(), [constant("a", np.float32(1)), make_node("b", "Identity", ["a"], {})])
    assert graphscope.save(graph.with_nodes(graph.nodes[:1]), tmp_path / "a.pb").size_bytes > 0
    with pytest.raises(GraphscopeError, match="gone"):
        graphscope.save(Graph(GraphDef(), [make_node("b", "NoOp", ["^gone"], {})]), tmp_path / "b.pb")
    assert not (tmp_path / "b.pb").exists()


def test_archives_open_as_models(tmp_path: Path) -> None:
    for name in ("w.npz", "w.safetensors"):
        graphscope.save(graphscope.load(LENET), tmp_path / name)
        model = graphscope.load(tmp_path / name)
        assert model["fc3/biases"].shape == (10,)
        assert graphscope.summarize(model).kind == "archive of arrays"
        with pytest.raises(IncompleteModelError, match="an archive of arrays has no graph"):
            _ = model.graph
    back = graphscope.convert(LENET, tmp_path / "m.ckpt", weights=tmp_path / "w.npz")
    assert (
        np.asarray(graphscope.load(back.path)["fc3/biases"]) == np.asarray(graphscope.load(LENET)["fc3/biases"])
    ).all()


class Heard(graphscope.Listener):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str | Advice) -> None:
        self.notes.append(str(text))


def test_a_listener_hears_what_the_command_line_says() -> None:
    heard = Heard()
    graphscope.freeze(LENET, listener=heard)
    [note] = heard.notes
    assert note.startswith("softmax:0 taken as the output (")
    assert note.endswith("; outputs chooses another")


ADVICE = [
    (Advice(Option("overwrite", True), " replaces it"), "overwrite=True replaces it", "--force replaces it"),
    (Advice(Option("fold", False)), "fold=False", "--no-fold"),
    (Advice(Option("outputs", "a/b")), 'outputs=["a/b"]', "--output a/b"),
    (Advice(Option("outputs", "it's")), 'outputs=["it\'s"]', "--output 'it'\"'\"'s'"),
    (Advice(Option("set", "x=false")), 'set={"x": False}', "--set x=false"),
    (Advice(Option("feeds", "x=@picture.png")), 'feeds={"x": "@picture.png"}', "--feed x=@picture.png"),
    (Advice(Option("feeds", "x=[[1, 2]]")), 'feeds={"x": [[1, 2]]}', "--feed 'x=[[1, 2]]'"),
    (Advice(Option("set", "NAME=VALUE")), 'set={"NAME": VALUE}', "--set NAME=VALUE"),
    (Advice(Option("shape", "x=?,224,3")), 'shape={"x": (None, 224, 3)}', "--shape 'x=?,224,3'"),
    (
        Advice(Call("serve", ("c.yml",), (Option("task", "0"), Option("devices", "cpu:2")))),
        'graphscope.serve("c.yml", task=0, session=graphscope.SessionOptions(devices={"cpu": 2}))',
        "graphscope serve c.yml --task 0 --devices cpu:2",
    ),
    (Advice(Option("map", "a:0=b:0")), 'map={"a:0": "b:0"}', "--map a:0=b:0"),
    (Advice(Option("size", "224x112")), "reading=graphscope.DataOptions(size=(224, 112))", "--size 224x112"),
    (
        Advice(Option("only_classes", "A,B,...")),
        'reading=graphscope.DataOptions(only_classes=("A", "B", ...))',
        "--only-classes A,B,...",
    ),
    (Advice(Option("classes", "5")), "classes=5", "--classes 5"),
    (Advice(Option("allow_outside")), "allow_outside", "--allow-outside"),
    (Advice(Option("out", "DIR/")), 'out="DIR/"', "-o DIR/"),
    (Advice(Call("load_foreign", ("a.onnx",))), 'graphscope.load_foreign("a.onnx")', "graphscope info a.onnx"),
    (Advice(Call("summarize", ("a b.pb",))), 'graphscope.summarize("a b.pb")', "graphscope info 'a b.pb'"),
    (
        Advice(Call("graft", ("BASE",), (Option("classes", "N"),)), "!"),
        'graphscope.graft("BASE", classes=N)!',
        "graphscope graft BASE --classes N!",
    ),
    (Advice(Call("vars", ("m",))), 'graphscope.load("m").variables', "graphscope vars m"),
    (
        Advice(Options((Option("inputs", "a"), Option("inputs", "b"), Option("set", "c=1"), Option("set", "d=true")))),
        'inputs=["a", "b"], set={"c": 1, "d": True}',
        "--input a --input b --set c=1 --set d=true",
    ),
]


@pytest.mark.parametrize(("advice", "python", "typed"), ADVICE)
def test_hints_are_worded_for_who_reads_them(advice: Advice, python: str, typed: str) -> None:
    assert str(advice) == python
    assert to_words(advice) == typed


def test_no_text_of_the_library_has_options_of_the_command_line() -> None:
    allowed = {"tensorboard --logdir {}"}
    found: list[str] = []
    for path in sorted((ROOT / "graphscope").rglob("*.py")):
        if "cli" in path.parts:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        documented = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
                found += [node.value for word in node.value.split() if word.startswith("--") and word[2:3].isalpha()]
    assert [text for text in found if text not in allowed] == []
