"""``board`` as a process: it serves, says where, and goes in good order; ``dump`` as a command."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import graphscope
from graphscope.board.dump import dump
from graphscope.board.server import address, free_port
from graphscope.cli.app import app
from graphscope.errors import GraphscopeError
from tests.support.fixture_files import FIXTURES, ROOT

LENET = FIXTURES / "lenet5"
FROZEN = FIXTURES / "softmax" / "frozen.pb"
TIMEOUT_S = 60


class Board:
    """A running ``graphscope board``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.url = process.stdout.readline().strip()
        self.base = self.url.partition("#")[0]

    def get(self, route: str) -> bytes:
        with urllib.request.urlopen(self.base + route, timeout=TIMEOUT_S) as answer:
            return answer.read()  # type: ignore[no-any-return]

    def graphs(self) -> dict[str, Any]:
        """Runs with a graph, as soon as TensorBoard has read the logs."""
        for _ in range(10 * TIMEOUT_S):
            found: dict[str, Any] = json.loads(self.get("data/plugin/graphs/info"))
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError("TensorBoard finds no graph")

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, err


@contextlib.contextmanager
def board(*arguments: str, **environment: str) -> Iterator[Board]:
    command = [sys.executable, "-m", "graphscope", "board", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, cwd=ROOT, env={**os.environ, **environment}, **pipes)  # type: ignore[call-overload]
    try:
        yield Board(process)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def poison(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A path on which importing TensorFlow ends the process."""
    directory = tmp_path_factory.mktemp("poison")
    (directory / "tensorflow.py").write_text("import os\nos._exit(97)\n")
    return os.pathsep.join([str(directory), str(ROOT)])


def test_a_model(tmp_path: Path, poison: str) -> None:
    """Without TensorFlow; the temporary directory goes when it stops, and nothing is said but where it is."""
    with board(str(LENET), "--port", str(unused_port()), PYTHONPATH=poison, TMPDIR=str(tmp_path)) as served:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#graphs", served.url)
        assert list(served.graphs()) == ["lenet5"]
        text = served.get("data/plugin/graphs/graph?run=lenet5&limit_attr_size=1024&large_attrs_key=_too_large_attrs")
        assert text.count(b"\nnode {") + text.startswith(b"node {") == len(graphscope.load(LENET).graph)
        assert b"<html" in served.get("").lower()
        assert any(path.name.startswith("graphscope-") for path in tmp_path.iterdir())
        assert served.stop() == (0, "note: Ctrl-C stops it\n")
    assert not any(path.name.startswith("graphscope-") for path in tmp_path.iterdir())


def test_a_log_directory_and_a_port_in_use(tmp_path: Path) -> None:
    for name, path in (("a", LENET), ("b/c", FROZEN)):
        dump(graphscope.load(path), tmp_path, name)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with board(str(tmp_path), "--port", str(port)) as served:
            assert set(served.graphs()) == {"a", "b/c"}
            code, err = served.stop(signal.SIGTERM)
    assert code == 0
    found = re.match(rf"note: port {port} is in use; using (\d+)\n", err)
    assert found is not None
    assert served.url == f"http://127.0.0.1:{found[1]}/"


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "localhost"])
def test_addresses_can_be_opened(host: str) -> None:
    with socket.create_server((host, 0)) as server:
        socket.create_connection((address(host), server.getsockname()[1]), timeout=10).close()
    assert address(host) != "0.0.0.0"


def test_free_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert port < free_port("127.0.0.1", port) <= port + 100
    assert free_port("127.0.0.1", port) == port
    assert free_port("127.0.0.1", 0) > 1023
    with pytest.raises(GraphscopeError, match=r"cannot listen on 192\.0\.2\.1"):
        free_port("192.0.2.1", port)


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.stdout, done.stderr


def test_nothing_to_serve(tmp_path: Path) -> None:
    code, out, err = run("board", str(tmp_path))
    assert (code, out) == (1, "")
    assert err == (
        f"error: {tmp_path}: no model, and no event file in this directory or below it\n"
        f"hint: graphscope dump MODEL {tmp_path}\n"
    )
    code, _, err = run("board", str(tmp_path / "no"))
    assert code == 1
    assert "no such file, directory or checkpoint prefix" in err


# dump


def test_dump_says_what_it_wrote(tmp_path: Path) -> None:
    code, out, err = run("dump", str(LENET), str(tmp_path), "--histograms", "--filters")
    assert (code, err) == (0, "")
    [file] = (tmp_path / "lenet5").iterdir()
    lines = out.splitlines()
    assert lines[0].startswith(f"{file}  ")
    assert lines[1:] == ["  graph and meta graph, 10 histograms, 1 image", f"next  graphscope board {tmp_path}"]
    code, out, _ = run("dump", str(LENET), str(tmp_path))
    assert out.splitlines()[2] == "replaces an earlier dump"
    assert not file.exists()


def test_dump_of_what_is_not_there(tmp_path: Path) -> None:
    meta = LENET / "model.ckpt-4690.meta"
    target = tmp_path / "only.meta"
    target.write_bytes(meta.read_bytes())
    code, out, err = run("dump", str(target), str(tmp_path / "logs"), "--histograms", "--filters")
    assert code == 0
    assert "  graph and meta graph\n" in out
    assert err == (
        "note: no histograms: no weight has a value\nnote: no images of filters: no convolution has a filter with a value\n"
    )
    code, _, err = run("dump", str(target), str(tmp_path / "logs"), "--embedding", "fc3/weights")
    assert code == 1
    assert "fc3/weights has no value" in err


@pytest.mark.parametrize("name", ["inference/weights", "inference/weights:0"])
def test_embeddings_on_the_command_line(tmp_path: Path, name: str) -> None:
    labels = tmp_path / "a:b.tsv"
    labels.write_text("x\n" * 784)
    for number, text in enumerate((name, f"{name}:{labels}")):
        code, out, err = run("dump", str(FROZEN), str(tmp_path / "logs"), "--run", "r", "--embedding", text)
        assert (code, err) == (0, "")
        assert "784 points of 10 dimensions: inference/weights" in out
        assert (f"labels of {labels}" in out) == bool(number)
    code, _, err = run("dump", str(FROZEN), str(tmp_path / "logs"), "--embedding", "inference/weihts")
    assert code == 1
    assert "no variable is named 'inference/weihts'; closest: inference/weights" in err
