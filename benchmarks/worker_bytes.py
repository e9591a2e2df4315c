"""Bytes that the processes of a training send in a step, and its time: ``python -m benchmarks.worker_bytes``. The table of
docs/scaling.md.

Each training has a network of its own, a namespace with a loopback and nothing else, whose counters say what was sent: payload,
headers, what the processes say besides. Linux only.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import graphscope
from graphscope.cluster.private_network import PrivateNetwork, private_network
from graphscope.cluster.processes import Processes
from graphscope.cluster.share import Share
from graphscope.runtime.config import SessionOptions
from graphscope.training.data import DataOptions
from graphscope.training.recipe import recipe_of
from graphscope.training.together.launch import Training, train_by_workers
from graphscope.training.together.launch_async import train_asynchronously
from graphscope.training.tune.prepare import Request, prepare
from graphscope.training.tune.training_job import StepReport, TuneOptions
from graphscope.training.tune.tune import OutputLocation, tune

BASE = "fixtures/lenet5_0to4"
HEAD = "flatten,dense:1000:relu,dense:5"
WARM, STEPS = 20, 220
"""The steps between which bytes are counted, within one epoch."""

COMMANDS = ((1, 0), (2, 0), (3, 0), (4, 0), (1, 1), (2, 1), (2, 2))
"""Workers and parameter servers; first, one process without others."""


class Counted(NamedTuple):
    """What a training sent.

    Attributes:
        parameters: that train.
        step_bytes: all processes together, in a step.
        step_s: from one step to the next, by the clock.
    """

    parameters: int
    step_bytes: float
    step_s: float


class Counter:
    """A watcher that reads the counters of the network at two steps."""

    def __init__(self) -> None:
        self.read: dict[int, tuple[int, float]] = {}

    def on_begin(self, *_: Any) -> None:
        """Nothing yet."""

    def on_step(self, step: StepReport) -> None:
        """At the first and the last step that count."""
        if step.step in (WARM, STEPS):
            self.read[step.step] = sent_bytes(), time.perf_counter()

    def on_epoch(self, *_: Any) -> None:
        """Nothing more."""


def sent_bytes() -> int:
    """That went through the loopback of this process's network."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    fields = next(line for line in lines if line.strip().startswith("lo:")).split(":")[1].split()
    return int(fields[8])


def count(prefix: str, data: str, place: Path, workers: int, servers: int) -> Counted:
    """Trains one epoch, in the network of this process."""
    model = graphscope.load(prefix)
    shares = tuple(Share(number, workers, is_launched=True) for number in range(workers))
    request = Request(data, "0", DataOptions(cache=place / "cache"), shares=shares)
    options = TuneOptions(epochs=1, batch=workers if not servers else 1)
    job, _ = prepare(model, recipe_of(model), request, options)
    out = OutputLocation(f"{place}/{workers} {servers}/")
    threads = SessionOptions(intra_threads=1, inter_threads=2)
    training = Training(model, job, out, "", workers, threads, servers=servers)
    counter = Counter()
    if workers + servers == 1:
        tune(model, job, out, watchers=[counter])
    else:
        (train_asynchronously if servers else train_by_workers)(training, watchers=[counter])
    parameters = sum(variable.elements or 0 for variable in model.variables if variable.trainable)
    (sent, began), (all_sent, ended) = counter.read[WARM], counter.read[STEPS]
    return Counted(parameters, (all_sent - sent) / (STEPS - WARM), (ended - began) / (STEPS - WARM))


def expect(parameters: int, workers: int, servers: int) -> float:
    """Bytes that all processes send in a step: one worker's step, or one of all workers together."""
    return 8 * parameters if servers else 2 * (workers - 1) * 4 * parameters


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="graphscope-bytes-") as name:
        place = Path(name)
        prefix = str(place / "m.ckpt")
        run_apart(lambda: make_model(prefix))
        print(
            "| workers | servers | parameters | bytes a step | formula | ratio | time |\n|---|---|---|---|---|---|---|"
        )
        for workers, servers in COMMANDS:
            examples = (STEPS + 20) * (1 if servers else workers)
            data = str(place / f"{examples}.npz")
            x = np.random.default_rng(0).integers(0, 256, (examples, 784), np.uint8)
            np.savez(data, x=x, y=np.arange(examples) % 5)
            result = measure(prefix, data, place, workers, servers)
            formula = expect(result.parameters, workers, servers)
            ratio = f"{result.step_bytes / formula:.3f}" if formula else "-"
            sent = f"{result.step_bytes:,.0f} | {formula:,.0f} | {ratio}"
            print(
                f"| {workers} | {servers or '-'} | {result.parameters:,} | {sent} | {result.step_s * 1000:.1f} ms |",
                flush=True,
            )


def make_model(prefix: str) -> None:
    """A head of 406,005 parameters."""
    graphscope.graft(BASE, at="pool2", head=HEAD, classes=5, optimizer="sgd", l2=1e-4, out=prefix)


def measure(prefix: str, data: str, place: Path, workers: int, servers: int) -> Counted:
    """A training in a network of its own."""
    network = private_network()
    assert network is not None, "the kernel allows no private network"
    result = run_apart(lambda: count(prefix, data, place, workers, servers), network)
    assert isinstance(result, Counted)
    return result


def run_apart(work: Callable[[], Any], network: PrivateNetwork | None = None) -> Any:
    """What ``work`` returns, in a process that has run nothing in TensorFlow yet."""
    with Processes(1, lambda *_: work(), network=network) as processes:
        [ending] = processes.endings(lambda *_: None)
    assert ending.error is None, ending
    assert not ending.death, ending
    return ending.result


if __name__ == "__main__":
    main()
