"""Channels first to channels last and back: the same numbers as a network that TensorFlow built in that format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphscope.core.graph import Graph
from graphscope.errors import GraphscopeError
from graphscope.transforms.data_format import Layouts, convert_data_format, wrap_layout_ops
from tests.support.running import Array, built, run_graph, tf

v1 = tf.compat.v1
FIRST, LAST = "NCHW", "NHWC"


def weights(*shape: int) -> Any:
    return tf.constant(np.random.default_rng(sum(shape)).uniform(-0.4, 0.4, shape).astype(np.float32))


class Net:
    """Builds layers in one format."""

    def __init__(self, data_format: str) -> None:
        self.format = data_format
        self.axis = data_format.index("C")
        self.image = [data_format.index("H"), data_format.index("W")]

    def sizes(self, height: int, width: int) -> list[int]:
        return [{"N": 1, "C": 1, "H": height, "W": width}[axis] for axis in self.format]

    def pairs(self, **given: list[int]) -> list[list[int]]:
        return [given.get(axis, [0, 0]) for axis in self.format]

    def conv(self, x: Any, *shape: int, stride: int = 1) -> Any:
        return tf.raw_ops.Conv2D(
            input=x, filter=weights(*shape), strides=self.sizes(stride, stride), padding="SAME", data_format=self.format
        )

    def last(self, x: Any) -> Any:
        """In channels last, as both formats have it."""
        return x if self.format == LAST else tf.transpose(x, [0, 2, 3, 1])


def residual(x: Any, net: Net) -> Any:
    x = tf.nn.bias_add(net.conv(x, 3, 3, 3, 4), weights(4), data_format=net.format)
    branch = tf.nn.relu(net.conv(x, 1, 1, 4, 4))
    return tf.reduce_mean(tf.nn.relu(x + branch * 0.5), net.image) @ weights(4, 2)


def normalized(x: Any, net: Net) -> Any:
    x, *_ = tf.raw_ops.FusedBatchNormV3(
        x=net.conv(x, 3, 3, 3, 4), scale=weights(4), offset=weights(4), mean=weights(4), variance=weights(4) ** 2 + 1,
        is_training=False, data_format=net.format,
    )  # fmt: skip
    scale = np.linspace(0, 1, 4, dtype=np.float32).reshape([1, 1, 1, 4] if net.format == LAST else [1, 4, 1, 1])
    return net.last(x * np.float32(2.0) + scale)


def scaled_by_rank_3(x: Any, net: Net) -> Any:
    x = net.conv(x, 1, 1, 3, 4)
    scale = np.linspace(0, 1, 4, dtype=np.float32)
    return net.last(tf.nn.relu(x * (scale if net.format == LAST else scale[:, None, None])))


def pooled(x: Any, net: Net) -> Any:
    x = tf.raw_ops.MaxPool(
        input=net.conv(x, 2, 2, 3, 2),
        ksize=net.sizes(2, 3),
        strides=net.sizes(2, 1),
        padding="VALID",
        data_format=net.format,
    )
    x = tf.raw_ops.AvgPool(
        value=x, ksize=net.sizes(3, 1), strides=net.sizes(1, 2), padding="SAME", data_format=net.format
    )
    return net.last(x)


def joined(x: Any, net: Net) -> Any:
    a, b = net.conv(x, 1, 1, 3, 2), net.conv(x, 3, 3, 3, 4)
    one, other = tf.split(tf.concat([a, b], net.axis), 2, axis=net.axis - 4)
    padded = tf.pad(one - other, net.pairs(H=[1, 2], W=[0, 1]))
    return net.last(tf.concat([padded, padded], net.format.index("W")))


def depthwise(x: Any, net: Net) -> Any:
    x = tf.raw_ops.DepthwiseConv2dNative(
        input=x, filter=weights(3, 3, 3, 2), strides=[1, 1, 1, 1], padding="EXPLICIT",
        explicit_paddings=[size for pair in net.pairs(H=[1, 0], W=[2, 1]) for size in pair], data_format=net.format,
    )  # fmt: skip
    return tf.squeeze(tf.reduce_max(x, net.image, keepdims=True), net.image)


def deconvolved(x: Any, net: Net) -> Any:
    sizes = {"N": 2, "C": 2, "H": 12, "W": 16}
    x = tf.raw_ops.Conv2DBackpropInput(
        input_sizes=[sizes[axis] for axis in net.format], filter=weights(2, 2, 2, 3), out_backprop=x,
        strides=net.sizes(2, 2), padding="SAME", data_format=net.format,
    )  # fmt: skip
    return net.last(x)


def shaped(x: Any, net: Net) -> Any:
    x = net.conv(x, 1, 1, 3, 2)
    return tf.cast(tf.shape(x)[net.format.index("W")], tf.float32) * tf.ones([2])


def blocks(x: Any, net: Net) -> Any:
    return net.last(tf.raw_ops.SpaceToDepth(input=x, block_size=2, data_format=net.format))


def flattened(x: Any, net: Net) -> Any:
    x = net.last(net.conv(x, 6, 8, 3, 5, stride=8))
    return tf.reshape(x, [-1, 5])


NETS: list[Callable[[Any, Net], Any]] = [
    residual, normalized, scaled_by_rank_3, pooled, joined, depthwise, deconvolved, shaped, blocks, flattened,
]  # fmt: skip


def graph_in(data_format: str, build: Callable[[Any, Net], Any], batch: int | None = 2) -> Graph:
    sizes = {"N": batch, "C": 3, "H": 6, "W": 8}

    def make() -> None:
        x = v1.placeholder(tf.float32, [sizes[axis] for axis in data_format], name="x")
        tf.identity(build(x, Net(data_format)), name="y")

    return built(make)


def images() -> Array:
    return np.random.default_rng(0).uniform(-1, 1, (2, 6, 8, 3)).astype(np.float32)


def computed(graph: Graph, x: Array) -> Array:
    return run_graph(graph, ["y:0"], {"x:0": x})[0]


def transposes(graph: Graph) -> int:
    return graph.ops.count("Transpose")


@pytest.mark.parametrize("batch", [2, None])
@pytest.mark.parametrize("build", NETS, ids=lambda build: build.__name__)
def test_channels_last_of_channels_first(build: Callable[[Any, Net], Any], batch: int | None) -> None:
    expected = computed(graph_in(LAST, build), images())
    first = graph_in(FIRST, build, batch)
    found = convert_data_format(first, LAST, ["y"])
    x = images().transpose(0, 3, 1, 2)
    np.testing.assert_allclose(computed(found.graph, x), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(computed(wrap_layout_ops(first, Layouts.to(LAST)), x), expected, rtol=1e-5, atol=1e-6)
    assert transposes(found.graph) == found.transposes == 1
    assert found.graph["x"].proto == first["x"].proto


@pytest.mark.parametrize("build", NETS, ids=lambda build: build.__name__)
def test_there_and_back(build: Callable[[Any, Net], Any]) -> None:
    graph = graph_in(LAST, build)
    first = convert_data_format(graph, FIRST, ["y"])
    assert first.moved
    back = convert_data_format(first.graph, LAST, ["y"])
    np.testing.assert_allclose(computed(back.graph, images()), computed(graph, images()), rtol=1e-5, atol=1e-6)


def test_an_output_keeps_its_format_and_name() -> None:
    def build(x: Any, net: Net) -> Any:
        return tf.nn.relu(net.conv(x, 1, 1, 3, 4), name="hidden")

    found = convert_data_format(graph_in(FIRST, build), LAST, ["hidden", "y"]).graph
    hidden, y = run_graph(found, ["hidden:0", "y:0"], {"x:0": images().transpose(0, 3, 1, 2)})
    expected = computed(graph_in(LAST, build), images()).transpose(0, 3, 1, 2)
    for value in (hidden, y):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def test_what_is_not_known_takes_the_old_format() -> None:
    def build(x: Any, net: Net) -> Any:
        return tf.reverse(net.conv(x, 1, 1, 3, 4), [1])

    found = convert_data_format(graph_in(FIRST, build), LAST, ["y"])
    expected = computed(graph_in(LAST, lambda x, net: net.conv(x, 1, 1, 3, 4)), images())
    value = computed(found.graph, images().transpose(0, 3, 1, 2))
    np.testing.assert_allclose(value, expected.transpose(0, 3, 1, 2)[:, ::-1], rtol=1e-5, atol=1e-6)


def test_nothing_to_do() -> None:
    graph = graph_in(LAST, residual)
    assert convert_data_format(graph, LAST, ["y"]).graph is graph


def test_ops_without_a_counterpart_are_named() -> None:
    def with_gradient() -> None:
        x = v1.placeholder(tf.float32, [2, 3, 6, 8], name="x")
        kernel = tf.ones([1, 1, 3, 4])
        y = tf.nn.conv2d(x, kernel, 1, "SAME", data_format=FIRST)
        tf.identity(v1.gradients(y, kernel)[0], name="y")

    with pytest.raises(GraphscopeError, match=r"cannot be written in NHWC: .*\(Conv2DBackpropFilter\)"):
        convert_data_format(built(with_gradient), LAST, ["y"])
