"""The placement of the graph's own nodes, compared with what TensorFlow's ``log_device_placement`` prints."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.errors import GraphscopeError
from graphscope.runtime.config import SessionOptions, session_config
from graphscope.runtime.placer import placement
from graphscope.runtime.run import run
from graphscope.runtime.tasks.placer import cluster_placement
from tests.support.fixture_files import FIXTURES
from tests.support.running import built, tf

TOWERS = FIXTURES / "towers"
FEEDS = {"input": np.zeros((2, 784)), "keep_prob": np.array(1)}
OPTIONS = SessionOptions(devices={"CPU": 2}, soft_placement=False, log_placement=True)

ORACLE = """
import json, sys
import numpy as np, tensorflow as tf
tf1 = tf.compat.v1
tf1.disable_eager_execution()
config = tf1.ConfigProto(device_count={"CPU": 2}, log_device_placement=True)
with tf1.Session(config=config) as session:
    saver = tf1.train.import_meta_graph(sys.argv[1] + ".meta")
    saver.restore(session, sys.argv[1])
    session.run("prediction:0", {"input:0": np.zeros((2, 784)), "keep_prob:0": 1.0})
import graphscope
from graphscope.runtime.config import SessionOptions
options = SessionOptions({"CPU": 2}, log_placement=True, log_executed=True)
feeds = {"input": np.zeros((2, 784)), "keep_prob": 1.0}
found = graphscope.run(sys.argv[2], feeds, outputs="prediction", session=options).result
rows = [[p.name, p.op, p.requested, p.device] for p in found.placement]
from graphscope.runtime import session
session.placement = lambda graph, config, path: session.cluster_placement(graph, config, path, "")
told = graphscope.run(sys.argv[2], feeds, outputs="prediction", session=options).result.placement
same = [[p.name, p.op, p.requested, p.device] for p in told] == rows
json.dump([rows, [e.op for e in found.executed], same], open(sys.argv[3], "w"))
"""
"""TensorFlow's own log on stdout; what graphscope says in the same process."""


Told = tuple[dict[str, tuple[str, str]], list[tuple[str, ...]], set[str], bool]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """With oneDNN on: TensorFlow's node -> op and device, graphscope's rows, and the ops that ran."""
    file = tmp_path_factory.mktemp("placement") / "rows.json"
    done = subprocess.run(
        [sys.executable, "-c", ORACLE, str(TOWERS / "model.ckpt-6000"), str(TOWERS), str(file)],
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    log = re.findall(r"^(\S+): \((\S+)\): (/job:\S+)$", done.stdout, re.MULTILINE)
    rows, ran, same = json.loads(file.read_text())
    return {name: (op, device) for name, op, device in log}, [tuple(row) for row in rows], set(ran), same


def test_the_placement_is_what_tensorflow_logs(told: Told) -> None:
    log, rows, *_ = told
    assert len(rows) > 80
    assert {name: (op, device) for name, op, _, device in rows} == {name: log[name] for name, *_ in rows}
    graph = graphscope.load(TOWERS).graph
    assert all(requested == graph[name].device for name, _, requested, _ in rows)
    assert {device[-5:] for *_, device in rows} == {"CPU:0", "CPU:1"}


def test_a_master_tells_the_same(told: Told) -> None:
    """With oneDNN, which would fuse nodes; and of loops and branches, where nothing runs either."""
    assert told[3]

    def body(n: Any, a: Any) -> Any:
        with tf.device("/device:CPU:1"):
            return n + 1, a * x * two

    def build() -> None:
        nonlocal x, two
        x, two = tf.compat.v1.placeholder(tf.float32, [], "x"), tf.constant(2.0)
        _, loop = tf.while_loop(lambda n, a: n < 3, body, [0, x])
        tf.cond(loop > 0, lambda: loop * two, lambda: tf.compat.v1.Print(x, ["ran"]))

    x = two = None
    graph, config = built(build), session_config(OPTIONS)
    expected = placement(graph, config, "x.pb")
    found = cluster_placement(graph, config, "x.pb", "")
    assert len(found) == len(expected) == len(graph.nodes)
    moved = {old.op for old, new in zip(expected, found) if old != new}
    assert moved <= {"Switch", "Enter", "Exit", "NextIteration"}


def test_it_is_the_same_with_onednn_and_without(told: Told) -> None:
    """And has the graph's own ops, not those that ran in their place."""
    found = run(graphscope.load(TOWERS), ["prediction"], FEEDS, options=OPTIONS)
    assert [(p.name, p.op, p.requested, p.device) for p in found.placement] == told[1]
    assert "Placeholder" in {op for _, op, *_ in told[1]} - told[2]
    assert "_Arg" in told[2]
    assert found.executed == ()


def test_a_device_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    """Falls back where that is allowed; nothing of TensorFlow's log reaches stdout."""
    soft = run(graphscope.load(TOWERS), ["prediction"], FEEDS, options=SessionOptions(log_placement=True))
    moved = [p for p in soft.placement if p.requested == "/device:CPU:1"]
    assert moved
    assert all(p.device.endswith("CPU:0") for p in moved)
    assert capfd.readouterr().out == ""


def test_without_stdout_nothing_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_: int) -> int:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(os, "dup", closed)
    with pytest.raises(GraphscopeError, match="cannot tell where nodes run: stdout: Bad file descriptor"):
        run(graphscope.load(TOWERS), ["prediction"], FEEDS, options=OPTIONS)


def test_constants_go_without_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights of a frozen graph are not handed over twice."""
    sizes = []
    from graphscope.runtime import placer

    imported = placer.import_graph  # type: ignore[attr-defined]

    def counted(graph: graphscope.Graph, path: str) -> object:
        sizes.append(sum(node.proto.ByteSize() for node in graph))
        assert not any(node.payloads for node in graph)
        return imported(graph, path)

    monkeypatch.setattr(placer, "import_graph", counted)
    path = FIXTURES / "lenet5" / "frozen.pb"
    found = run(graphscope.load(path), ["softmax"], {"input": np.zeros((2, 784))}, options=OPTIONS)
    assert sizes[0] < Path(path).stat().st_size / 10
    assert {p.op for p in found.placement} >= {"Const", "Conv2D", "Softmax"}
