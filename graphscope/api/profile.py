"""``graphscope.profile``: measures the cost of a run."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from graphscope.advice import Advice, Call, Option
from graphscope.api.opening import ModelLike, Names, as_model, chosen_outputs
from graphscope.board.run_directory import LogRun
from graphscope.board.trace import dump_trace, read_trace
from graphscope.cluster.hosts import read_hosts
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model
from graphscope.core.shown import Shown
from graphscope.core.units import count
from graphscope.errors import ArgumentError
from graphscope.feeding.feeds import FeedOptions, Given, resolve_tensors
from graphscope.formats.io.atomic import write_file
from graphscope.runtime.config import AS_STATED, DEFAULT, OPERATION_S, Placing, SessionOptions
from graphscope.tracing.chrome import chrome_trace
from graphscope.tracing.profile import report
from graphscope.tracing.report import Profile
from graphscope.tracing.trace import Trace

HARD = SessionOptions(soft_placement=False)
"""A node whose device is missing is an error, because the profile would not be of the requested placement."""


@dataclass(frozen=True, repr=False)
class Profiled(Shown):
    """Traced runs of a model.

    Attributes:
        model: the model that was run; ``None`` for traces from a log.
        trace: what TensorFlow measured.
    """

    model: Model | None
    trace: Trace

    def __repr__(self) -> str:
        return f"<Profiled {self.trace.path!r}: {count(len(self.trace.numbers), 'traced step')}>"

    @cached_property
    def report(self) -> Profile:
        """Times, memory and devices, by node, op and scope, and the critical path."""
        return report(self.trace)

    def save_timeline(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> int:
        """Writes a timeline in the Trace Event Format, for Perfetto. Returns the size in bytes.

        Raises:
            FileError: the file exists and ``overwrite`` is not set, or cannot be written; an existing file is kept.
        """
        return write_file(path, chrome_trace(self.trace), overwrite=overwrite)

    def log(self, logdir: str | os.PathLike[str]) -> LogRun:
        """Writes the graph and each traced step as a run that TensorBoard shows; an earlier profile is replaced.

        Raises:
            FileError: it cannot be written; an existing run is kept.
        """
        assert self.model is not None, "traces that were read are in a log directory already"
        return dump_trace(self.model, self.trace, Path(logdir))


@check_arguments
def profile(
    model: ModelLike,
    feeds: Given = (),
    *,
    outputs: Names = (),
    checkpoint: str | os.PathLike[str] | None = None,
    tags: str | Collection[str] = (),
    batch: int = 1,
    steps: int = 10,
    warmup: int = 3,
    seed: int = 0,
    placing: Placing = AS_STATED,
    session: SessionOptions = HARD,
    cluster: str | os.PathLike[str] | None = None,
    timeout: float = OPERATION_S,
    trust: bool = False,
    listener: Listener = SILENT,
) -> Profiled:
    """Runs a model alternately with full traces and without. Starts TensorFlow; the model's files do not change.

    Args:
        model: a model, or what :func:`graphscope.load` opens.
        feeds: node or tensor name -> value, as for :func:`graphscope.run`; every other input that is needed is random, and
            training switches are set for inference.
        outputs: tensors or train ops to compute; by default the likely outputs.
        checkpoint: prefix of a checkpoint with the values of the graph; only for a path.
        tags: selects the meta graph of a SavedModel with exactly these tags; only for a path.
        batch: the size of unknown dimensions.
        steps: number of traced runs, and of untraced runs.
        warmup: number of untraced runs before.
        seed: seed for random inputs.
        placing: where nodes run.
        session: devices, threads and memory; those of a cluster's tasks are chosen where they are served.
        cluster: a file that lists the hosts of all tasks, or ``TF_CONFIG``, each served by :func:`graphscope.serve`: the model
            runs on all of them, as its devices say, by the master of worker 0.
        timeout: seconds that the tasks of a cluster, or a master, may take to answer and to run a step.
        trust: run nodes that touch files, the network or processes too.

    Raises:
        ArgumentError: the file is not a cluster, a master is named as well, or devices, threads or memory of a cluster are.
        UnknownNameError: the model has no such output or tensor.
        IncompleteModelError: a variable has no value.
        UnsupportedError: the run needs an op that TensorFlow does not have.
        UntrustedError: the graph does more than compute, and ``trust`` is not set.
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: a value does not fit, a device, the master or a task is not available, or TensorFlow cannot run this.
    """
    from graphscope.runtime.profile import trace

    where = _with_cluster(placing, cluster, timeout)
    _refuse_settings_of_tasks(where, session)
    source = as_model(model, tags=tags, checkpoint=checkpoint)
    chosen = chosen_outputs(source, outputs, listener)
    given = resolve_tensors(source, feeds, FeedOptions(unknown=batch))
    with listener.running():
        found = trace(
            source,
            chosen,
            given,
            steps=steps,
            warmup=warmup,
            batch=batch,
            seed=seed,
            options=session,
            placing=where,
            trust=trust,
        )
    return Profiled(source, found)


def _with_cluster(placing: Placing, cluster: str | os.PathLike[str] | None, timeout_s: float) -> Placing:
    if cluster is None:
        return replace(placing, timeout_s=timeout_s)
    if placing.master:
        raise ArgumentError("a cluster has the master of its worker 0: a master and a cluster cannot both be named")
    hosts = read_hosts(cluster)
    return replace(placing, master=f"grpc://{hosts.workers[0]}", cluster=hosts, timeout_s=timeout_s)


def _refuse_settings_of_tasks(placing: Placing, session: SessionOptions) -> None:
    """What only the process that serves a task can choose."""
    plain = replace(session, soft_placement=True, log_placement=False, log_executed=False)
    if placing.master and plain != DEFAULT:
        raise ArgumentError(
            "devices, threads and memory of a cluster are chosen where its tasks are served",
            hint=Advice(Call("serve", ("cluster.yml",), (Option("task", "0"), Option("devices", "cpu:2")))),
        )


@check_arguments
def read_profile(path: str | os.PathLike[str]) -> Profiled:
    """Reads the traces in a log directory or an event file, also those of a training program. Needs no TensorFlow.

    Raises:
        FileError: there is no event file.
        CorruptFileError: an event file is damaged.
        GraphscopeError: no run has traces, or several runs do.
    """
    return Profiled(None, read_trace(Path(path)))


__all__ = ["Profiled", "profile", "read_profile"]
