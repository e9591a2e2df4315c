"""The training loop on a session that only answers: what is fed and when, what is saved, kept, told, and when it ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from graphscope.errors import GraphscopeError
from graphscope.training.data.source import Examples as Data
from graphscope.training.recipe import Recipe
from graphscope.training.tune.examples import Examples
from graphscope.training.tune.loop import Interrupted, Loop
from graphscope.training.tune.metrics import Mean
from graphscope.training.tune.report import ALL_EPOCHS, PATIENCE
from graphscope.training.tune.resume import TrainingState, read_run, run_file, write_run
from graphscope.training.tune.stepping import Alone
from graphscope.training.tune.training_job import Job, TuneOptions

RECIPE = Recipe(
    "classes",
    2,
    {"x": "x:0"},
    (),
    "labels:0",
    "training:0",
    "z:0",
    "p:0",
    "loss:0",
    "metric:0",
    "step",
    "rate:0",
    "global",
)


class Session:
    """Answers with the losses that it was given, of steps and of validations."""

    def __init__(self, losses: Sequence[float], validations: Sequence[float]) -> None:
        self.model = SimpleNamespace(path="origin")
        self.losses, self.validations = list(losses), list(validations)
        self.fed: list[dict[str, Any]] = []
        self.asked: list[tuple[str, ...]] = []
        self.now = 100.0

    def run(self, fetches: Sequence[str], feeds: Any) -> list[Any]:
        self.asked.append(tuple(fetches))
        self.now += 2
        if fetches == ["rate:0"]:
            return [0.25]
        self.fed.append(dict(feeds))
        if "step" in fetches:
            loss = self.losses.pop(0) if self.losses else 1.0
            return [np.float32(loss), 0.5, 0.125, None]
        loss = self.validations.pop(0) if self.validations else 1.0
        return [loss, 1 - loss, np.eye(2)[np.zeros(len(feeds["x:0"]), int)]]


class Checkpoints:
    """Notes what is written, announced, put apart and removed."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.done: list[tuple[str, Any]] = []

    def name(self, step: int) -> str:
        return f"m-{step}"

    def path(self, name: str) -> str:
        return f"dir/{name}"

    def best_path(self, name: str) -> str:
        return f"best/{name}"

    def write(self, step: int, tensors: Any) -> None:
        self.done.append(("write", (step, tensors)))

    def write_best(self, name: str) -> None:
        self.done.append(("best", name))

    def record(self, run: TrainingState) -> None:
        write_run(run_file(self.prefix), run)

    def announce(self, names: Sequence[str]) -> None:
        self.done.append(("announce", list(names)))

    def remove(self, prefixes: Any) -> None:
        self.done.append(("remove", list(prefixes)))

    def of(self, what: str) -> list[Any]:
        return [value for kind, value in self.done if kind == what]


class Watcher:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.steps: list[Any] = []
        self.epochs: list[Any] = []
        self.began_at: list[int] = []

    def on_begin(self, job: Job, run: TrainingState) -> None:
        self.began_at.append(run.step)

    def on_step(self, step: Any) -> None:
        self.steps.append((step.step, step.loss, step.metric, step.learning_rate, step.examples, step.running.examples))

    def on_epoch(self, epoch: Any, evaluation: Any) -> None:
        self.epochs.append((epoch, evaluation))


class Setting:
    """A loop over five examples in batches of two, and all around it."""

    def __init__(
        self,
        directory: Path,
        losses: Sequence[float] = (),
        validations: Sequence[float] | None = None,
        interrupted: Callable[[int], bool] = lambda _: False,
        value: float = 1.0,
        state: TrainingState | None = None,
        **options: Any,
    ) -> None:
        self.session, self.checkpoints, self.watcher = (
            Session(losses, validations or ()),
            Checkpoints(directory / "m"),
            Watcher(),
        )
        self.values = {"v": np.array([-value, 0.5], np.float32), "n": np.array([7])}
        self.replaced = 0
        self.feeders: list[int] = []
        held_out = self.examples(3) if validations is not None else None
        job = Job(
            RECIPE,
            TuneOptions(**{"epochs": 2, "batch": 2, **options}),
            self.examples(5),
            held_out,
            self.feeder,
            ["a", "b"],
            False,
        )
        self.state = state or TrainingState({}, "origin", 10, 10)
        averages: Any = SimpleNamespace(in_place=self.in_place)
        variables: Any = SimpleNamespace(values=lambda: self.values, tensors=lambda values: sorted(values))
        fake: Any = self
        self.loop = Loop(
            fake.session,
            job,
            self.state,
            fake.checkpoints,
            variables,
            averages,
            stepping=Alone(fake.session, job, lambda: interrupted(len(self.session.fed))),
            watchers=[self.watcher],
        )

    def examples(self, count: int) -> Examples:
        plain: Any = SimpleNamespace(feeds=lambda indices: {"x:0": indices})
        source = Data(lambda indices: indices, np.arange(count) % 2, [str(i) for i in range(count)], (), "")
        return Examples(source, np.arange(count), plain, RECIPE)

    def feeder(self, epoch: int) -> Any:
        self.feeders.append(epoch)
        return SimpleNamespace(feeds=lambda indices: {"x:0": indices, "epoch": epoch})

    @contextmanager
    def in_place(self) -> Iterator[None]:
        self.replaced += 1
        yield


def test_two_epochs_to_the_last_call(tmp_path: Path) -> None:
    made = Setting(tmp_path, losses=[1, 2, 3, 4, 5, 6])
    assert made.loop.run() == ALL_EPOCHS
    assert made.feeders == [0, 1]
    fed = made.session.fed
    assert [len(feeds["x:0"]) for feeds in fed] == [2, 2, 1, 2, 2, 1]
    assert [feeds["epoch"] for feeds in fed] == [0, 0, 0, 1, 1, 1]
    assert sorted(np.concatenate([f["x:0"] for f in fed[:3]])) == list(range(5))
    assert all(feeds["training:0"] and (feeds["labels:0"] == feeds["x:0"] % 2).all() for feeds in fed)
    assert made.watcher.began_at == [10]
    assert made.watcher.steps == [
        (11, 1.0, 0.5, 0.125, 2, 2),
        (12, 2.0, 0.5, 0.125, 2, 4),
        (13, 3.0, 0.5, 0.125, 1, 5),
        (14, 4.0, 0.5, 0.125, 2, 2),
        (15, 5.0, 0.5, 0.125, 2, 4),
        (16, 6.0, 0.5, 0.125, 1, 5),
    ]
    reports = [(e.epoch, e.step, e.loss, e.metric, e.validation_loss, e.learning_rate) for e, _ in made.watcher.epochs]
    assert reports == [(1, 13, 9 / 5, 0.5, None, 0.125), (2, 16, 24 / 5, 0.5, None, 0.125)]
    assert [evaluation for _, evaluation in made.watcher.epochs] == [None, None]
    assert made.checkpoints.done == [
        ("write", (13, ["n", "v"])),
        ("announce", ["m-13"]),
        ("remove", []),
        ("write", (16, ["n", "v"])),
        ("announce", ["m-13", "m-16"]),
        ("remove", []),
    ]
    assert made.state.running == Mean()
    assert read_run(run_file(tmp_path / "m")) == made.state
    assert made.state.best is None
    assert all(epoch.seconds >= 0 and epoch.examples_per_s > 0 for epoch, _ in made.watcher.epochs)


def test_checkpoints_within_an_epoch_and_how_many_are_kept(tmp_path: Path) -> None:
    made = Setting(tmp_path, save_every=2, keep=2, epochs=3)
    made.loop.run()
    assert [step for step, _ in made.checkpoints.of("write")] == [12, 13, 14, 16, 18, 19]
    assert made.checkpoints.of("announce")[-1] == made.state.kept == ["m-18", "m-19"]
    assert made.checkpoints.of("remove") == [[], [], ["dir/m-12"], ["dir/m-13"], ["dir/m-14"], ["dir/m-16"]]


def test_the_best_is_put_apart_and_the_one_before_removed(tmp_path: Path) -> None:
    made = Setting(tmp_path, validations=[0.5, 0.5, 0.25, 0.5, 0.75, 0.75], epochs=3)
    assert made.loop.run() == ALL_EPOCHS
    assert made.replaced == 3
    assert made.checkpoints.of("best") == ["m-13", "m-16"]
    assert made.checkpoints.of("remove") == [[], ["best/m-13"], []]
    best = made.state.best
    assert best is not None
    assert (best.epoch, best.checkpoint) == (2, "m-16")
    assert (best.loss, best.metric) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert [c.name for c in best.classes] == ["a", "b"]
    first = made.watcher.epochs[0][0]
    assert (first.validation_loss, first.validation_metric) == (0.5, 0.5)
    validations = [feeds for feeds in made.session.fed if "epoch" not in feeds]
    assert [feeds["x:0"].tolist() for feeds in validations[:2]] == [[0, 1], [2]]
    assert not any("training:0" in feeds for feeds in validations)
    assert made.watcher.epochs[0][1].mean.examples == 3


def test_time_and_speed_are_of_the_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Setting(tmp_path, validations=[0.5] * 4)
    monkeypatch.setattr("graphscope.training.tune.loop.time.monotonic", lambda: made.session.now)
    speeds: list[float] = []
    monkeypatch.setattr(made.watcher, "on_step", lambda step: speeds.append(step.examples_per_s))
    made.loop.run()
    assert [(epoch.seconds, epoch.examples_per_s) for epoch in made.state.epochs] == [(10, 5 / 6)] * 2
    assert speeds == [2 / 2, 4 / 4, 5 / 6] * 2


def test_patience_ends_a_training(tmp_path: Path) -> None:
    made = Setting(tmp_path, validations=[0.5] * 8, epochs=9, patience=2)
    assert made.loop.run() == PATIENCE
    assert len(made.state.epochs) == 3


def test_an_interrupted_training_saves_and_goes_on(tmp_path: Path) -> None:
    made = Setting(tmp_path, losses=[1, 2], interrupted=lambda fed: fed == 2)
    with pytest.raises(Interrupted) as stopped:
        made.loop.run()
    assert (stopped.value.step, stopped.value.prefix, str(stopped.value)) == (12, "dir/m-12", "dir/m-12")
    assert [step for step, _ in made.checkpoints.of("write")] == [12]
    assert made.state.running == Mean(6.0, 2.0, 4)
    again = Setting(tmp_path, losses=[5], state=made.state, epochs=1)
    assert again.loop.run() == ALL_EPOCHS
    assert again.watcher.began_at == [12]
    assert [feeds["x:0"].tolist() for feeds in again.session.fed] == [list(again.loop.order.batches(0))[2].tolist()]
    assert again.state.epochs[0].loss == pytest.approx(11 / 5)
    assert again.state.kept == ["m-12", "m-13"]


def test_a_training_stopped_during_its_validation_validates_again(tmp_path: Path) -> None:
    made = Setting(tmp_path, validations=[0.5] * 9, interrupted=lambda fed: fed == 4)
    with pytest.raises(Interrupted):
        made.loop.run()
    assert (made.state.step, made.state.epochs, made.state.kept) == (13, [], ["m-13"])
    again = Setting(tmp_path, validations=[0.5] * 9, state=made.state, epochs=1)
    assert again.loop.run() == ALL_EPOCHS
    assert again.checkpoints.of("write") == [], "this step is written already"
    assert again.checkpoints.of("best") == ["m-13"]
    assert ("rate:0",) in again.session.asked
    assert again.state.epochs[0].learning_rate == 0.25
    assert again.state.kept == ["m-13"]
    several = TrainingState({}, "origin", 10, 13, ["m-12", "m-13"], Mean(5.0, 2.5, 5))
    twice = Setting(tmp_path, state=several, epochs=1)
    twice.loop.run()
    assert twice.checkpoints.of("write") == []
    assert twice.state.kept == ["m-12", "m-13"]
    outdone = Setting(tmp_path, validations=[0.1] * 2, state=again.state, epochs=2)
    outdone.loop.run()
    assert outdone.checkpoints.of("remove") == [["best/m-13"]]


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_ends_it(loss: float, tmp_path: Path) -> None:
    made = Setting(tmp_path, losses=[1, loss])
    with pytest.raises(GraphscopeError, match=r"the loss of step 12 is .*; origin is the last checkpoint"):
        made.loop.run()
    assert (made.state.step, made.checkpoints.done) == (11, [])
    later = Setting(tmp_path, losses=[1, 1, 1, loss])
    with pytest.raises(GraphscopeError, match=r"the loss of step 14 is .*; dir/m-13 is the last checkpoint"):
        later.loop.run()
    latest = Setting(tmp_path, losses=[1] * 6 + [loss], epochs=3)
    with pytest.raises(GraphscopeError, match="dir/m-16 is the last checkpoint"):
        latest.loop.run()
    held_out = Setting(tmp_path, validations=[1, loss])
    with pytest.raises(GraphscopeError, match="after step 13 the loss on held-out examples"):
        held_out.loop.run()
    value = Setting(tmp_path, value=loss)
    with pytest.raises(GraphscopeError, match="after step 13 v is not finite"):
        value.loop.run()
    assert value.checkpoints.done == []


def test_variables_without_content_and_heads_without_a_switch(tmp_path: Path) -> None:
    made = Setting(tmp_path, epochs=1)
    made.values["empty"] = np.zeros(0, np.float32)
    assert made.loop.run() == ALL_EPOCHS
    assert Setting(tmp_path, epochs=0).loop.run() == ALL_EPOCHS
