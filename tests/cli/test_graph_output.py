"""What a graph prints itself reaches the terminal escaped, and never the data."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from graphscope.cli.app import app
from graphscope.cli.terminal.graph_output import escaped_graph_output
from graphscope.cli.terminal.output import Sink
from tests.support.fixture_files import ROOT
from tests.support.running import tf

pytestmark = pytest.mark.slow

EVIL = "\x1b[2J\x1b]0;owned\x07 hello\r"
SHOWN = r"\x1b[2J\x1b]0;owned\x07 hello\x0d"


@pytest.fixture(scope="module")
def printing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``y`` prints to stdout and to stderr, by both ops that there are, and is twice ``x``."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 2], "x")
        out = tf.raw_ops.PrintV2(input=EVIL + "out", output_stream="stdout")
        err = tf.raw_ops.PrintV2(input=EVIL + "err", output_stream="stderr")
        with tf.control_dependencies([out, err]):
            doubled = x * 2
        tf.raw_ops.Print(input=doubled, data=[tf.reduce_sum(x)], message=EVIL + "old", name="y")
    path = tmp_path_factory.mktemp("printing") / "m.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def command(*words: object) -> subprocess.CompletedProcess[bytes]:
    arguments = [sys.executable, "-m", "graphscope", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(arguments, capture_output=True, check=False, env=environment, timeout=300)


def test_run_writes_data_alone_to_stdout(printing: Path) -> None:
    done = command("run", printing, "--feed", "x=[[1, 2]]", "--output", "y", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["values"] == [[2, 4]]
    said = done.stderr.decode()
    assert {f"{SHOWN}out", f"{SHOWN}err"} <= set(said.splitlines())
    assert f"{SHOWN}old[3]" in said
    assert "\x1b" not in said
    assert "\r" not in said


@pytest.mark.parametrize("name", ["profile", "features"])
def test_other_commands_that_run_a_graph(name: str, printing: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones([3, 2], np.float32), y=np.arange(3))
    more = {
        "profile": ["--output", "y", "--steps", "1", "--format", "json"],
        "features": ["--at", "y", "--data", tmp_path / "d.npz", "-o", tmp_path / "f.npz", "--cache", tmp_path / "c"],
    }
    done = CliRunner().invoke(app, [name, str(printing), *map(str, more[name])])
    assert done.exit_code == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert f"{SHOWN}old" in done.stderr
    assert "hello" not in done.stdout


def test_a_closed_stderr_and_a_closed_stdout(printing: Path) -> None:
    for closed in ("2>&-", ">&-"):
        words = f"{sys.executable} -m graphscope run {printing} --feed 'x=[[1, 2]]' --output y {closed}"
        done = subprocess.run(
            words, shell=True, capture_output=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        assert b"Traceback" not in done.stdout + done.stderr


def test_streams_are_what_they_were(printing: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = [os.fstat(n)[:3] for n in (1, 2)], sys.stdout, sys.stderr
    result = CliRunner().invoke(app, ["run", str(printing), "--feed", "x=[[1, 2]]", "--output", "y"])
    assert result.exit_code == 0, result.output
    assert f"{SHOWN}out" in result.stderr
    assert ([os.fstat(n)[:3] for n in (1, 2)], sys.stdout, sys.stderr) == before
    assert capfd.readouterr() == ("", "")


ABORTED = r"""
import ctypes
from graphscope.cli.terminal.graph_output import escaped_graph_output
from graphscope.cli.terminal.output import Sink
libc = ctypes.CDLL(None)
why = b"F0000 00:00:1 1 x.cc:1] Check failed: \x1b[2J\n"
with escaped_graph_output(Sink.standard()):
    libc.write(2, why, len(why))
    libc.abort()
"""


def test_last_words_of_a_process_that_tensorflow_aborts() -> None:
    for _ in range(8):  # who is faster differs from time to time
        done = subprocess.run(
            [sys.executable, "-c", ABORTED],
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode < 0
        assert b"Check failed" in done.stderr
        assert b"\x1b" not in done.stderr


def test_long_lines_and_last_lines_without_an_end(capfd: pytest.CaptureFixture[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    with escaped_graph_output(Sink(out, err)):
        os.write(1, b"a" * 200_000 + b"\n")
        os.write(2, b"\n\xff end")
    assert err.getvalue().replace("\n", "") == "a" * 200_000 + "\N{REPLACEMENT CHARACTER} end"
    assert err.getvalue().endswith("a\n\n\N{REPLACEMENT CHARACTER} end\n")
    assert (out.getvalue(), *capfd.readouterr()) == ("", "", "")


class _Gone(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError


def test_a_graph_runs_on_where_nobody_reads_what_it_prints() -> None:
    with escaped_graph_output(Sink(io.StringIO(), _Gone())):
        for _ in range(40):
            os.write(1, b"a\n" * 50_000)  # far more than is held for a reader
