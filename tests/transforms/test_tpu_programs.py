"""Graphs that were built for TPUs, and what is within loops: the model is what one replica computes in one turn."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import graphscope
from graphscope.cli.app import app
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Function, Graph
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.protos import AttrValue, FunctionDef, GraphDef
from graphscope.training.heads.context import plain_control_flow
from graphscope.transforms.bake import bake
from graphscope.transforms.one_turn import one_turn
from graphscope.transforms.replicas import first_replica, for_tpus
from tests.support import written
from tests.support.graphs import graph_of, placeholder
from tests.support.running import tf

v1 = tf.compat.v1
X = np.array([[1, -2, 3, 0.5], [4, 0.5, -6, 2]], np.float32)
WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3) / 10
FLOAT = {"T": type_attr(DataType.FLOAT)}


def scores(x: Any) -> Any:
    return tf.nn.softmax(tf.matmul(x, v1.get_variable("w", initializer=WEIGHTS, use_resource=True)), name="probs")


def expected(x: Any = X) -> Any:
    powers = np.exp(x @ WEIGHTS)
    return powers / powers.sum(1, keepdims=True)


def step() -> Any:
    """A step of training on what the infeed gives."""
    x, y = tf.raw_ops.InfeedDequeueTuple(dtypes=[tf.float32, tf.int32], shapes=[[2, 4], [2]], name="infeed")
    loss = -tf.reduce_mean(tf.gather(tf.math.log(scores(x)), y, batch_dims=1))
    return v1.train.GradientDescentOptimizer(0.1).minimize(loss)


def for_inference() -> None:
    from tensorflow.python.tpu import tpu

    [found] = tpu.rewrite(scores, [v1.placeholder(tf.float32, [2, 4], "x")])
    tf.identity(found, "out")


def for_training() -> None:
    from tensorflow.python.tpu import tpu

    tpu.rewrite(step)


def in_a_loop() -> None:
    from tensorflow.python.tpu import tpu, training_loop

    tpu.rewrite(lambda: training_loop.repeat(5, lambda: [step()]))


def called() -> None:
    """As ``TPUEstimator`` exports a model for serving: a call that chooses a TPU."""
    from tensorflow.python.framework import function
    from tensorflow.python.tpu import tpu

    @function.Defun(tf.float32, tf.resource)
    def program(x: Any, handle: Any) -> Any:
        def compute(x: Any) -> Any:
            weights = tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)
            return tf.nn.softmax(tf.matmul(x, tf.ensure_shape(weights, WEIGHTS.shape)))

        return tpu.rewrite(compute, [x])

    x = v1.placeholder(tf.float32, [2, 4], "x")
    weights = v1.get_variable("w", initializer=WEIGHTS, use_resource=True)
    place = tf.raw_ops.TPUOrdinalSelector()[0]
    [found] = tf.raw_ops.TPUPartitionedCall(
        args=[x, weights.handle], device_ordinal=place, Tout=[tf.float32], f=program
    )
    tf.identity(found, "out")


def saved(folder: Path, build: Callable[[], None]) -> str:
    """The prefix of a checkpoint that another program than the graph's has written, as no TPU is here."""
    prefix = str(folder / "model")
    with tf.Graph().as_default(), v1.Session() as session:
        scores(v1.placeholder(tf.float32, [2, 4]))
        saver = v1.train.Saver()
        session.run(v1.global_variables_initializer())
        saver.save(session, prefix, write_meta_graph=False)
    with tf.Graph().as_default(), plain_control_flow(tf):
        build()
        v1.train.Saver().export_meta_graph(prefix + ".meta")
    return prefix


CASES: dict[str, tuple[Callable[[], None], str, str]] = {
    "inference": (for_inference, "out", ""),
    "a call": (called, "out", ""),
    "training": (for_training, "probs", "infeed"),
    "a loop": (in_a_loop, "probs", "infeed"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_program_is_frozen_and_runs_here(case: str, tmp_path: Path) -> None:
    build, output, opened = CASES[case]
    prefix = saved(tmp_path, build)
    frozen = graphscope.freeze(prefix, outputs=output, inputs=opened or (), strict=True)
    [name] = [node.name for node in frozen.model.graph if node.op == "Placeholder"]
    np.testing.assert_allclose(graphscope.run(frozen.model, {name: X})[f"{output}:0"], expected(), rtol=1e-5)
    assert list(for_tpus(frozen.model.graph)) == []
    assert not any("_tpu_replicate" in node.attrs for node in frozen.model.graph)
    assert frozen.verify().is_within
    fed = {f"{opened}:0" if opened else "x": X}
    np.testing.assert_allclose(graphscope.run(prefix, fed, outputs=output)[f"{output}:0"], expected(), rtol=1e-5)


def test_a_program_in_a_loop_takes_a_new_head(tmp_path: Path) -> None:
    from graphscope.training.graft.base import open_base

    base = open_base(graphscope.load(saved(tmp_path, in_a_loop)), ["probs"], inputs=["infeed"])
    assert [node.op for node in base.graph if node.op in ("Enter", "Switch", "ResourceApplyGradientDescent")] == []
    assert list(base.values) == ["w"]


def test_without_an_input_the_infeed_is_named(tmp_path: Path) -> None:
    with pytest.raises(GraphscopeError, match="infeed") as error:
        graphscope.freeze(saved(tmp_path, in_a_loop), outputs="probs")
    assert 'inputs=["infeed"]' in str(error.value.hint)


def looping(path: Path) -> Path:
    with tf.Graph().as_default() as graph, plain_control_flow(tf):
        x = v1.placeholder(tf.float32, [2, 4], "x")
        scale = tf.constant(3.0, name="scale")

        def body(i: Any, value: Any) -> Any:
            return i + 1, tf.tanh(value * scale, name="turn") + tf.exp(scale, name="same")

        tf.identity(v1.while_loop(lambda i, _: i < 3, body, [0, x])[1], "out")
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def test_what_a_turn_makes_of_the_turn_before_is_refused(tmp_path: Path) -> None:
    path = looping(tmp_path / "m.pb")
    for work in (
        lambda: graphscope.freeze(path, outputs="while/turn"),
        lambda: graphscope.convert(path, f"{tmp_path}/saved/", outputs="while/turn"),
        lambda: graphscope.convert(path, tmp_path / "m.onnx", outputs="while/turn"),
        lambda: graphscope.run(path, {"x": X}, outputs="while/turn"),
    ):
        with pytest.raises(
            GraphscopeError, match=r"while/turn:0 is inside the loop while/.*: it has a value for each iteration"
        ):
            work()
    assert not (tmp_path / "saved").exists()
    assert not (tmp_path / "m.onnx").exists()


def test_what_is_the_same_in_each_turn_is_computed_once(tmp_path: Path) -> None:
    path = looping(tmp_path / "m.pb")
    frozen = graphscope.freeze(path, outputs="while/same")
    assert "Enter" not in frozen.model.graph.ops
    assert graphscope.run(frozen.model, outputs="while/same")["while/same:0"] == pytest.approx(np.exp(3))
    assert graphscope.run(path, outputs="while/same")["while/same:0"] == pytest.approx(np.exp(3))
    assert graphscope.freeze(path, outputs="out").verify().is_within


def in_frame(*lines: str) -> Graph:
    """A graph with a loop, and with nodes that are not the same in each of its turns."""
    return written.graph_of(
        [
            "x Placeholder(2)",
            'x_in Enter{"frame_name":"f"} held',
            "check NoOp",
            "held Identity x ^check",
            'i Enter{"frame_name":"f"} zero',
            "zero Const(0)",
            "merged Merge i next",
            "more LoopCond less",
            "less Less merged limit",
            'limit Enter{"frame_name":"f"} zero',
            "turn Switch merged more",
            "next NextIteration turn:1",
            *lines,
        ]
    )


def test_only_the_body_waits_for_nothing() -> None:
    graph = in_frame("out Neg x_in ^turn", "far Neg out")
    found = one_turn(graph, graph, ["far"])
    assert {name: (found[name].op, list(found[name].inputs)) for name in ("far", "out", "x_in", "held")} == {
        "far": ("Neg", ["out"]),
        "out": ("Neg", ["x_in"]),
        "x_in": ("Identity", ["held"]),
        "held": ("Identity", ["x", "^check"]),
    }
    assert one_turn(graph, graph, ["held"]) is graph


@pytest.mark.parametrize("line", ["out Add x_in merged", "out Add x_in turn:1", "out Neg less"])
def test_what_another_turn_decides_is_refused(line: str) -> None:
    graph = in_frame(line, "same Neg x_in")
    with pytest.raises(GraphscopeError, match="out is inside the loop f"):
        one_turn(graph, graph, ["out", "same"])


def test_what_can_be_set() -> None:
    graph = written.graph_of(["x Placeholder(2)", "v VariableV2(2)", "y Add x v"])
    assert bake(graph, {"v": np.float32(1)}) is graph
    assert bake(graph, {"x": np.float32([1, 2]), "v": np.float32(1)}).ops == ["Const", "VariableV2", "Add"]
    with pytest.raises(GraphscopeError, match="y is a Add, neither a placeholder nor a variable") as error:
        bake(graph, {"y": np.float32(1)})
    assert error.value.hint == "placeholders: x"
    with pytest.raises(UnknownNameError, match="no placeholder is named 'z'"):
        bake(graph, {"z": np.float32(1)})


def test_what_is_the_same_in_each_turn_of_loops_within_loops(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph, plain_control_flow(tf):
        x = v1.placeholder(tf.float32, [], "x")

        def inner(i: Any, value: Any) -> Any:
            return i + 1, value + tf.exp(x, name="same")

        def outer(i: Any, value: Any) -> Any:
            return i + 1, v1.while_loop(lambda k, _: k < 2, inner, [0, value], name="inner")[1]

        tf.identity(v1.while_loop(lambda i, _: i < 3, outer, [0, 0.0], name="outer")[1], "out")
        (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    frozen = graphscope.freeze(tmp_path / "m.pb", outputs="outer/inner/same", strict=True)
    assert sorted(frozen.model.graph.ops) == ["Exp", "Placeholder"]
    assert frozen.verify().is_within
    assert graphscope.freeze(tmp_path / "m.pb", outputs="out").verify().is_within


def test_what_a_branch_computes_may_have_no_value(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph, plain_control_flow(tf):
        x = v1.placeholder(tf.float32, [2, 4], "x")
        high = v1.placeholder(tf.bool, [], "high")
        tf.identity(v1.cond(high, lambda: tf.exp(x, name="exp"), lambda: tf.identity(x)), "out")
        (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    said = "cond/exp:0 lies in a branch, and has no value where cond/.*Switch takes the other one"
    with pytest.raises(GraphscopeError, match=said):
        graphscope.freeze(tmp_path / "m.pb", outputs="cond/exp", strict=True)
    done = CliRunner().invoke(app, ["convert", f"{tmp_path}/m.pb", f"{tmp_path}/saved/", "--output", "cond/exp"])
    assert re.search(said, " ".join(done.stderr.split()))
    with pytest.raises(GraphscopeError, match="cond/exp:0 is in a branch that is never taken"):
        graphscope.freeze(tmp_path / "m.pb", outputs="cond/exp:0", set={"high": False})
    for outputs, values in (("cond/exp", {"high": True}), ("out", {})):
        graphscope.freeze(tmp_path / "m.pb", outputs=outputs, set=values, strict=True)


def replicated(replicas: int) -> Graph:
    """Each replica's input is summed over all."""
    count, number = AttrValue(i=replicas), {"num_replicas": AttrValue(i=replicas)}
    inputs = [placeholder(f"x{k}") for k in range(replicas)]
    return graph_of(
        *inputs,
        make_node("metadata", "TPUReplicateMetadata", ["^x0"], number),
        make_node("in", "TPUReplicatedInput", [node.name for node in inputs], {**FLOAT, "N": count}),
        constant("groups", np.zeros((1, replicas), np.int32)),
        make_node("sum", "CrossReplicaSum", ["in", "groups", "^metadata"], FLOAT),
        make_node("given", "TPUReplicatedOutput", ["sum", "^metadata"], {**FLOAT, **number}),
        make_node("own", "TPUReplicatedOutput", ["in"], {**FLOAT, **number}),
    )


def test_the_first_of_several_replicas() -> None:
    one, two = first_replica(replicated(1)), first_replica(replicated(2))
    ops = {"in": "Identity", "metadata": "NoOp", "given": "Identity", "own": "Identity"}
    assert {node.name: node.op for node in one if node.op in ("Identity", "NoOp")} == {**ops, "sum": "Identity"}
    assert {node.name: node.op for node in two if node.op in ("Identity", "NoOp")} == ops
    assert list(two["in"].inputs) == ["x0"]
    assert list(one["sum"].inputs) == ["in", "^metadata"]
    assert [node.name for node in for_tpus(two)] == ["sum"]
    second = first_replica(replicated(2), ["own:1", "given"])
    assert [node.name for node in for_tpus(second)] == ["sum", "own"]
    plain = Graph(GraphDef(), [placeholder("x")])
    assert first_replica(plain) is plain


def test_a_second_replica_in_a_function() -> None:
    body = replicated(2)
    proto = FunctionDef()
    proto.signature.name = "f"
    proto.ret["first"], proto.ret["second"] = "own:outputs:0", "given:outputs:1"
    graph = Graph(GraphDef(), [], [Function(proto, body.nodes)])
    [found] = first_replica(graph).functions.values()
    assert dict(found.proto.ret) == {"first": "own:output:0", "second": "given:outputs:1"}
    assert (found["own"].op, found["given"].op) == ("Identity", "TPUReplicatedOutput")
    assert dict(proto.ret)["first"] == "own:outputs:0"  # the model's own function is as it was


def test_what_only_tpus_can_run_is_told(tmp_path: Path) -> None:
    graphscope.save(replicated(2), tmp_path / "m.pb")
    with pytest.raises(GraphscopeError, match=r"only TPUs can run sum \(CrossReplicaSum\)"):
        graphscope.freeze(tmp_path / "m.pb", outputs="given", strict=True)
    assert graphscope.freeze(tmp_path / "m.pb", outputs="own", strict=True).model.graph.ops == [
        "Placeholder",
        "Identity",
    ]
