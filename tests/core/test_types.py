"""Types of inputs: what TensorFlow does not import for them is a problem, is not written, and nothing else is."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import graphscope
from graphscope.cli.app import app
from graphscope.core.changes.build import with_inputs
from graphscope.core.checks.validity import find_problems
from graphscope.core.graph import Graph
from graphscope.errors import GraphscopeError
from tests.support.fixture_files import FIXTURES
from tests.support.running import built, refusal, serialized, tf

v1 = tf.compat.v1
DIFFER = "incompatible with expected"
"""What TensorFlow says of types, and of nothing else."""


def problems(graph: Graph) -> list[tuple[str, str]]:
    return [(p.kind, p.text) for p in find_problems(graph, graph.catalog(), closely=True)]


def variable() -> Any:
    return v1.get_variable("v", [2], use_resource=False)


def rewired(graph: Graph, node: str, index: int, tensor: str) -> Graph:
    inputs = list(graph[node].inputs)
    inputs[index] = tensor
    return graph.with_nodes(with_inputs(n, inputs) if n.name == node else n for n in graph)


def several() -> None:
    x, k = v1.placeholder(tf.float32, [2], "x"), v1.placeholder(tf.int32, [2], "k")
    tf.nn.softmax(x, name="y")
    tf.identity(k, name="z")
    tf.cast(k, tf.float32, name="cast")
    tf.concat([k, k], 0, name="joined")
    tf.unique_with_counts(x, name="unique")
    tf.strings.as_string(k, name="text")
    v1.assign(variable(), x, name="writes")
    v1.while_loop(lambda i: i < 3, lambda i: i + 1, [tf.constant(0, name="start")])
    tf.identity(v1.cond(tf.constant(True), lambda: x, lambda: -x), name="chosen")


WIRES = {
    "another number": ("y", 0, "z"),
    "a number cast": ("y", 0, "cast"),
    "one of a list": ("joined", 1, "x"),
    "another of a list": ("joined", 1, "z"),
    "a fixed type": ("joined", 2, "x"),
    "a later output, wrong": ("y", 0, "unique:1"),
    "a later output": ("joined", 0, "unique:2"),
    "text": ("y", 0, "text"),
    "no variable": ("writes", 0, "x"),
    "another's variable by value": ("y", 0, "v"),
    "what gives its variable": ("writes", 0, "v/Assign"),
    "what reads a variable": ("writes", 0, "v/read"),
    "within a loop": ("while/Switch", 0, "x"),
    "within a branch": ("cond/Switch_1", 0, "k"),
}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return built(several)


@pytest.mark.parametrize("wire", WIRES)
def test_types_are_compared_as_tensorflow_does(graph: Graph, wire: str) -> None:
    node, index, tensor = WIRES[wire]
    if node not in graph:
        [node] = [n.name for n in graph if n.op == "Switch" and n.name.startswith(node.partition("/")[0])][:1]
    changed = rewired(graph, node, index, tensor)
    found = problems(changed)
    assert bool(found) == (DIFFER in refusal(changed))
    assert all(kind == "type" and text.startswith(f"node {node} (") for kind, text in found)


@pytest.mark.parametrize(
    "path", ["lenet5/model.ckpt-4690.meta", "rnn", "batchnorm_resource/model.ckpt-4800.meta", "towers"]
)
def test_random_wires(path: str) -> None:
    model = graphscope.load(FIXTURES / path)
    draw = random.Random(7)
    takers = [node for node in model.graph if node.data_inputs()]
    tensors = [
        f"{node.name}:{draw.randrange(len(outputs))}".removesuffix(":0")
        for node in model.graph
        if (outputs := model.catalog.outputs(node.op, node.attrs))
    ]
    for _ in range(25):
        node = draw.choice(takers)
        changed = rewired(model.graph, node.name, draw.randrange(len(node.data_inputs())), draw.choice(tensors))
        found, said = problems(changed), refusal(changed)
        assert {kind for kind, _ in found} <= {"type", "cycle"}
        assert (DIFFER in said if found[0][0] == "type" else said) if found else DIFFER not in said, (found, said)


def test_within_a_function() -> None:
    def calling() -> None:
        double = tf.function(lambda x, k: (tf.identity(x, name="same") * 2, tf.identity(k)), autograph=False)
        double(v1.placeholder(tf.float32, [2], "x"), v1.placeholder(tf.int32, [2], "k"))

    graph = built(calling)
    [function] = graph.functions.values()
    same = next(node for node in function if node.op == "Identity" and node.inputs == ["x"])
    changed = function.with_nodes(with_inputs(n, ["k"]) if n is same else n for n in function)
    assert problems(graph) == []
    [(kind, text)] = problems(graph.with_functions([changed]))
    assert (kind, text) == (
        "type",
        f"library function {function.name}: node {same.name} (Identity) takes float32, and k is int32",
    )


def saved(graph: Graph, folder: Path) -> Path:
    (folder / "m.pb").write_bytes(serialized(graph))
    return folder / "m.pb"


def cut_off() -> None:
    x = v1.placeholder(tf.float32, [2], "x")
    tf.nn.relu(x, name="good")
    tf.nn.softmax(x, name="bad")
    tf.identity(v1.placeholder(tf.int32, [2], "k"), name="z")


def test_what_is_written_has_right_types(tmp_path: Path) -> None:
    path = saved(rewired(built(cut_off), "bad", 0, "z"), tmp_path)
    text = "node bad (Softmax) takes float32, and z is int32"
    assert [str(problem.text) for problem in graphscope.summarize(path).problems] == [text]
    for verb, name in (("convert", "out.pbtxt"), ("convert", "out/"), ("convert", "out.onnx"), ("freeze", "out.pb")):
        done = CliRunner().invoke(app, [verb, str(path), f"{tmp_path}/{name}", "--output", "bad"])
        assert (done.exit_code, "takes float32, and" in done.stderr) == (1, True), done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["m.pb"]
    frozen = graphscope.freeze(path, outputs="good")
    frozen.save(tmp_path / "good.pb")
    assert graphscope.run(tmp_path / "good.pb", {"x": [-1, 2]})["good"].tolist() == [0, 2]


def assigned() -> None:
    v1.get_variable("w", initializer=[1.0, 2], use_resource=False)
    v1.assign_add(v1.get_default_graph().get_tensor_by_name("w:0"), [1.0, 1], name="more")


@pytest.mark.parametrize("resource", [False, True])
def test_a_variable_that_is_written_does_not_become_a_constant(resource: bool, tmp_path: Path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        w = v1.get_variable("w", initializer=[1.0, 2], use_resource=resource)
        tf.identity(w * 2.0, name="out")
        session.run(v1.global_variables_initializer())
        prefix = v1.train.Saver().save(session, f"{tmp_path}/m")
    with pytest.raises(
        GraphscopeError, match=r"w is a variable \(Var\w+\), and .*w/Assign.* cannot take a constant"
    ) as told:
        graphscope.edit(prefix, [("replace", "w=3")])
    assert "set" in str(told.value.hint)


def test_edits_are_compared_with_what_takes_them() -> None:
    graph = built(assigned)
    complaint = r"node more \(AssignAdd\) takes float32_ref, and w is float32"
    with pytest.raises(GraphscopeError, match=complaint), graph.edit() as editor:
        editor.replace("w", np.float32([1, 2]))


def test_what_writes_to_a_variable_keeps_it() -> None:
    graph = built(assigned)
    with graph.edit() as editor:
        editor.insert_after("w", "Identity", name="read_once")
    assert editor.graph["more"].inputs[0] == editor.graph["w/Assign"].inputs[0] == "w"
    assert editor.graph["w/read"].inputs == ["read_once"]
    assert refusal(editor.graph) == ""


def test_what_was_wrong_may_be_mended() -> None:
    graph = rewired(built(cut_off), "bad", 0, "z")
    with graph.edit() as editor:
        editor.rename({"good": "better"})
    with editor.graph.edit() as again:
        again.rewire("bad", 0, "better")
    assert problems(editor.graph) != []
    assert problems(again.graph) == []
