"""The rules of a training, without one: which epoch is best, when to stop, in which order, what is counted, what is drawn."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, UnsupportedError
from graphscope.training.data.keys import key_fractions
from graphscope.training.data.source import Examples as Data
from graphscope.training.recipe import CLASSES, MULTILABEL, REGRESSION, Recipe
from graphscope.training.tune.checkpoints import Checkpoints, checkpoint_files, output_prefix
from graphscope.training.tune.drawing import confusion_picture, example_picture
from graphscope.training.tune.examples import Examples
from graphscope.training.tune.metrics import MAX_MISCLASSIFIED, Evaluation, Mean, Misprediction
from graphscope.training.tune.order import Order
from graphscope.training.tune.report import Best, ClassReport, EpochReport
from graphscope.training.tune.resume import TrainingState, read_run, refuse_other_settings, run_file, write_run
from graphscope.training.tune.split import BY_KEY, WITH_CLASSES, split
from graphscope.training.tune.stopping import is_better, is_hopeless
from graphscope.training.tune.tune import OutputLocation, found_run, refuse_labels
from graphscope.training.tune.validation_size import doubts
from tests.support.data_files import Array


def best(epoch: int = 3, loss: float = 0.5, metric: float = 0.8) -> Best:
    return Best(epoch, loss, metric, "m-3", ())


def recipe(task: str = CLASSES, classes: int = 3, training: str = "") -> Recipe:
    return Recipe(
        task,
        classes,
        {"x": "x:0"},
        (),
        "labels:0",
        training,
        "z:0",
        "p:0",
        "loss:0",
        "metric:0",
        "step",
        "rate:0",
        "global",
    )


def data(labels: Any, keys: list[str] | None = None) -> Data:
    found = np.array(labels)
    return Data(lambda indices: indices, found, keys or [str(i) for i in range(len(found))], (), "")


def examples(labels: Any, indices: Any = None) -> Examples:
    source = data(labels)
    chosen = np.arange(len(source)) if indices is None else np.array(indices)
    return Examples(source, chosen, None, recipe())  # type: ignore[arg-type]


# Which epoch is best, and when to stop


@pytest.mark.parametrize(
    ("task", "metric", "loss", "better"),
    [
        (CLASSES, 0.81, 0.9, True),
        (CLASSES, 0.79, 0.1, False),
        (CLASSES, 0.8, 0.4, True),
        (CLASSES, 0.8, 0.5, False),
        (CLASSES, 0.8, 0.6, False),
        (MULTILABEL, 0.9, 0.6, True),
        (REGRESSION, 0.7, 0.6, True),
        (REGRESSION, 0.9, 0.1, False),
    ],
)
def test_what_beats_the_best(task: str, metric: float, loss: float, better: bool) -> None:
    assert is_better(task, metric, loss, best()) is better
    assert is_better(task, metric, loss, None)


@pytest.mark.parametrize(
    ("epochs", "patience", "hopeless"),
    [(3, 1, False), (4, 1, True), (4, 2, False), (5, 2, True), (9, None, False), (3, 0, True)],
)
def test_patience_is_counted_from_the_best(epochs: int, patience: int | None, hopeless: bool) -> None:
    assert is_hopeless(epochs, best(), patience) is hopeless
    assert not is_hopeless(epochs, None, patience)


# Order and sides


def test_batches_of_an_epoch() -> None:
    order = Order(np.arange(10, 17), 3, seed=5)
    assert order.steps_per_epoch == 3
    assert Order(np.arange(6), 3, 0).steps_per_epoch == 2
    first = [batch.tolist() for batch in order.batches(0)]
    assert [len(batch) for batch in first] == [3, 3, 1]
    whole = [index for batch in first for index in batch]
    assert sorted(whole) == list(range(10, 17))
    expected = np.random.default_rng([5, 0]).permutation(7) + 10
    assert whole == expected.tolist()
    assert [batch.tolist() for batch in order.batches(0, done=2)] == first[2:]
    assert [batch.tolist() for batch in order.batches(1)] != first
    assert [batch.tolist() for batch in Order(order.examples, 3, seed=6).batches(0)] != first


@pytest.mark.parametrize("fraction", [1e-6, 1 - 1e-6])
def test_the_example_that_is_moved_is_the_nearest(fraction: float) -> None:
    """Two classes with the first all on one side: the one whose hash is nearest to the limit changes sides."""
    keys = [f"a/{i}" for i in range(4)] + [f"b/{i}" for i in range(3)]
    source = data([0] * 4 + [1] * 3, keys)
    numbers = key_fractions(keys)
    training, validation = split(source, fraction, WITH_CLASSES)
    moved = validation if fraction < 0.5 else training
    nearest = np.argmin if fraction < 0.5 else np.argmax
    assert sorted(moved) == [int(nearest(numbers[:4])), 4 + int(nearest(numbers[4:]))]


def test_versions_of_the_division_stand_in_files() -> None:
    assert (BY_KEY, WITH_CLASSES) == (1, 2)


def test_the_limit_itself_is_for_training() -> None:
    keys = [f"k{i}" for i in range(9)]
    limit = float(np.sort(key_fractions(keys))[4])
    assert len(split(data(np.zeros(9, np.float32), keys), limit)[1]) == 4


# What is counted


def test_means_weigh_batches_by_their_examples() -> None:
    mean = Mean()
    assert math.isnan(mean.loss)
    assert math.isnan(mean.metric)
    mean.add(1.0, 0.5, 4)
    mean.add(4.0, 1.0, 2)
    assert (mean.loss, mean.metric, mean.examples) == (2.0, pytest.approx(4 / 6), 6)


def test_classes_are_counted_and_the_surest_mistakes_remembered() -> None:
    found = Evaluation(recipe(), ["a", "b"])
    predictions = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
    found.add(1.0, 0.5, predictions, np.array([0, 1, 0, 0]), np.array([10, 11, 12, 13]))
    assert found.confusion is not None
    assert found.confusion.matrix.tolist() == [[2, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert found.misclassified == [Misprediction(0.6, 11, 1, 2), Misprediction(0.5, 12, 0, 1)]
    assert found.classes == (ClassReport("a", 3, 2 / 3), ClassReport("b", 1, 0.0))
    assert found.mean.examples == 4
    unnamed = Evaluation(recipe(), [])
    assert unnamed.names == ["0", "1", "2"]
    assert unnamed.classes[2] == ClassReport("2", 0, None)


def test_of_many_mistakes_the_surest_are_kept() -> None:
    found = Evaluation(recipe(classes=2), [])
    count = MAX_MISCLASSIFIED + 3
    sure = np.linspace(0.51, 0.99, count)[np.random.default_rng(0).permutation(count)]
    for i, confidence in enumerate(sure):
        found.add(0, 0, np.array([[confidence, 1 - confidence]]), np.array([1]), np.array([i]))
    assert [m.confidence for m in found.misclassified] == sorted(sure, reverse=True)[:MAX_MISCLASSIFIED]
    assert MAX_MISCLASSIFIED == 12


def test_labels_and_errors_are_counted() -> None:
    several = Evaluation(recipe(MULTILABEL, 2), [])
    several.add(
        0, 0, np.array([[0.5, 0.4], [0.6, 0.6], [0.1, 0.2]]), np.array([[1, 0], [0, 1], [1.0, 0]]), np.arange(3)
    )
    assert several.classes == (ClassReport("0", 2, 1 / 3), ClassReport("1", 1, 1.0))
    assert several.confusion is None
    assert several.misclassified == []
    assert Evaluation(recipe(MULTILABEL, 1), []).classes == (ClassReport("0", 0, None),)
    errors = Evaluation(recipe(REGRESSION, 2), [])
    errors.add(
        0,
        0,
        np.array([[1.0, 2.0], [3.0, 2.0], [6.0, 1.0]]),
        np.array([[0.0, 4.0], [1.0, 2.0], [0.0, 1.0]]),
        np.arange(3),
    )
    assert errors.classes == (ClassReport("0", 3, 3.0), ClassReport("1", 3, 2 / 3))
    assert Evaluation(recipe(REGRESSION, 1), []).classes == (ClassReport("0", 0, None),)


# What speaks against the figures


def told(found: Iterable[object]) -> list[str]:
    return list(map(str, found))


def test_doubts_about_few_examples_and_missing_classes() -> None:
    assert told(doubts(examples([0, 1]), None, ())) == []
    assert told(doubts(examples([0, 1]), examples([0, 1] * 10), ())) == []
    [few] = told(doubts(examples([0, 1]), examples([0, 1] * 10, range(19)), ()))
    assert few.startswith("validation has 19 examples only")
    assert "each counts for 5.26 %" in few
    one, missing = told(doubts(examples([0, 1]), examples([0]), ("a", "b")))
    assert one.startswith("validation has 1 example only")
    assert "each counts for 100 %" in one
    assert missing == "class without an example in validation: b"
    both = told(doubts(examples([0, 1, 5]), examples([0, 6, 6] * 10), ["a", "b"]))
    assert both == ["class without an example in training: 6", "classes without an example in validation: b, 5"]
    many = told(doubts(examples(range(8)), examples([0] * 20), ()))
    assert many == ["classes without an example in validation: 1, 2, 3, 4, 5 and 2 more"]
    five = told(doubts(examples(range(6)), examples([0] * 20), ()))
    assert five == ["classes without an example in validation: 1, 2, 3, 4, 5"]
    assert told(doubts(examples([0.5]), examples([0] * 20), ())) == []


# What a training knows of itself


def state(**changes: Any) -> TrainingState:
    return TrainingState(**{"settings": {"a": 1}, "origin": "m", "start_step": 0, "step": 5, **changes})


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = run_file(tmp_path / "m")
    assert path == tmp_path / "m.tune.json"
    epoch = EpochReport(1, 5, 0.5, 0.25, None, None, 0.1, 2.0, 3.0)
    for made in (
        state(kept=["m-5"], split=WITH_CLASSES),
        state(running=Mean(1.0, 2.0, 3), epochs=[epoch]),
        state(best=Best(1, 0.5, 0.25, "m-5", (ClassReport("a", 3, None), ClassReport("b", 0, 0.5)))),
    ):
        write_run(path, made)
        assert read_run(path) == made
    assert read_run(path).split == BY_KEY
    assert path.read_text().startswith('{\n "version": 1,\n "settings": {\n  "a": 1\n },\n')
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_run(path, state(running=Mean(math.inf, 0.0, 1)))
    path.write_bytes(b"\xff")
    with pytest.raises(CorruptFileError):
        read_run(path)
    with pytest.raises(FileError):
        read_run(tmp_path / "other")
    write_run(path, state())
    stated = json.loads(path.read_text())
    for broken in ({"running": {}, "x": 1}, {"best": {"epoch": 1}}, {"epochs": [{}]}):
        path.write_text(json.dumps(stated | broken))
        with pytest.raises(CorruptFileError, match="training"):
            read_run(path)


def test_settings_that_differ_are_listed(tmp_path: Path) -> None:
    refuse_other_settings(tmp_path, {"a": 1, "b": None}, {"a": 1})
    with pytest.raises(GraphscopeError) as error:
        refuse_other_settings(tmp_path, {"a": 1, "b": None, "c": 3}, {"a": 2, "c": 3, "d": "x"})
    lines = error.value.message.splitlines()[1:]
    assert lines == ["  a: 1 then, 2 now", "  d: none then, x now"]


@pytest.mark.parametrize(
    ("is_there", "resume", "overwrite", "kept", "found"),
    [
        (False, False, False, False, None),
        (False, True, False, False, FileError),
        (True, False, False, True, FileError),
        (True, False, True, True, None),
        (True, False, False, False, None),
        (True, True, False, True, "state"),
        (True, True, False, False, "state"),
        (True, True, True, True, None),
    ],
)
def test_which_training_goes_on(
    is_there: bool, resume: bool, overwrite: bool, kept: bool, found: Any, tmp_path: Path
) -> None:
    made = state(kept=["m-5"] if kept else [])
    if is_there:
        write_run(run_file(tmp_path / "m"), made)
    place = OutputLocation(None, resume, overwrite)
    if found is FileError:
        with pytest.raises(FileError):
            found_run(tmp_path / "m", place)
    else:
        assert found_run(tmp_path / "m", place) == (made if found else None)


@pytest.mark.parametrize(
    ("labels", "is_refused"), [([0, 1, 2], False), ([0, 3], True), ([-1, 2], True), ([], True), ([2], False)]
)
def test_labels_that_the_head_does_not_have(labels: list[int], is_refused: bool) -> None:
    good, made = examples([0]), examples(labels)
    for training, validation in ((made, None), (good, made), (made, good)):
        job: Any = SimpleNamespace(training=training, validation=validation, recipe=recipe())
        with pytest.raises(GraphscopeError) if is_refused else nullcontext():
            refuse_labels(job)
    job = SimpleNamespace(training=examples([7.5]), validation=None, recipe=recipe(REGRESSION))
    refuse_labels(job)


# Checkpoints


def test_where_checkpoints_go(tmp_path: Path) -> None:
    assert output_prefix("a/m-12", None) == Path("a/m")
    assert output_prefix("a/m-12-x", None) == Path("a/m-12-x")
    assert output_prefix("a/m-12", "o/") == Path("o/m")
    assert output_prefix("a/m-12", str(tmp_path)) == tmp_path / "m"
    assert output_prefix("a/m-12", "o/n-3") == Path("o/n-3")


def test_files_of_a_checkpoint(tmp_path: Path) -> None:
    prefix = str(tmp_path / "m-1")
    assert checkpoint_files(prefix) == checkpoint_files(str(tmp_path / "none/m")) == []
    for name in ("m-1.meta", "m-1.data-00000-of-00001", "m-10.meta", "m-1.data-x", "m-1.metadata"):
        (tmp_path / name).touch()
    assert [p.name for p in checkpoint_files(prefix)] == ["m-1.data-00000-of-00001", "m-1.meta"]
    (tmp_path / "m-1.index").touch()
    assert [p.name for p in checkpoint_files(prefix)][-1] == "m-1.index"


def test_only_checkpoints_of_the_second_form_are_trained(tmp_path: Path) -> None:
    other: Any = SimpleNamespace(store=None, path="m", files=())
    with pytest.raises(UnsupportedError, match="V2 checkpoint"):
        Checkpoints(tmp_path / "m", other)


# Pictures


CELL, LINE, FONT = 40, 18, 14
"""Sizes of a table of classes, in pixels."""


def test_a_table_of_classes_is_drawn() -> None:
    picture = confusion_picture(np.array([[3, 1], [0, 0]]), ["cat", "a name that is long"])
    margin = picture.shape[0] - 2 * CELL
    assert picture.shape == (margin + 2 * CELL, margin + 2 * CELL, 3)
    assert 80 < margin < 180
    corner = picture[margin + 1, margin + 1]
    assert corner.tolist() == [round(255 - 0.75 * c) for c in (225, 150, 55)]
    assert picture[margin + 1, margin + CELL + 1].tolist() == [round(255 - 0.25 * c) for c in (225, 150, 55)]
    assert picture[margin + CELL + 1, margin + 1].tolist() == [255] * 3
    assert picture[margin + CELL + 1 :, margin:].min() == 255, "no number where there is none"
    row = picture[margin : margin + CELL]
    assert row[:, margin : margin + CELL].max() > 240, "white on dark"
    assert row[:, margin + CELL :].min() < 60, "black on light"
    assert row[:, LINE + 4 : margin - 8].min() < 60, "a row's name"
    assert picture[LINE : margin - 4, margin + 10 : margin + 30].min() < 60, "a column's name"
    assert picture[:LINE, margin:].min() < 60, "what the columns are"
    assert picture[margin:, :LINE].min() < 60, "what the rows are"
    assert picture[:margin, :margin].min() == 255, "nothing in the corner"


def drawn(size: tuple[int, int], texts: list[tuple[tuple[int, int], str, str]]) -> Any:
    """A white picture with texts at places, in colours."""
    sheet = Image.new("RGB", size, "white")
    for place, text, colour in texts:
        ImageDraw.Draw(sheet).text(place, text, fill=colour, font=ImageFont.load_default(FONT))
    return sheet


def width_of(text: str) -> int:
    return int(ImageFont.load_default(FONT).getbbox(text)[2])


def upright(text: str, length: int) -> Any:
    return drawn((length, LINE), [((0, 0), text, "black")]).rotate(90, expand=True)


def test_names_and_numbers_have_their_places() -> None:
    names = ["cät", "a name that is long", "W"]
    short = ["c?t", "a name that is", "W"]
    margin, side, inset = LINE + 8 + max(map(width_of, short)), 3 * CELL, (CELL - LINE) // 2
    numbers = np.array([[3, 1, 0], [0, 1, 1], [0, 0, 2]])
    titles = [((margin + (side - width_of("predicted")) // 2, 1), "predicted", "black")]
    rows = [((LINE + 4, margin + CELL * i + inset), name, "black") for i, name in enumerate(short)]
    expected = drawn((margin + side, margin + side), [*titles, *rows])
    length = width_of("label") + 4
    expected.paste(upright("label", length), (1, margin + (side - length) // 2))
    for i, name in enumerate(short):
        expected.paste(upright(name, margin - LINE - 4), (margin + CELL * i + inset, LINE))
    for row, column in np.ndindex(3, 3):
        share = numbers[row, column] / max(numbers[row].sum(), 1)
        colour = tuple(round(255 - share * c) for c in (225, 150, 55))
        expected.paste(Image.new("RGB", (CELL, CELL), colour), (margin + CELL * column, margin + CELL * row))
    for row, column in zip(*numbers.nonzero(), strict=True):
        text = str(numbers[row, column])
        share = numbers[row, column] / numbers[row].sum()
        place = (margin + CELL * int(column) + (CELL - width_of(text)) // 2, margin + CELL * int(row) + inset)
        colour = "white" if share > 0.5 else "black"
        ImageDraw.Draw(expected).text(place, text, fill=colour, font=ImageFont.load_default(FONT))
    np.testing.assert_array_equal(confusion_picture(numbers, names), np.asarray(expected))


@pytest.mark.parametrize(
    "caption", ["hello", "long enough to be wider than the picture is, and longer than sixty letters"]
)
def test_a_caption_has_its_place(caption: str) -> None:
    found = picture_of(np.zeros((7, 7, 1), np.float32), (None, 7, 7, 1), caption)
    text = caption[:60]
    expected = drawn((max(154, width_of(text) + 4), 154 + LINE + 4), [((2, 156), text, "black")])
    expected.paste(Image.new("RGB", (154, 154), "black"), (0, 0))
    np.testing.assert_array_equal(found, np.asarray(expected))


@pytest.mark.parametrize(("classes", "cell"), [(25, 25), (320, 2), (321, 1), (700, 1)])
def test_many_classes_are_drawn_without_names(classes: int, cell: int) -> None:
    matrix = np.zeros((classes, classes), np.int64)
    matrix[0, 1] = 5
    picture = confusion_picture(matrix, [])
    margin = LINE + 8
    assert picture.shape == (margin + classes * cell, margin + classes * cell, 3)
    assert picture[margin, margin + cell].tolist() == [30, 105, 200]
    assert picture[margin, margin].tolist() == picture[margin, margin + 2 * cell].tolist() == [255] * 3


def test_twenty_four_classes_have_names() -> None:
    assert confusion_picture(np.zeros((24, 24), np.int64), ["x"] * 24).shape[0] > 24 * 36


def picture_of(value: Array, shape: tuple[int | None, ...], caption: str = "") -> Any:
    return example_picture(value, TensorSpec("x:0", DataType.FLOAT, shape), caption)


def test_an_example_is_drawn_above_its_caption() -> None:
    value = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    found = picture_of(value, (None, 2, 2, 3), "hello")
    assert found.shape == (160 + LINE + 4, 160, 3)
    assert found[0, 0].tolist() == [0, round(255 / 11), round(255 * 2 / 11)]
    assert found[159, 159].tolist() == [round(255 * 9 / 11), round(255 * 10 / 11), 255]
    assert found[79, 79].tolist() == found[0, 0].tolist() != found[80, 80].tolist()
    assert found[160:, :40].min() < 60
    assert found[160:, 100:].min() == 255
    assert picture_of(value, (None, 2, 2, 3), "long " * 30).shape[1] > 160
    np.testing.assert_array_equal(picture_of(value.transpose(2, 0, 1), (None, 3, 2, 2))[:160], found[:160])
    large = picture_of(np.ones((200, 90, 1), np.float32), (None, 200, 90, 1))
    assert large.shape == (200 + LINE + 4, 90, 3)
    assert large[:200].max() == 0
    middle = picture_of(np.ones((81, 80, 1), np.float32), (None, 81, 80, 1))
    assert middle.shape == (81 + LINE + 4, 80, 3)


def test_pictures_of_other_forms() -> None:
    grey = np.array([[0.0, 1.0], [math.nan, 0.5]], np.float32)
    found = picture_of(grey, (None, 2, 2))
    assert found[[0, 0, 159, 159], [0, 159, 0, 159]].tolist() == [[0] * 3, [255] * 3, [0] * 3, [128] * 3]
    two = np.stack([grey, 9 * grey], -1)
    assert picture_of(two, (None, 2, 2, 2)) is None
    four = np.stack([grey, grey, grey, 0 * grey], -1)
    assert picture_of(four, (None, 2, 2, 4))[0, 159].tolist() == [255] * 3
    flat = picture_of(np.eye(4, dtype=np.float32).reshape(16), (None, 16))
    assert flat[[0, 0], [0, 159]].tolist() == [[255] * 3, [0] * 3]
    assert picture_of(grey, (None, 7)) is None
    assert picture_of(np.zeros((2, 2, 3), np.float32), (2, 2, 3)) is None
