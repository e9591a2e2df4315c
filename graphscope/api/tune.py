"""``graphscope.tune``: trains what graft prepared."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from graphscope.advice import Advice, Option
from graphscope.api.opening import ModelLike, as_model
from graphscope.cluster.hosts import PS, WORKER, Cluster, Task, read_cluster
from graphscope.cluster.private_network import PrivateNetwork, private_network
from graphscope.cluster.share import Share
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.errors import ArgumentError, GraphscopeError
from graphscope.formats.io.places import refuse_closed
from graphscope.runtime.tensorflow import can_fork, promise_equal_bits
from graphscope.training.data import DataOptions
from graphscope.training.data.function import PREFIX
from graphscope.training.features.by_workers import worker_session
from graphscope.training.recipe import recipe_of
from graphscope.training.together.launch import TIMEOUT_S, Training, train_by_workers
from graphscope.training.together.launch_async import train_asynchronously
from graphscope.training.together.parameter_server import serve
from graphscope.training.together.towers import Towers, parse_towers
from graphscope.training.tune.board_log import BoardLog
from graphscope.training.tune.checkpoints import output_prefix
from graphscope.training.tune.loop import Interrupted
from graphscope.training.tune.prepare import Request, fed_input, prepare
from graphscope.training.tune.report import TuneReport
from graphscope.training.tune.training_job import TuneOptions, Watcher
from graphscope.training.tune.tune import OutputLocation, found_run
from graphscope.training.tune.tune import tune as train

_FIRST = Task(WORKER, 0)


@check_arguments
def tune(
    model: ModelLike,
    data: str | os.PathLike[str],
    *,
    validation: str | float | os.PathLike[str] = 0.1,
    epochs: int = 10,
    batch: int = 32,
    seed: int = 0,
    patience: int | None = None,
    augment: str = "",
    reading: DataOptions | None = None,
    use_cache: bool = True,
    logdir: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    keep: int = 3,
    save_every: int | None = None,
    resume: bool = False,
    workers: int = 1,
    cluster: str | os.PathLike[str] | None = None,
    job: str = "",
    task: int | None = None,
    asynchronous: bool = False,
    ps: int | None = None,
    elastic: bool = False,
    timeout: float = TIMEOUT_S,
    towers: str = "",
    trust: bool = False,
    overwrite: bool = False,
    watchers: Sequence[Watcher] = (),
    interrupted: Callable[[], bool] = lambda: False,
    listener: Listener = SILENT,
) -> TuneReport:
    """Trains the head of a grafted model, with a checkpoint after each epoch and the best one apart. Starts TensorFlow.

    Args:
        model: a checkpoint that :func:`graphscope.graft` wrote.
        data: as for :func:`graphscope.features`.
        validation: other data to validate on, or the held-out fraction of ``data``; 0 for none.
        epochs: passes over the examples, including those before a resumption.
        batch: examples in a step; of each worker, where all make the step together.
        seed: seed for shuffling and augmentation.
        patience: stop after this many epochs without improvement; ``None``: never.
        augment: augmentation of pictures: ``flip,crop:0.1,brightness:0.2``.
        reading: how data is read, and where the cache is.
        use_cache: compute everything before the stopped gradient once; ``False`` runs the base in each step.
        logdir: directory for TensorBoard logs; of the tasks of a cluster, only worker 0 writes them.
        out: another prefix than the model's own, or a directory.
        keep: number of checkpoints to keep in addition to the best.
        save_every: steps between checkpoints within an epoch; ``None``: only at its end.
        resume: continue the existing training run.
        workers: processes of this machine that train together, each on its part of a batch ``workers`` times as large. If one
            is lost, all continue from the last checkpoint. They have a private network if the kernel allows it.
        towers: devices of this process that divide each step among them: ``gpu:0,gpu:1``. The variables are on the first.
        cluster: a file that lists the hosts of all workers, which share model, data and ``out`` at the same paths, or
            ``TF_CONFIG``; this process is one of them.
        job, task: the task of this process; by default as in ``TF_CONFIG``.
        asynchronous: workers do not wait for each other. Each makes its own steps on variables of parameter servers: separate
            processes, or the hosts that the cluster lists as ``ps``.
        ps: the number of parameter servers on this machine; ``None`` for 1, or for what the cluster lists.
        elastic: if a worker is lost, the others continue without it, with the same total batch size; otherwise it is restarted
            or waited for.
        timeout: seconds that a step of the workers may take before one of them counts as lost.
        trust: run nodes that touch files, the network or processes too.
        overwrite: start over and replace an existing training run.
        watchers: are called for each step and epoch.
        interrupted: called after each step; returns whether to stop.

    Raises:
        ArgumentError: a tower is not a device, both workers and towers are named, or parameter servers are missing or not
            needed.
        Interrupted: ``interrupted`` returned true; a checkpoint has been saved.
        FileError: a training run already exists, or there is none to resume; data cannot be read, a file cannot be written.
        IncompleteModelError: the model has no recipe, or nothing can be trained.
        UntrustedError: the model does more than compute, and ``trust`` is not set.
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: data does not fit the model, the existing training run was started with different settings, or training
            diverged.
    """
    if sum([bool(towers), workers > 1, cluster is not None]) > 1:
        raise ArgumentError("workers, a cluster and towers cannot be combined")
    examples, out = os.fspath(data), None if out is None else os.fspath(out)
    members, own = _members(cluster, job, task)
    servers = _servers(members, asynchronous, ps)
    if towers and servers:
        raise ArgumentError("towers share the variables of one process: not with parameter servers")
    if logdir is not None and own != _FIRST:
        listener.note(f"worker 0 writes the TensorBoard logs; {own} does not")
        logdir = None
    if members is not None and own.job == PS:
        return _serve(model, members, own, out, timeout, interrupted, listener)
    rank = own.index
    count = len(members.workers) if members is not None else workers
    ranks = range(workers) if members is None else [rank]
    is_alone = count == 1 and not servers
    if elastic and (is_alone or servers):
        raise ArgumentError("elastic requires several workers that train synchronously")
    shares = () if is_alone else tuple(Share(number, count, is_launched=True) for number in ranks)
    team = Towers(parse_towers(towers)) if towers else None
    source = as_model(model)
    recipe = recipe_of(source)
    place = OutputLocation(out, resume, overwrite)
    request = Request(examples, str(validation), reading or DataOptions(), augment, use_cache, shares=shares)
    prefix = output_prefix(source.path, out)  # refused before features are computed, which may take long
    for directory in (prefix.parent, *([] if logdir is None else [Path(logdir)])):
        refuse_closed(directory)
    run = found_run(prefix, place)
    if run is not None:
        request = replace(request, split=run.split)
    options = TuneOptions(epochs, batch if servers else batch * count, seed, patience, keep, save_every, trust)
    if not is_alone:
        _refuse_running()
    with listener.running():
        prepared, notes = prepare(source, recipe, request, options, lambda total: listener.computing("features", total))
    for note in notes:
        listener.note(note)
    with ExitStack() as stack:
        stack.enter_context(listener.running())
        heard = list(watchers)
        if logdir is not None:
            heard.append(stack.enter_context(BoardLog(Path(logdir), source, fed_input(source, recipe))))
        if is_alone:
            return train(
                source, prepared, place, augmentation=augment, watchers=heard, interrupted=interrupted, team=team
            )
        network = _network(examples, members, listener)
        threads = worker_session(count if members is None else 1)
        training = Training(
            source, prepared, place, augment, count, threads, timeout, members, servers, rank, network, elastic
        )
        launch = train_asynchronously if servers else train_by_workers
        return launch(training, watchers=heard, interrupted=interrupted, warn=listener.warning)


def _members(cluster: str | os.PathLike[str] | None, job: str, task: int | None) -> tuple[Cluster | None, Task]:
    """The cluster and which of its tasks this process is; no cluster if none is named."""
    if cluster is None:
        if job or task is not None:
            raise ArgumentError("job and task need a cluster file", hint=Advice(Option("cluster", "cluster.yml")))
        return None, _FIRST
    return read_cluster(cluster, job, task)


def _servers(members: Cluster | None, asynchronous: bool, ps: int | None) -> int:
    """The number of parameter servers; 0 if the workers train synchronously.

    Raises:
        ArgumentError: some are named in vain, or there are none.
    """
    hint = Advice(Option("asynchronous", True), "   for workers that do not wait for each other")
    if members is None:
        if ps is not None and not asynchronous:
            raise ArgumentError("parameter servers are for asynchronous training", hint=hint)
        return (ps or 1) if asynchronous else 0
    if ps is not None:
        raise ArgumentError(f"{members.path} lists the parameter servers: not their number as well")
    if asynchronous and not members.ps:
        raise ArgumentError(f"{members.path} lists no ps", hint="for example:  ps: [host2:2222]")
    if members.ps and not asynchronous:
        raise ArgumentError(f"{members.path} lists ps, which are for asynchronous training", hint=hint)
    return len(members.ps)


def _serve(
    model: ModelLike,
    members: Cluster,
    own: Task,
    out: str | None,
    timeout: float,
    interrupted: Callable[[], bool],
    listener: Listener,
) -> TuneReport:
    """Runs a parameter server until the training run ends."""
    _refuse_running()
    prefix = output_prefix(as_model(model).path, out)
    _network("", members, listener)
    with listener.running():
        return serve(members, own, prefix, timeout, interrupted=interrupted, warn=listener.warning)


def _refuse_running() -> None:
    """Workers are forked after TensorFlow is imported but before any session exists."""
    promise_equal_bits()
    if not can_fork():
        raise GraphscopeError(
            "TensorFlow is already running in this process, so workers cannot be forked from it",
            hint="train in a process that has not started TensorFlow, or on the command line",
        )


def _network(data: str, members: Cluster | None, listener: Listener) -> PrivateNetwork | None:
    """A private network, unless workers are on other machines or a Python function (which may need the network) reads data."""
    network = private_network() if members is None and not data.startswith(PREFIX) else None
    if network is None:
        listener.note(
            "while it trains, the workers listen on every network interface of this machine, without a password:"
            " see docs/scaling.md for how to protect them"
        )
    return network


__all__ = ["Interrupted", "TuneReport", "tune"]
