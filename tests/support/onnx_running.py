"""Running single nodes and whole graphs in ONNX Runtime, beside TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime

from graphscope.core.changes.build import constant, make_node
from graphscope.core.graph import Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.export.onnx.convert import OnnxOptions, convert
from graphscope.export.onnx.graph import OnnxGraph
from graphscope.export.onnx.write import model_bytes
from graphscope.protos import AttrValue, GraphDef
from tests.support.onnx_cases import Drawn
from tests.support.running import Array, flat, node_of_op, run_graph


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


def op_graph(case: Drawn, scope: str = "") -> tuple[Graph, dict[str, Array]]:
    """A graph of one node ``n``, and what is fed."""
    arrays = flat(case.inputs)
    nodes = []
    for i, array in enumerate(arrays):
        name = f"{scope}in_{i}"
        fixed = i in case.fixed
        nodes.append(constant(name, np.asarray(array)) if fixed else _placeholder(name, array, case.known))
    single = node_of_op(case.op, case.inputs, case.attrs)
    single.proto.name = f"{scope}n"
    single.proto.input[:] = [f"{scope}{name}" for name in single.inputs]
    header = GraphDef()
    header.versions.producer = producer(case.op)
    feeds = {f"{scope}in_{i}:0": np.asarray(a) for i, a in enumerate(arrays) if i not in case.fixed}
    return Graph(header, [*nodes, single]), feeds


def producer(op: str) -> int:
    """The version of TensorFlow that wrote the graph: one that had the op."""
    return 8 if op == "BatchNormWithGlobalNormalization" else 2000


def _placeholder(name: str, array: Array, known: bool) -> Node:
    """Vectors of integers say how many sizes, axes or places there are: their length is known."""
    shape = AttrValue()
    shape.shape.SetInParent()
    is_list = array.ndim == 1 and array.dtype.kind == "i"
    for size in array.shape:
        shape.shape.dim.add(size=size if known or is_list else -1)
    dtype = AttrValue(type=int(DataType.from_numpy(array.dtype)))
    return make_node(name, "Placeholder", (), {"dtype": dtype, "shape": shape})


def expected(cases: Sequence[Drawn]) -> list[list[Array]]:
    """What TensorFlow computes of each case, all in one session."""
    whole, feeds, fetches = [], {}, []
    for i, case in enumerate(cases):
        graph, fed = op_graph(case, f"call_{i}/")
        whole += graph.nodes
        feeds.update(fed)
        fetches += [f"call_{i}/n:{k}" for k in range(case.outputs)]
    header = GraphDef()
    header.versions.producer = producer(cases[0].op)
    results = iter(run_graph(Graph(header, whole), fetches, feeds))
    return [[next(results) for _ in range(case.outputs)] for case in cases]


def computed(graph: Graph, outputs: Sequence[str], feeds: Mapping[str, Any], opset: int = 20) -> list[Array]:
    converted = convert(graph, outputs, OnnxOptions(opset=opset), "test")
    return run_onnx(checked(converted), outputs, feeds)
