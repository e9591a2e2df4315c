"""Trains with workers that do not wait for each other, and parameter servers.

A lost worker is restarted while the others continue. If a server is lost, the variables are: all begin again at the last
checkpoint.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

from graphscope.cluster.hosts import PS, WORKER, Task
from graphscope.cluster.processes import Ending, Launcher, Processes
from graphscope.errors import GraphscopeError
from graphscope.formats.io.paths import exists
from graphscope.runtime.tensorflow import tensorflow
from graphscope.training.together.asynchronous import Apart
from graphscope.training.together.launch import GRACE_S, LOST, TRIES, Training, this_machine
from graphscope.training.together.parameter_server import done_of, last_checkpoint, run_server
from graphscope.training.together.relay import Done, Relay, Teller
from graphscope.training.together.server import PROBE_S
from graphscope.training.tune.checkpoints import output_prefix
from graphscope.training.tune.loop import Interrupted
from graphscope.training.tune.report import TuneReport
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
            return run_server(self._cluster, task, self._training.timeout_s, self._awaited(task))
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
        return done_of(how) if how else last_checkpoint(self._prefix)

    def _place(self, task: Task) -> OutputLocation:
        """What a process of ``task`` goes on with: a training run that was begun here is not begun anew."""
        place = self._training.place
        has_begun = self._relay.has_begun and exists(run_file(self._prefix))
        if place.resume or (task.index == 0 and has_begun):
            return OutputLocation(place.out, resume=True)
        return replace(place, overwrite=True)


def _warn(launcher: Launcher, message: str) -> None:
    launcher.tell(("warn", (message,)))


def _is_of_cluster(error: GraphscopeError) -> bool:
    """Whether TensorFlow says that another process is gone, or that a server has lost its variables."""
    errors = tensorflow().errors
    return isinstance(error.__cause__, tuple(getattr(errors, name) for name in (*LOST, *_EMPTY)))
