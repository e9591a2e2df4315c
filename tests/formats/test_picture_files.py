"""Tensors written as picture files, read again by Pillow and by TensorFlow's own decoders."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from graphscope.cli.app import app
from graphscope.errors import FileError, GraphscopeError
from graphscope.formats.media.picture_files import save_pictures
from tests.support.data_files import Array, pixels
from tests.support.graphs import v1
from tests.support.listed import opened
from tests.support.running import tf

pytestmark = pytest.mark.tensorflow


def decoded(path: str) -> Array:
    """What TensorFlow reads."""
    found: Array = tf.io.decode_image(Path(path).read_bytes()).numpy()
    return found


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 3), (9, 7, 4), (1, 9, 7, 3)])
def test_pixels(shape: tuple[int, ...], tmp_path: Path) -> None:
    value = pixels(*shape)
    saved = save_pictures("x", value, tmp_path / "x.png")
    assert saved.rule == "numbers are pixels, 0 to 255"
    [path] = saved.paths
    assert saved.size_bytes == Path(path).stat().st_size
    assert (decoded(path).reshape(shape) == value).all()


@pytest.mark.parametrize(("shift", "rule"), [(0, "0 is black, 1 is white"), (1, "-1 is black, 1 is white")])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_numbers(shift: int, rule: str, dtype: Any, tmp_path: Path) -> None:
    value = pixels(4, 6, 5, 3)
    numbers = (value / 255 * (1 + shift) - shift).astype(dtype)
    saved = save_pictures("x", numbers, tmp_path / "x.png")
    assert saved.rule == rule
    assert [Path(path).name for path in saved.paths] == [f"x-{i}.png" for i in range(4)]
    for path, expected in zip(saved.paths, value):
        assert (decoded(path) == expected).all()
    with pytest.raises(FileError):
        save_pictures("x", numbers, tmp_path / "x.png")


def test_jpeg_is_close(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)
    [path] = save_pictures("x", smooth, tmp_path / "x.JPG").paths
    [coloured] = save_pictures("x", np.dstack([smooth] * 3), tmp_path / "c.jpg").paths
    for file, mode in ((path, "L"), (coloured, "RGB")):
        with Image.open(file) as picture:
            assert (picture.format, picture.mode) == ("JPEG", mode)
            assert abs(np.asarray(picture).astype(int).T - smooth.T).max() < 12


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((3, 4), ["x.png"]),
        ((3, 4, 1), ["x.png"]),
        ((3, 4, 4), ["x.png"]),
        ((2, 4, 5), ["x-0.png", "x-1.png"]),
        ((1, 4, 5), ["x.png"]),
        ((2, 4, 5, 1), ["x-0.png", "x-1.png"]),
        ((1, 4, 5, 3), ["x.png"]),
    ],
)
def test_one_picture_or_several(shape: tuple[int, ...], names: list[str], tmp_path: Path) -> None:
    value = pixels(*shape)
    saved = save_pictures("x", value, tmp_path / "x.png")
    assert [Path(path).name for path in saved.paths] == names
    assert saved.size_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    found = [np.asarray(Image.open(path)) for path in saved.paths]
    assert (np.concatenate([picture.reshape(-1) for picture in found]) == value.reshape(-1)).all()
    save_pictures("x", value, tmp_path / "x.png", overwrite=True)


@pytest.mark.parametrize(
    ("low", "high", "rule"),
    [
        (0.0, 1.0, "0 is black, 1 is white"),
        (-0.0, 0.5, "0 is black, 1 is white"),
        (-1e-9, 1.0, "-1 is black, 1 is white"),
        (-1.0, -1.0, "-1 is black, 1 is white"),
        (-1.001, 0.0, None),
        (0.0, 1.001, None),
        (0.0, np.nan, None),
    ],
)
def test_which_numbers_are_pictures(low: float, high: float, rule: str | None, tmp_path: Path) -> None:
    value = np.array([[low, high], [low, high]])
    if rule is None:
        with pytest.raises(GraphscopeError, match="pictures are uint8, or numbers from 0 to 1"):
            save_pictures("x", value, tmp_path / "x.png")
        return
    saved = save_pictures("x", value, tmp_path / "x.png")
    assert saved.rule == rule
    levels = np.rint((value + 1) * 127.5 if "-1" in rule else value * 255)
    assert (np.asarray(Image.open(saved.paths[0])) == levels).all()


def test_bfloat16_is_a_number(tmp_path: Path) -> None:
    value = np.array([[0, 1], [0.5, 0.25]], ml_dtypes.bfloat16)
    [path] = save_pictures("x", value, tmp_path / "x.png").paths
    assert np.asarray(Image.open(path)).tolist() == [[0, 255], [128, 64]]


def test_encoded_pictures_keep_their_format(tmp_path: Path) -> None:
    contents = {}
    for suffix, kind in ((".png", "PNG"), (".jpg", "JPEG")):
        file = io.BytesIO()
        Image.fromarray(pixels(3, 4)).save(file, kind)
        contents[suffix] = file.getvalue()
    for suffix, other in ((".png", ".jpg"), (".jpg", ".png"), (".jpeg", ".png")):
        content = contents[".jpg" if suffix == ".jpeg" else suffix]
        saved = save_pictures("x", np.array([content, content], object), tmp_path / f"x{suffix}")
        assert saved.rule == "strings are encoded pictures"
        assert [Path(path).read_bytes() for path in saved.paths] == [content] * 2
        with pytest.raises(GraphscopeError, match=r"and y\.\w+ would be") as error:
            save_pictures("x", np.array([contents[other]], object), tmp_path / f"y{suffix}")
        assert error.value.hint == f"save it as y{other}"
    with pytest.raises(GraphscopeError, match="no picture: it begins with b'abcdefgh'") as error:
        save_pictures("x", np.array(["abcdefghi"], object), tmp_path / "y.png")
    assert error.value.hint == "save it as y.npz"
    with pytest.raises(GraphscopeError, match="x holds no strings"):
        save_pictures("x", np.empty(0, object), tmp_path / "y.png")


@pytest.mark.parametrize(
    ("value", "name", "message"),
    [
        (np.zeros((4,), np.uint8), "x.png", "not a picture"),
        (np.zeros((4, 5, 6, 5), np.uint8), "x.png", "not a picture"),
        (np.zeros((2, 3, 4, 5, 6), np.uint8), "x.png", "not a picture"),
        (np.zeros((4, 5, 6, 2), np.uint8), "x.png", "not a picture"),
        (np.zeros((0, 4, 4, 3), np.uint8), "x.png", "not a picture"),
        (np.full((4, 4), 7.0), "x.png", "from 7 to 7; pictures are uint8, or numbers from 0 to 1"),
        (np.full((4, 4), np.nan), "x.png", "from nan to nan"),
        (np.zeros((4, 4), np.int64), "x.png", "int64 from 0 to 0"),
        (np.zeros((4, 4, 4), np.uint8), "x.jpg", "JPEG has no alpha channel"),
        (np.array(b"text", object), "x.jpg", "no picture: it begins with b'text'"),
    ],
)
def test_what_is_no_picture(value: Any, name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(GraphscopeError, match=message):
        save_pictures("x", value, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_run_saves_what_the_graph_encodes(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.uint8, [8, 8, 3], name="x")
        tf.io.encode_jpeg(x, name="jpeg")
        tf.image.convert_image_dtype(x, tf.float32, name="floats")
    opened(graph, tmp_path)
    np.save(tmp_path / "x.npy", pixels(8, 8, 3))
    words = ["run", str(tmp_path / "graph.pb"), "--feed", f"x=@{tmp_path / 'x.npy'}"]
    done = CliRunner().invoke(app, [*words, "--output", "jpeg", "--save", str(tmp_path / "a.jpg")])
    assert "strings are encoded pictures" in done.stderr
    assert (tmp_path / "a.jpg").read_bytes() == tf.io.encode_jpeg(pixels(8, 8, 3)).numpy()
    done = CliRunner().invoke(app, [*words, "--output", "jpeg", "--save", str(tmp_path / "a.png")])
    assert done.exit_code == 1
    assert "jpeg holds a JPEG picture, and a.png would be PNG\nhint: save it as a.jpg" in done.stderr
    done = CliRunner().invoke(app, [*words, "--output", "floats", "--save", str(tmp_path / "b.png")])
    assert "0 is black, 1 is white" in done.stderr
    assert (decoded(str(tmp_path / "b.png")) == pixels(8, 8, 3)).all()
    done = CliRunner().invoke(app, [*words, "--output", "floats", "--output", "x", "--save", str(tmp_path / "c.png")])
    assert "here are 2: floats, x" in done.stderr
