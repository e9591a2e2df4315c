"""Processes that do parts of one piece of work: what they tell, how they end, and that none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from graphscope.cluster.processes import Ending, Launcher, Processes
from graphscope.errors import CorruptFileError
from tests.support.fixture_files import ROOT

either = pytest.mark.parametrize("anew", [False, True], ids=["forked", "anew"])


def work(number: int, launcher: Launcher) -> Any:
    launcher.tell(("begins", number))
    if number == 1:
        raise CorruptFileError("it is damaged", path="file", offset=3, hint="another file")
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 3:
        raise MemoryError
    return {"number": number}


@either
def test_what_processes_tell_and_how_they_end(anew: bool) -> None:
    told: list[Any] = []
    with Processes(4, work, anew=anew) as processes:
        endings = {e.number: e for e in processes.endings(lambda number, message: told.append((number, message)))}
    assert sorted(told) == [(number, ("begins", number)) for number in range(4)]
    assert endings[0] == Ending(0, {"number": 0})
    assert endings[2] == Ending(2, death="was killed by SIGKILL")
    error = endings[1].error
    assert type(error) is CorruptFileError
    assert (error.message, error.hint) == ("file, byte 3: it is damaged", "another file")
    assert str(endings[3].error) == "not enough memory"


def broken(number: int, launcher: Launcher) -> None:
    raise ValueError("a bug")


def test_a_bug_shows_its_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    with Processes(1, broken) as processes:
        [ending] = processes.endings(lambda *_: None)
    assert ending.death == "ended with status 1"
    assert "ValueError: a bug" in capfd.readouterr().err


def wait_to_be_asked(number: int, launcher: Launcher) -> int:
    signal.raise_signal(signal.SIGINT)  # a terminal sends it to all of them
    launcher.tell("waits")
    while not launcher.is_asked_to_stop():
        time.sleep(0.01)
    return number


@either
def test_processes_are_asked_to_stop(anew: bool) -> None:
    told: list[int] = []
    with Processes(2, wait_to_be_asked, anew=anew) as processes:

        def hear(number: int, _: object) -> None:
            told.append(number)
            if len(told) == 2:
                processes.ask_to_stop()

        assert sorted(e.result for e in processes.endings(hear)) == [0, 1]


def wait_for_ever(number: int, launcher: Launcher) -> None:
    launcher.tell(os.getpid())
    time.sleep(600)


def is_alive(pid: int) -> bool:
    """Whether there is such a process that is not merely waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_end(pids: list[int]) -> None:
    end = time.monotonic() + 60
    while any(map(is_alive, pids)):
        assert time.monotonic() < end, "a process is left behind"
        time.sleep(0.02)


class Enough(Exception):
    """Leaves the block, as Ctrl-C does."""


def test_none_outlives_the_block() -> None:
    pids: list[int] = []

    def hear(_: int, pid: int) -> None:
        pids.append(pid)
        if len(pids) == 2:
            raise Enough

    with pytest.raises(Enough), Processes(2, wait_for_ever) as processes:
        list(processes.endings(hear))
    assert len(pids) == 2
    assert not any(map(is_alive, pids))


LAUNCHER = """
from graphscope.cluster.processes import Processes
from tests.cluster.test_processes import wait_for_ever
with Processes(2, wait_for_ever, anew=sys.argv[1] == "True") as processes:
    list(processes.endings(lambda _, pid: print(pid, flush=True)))
"""


@pytest.mark.parametrize(
    ("anew", "before"),
    [(False, ""), (True, ""), (False, "sys.platform = 'other'")],
    ids=["forked", "anew", "pipe alone"],
)
def test_none_outlives_a_killed_launcher(anew: bool, before: str) -> None:
    words = [sys.executable, "-c", f"import sys; {before}\n{LAUNCHER}", str(anew)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        pids = [int(launcher.stdout.readline()) for _ in range(2)]
        launcher.send_signal(signal.SIGKILL)
    wait_for_end(pids)
