"""``graphscope profile`` as a person meets it."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from graphscope.cli.app import app
from graphscope.cli.render.profile import write_profile
from graphscope.cli.render.profile_figures import device, duration, percent, quartiles, rate
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.text import elide_start
from graphscope.tracing.profile import report
from graphscope.tracing.report import Times
from tests.project.test_light import absent, poisoned, python
from tests.support.fixture_files import FIXTURES
from tests.support.traces import CPU0, CPU1, graph, metadata, trace
from tests.tracing.test_tracing_timeline import assert_well_formed

pytestmark = pytest.mark.tensorflow

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

SOFTMAX = FIXTURES / "softmax"
QUICK = ("--steps", 2, "--warmup", 1)

__all__ = ["absent", "poisoned"]


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["profile", *map(str, words)], env={"COLUMNS": "80"}, catch_exceptions=False)


def fails(*words: object, code: int = 1) -> str:
    done = run(*words)
    assert (done.exit_code, done.stdout) == (code, "")
    return done.stderr


def rows(*words: object) -> list[dict[str, str]]:
    done = run(*words, *QUICK, "--format", "csv")
    assert done.exit_code == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_the_page() -> None:
    done = run(SOFTMAX, *QUICK, "--batch", 8)
    assert done.exit_code == 0
    for part in (
        "computed  inference/prediction:0",
        "fed       input:0  float32 (8, 784)  random",
        "without traces, median of 2 steps",
        "nodes in total (100 %)",
        "devices   CPU:0  ",
        "unmatched 2 stats,",
        "nodes     costliest of ",
        "path      ",
        f"graphscope profile {SOFTMAX}/model.ckpt-6000 --output inference/prediction --batch 8 --logdir logs",
    ):
        assert part in done.stdout
    assert "taken as the output" in done.stderr


def test_the_page_fits_eighty_columns() -> None:
    deep = "network/" + "scope_of_some_length/" * 6
    rows = [(f"{deep}node_{i}", "Conv2DBackpropFilter", (), 10 * i, 1000.5 * i) for i in range(1, 30)]
    named = graph(*((name, op, ()) for name, op, *_ in rows))
    found = report(trace([metadata({CPU0: rows, CPU1: rows}), metadata({CPU0: rows})], named))
    out = io.StringIO()
    write_profile(Sink(out, io.StringIO(), width=80, is_terminal=True), found, ["graphscope profile x"])
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("node_" in line for line in lines) > 10
    assert all(line.split()[0].startswith("…") for line in lines if "/node_" in line)  # the end of a name tells most


def test_lists_and_formats() -> None:
    nodes = rows(SOFTMAX, "--by", "node")
    done = {name for row in nodes for name in [row["name"], *row["covers"].split(";")]}  # some by a fused kernel
    assert done >= {"inference/prediction", "inference/MatMul", "input"}
    assert [float(row["wall_us"]) for row in nodes] == sorted((float(row["wall_us"]) for row in nodes), reverse=True)
    assert sum(float(row["share"]) for row in nodes) == pytest.approx(1)
    assert [row["name"] for row in rows(SOFTMAX, "--by", "device")] == [CPU0]
    assert {row["op"] for row in rows(SOFTMAX, "--placement")} >= {"Placeholder", "VariableV2", "MatMul", "Softmax"}
    assert {row["op"] for row in rows(SOFTMAX, "--by", "executed")} >= {"_Arg", "_Retval", "VariableV2"}
    assert run(SOFTMAX, *QUICK, "--by", "op", "--format", "names").stdout.split()
    assert rows(SOFTMAX, "--by", "scope")[0].keys() >= {"depth", "nodes", "flops"}
    assert rows(SOFTMAX, "--by", "path")[-1]["name"] == "inference/prediction"
    whole = json.loads(run(SOFTMAX, *QUICK, "--format", "json").stdout)
    assert whole["steps"] == 2
    assert whole.keys() >= {
        "untraced",
        "traced",
        "overhead",
        "nodes",
        "ops",
        "scopes",
        "devices",
        "placement",
        "executed",
        "critical",
    }


def test_two_devices_and_files(tmp_path: Path) -> None:
    timeline, logs = tmp_path / "timeline.json", tmp_path / "new" / "logs"
    words = (FIXTURES / "towers", "--output", "prediction", "--devices", "cpu:2", "--logdir", logs, "--trace", timeline)
    assert [row["name"] for row in rows(*words, "--by", "device")] != [CPU0]
    assert {row["device"] for row in rows(*words, "--by", "node", "--force")} == {CPU0, CPU1}
    assert_well_formed(json.loads(timeline.read_bytes())["traceEvents"])
    assert [p.name for p in logs.iterdir()] == ["towers-profile"]
    assert len(list((logs / "towers-profile").iterdir())) == 1
    assert "the file exists" in fails(*words, *QUICK)
    read = run("--from", logs)
    assert read.exit_code == 0
    assert "first op to last, median of 2 steps" in read.stdout
    assert f"graphscope profile --from {logs} --by node" in read.stdout
    assert "--by executed" in run("--from", logs, "--placement").stderr


def test_feeds_and_places() -> None:
    placed = rows(
        SOFTMAX, "--feed", "input=zeros", "--place", "inference=/cpu:1", "--devices", "cpu:2", "--by", "placement"
    )
    assert {row["device"] for row in placed if row["name"].startswith("inference/M")} == {CPU1}


def test_what_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert "no node is named 'nowhere'" in fails(SOFTMAX, "--output", "nowhere")
    assert "no placeholder is named 'nowhere:0'" in fails(SOFTMAX, "--feed", "nowhere=1")
    assert "input:0 has shape (?, 784)" in fails(SOFTMAX, "--feed", "input=1")
    assert "/device:GPU:3, which is not available" in fails(SOFTMAX, "--place", "inference=/gpu:3")
    assert f"{file}: not a directory" in fails(SOFTMAX, "--logdir", file)
    assert f"{tmp_path}/no: no such directory" in fails(SOFTMAX, "--trace", tmp_path / "no" / "t.json")
    assert "no event file here" in fails("--from", tmp_path)
    assert "no master answers" in fails(SOFTMAX, "--master", "grpc://localhost:1")
    assert "holds a value of variable" in fails(SOFTMAX / "graph.pbtxt")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_log_directory_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "Permission denied" in fails(SOFTMAX, "--logdir", tmp_path / "logs")


def test_wrong_usage() -> None:
    for words in (
        (),
        (SOFTMAX, "--from", "logs"),
        (SOFTMAX, "--steps", 0),
        (SOFTMAX, "--batch", 0),
        (SOFTMAX, "--by", "color"),
        (SOFTMAX, "--place", "(=/cpu:1"),
        (SOFTMAX, "--place", "x=/nothing"),
        ("--from", "logs", "--logdir", "logs"),
    ):
        assert "hint: " in fails(*words, code=2)


def test_logs_are_read_without_tensorflow(tmp_path: Path, poisoned: dict[str, str], absent: dict[str, str]) -> None:
    assert run(SOFTMAX, *QUICK, "--logdir", tmp_path).exit_code == 0
    for environment in (poisoned, absent):
        done = python(
            environment, "-m", "graphscope", "profile", "--from", str(tmp_path), "--by", "op", "--format", "names"
        )
        assert (done.returncode, "Softmax" in done.stdout) == (0, True), done.stderr
    words = ("-m", "graphscope", "profile", str(SOFTMAX))
    assert python(poisoned, *words).returncode == 97
    assert "pip install 'tf-graphscope[tensorflow]'" in python(absent, *words).stderr


# Figures as a person reads them


def test_figures() -> None:
    assert [duration(us) for us in (0.25, 8, 999.4, 999.6, 6_940, 1.5e6)] == [
        "0.25 us",
        "8 us",
        "999 us",
        "1 ms",
        "6.94 ms",
        "1.5 s",
    ]
    assert [rate(x) for x in (None, 0, 7, 6.8e9, 999_600, 2.5e13)] == ["", "0", "7", "6.8 G", "1 M", "25 T"]
    assert [percent(x) for x in (0, 0.0012, 0.045, 0.0996, 0.68, 1)] == ["", "0.1 %", "4.5 %", "10 %", "68 %", "100 %"]
    assert quartiles(Times(951, 675.2, 1740)) == "675-1740"
    assert quartiles(Times(6940, 6810, 8752)) == "6.81-8.75"


def test_devices_by_their_short_names() -> None:
    task = "/job:worker/replica:0/task:1/device:CPU:0"
    assert [device(name) for name in (CPU0, task, "/device:GPU:1", "odd")] == [
        "CPU:0",
        "worker:1 CPU:0",
        "GPU:1",
        "odd",
    ]


def test_names_lose_their_beginning() -> None:
    assert [elide_start("abcdef", width) for width in (6, 5, 2)] == ["abcdef", "…cdef", "…f"]
    assert elide_start("日本語", 5) == "…本語"


def test_feeds_of_random_numbers_are_the_same_in_every_run() -> None:
    from graphscope.feeding.default_feeds import fill_feeds
    from graphscope.formats import load

    model = load(FIXTURES / "convnet_slim")
    (switches, one), (_, two) = (fill_feeds(model, ["prediction"], (), unknown=3) for _ in range(2))
    assert (switches["keep_prob:0"] == 1, one["input:0"].shape) == (True, (3, 784))
    assert np.array_equal(one["input:0"], two["input:0"])
