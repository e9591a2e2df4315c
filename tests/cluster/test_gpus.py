"""GPUs in turn, on a machine that need not have any."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from graphscope.cluster import gpus
from graphscope.cluster.gpus import GROWTH, VISIBLE, gpu_environment, visible_gpus
from graphscope.cluster.processes import Launcher, Processes


@pytest.fixture(autouse=True)
def four(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with four GPUs, as its driver tells."""
    for number in range(4):
        (tmp_path / f"0000:0{number}:00.0").mkdir()
    monkeypatch.setattr(gpus, "GPUS", tmp_path)
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.delenv(GROWTH, raising=False)


@pytest.mark.parametrize(
    ("stated", "visible"),
    [
        (None, ["0", "1", "2", "3"]),
        ("2,0", ["2", "0"]),
        (" GPU-8932f937, MIG-fa1c ", ["GPU-8932f937", "MIG-fa1c"]),
        ("1,-1,2", ["1"]),
        ("", []),
        ("-1", []),
    ],
)
def test_what_may_be_used(stated: str | None, visible: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if stated is not None:
        monkeypatch.setenv(VISIBLE, stated)
    assert visible_gpus() == visible


def test_a_machine_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpus, "GPUS", tmp_path / "none")
    assert visible_gpus() == []
    assert gpu_environment(1, 2) == {}


def told(number: int, launcher: Launcher) -> tuple[str | None, str | None]:
    return os.environ.get(VISIBLE), os.environ.get(GROWTH)


def given(count: int, anew: bool = False) -> list[tuple[str | None, str | None]]:
    """What each of so many processes sees."""
    with Processes(count, told, anew=anew) as processes:
        endings = sorted(processes.endings(lambda *_: None), key=lambda ending: ending.number)
    return [ending.result for ending in endings]


def test_processes_take_them_in_turn() -> None:
    assert given(1) == [(None, None)], "who is alone has all of them"
    assert given(3) == [("0", None), ("1", None), ("2", None)]
    assert given(6) == [(name, "true") for name in "012301"]
    assert os.environ.get(VISIBLE) is None


def test_of_those_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "3,1")
    assert given(3) == [("3", "true"), ("1", "true"), ("3", "true")]
    assert given(2, anew=True) == [("3", None), ("1", None)]
