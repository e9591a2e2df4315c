"""TFRecords of ``tf.train.Example`` that TensorFlow wrote."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from graphscope.cli.terminal.wording import to_words
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, GraphscopeError
from tests.support.data_files import PICTURE, cache, everything, keys_of, labels_of, opened, pixels, random
from tests.support.running import tf

__all__ = ["cache"]

COUNT = 7
PICTURES = [pixels(8, 8, 3, seed=i) for i in range(COUNT)]
VALUES = random(COUNT, 8, 8, 3)


def feature(value: Any) -> Any:
    items = value if isinstance(value, list) else [value]
    kinds = {
        bytes: lambda: tf.train.Feature(bytes_list=tf.train.BytesList(value=items)),
        float: lambda: tf.train.Feature(float_list=tf.train.FloatList(value=items)),
        int: lambda: tf.train.Feature(int64_list=tf.train.Int64List(value=items)),
    }
    return kinds[type(items[0]) if items else int]()


def encoded(picture: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def example(number: int) -> bytes:
    features = {
        "png": encoded(PICTURES[number]),
        "bytes": PICTURES[number].tobytes(),
        "raw": VALUES[number].tobytes(),
        "floats": VALUES[number].reshape(-1).tolist(),
        "ints": PICTURES[number].reshape(-1).tolist(),
        "label": number % 3,
        "name": b"zebra" if number % 2 else b"ape",
        "many": list(range(number % 3)),
        "target": [number / 4, -float(number)],
        "file": f"photo{number}.png".encode(),
    }
    wrapped = tf.train.Features(feature={name: feature(value) for name, value in features.items()})
    content: bytes = tf.train.Example(features=wrapped).SerializeToString()
    return content


def written(path: Path, numbers: range = range(COUNT), compression: str = "") -> Path:
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type=compression)) as writer:
        for number in numbers:
            writer.write(example(number))
    return path


COMPRESSIONS = pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
INPUTS = {
    "png": np.stack(PICTURES) / 255,
    "bytes": np.stack(PICTURES) / 255,
    "raw": VALUES,
    "floats": VALUES,
    "ints": np.stack(PICTURES),
}


@COMPRESSIONS
@pytest.mark.parametrize("name", INPUTS)
def test_inputs(tmp_path: Path, compression: str, name: str) -> None:
    path = written(tmp_path / "a.tfrecord", compression=compression)
    source = opened(path, PICTURE, schema=f"x={name},y=label", classes=3)
    assert labels_of(source) == [i % 3 for i in range(COUNT)]
    np.testing.assert_allclose(everything(source), INPUTS[name], rtol=1e-6)
    np.testing.assert_allclose(source.read(np.array([5, 0, 6])), INPUTS[name][[5, 0, 6]], rtol=1e-6)


def test_inputs_are_what_tensorflow_parses(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tfrecord")
    stated = {name: tf.io.FixedLenFeature([], tf.string) for name in ("png", "raw")}
    stated["floats"] = tf.io.FixedLenFeature([8, 8, 3], tf.float32)
    parsed = [tf.io.parse_single_example(record, stated) for record in tf.data.TFRecordDataset(str(path))]
    raw = [tf.reshape(tf.io.decode_raw(p["raw"], tf.float32), (8, 8, 3)).numpy() for p in parsed]
    np.testing.assert_array_equal(everything(opened(path, PICTURE, schema="x=raw,y=label")), raw)
    floats = [p["floats"].numpy() for p in parsed]
    np.testing.assert_array_equal(everything(opened(path, PICTURE, schema="x=floats,y=label")), floats)
    png = [tf.io.decode_png(p["png"]).numpy() for p in parsed]
    as_bytes = TensorSpec("input:0", DataType.UINT8, (None, 8, 8, 3))
    np.testing.assert_array_equal(everything(opened(path, as_bytes, schema="x=png,y=label")), png)
    strings = opened(path, TensorSpec("contents:0", DataType.STRING, (None,)), schema="x=png,y=label")
    assert everything(strings).tolist() == [p["png"].numpy() for p in parsed]


def test_labels_and_keys(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tfrecord")
    named = opened(path, PICTURE, schema="x=raw,y=name,key=file", classes=2)
    assert (labels_of(named), named.classes) == ([0, 1, 0, 1, 0, 1, 0], ("ape", "zebra"))
    assert keys_of(named) == [f"photo{i}.png" for i in range(COUNT)]
    many = opened(path, PICTURE, schema="x=raw,y=many", task="multilabel", classes=2)
    assert labels_of(many) == [[float(i % 3 > j) for j in range(2)] for i in range(COUNT)]
    targets = opened(path, PICTURE, schema="x=raw,y=target", task="regression", classes=2)
    np.testing.assert_array_equal(targets.labels, [[i / 4, -i] for i in range(COUNT)])
    assert keys_of(targets)[:2] == ["a.tfrecord:0", "a.tfrecord:1"]
    assert targets.keys[-1] == "a.tfrecord:6"


def test_several_files(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for name, numbers in (("b-1", range(2, 7)), ("a-0", range(2))):
        written(tmp_path / "d" / name, numbers)
    (tmp_path / "d" / "readme.txt").write_text("hello")
    for data in (tmp_path / "d", tmp_path / "d" / "*-?"):
        source = opened(data, PICTURE, schema="x=raw,y=label")
        np.testing.assert_array_equal(everything(source), VALUES)
        assert keys_of(source) == ["a-0:0", "a-0:1", *(f"b-1:{i}" for i in range(5))]
        np.testing.assert_array_equal(source.read(np.array([6, 1, 2])), VALUES[[6, 1, 2]])


def test_an_index_is_made_once(tmp_path: Path, cache: Path) -> None:
    path = written(tmp_path / "a.tfrecord", range(3))
    opened(path, PICTURE, schema="x=raw,y=label")
    [index] = cache.iterdir()
    before = index.stat().st_mtime_ns
    first = opened(path, PICTURE, schema="x=png,y=label")
    assert [p.stat().st_mtime_ns for p in cache.iterdir()] == [before], "another input needs no other index"
    written(path)
    again = opened(path, PICTURE, schema="x=png,y=label")
    assert (len(first), len(again)) == (3, COUNT)
    assert first.fingerprint != again.fingerprint


def test_without_a_schema_the_features_are_listed(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tfrecord")
    with pytest.raises(GraphscopeError, match=r"floats \(float32 192\).*label \(int64\).*png \(bytes\)") as caught:
        opened(path, PICTURE)
    assert to_words(caught.value.hint).startswith("--schema x=floats,y=label ")
    with pytest.raises(GraphscopeError, match=r"a\.tfrecord record 0: no feature is named 'labels'; features: bytes"):
        opened(path, PICTURE, schema="x=png,y=labels")
    with pytest.raises(GraphscopeError, match="no feature is named 'image'"):
        everything(opened(path, PICTURE, schema="x=image,y=label"))
    with pytest.raises(GraphscopeError, match=r"an example is \(2\)"):
        everything(opened(path, PICTURE, schema="x=target,y=label"))


def test_damaged_files(tmp_path: Path, cache: Path) -> None:
    path = written(tmp_path / "a.tfrecord")
    whole = path.read_bytes()
    source = opened(path, PICTURE, schema="x=raw,y=label")
    for content in (whole[:-3], whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:]):
        path.write_bytes(content)
        with pytest.raises(CorruptFileError, match=r"a\.tfrecord, byte"):
            everything(opened(path, PICTURE, schema="x=raw,y=label"))
    with pytest.raises(CorruptFileError, match=r"a\.tfrecord, byte"):
        everything(source)
    path.write_bytes(zlib.compress(whole)[:-20])
    with pytest.raises(CorruptFileError, match="compressed data ends early"):
        opened(path, PICTURE, schema="x=raw,y=label")
    assert not [p for p in cache.iterdir() if p.name.startswith("inflated")], "what broke off is not kept"


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with tf.io.TFRecordWriter(str(tmp_path / "a")) as writer:
        content = {"png": feature(encoded(PICTURES[0])[:50]), "label": feature(1)}
        writer.write(tf.train.Example(features=tf.train.Features(feature=content)).SerializeToString())
        writer.write(b"\xff\xff")
    with pytest.raises(CorruptFileError, match=r"a record 1: not a valid tf\.train\.Example"):
        opened(tmp_path / "a", PICTURE, schema="x=png,y=label")
    with tf.io.TFRecordWriter(str(tmp_path / "a")) as writer:
        writer.write(tf.train.Example(features=tf.train.Features(feature=content)).SerializeToString())
    with pytest.raises(CorruptFileError, match="a record 0: not a picture"):
        everything(opened(tmp_path / "a", PICTURE, schema="x=png,y=label"))
