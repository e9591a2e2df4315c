"""A parameter server of an asynchronous training run, until that has ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from graphscope.cluster.hosts import PS, Cluster, Task
from graphscope.cluster.processes import Ending, Processes
from graphscope.errors import GraphscopeError
from graphscope.formats.io.paths import exists
from graphscope.training.together.asynchronous import await_crew, open_ledger
from graphscope.training.together.launch import TRIES
from graphscope.training.together.ledger import Ledger
from graphscope.training.together.relay import Done
from graphscope.training.together.server import Server, asking_config
from graphscope.training.tune.loop import Interrupted
from graphscope.training.tune.report import ClassReport, EpochReport, TuneReport
from graphscope.training.tune.resume import read_run, run_file

_POLL_S = 0.5
"""How often a server asks whether the training run has ended."""


def serve(
    cluster: Cluster,
    task: Task,
    prefix: Path,
    timeout_s: float,
    *,
    interrupted: Callable[[], bool] = lambda: False,
    warn: Callable[[str], None] = lambda _: None,
) -> TuneReport:
    """Is one parameter server of ``cluster`` until the training run ends, and returns worker 0's report.

    Args:
        prefix: of the training's checkpoints.

    Raises:
        Interrupted: this server or worker 0 was asked to stop.
        GraphscopeError: the port is taken, another process does not answer in time, worker 0 has failed, or the server was
            killed again and again.
    """
    others = [other for other in cluster.addresses if other != task]
    for _ in range(TRIES + 1):
        ending = _serve_once(partial(run_server, cluster, task, timeout_s, others), timeout_s, interrupted)
        if ending is None:
            done = last_checkpoint(prefix)
            raise Interrupted(done.step, done.prefix)
        if isinstance(ending.result, Done):
            return ending.result.result()
        warn(f"{task} {ending.death}; all continue from the last checkpoint")
        others = []
    raise GraphscopeError(f"{task} was lost {TRIES + 1} times")


def _serve_once(work: Callable[[], Done], timeout_s: float, interrupted: Callable[[], bool]) -> Ending | None:
    """How the process of a server ended; ``None`` if someone asked to stop."""
    with Processes(1, lambda *_: work(), limit_s=timeout_s) as processes:
        for ending in processes.endings(lambda *_: None, lambda: not interrupted()):
            if ending.error is not None:
                raise ending.error
            return ending
    return None


def last_checkpoint(prefix: Path) -> Done:
    """What a process leaves that was asked to stop while worker 0 goes on; nothing, before there is a training run."""
    if not exists(run_file(prefix)):
        return Done(None)
    run = read_run(run_file(prefix))
    return Done(None, run.step, str(prefix.parent / run.kept[-1]) if run.kept else "")


def run_server(cluster: Cluster, task: Task, timeout_s: float, awaited: Sequence[Task]) -> Done:
    """In the process of a server."""
    config = asking_config(timeout_s, [f"/job:{PS}"])
    target = Server(cluster, task, lambda: config).start()
    await_crew(cluster, task, awaited, timeout_s)
    while True:
        time.sleep(_POLL_S)
        with contextlib.suppress(GraphscopeError), open_ledger(target, config, cluster) as ledger:
            how = _wait_for_end(ledger)
            _leave(ledger, cluster, task, timeout_s)
            break
    return done_of(how)


def _wait_for_end(ledger: Ledger) -> dict[str, Any]:
    while not (how := ledger.ended()):
        time.sleep(_POLL_S)
    return how


def _leave(ledger: Ledger, cluster: Cluster, task: Task, timeout_s: float) -> None:
    """The first server stays until all others know that the training run has ended, though not for ever."""
    numbers = {other: number for number, other in enumerate(cluster.addresses)}
    if task.index:
        ledger.leave(numbers[task])
        return
    others = [number for other, number in numbers.items() if other != task]
    end = time.monotonic() + timeout_s
    while not ledger.have_left(others) and time.monotonic() < end:
        time.sleep(_POLL_S)


def done_of(how: Mapping[str, Any]) -> Done:
    """What a process returns that has read how the training run ended.

    Raises:
        GraphscopeError: worker 0 has failed.
    """
    if "error" in how:
        raise GraphscopeError(f"worker 0: {how['error']}")
    if "stopped" in how:
        step, prefix = how["stopped"]
        return Done(None, step, prefix)
    report = how["report"]
    epochs = tuple(EpochReport(**epoch) for epoch in report["epochs"])
    classes = tuple(ClassReport(**one) for one in report["classes"])
    return Done(TuneReport(**{**report, "epochs": epochs, "classes": classes}))
