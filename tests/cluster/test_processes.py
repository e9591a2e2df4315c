"""Processes that do parts of one piece of work: what they tell, how they end, and that none is left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from graphscope.cluster import processes as processes_module
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


def fall_silent(number: int, launcher: Launcher) -> int:
    if number == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    if number == 1:
        ctypes.PyDLL(None).sleep(600)  # in native code, without releasing the interpreter's lock
    while not launcher.is_asked_to_stop():
        time.sleep(0.01)
    return number


def test_one_that_is_stopped_or_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes_module, "_LATE_S", 4.0)
    endings = []
    with Processes(3, fall_silent, limit_s=1) as processes:
        for ending in processes.endings(lambda *_: None):
            endings.append(ending)
            if len(endings) == 2:
                processes.ask_to_stop()
    assert endings == [
        Ending(0, death="was stopped by SIGSTOP and did not continue within 3 s"),
        Ending(1, death="did not respond within 4 s"),
        Ending(2, 2),
    ]


TOGETHER = """
import sys
from graphscope.cluster.processes import Processes
from tests.cluster.test_processes import wait_to_be_asked
with Processes(1, wait_to_be_asked, limit_s=1) as processes:
    def go_on():
        if select.select([sys.stdin], [], [], 0)[0]:
            processes.ask_to_stop()
        return True
    print([e.death or e.result for e in processes.endings(lambda *_: print("runs", flush=True), go_on)])
"""


def test_one_that_is_stopped_with_its_launcher_goes_on() -> None:
    """Ctrl-Z stops all processes of a terminal's group, ``fg`` lets all of them go on."""
    words = [sys.executable, "-c", f"import select{TOGETHER}"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, cwd=ROOT, text=True, start_new_session=True, **pipes) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdin is not None
        assert launcher.stdout.readline() == "runs\n"
        os.killpg(launcher.pid, signal.SIGSTOP)
        time.sleep(4)
        os.killpg(launcher.pid, signal.SIGCONT)
        time.sleep(1)
        launcher.stdin.close()
        assert launcher.stdout.read() == "[0]\n"


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


def test_ctrl_c_does_not_reach_one_that_is_just_starting(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fork = os.fork

    def fork_and_interrupt() -> int:
        if (pid := fork()) == 0:
            signal.raise_signal(signal.SIGINT)
        return pid

    monkeypatch.setattr(os, "fork", fork_and_interrupt)
    with Processes(1, lambda *_: "done") as processes:
        assert [ending.result for ending in processes.endings(lambda *_: None)] == ["done"]
    assert capfd.readouterr().err == ""


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
