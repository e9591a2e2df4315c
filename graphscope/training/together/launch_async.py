"""Trains with workers that do not wait for each other, and parameter servers.

A lost worker is restarted while the others continue. If a server is lost, the variables are: all begin again at the last
checkpoint.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from graphscope.cluster.hosts import PS, WORKER, Cluster, Task
from graphscope.cluster.processes import Ending, Launcher, Processes
from graphscope.errors import GraphscopeError
from graphscope.formats.io.paths import exists
from graphscope.runtime.tensorflow import tensorflow
from graphscope.training.together.asynchronous import Apart, await_crew, open_ledger
from graphscope.training.together.launch import GRACE_S, LOST, TRIES, Training, this_machine
from graphscope.training.together.ledger import Ledger
from graphscope.training.together.relay import Done, Relay, Teller
from graphscope.training.together.server import PROBE_S, Server, asking_config
from graphscope.training.tune.checkpoints import output_prefix
from graphscope.training.tune.loop import Interrupted
from graphscope.training.tune.report import ClassReport, EpochReport, TuneReport
from graphscope.training.tune.resume import read_run, run_file
from graphscope.training.tune.training_job import Watcher
from graphscope.training.tune.tune import OutputLocation, found_run, opened_training, shared_settings, tune

_EMPTY = ("FailedPreconditionError", "NotFoundError")
"""What TensorFlow raises where a server that was started again has no variables yet."""

_POLL_S = 0.5
"""How often a server asks whether the training run has ended."""


@dataclass(frozen=True, slots=True)
class _Lost:
    """What a process lost.

    Attributes:
        server: the parameter server that does not answer; ``None`` if all do.
        message: what TensorFlow says.
    """

    server: Task | None
    message: str


def train_asynchronously(
    training: Training,
    *,
    watchers: Sequence[Watcher] = (),
    interrupted: Callable[[], bool] = lambda: False,
    warn: Callable[[str], None] = lambda _: None,
) -> TuneReport:
    """Trains as :func:`graphscope.training.tune.tune.tune` does, each step by one of the workers.

    Args:
        watchers: hear what worker 0 tells: of the steps of all.
        warn: receives a message for each process that was lost.

    Raises:
        Interrupted: ``interrupted`` returned true; a checkpoint has been saved.
        GraphscopeError: a process failed, or is lost again and again without a further checkpoint.
    """
    found_run(output_prefix(training.model.path, training.place.out), training.place)
    relay = Relay(watchers, training.job, warn)
    crew = _Crew(training, relay, interrupted)
    return crew.run()


class _Crew:
    """The processes of this machine: all workers and servers, or one worker of a cluster."""

    def __init__(self, training: Training, relay: Relay, interrupted: Callable[[], bool]) -> None:
        self._training = training
        self._relay = relay
        self._interrupted = interrupted
        self._prefix = output_prefix(training.model.path, training.place.out)
        self._cluster = training.cluster or this_machine(training.count, training.servers)
        self._tasks = list(self._cluster.addresses) if training.cluster is None else [Task(WORKER, training.rank)]
        self._has_started = False
        self._failures, self._saved = 0, 0
        self._is_asked = False
        self._deadline, self._reason = math.inf, ""

    def run(self) -> TuneReport:
        """Trains to the end; raises as :func:`train_asynchronously`."""
        while (done := self._generation()) is None:
            self._lose("all continue from the last checkpoint")
            self._deadline = math.inf
        return done.result()

    def _generation(self) -> Done | None:
        """Until the end; ``None`` if a server was lost."""
        training = self._training
        count = len(self._tasks)
        with Processes(count, self._work, network=training.network, limit_s=training.timeout_s) as processes:
            self._has_started, self._is_asked = True, False
            for ending in processes.endings(self._relay.hear, lambda: self._goes_on(processes)):
                if ending.error is not None:
                    raise ending.error
                if isinstance(ending.result, Done):
                    if ending.number == 0:  # worker 0, or the one that this machine is
                        return ending.result
                elif self._is_final(ending):
                    return None
                elif self._deadline == math.inf:
                    self._lose("it is restarted, the others continue" if ending.death else "it is restarted")
                    processes.start_again(ending.number)
                    self._is_asked = False  # if someone asks to stop, the new one must hear of it
        return None

    def _is_final(self, ending: Ending) -> bool:
        """Whether no process can continue after this loss. Waits for a silent server, which may be about to end."""
        task, lost = self._tasks[ending.number], ending.result
        is_waiting = self._deadline < math.inf
        if ending.death and (task.job == PS or not is_waiting):
            self._reason = f"{task} {ending.death}"
        elif isinstance(lost, _Lost) and not is_waiting:
            self._reason = f"{lost.server} does not answer" if lost.server else f"{task}: {lost.message}"
            self._deadline = time.monotonic() + GRACE_S if lost.server else math.inf
        return task.job == PS

    def _lose(self, consequence: str) -> None:
        """Warns of a loss.

        Raises:
            GraphscopeError: there were too many without a further checkpoint.
        """
        if exists(run_file(self._prefix)) and self._relay.has_begun:
            step = read_run(run_file(self._prefix)).step
            self._failures, self._saved = (0, step) if step > self._saved else (self._failures, self._saved)
        self._failures += 1
        if self._failures > TRIES:
            raise GraphscopeError(f"{self._reason}; {self._failures} times in a row without another checkpoint")
        self._relay.warn(f"{self._reason}; {consequence}")

    def _goes_on(self, processes: Processes) -> bool:
        """Passes on that someone asks to stop; ends the wait for a server that has ended or hangs."""
        if not self._is_asked and self._interrupted():
            self._is_asked = True
            processes.ask_to_stop()
        return time.monotonic() < self._deadline

    def _work(self, number: int, launcher: Launcher) -> Done | _Lost:
        """In each process."""
        task = self._tasks[number]
        if task.job == PS:
            return _serve(self._cluster, task, self._training.timeout_s, self._awaited(task))
        place = self._place(task)
        warn = partial(_warn, launcher)
        team = Apart(
            self._cluster,
            task.index,
            self._training.threads,
            self._training.timeout_s,
            rejoins=place.resume,
            awaited=self._awaited(task),
            warn=warn,
        )
        try:
            return (self._lead if task.index == 0 else self._assist)(team, place, launcher)
        except GraphscopeError as error:
            if not _is_of_cluster(error):
                raise
            return _Lost(team.silent_server(PROBE_S), error.message)

    def _awaited(self, task: Task) -> list[Task]:
        """Who must answer before a process begins: at the start, all; later, whoever has what it needs."""
        is_first = not self._has_started and not self._training.place.resume
        return [other for other in self._cluster.addresses if other != task and (is_first or other.job == PS)]

    def _lead(self, team: Apart, place: OutputLocation, launcher: Launcher) -> Done:
        """What worker 0 does: it tells the others how the training run ends."""
        training = self._training
        try:
            report = tune(
                training.model,
                training.job,
                place,
                augmentation=training.augmentation,
                watchers=[Teller(launcher.tell)],
                interrupted=launcher.is_asked_to_stop,
                team=team,
            )
        except Interrupted as stopped:
            team.end({"stopped": [stopped.step, stopped.prefix]})
            return Done(None, stopped.step, stopped.prefix)
        except GraphscopeError as error:
            if not _is_of_cluster(error):
                team.end({"error": error.message})
            raise
        team.end({"report": asdict(report)})
        return Done(report)

    def _assist(self, team: Apart, place: OutputLocation, launcher: Launcher) -> Done:
        """What the other workers do."""
        training = self._training
        with opened_training(training.model, training.job, place, team, training.augmentation) as opened:
            worker = team.assisting(opened.session, training.job, shared_settings(opened, training.job))
            how = worker.assist(launcher.is_asked_to_stop)
            if how:
                worker.ledger.leave(team.rank)
        return _done(how) if how else _last_checkpoint(self._prefix)

    def _place(self, task: Task) -> OutputLocation:
        """What a process of ``task`` goes on with: a training run that was begun here is not begun anew."""
        place = self._training.place
        has_begun = self._relay.has_begun and exists(run_file(self._prefix))
        if place.resume or (task.index == 0 and has_begun):
            return OutputLocation(place.out, resume=True)
        return replace(place, overwrite=True)


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
        ending = _serve_once(partial(_serve, cluster, task, timeout_s, others), timeout_s, interrupted)
        if ending is None:
            done = _last_checkpoint(prefix)
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


def _last_checkpoint(prefix: Path) -> Done:
    """What a process leaves that was asked to stop while worker 0 goes on; nothing, before there is a training run."""
    if not exists(run_file(prefix)):
        return Done(None)
    run = read_run(run_file(prefix))
    return Done(None, run.step, str(prefix.parent / run.kept[-1]) if run.kept else "")


def _serve(cluster: Cluster, task: Task, timeout_s: float, awaited: Sequence[Task]) -> Done:
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
    return _done(how)


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


def _done(how: Mapping[str, Any]) -> Done:
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


def _warn(launcher: Launcher, message: str) -> None:
    launcher.tell(("warn", (message,)))


def _is_of_cluster(error: GraphscopeError) -> bool:
    """Whether TensorFlow says that another process is gone, or that a server has lost its variables."""
    errors = tensorflow().errors
    return isinstance(error.__cause__, tuple(getattr(errors, name) for name in (*LOST, *_EMPTY)))
