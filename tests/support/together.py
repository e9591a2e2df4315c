"""Trainings by several workers that make each step together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphscope
from graphscope.cluster.share import Share
from graphscope.runtime.config import SessionOptions
from graphscope.runtime.tensorflow import can_fork
from graphscope.training.data import DataOptions
from graphscope.training.recipe import recipe_of
from graphscope.training.together.launch import Training, train_by_workers
from graphscope.training.tune.prepare import Request, prepare
from graphscope.training.tune.training_job import TuneOptions
from graphscope.training.tune.tune import OutputLocation
from tests.support.tuning import Recorder


def together(
    prefix: str, data: str, out: str, *, count: int = 2, timeout_s: float = 120, elastic: bool = False, **options: Any
) -> dict[str, Any]:
    """A training by workers, in processes of their own; the losses by step and what it warned of.

    Args:
        options: those of :class:`TuneOptions`; the batch is that of all together.
    """
    model = graphscope.load(prefix)
    shares = tuple(Share(number, count, is_launched=True) for number in range(count))
    request = Request(data, "0.2", DataOptions(cache=Path(out) / "cache"), shares=shares)
    job, _ = prepare(model, recipe_of(model), request, TuneOptions(**options))
    recorder, warnings = Recorder(), []
    threads = SessionOptions(intra_threads=1, inter_threads=2)
    training = Training(model, job, OutputLocation(f"{out}/"), "", count, threads, timeout_s, elastic=elastic)
    report = train_by_workers(training, watchers=[recorder], warn=warnings.append)
    assert can_fork(), "the launcher opened a session"
    return {
        "losses": sorted(recorder.losses.items()),
        "metric": report.metric,
        "warnings": warnings,
        "last": report.last,
    }
