"""Random strings are what the op that takes them decodes, and what follows takes: TensorFlow runs the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.feeding.demands.demanded import Content, Demanded
from graphscope.feeding.demands.demands import apply_demands
from graphscope.feeding.demands.encoded import EncodedStrings
from graphscope.feeding.demands.inferred import Consumers
from graphscope.feeding.demands.rules import Indices
from tests.support.running import tf
from tests.support.written import graph_of

v1 = tf.compat.v1
Build = Callable[[Any], Any]
MIXED = {"a": tf.io.FixedLenFeature([3], tf.float32), "b": tf.io.FixedLenFeature([], tf.string)}


def times(values: Any, rows: int) -> Any:
    return tf.matmul(tf.cast(values, tf.float32), tf.ones([rows, 3]))


def raw(values: Any, dtype: Any = tf.float32) -> Any:
    return v1.decode_raw(values, dtype)


def record(x: Any) -> Any:
    """As CIFAR-10 has it: a byte for the class, then the pixels."""
    numbers = raw(x, tf.uint8)
    return tf.reshape(numbers[1:], [3, 4, 4]) + tf.strided_slice(numbers, [0], [1])


def picture_of_example(x: Any) -> Any:
    return tf.reshape(raw(tf.io.parse_single_example(x, MIXED)["b"], tf.uint8), [4, 4])


def pictures_of_examples(x: Any) -> Any:
    """As an exported detector has it: a batch of pictures, decoded one by one in a loop."""
    encoded = tf.io.parse_example(x, MIXED)["b"]
    v1.disable_control_flow_v2()
    try:
        return tf.map_fn(
            lambda p: tf.image.resize(tf.io.decode_jpeg(p, 3), [4, 4]), encoded, fn_output_signature=tf.float32
        )
    finally:
        v1.enable_control_flow_v2()


def looped(x: Any) -> Any:
    v1.disable_control_flow_v2()
    try:
        return mapped(x)
    finally:
        v1.enable_control_flow_v2()


def mapped(x: Any) -> Any:
    return tf.map_fn(lambda text: tf.reshape(raw(text), [5]), x, fn_output_signature=tf.float32)


@pytest.mark.parametrize(
    ("build", "takes", "gives"),
    [
        (lambda x: times(tf.reshape(raw(x, tf.uint8), [-1, 784]), 784), [], (1, 3)),
        (lambda x: tf.reshape(tf.cast(raw(x), tf.float64), [4, 4, 1]), [], (4, 4, 1)),
        (lambda x: tf.reshape(raw(x), [4, 4]), [None], (4, 4)),
        (lambda x: tf.reshape(raw(x), [6, 5]), [3], (6, 5)),
        (lambda x: times(raw(x, tf.float16), 4), [None], (2, 3)),
        (lambda x: raw(x, tf.int64) * 2, None, (2, 2)),
        (record, [], (3, 4, 4)),
        (lambda x: tf.slice(raw(x), [0, 2], [-1, 3]), [None], (2, 3)),
        (lambda x: times(tf.io.decode_raw(x, tf.int32, fixed_length=16), 4), [None], (2, 3)),
        (lambda x: times(raw(tf.io.decode_base64(x)), 4), [None], (2, 3)),
        (lambda x: times(raw(tf.io.decode_compressed(x, "GZIP")), 4), [None], (2, 3)),
        (lambda x: tf.strings.to_number(tf.io.decode_compressed(x, "ZLIB"), tf.int32), [None], (2,)),
        (tf.strings.to_number, [None, 3], (2, 3)),
        (lambda x: times(tf.io.parse_tensor(x, tf.float32), 4), [], (2, 3)),
        (lambda x: tf.strings.length(tf.io.parse_tensor(x, tf.string)), [], (2,)),
        (lambda x: tf.io.decode_csv(x, [[0.0], tf.constant([], tf.int64), [""]])[1], [None], (2,)),
        (lambda x: tf.io.decode_csv(x, [[0.0], [0]], "\t", select_cols=[1, 4])[1], [None], (2,)),
        (lambda x: tf.io.parse_example(tf.io.decode_json_example(x), MIXED)["a"], [None], (2, 3)),
        (lambda x: v1.parse_example(x, MIXED)["a"], [None], (2, 3)),
        (picture_of_example, [], (4, 4)),
        (lambda x: tf.image.resize(tf.io.decode_jpeg(x, 1), [4, 4]), [], (4, 4, 1)),
        (lambda x: tf.reshape(tf.io.decode_png(x, 3), [9, 8, 3]), [], (9, 8, 3)),
        (lambda x: times(tf.reshape(tf.io.decode_png(x, 1), [-1, 784]), 784), [], (1, 3)),
        (tf.io.decode_bmp, [], (64, 64, 3)),
        (tf.io.decode_gif, [], (1, 64, 64, 3)),
        (lambda x: tf.image.decode_image(x, 3, expand_animations=False), [], (64, 64, 3)),
        (lambda x: tf.image.decode_and_crop_jpeg(x, [1, 2, 5, 6]), [], (5, 6, 3)),
        (lambda x: tf.audio.decode_wav(x, 1, 400)[0], [], (400, 1)),
        (pictures_of_examples, [None], (2, 4, 4, 3)),
        (mapped, [None], (2, 5)),
        (looped, [None], (2, 5)),
        (lambda x: tf.function(lambda text: tf.reshape(raw(text), [5]))(x), [], (5,)),
    ],
)
def test_tensorflow_decodes_random_strings(build: Build, takes: Any, gives: tuple[int, ...], tmp_path: Any) -> None:
    with tf.Graph().as_default() as graph:
        tf.identity(build(v1.placeholder(tf.string, takes, "x")), name="y")
    (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    report = graphscope.verify(tmp_path / "m.pb", tmp_path / "m.pb", outputs=["y"])
    assert report.outputs
    value = graphscope.run(tmp_path / "m.pb", {"x": "random"}, outputs=["y"], batch=2)["y"]
    assert value.shape == gives


def bound(spec: TensorSpec) -> int:
    return spec.content.below if isinstance(spec, Demanded) and isinstance(spec.content, Indices) else 0


def encoded(text: str, out_type: DataType = DataType.INVALID) -> Content | None:
    graph = graph_of(["x Placeholder", *map(str.strip, text.split(";"))])
    for node in graph.consumers("x"):
        node.proto.attr["out_type"].type = int(out_type)
    found = apply_demands(TensorSpec("x:0", DataType.STRING, ()), Consumers(graph))
    return found.content if isinstance(found, Demanded) else None


def test_bytes_are_in_the_order_of_the_op() -> None:
    content = encoded('y DecodeRaw{"little_endian":false} x; n Const:int32=[3]; z Reshape y n', DataType.INT16)
    assert isinstance(content, EncodedStrings)
    assert content.encode(lambda numbers: np.arange(numbers.shape[0], dtype=np.int16)) == b"\0\0\0\1\0\2"


def test_indices_of_decoded_numbers_stay_within_what_they_index() -> None:
    content = encoded("y DecodeRaw x; w Const=[[1,2],[3,4],[5,6]]; z Gather w y", DataType.INT32)
    assert isinstance(content, EncodedStrings)
    assert content.encode(lambda numbers: np.array([bound(numbers)], np.int32)) == b"\3\0\0\0"


@pytest.mark.parametrize("text", ["y Identity x", "y DecodeRaw x", "y StringToNumber x", "y DecodePaddedRaw x lost"])
def test_any_string_will_do(text: str) -> None:
    assert not isinstance(encoded(text), EncodedStrings)


def test_long_chains_end() -> None:
    chain = "; ".join(f"x{i + 1} DecodeBase64 x{i or ''}".replace("x0", "x") for i in range(2000))
    assert isinstance(encoded(chain), EncodedStrings)
