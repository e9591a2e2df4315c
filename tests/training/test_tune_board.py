"""What TensorBoard shows of a training, read with its own accumulator; the pictures that are drawn for it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import graphscope
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.protos import GraphDef
from graphscope.training.recipe import recipe_of
from graphscope.training.tune.board_log import BoardLog
from graphscope.training.tune.drawing import confusion_picture, example_picture
from graphscope.training.tune.loop import Interrupted
from graphscope.training.tune.metrics import MAX_MISCLASSIFIED
from graphscope.training.tune.prepare import fed_input
from tests.support.board_logs import accumulated, plugin, tensors
from tests.support.tuning import CLASSES, Recorder, grafted, pictures, saved, train

pytestmark = pytest.mark.tensorflow

STEPS = 5


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a training of three epochs that was stopped in the second one, and gone on with from a checkpoint before that."""
    place = tmp_path_factory.mktemp("tune")
    prefix = grafted(place / "model.ckpt", head=f"flatten,dense:{CLASSES}", decay="step:5:0.5")
    data, held_out = saved(place / "train.npz", *pictures(40)), saved(place / "test.npz", *pictures(20, seed=2))
    model = graphscope.load(prefix)
    spec = fed_input(model, recipe_of(model))
    stopping = Recorder(stop_after=STEPS + 2)
    with BoardLog(place / "logs", model, spec) as log, pytest.raises(Interrupted):
        train(prefix, data, held_out, watchers=[log, stopping], interrupted=stopping.is_enough)
    with BoardLog(place / "logs", model, spec) as log:
        train(prefix, data, held_out, watchers=[log], resume=True)
    return place / "logs"


def test_curves(logs: Path) -> None:
    train_log, held_out = accumulated(logs / "train"), accumulated(logs / "validation")
    for tag in ("loss", "accuracy", "learning_rate"):
        assert plugin(train_log, tag)[0] == "scalars"
        assert [step for step, _ in tensors(train_log, tag)] == list(range(1, 3 * STEPS + 1))
    rates = [float(value) for _, value in tensors(train_log, "learning_rate")]
    np.testing.assert_allclose(rates, [0.001] * 5 + [0.0005] * 5 + [0.00025] * 5, rtol=1e-6)
    for tag in ("loss", "accuracy"):
        assert [step for step, _ in tensors(held_out, f"epoch_{tag}")] == [STEPS, 2 * STEPS, 3 * STEPS]
        assert [step for step, _ in tensors(train_log, f"epoch_{tag}")] == [STEPS, 2 * STEPS, 3 * STEPS]


def test_the_graph(logs: Path) -> None:
    found = {node.name for node in GraphDef.FromString(accumulated(logs / "train").Graph().SerializeToString()).node}
    assert {"conv1/conv", "head/logits"} <= found
    assert not {name for name in found if name.startswith("save/")}


def test_pictures(logs: Path) -> None:
    log = accumulated(logs / "validation")
    tags = log.Tags()["tensors"]
    assert plugin(log, "confusion")[0] == "images"
    assert [step for step, _ in tensors(log, "confusion")] == [STEPS, 2 * STEPS, 3 * STEPS]
    misclassified = sorted(tag for tag in tags if tag.startswith("misclassified/"))
    assert misclassified
    assert misclassified[0] == "misclassified/01"
    assert len(misclassified) <= MAX_MISCLASSIFIED
    [(_, value), *_] = tensors(log, misclassified[0])
    width, height, content = value
    assert Image.open(io.BytesIO(content)).size == (int(width), int(height))


def test_points_are_taken_back_by_a_resumed_training(logs: Path) -> None:
    """Two event files: the second one says from which step on the first counts no more."""
    assert len(list((logs / "train").iterdir())) == 2
    steps = [step for step, _ in tensors(accumulated(logs / "train"), "loss")]
    assert steps == sorted(set(steps))


# Drawing


def test_a_confusion_is_dark_where_it_is_large() -> None:
    matrix = np.array([[9, 1], [0, 10]])
    picture = confusion_picture(matrix, ["cat", "dog"])
    height, width, channels = picture.shape
    assert (height, channels) == (width, 3)
    [[right, wrong], [never, all_right]] = [
        [int(picture[height - 36 * (2 - row) + 2, width - 36 * (2 - column) + 2].sum()) for column in range(2)]
        for row in range(2)
    ]
    assert all_right < right < wrong < never == 3 * 255


def test_many_classes_are_drawn_small() -> None:
    picture = confusion_picture(np.eye(1000, dtype=np.int64), [str(i) for i in range(1000)])
    assert picture.shape == (1026, 1026, 3)
    assert picture[29, 29].sum() < picture[29, 30].sum()


@pytest.mark.parametrize("shape", [(784,), (28, 28), (28, 28, 1), (28, 28, 3), (3, 28, 28)])
def test_an_example_is_drawn_in_its_own_range(shape: tuple[int, ...]) -> None:
    value = np.zeros(shape, np.float32) - 1
    value.reshape(-1)[-1] = 1
    picture = example_picture(value, TensorSpec("x:0", DataType.FLOAT, (None, *shape)), "3 taken for 5 (97%)")
    assert picture is not None
    shown = picture[: 28 * 5, : 28 * 5]
    assert shown[0, 0].tolist() == [0, 0, 0]
    assert shown[-1, -1].max() == 255
    assert picture[28 * 5 :].min() < 100  # the caption


def test_what_is_no_picture_is_not_drawn() -> None:
    assert example_picture(np.zeros(7), TensorSpec("x:0", DataType.FLOAT, (None, 7)), "") is None
