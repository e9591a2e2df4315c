"""Features computed by several processes of this machine, which share one directory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from graphscope.cluster.processes import Ending, Launcher, Processes, Work
from graphscope.cluster.share import Share
from graphscope.core.model import Model
from graphscope.errors import GraphscopeError
from graphscope.runtime.config import SessionOptions
from graphscope.training.data.source import Dataset
from graphscope.training.features.compute import Kept, Told, cached_features
from graphscope.training.features.store import FeatureStore
from graphscope.training.graft.base import Base

_KILLED = "the kernel kills processes when memory runs out: fewer workers or a smaller batch need less"

GRACE_S = 30.0
"""How long the others may take to end once one has: each ends when there are all features. One that is stopped never does."""


def worker_session(count: int) -> SessionOptions:
    """The session options of one of ``count`` processes, which share the processors of this one."""
    threads = max(usable_processors() // count, 1)
    return SessionOptions(intra_threads=threads, inter_threads=threads)


def usable_processors() -> int:
    """Number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def features_by_workers(
    shares: Sequence[Share],
    model: Model,
    base: Base,
    source: Dataset,
    kept: Kept,
    *,
    batch: int,
    trust: bool,
    told: Told,
) -> FeatureStore:
    """As :func:`graphscope.training.features.compute.cached_features`, by a forked process for each of ``shares``."""

    def work(number: int, launcher: Launcher) -> None:
        threads = worker_session(len(shares))
        cached_features(
            model,
            base,
            source,
            kept.again(),
            batch=batch,
            progress=launcher.tell,
            trust=trust,
            share=shares[number],
            session=threads,
        )

    return compute_by_workers(kept, len(shares), work, anew=False, progress=told, warn=lambda _: None)


def compute_by_workers(
    kept: Kept, count: int, work: Work, *, anew: bool, progress: Told, warn: Callable[[str], None]
) -> FeatureStore:
    """Computes all missing features: processes do ``work``, which reports the number of computed examples.

    If one is killed, the others take over its part.

    Args:
        kept: the existing features.
        count: of the processes; fewer start if fewer examples are missing.
        anew: start new interpreters and do not fork.
        warn: receives a message for each process that was killed.

    Raises:
        GraphscopeError: a process failed, or none is left.
    """
    progress(kept.count - kept.lacking)
    if kept.missing:
        _compute(kept.lacking, min(count, kept.lacking), work, anew, progress, warn)
    return kept.again().store(kept.lacking)


def _compute(lacking: int, count: int, work: Work, anew: bool, progress: Told, warn: Callable[[str], None]) -> None:
    """Runs the processes until each has ended; raises as :func:`compute_by_workers`."""
    lost: list[Ending] = []
    left = lacking
    ended_at: list[float] = []

    def hear(_: int, computed: int) -> None:
        nonlocal left
        progress(min(computed, left))  # what a killed process had begun is computed twice
        left -= min(computed, left)

    with Processes(count, work, anew=anew) as processes:
        for ending in processes.endings(hear, lambda: not ended_at or time.monotonic() < ended_at[0] + GRACE_S):
            if ending.error is not None:
                raise ending.error
            if ending.death:
                lost.append(ending)
                warn(f"worker {ending.number} {ending.death}; the others take over its part")
            else:
                ended_at.append(time.monotonic())
        for number in processes.pids:
            warn(f"worker {number} does not answer; the others took over its part")
    if len(lost) == count:
        last = lost[-1]
        is_killed = "SIGKILL" in last.death
        raise GraphscopeError(
            f"no worker is left: worker {last.number} {last.death}", hint=_KILLED if is_killed else None
        )
