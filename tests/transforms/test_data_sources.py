"""Graphs that are fed by iterators, queues and readers: what is handed on alone must not be dead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from graphscope import load
from graphscope.cli.app import app
from tests.support.running import tf

v1 = tf.compat.v1
FLOAT = tf.float32


def head(x: Any) -> None:
    tf.matmul(tf.reshape(x, [-1, 4]), v1.get_variable("w", [4, 3], use_resource=False), name="logits")


def data() -> Any:
    return tf.data.Dataset.from_tensor_slices((np.zeros([6, 4], np.float32), np.zeros([6], np.int64))).batch(2)


def initializable() -> str:
    head(v1.data.make_initializable_iterator(data()).get_next()[0])
    return "IteratorGetNext"


def reinitializable() -> str:
    iterator = v1.data.Iterator.from_structure(v1.data.get_output_types(data()), v1.data.get_output_shapes(data()))
    iterator.make_initializer(data(), name="init")
    head(iterator.get_next()[0])
    return "IteratorGetNext"


def feedable() -> str:
    handle = v1.placeholder(tf.string, [], "handle")
    types, shapes = v1.data.get_output_types(data()), v1.data.get_output_shapes(data())
    head(v1.data.Iterator.from_string_handle(handle, types, shapes).get_next()[0])
    return "IteratorGetNext"


def queue(kind: Any) -> Callable[[], str]:
    def build() -> str:
        made = kind()
        made.enqueue_many([v1.placeholder(FLOAT, [None, 4]), v1.placeholder(tf.int64, [None])])
        head(made.dequeue_many(8, name="batch")[0])
        return "batch"

    return build


def reading() -> str:
    files = v1.train.string_input_producer(["/home/author/train.csv"])
    _, line = v1.TextLineReader().read(files)
    head(tf.stack(v1.decode_csv(line, [[0.0]] * 4)))
    return "ReaderReadV2"


def batching() -> str:
    files = v1.train.string_input_producer(["/home/author/train.csv"])
    _, line = v1.TextLineReader().read(files)
    head(v1.train.batch([tf.stack(v1.decode_csv(line, [[0.0]] * 4))], 8, name="batch"))
    return "batch"


def accumulating() -> str:
    """Taking a gradient out waits until somebody has put one in: in a file alone, forever."""
    accumulator = v1.ConditionalAccumulator(FLOAT, [8, 4])
    accumulator.apply_grad(tf.ones([8, 4]))
    head(accumulator.take_grad(1, name="taken"))
    return "taken"


FIFO = queue(lambda: v1.FIFOQueue(10, [FLOAT, tf.int64], [[4], []]))
SHUFFLED = queue(lambda: v1.RandomShuffleQueue(10, 1, [FLOAT, tf.int64], [[4], []]))
PADDED = queue(lambda: v1.PaddingFIFOQueue(10, [FLOAT, tf.int64], [[None], []]))
CASES = {
    "initializable": initializable,
    "reinitializable": reinitializable,
    "feedable": feedable,
    "FIFO": FIFO,
    "shuffled": SHUFFLED,
    "padded": PADDED,
    "reader": reading,
    "batch": batching,
    "accumulator": accumulating,
}


def saved(build: Callable[[], str], path: Path) -> tuple[Path, str]:
    with tf.Graph().as_default():
        source = build()
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            v1.train.Saver().save(session, str(path / "m"))
    return path / "m", source


def invoke(*words: object) -> Any:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize("case", CASES)
def test_a_frozen_graph_is_not_dead(case: str, tmp_path: Path) -> None:
    path, source = saved(CASES[case], tmp_path)
    out = tmp_path / "f.pb"
    refused = invoke("freeze", path, "-o", out, "--output", "logits")
    assert (refused.exit_code, out.exists()) == (1, False)
    assert f"--input {source}" in refused.stderr
    assert refused.stderr.count("--input") == 1
    done = invoke("freeze", path, "-o", out, "--output", "logits", "--input", source)
    assert done.exit_code == 0, done.stderr
    graph = load(out).graph
    assert [n.op for n in graph if n.op.startswith("Placeholder")] == ["Placeholder"]
    assert b"/home/author" not in out.read_bytes()


@pytest.mark.parametrize("case", ["initializable", "FIFO", "batch"])
def test_other_commands_say_so_too(case: str, tmp_path: Path) -> None:
    path, source = saved(CASES[case], tmp_path)
    np.savez(tmp_path / "d.npz", x=np.ones([4, 4], np.float32), y=np.arange(4) % 2)
    commands = (
        ["convert", path, f"{tmp_path}/sm/", "--output", "logits"],
        ["graft", path, "-o", tmp_path / "g" / "m", "--at", "logits", "--head", "dense:2"],
        ["features", path, "--at", "logits", "--data", tmp_path / "d.npz", "-o", tmp_path / "f.npz"],
    )
    for words in commands:
        refused = invoke(*words)
        assert refused.exit_code == 1, words
        assert f"--input {source}" in refused.stderr


def test_the_converted_signature_takes_what_the_iterator_gave(tmp_path: Path) -> None:
    path, source = saved(initializable, tmp_path)
    words = ("convert", path, f"{tmp_path}/sm/", "--output", "logits", "--input", source)
    assert invoke(*words).exit_code == 0
    signature = load(tmp_path / "sm").signatures["serving_default"]
    assert [spec.name for specs in signature.inputs.values() for spec in specs] == ["IteratorGetNext:0"]


def python_function() -> str:
    """It scales what is fed; the file has the key of the function alone."""
    scaled = v1.py_func(lambda x: x / 255, [v1.placeholder(FLOAT, [None, 4], "x")], FLOAT, name="scaled")
    head(tf.identity(scaled))
    return "scaled"


def test_python_functions_are_in_no_file(tmp_path: Path) -> None:
    path, source = saved(python_function, tmp_path)
    out, folder = tmp_path / "f.pb", f"{tmp_path}/sm/"
    commands = (
        ["freeze", path, "-o", out, "--output", "logits"],
        ["convert", path, folder, "--output", "logits"],
        ["graft", path, "-o", tmp_path / "g" / "m", "--at", "logits", "--head", "dense:2"],
    )
    for words in commands:
        refused = invoke(*words)
        assert refused.exit_code == 1, words
        assert f"which no file holds: {source} (PyFunc)\nhint: --input {source}" in refused.stderr
    assert not out.exists()
    assert invoke(*commands[0], "--input", source).exit_code == 0
    assert {node.op for node in load(out).graph} == {"Placeholder", "Const", "Reshape", "MatMul"}
    beside = invoke("freeze", path, "-o", out, "--output", "x", "--force")
    assert beside.exit_code == 0, beside.stderr


def test_a_loop_that_calls_python_is_refused(tmp_path: Path) -> None:
    def build() -> str:
        x = v1.placeholder(FLOAT, [None, 4], "x")
        half = lambda v: tf.ensure_shape(v1.py_func(lambda a: a / 2, [v], FLOAT, name="half"), [None, 4])  # noqa: E731
        head(tf.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, half(v)), [0, x], name="loop")[1])
        return ""

    path, _ = saved(build, tmp_path)
    for words in (["freeze", path, "-o", tmp_path / "f.pb"], ["convert", path, f"{tmp_path}/sm/"]):
        refused = invoke(*words, "--output", "logits")
        assert refused.exit_code == 1
        assert "which no file holds: half (PyFunc, in function loop_body" in refused.stderr
        assert "--output NAME   names what comes before them" in refused.stderr


def test_an_iterator_that_fills_itself_is_reported(tmp_path: Path) -> None:
    def build() -> str:
        head(v1.data.make_one_shot_iterator(data()).get_next()[0])
        return "IteratorGetNext"

    path, source = saved(build, tmp_path)
    done = invoke("freeze", path, "-o", tmp_path / "f.pb", "--output", "logits")
    assert done.exit_code == 0, done.stderr
    assert f"warning: {source} returns the data that the graph was built with" in done.stderr
    assert f"--input {source}" in done.stderr


def test_files_of_the_author_are_reported(tmp_path: Path) -> None:
    def build() -> str:
        lines = tf.data.TextLineDataset("/home/author/train.txt").batch(2)
        texts = v1.data.make_one_shot_iterator(lines).get_next()
        tf.strings.length(texts, name="lengths")
        v1.get_variable("w", [1])
        return ""

    path, _ = saved(build, tmp_path)
    done = invoke("freeze", path, "-o", tmp_path / "f.pb", "--output", "lengths")
    assert done.exit_code == 0, done.stderr
    assert "names files of the machine that it was built on: /home/author/train.txt" in done.stderr
    path, _ = saved(batching, tmp_path)
    done = invoke("convert", path, tmp_path / "m.pbtxt")
    assert done.exit_code == 0, done.stderr
    assert "/home/author/train.csv" in done.stderr


def test_the_gradient_of_a_loop_is_refused_where_its_stacks_would_be_empty(tmp_path: Path) -> None:
    """What fills them hangs on control edges: a file without it could be loaded, and never run."""
    with tf.Graph().as_default() as graph:
        v1.disable_control_flow_v2()
        try:
            x = v1.placeholder(FLOAT, [3], "x")
            turned = tf.while_loop(lambda i, _: i < 4, lambda i, a: (i + 1, tf.sin(a) * x), [0, x])[1]
            tf.identity(tf.gradients(turned, x)[0], name="out")
        finally:
            v1.enable_control_flow_v2()
    (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    result = CliRunner().invoke(
        app, ["freeze", str(tmp_path / "m.pb"), "-o", str(tmp_path / "f.pb"), "--output", "out"]
    )
    assert result.exit_code == 1
    assert "takes values off a stack that is filled on the way: gradients/while/" in result.stderr
    assert not (tmp_path / "f.pb").exists()
