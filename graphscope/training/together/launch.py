"""Trains with several processes. If one is lost, a new generation of processes continues from the last checkpoint.

A group that has lost a member cannot be formed again within its processes ("Restart your program to reset"), so all of them are
forked anew, from this process, which has imported TensorFlow and runs nothing in it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from graphscope.cluster.hosts import Address, Cluster
from graphscope.cluster.private_network import PrivateNetwork
from graphscope.cluster.processes import Ending, Launcher, Processes
from graphscope.cluster.reach import free_ports
from graphscope.cluster.share import Share
from graphscope.core.model import Model
from graphscope.errors import GraphscopeError
from graphscope.formats.io.paths import exists
from graphscope.runtime.config import SessionOptions
from graphscope.runtime.tensorflow import tensorflow
from graphscope.training.together.member import Member
from graphscope.training.together.relay import Done, Relay, Teller
from graphscope.training.tune.checkpoints import output_prefix
from graphscope.training.tune.loop import Interrupted
from graphscope.training.tune.report import TuneReport
from graphscope.training.tune.resume import read_run, run_file
from graphscope.training.tune.training_job import Job, Watcher
from graphscope.training.tune.tune import OutputLocation, found_run, tune

TIMEOUT_S = 60.0
"""How long a step may take before a member counts as lost."""

TRIES = 3
"""How often training goes on without a checkpoint in between."""

GRACE_S = 3.0
"""How long to wait for the others once one has ended: another may report the reason."""

LOST = ("UnavailableError", "DeadlineExceededError", "AbortedError", "InternalError", "CancelledError")
"""What TensorFlow raises where another member is gone; and the following, which name the collective."""


@dataclass(frozen=True)
class Training:
    """What all processes do.

    Attributes:
        model, job, augmentation: as :func:`graphscope.training.tune.tune.tune` takes them; the batch is that of all together.
        place: where checkpoints go.
        count: processes.
        threads: of each.
        timeout_s: see :data:`TIMEOUT_S`.
        cluster: where all of them are; ``None``: on this machine, which starts them.
        servers: parameter servers, for workers that do not wait for each other; 0 for steps that all make together.
        rank: which of the cluster this machine starts.
        elastic: the remaining workers continue without a lost one.
        network: that of processes which are all on this machine; ``None``: the machine's own.
    """

    model: Model
    job: Job
    place: OutputLocation
    augmentation: str
    count: int
    threads: SessionOptions
    timeout_s: float = TIMEOUT_S
    cluster: Cluster | None = None
    servers: int = 0
    rank: int = 0
    network: PrivateNetwork | None = None
    elastic: bool = False

    @property
    def ranks(self) -> Sequence[int]:
        """The workers that are started here."""
        return range(self.count) if self.cluster is None else [self.rank]


def train_by_workers(
    training: Training,
    *,
    watchers: Sequence[Watcher] = (),
    interrupted: Callable[[], bool] = lambda: False,
    warn: Callable[[str], None] = lambda _: None,
) -> TuneReport:
    """Trains as :func:`graphscope.training.tune.tune.tune` does, every step by all processes.

    Args:
        watchers: hear what worker 0 tells.
        warn: receives a message for each process that was lost.

    Raises:
        Interrupted: ``interrupted`` returned true; a checkpoint has been saved.
        GraphscopeError: a process failed, or generations end without a step.
    """
    prefix = output_prefix(training.model.path, training.place.out)
    found_run(prefix, training.place)
    relay = Relay(watchers, training.job)
    place = training.place if training.place.resume else replace(training.place, overwrite=True)
    failures, saved = 0, 0
    while True:
        is_first = failures == 0 and not training.place.resume
        generation = _Generation(replace(training, place=place), relay, interrupted, is_first=is_first)
        report = generation.run()
        if report is not None:
            return report
        if exists(run_file(prefix)) and (run := read_run(run_file(prefix))).kept and relay.has_begun:
            place = OutputLocation(training.place.out, resume=True)
            failures, saved = (0, run.step) if run.step > saved else (failures, saved)
        failures += 1
        if failures > TRIES:
            raise GraphscopeError(f"{generation.reason}; {failures} times in a row without another checkpoint")
        if training.elastic and training.cluster is None:
            training = replace(training, count=max(1, training.count - generation.lost))
        who = "all remaining workers" if training.elastic else "all workers"
        warn(f"{generation.reason}; {who} continue from the last checkpoint")
        if training.cluster is not None:
            time.sleep(
                GRACE_S
            )  # on other machines, too, the processes before must have ended, or the new ones meet them


class _Generation:
    """All processes, until they are done or one is lost.

    Attributes:
        reason: why it came to nothing.
        lost: how many of the processes here were killed, or do not answer.
    """

    def __init__(self, training: Training, relay: Relay, interrupted: Callable[[], bool], *, is_first: bool) -> None:
        self.reason = ""
        self.lost = 0
        self._is_first = is_first
        self._training = training
        self._relay = relay
        self._interrupted = interrupted
        self._is_asked = False
        self._deadline = math.inf
        self._cluster = training.cluster or this_machine(training.count)

    def run(self) -> TuneReport | None:
        """The report; ``None`` if a process was lost.

        Raises:
            Interrupted, GraphscopeError: as :func:`train_by_workers`.
        """
        endings: dict[int, Ending] = {}
        training = self._training
        ranks = training.ranks
        with Processes(len(ranks), self._work, network=training.network, limit_s=training.timeout_s) as processes:
            for ending in processes.endings(self._relay.hear, lambda: self._goes_on(processes)):
                if ending.error is not None:
                    raise ending.error
                endings[ending.number] = ending
                if not isinstance(ending.result, Done):
                    self._deadline = min(self._deadline, time.monotonic() + GRACE_S)
            silent = list(processes.pids)
        done = [ending.result for _, ending in sorted(endings.items()) if isinstance(ending.result, Done)]
        if len(done) < len(ranks):
            self.reason = _reason(list(endings.values()), silent, ranks)
            dead = [ending for ending in endings.values() if ending.death]
            self.lost = len(dead) or len(silent)
            return None
        return done[0].result()

    def _goes_on(self, processes: Processes) -> bool:
        """Passes on that someone asks to stop; ends the wait for processes that may hang."""
        if not self._is_asked and self._interrupted():
            self._is_asked = True
            processes.ask_to_stop()
        return time.monotonic() < self._deadline

    def _work(self, number: int, launcher: Launcher) -> Done | str:
        """In each process; what it returns otherwise is how another member was lost."""
        training = self._training
        share = Share(training.ranks[number], training.count)
        member = Member(self._cluster, share, training.threads, training.timeout_s, is_elastic=training.elastic)
        try:
            if training.elastic and training.cluster is not None and not self._is_first:
                member.agree()
            report = tune(
                training.model,
                training.job,
                training.place,
                augmentation=training.augmentation,
                watchers=[Teller(launcher.tell)] if number == 0 else [],
                interrupted=launcher.is_asked_to_stop,
                team=member,
            )
        except Interrupted as stopped:
            return Done(None, stopped.step, stopped.prefix)
        except GraphscopeError as error:
            if not is_of_group(error):
                raise
            lost = member.find_lost() if training.cluster is not None else None
            return lost or error.message
        return Done(report)


def is_of_group(error: GraphscopeError) -> bool:
    """Whether TensorFlow says that another member is gone."""
    errors = tensorflow().errors
    cause = error.__cause__
    return isinstance(cause, tuple(getattr(errors, name) for name in LOST)) or (
        isinstance(cause, errors.OpError) and "ollective" in cause.message
    )


def this_machine(workers: int, servers: int = 0) -> Cluster:
    """A cluster of this machine alone."""
    addresses = tuple(Address("127.0.0.1", port) for port in free_ports(workers + servers))
    return Cluster("this machine", addresses[:workers], addresses[workers:])


def _reason(endings: Sequence[Ending], silent: Sequence[int], ranks: Sequence[int]) -> str:
    """Who was lost: a process that was killed, one that does not answer, or what TensorFlow says."""
    dead = next((f"worker {ranks[ending.number]} {ending.death}" for ending in endings if ending.death), None)
    if dead is not None:
        return dead
    if silent:
        return f"worker {ranks[silent[0]]} does not answer"
    return next(str(ending.result) for ending in endings if isinstance(ending.result, str))
