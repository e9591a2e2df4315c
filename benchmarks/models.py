"""Large models for the benchmarks, made on demand in a directory outside the repository.

They are written without TensorFlow, so that the page cache holds them but no process grew for them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphscope import protos
from graphscope.formats.io.wire import varint
from graphscope.protos import GraphDef, NodeDef

WORK = Path(tempfile.gettempdir()) / "graphscope-benchmarks"

VGG16 = (
    *(("conv1_1", 3, 64), ("conv1_2", 64, 64), ("pool1", 0, 0)),
    *(("conv2_1", 64, 128), ("conv2_2", 128, 128), ("pool2", 0, 0)),
    *(("conv3_1", 128, 256), ("conv3_2", 256, 256), ("conv3_3", 256, 256), ("pool3", 0, 0)),
    *(("conv4_1", 256, 512), ("conv4_2", 512, 512), ("conv4_3", 512, 512), ("pool4", 0, 0)),
    *(("conv5_1", 512, 512), ("conv5_2", 512, 512), ("conv5_3", 512, 512), ("pool5", 0, 0)),
)
"""Layers of VGG-16 (Simonyan and Zisserman, 2014): name, input and output channels; 138,357,544 parameters in all."""

DENSE = (("fc6", 25088, 4096), ("fc7", 4096, 4096), ("fc8", 4096, 1000))


def made(name: str) -> str:
    """The path of the model called ``name`` (a function below), made by a process of its own if need be.

    A child's peak of memory counts from its parent's: the process that measures must stay small.
    """
    command = [sys.executable, "-m", "benchmarks.models", name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def frozen_vgg16() -> Path:
    """A frozen VGG-16, 553 MB."""
    path = WORK / "vgg16.pb"
    if not path.exists():
        with open(path, "wb") as file:
            for piece in _vgg16():
                file.write(piece)
    return path


def _vgg16() -> Iterator[bytes]:
    rng = np.random.default_rng(16)
    yield _node("input", "Placeholder", dtype=1, shape=(-1, 224, 224, 3))
    last = "input"
    for name, channels, width in VGG16:
        if not channels:
            yield _node(name, "MaxPool", last, T=1, ksize=(1, 2, 2, 1), strides=(1, 2, 2, 1), padding=b"SAME")
        else:
            yield from _weights(rng, name, (3, 3, channels, width))
            convolution = f"{name}/Conv2D"
            yield _node(convolution, "Conv2D", last, f"{name}/weights", T=1, strides=(1, 1, 1, 1), padding=b"SAME")
            yield from _biased(name, convolution, "Relu")
        last = name
    yield _constant("flatten/shape", np.array([-1, 25088], "<i4"), 3)
    yield _node("flatten", "Reshape", last, "flatten/shape", T=1)
    last = "flatten"
    for name, width_in, width in DENSE:
        yield from _weights(rng, name, (width_in, width))
        yield _node(f"{name}/MatMul", "MatMul", last, f"{name}/weights", T=1)
        yield from _biased(name, f"{name}/MatMul", "Identity" if name == "fc8" else "Relu")
        last = name
    yield _node("prob", "Softmax", last, T=1)
    yield GraphDef(versions={"producer": 27}).SerializeToString()


def _weights(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> Iterator[bytes]:
    yield _constant(f"{name}/weights", rng.standard_normal(shape, np.float32) * np.float32(0.01), 1)
    yield _constant(f"{name}/biases", np.zeros(shape[-1], "<f4"), 1)


def _biased(name: str, source: str, activation: str) -> Iterator[bytes]:
    yield _node(f"{name}/BiasAdd", "BiasAdd", source, f"{name}/biases", T=1)
    yield _node(name, activation, f"{name}/BiasAdd", T=1)


def _constant(name: str, array: np.ndarray, dtype: int) -> bytes:
    node = NodeDef(name=name, op="Const")
    node.attr["dtype"].type = dtype
    tensor = node.attr["value"].tensor
    tensor.dtype = dtype
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = array.tobytes()
    return _framed(node)


def _node(name: str, op: str, *inputs: str, **attrs: int | bytes | tuple[int, ...]) -> bytes:
    node = NodeDef(name=name, op=op, input=inputs)
    for key, value in attrs.items():
        if key == "shape" and isinstance(value, tuple):
            for size in value:
                node.attr[key].shape.dim.add(size=size)
        elif isinstance(value, tuple):
            node.attr[key].list.i.extend(value)
        elif isinstance(value, bytes):
            node.attr[key].s = value
        else:
            node.attr[key].type = value
    return _framed(node)


def _framed(node: NodeDef) -> bytes:
    data = node.SerializeToString()
    return varint(1 << 3 | 2) + varint(len(data)) + data


def wide_graph(nodes: int = 100_000) -> Path:
    """A graph of ``nodes`` nodes in nested name scopes, like an unrolled network: eight to a cell."""
    path = WORK / f"wide-{nodes}.pb"
    if not path.exists():
        graph = protos.GraphDef(versions={"producer": 27})
        graph.node.add(name="input", op="Placeholder").attr["dtype"].type = 1
        previous = "input"
        for i in range(nodes - 1):
            name = f"tower_{i // 8 % 4}/block_{i // 1000}/unit_{i // 100 % 10}/cell_{i // 8}/add_{i % 8}"
            node = graph.node.add(name=name, op="Add", input=[previous, "input"], device=f"/device:CPU:{i % 4}")
            node.attr["T"].type = 1
            previous = name
        path.write_bytes(graph.SerializeToString())
    return path


def many_variables(count: int = 50_000) -> str:
    """A checkpoint of ``count`` small variables; needs TensorFlow once. Returns its prefix."""
    prefix = str(WORK / f"many-{count}")
    if not Path(prefix + ".index").exists():
        import tensorflow as tf

        names = [f"tower_{i % 4}/layer_{i // 100:04d}/unit_{i % 100:02d}/weights" for i in range(count)]
        values = [np.full((2, 2), i, np.float32) for i in range(count)]
        tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * count, tensors=values)
    return prefix


def more_variables() -> str:
    """The same with 200,000."""
    return many_variables(200_000)


def vgg16_checkpoint() -> str:
    """VGG-16 as a meta checkpoint with reference variables, written by TensorFlow's own Saver. Returns its prefix."""
    prefix = str(WORK / "vgg16.ckpt")
    if not Path(prefix + ".index").exists():
        import tensorflow as tf

        v1 = tf.compat.v1
        v1.disable_resource_variables()
        with tf.Graph().as_default(), v1.Session() as session:
            _vgg16_graph(v1)
            session.run(v1.global_variables_initializer())
            v1.train.Saver().save(session, prefix)
    return prefix


def _vgg16_graph(v1: Any) -> None:
    def weights(name: str, shape: tuple[int, ...]) -> tuple[Any, Any]:
        initial = v1.random_normal_initializer(stddev=0.01, seed=16)
        matrix = v1.get_variable(f"{name}/weights", shape, initializer=initial)
        return matrix, v1.get_variable(f"{name}/biases", shape[-1:], initializer=v1.zeros_initializer())

    x = v1.placeholder("float32", [None, 224, 224, 3], name="input")
    for name, channels, width in VGG16:
        if not channels:
            x = v1.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME", name=name)
        else:
            matrix, bias = weights(name, (3, 3, channels, width))
            x = v1.nn.relu(v1.nn.bias_add(v1.nn.conv2d(x, matrix, 1, "SAME"), bias), name=f"{name}/relu")
    x = v1.reshape(x, [-1, 25088])
    for name, width_in, width in DENSE:
        matrix, bias = weights(name, (width_in, width))
        x = v1.nn.bias_add(v1.matmul(x, matrix), bias)
        x = x if name == "fc8" else v1.nn.relu(x)
    v1.nn.softmax(x, name="prob")


MAKERS = (frozen_vgg16, wide_graph, many_variables, more_variables, vgg16_checkpoint)

if __name__ == "__main__":
    WORK.mkdir(exist_ok=True)
    print({maker.__name__: maker for maker in MAKERS}[sys.argv[1]]())
