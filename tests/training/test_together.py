"""Training by several processes: the losses of one with the whole batch, whatever happens to one of them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import graphscope
from graphscope.cli.app import app
from graphscope.cluster.processes import Launcher, Processes
from graphscope.cluster.reach import free_ports
from graphscope.cluster.share import Share
from graphscope.core.graph import Node
from graphscope.errors import GraphscopeError, UnsupportedError
from graphscope.runtime.config import SessionOptions
from graphscope.training.data import DataOptions
from graphscope.training.recipe import recipe_of
from graphscope.training.together import launch
from graphscope.training.together.averaging import averaged_values, part_of, weight_of
from graphscope.training.together.launch import Training, train_by_workers
from graphscope.training.together.member import Member, Together
from graphscope.training.tune.loop import Interrupted
from graphscope.training.tune.prepare import Request, prepare
from graphscope.training.tune.training_job import TuneOptions
from graphscope.training.tune.tune import OutputLocation, fed_features
from tests.support.fresh import Fresh, fresh
from tests.support.together import together
from tests.support.tuning import (
    CLASSES,
    Recorder,
    assert_equal_bits,
    grafted,
    pictures,
    saved,
    tf,
    train,
    values,
)

__all__ = ["fresh", "tf"]

EPOCHS, BATCH = 2, 8
ALL = 60
"""A batch that holds every example."""
SHARES = tuple(Share(number, 2, is_launched=True) for number in range(2))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(tmp_path_factory.mktemp("data") / "train.npz", *pictures(60))


@pytest.fixture(scope="module")
def prefixes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("grafted")
    head = f"flatten,dense:8:relu,dense:{CLASSES}"
    return {
        name: grafted(place / f"{name}.ckpt", head, optimizer=name, l2=1e-3, ema=0.9, learning_rate=0.01, seed=1)
        for name in ("sgd", "adam")
    }


def several(prefixes: dict[str, str], data: str, place: str) -> dict[str, Any]:
    """Both optimizers; sgd once more, where worker 1 is killed in a step after the first checkpoint."""
    found = {
        name: together(prefix, data, f"{place}/{name}", epochs=EPOCHS, batch=2 * BATCH)
        for name, prefix in prefixes.items()
    }
    step, marker = Together.step, Path(place) / "was killed"

    def deadly(self: Together, indices: Any, feeder: Any) -> Any:
        self.done = getattr(self, "done", 0) + 1  # type: ignore[attr-defined]
        if self._share.rank == 1 and self.done == 5 and not marker.exists():  # type: ignore[attr-defined]
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, indices, feeder)

    Together.step = deadly
    found["killed"] = together(prefixes["sgd"], data, f"{place}/killed", save_every=2, epochs=EPOCHS, batch=2 * BATCH)
    return found


def test_two_workers_train_as_one_process_does(
    prefixes: dict[str, Path], data: str, tmp_path: Path, fresh: Fresh
) -> None:
    found = fresh.value(several, {name: str(prefix) for name, prefix in prefixes.items()}, data, tmp_path)
    for name, prefix in prefixes.items():
        alone = Recorder()
        report = train(
            prefix, data, "0.2", out=tmp_path / f"{name} alone", epochs=EPOCHS, batch=2 * BATCH, watchers=[alone]
        )
        losses = dict(found[name]["losses"])
        assert losses.keys() == alone.losses.keys()
        np.testing.assert_allclose(list(losses.values()), list(alone.losses.values()), atol=1e-5)
        assert found[name]["metric"] == pytest.approx(report.metric)
        assert found[name]["warnings"] == []
        for key, value in values(report.last).items():
            np.testing.assert_allclose(values(found[name]["last"])[key], value, atol=1e-5)
    assert found["killed"]["warnings"] == [
        "worker 1 was killed by SIGKILL; all workers continue from the last checkpoint"
    ]
    assert found["killed"]["losses"] == found["sgd"]["losses"], "to the bit"
    assert_equal_bits(values(found["killed"]["last"]), values(found["sgd"]["last"]))


def refused(prefix: str, data: str, place: str) -> list[str]:
    stepping = Member.stepping
    messages = []

    def other(self: Member, session: Any, job: Any, settings: Any, interrupted: Any) -> Any:
        changed = {**settings, "seed": 7, "batch": 3} if self._share.rank == 1 else settings
        return stepping(self, session, job, changed, interrupted)

    def hopeless(self: Member, *_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    launch.TRIES = 1
    for Member.stepping in (other, hopeless):
        with pytest.raises(GraphscopeError) as caught:
            together(prefix, data, place, epochs=EPOCHS, batch=2 * BATCH)
        messages.append(caught.value.message)
    Member.stepping = stepping
    asked = [False]
    Recorder.on_step = lambda self, step: asked.__setitem__(0, True)
    with pytest.raises(Interrupted) as stopped:
        launch_with(prefix, data, place, lambda: asked[0])
    assert Path(f"{stopped.value.prefix}.index").exists()
    return [*messages, f"stopped after {stopped.value.step}"]


def launch_with(prefix: str, data: str, place: str, interrupted: Any) -> None:
    model = graphscope.load(prefix)
    request = Request(data, "0", DataOptions(cache=Path(place) / "cache"), shares=SHARES)
    job, _ = prepare(model, recipe_of(model), request, TuneOptions(epochs=100000, batch=2 * BATCH))
    training = Training(model, job, OutputLocation(f"{place}/", overwrite=True), "", 2, SessionOptions(), 120)
    train_by_workers(training, watchers=[Recorder()], interrupted=interrupted)


def test_what_ends_a_training(prefixes: dict[str, Path], data: str, tmp_path: Path, fresh: Fresh) -> None:
    other, hopeless, stopped = fresh.value(refused, prefixes["sgd"], data, tmp_path)
    assert other == "worker 1 trains with different settings than worker 0: batch, seed"
    assert hopeless.endswith("was killed by SIGKILL; 2 times in a row without another checkpoint")
    assert stopped.startswith("stopped after ")


def interrupted_at_the_end(prefix: str, data: str, place: str) -> list[int]:
    """Ctrl-C when the last checkpoint has its data files but not its index: once, and twice; exit codes."""
    codes = []
    rename = os.rename
    for options, last, presses in ((["--workers", "2"], 8, 1), (["--workers", "2", "--async"], 14, 2)):

        def interrupting(source: Any, target: Any, last: int = last, presses: int = presses) -> None:
            place = Path(target)
            data_file = place.with_suffix(".data-00000-of-00002")
            if place.name.endswith(f"-{last}.index") and place.parent.name != "best" and data_file.exists():
                for _ in range(presses):
                    os.killpg(os.getpgrp(), signal.SIGINT)
                    time.sleep(0.5)
            rename(source, target)

        os.rename = interrupting
        words = ["tune", prefix, "--data", data, "--validation", "0.2", "--epochs", str(EPOCHS), "--batch", str(BATCH)]
        done = CliRunner().invoke(app, [*words, *options, "-o", f"{place}/{presses}/", "--cache", f"{place}/cache"])
        codes.append(done.exit_code)
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
    return codes


def test_ctrl_c_in_the_last_save(prefixes: dict[str, Path], data: str, tmp_path: Path, fresh: Fresh) -> None:
    """The first lets it finish, the second ends it: there is no half of a checkpoint, and the training can be resumed."""
    assert fresh.value(interrupted_at_the_end, prefixes["sgd"], data, tmp_path) == [130, 130]
    for presses, batch, last in ((1, 2 * BATCH, (4, 8)), (2, BATCH, (7,))):
        out = tmp_path / str(presses)
        left = sorted(out.glob("*.index"))
        assert [path.name for path in left] == [f"sgd.ckpt-{step}.index" for step in last]
        assert all(values(path.with_suffix("")) for path in left)
        report = train(prefixes["sgd"], data, "0.2", out=out, epochs=EPOCHS, batch=batch, resume=True)
        assert values(report.last)["global_step"] == (8, 14)[presses - 1]


def as_a_cluster(prefix: str, data: str, place: str) -> list[Any]:
    """Two tasks of a cluster file, each with a launcher of its own; then one of them alone."""
    ports = free_ports(2)
    file = Path(place) / "cluster.yml"
    file.write_text(f"worker: [127.0.0.1:{ports[0]}, 127.0.0.1:{ports[1]}]")
    options: dict[str, Any] = {"validation": 0.2, "epochs": EPOCHS, "batch": BATCH, "out": f"{place}/out/"}
    options |= {"cluster": file, "reading": DataOptions(cache=Path(place) / "cache")}

    def task(number: int, launcher: Launcher) -> list[tuple[int, float]]:
        recorder = Recorder()
        graphscope.tune(prefix, data, task=number, timeout=120, watchers=[recorder], **options)
        return sorted(recorder.losses.items())

    with Processes(2, task) as processes:
        losses = [ending.result for ending in processes.endings(lambda *_: None)]
    with pytest.raises(GraphscopeError) as lonely:
        graphscope.tune(prefix, data, task=0, overwrite=True, timeout=1, **options)
    return [*losses, lonely.value.message, ports[1]]


def test_tasks_of_a_cluster(prefixes: dict[str, Path], data: str, tmp_path: Path, fresh: Fresh) -> None:
    one, other, lonely, port = fresh.value(as_a_cluster, prefixes["sgd"], data, tmp_path)
    alone = Recorder()
    train(prefixes["sgd"], data, "0.2", out=tmp_path / "alone", epochs=EPOCHS, batch=2 * BATCH, watchers=[alone])
    assert one == other, "each task hears the same"
    np.testing.assert_allclose([loss for _, loss in one], [alone.losses[s] for s in sorted(alone.losses)], atol=1e-5)
    assert f"cluster.yml: worker 1 at 127.0.0.1:{port} does not answer within 1 s: Connection refused" in lonely


# What is averaged


def one_step(prefix: str, data: str, place: str) -> dict[str, Any]:
    return together(prefix, data, place, epochs=1, batch=ALL)


def test_statistics_of_a_batch_norm_are_those_of_all_examples(data: str, tmp_path: Path, fresh: Fresh) -> None:
    """The mean of means is the mean; the mean of variances lacks what lies between the parts."""
    prefix = grafted(tmp_path / "m.ckpt", f"flatten,dense:8,batchnorm,relu,dense:{CLASSES}", seed=1)
    found = values(fresh.value(one_step, prefix, data, tmp_path)["last"])
    alone = values(train(prefix, data, "0.2", out=tmp_path / "alone", epochs=1, batch=ALL).last)
    mean, variance = (f"head/batchnorm/moving_{name}" for name in ("mean", "variance"))
    np.testing.assert_allclose(found[mean], alone[mean], atol=1e-5)
    assert (np.abs(alone[mean]) > 1e-3).any()
    between = alone[variance] - found[variance]
    assert (between > -1e-6).all()
    assert (between < 0.2 * np.abs(alone[variance] - values(prefix)[variance]) + 1e-6).all()


def test_what_depends_on_examples_is_averaged(tmp_path: Path) -> None:
    """Gradients and the statistics of a batch norm; not Adam's powers, moving averages of weights, or the step."""
    prefix = grafted(
        tmp_path / "m.ckpt", f"flatten,dense:8,batchnorm,relu,dense:{CLASSES}", ema=0.9, optimizer="adam", l2=1e-3
    )
    model = graphscope.load(prefix)
    recipe = recipe_of(model)
    graph, found = averaged_values(model, recipe, [])
    assert graph.by_name.keys() == model.graph.by_name.keys()
    assert [value.tensor for value in found[-2:]] == [recipe.loss, recipe.metric]
    takers = {model.graph[name] for value in found for name, _ in value.takers}
    written = {node.inputs[0] for node in takers}
    trained = {v.name for v in model.variables if v.trainable}
    assert written == trained | {"head/batchnorm/moving_mean", "head/batchnorm/moving_variance"}
    shapes = {v.name: v.shape for v in model.variables}
    assert all(shapes[model.graph[v.takers[0][0]].inputs[0]] == v.shape for v in found[:-2])


def test_what_puts_rows_in_place_has_no_average(tmp_path: Path, data: str) -> None:
    prefix = grafted(tmp_path / "m.ckpt", f"flatten,dense:{CLASSES}", optimizer="sgd")
    model = graphscope.load(prefix)
    nodes = []
    for node in model.graph:
        if node.op == "ResourceApplyGradientDescent":
            proto = type(node.proto)()
            proto.CopyFrom(node.proto)
            proto.op = "ResourceScatterUpdate"
            node = Node(proto)
        nodes.append(node)
    changed = model.graph.with_nodes(nodes)
    request = Request(data, "0", DataOptions(cache=tmp_path / "cache"))
    job, _ = prepare(model, recipe_of(model), request, TuneOptions())
    with pytest.raises(
        UnsupportedError, match=r"ResourceScatterUpdate\) writes to head/dense/\w+ a value that cannot be averaged"
    ):
        averaged_values(model.with_graph(changed), job.recipe, fed_features(model, job))


def test_parts_of_a_batch() -> None:
    for count, parts in ((8, 2), (7, 3), (2, 3), (1, 4)):
        weights = [weight_of(count, rank, parts) for rank in range(parts)]
        assert sum(weights) == pytest.approx(1)
        owned = [list(range(count))[part_of(count, rank, parts)] for rank in range(parts)]
        assert all(owned), "nobody has nothing to feed"
        counted = [example for part, weight in zip(owned, weights) if weight for example in part]
        assert sorted(counted) == list(range(count))
        assert all(weight == (len(part) / count if weight else 0) for part, weight in zip(owned, weights))


def test_more_workers_than_examples(prefixes: dict[str, Path], data: str, tmp_path: Path) -> None:
    model = graphscope.load(prefixes["sgd"])
    shares = tuple(Share(number, 61, is_launched=True) for number in range(61))
    request = Request(data, "0", DataOptions(cache=tmp_path), shares=shares)
    with pytest.raises(GraphscopeError, match="there are 61 workers but only 60 training examples"):
        prepare(model, recipe_of(model), request, TuneOptions())


def test_a_process_that_runs_already_cannot_be_forked(prefixes: dict[str, Path], data: str) -> None:
    with tf.compat.v1.Session(graph=tf.Graph()):
        pass
    with pytest.raises(GraphscopeError, match="workers cannot be forked"):
        graphscope.tune(str(prefixes["sgd"]), data, workers=2)
