"""Folders of class folders with pictures."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from graphscope.cli.terminal.wording import to_words
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, GraphscopeError
from graphscope.formats.media.pictures import Scaling
from tests.support.data_files import (
    PICTURE,
    VECTOR,
    cache,
    everything,
    keys_of,
    labels_of,
    opened,
    pixels,
    write_pictures,
)
from tests.support.fixture_files import FIXTURES

__all__ = ["cache"]


def test_pictures_and_classes(tmp_path: Path) -> None:
    files = write_pictures(tmp_path / "d", {"tulip": 2, "rose": 3})
    source = opened(tmp_path / "d", PICTURE, classes=2)
    assert source.classes == ("rose", "tulip")
    assert labels_of(source) == [0, 0, 0, 1, 1]
    assert keys_of(source) == ["rose/0.png", "rose/1.png", "rose/2.png", "tulip/0.png", "tulip/1.png"]
    expected = np.stack([files[key] for key in keys_of(source)]) / 255
    np.testing.assert_allclose(everything(source), expected, rtol=1e-7)
    np.testing.assert_allclose(source.read(np.array([4, 0])), expected[[4, 0]], rtol=1e-7)
    scaled = everything(opened(tmp_path / "d", PICTURE, scaling=Scaling(1.0, (100.0, 110.0, 120.0))))
    np.testing.assert_allclose(scaled, expected * 255 - [100, 110, 120], atol=1e-4)


@pytest.mark.parametrize(("digits", "are_names"), [(18, False), (19, True)])
def test_numbers_that_64_bits_have_and_others(tmp_path: Path, digits: int, are_names: bool) -> None:
    write_pictures(tmp_path / "d", {"a": 2})
    for number in range(2):
        (tmp_path / "d" / "a" / f"{number}.png").rename(tmp_path / "d" / f"{number}.png")
    (tmp_path / "d" / "a").rmdir()
    numbers = ["9" * digits, "8" * digits]
    (tmp_path / "d" / "labels.txt").write_text("".join(f"{i}.png {number}\n" for i, number in enumerate(numbers)))
    if are_names:
        source = opened(tmp_path / "d", PICTURE, classes=2)
        assert (source.classes, labels_of(source)) == (tuple(sorted(numbers)), [1, 0])
    else:
        with pytest.raises(GraphscopeError, match=r"example 0\.png: label 9+ is not the number of a class"):
            opened(tmp_path / "d", PICTURE, classes=2)


def test_pictures_are_brought_to_the_inputs_size(tmp_path: Path) -> None:
    write_pictures(tmp_path / "d", {"a": 2}, (20, 12))
    assert everything(opened(tmp_path / "d", PICTURE)).shape == (2, 8, 8, 3)
    any_size = TensorSpec("input:0", DataType.FLOAT, (None, None, None, 3))
    assert everything(opened(tmp_path / "d", any_size, size=(6, 10))).shape == (2, 6, 10, 3)
    with pytest.raises(GraphscopeError, match="takes pictures of any size") as caught:
        everything(opened(tmp_path / "d", any_size))
    assert "--size" in to_words(caught.value.hint)
    with pytest.raises(GraphscopeError, match="cannot take pictures"):
        everything(opened(tmp_path / "d", VECTOR))


def test_jpeg_and_strings(tmp_path: Path) -> None:
    (tmp_path / "d" / "a").mkdir(parents=True)
    Image.fromarray(pixels(8, 8, 3)).save(tmp_path / "d" / "a" / "x.JPG", "JPEG", quality=95)
    truth = np.asarray(Image.open(tmp_path / "d" / "a" / "x.JPG")) / 255
    np.testing.assert_allclose(everything(opened(tmp_path / "d", PICTURE))[0], truth, rtol=1e-7)
    strings = opened(tmp_path / "d", TensorSpec("contents:0", DataType.STRING, (None,)))
    assert everything(strings).tolist() == [(tmp_path / "d" / "a" / "x.JPG").read_bytes()]


def spoilt(directory: Path) -> Path:
    write_pictures(directory, {"a": 3, "b": 2})
    whole = (directory / "a" / "1.png").read_bytes()
    (directory / "a" / "1.png").write_bytes(whole[: len(whole) // 2])
    (directory / "b" / "0.png").write_bytes(b"<html>not found</html>")
    return directory


def test_unreadable_pictures_are_skipped_and_named(tmp_path: Path) -> None:
    source = opened(spoilt(tmp_path / "d"), PICTURE)
    assert keys_of(source) == ["a/0.png", "a/2.png", "b/1.png"]
    assert labels_of(source) == [0, 0, 1]
    assert list(source.notes) == ["2 unreadable pictures skipped: a/1.png, b/0.png"]
    assert everything(source).shape == (3, 8, 8, 3)
    with pytest.raises(CorruptFileError, match=r"a/1\.png"):
        opened(tmp_path / "d", PICTURE, strict=True)


def test_pictures_that_lie_elsewhere_are_named(tmp_path: Path) -> None:
    write_pictures(tmp_path / "d", {"a": 1, "b": 2})
    write_pictures(tmp_path / "d" / "a", {"inner": 1, ".hidden": 1})
    (tmp_path / "d" / "b" / "1.png").rename(tmp_path / "d" / "loose.png")
    (tmp_path / "d" / "notes.txt").write_text("no picture")
    source = opened(tmp_path / "d", PICTURE)
    assert keys_of(source) == ["a/0.png", "b/0.png"]
    assert list(source.notes) == ["not read, because pictures lie in class folders: loose.png, a/inner/"]


def test_which_are_unreadable_is_remembered_until_a_file_changes(tmp_path: Path, cache: Path) -> None:
    opened(spoilt(tmp_path / "d"), PICTURE)
    [memory] = cache.iterdir()
    memory.write_text("{}")
    assert len(opened(tmp_path / "d", PICTURE)) == 5, "what is remembered counts, nothing is decoded again"
    with pytest.raises(CorruptFileError, match=r"a/1\.png"):
        everything(opened(tmp_path / "d", PICTURE))
    os.utime(tmp_path / "d" / "a" / "0.png", ns=(1, 1))
    assert len(opened(tmp_path / "d", PICTURE)) == 3


def test_classes_without_pictures(tmp_path: Path) -> None:
    write_pictures(tmp_path / "d", {"a": 1})
    (tmp_path / "d" / "b").mkdir()
    with pytest.raises(GraphscopeError, match="d/b: a class folder without pictures"):
        opened(tmp_path / "d", PICTURE)
    (tmp_path / "d" / "b" / "x.png").write_bytes(b"no picture")
    with pytest.raises(GraphscopeError, match="d/b: no picture of this class can be read"):
        opened(tmp_path / "d", PICTURE)
    (tmp_path / "d" / "b" / "x.png").unlink()
    (tmp_path / "d" / "b").rmdir()
    (tmp_path / "d" / ".hidden").mkdir()
    (tmp_path / "d" / "notes.txt").write_text("hello")
    assert opened(tmp_path / "d", PICTURE).classes == ("a",)


def test_no_class_folders(tmp_path: Path) -> None:
    write_pictures(tmp_path / "d", {"a": 2})
    with pytest.raises(GraphscopeError, match="no class folders") as caught:
        opened(tmp_path / "d" / "a", PICTURE)
    assert "one folder for each class" in to_words(caught.value.hint)
    (tmp_path / "e").mkdir()
    (tmp_path / "d").rename(tmp_path / "e" / "train")
    with pytest.raises(GraphscopeError, match="without pictures") as caught:
        opened(tmp_path / "e", PICTURE)
    assert f"is {tmp_path}/e/train the folder of class folders?" in to_words(caught.value.hint)


def test_the_fingerprint_follows_files_and_preprocessing(tmp_path: Path) -> None:
    write_pictures(tmp_path / "d", {"a": 2, "b": 2})

    def fingerprint(**options: object) -> str:
        return opened(tmp_path / "d", PICTURE, **options).fingerprint

    prints = [fingerprint(), fingerprint(scaling=Scaling(1.0)), fingerprint(only_classes=("a",))]
    assert fingerprint() == prints[0]
    picture = tmp_path / "d" / "a" / "0.png"
    before = picture.stat()
    Image.fromarray(pixels(8, 8, 3, seed=77)).save(picture, compress_level=1)
    os.utime(picture, ns=(before.st_atime_ns, before.st_mtime_ns))
    prints.append(fingerprint())
    picture.rename(picture.with_name("9.png"))
    prints.append(fingerprint())
    assert len(set(prints)) == 5


def test_pictures_with_a_list_of_labels(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"d": 3})
    (tmp_path / "d" / "labels.txt").write_text("2.png ape\n0.png zebra\n1.png\tape\n9.png cow\n")
    source = opened(tmp_path / "d", PICTURE)
    assert (source.classes, labels_of(source)) == (("ape", "zebra"), [1, 0, 0])
    assert keys_of(source) == ["0.png", "1.png", "2.png"]
    (tmp_path / "d" / "labels.txt").write_text("0.png 10\n1.png 2\n2.png 10\n")
    numbered = opened(tmp_path / "d", PICTURE, classes=11)
    assert (numbered.classes, labels_of(numbered)) == ((), [10, 2, 10])
    (tmp_path / "d" / "1.png").write_bytes(b"spoilt")
    assert labels_of(opened(tmp_path / "d", PICTURE)) == [10, 10]
    (tmp_path / "d" / "labels.txt").write_text("0.png 10\n")
    with pytest.raises(GraphscopeError, match=r"labels\.txt does not name each picture"):
        opened(tmp_path / "d", PICTURE)


def test_the_digits_of_the_fixtures() -> None:
    source = opened(FIXTURES / "digits", TensorSpec("input:0", DataType.FLOAT, (None, 784)), classes=10)
    assert labels_of(source) == [int(key[0]) for key in keys_of(source)]
    pixels_of = [np.asarray(Image.open(FIXTURES / "digits" / key)).reshape(784) for key in keys_of(source)]
    np.testing.assert_allclose(everything(source), np.stack(pixels_of) / 255, rtol=1e-6)
