"""Batch norms folded into the layers before them: TensorFlow runs the graph before and after."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import graphscope
from graphscope.core.graph import Graph
from graphscope.formats.pieces import flow, graph_pieces
from graphscope.transforms.batchnorm import fold_batch_norms
from graphscope.transforms.cut import cut
from tests.zoo_files import ZOO, needs_zoo

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
tf = pytest.importorskip("tensorflow", reason="TensorFlow runs the graphs before and after")
v1 = tf.compat.v1

Array = NDArray[Any]
Build = Callable[[], Any]
NAMES = {"name": "out"}


def built(path: Path, build: Build, edit: Callable[[Any], object] = lambda proto: None) -> Graph:
    """What ``build`` makes, through a file, so that large weights are payloads; ``edit`` may change the message."""
    with tf.Graph().as_default() as graph:
        build()
    proto = graph.as_graph_def()
    edit(proto)
    file = path / "graph.pb"
    file.write_bytes(proto.SerializeToString())
    return loaded(file)


def loaded(file: Path) -> Graph:
    graph = graphscope.load(file).graph
    assert graph is not None
    return graph


def serialized(graph: Graph) -> bytes:
    return b"".join(flow(graph_pieces(graph)))


def run(graph: Graph, outputs: Iterable[str], feeds: Mapping[str, Array]) -> list[Array]:
    with tf.Graph().as_default() as imported:
        tf.import_graph_def(v1.GraphDef.FromString(serialized(graph)), name="")
        config = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
        with v1.Session(graph=imported, config=config) as session:
            found = session.run([f"{name}:0" for name in outputs], {f"{name}:0": value for name, value in feeds.items()})
    return [np.asarray(value).astype(np.float64) for value in found]


def random_feeds(graph: Graph) -> dict[str, Array]:
    """Random values for the placeholders; unknown dimensions are 2."""
    rng = np.random.default_rng(3)
    feeds = {}
    for node in graph:
        if node.op == "Placeholder":
            dtype = tf.as_dtype(node.attrs["dtype"].type).as_numpy_dtype
            shape = [d.size if d.size >= 0 else 2 for d in node.attrs["shape"].shape.dim]
            feeds[node.name] = rng.normal(size=shape).astype(dtype)
    return feeds


def assert_folded(graph: Graph, outputs: Iterable[str] = ("out",), tolerance: float = 1e-5, keep: Any = ()) -> Graph:
    """The graph after folding, which computes the same as before within ``tolerance`` of its largest value."""
    before = serialized(graph)
    folded = fold_batch_norms(graph, keep=keep)
    assert folded is not graph
    assert serialized(graph) == before
    assert fold_batch_norms(folded, keep=keep) is folded
    result = cut(folded, list(outputs))
    feeds = random_feeds(graph)
    for name, old, new in zip(outputs, run(graph, outputs, feeds), run(result, outputs, feeds)):
        assert np.abs(old).max() > 1e-3
        assert np.isfinite(old).all()
        assert np.abs(old - new).max() <= tolerance * np.abs(old).max(), name
    return result


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed + sum(shape)).normal(size=shape).astype(np.float32)


def positive(*shape: int) -> Array:
    return (np.abs(numbers(*shape, seed=7)) + 0.1).astype(np.float32)


# Layers: what comes before a batch norm. Each gives its output, its number of channels and where they are.

Layer = tuple[Any, int, str]


def placeholder(*shape: int, dtype: Any = np.float32) -> Any:
    return v1.placeholder(dtype, shape, name="x")


def conv2d() -> Layer:
    return v1.nn.conv2d(placeholder(2, 7, 6, 3), numbers(3, 3, 3, 16), [1, 2, 1, 1], "SAME", name="layer"), 16, "NHWC"


def conv2d_first() -> Layer:
    weights = numbers(3, 3, 3, 16)
    return v1.nn.conv2d(placeholder(2, 3, 7, 16), weights, [1] * 4, "SAME", data_format="NCHW", name="layer"), 16, "NCHW"


def conv2d_groups() -> Layer:
    return v1.nn.conv2d(placeholder(2, 7, 6, 4), numbers(3, 3, 2, 6), [1] * 4, "VALID", name="layer"), 6, "NHWC"


def depthwise() -> Layer:
    weights = numbers(3, 3, 4, 3)
    strides = [1, 1, 1, 1]
    output = tf.raw_ops.DepthwiseConv2dNative(
        input=placeholder(2, 7, 6, 4), filter=weights, strides=strides, padding="SAME", name="layer"
    )
    return output, 12, "NHWC"


def depthwise_first() -> Layer:
    weights = numbers(3, 3, 4, 2)
    output = tf.raw_ops.DepthwiseConv2dNative(
        input=placeholder(2, 4, 7, 6),
        filter=weights,
        strides=[1, 1, 1, 1],
        padding="SAME",
        data_format="NCHW",
        name="layer",
    )
    return output, 8, "NCHW"


def conv3d() -> Layer:
    return tf.nn.conv3d(placeholder(2, 4, 5, 6, 3), numbers(2, 3, 3, 3, 8), [1] * 5, "SAME", name="layer"), 8, "NDHWC"


def conv3d_first() -> Layer:
    x, weights = placeholder(2, 3, 4, 5, 6), numbers(2, 3, 3, 3, 8)
    return tf.nn.conv3d(x, weights, [1] * 5, "SAME", data_format="NCDHW", name="layer"), 8, "NCDHW"


def transposed_conv2d() -> Layer:
    x, weights = placeholder(2, 4, 5, 3), numbers(3, 3, 6, 3)
    return v1.nn.conv2d_transpose(x, weights, [2, 8, 10, 6], [1, 2, 2, 1], name="layer"), 6, "NHWC"


def transposed_conv3d() -> Layer:
    x, weights = placeholder(2, 3, 4, 5, 3), numbers(2, 3, 3, 6, 3)
    return v1.nn.conv3d_transpose(x, weights, [2, 6, 8, 10, 6], [1, 2, 2, 2, 1], name="layer"), 6, "NDHWC"


def matmul() -> Layer:
    return tf.matmul(placeholder(5, 20), numbers(20, 16), name="layer"), 16, "NHWC"


def matmul_transposed() -> Layer:
    return tf.matmul(placeholder(20, 5), numbers(20, 20), transpose_a=True, transpose_b=True, name="layer"), 20, "NHWC"


def shared_axis(layer: Layer, value: Array) -> Array:
    """``value`` in a shape that broadcasts along the channels."""
    output, _, data_format = layer
    return value.reshape(-1, *[1] * (len(output.shape) - 2)) if data_format.startswith("NC") else value


# Norms: each takes a layer and gives the output called "out".

Norm = Callable[[Layer], Any]


def fused(op: str) -> Norm:
    def norm(layer: Layer) -> Any:
        output, n, data_format = layer
        moments = dict(scale=positive(n), offset=numbers(n), mean=numbers(n, seed=5), variance=positive(n))
        raw = getattr(tf.raw_ops, op)
        return raw(x=output, **moments, epsilon=0.01, data_format=data_format, is_training=False, **NAMES)

    return norm


def after_bias(norm: Norm) -> Norm:
    def biased(layer: Layer) -> Any:
        output, n, data_format = layer
        form = "NCHW" if data_format.startswith("NC") else "NHWC"
        output = tf.raw_ops.BiasAdd(value=output, bias=numbers(n, seed=9), data_format=form, name="biased")
        return norm((output, n, data_format))

    return biased


def after_add(norm: Norm) -> Norm:
    """The bias stands before what it is added to."""

    def biased(layer: Layer) -> Any:
        output, n, data_format = layer
        return norm((tf.raw_ops.Add(x=shared_axis(layer, numbers(n, seed=9)), y=output), n, data_format))

    return biased


def chain(layer: Layer) -> Any:
    """What ``tf.nn.batch_normalization`` gives once its constants are folded."""
    output, n, _ = layer
    scaled = output * shared_axis(layer, positive(n))
    return tf.raw_ops.AddV2(x=scaled, y=shared_axis(layer, numbers(n)), **NAMES)


def chain_reversed(layer: Layer) -> Any:
    output, n, _ = layer
    scaled = tf.raw_ops.Mul(x=shared_axis(layer, positive(n)), y=output)
    return tf.raw_ops.Sub(x=scaled, y=shared_axis(layer, numbers(n)), **NAMES)


def unfolded_chain(layer: Layer) -> Any:
    """Mean and variance still go through ``Add``, ``Rsqrt``, ``Mul`` and ``Sub``."""
    output, n, _ = layer
    values = [tf.identity(tf.constant(shared_axis(layer, v))) for v in (numbers(n), positive(n), numbers(n, seed=2), positive(n))]
    mean, variance, beta, gamma = values
    return tf.identity(tf.nn.batch_normalization(output, mean, variance, beta, gamma, 0.001), name="after")


def by_hand(layer: Layer) -> Any:
    output, n, _ = layer
    mean, deviation, gamma, beta = (shared_axis(layer, v) for v in (numbers(n), positive(n), numbers(n, seed=3), numbers(n)))
    return tf.add((output - mean) / deviation * gamma, beta, **NAMES)


def scalars(layer: Layer) -> Any:
    return tf.add(layer[0] * 0.25, np.float32(3), **NAMES)


def without_beta(layer: Layer) -> Any:
    """A kept mean of zero, no beta: the shift comes before the scale."""
    output, n, data_format = layer
    output = tf.raw_ops.BiasAdd(value=output, bias=numbers(n), data_format=data_format.replace("D", ""))
    return tf.multiply(output, shared_axis(layer, positive(n)), **NAMES)


LAYERS = [
    conv2d,
    conv2d_first,
    conv2d_groups,
    depthwise,
    depthwise_first,
    conv3d,
    conv3d_first,
    transposed_conv2d,
    transposed_conv3d,
    matmul,
    matmul_transposed,
]
ANY_NORMS: dict[str, Norm] = {
    "chain": chain,
    "chain reversed": chain_reversed,
    "bias, chain": after_bias(chain),
    "add, chain": after_add(chain),
    "by hand": by_hand,
    "scalars": scalars,
    "without beta": without_beta,
}
FUSED_NORMS = {op: fused(op) for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")}


@pytest.mark.parametrize("norm", ANY_NORMS.values(), ids=ANY_NORMS)
@pytest.mark.parametrize("layer", LAYERS)
def test_scales_and_shifts_become_one_bias(layer: Callable[[], Layer], norm: Norm, tmp_path: Path) -> None:
    graph = built(tmp_path, lambda: norm(layer()))
    assert_one_bias(graph, assert_folded(graph))


@pytest.mark.parametrize("prefix", [lambda norm: norm, after_bias, after_add], ids=["alone", "BiasAdd", "Add"])
@pytest.mark.parametrize("norm", FUSED_NORMS.values(), ids=FUSED_NORMS)
@pytest.mark.parametrize("layer", [l for l in LAYERS if "conv3d" not in l.__name__ and "matmul" not in l.__name__])
def test_fused_batch_norms_become_biases(
    layer: Callable[[], Layer], norm: Norm, prefix: Callable[[Norm], Norm], tmp_path: Path
) -> None:
    graph = built(tmp_path, lambda: prefix(norm)(layer()))
    assert_one_bias(graph, assert_folded(graph))


@pytest.mark.parametrize("layer", [conv3d, conv3d_first, transposed_conv3d])
def test_fused_batch_norms_of_volumes(layer: Callable[[], Layer], tmp_path: Path) -> None:
    graph = built(tmp_path, lambda: fused("FusedBatchNormV3")(layer()))
    assert_one_bias(graph, assert_folded(graph))


def assert_one_bias(graph: Graph, result: Graph) -> None:
    """Placeholder, layer, weights (and the sizes that a transposed convolution takes), shift, and what adds it."""
    layer = graph["layer"]
    is_volume_first = layer.op == "Conv3D" and layer.attrs["data_format"].s == b"NCDHW"
    constants = 3 if "Backprop" in layer.op else 2
    addition = "AddV2" if is_volume_first else "BiasAdd"
    assert Counter(result.ops) == {"Placeholder": 1, "Const": constants, layer.op: 1, addition: 1}
    assert result["out"].op == addition
    assert result["layer"].inputs == layer.inputs
    assert list(result["out"].inputs) == ["layer", "out/bias"]
