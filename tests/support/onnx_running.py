"""Running single nodes and whole graphs in ONNX Runtime, beside TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime

from graphscope.core.build import constant, make_node
from graphscope.core.dtypes import DataType
from graphscope.core.graph import Graph
from graphscope.export.onnx.convert import OnnxOptions, convert
from graphscope.export.onnx.graph import OnnxGraph
from graphscope.export.onnx.write import model_bytes
from graphscope.protos import AttrValue, GraphDef
from tests.support.running import Argument, Array, flat, node_of_op


def checked(graph: OnnxGraph) -> bytes:
    """The model as bytes, after ONNX's own checks."""
    content = model_bytes(graph)
    model = onnx.load_model_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    return content


def run_onnx(content: bytes, outputs: Sequence[str], feeds: Mapping[str, Any]) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    inputs = {i.name for i in session.get_inputs()}
    return [
        np.asarray(v) for v in session.run(list(outputs), {k: np.asarray(v) for k, v in feeds.items() if k in inputs})
    ]


def op_graph(
    op: str, inputs: Sequence[Argument], attrs: Mapping[str, Any], constant_places: Sequence[int], known: bool = False
) -> tuple[Graph, dict[str, Array]]:
    """A graph of one node ``n``; inputs at ``constant_places`` are constants, the others fed with unknown sizes."""
    arrays = flat(inputs)
    nodes = []
    for i, array in enumerate(arrays):
        name = f"in_{i}"
        if i in constant_places:
            nodes.append(constant(name, np.asarray(array)))
            continue
        shape = AttrValue()
        shape.shape.SetInParent()
        for size in array.shape:
            shape.shape.dim.add(size=size if known else -1)
        dtype = AttrValue(type=int(DataType.from_numpy(array.dtype)))
        nodes.append(make_node(name, "Placeholder", (), {"dtype": dtype, "shape": shape}))
    single = node_of_op(op, inputs, attrs)
    header = GraphDef()
    header.versions.producer = 2000
    feeds = {f"in_{i}:0": a for i, a in enumerate(arrays) if i not in constant_places}
    return Graph(header, [*nodes, single]), feeds


def computed(graph: Graph, outputs: Sequence[str], feeds: Mapping[str, Any], opset: int = 20) -> list[Array]:
    converted = convert(graph, outputs, OnnxOptions(opset=opset), "test")
    return run_onnx(checked(converted), outputs, feeds)
