"""``graphscope tune`` as a person meets it: what it says, and what is there after a signal, a kill or a full disk."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import graphscope
from graphscope.cli.app import app
from graphscope.cli.commands.tune import STOPPING
from graphscope.cluster.hosts import Task, read_cluster
from graphscope.cluster.reach import free_ports, wait_for_tasks
from tests.support.fixture_files import ROOT
from tests.support.tuning import assert_equal_bits, grafted, pictures, saved, train, values

pytestmark = pytest.mark.tensorflow

EPOCHS = 4
STEPS = 6
OPTIONS = ("--epochs", str(EPOCHS), "--batch", "8", "--save-every", "4", "--validation", "0")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grafted checkpoint, its data, and features in the cache."""
    place = tmp_path_factory.mktemp("tune")
    grafted(place / "model.ckpt", ema=0.9)
    saved(place / "train.npz", *pictures(46))
    train(place / "model.ckpt", str(place / "train.npz"), out=place / "whole", epochs=EPOCHS, save_every=4)
    return place


def words(place: Path, out: Path, *more: str) -> list[str]:
    data = ("--data", str(place / "train.npz"), "--cache", str(place / "cache"), "-o", f"{out}/")
    return ["tune", str(place / "model.ckpt"), *data, *OPTIONS, *more]


def command(*given: str, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    kept = {"env": environment, "cwd": ROOT, "capture_output": True, "text": True, "check": False} | options
    return subprocess.run([sys.executable, "-m", "graphscope", *given], **kept)  # type: ignore[call-overload]


@pytest.mark.parametrize("where", ["-o", "--logdir"])
def test_a_place_that_cannot_be_written_is_refused_before_the_data_is_read(
    where: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    done = CliRunner().invoke(app, ["tune", "model.ckpt", "--data", "missing", where, "train.npz/x"])
    assert "error: train.npz: not a directory" in done.output


def test_what_it_says(place: Path, tmp_path: Path) -> None:
    """Epochs to stderr, the report to stdout; the command that it ends with works."""
    done = command(*words(place, tmp_path), "--validation", "0.2", "--epochs", "1", "--assert-accuracy", "0.99")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert [line.split()[:2] for line in done.stderr.splitlines() if line.startswith("epoch")] == [["epoch", "1/1"]]
    assert "the base is computed once for each" in done.stderr
    assert "below the required 99.00%" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["class", "examples", "accuracy"]
    assert [line.split()[0] for line in lines[1:4]] == ["0", "1", "2"]
    following = shlex.split(lines[-1])
    assert following[:3] == ["next", "graphscope", "freeze"]
    frozen = tmp_path / "frozen.pb"
    following[following.index("-o") + 1] = str(frozen)
    frozen_by = CliRunner().invoke(app, following[2:])
    assert frozen_by.exit_code == 0, frozen_by.output
    assert ("verified on" if os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1" else "equal to the bit") in frozen_by.output
    assert {op for op in graphscope.load(frozen).graph.ops if "Variable" in op} == set()


def test_json(place: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, words(place, tmp_path, "--format", "json", "--assert-accuracy", "0"))
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["judged_on"] == "training"
    assert [epoch["epoch"] for epoch in found["epochs"]] == list(range(1, EPOCHS + 1))
    assert sum(row["examples"] for row in found["classes"]) == 46
    assert found["next"].startswith("graphscope freeze ")
    assert_equal_bits(values(found["last"]), values(place / "whole" / f"model.ckpt-{EPOCHS * STEPS}"))


# Ended from outside

CONTROLLED = """
import itertools
import sys
from graphscope.training.tune.stepping import Alone

step = Alone.step
numbers = itertools.count(1)


def controlled(self, indices, feeder):
    print("step", next(numbers), flush=True)
    sys.stdin.readline()
    return step(self, indices, feeder)


Alone.step = controlled
from graphscope.__main__ import main
sys.argv = ["graphscope", *sys.argv[1:]]
main()
"""


def wait_for_delivery(pid: int, number: signal.Signals) -> None:
    """Until a process has taken a signal: another of its threads may be the one to take it, and have to wait for its turn."""
    status = Path(f"/proc/{pid}/status")
    with contextlib.suppress(OSError):  # it has ended, or this is no Linux
        while "State:\tZ" not in (text := status.read_text()):
            pending = re.search(r"^ShdPnd:\t(\w+)$", text, re.MULTILINE)
            if pending is None or not int(pending[1], 16) >> (number - 1) & 1:
                break
            time.sleep(0.001)


def ended(place: Path, out: Path, before_step: int, *numbers: signal.Signals) -> tuple[int, str]:
    """Trains until ``before_step`` is about to begin, sends signals, lets it go on; exit code and stderr."""
    arguments = [sys.executable, "-c", CONTROLLED, *words(place, out)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(arguments, text=True, cwd=ROOT, **pipes) as process:  # type: ignore[call-overload]
        for line in iter(process.stdout.readline, ""):
            if line == f"step {before_step}\n":
                break
            process.stdin.write("\n")
            process.stdin.flush()
        told = ""
        for number in numbers:
            process.send_signal(number)
            while number is signal.SIGINT and STOPPING not in told:  # another signal follows, not the same one
                told += process.stderr.readline()
            wait_for_delivery(process.pid, number)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()  # the step goes on
        told += process.stderr.read()
        return process.wait(60), told


@pytest.mark.parametrize(("before_step", "left"), [(3, []), (11, [4, 6, 8])])
def test_killed_in_mid_epoch(place: Path, tmp_path: Path, before_step: int, left: list[int]) -> None:
    """Before the first checkpoint and after some: it goes on from the last one, and ends as an unbroken training."""
    out = tmp_path / "out"
    code, _ = ended(place, out, before_step, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert sorted(p.name for p in out.glob("*.index")) == sorted(f"model.ckpt-{n}.index" for n in left)
    report = train(place / "model.ckpt", str(place / "train.npz"), out=out, epochs=EPOCHS, save_every=4, resume=True)
    whole = place / "whole" / f"model.ckpt-{EPOCHS * STEPS}"
    assert report.last == str(out / whole.name)
    assert_equal_bits(values(report.last), values(whole))


def test_interrupted(place: Path, tmp_path: Path) -> None:
    """Ctrl-C: the step is finished, a checkpoint saved, and the command that goes on works."""
    out = tmp_path / "out"
    code, told = ended(place, out, 9, signal.SIGINT)
    assert code == 130, told
    assert "Traceback" not in told
    assert f"stopped after step 9, saved as {out}/model.ckpt-9" in told
    [line] = [line for line in told.splitlines() if "to resume:" in line]
    following = shlex.split(line.partition("to resume:")[2])
    assert following[-1] == "--resume"
    done = CliRunner().invoke(app, following[1:])
    assert done.exit_code == 0, done.output
    whole = place / "whole" / f"model.ckpt-{EPOCHS * STEPS}"
    assert_equal_bits(values(out / whole.name), values(whole))


def test_interrupted_twice(place: Path, tmp_path: Path) -> None:
    """The second Ctrl-C does not wait for the step, nor for a checkpoint."""
    out = tmp_path / "out"
    code, told = ended(place, out, 9, signal.SIGINT, signal.SIGINT)
    assert code == 130
    assert "Traceback" not in told
    assert not (out / "model.ckpt-9.index").exists()
    assert (out / "model.ckpt-8.index").exists()


def test_interrupted_while_a_worker_waits_for_the_others(place: Path, tmp_path: Path) -> None:
    """There is nothing to save yet."""
    ports = free_ports(2)
    file = tmp_path / "cluster.yml"
    file.write_text(f"worker: [127.0.0.1:{ports[0]}, 127.0.0.1:{ports[1]}]")
    given = words(place, tmp_path / "out", "--cluster", str(file), "--task", "0", "--timeout", "600")
    arguments = [sys.executable, "-m", "graphscope", *given]
    with subprocess.Popen(arguments, text=True, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while "listen on every network interface" not in (told := process.stderr.readline()):
            assert told, "it ended"
        wait_for_tasks(read_cluster(file, task=0)[0], [Task("worker", 0)], 60)
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
        assert process.wait(60) == 130, told
    assert "Traceback" not in told
    assert STOPPING not in told


def test_a_full_disk(place: Path, tmp_path: Path) -> None:
    """The system refuses to let a file grow: the last checkpoint stands, and training goes on from it."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))

    out = tmp_path / "out"
    arguments = {"out": out, "save_every": 4}
    before = train(place / "model.ckpt", str(place / "train.npz"), epochs=1, **arguments)  # type: ignore[arg-type]
    files = sorted(p.name for p in out.iterdir())
    done = command(*words(place, out), "--resume", preexec_fn=limit)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert "File too large" in done.stderr
    assert str(out) in done.stderr
    assert sorted(p.name for p in out.iterdir()) == files
    assert values(before.last)
    report = train(place / "model.ckpt", str(place / "train.npz"), epochs=EPOCHS, resume=True, **arguments)  # type: ignore[arg-type]
    assert_equal_bits(values(report.last), values(place / "whole" / f"model.ckpt-{EPOCHS * STEPS}"))


@pytest.mark.parametrize(
    "more", ["--epochs 0", "--resume --force", "--assert-accuracy 2", "--size big", "--augment flop"]
)
def test_wrong_usage(place: Path, tmp_path: Path, more: str) -> None:
    done = CliRunner().invoke(app, words(place, tmp_path / "out", *more.split()))
    assert done.exit_code == (1 if "flop" in more else 2)
    assert "Traceback" not in done.output
    assert more.split()[-1] in done.output or more.split()[0] in done.output
    assert not (tmp_path / "out").exists()
