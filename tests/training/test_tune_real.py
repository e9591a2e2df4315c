"""On real data and a real model: digits from few examples, and drawn shapes on a net that was trained on photographs."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

import graphscope
from benchmarks.transfer import mnist_directory, transferred
from graphscope.cli.app import app
from graphscope.cli.render.tune import freeze_command
from graphscope.training.data import DataOptions
from graphscope.training.recipe import recipe_of
from tests.support.fixture_files import needs_mnist
from tests.support.tuning import train, values
from tests.support.zoo_files import ZOO, needs_zoo

pytestmark = pytest.mark.tensorflow

MOBILENET = "frozen_pb/ssoniya+tensorflow-for-poets-2/tf_files/models/mobilenet_v1_0.25_128/frozen_graph.pb"
BOTTLENECK = "MobilenetV1/Logits/AvgPool_1a/AvgPool"


@needs_mnist
def test_digits_that_the_base_has_never_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A hundred examples a class; the same net from scratch beside it."""
    mnist = mnist_directory()
    assert mnist is not None
    found = dict(transferred(tmp_path, mnist, epochs=4))
    with capsys.disabled():
        print("".join(f"\n{name}: {metric:.2%}" for name, metric in found.items()), end=" ")
    new_head, scratch = found.values()
    assert new_head >= 0.92
    assert new_head > scratch > 0.5


SHAPES = {
    "circle": lambda draw, box: draw.ellipse(box, fill="crimson"),
    "square": lambda draw, box: draw.rectangle(box, fill="seagreen"),
    "cross": lambda draw, box: (draw.line(box, "navy", 9), draw.line((box[0], box[3], box[2], box[1]), "navy", 9)),
}


def drawn(directory: Path, count: int, seed: int) -> Path:
    """A folder for each shape, with pictures of it at random places."""
    rng = np.random.default_rng(seed)
    for name, shape in SHAPES.items():
        (directory / name).mkdir(parents=True)
        for number in range(count):
            picture = Image.new("RGB", (64, 64), tuple(rng.integers(180, 256, 3).tolist()))
            x, y, size = rng.integers(2, 20), rng.integers(2, 20), rng.integers(24, 40)
            shape(ImageDraw.Draw(picture), (int(x), int(y), int(x + size), int(y + size)))
            picture.save(directory / name / f"{number}.png")
    return directory


@needs_zoo
def test_shapes_on_a_mobilenet(tmp_path: Path) -> None:
    """Grafted at its bottleneck, tuned on a folder of pictures, frozen and verified."""
    prefix = tmp_path / "shapes.ckpt"
    grafted = graphscope.graft(
        ZOO / MOBILENET, at=BOTTLENECK, head="flatten,dense:3", classes=3, learning_rate=0.01, out=prefix
    )
    assert grafted.recipe.features
    report = train(prefix, str(drawn(tmp_path / "train", 12, 0)), str(drawn(tmp_path / "test", 6, 1)), epochs=8)
    assert report.cached
    assert [row.name for row in report.classes] == sorted(SHAPES)
    assert report.metric > 0.9
    assert any("Conv2D" in op for op in graphscope.load(report.best).graph.ops)
    assert DataOptions().task == recipe_of(graphscope.load(report.best)).task
    assert values(report.best)
    _, *words = shlex.split(freeze_command(report, recipe_of(graphscope.load(report.best))))
    words[words.index("-o") + 1] = str(tmp_path / "shapes.pb")
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "verified on" in done.output
