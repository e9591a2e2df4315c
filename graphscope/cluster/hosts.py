"""The cluster file: the hosts of each job. A YAML or JSON mapping, or the content of ``TF_CONFIG``.

::

    worker: [host0:2222, host1:2222]
    ps: [host2:2222]

``TF_CONFIG`` is TensorFlow's own form, ``{"cluster": {...}, "task": {"type": "worker", "index": 1}}``:
https://www.tensorflow.org/guide/distributed_training#TF_CONFIG. Its ``chief`` is worker 0 here; the workers follow.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphscope.advice import Advice, Option
from graphscope.errors import ArgumentError, UnknownNameError
from graphscope.formats.io.small_files import read_small

TF_CONFIG = "TF_CONFIG"
"""The environment variable, and what names it where a cluster file is asked for."""

WORKER, PS = "worker", "ps"
JOBS = (WORKER, PS)

_CHIEFS = ("chief", "master")
"""What ``TF_CONFIG`` calls the first worker; the second is the older word."""

_APART = ("evaluator",)
"""Tasks of ``TF_CONFIG`` that are no part of the cluster."""

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^\s:/\[\]]+):(?P<port>\d{1,5})")
_MAX_PORT = 65535

_INDEX_DIGITS = 10
"""An index has fewer."""

_LOOPBACK = "localhost"
_LOOPBACKS = (_LOOPBACK, "127.0.0.1", "::1")
"""Names of this machine: TensorFlow's server listens on all of its interfaces."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a task listens.

    Attributes:
        host: a name or a number; IPv6 without brackets.
        port: 1 to 65535.
    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Task:
    """One process of a cluster.

    Attributes:
        job: one of :data:`JOBS`.
        index: its number within the job, from 0.
    """

    job: str
    index: int

    def __str__(self) -> str:
        return f"{self.job} {self.index}"


@dataclass(frozen=True, slots=True)
class Cluster:
    """All processes that work together.

    Attributes:
        path: if that is said, for messages.
        workers, ps: the address of each task.
    """

    path: str
    workers: tuple[Address, ...]
    ps: tuple[Address, ...] = ()

    @property
    def addresses(self) -> dict[Task, Address]:
        """Of every task, workers first."""
        jobs = ((WORKER, self.workers), (PS, self.ps))
        return {Task(job, index): address for job, addresses in jobs for index, address in enumerate(addresses)}

    def spec(self) -> dict[str, list[str]]:
        """As ``tf.train.ClusterSpec`` takes it."""
        jobs = {WORKER: self.workers, PS: self.ps}
        return {job: list(map(str, addresses)) for job, addresses in jobs.items() if addresses}


def read_cluster(source: str | os.PathLike[str], job: str = "", task: int | None = None) -> tuple[Cluster, Task]:
    """The cluster, and which of its tasks this process is.

    Args:
        source: a file, or :data:`TF_CONFIG` for the environment variable of that name.
        job: ``worker``, ``ps`` or, where the file has one, ``chief``; empty for what ``TF_CONFIG`` says, else ``worker``.
        task: the index within the job, counted as in the file; ``None`` for what ``TF_CONFIG`` says.

    Raises:
        FileError: it cannot be read.
        ArgumentError: it is not a cluster, two tasks have one address, nothing says which task this is, or the cluster does
            not have the task.
    """
    cluster, stated, chiefs = _read_cluster(source)
    return cluster, _own_task(cluster, job, task, stated.get("task"), chiefs)


def read_hosts(source: str | os.PathLike[str]) -> Cluster:
    """The cluster alone, for a process that is none of its tasks; see :func:`read_cluster`.

    Raises:
        FileError: it cannot be read.
        ArgumentError: it is not a cluster, or two tasks have one address.
    """
    return _read_cluster(source)[0]


def _read_cluster(source: str | os.PathLike[str]) -> tuple[Cluster, Mapping[str, Any], int]:
    """The cluster, all that is stated beside it, and how many of its workers are called chiefs."""
    path, stated = _read(source)
    jobs = stated.get("cluster", {} if "task" in stated else stated)
    if not isinstance(jobs, dict) or not jobs:
        raise _not_a_cluster(path, "it does not list the hosts of each job")
    chiefs = [address for chief in _CHIEFS for address in _addresses(path, chief, jobs.get(chief))]
    workers = [*chiefs, *_addresses(path, WORKER, jobs.get(WORKER))]
    unknown = next((name for name in jobs if name not in (*JOBS, *_CHIEFS, *_APART)), None)
    if unknown is not None:
        raise _not_a_cluster(path, f"unknown job {unknown!r}; jobs: {', '.join(JOBS)}")
    if not workers:
        raise _not_a_cluster(path, "it names no worker")
    cluster = Cluster(path, tuple(workers), tuple(_addresses(path, PS, jobs.get(PS))))
    _refuse_shared_addresses(cluster)
    return cluster, stated, len(chiefs)


def _read(source: str | os.PathLike[str]) -> tuple[str, Mapping[str, Any]]:
    """What to call it, and the mapping that it is."""
    import yaml

    path = os.fspath(source)
    if path == TF_CONFIG:
        path, content = f"${TF_CONFIG}", os.environ.get(TF_CONFIG, "").encode()
        if not content:
            raise ArgumentError(f"{path} is not set", hint=Advice(Option("cluster", "cluster.yml"), "   names a file"))
    else:
        content = read_small(path, "a cluster file")
    try:
        _refuse_repeated_keys(path, yaml.compose(content, yaml.SafeLoader))
        stated = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise _not_a_cluster(path, " ".join(str(error).split())) from error
    if not isinstance(stated, dict):
        raise _not_a_cluster(path, "it does not list the hosts of each job")
    return path, stated


def _refuse_repeated_keys(path: str, root: Any) -> None:
    """YAML and JSON would take the last of several equal keys, and drop the hosts of the others."""
    pending, seen = [root], set()
    while pending:
        node = pending.pop()
        if getattr(node, "id", "") != "mapping" or id(node) in seen:
            continue
        seen.add(id(node))
        keys: set[str] = set()
        for key, value in node.value:
            pending.append(value)
            if key.id != "scalar":
                continue
            if key.value in keys:
                raise _not_a_cluster(path, f"{key.value} is listed twice, on line {key.start_mark.line + 1} again")
            keys.add(key.value)


def _addresses(path: str, job: str, stated: Any) -> list[Address]:
    """The addresses of one job; none if it is not named."""
    if stated is None:
        return []
    if not isinstance(stated, list):
        raise _not_a_cluster(path, f"{job} is not a list of hosts")
    return [_address(path, job, index, text) for index, text in enumerate(stated)]


def _address(path: str, job: str, index: int, text: object) -> Address:
    match = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
    shown = repr(text) if isinstance(text, (str, int)) else f"a {type(text).__name__}"  # aliases make small files huge
    if match is None or not 0 < int(match["port"]) <= _MAX_PORT:
        raise _not_a_cluster(path, f"{job} {index} is {shown:.80}, not of the form HOST:PORT")
    return Address(match["host"].strip("[]"), int(match["port"]))


def _refuse_shared_addresses(cluster: Cluster) -> None:
    """Two processes cannot listen at one address, whatever it is called."""
    owners: dict[tuple[str, int], Task] = {}
    for task, address in cluster.addresses.items():
        host = address.host.lower().rstrip(".")
        other = owners.setdefault((_LOOPBACK if host in _LOOPBACKS else host, address.port), task)
        if other is not task:
            raise ArgumentError(f"{cluster.path}: {other} and {task} have the same address, {address}")


def _own_task(cluster: Cluster, job: str, index: int | None, stated: Any, chiefs: int) -> Task:
    """Which task this is; the workers of a file with a chief are counted after it."""
    said = stated if isinstance(stated, dict) else {}
    job = job or str(said.get("type", WORKER))
    if index is None:
        index = _index(said.get("index"))
    if index is None:
        raise ArgumentError(
            f"{cluster.path}: the task of this process is not stated",
            hint=Advice(Option("job", job), " ", Option("task", "0")),
        )
    if job not in (*JOBS, *_CHIEFS):
        raise ArgumentError(f"{cluster.path}: {UnknownNameError('job', job, JOBS).message}; jobs: {', '.join(JOBS)}")
    before = chiefs if job == WORKER else 0
    limit = chiefs if job in _CHIEFS else len(cluster.ps) if job == PS else len(cluster.workers) - chiefs
    if not 0 <= index < limit:
        has = f"tasks 0 to {limit - 1}" if limit > 1 else "task 0 only" if limit else "no task"
        raise ArgumentError(f"{cluster.path}: no task {index} of job {job}, which has {has}")
    return Task(WORKER if job in _CHIEFS else job, index + before)


def _index(stated: Any) -> int | None:
    """The index that ``TF_CONFIG`` states, as a number or, as TensorFlow lets it, as a text; ``None`` if it states none."""
    if isinstance(stated, str) and stated.isdecimal() and len(stated) < _INDEX_DIGITS:
        return int(stated)
    return stated if isinstance(stated, int) and not isinstance(stated, bool) else None


def _not_a_cluster(path: str, why: str) -> ArgumentError:
    return ArgumentError(f"{path}: not a cluster: {why}", hint="for example:  worker: [host0:2222, host1:2222]")
