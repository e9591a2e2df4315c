"""How a task trains. Each says so on its own server before anything begins: tasks of different kinds would wait in vain."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from graphscope.cluster.hosts import Cluster, Task
from graphscope.cluster.reach import silence
from graphscope.errors import GraphscopeError
from graphscope.training.together.posts import read_post, write_post

_NAME = "kind"
_POLL_S = 0.2

_STAY_S = 3.0
"""How long a task stays that refuses another, which is about to ask it as well."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What all tasks of a training run must have in common to begin at all.

    Attributes:
        asynchronous: workers do not wait for each other.
        elastic: workers continue without a lost one.
        workers: how many there are.
    """

    asynchronous: bool
    elastic: bool
    workers: int


def declare(cluster: Cluster, own: Task, kind: Kind) -> None:
    """Says on the server of the task ``own``, which runs, of what kind it is."""
    write_post(cluster, own, _NAME, json.dumps(asdict(kind)))


def wait_for_same_kind(cluster: Cluster, own: Task, others: Collection[Task], kind: Kind, timeout_s: float) -> None:
    """Returns once all of ``others`` have said that they are of this kind.

    Raises:
        GraphscopeError: one is of another kind, or does not say within ``timeout_s`` seconds; it is named.
    """
    end = time.monotonic() + timeout_s
    missing = list(others)
    while missing:
        kinds = {task: _read(cluster, task) for task in missing}
        refuse_others(own, _differences(kinds, kind))
        missing = [task for task in missing if kinds[task] is None]
        if missing and time.monotonic() > end:
            raise silence(cluster, missing[0], timeout_s, "it does not train", lambda _: ("start it",))
        time.sleep(_POLL_S if missing else 0)


def find_others(cluster: Cluster, tasks: Collection[Task], kind: Kind) -> Mapping[Task, Sequence[str]]:
    """Those of ``tasks`` that answer now and are of another kind -> what differs."""
    return _differences({task: _read(cluster, task) for task in tasks}, kind)


def refuse_others(own: Task, others: Mapping[Task, Sequence[str]]) -> None:
    """Refuses to train with ``others``, which are what :func:`find_others` returns.

    Raises:
        GraphscopeError: there are some; the first is named.
    """
    for task, names in others.items():
        time.sleep(_STAY_S)
        raise GraphscopeError(
            f"{task} trains with different settings than {own}: {', '.join(names)}",
            hint="all tasks must be started with the same cluster file and options",
        )


def _read(cluster: Cluster, task: Task) -> Kind | None:
    text = read_post(cluster, task, _NAME)
    return None if text is None else Kind(**json.loads(text))


def _differences(kinds: Mapping[Task, Kind | None], kind: Kind) -> dict[Task, list[str]]:
    """Task -> the names of what differs, of those where something does."""
    mine = asdict(kind)
    differences = {
        task: [name for name, value in asdict(other).items() if value != mine[name]]
        for task, other in kinds.items()
        if other is not None
    }
    return {task: names for task, names in differences.items() if names}
