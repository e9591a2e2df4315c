"""Which workers of a cluster go on without the others, and which of them leads: the first that is there.

Each of them posts a notice on its own server: who leads it and, once the leader has found that out, who goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from graphscope.cluster.hosts import WORKER, Cluster, Task
from graphscope.errors import GraphscopeError
from graphscope.training.together.posts import read_post, write_post

_NAME = "members"
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Notice:
    """What a worker says of its group.

    Attributes:
        leader: the worker that leads it.
        members: those that go on, once that is known.
    """

    leader: int
    members: Sequence[int] = ()


def find_leader(cluster: Cluster, rank: int, timeout_s: float) -> int:
    """The worker that leads worker ``rank``, which has not started its server yet: itself, if none before it is there in time.

    Args:
        timeout_s: how long to wait for each worker before this one: the next of them leads after that time.

    Raises:
        GraphscopeError: the others go on without this one.
    """
    end = time.monotonic() + rank * timeout_s
    others = [other for other in range(len(cluster.workers)) if other != rank]
    while True:
        notices = {other: notice for other in others if (notice := _read_notice(cluster, other)) is not None}
        if any(notice.members and rank not in notice.members for notice in notices.values()):
            raise _left_out(cluster, rank)
        if (first := min(notices, default=rank)) < rank:
            return notices[first].leader
        others = [other for other in others if other < rank]
        if not others or time.monotonic() > end:
            return rank
        time.sleep(_POLL_S)


def agree_on_members(cluster: Cluster, rank: int, leader: int, timeout_s: float) -> list[int]:
    """The workers that go on, in order; the servers of all of them run.

    Args:
        timeout_s: how long the leader waits for the others.

    Raises:
        GraphscopeError: the leader does not answer, or goes on without this one.
    """
    write_notice(cluster, rank, Notice(leader))
    members = _find_members(cluster, rank, timeout_s) if rank == leader else _hear_members(cluster, leader, timeout_s)
    if rank not in members:
        raise _left_out(cluster, rank)
    write_notice(cluster, rank, Notice(leader, members))
    return members


def _find_members(cluster: Cluster, leader: int, timeout_s: float) -> list[int]:
    """The workers that follow the leader; it waits for all that come after it, though not for ever."""
    end = time.monotonic() + timeout_s
    members, missing = [leader], list(range(leader + 1, len(cluster.workers)))
    while missing:
        notices = {rank: _read_notice(cluster, rank) for rank in missing}
        leaders = {rank: notice.leader for rank, notice in notices.items() if notice is not None}
        if any(other > leader for other in leaders.values()):
            raise _left_out(cluster, leader)  # it came when they had stopped waiting for it
        members += [rank for rank, other in leaders.items() if other == leader]
        missing = [rank for rank in missing if rank not in members]
        if time.monotonic() > end:
            break
        time.sleep(_POLL_S if missing else 0)
    return sorted(members)


def _hear_members(cluster: Cluster, leader: int, timeout_s: float) -> list[int]:
    end = time.monotonic() + 2 * timeout_s  # the leader may wait as long for another
    while time.monotonic() < end:
        notice = _read_notice(cluster, leader)
        if notice is not None and notice.members:
            return list(notice.members)
        time.sleep(_POLL_S)
    raise GraphscopeError(
        f"{cluster.path}: worker {leader} did not announce within {2 * timeout_s:g} s which workers continue"
    )


def _left_out(cluster: Cluster, rank: int) -> GraphscopeError:
    return GraphscopeError(
        f"{cluster.path}: the others continued without worker {rank}, which did not answer in time",
        hint="start it again when another worker is lost, or when the training is resumed",
    )


def _read_notice(cluster: Cluster, rank: int) -> Notice | None:
    """The notice of a worker; ``None`` if it does not answer, or has none."""
    text = read_post(cluster, Task(WORKER, rank), _NAME)
    return None if text is None else Notice(**json.loads(text))


def write_notice(cluster: Cluster, rank: int, notice: Notice) -> None:
    """Writes the notice of worker ``rank``, whose server runs."""
    write_post(cluster, Task(WORKER, rank), _NAME, json.dumps(asdict(notice)))
