"""Trainings: what changes and what does not, that a resumed one ends as an unbroken one, what is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.cli.terminal.wording import to_words
from graphscope.core.variables.variables import Role
from graphscope.errors import FileError, GraphscopeError, IncompleteModelError
from graphscope.formats.detect.checkpoint_state import read_state
from graphscope.runtime.session import open_session
from graphscope.training.data import DataOptions
from graphscope.training.data.source import Examples
from graphscope.training.recipe import recipe_of
from graphscope.training.tune.loop import Interrupted
from graphscope.training.tune.order import Order
from graphscope.training.tune.prepare import Request, prepare
from graphscope.training.tune.report import ALL_EPOCHS, PATIENCE
from graphscope.training.tune.resume import read_run
from graphscope.training.tune.split import BY_KEY, WITH_CLASSES
from graphscope.training.tune.trained_variables import Averages, SessionVariables, written_variables
from graphscope.training.tune.training_job import TuneOptions
from tests.support.invoked import code_of
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
    without_times,
)


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a checkpoint with a head that has everything: dropout, moving averages, regularization, a decaying rate."""
    place = tmp_path_factory.mktemp("grafted") / "model.ckpt"
    return grafted(place, ema=0.9, l2=1e-3, learning_rate=0.01, decay="step:5:0.9", seed=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(tmp_path_factory.mktemp("data") / "train.npz", *pictures(46))


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(tmp_path_factory.mktemp("data") / "test.npz", *pictures(30, seed=1))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


# What changes


def test_the_head_learns_and_the_base_stays_to_the_bit(prefix: Path, data: str, held_out: str, out: Path) -> None:
    report = train(prefix, data, held_out, out=out, epochs=8)
    assert report.metric > 0.9
    assert report.ended == ALL_EPOCHS
    before, after = values(prefix), values(report.last)
    of_head = {v.name for v in graphscope.load(prefix).variables if v.name.startswith(("head", "train", "global_step"))}
    changed = {name for name in before if before[name].tobytes() != after[name].tobytes()}
    assert before.keys() == after.keys()
    assert changed
    assert changed <= of_head
    assert {"conv1/weights", "conv2/biases"} <= before.keys() - of_head
    assert {v.name for v in graphscope.load(prefix).variables if v.trainable} <= changed


def test_the_files_of_the_base_are_shared(prefix: Path, data: str, out: Path) -> None:
    report = train(prefix, data, out=out, epochs=1)
    base = Path(f"{prefix}.data-00000-of-00001").stat()
    shared = Path(f"{report.last}.data-00000-of-00002").stat()
    assert (base.st_ino, base.st_dev) == (shared.st_ino, shared.st_dev)


def test_tensorflow_restores_what_was_trained(prefix: Path, data: str, out: Path) -> None:
    report = train(prefix, data, out=out, epochs=1)
    model = graphscope.load(report.last)
    recipe = recipe_of(model)
    x, _ = pictures(5, seed=3)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        saver = tf.compat.v1.train.import_meta_graph(f"{report.last}.meta", clear_devices=True)
        saver.restore(session, tf.train.latest_checkpoint(str(out)))
        expected = session.run(recipe.predictions, {"input:0": x})
    with open_session(model, [recipe.predictions]) as opened:
        [found] = opened.run([recipe.predictions], {"input": x})
    assert found is not None
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_unfrozen_variables_of_the_base_train_as_well(tmp_path: Path, data: str) -> None:
    prefix = grafted(tmp_path / "model.ckpt", head=f"flatten,dense:{CLASSES}", unfreeze=["conv2"])
    recorder = Recorder()
    report = train(prefix, data, epochs=1, watchers=[recorder])
    assert not report.cached
    before, after = values(prefix), values(report.last)
    assert np.any(before["conv2/weights"] != after["conv2/weights"])
    assert before["conv1/weights"].tobytes() == after["conv1/weights"].tobytes()
    assert sorted(recorder.losses) == list(range(1, 7))


# Cached and not


def test_cached_and_uncached_losses_agree(prefix: Path, data: str, tmp_path: Path) -> None:
    cached, uncached = Recorder(), Recorder()
    assert train(prefix, data, "0.2", out=tmp_path / "a", watchers=[cached]).cached
    assert not train(prefix, data, "0.2", out=tmp_path / "b", use_cache=False, watchers=[uncached]).cached
    assert cached.losses.keys() == uncached.losses.keys()
    steps = sorted(cached.losses)
    np.testing.assert_allclose([cached.losses[s] for s in steps], [uncached.losses[s] for s in steps], atol=1e-5)
    for one, other in zip(cached.epochs, uncached.epochs, strict=True):
        np.testing.assert_allclose(without_times(one), without_times(other), atol=1e-5)


def test_a_cached_base_runs_in_no_step(prefix: Path, data: str, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(prefix, data, out=out, epochs=1)
    monkeypatch.setattr(Examples, "read", lambda *_: pytest.fail("an input was read"))
    train(prefix, data, out=out, epochs=1, overwrite=True)
    model = graphscope.load(prefix)
    features = recipe_of(model).features
    assert features
    assert "Conv2D" in model.graph.ops


def test_augmentation_turns_the_cache_off(prefix: Path, data: str, tmp_path: Path) -> None:
    report = train(prefix, data, out=tmp_path / "a", augment="brightness:0.5", epochs=2)
    plain = train(prefix, data, out=tmp_path / "b", use_cache=False, epochs=2)
    again = train(prefix, data, out=tmp_path / "c", augment="brightness:0.5", epochs=2)
    assert not report.cached
    assert [e.loss for e in report.epochs] == [e.loss for e in again.epochs]
    assert [e.loss for e in report.epochs] != [e.loss for e in plain.epochs]


# Resumed


@pytest.mark.parametrize(("stop_after", "augment"), [(1, ""), (7, "flip,brightness"), (6, ""), (17, "")])
def test_a_resumed_training_ends_as_an_unbroken_one(
    prefix: Path, data: str, tmp_path: Path, stop_after: int, augment: str
) -> None:
    """Six steps an epoch: in the first one, in the second one, at the end of one, in the last one."""
    options: dict[str, Any] = {"augment": augment, "validation": data}
    whole, first, second = Recorder(), Recorder(stop_after), Recorder()
    expected = train(prefix, data, out=tmp_path / "whole", watchers=[whole], **options)
    with pytest.raises(Interrupted) as stopped:
        train(prefix, data, out=tmp_path / "broken", watchers=[first], interrupted=first.is_enough, **options)
    assert stopped.value.step == stop_after
    assert Path(f"{stopped.value.prefix}.index").exists()
    found = train(prefix, data, out=tmp_path / "broken", watchers=[second], resume=True, **options)
    assert first.losses | second.losses == whole.losses
    assert not first.losses.keys() & second.losses.keys()
    assert list(map(without_times, found.epochs)) == list(map(without_times, expected.epochs))
    assert found.classes == expected.classes
    assert found.best_epoch == expected.best_epoch
    assert_equal_bits(values(found.last), values(expected.last))
    assert_equal_bits(values(found.best), values(expected.best))


def test_stopped_while_it_validates(prefix: Path, data: str, held_out: str, tmp_path: Path) -> None:
    """After the last step of the first epoch; the averages are in place then, and must not be saved as variables."""
    calls = iter(range(10_000))
    expected = train(prefix, data, held_out, out=tmp_path / "whole", epochs=2)
    with pytest.raises(Interrupted) as stopped:
        train(prefix, data, held_out, out=tmp_path / "broken", epochs=2, interrupted=lambda: next(calls) == 8)
    assert stopped.value.step == 6
    found = train(prefix, data, held_out, out=tmp_path / "broken", epochs=2, resume=True)
    assert list(map(without_times, found.epochs)) == list(map(without_times, expected.epochs))
    assert_equal_bits(values(found.last), values(expected.last))


def test_more_epochs_for_a_finished_training(prefix: Path, data: str, tmp_path: Path) -> None:
    expected = train(prefix, data, "0.2", out=tmp_path / "whole", epochs=4)
    train(prefix, data, "0.2", out=tmp_path / "a", epochs=2)
    found = train(prefix, data, "0.2", out=tmp_path / "a", epochs=4, resume=True)
    assert_equal_bits(values(found.last), values(expected.last))
    again = train(prefix, data, "0.2", out=tmp_path / "a", epochs=4, resume=True)
    assert again == replace(found, epochs=again.epochs)


def test_resumed_by_the_directory_that_names_the_latest(tmp_path: Path, data: str) -> None:
    prefix = grafted(tmp_path / "model.ckpt")
    train(prefix, data, epochs=1, cache=tmp_path / "cache")
    report = train(tmp_path, data, epochs=2, resume=True, cache=tmp_path / "cache")
    assert [e.epoch for e in report.epochs] == [1, 2]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"batch": 4}, "batch: 8 then, 4 now"),
        ({"seed": 9}, "seed: 0 then, 9 now"),
        ({"validation": "0.3"}, "validation data: none then"),
        ({"augment": "flip"}, "augment: none then, flip now"),
        ({"use_cache": False}, "features computed once: True then, False now"),
        ({"data": "other"}, "training data: 46 examples"),
    ],
)
def test_resuming_with_something_else_is_refused(
    prefix: Path, data: str, held_out: str, out: Path, changed: dict[str, Any], expected: str
) -> None:
    train(prefix, data, out=out, epochs=1)
    before = sorted(p.name for p in out.rglob("*"))
    given = {"data": data, **changed}
    given["data"] = held_out if given["data"] == "other" else data
    with pytest.raises(GraphscopeError) as refused:
        train(prefix, out=out, epochs=2, resume=True, **given)
    assert expected in refused.value.message
    assert sorted(p.name for p in out.rglob("*")) == before


def test_nothing_to_resume(prefix: Path, data: str, out: Path) -> None:
    with pytest.raises(FileError, match="no training to resume"):
        train(prefix, data, out=out, resume=True)
    assert not out.exists()


def test_a_training_is_not_overwritten(prefix: Path, data: str, out: Path) -> None:
    train(prefix, data, out=out, epochs=1)
    with pytest.raises(FileError, match="a training is here already"):
        train(prefix, data, out=out, epochs=1)
    assert train(prefix, data, out=out, epochs=1, overwrite=True).epochs[0].epoch == 1


def test_a_damaged_state_is_refused(prefix: Path, data: str, out: Path) -> None:
    train(prefix, data, out=out, epochs=1)
    [state] = out.glob("*.tune.json")
    for content, expected in (
        ("{", "not a training state"),
        ('{"version": 2}', "version"),
        ("[]", "not a training state"),
    ):
        state.write_text(content)
        with pytest.raises(GraphscopeError, match=expected):
            train(prefix, data, out=out, epochs=2, resume=True)


# What is kept


def names(directory: Path) -> list[str]:
    return sorted(p.name.removesuffix(".index") for p in directory.glob("*.index"))


def test_the_last_ones_and_the_best_are_kept(prefix: Path, data: str, held_out: str, out: Path) -> None:
    report = train(prefix, data, held_out, out=out, epochs=5, keep=2)
    assert names(out) == ["model.ckpt-24", "model.ckpt-30"]
    assert read_state(out / "checkpoint").prefixes == ("model.ckpt-30", "model.ckpt-24")
    [best] = names(out / "best")
    assert best == f"model.ckpt-{6 * report.best_epoch}"
    assert report.best == str(out / "best" / best)
    assert tf.train.latest_checkpoint(str(out / "best")) == report.best
    files = {p.name.rpartition(".")[0] if not p.is_dir() else p.name for p in out.iterdir()}
    assert files <= {"model.ckpt-24", "model.ckpt-30", "best", "", "model.ckpt.tune"}
    scores = [(e.validation_metric, -(e.validation_loss or 0)) for e in report.epochs]
    assert report.best_epoch == max(range(5), key=lambda i: scores[i]) + 1


def test_checkpoints_within_an_epoch(prefix: Path, data: str, out: Path) -> None:
    train(prefix, data, out=out, epochs=1, save_every=2, keep=9)
    assert names(out) == ["model.ckpt-2", "model.ckpt-4", "model.ckpt-6"]
    assert not (out / "best").exists()


def test_beside_the_model(tmp_path: Path, data: str) -> None:
    prefix = grafted(tmp_path / "model.ckpt")
    before = values(prefix)
    report = train(prefix, data, epochs=1, keep=1)
    assert report.last == str(tmp_path / "model.ckpt-6")
    assert names(tmp_path) == ["model.ckpt", "model.ckpt-6"]
    assert_equal_bits(values(prefix), before)
    further = train(report.last, data, out=tmp_path / "further", epochs=1)
    assert further.last == str(tmp_path / "further" / "model.ckpt-12")


def test_patience(prefix: Path, data: str, tmp_path: Path) -> None:
    """Labels by chance on the held-out side: nothing that is learned makes that better for long."""
    x, y = pictures(30, seed=5)
    noise = saved(tmp_path / "noise.npz", x, np.random.default_rng(0).permutation(y))
    report = train(prefix, data, noise, out=tmp_path / "out", epochs=60, patience=2)
    assert report.ended == PATIENCE
    assert len(report.epochs) == report.best_epoch + 2 < 60


# Moving averages


def test_averages_are_validated_and_put_back(prefix: Path, data: str, held_out: str, out: Path) -> None:
    report = train(prefix, data, held_out, out=out, epochs=2)
    assert report.averaged
    model = graphscope.load(report.last)
    recipe = recipe_of(model)
    found = values(report.last)
    means = {v.name: found[v.name] for v in model.variables if v.role is Role.MOVING_AVERAGE}
    assert means
    x, y = pictures(30, seed=1)
    with open_session(model, [recipe.train_op, recipe.loss]) as session:
        written = written_variables(model, [recipe.train_op])
        variables, averages = SessionVariables(session, written), Averages(session, written)
        before = {name: value.copy() for name, value in variables.values().items()}
        [own] = session.run([recipe.loss], {"input": x, recipe.labels: y})
        with averages.in_place():
            within = variables.values()
            [loss] = session.run([recipe.loss], {"input": x, recipe.labels: y})
        after = variables.values()
    assert own is not None
    assert loss is not None
    assert float(loss) != float(own)
    assert float(loss) == pytest.approx(report.epochs[-1].validation_loss, abs=1e-5)
    for name, mean in means.items():
        assert within[name.rpartition("/")[0]].tobytes() == mean.tobytes()
    assert_equal_bits(before, after)


# What goes wrong


def test_a_training_that_runs_away(tmp_path: Path, data: str) -> None:
    prefix = grafted(tmp_path / "model.ckpt", optimizer="sgd", learning_rate=1e20)
    with pytest.raises(GraphscopeError) as stopped:
        train(prefix, data, epochs=3, save_every=1)
    assert "step 1" in stopped.value.message or "step 2" in stopped.value.message
    assert "diverged" in stopped.value.message
    assert "learning-rate" in to_words(stopped.value.hint)
    assert all(np.isfinite(value).all() for name in names(tmp_path) for value in values(tmp_path / name).values())


def test_nothing_is_left_to_train(prefix: Path, data: str, tmp_path: Path) -> None:
    model = graphscope.load(prefix)
    del model.meta.collection_def["trainable_variables"].bytes_list.value[:]
    copy = tmp_path / "model.ckpt"
    graphscope.save(model, f"{copy}.meta")
    for suffix in (".index", ".data-00000-of-00001"):
        Path(f"{copy}{suffix}").write_bytes(Path(f"{prefix}{suffix}").read_bytes())
    with pytest.raises(IncompleteModelError, match="no variable is left to train"):
        train(copy, data)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ((6, 784), [0, 1, 2, 3, 0, 1], "3"),
        ((6, 784), [0, -1, 2, 2, 0, 1], "-1"),
        ((6, 783), [0, 1, 2, 0, 1, 2], "784"),
        ((0, 784), [], "examples"),
    ],
)
def test_data_that_does_not_fit(prefix: Path, tmp_path: Path, x: tuple[int, int], y: list[int], expected: str) -> None:
    data = saved(tmp_path / "data.npz", np.zeros(x, np.float32), np.array(y, np.int64))
    with pytest.raises(GraphscopeError) as refused:
        train(prefix, data, out=tmp_path / "out")
    assert expected in refused.value.message
    assert not (tmp_path / "out").exists()


def test_a_model_without_a_training_part(data: str) -> None:
    from tests.support.fixture_files import FIXTURES

    with pytest.raises(GraphscopeError) as refused:
        train(FIXTURES / "lenet5", data)
    assert "graphscope graft" in to_words(refused.value.hint)


# Other tasks


@pytest.mark.parametrize(("task", "options"), [("regression", {"regression": True}), ("multilabel", {"multilabel": 2})])
def test_other_tasks(tmp_path: Path, task: str, options: dict[str, Any]) -> None:
    prefix = grafted(tmp_path / "model.ckpt", head="flatten,dense:2", learning_rate=0.01, **options)
    x, y = pictures(40)
    labels = np.stack([y, y == 1], 1).astype(np.float32) if task == "regression" else np.stack([y > 0, y == 1], 1)
    report = train(prefix, saved(tmp_path / "data.npz", x, labels.astype(np.float32)), "0.3", epochs=15)
    assert [row.name for row in report.classes] == ["0", "1"]
    assert report.metric == pytest.approx(np.mean([row.metric for row in report.classes]), abs=1e-5)
    assert (report.metric < 0.5) if task == "regression" else (report.metric > 0.8)
    assert json.loads((tmp_path / "model.ckpt.tune.json").read_text())["best"]["metric"] == report.metric


# The order of the examples


def test_every_epoch_has_all_examples_in_an_order_of_its_own() -> None:
    order = Order(np.arange(100, 123), 5, seed=1)
    epochs = [list(order.batches(epoch)) for epoch in range(3)]
    assert [len(batch) for batch in epochs[0]] == [5, 5, 5, 5, 3]
    flat = [np.concatenate(batches).tolist() for batches in epochs]
    assert all(sorted(indices) == list(range(100, 123)) for indices in flat)
    assert len({tuple(indices) for indices in flat}) == 3
    assert flat[0] != np.concatenate(list(Order(np.arange(100, 123), 5, seed=2).batches(0))).tolist()
    assert np.concatenate(list(order.batches(1, done=2))).tolist() == flat[1][10:]


# What is held out


def test_a_training_keeps_the_split_that_it_began_with(prefix: Path, tmp_path: Path) -> None:
    """Of one class all are on one side by key alone; a training from before goes on without it."""
    x, y = pictures(30)
    data = saved(tmp_path / "few.npz", x, np.where(np.arange(30) % 8 + np.arange(30) // 9 == 0, 2, y % 2))
    train(prefix, data, "0.3", out=tmp_path / "old", epochs=1, use_cache=False, split=BY_KEY)
    [path] = (tmp_path / "old").glob("*.tune.json")
    state = json.loads(path.read_text())
    assert state.pop("split") == BY_KEY
    path.write_text(json.dumps(state))
    assert read_run(path).split == BY_KEY
    words = ["tune", prefix, "--data", data, "--validation", "0.3", "--batch", 8, "--no-cache", "--epochs", 2]
    assert code_of(*words, "-o", tmp_path / "old", "--resume") == 0
    assert read_run(path).split == BY_KEY
    assert code_of(*words, "-o", f"{tmp_path}/new/") == 0
    [path] = (tmp_path / "new").glob("*.tune.json")
    assert read_run(path).split == WITH_CLASSES


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (10, "validation has 3 examples only, too few to judge by: each counts for 33.3 %"),
        (60, None),
    ],
)
def test_a_side_too_small_to_judge_by_is_reported(
    prefix: Path, tmp_path: Path, count: int, expected: str | None
) -> None:
    x, y = pictures(count)
    data, held_out = saved(tmp_path / "t.npz", x, y), saved(tmp_path / "v.npz", x[: count // 3], y[: count // 3])
    model = graphscope.load(prefix)
    request = Request(data, held_out, DataOptions(cache=tmp_path), use_cache=False)
    _, told = prepare(model, recipe_of(model), request, TuneOptions())
    notes = [to_words(note) for note in told]
    assert [note for note in notes if "too few" in note] == [n for n in notes if expected and n.startswith(expected)]
    assert any("too few" in note for note in notes) is (expected is not None)


def test_classes_that_are_missing_on_a_side_are_reported(prefix: Path, tmp_path: Path) -> None:
    x, y = pictures(60)
    data, held_out = saved(tmp_path / "t.npz", x, y), saved(tmp_path / "v.npz", x, np.minimum(y, 1))
    model = graphscope.load(prefix)
    request = Request(data, held_out, DataOptions(cache=tmp_path), use_cache=False)
    _, notes = prepare(model, recipe_of(model), request, TuneOptions())
    assert "class without an example in validation: 2" in notes
