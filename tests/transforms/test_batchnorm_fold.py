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
from graphscope.formats.lazy.pieces import flow, graph_pieces
from graphscope.transforms.batchnorm import fold_batch_norms
from graphscope.transforms.fold import fold
from graphscope.transforms.opening import open_at
from graphscope.transforms.subgraph import cut
from tests.support.zoo_files import ZOO, needs_zoo

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
            found = session.run(
                [f"{name}:0" for name in outputs], {f"{name}:0": value for name, value in feeds.items()}
            )
    return [np.asarray(value).astype(np.float64) for value in found]


def run_original(graph: Graph, outputs: Iterable[str], feeds: Mapping[str, Array]) -> list[Array]:
    """As :func:`run`; TensorFlow has some kernels (channels first, groups) only where oneDNN is on for the processor."""
    try:
        return run(graph, outputs, feeds)
    except tf.errors.OpError as error:
        pytest.skip(f"optional: this TensorFlow cannot run the original: {str(error.message).splitlines()[-1]}")


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
    for name, old, new in zip(outputs, run_original(graph, outputs, feeds), run(result, outputs, feeds)):
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
    return (
        v1.nn.conv2d(placeholder(2, 3, 7, 16), weights, [1] * 4, "SAME", data_format="NCHW", name="layer"),
        16,
        "NCHW",
    )


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
        moments = {"scale": positive(n), "offset": numbers(n), "mean": numbers(n, seed=5), "variance": positive(n)}
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
    arrays = [numbers(n), positive(n), numbers(n, seed=2), positive(n)]
    mean, variance, beta, gamma = (tf.identity(tf.constant(shared_axis(layer, array))) for array in arrays)
    return tf.nn.batch_normalization(output, mean, variance, beta, gamma, 0.001, name="norm")


def by_hand(layer: Layer) -> Any:
    output, n, _ = layer
    mean, deviation, gamma, beta = (
        shared_axis(layer, v) for v in (numbers(n), positive(n), numbers(n, seed=3), numbers(n))
    )
    return tf.add((output - mean) / deviation * gamma, beta, **NAMES)


def old_ops(layer: Layer) -> Any:
    """``BiasAddV1``, which has no data format, and ``Div``, from before TensorFlow 1.0."""
    output = tf.raw_ops.BiasAddV1(value=layer[0], bias=numbers(layer[1]))
    return tf.raw_ops.Div(x=output, y=positive(layer[1]), **NAMES)


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
NORMS: dict[str, Norm] = {
    "chain": chain,
    "chain reversed": chain_reversed,
    "add, chain": after_add(chain),
    "by hand": by_hand,
    "scalars": scalars,
    "without beta": without_beta,
}
FUSED = {op: fused(op) for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")}
V3 = FUSED["FusedBatchNormV3"]
CASES = [
    *[(layer, after_bias(chain), "bias, chain") for layer in LAYERS],
    *[(layer, norm, name) for layer in (conv2d, conv2d_first, conv3d_first, matmul) for name, norm in NORMS.items()],
    *[(layer, old_ops, "old ops") for layer in (conv2d, matmul_transposed)],
    *[(layer, norm, op) for layer in (conv2d, conv2d_first, depthwise) for op, norm in FUSED.items()],
    *[(layer, V3, "V3") for layer in (depthwise_first, conv3d, conv3d_first, transposed_conv2d, transposed_conv3d)],
    *[(layer, after_bias(V3), "bias, V3") for layer in (conv2d, conv2d_first, depthwise)],
    *[(layer, after_add(V3), "add, V3") for layer in (conv2d, conv2d_first, conv3d_first)],
]


@pytest.mark.parametrize(("layer", "norm"), [c[:2] for c in CASES], ids=[f"{c[0].__name__}-{c[2]}" for c in CASES])
def test_scales_and_shifts_become_one_bias(layer: Callable[[], Layer], norm: Norm, tmp_path: Path) -> None:
    graph = built(tmp_path, lambda: norm(layer()))
    assert_one_bias(graph, assert_folded(graph))


def assert_one_bias(graph: Graph, result: Graph, output: str = "out") -> None:
    """Placeholder, layer, weights (and the sizes that a transposed convolution takes), shift, and what adds it."""
    layer = graph["layer"]
    is_volume_first = layer.op == "Conv3D" and layer.attrs["data_format"].s == b"NCDHW"
    constants = 3 if "Backprop" in layer.op else 2
    addition = "AddV2" if is_volume_first else "BiasAdd"
    assert Counter(result.ops) == {"Placeholder": 1, "Const": constants, layer.op: 1, addition: 1}
    assert result[output].op == addition
    assert result["layer"].inputs == layer.inputs
    assert list(result[output].inputs) == ["layer", f"{output}/bias"]


@pytest.mark.parametrize("layer", [conv2d, conv2d_first, depthwise, matmul])
def test_a_chain_whose_constants_are_not_folded_yet(layer: Callable[[], Layer], tmp_path: Path) -> None:
    graph = built(tmp_path, lambda: unfolded_chain(layer()))
    assert "Rsqrt" in graph.ops
    assert_one_bias(graph, assert_folded(graph, ["norm/add_1"]), "norm/add_1")


@pytest.mark.parametrize("scales", [True, False])
def test_batch_norm_with_global_normalization(scales: bool, tmp_path: Path) -> None:
    """The op of TensorFlow 0.x, which runs in graphs of a producer below 9 only."""

    def build() -> None:
        for name, value in {"m": numbers(16), "v": positive(16), "beta": numbers(16), "gamma": positive(16)}.items():
            tf.constant(value, name=name)
        conv2d()

    def add_norm(proto: Any) -> None:
        node = proto.node.add(
            name="out", op="BatchNormWithGlobalNormalization", input=["layer", "m", "v", "beta", "gamma"]
        )
        node.attr["T"].type = tf.float32.as_datatype_enum
        node.attr["variance_epsilon"].f = 0.01
        node.attr["scale_after_normalization"].b = scales
        proto.versions.producer = 8

    graph = built(tmp_path, build, add_norm)
    result = assert_folded(graph)
    assert_one_bias(graph, result)
    assert result.producer == 8


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-14), ("float16", 4e-3), ("bfloat16", 3e-2)])
def test_weights_keep_their_type(dtype: str, tolerance: float, tmp_path: Path) -> None:
    kind = tf.as_dtype(dtype)

    def build() -> None:
        output = tf.matmul(placeholder(4, 9, dtype=kind), tf.constant(numbers(9, 5), kind), name="layer")
        tf.add(output * tf.constant(positive(5), kind), tf.constant(numbers(5), kind), name="out")

    result = assert_folded(built(tmp_path, build), tolerance=tolerance)
    assert {n.attrs["dtype"].type for n in result if n.op == "Const"} == {kind.as_datatype_enum}


def test_statistics_in_single_precision_of_an_input_in_half(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float16, [2, 5, 5, 3], name="x")
        output = tf.nn.conv2d(x, tf.constant(numbers(3, 3, 3, 4), tf.float16), 1, "SAME", name="layer")
        V3((output, 4, "NHWC"))

    graph = built(tmp_path, build)
    assert_one_bias(graph, assert_folded(graph, tolerance=4e-3))


def test_a_model_that_tensorflow_froze(tmp_path: Path) -> None:
    """Weights behind identities, the chain of ``tf.nn.batch_normalization``, two layers one after the other."""

    def block(x: Any, name: str, n: int) -> Any:
        with v1.variable_scope(name, use_resource=False):
            shapes = {"weights": [3, 3, x.shape[-1], n], "mean": [n], "beta": [n], "gamma": [n]}
            weights, mean, beta, gamma = (v1.get_variable(k, initializer=numbers(*s)) for k, s in shapes.items())
            variance = v1.get_variable("variance", initializer=positive(n))
            output = tf.nn.conv2d(x, weights, 1, "SAME")
            return tf.nn.relu(tf.nn.batch_normalization(output, mean, variance, beta, gamma, 1e-3))

    with tf.Graph().as_default(), v1.Session() as session:
        tf.identity(block(block(placeholder(1, 9, 9, 3), "one", 8), "two", 16), name="out")
        session.run(v1.global_variables_initializer())
        frozen = v1.graph_util.convert_variables_to_constants(session, session.graph_def, ["out"])
    file = tmp_path / "frozen.pb"
    file.write_bytes(frozen.SerializeToString())
    graph = loaded(file)
    assert Counter(graph.ops)["Rsqrt"] == 2
    result = assert_folded(graph)
    expected = {"Placeholder": 1, "Conv2D": 2, "BiasAdd": 2, "Relu": 2, "Const": 4, "Identity": 3}
    assert Counter(result.ops) == expected
    assert result["one/Conv2D"].inputs == graph["one/Conv2D"].inputs
    assert {"one/weights", "two/weights"} <= result.by_name.keys()


# What must stay as it is.


def used_elsewhere() -> None:
    output = conv2d()
    tf.nn.relu(output[0])
    V3(output)


def bias_used_elsewhere() -> None:
    after_bias(V3)(conv2d())
    tf.nn.relu(v1.get_default_graph().get_tensor_by_name("biased:0"))


def waited_for() -> None:
    after_bias(V3)(conv2d())
    with v1.control_dependencies([v1.get_default_graph().get_operation_by_name("biased")]):
        tf.constant(0)


def training() -> None:
    output, n, _ = conv2d()
    tf.raw_ops.FusedBatchNormV3(
        x=output, scale=positive(n), offset=numbers(n), mean=numbers(n), variance=positive(n), is_training=True
    )


def open_weights() -> None:
    weights = v1.placeholder(tf.float32, [3, 3, 3, 4])
    V3((tf.nn.conv2d(placeholder(1, 5, 5, 3), weights, 1, "SAME"), 4, "NHWC"))


def open_scale() -> None:
    output, n, _ = conv2d()
    tf.add(output * v1.placeholder(tf.float32, [n]), numbers(n))


def statistics_used() -> None:
    tf.identity(V3(conv2d()).batch_mean)


def other_constants(*shape: int) -> Build:
    def build() -> None:
        tf.add(conv2d()[0] * positive(*shape), numbers(16))

    return build


def scale_along_the_width() -> None:
    tf.add(conv2d_first()[0] * positive(16), np.float32(1))


def bias_along_the_width() -> None:
    """The bias of a ``BiasAdd`` that takes the last axis for the channels."""
    output, n, _ = conv2d_first()
    tf.nn.bias_add(output * np.float32(2), numbers(n))


def norm_along_the_height() -> None:
    """A batch norm of NCHW behind a convolution of NHWC, whose height is equal to the number of channels."""
    output = tf.nn.conv2d(placeholder(1, 8, 9, 3), numbers(3, 3, 3, 8), 1, "SAME")
    V3((output, 8, "NCHW"))


def scale_alone() -> None:
    tf.multiply(conv2d()[0], positive(16))


def shifts_alone() -> None:
    tf.add(tf.nn.bias_add(conv2d()[0], numbers(16)), numbers(16))


def taken_from_a_constant() -> None:
    tf.subtract(positive(16), conv2d()[0]) * numbers(16)


def divisor() -> None:
    tf.add(positive(16) / conv2d()[0], numbers(16))


def squared() -> None:
    output = conv2d()[0]
    tf.add(output * output, numbers(16))


def integers() -> None:
    output = tf.matmul(placeholder(2, 3, dtype=tf.int32), tf.ones([3, 4], tf.int32))
    tf.add(output * tf.constant([1, 2, 3, 4]), tf.constant([1, 2, 3, 4]))


def negative_variance() -> None:
    output, n, _ = conv2d()
    tf.raw_ops.FusedBatchNormV3(
        x=output, scale=positive(n), offset=numbers(n), mean=numbers(n), variance=-positive(n), is_training=False
    )


def beyond_half_precision() -> None:
    weights = tf.constant(np.full([3, 4], 30000, np.float16))
    tf.add(
        tf.matmul(placeholder(2, 3, dtype=tf.float16), weights) * tf.constant(3, tf.float16), tf.constant(1, tf.float16)
    )


def bias_beyond_half_precision() -> None:
    output = tf.matmul(placeholder(2, 3, dtype=tf.float16), tf.ones([3, 4], tf.float16))
    tf.multiply(output + tf.constant(40000, tf.float16), tf.constant(2, tf.float16))


def one_channel_that_becomes_five() -> None:
    output = tf.nn.conv2d(placeholder(1, 8, 9, 3), numbers(3, 3, 3, 1), 1, "SAME")
    tf.add(output * positive(5), numbers(5))


STAYS: list[Build] = [
    used_elsewhere,
    bias_used_elsewhere,
    waited_for,
    training,
    open_weights,
    open_scale,
    statistics_used,
    scale_along_the_width,
    bias_along_the_width,
    norm_along_the_height,
    scale_alone,
    shifts_alone,
    taken_from_a_constant,
    divisor,
    squared,
    integers,
    negative_variance,
    beyond_half_precision,
    bias_beyond_half_precision,
    one_channel_that_becomes_five,
]


@pytest.mark.parametrize("build", STAYS)
def test_what_does_not_fit_stays(build: Build, tmp_path: Path) -> None:
    graph = built(tmp_path, build)
    assert fold_batch_norms(graph) is graph


@pytest.mark.parametrize("shape", [(6, 1), (4, 6, 1), (2, 1, 1, 1), (1, 1, 1, 1, 16), (1, 1, 1, 1, 1), (6, 16)])
def test_constants_that_are_not_of_the_channels_stay(shape: tuple[int, ...], tmp_path: Path) -> None:
    graph = built(tmp_path, other_constants(*shape))
    assert fold_batch_norms(graph) is graph


@pytest.mark.parametrize("shape", [(), (1,), (16,), (1, 16), (1, 1, 1, 1), (1, 1, 1, 16)])
def test_every_shape_that_is_of_the_channels(shape: tuple[int, ...], tmp_path: Path) -> None:
    """The counterpart of the test above: with such constants the same graph is folded."""
    graph = built(tmp_path, other_constants(*shape))
    result = assert_folded(graph, ["Add"])
    assert_one_bias(graph, result, "Add")


@pytest.mark.parametrize(
    "value",
    [np.ones([3, 16], np.float32), np.array([b"a"] * 16), np.full([3, 3, 3, 16], b"a"), np.ones(17, np.float32)],
    ids=["matrix", "text", "much text", "too long"],
)
@pytest.mark.parametrize("place", ["weights", "scale", "offset"])
def test_constants_that_tensorflow_would_refuse_stay(place: str, value: Array, tmp_path: Path) -> None:
    """A graph that cannot run is no reason to fail."""

    def replace(proto: Any) -> None:
        nodes = {n.name: n for n in proto.node}
        text = nodes["layer"].input[1] if place == "weights" else nodes["out"].input[1 if place == "scale" else 2]
        nodes[text].attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))

    norm = scalars if place == "weights" else V3
    graph = built(tmp_path, lambda: norm(conv2d()), replace)
    assert fold_batch_norms(graph) is graph


def test_identities_in_a_circle_and_weights_that_are_not_there(tmp_path: Path) -> None:
    def damage(proto: Any) -> None:
        nodes = {n.name: n for n in proto.node}
        nodes["read"].input[0] = "read"
        nodes["turn"].input[0] = "turn"
        nodes["second"].input[1] = "nowhere"

    def build() -> None:
        x, read = placeholder(2, 5, 5, 3), tf.identity(tf.constant(numbers(3, 3, 3, 8)), name="read")
        V3((tf.nn.conv2d(x, read, 1, "SAME"), 8, "NHWC"))
        chain((tf.nn.conv2d(x, numbers(3, 3, 3, 8), 1, "SAME", name="second"), 8, "NHWC"))
        third = tf.nn.conv2d(x, numbers(3, 3, 3, 8), 1, "SAME")
        tf.add(third * tf.identity(tf.constant(positive(8)), name="turn"), numbers(8))

    graph = built(tmp_path, build, damage)
    assert fold_batch_norms(graph) is graph


def test_training_is_the_default(tmp_path: Path) -> None:
    def without_attribute(proto: Any) -> None:
        del next(n for n in proto.node if n.name == "out").attr["is_training"]

    graph = built(tmp_path, lambda: V3(conv2d()), without_attribute)
    assert fold_batch_norms(graph) is graph


def test_the_default_epsilon(tmp_path: Path) -> None:
    def without_attribute(proto: Any) -> None:
        del next(n for n in proto.node if n.name == "out").attr["epsilon"]

    def build() -> None:
        output, n, _ = conv2d()
        tf.raw_ops.FusedBatchNormV3(
            x=output, scale=positive(n), offset=numbers(n), mean=numbers(n), variance=0.001 * positive(n),
            is_training=False, **NAMES
        )  # fmt: skip

    assert_folded(built(tmp_path, build, without_attribute))


@pytest.mark.parametrize("keep", ["layer", "biased", "biased:0", "out:1"])
def test_what_is_kept_stays(keep: str, tmp_path: Path) -> None:
    graph = built(tmp_path, lambda: after_bias(V3)(conv2d()))
    assert fold_batch_norms(graph, keep=[keep]) is graph
    assert_folded(graph, keep=["out", "x"])


def test_a_chain_ends_where_something_is_kept_or_has_several_consumers(tmp_path: Path) -> None:
    def build() -> None:
        output = V3(conv2d())
        tf.add(tf.multiply(output.y, positive(16), name="later"), numbers(16), name="last")
        conv = tf.nn.conv2d(v1.get_default_graph().get_tensor_by_name("x:0"), numbers(3, 3, 3, 5), 1, "SAME")
        shifted = tf.add(conv * positive(5), numbers(5), name="shifted")
        tf.add(tf.nn.relu(shifted, name="relu"), shifted * positive(5), name="sum")

    graph = built(tmp_path, build)
    assert_folded(graph, ["last", "sum"])
    result = assert_folded(graph, ["out", "last", "shifted", "sum"], keep=["out"])
    ops = {name: result[name].op for name in ("out", "later", "last", "shifted")}
    assert ops == {"out": "BiasAdd", "later": "Mul", "last": "AddV2", "shifted": "BiasAdd"}
    whole = fold_batch_norms(graph)
    assert whole["last"].op == "BiasAdd"
    assert "out" not in whole


# Weights with several users.


def test_weights_that_others_take_are_copied(tmp_path: Path) -> None:
    def build() -> None:
        x, weights = placeholder(2, 5, 5, 3), tf.constant(numbers(3, 3, 3, 8), name="weights")
        tf.constant(0.0, name="weights/folded")
        tf.constant(0.0, name="out/bias")
        read = tf.identity(weights, name="read")
        chain((tf.nn.conv2d(x, read, 1, "SAME", name="layer"), 8, "NHWC"))
        second = tf.nn.conv2d(x, read, 2, "SAME", name="second")
        tf.add(second * positive(8), numbers(8), name="out2")
        tf.reduce_sum(weights, name="sum")

    graph = built(tmp_path, build)
    result = assert_folded(graph, ["out", "out2", "sum"])
    assert result["layer"].inputs[1] == "weights/folded_1"
    assert result["second"].inputs[1] == "weights/folded_2"
    assert result["out"].inputs[1] == "out/bias_1"
    assert result["weights"].tensor().numpy().tobytes() == graph["weights"].tensor().numpy().tobytes()


@pytest.mark.parametrize("keep", ["weights", "read"])
def test_weights_that_are_kept_are_copied(keep: str, tmp_path: Path) -> None:
    def build() -> None:
        read = tf.identity(tf.constant(numbers(3, 3, 3, 8), name="weights"), name="read")
        chain((tf.nn.conv2d(placeholder(2, 5, 5, 3), read, 1, "SAME", name="layer"), 8, "NHWC"))

    graph = built(tmp_path, build)
    result = assert_folded(graph, ["out", keep], keep=[keep])
    assert result["layer"].inputs[1] == "weights/folded"
    assert assert_folded(graph)["layer"].inputs[1] == "read"


def test_weights_that_are_the_input_as_well(tmp_path: Path) -> None:
    def build() -> None:
        square = tf.constant(numbers(8, 8), name="weights")
        chain((tf.matmul(square, square, name="layer"), 8, "NHWC"))

    assert list(assert_folded(built(tmp_path, build))["layer"].inputs) == ["weights", "weights/folded"]


# What else a node carries.


def test_control_inputs_stay_with_the_result(tmp_path: Path) -> None:
    def build() -> None:
        tf.constant(1, name="first")
        tf.constant(1, name="second")
        after_bias(chain)(conv2d())

    def add_controls(proto: Any) -> None:
        nodes = {n.name: n for n in proto.node}
        nodes["biased"].input.append("^first")
        nodes["out"].input.extend(["^second", "^mul"])

    graph = built(tmp_path, build, add_controls)
    folded = fold_batch_norms(graph)
    assert list(folded["out"].inputs) == ["layer", "out/bias", "^first", "^second"]
    assert_folded(graph)


@pytest.mark.parametrize("weights", ["weights", "weights/folded"])
def test_constants_belong_to_the_loop_of_their_layer(weights: str, tmp_path: Path) -> None:
    def body(i: Any, x: Any) -> Any:
        matrix = tf.constant(0.1 * numbers(6, 6), name="weights")
        layer = tf.matmul(x, matrix, name="layer")
        norm = tf.add(layer * tf.constant(positive(6)), tf.constant(numbers(6)), name="norm")
        return i + 1, norm if weights == "weights" else norm + tf.reduce_sum(matrix)

    def build() -> None:
        v1.disable_control_flow_v2()
        try:
            result = v1.while_loop(lambda i, x: i < 3, body, [0, placeholder(4, 6)], name="loop")
        finally:
            v1.enable_control_flow_v2()
        tf.identity(result[1], **NAMES)

    graph = built(tmp_path, build)
    result = assert_folded(graph)
    assert result["loop/norm"].op == "BiasAdd"
    assert result["loop/layer"].inputs[1] == f"loop/{weights}"
    for name in ("loop/norm/bias", f"loop/{weights}"):
        assert list(result[name].inputs) == ["^loop/Identity"]


def test_devices_stay_and_wishes_to_be_beside_nodes_that_are_gone_do_not(tmp_path: Path) -> None:
    def build() -> None:
        with v1.device("/cpu:0"):
            scaled = conv2d()[0] * positive(16)
            tf.add(scaled, numbers(16), **NAMES)
        with v1.colocate_with(scaled.op):
            tf.constant(0, name="beside")
        with v1.colocate_with(v1.get_default_graph().get_operation_by_name("layer")):
            tf.constant(0, name="apart")

    graph = built(tmp_path, build)
    assert graph["beside"].attrs["_class"].list.s == [b"loc:@mul"]
    folded = fold_batch_norms(graph)
    assert {folded[name].device for name in ("layer", "out", "out/bias", graph["layer"].inputs[1])} == {"/device:CPU:0"}
    assert "_class" not in folded["beside"].attrs
    assert "_class" in folded["apart"].attrs
    assert run(folded, ["out", "beside"], random_feeds(graph))[0].shape == (2, 4, 6, 16)


def test_versions_and_order_stay(tmp_path: Path) -> None:
    graph = built(tmp_path, used_elsewhere_and_folded)
    folded = fold_batch_norms(graph)
    assert folded.header == graph.header
    common = [n.name for n in folded if n.name in graph]
    assert common == [n.name for n in graph if n.name in folded]
    same = [n for n in folded if n.op not in ("Const", "BiasAdd")]
    assert all(n is graph[n.name] for n in same)


def used_elsewhere_and_folded() -> None:
    after_bias(V3)(conv2d())
    tf.nn.relu(v1.get_default_graph().get_tensor_by_name("out:0"))


# Models by other people.

KWS = ZOO / "frozen_pb" / "ARM-software+ML-KWS-for-MCU" / "Pretrained_models"
MOBILENET = ZOO / "frozen_pb" / "ssoniya+tensorflow-for-poets-2" / "tf_files" / "models" / "mobilenet_v1_0.25_128"
REAL = {
    "DS_CNN_L": (
        KWS / "DS_CNN" / "DS_CNN_L.pb",
        "Mfcc",
        (3, 49, 10),
        ["MobileNet/fc1/BiasAdd", "labels_softmax"],
        11,
        12,
    ),
    "CNN_L": (KWS / "CNN" / "CNN_L.pb", "Mfcc", (3, 49, 10), ["add_4", "labels_softmax"], 3, 5),
    "mobilenet": (
        MOBILENET / "frozen_graph.pb",
        "input",
        (1, 128, 128, 3),
        ["MobilenetV1/Logits/SpatialSqueeze", "MobilenetV1/Predictions/Softmax"],
        27,
        28,
    ),
}
"""Model -> file, input, its shape, outputs, number of batch norms and of layers with weights."""


def count(graph: Graph, *ops: str) -> int:
    return sum(op in ops for op in graph.ops)


@needs_zoo
@pytest.mark.parametrize("model", REAL)
def test_models_by_other_people(model: str) -> None:
    """With constants folded first or not: each batch norm is gone, each layer has one addition behind it."""
    file, source, shape, outputs, norms, layers = REAL[model]
    whole = loaded(file)
    graph = cut(open_at(whole, [source], outputs, whole.catalog()).graph, outputs)
    assert count(graph, "FusedBatchNorm", "Rsqrt") == norms
    feeds = {source: np.random.default_rng(0).normal(size=shape).astype(np.float32)}
    before = run(graph, outputs, feeds)
    for start in (graph, fold(graph, keep=[*outputs, source])):
        folded = cut(fold_batch_norms(start, keep=outputs), outputs)
        assert count(folded, "FusedBatchNorm", "Rsqrt", "Mul", "Sub") == 0
        assert count(folded, "Conv2D", "DepthwiseConv2dNative", "MatMul") == layers == count(folded, "BiasAdd", "Add")
        for name, old, new in zip(outputs, before, run(folded, outputs, feeds)):
            assert old.std() > 1e-3
            assert np.abs(old - new).max() < 1e-4, name
