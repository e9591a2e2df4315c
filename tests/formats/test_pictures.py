"""Pictures become what tensors take. Needs no TensorFlow."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from graphscope.cli.terminal.wording import to_words
from graphscope.core.tensors import Shape
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, FileError, GraphscopeError
from graphscope.formats.media.pictures import (
    PictureShape,
    Scaling,
    picture_files,
    picture_shape,
    read_picture,
    scale_picture,
)
from tests.support.fixture_files import FIXTURES

SHAPES: list[tuple[Shape, PictureShape]] = [
    ((None, 28, 28, 1), PictureShape(28, 28, 1)),
    ((None, 224, 200, 3), PictureShape(224, 200, 3)),
    ((8, 224, 224, 4), PictureShape(224, 224, 4)),
    ((None, None, None, 3), PictureShape(None, None, 3)),
    ((None, 32, 32, None), PictureShape(32, 32, 3)),
    ((None, 3, 224, 200), PictureShape(224, 200, 3, channels_first=True)),
    ((28, 30, 3), PictureShape(28, 30, 3, batched=False)),
    ((3, 28, 30), PictureShape(28, 30, 3, batched=False, channels_first=True)),
    ((None, 28, 30), PictureShape(28, 30, 1, rank=2)),
    ((28, 28), PictureShape(28, 28, 1, batched=False, rank=2)),
    ((None, 784), PictureShape(28, 28, 1, flat=True, rank=1)),
    ((1, 784), PictureShape(28, 28, 1, flat=True, rank=1)),
    ((None, 3072), PictureShape(32, 32, 3, flat=True, rank=1)),
    ((784,), PictureShape(28, 28, 1, flat=True, batched=False, rank=1)),
    ((None, 1, 28, 30), PictureShape(28, 30, 1, channels_first=True)),
    ((None, 4, 28, 3), PictureShape(4, 28, 3)),
    ((1, 28, 30), PictureShape(28, 30, 1, rank=2)),
    ((4, 28, 30), PictureShape(28, 30, 4, batched=False, channels_first=True)),
    ((28, 30, 1), PictureShape(28, 30, 1, batched=False)),
    ((28, 30, None), PictureShape(30, None, 1, rank=2)),
    ((10, 9), PictureShape(3, 3, 1, flat=True, rank=1)),
    ((1,), PictureShape(1, 1, 1, flat=True, batched=False, rank=1)),
    ((3,), PictureShape(1, 1, 3, flat=True, batched=False, rank=1)),
    ((12,), PictureShape(2, 2, 3, flat=True, batched=False, rank=1)),
]


@pytest.mark.parametrize(("shape", "expected"), SHAPES, ids=[str(row[0]) for row in SHAPES])
def test_shapes_that_take_pictures(shape: Shape, expected: PictureShape) -> None:
    assert picture_shape(shape) == expected


NO_PICTURES: list[Shape] = [
    *(None, (), (None,), (None, None), (None, 10), (None, 8, 8, 7), (1, 2, 3, 4, 5), (None, 0)),
    *((0, 0), (0,), (2,), (6,), (28, 30), (None, 2, 8, 8), (None, 5, 8, 2)),
]


@pytest.mark.parametrize("shape", NO_PICTURES, ids=map(str, NO_PICTURES))
def test_shapes_that_take_none(shape: Shape) -> None:
    with pytest.raises(GraphscopeError, match="cannot take pictures"):
        picture_shape(shape)


def test_the_drawn_digits_are_read_as_they_are() -> None:
    files = picture_files(FIXTURES / "digits")
    assert [p.name for p in files[:3]] == ["0a.png", "0b.png", "1a.png"]
    assert len(files) == 20
    shape = picture_shape((None, 784))
    for path in files:
        with Image.open(path) as opened:
            expected = np.asarray(opened.convert("L"))
        assert (read_picture(path, shape) == expected[:, :, None]).all()
        fed = scale_picture(read_picture(path, shape), DataType.FLOAT, shape, Scaling())
        assert fed.dtype == np.float32
        assert (fed == expected.reshape(-1) / np.float32(255)).all()


def made(path: Path, pixels: object, mode: str | None = None) -> Path:
    picture = Image.fromarray(np.asarray(pixels))
    (picture.convert(mode) if mode else picture).save(path)
    return path


COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [10, 20, 30]]], np.uint8)


@pytest.mark.parametrize("name", ["x.png", "x.bmp", "x.ppm", "x.tif"])
def test_kinds_of_files(tmp_path: Path, name: str) -> None:
    path = made(tmp_path / name, COLOURS)
    assert (read_picture(path, PictureShape(2, 2, 3)) == COLOURS).all()
    assert read_picture(path, PictureShape(None, None, 3)).shape == (2, 2, 3)


def test_channels_are_made_to_fit(tmp_path: Path) -> None:
    opaque = np.dstack([COLOURS, np.full((2, 2), 255, np.uint8)])
    path = made(tmp_path / "x.png", COLOURS)
    assert (read_picture(path, PictureShape(2, 2, 4)) == opaque).all()
    grey = read_picture(path, PictureShape(2, 2, 1))[:, :, 0]
    assert (grey == np.asarray(Image.fromarray(COLOURS).convert("L"))).all()
    palette = made(tmp_path / "p.png", COLOURS, "P")
    assert read_picture(palette, PictureShape(2, 2, 3)).shape == (2, 2, 3)
    lit = made(tmp_path / "a.png", opaque)
    assert (read_picture(lit, PictureShape(2, 2, 3)) == COLOURS).all()


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    path = made(tmp_path / "deep.png", np.array([[0, 65535], [257 * 100, 257]], np.uint16))
    assert read_picture(path, PictureShape(2, 2, 1))[:, :, 0].tolist() == [[0, 255], [100, 1]]
    path = made(tmp_path / "near.png", np.array([[128, 129], [257 * 9 - 128, 257 * 9 + 129]], np.uint16))
    assert read_picture(path, PictureShape(2, 2, 1))[:, :, 0].tolist() == [[0, 1], [9, 10]]
    path = made(tmp_path / "wide.tif", np.array([[0, 65535]], np.int32))
    assert read_picture(path, PictureShape(1, 2, 3))[:, :, 2].tolist() == [[0, 255]]


def test_pixels_of_which_nothing_says_what_is_white_are_refused(tmp_path: Path) -> None:
    """Cut off or rounded, they would be another picture: of floats from 0 to 1, Pillow makes a black one."""
    for why, pixels in {
        "0 to 65536": np.array([[0, 65536]], np.int32),
        "-1 to 9": np.array([[9, -1]], np.int32),
        "floating-point": np.array([[0, 0.9]], np.float32),
    }.items():
        path = made(tmp_path / "beyond.tif", pixels)
        with pytest.raises(CorruptFileError, match=why):
            read_picture(path, PictureShape(1, 2, 1))


def test_the_orientation_of_a_camera_is_heeded(tmp_path: Path) -> None:
    picture = Image.fromarray(COLOURS[:1])
    exif = picture.getexif()
    exif[0x0112] = 6  # turn a quarter to the right
    picture.save(tmp_path / "x.png", exif=exif)
    assert (read_picture(tmp_path / "x.png", PictureShape(None, None, 3)) == COLOURS[:1].transpose(1, 0, 2)).all()


def test_another_size_is_averaged(tmp_path: Path) -> None:
    path = made(tmp_path / "x.png", np.full((64, 32), 77, np.uint8))
    assert (read_picture(path, PictureShape(28, 28, 1)) == 77).all()
    for height, width, shape in ((None, 8, (64, 8, 1)), (8, None, (8, 32, 1)), (None, None, (64, 32, 1))):
        assert read_picture(path, PictureShape(height, width, 1)).shape == shape
    halves = made(tmp_path / "h.png", np.array([[0, 100], [50, 150]], np.uint8))
    assert read_picture(halves, PictureShape(1, 2, 1))[:, :, 0].tolist() == [[25, 125]]
    assert read_picture("elsewhere", PictureShape(1, 1, 1), halves.read_bytes()).tolist() == [[[75]]]
    with pytest.raises(CorruptFileError, match="elsewhere: not a picture"):
        read_picture("elsewhere", PictureShape(1, 1, 1), b"")
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    small = read_picture(made(tmp_path / "b.png", board.astype(np.uint8)), PictureShape(8, 8, 1))
    assert np.abs(small.astype(int) - 127).max() < 10


def test_scaling_and_arrangement() -> None:
    shape = picture_shape((None, 2, 2, 3))
    assert scale_picture(COLOURS, DataType.UINT8, shape, Scaling()).tolist() == COLOURS.tolist()
    value = scale_picture(COLOURS, DataType.FLOAT, shape, Scaling(1 / 127.5, (127.5,)))
    assert (value.min(), value.max(), value.dtype) == (-1, 1, np.float32)
    by_channel = scale_picture(COLOURS, DataType.DOUBLE, shape, Scaling(1.0, (1, 2, 3)))
    assert by_channel[1, 1].tolist() == [9, 18, 27]
    first = scale_picture(COLOURS, DataType.INT32, picture_shape((None, 3, 2, 2)), Scaling())
    assert (first == COLOURS.transpose(2, 0, 1)).all()
    assert scale_picture(COLOURS, DataType.HALF, picture_shape((None, 12)), Scaling()).shape == (12,)
    assert scale_picture(COLOURS[:, :, :1], DataType.FLOAT, picture_shape((None, 2, 2)), Scaling()).shape == (2, 2)


def test_numbers_at_the_ends_of_a_type() -> None:
    shape = PictureShape(2, 2, 3)
    for dtype, low, high in ((DataType.UINT8, 0, 255), (DataType.INT8, -128, 127), (DataType.INT16, -(1 << 15), 0)):
        mean = 255 - high if dtype is not DataType.INT16 else 255
        scale = 1.0 if dtype is not DataType.INT16 else (1 << 15) / 255
        found = scale_picture(COLOURS, dtype, shape, Scaling(scale, (mean,)))
        assert (found.min(), found.max(), found.dtype) == (low, high, dtype.numpy)
    for mean in (-0.5, 0.5):  # to the even one of both: what is -0.5 or 255.5 is 0 or 256
        with pytest.raises(GraphscopeError, match="outside of uint8") if mean < 0 else contextlib.nullcontext():
            scale_picture(COLOURS, DataType.UINT8, shape, Scaling(None, (mean,)))
    with pytest.raises(GraphscopeError, match="pixels become -1 to 254, outside of uint8"):
        scale_picture(COLOURS, DataType.UINT8, shape, Scaling(1.0, (1,)))
    zeros = scale_picture(COLOURS, DataType.FLOAT, shape, Scaling(0.0))
    assert not zeros.any(), "a scale of 0 is a scale"


def test_scaling_that_does_not_fit() -> None:
    shape = PictureShape(2, 2, 3)
    with pytest.raises(GraphscopeError, match="2 means for pictures with 3 channels"):
        scale_picture(COLOURS, DataType.FLOAT, shape, Scaling(mean=(1, 2)))
    with pytest.raises(GraphscopeError, match="pixels become -100 to 155, outside of uint8") as error:
        scale_picture(COLOURS, DataType.UINT8, shape, Scaling(mean=(100,)))
    assert "--scale and --mean" in to_words(error.value.hint)
    for dtype in (DataType.BOOL, DataType.STRING, DataType.COMPLEX64, DataType.RESOURCE):
        with pytest.raises(GraphscopeError, match=f"a {dtype.label} tensor cannot hold pixels"):
            scale_picture(COLOURS, dtype, shape, Scaling())


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    good = (FIXTURES / "digits" / "0a.png").read_bytes()
    for name, content in {"empty": b"", "text": b"no picture", "short": good[:100], "head": good[:20]}.items():
        (tmp_path / f"{name}.png").write_bytes(content)
        with pytest.raises(CorruptFileError, match=rf"{name}\.png: not a picture that Pillow can read"):
            read_picture(tmp_path / f"{name}.png", PictureShape(28, 28, 1))
    with pytest.raises(FileError, match=r"none\.png: No such file"):
        read_picture(tmp_path / "none.png", PictureShape(28, 28, 1))
    with pytest.raises(FileError, match="Is a directory"):
        read_picture(tmp_path, PictureShape(28, 28, 1))


def test_a_picture_that_would_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path / "x.png", COLOURS)
    for limit in (3, 1):  # above the limit Pillow warns, above twice the limit it refuses
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # as where no tests run: a warning is no error
            with pytest.raises(CorruptFileError, match="decompression bomb"):
                read_picture(path, PictureShape(2, 2, 3))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    assert (read_picture(path, PictureShape(2, 2, 3)) == COLOURS).all()


def test_directories(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg"):
        Image.fromarray(COLOURS).save(tmp_path / name)
    (tmp_path / "labels.txt").write_text("")
    (tmp_path / "c.png").mkdir()
    assert [p.name for p in picture_files(tmp_path)] == ["a.jpg", "b.PNG"]
    with pytest.raises(GraphscopeError, match="no pictures in this directory"):
        picture_files(tmp_path / "c.png")
    with pytest.raises(FileError, match="No such file"):
        picture_files(tmp_path / "none")
    with pytest.raises(FileError, match="Not a directory"):
        picture_files(tmp_path / "a.jpg")
