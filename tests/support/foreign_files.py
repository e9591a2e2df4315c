"""Small ONNX and TensorFlow Lite files, made by the packages that define them; and all that can be looked at in one."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import graphscope
from graphscope.analysis.foreign.detail import show_foreign
from graphscope.analysis.foreign.listing import list_foreign_nodes
from graphscope.analysis.foreign.weights import foreign_weights
from graphscope.analysis.listing import Listing
from graphscope.analysis.variable_rows import with_statistics
from graphscope.core.foreign import ForeignModel
from graphscope.errors import GraphscopeError

READ_BYTES = 1 << 20
"""What a small file says of a constant above this size is not read."""


def check_refusal(path: Path, error: GraphscopeError) -> None:
    assert path.name in error.message


def look(path: Path) -> ForeignModel | None:
    """Everything that the commands show; ``None`` where the file is refused."""
    try:
        model = graphscope.load_foreign(path)
    except GraphscopeError as error:
        check_refusal(path, error)
        return None
    graphscope.summarize(model)
    rows = list(list_foreign_nodes(model, Listing(functions=True)))
    weights = foreign_weights(model)
    for item in weights:
        if (item[0].size_bytes or 0) <= READ_BYTES:
            with contextlib.suppress(GraphscopeError):
                list(with_statistics([item]))
    for name in [f"{row.function}/{row.name}".lstrip("/") for row in rows] + [row.name for row, _ in weights]:
        with contextlib.suppress(GraphscopeError):
            show_foreign(model, name)
    return model


# ONNX


def tensor(name: str, values: Any, kind: int = TensorProto.FLOAT) -> Any:
    array = np.asarray(values)
    return helper.make_tensor(name, kind, array.shape, array.reshape(-1).tolist())


def value(name: str, shape: Any, kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def loop_body() -> Any:
    """Adds the outer tensor ``w`` as often as the loop turns."""
    nodes = [
        helper.make_node("Add", ["state", "w"], ["next"], name="add"),
        helper.make_node("Identity", ["going"], ["still"]),
    ]
    inputs = [value("turn", [], TensorProto.INT64), value("going", [], TensorProto.BOOL), value("state", ["n", 3])]
    outputs = [value("still", [], TensorProto.BOOL), value("next", ["n", 3])]
    return helper.make_graph(nodes, "body", inputs, outputs)


def onnx_model() -> Any:
    """Symbols, an optional input, a node without a name, a loop, a function, a large weight and constants of two kinds."""
    nodes = [
        helper.make_node("MatMul", ["x", "big"], ["xb"], name="mm"),
        helper.make_node("Constant", [], ["turns"], value=tensor("", 2, TensorProto.INT64)),
        helper.make_node("Loop", ["turns", "", "xb"], ["y"], name="loop", body=loop_body()),
        helper.make_node("Twice", ["y"], ["z"], name="twice", domain="local"),
        helper.make_node("Clip", ["z", "", "six"], ["out"]),
    ]
    big = numpy_helper.from_array(np.arange(1200, dtype=np.float32).reshape(400, 3), "big")
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", ["batch", 400])],
        [value("out", ["batch", None])],
        [big, tensor("w", [1.0, 2.0, 3.0]), tensor("six", 6.0)],
        value_info=[value("xb", ["batch", 3])],
    )
    twice = helper.make_function(
        "local", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 20)]
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("local", 1)]
    model = helper.make_model(graph, functions=[twice], opset_imports=opsets, producer_name="maker", ir_version=9)
    helper.set_model_props(model, {"author": "nobody"})
    model.producer_version, model.doc_string = "1.2", "A model\nto look at."
    onnx.checker.check_model(model)
    return model


@functools.cache
def onnx_bytes() -> bytes:
    content: bytes = onnx_model().SerializeToString()
    return content


# TensorFlow Lite


def tflite_model() -> Any:
    """A quantized convolution with padding, a custom operator, a body, a signature, metadata, and strings."""
    from ai_edge_litert import schema_py_generated as s

    model = s.ModelT()
    model.version, model.description = 3, "two graphs"
    kernel = np.arange(-12, 12, dtype=np.int8).reshape(2, 2, 2, 3)
    strings = np.array([2, 16, 18, 21], "<i4").tobytes()[:16] + b"abcde"
    contents = [None, kernel.tobytes(), np.array([0x21, 0xF3], np.uint8).tobytes(), strings, b"1.5.0" + bytes(11)]
    for content in contents:
        buffer = s.BufferT()
        buffer.data = None if content is None else np.frombuffer(content, np.uint8)
        model.buffers.append(buffer) if model.buffers else setattr(model, "buffers", [buffer])
    model.operatorCodes = [_code(s, 3, None, 5), _code(s, 32, "Mine", 1), _code(s, 150, None, 1)]
    options = s.Conv2DOptionsT()
    options.strideH, options.strideW, options.fusedActivationFunction, options.padding = 2, 1, 3, 1
    conv = _operator(s, 0, [0, 1, -1], [2], options, s.BuiltinOptions.Conv2DOptions)
    custom = _operator(s, 1, [2], [3])
    custom.customOptions = np.frombuffer(b"abc", np.uint8)
    tensors = [
        _tensor(s, "x", [1, 4, 4, 3], s.TensorType.INT8, signature=[-1, 4, 4, 3], scale=[0.5], zero=[-3]),
        _tensor(s, "kernel", [2, 2, 2, 3], s.TensorType.INT8, 1, scale=[0.1, 0.2], zero=[0, 0]),
        _tensor(s, "y", [1, 2, 4, 2], s.TensorType.INT8, signature=[-1, 2, 4, 2]),
        _tensor(s, "y", [1], s.TensorType.FLOAT32),
        _tensor(s, "nibbles", [3], s.TensorType.INT4, 2),
        _tensor(s, "words", [2], s.TensorType.STRING, 3),
    ]
    body = [_tensor(s, "", [2], s.TensorType.FLOAT32), _tensor(s, "", [2], s.TensorType.FLOAT32)]
    model.subgraphs = [
        _subgraph(s, "main", tensors, [0], [3], [conv, custom]),
        _subgraph(s, "body", body, [0], [1], [_operator(s, 2, [0], [1])]),
    ]
    signature = s.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serve", 0
    signature.inputs, signature.outputs = [_argument(s, "image", 0)], [_argument(s, "scores", 3)]
    model.signatureDefs = [signature]
    model.metadata = [_metadata(s, "min_runtime_version", 4), _metadata(s, "notes", 2)]
    return model


@functools.cache
def tflite_bytes() -> bytes:
    return packed(tflite_model())


def doubling_tflite(signatures: dict[str, tuple[str, str]]) -> bytes:
    """A model that LiteRT runs, ``y = x + x`` for any number of pairs.

    Args:
        signatures: name -> what it calls ``x`` and ``y``.
    """
    from ai_edge_litert import schema_py_generated as s

    model = s.ModelT()
    model.version, model.buffers, model.operatorCodes = 3, [s.BufferT()], [_code(s, s.BuiltinOperator.ADD, None, 1)]
    add = _operator(s, 0, [0, 0], [1], s.AddOptionsT(), s.BuiltinOptions.AddOptions)
    ends = [_tensor(s, name, [1, 2], s.TensorType.FLOAT32, signature=[-1, 2]) for name in ("x", "y")]
    model.subgraphs = [_subgraph(s, "main", ends, [0], [1], [add])]
    model.signatureDefs = []
    for name, (x, y) in signatures.items():
        signature = s.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = name, 0
        signature.inputs, signature.outputs = [_argument(s, x, 0)], [_argument(s, y, 1)]
        model.signatureDefs.append(signature)
    return packed(model)


def reshaping_tflite(before: list[int], after: list[int]) -> bytes:
    """A model that LiteRT runs: strings ``x`` of one shape as ``y`` of another; -1 is an unknown size."""
    from ai_edge_litert import schema_py_generated as s

    model = s.ModelT()
    sizes = s.BufferT()
    sizes.data = np.frombuffer(np.array(after, "<i4").tobytes(), np.uint8)
    model.version, model.buffers, model.operatorCodes = 3, [s.BufferT(), sizes], [_code(s, 22, None, 1)]
    kinds = ((before, "x"), (after, "y"))
    ends = [_tensor(s, n, [max(d, 1) for d in shape], s.TensorType.STRING, signature=shape) for shape, n in kinds]
    wanted = _tensor(s, "sizes", [len(after)], s.TensorType.INT32, 1)
    options = s.ReshapeOptionsT()
    options.newShape = after
    reshape = _operator(s, 0, [0, 2], [1], options, s.BuiltinOptions.ReshapeOptions)
    model.subgraphs = [_subgraph(s, "main", [*ends, wanted], [0], [1], [reshape])]
    return packed(model)


def packed(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _code(s: Any, number: int, custom: str | None, version: int) -> Any:
    code = s.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.customCode, code.version = (
        number,
        min(number, 127),
        custom,
        version,
    )
    return code


def _operator(s: Any, code: int, inputs: list[int], outputs: list[int], options: Any = None, kind: int = 0) -> Any:
    operator = s.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, inputs, outputs
    operator.builtinOptions, operator.builtinOptionsType = options, kind
    return operator


def _tensor(
    s: Any,
    name: str,
    shape: list[int],
    kind: int,
    buffer: int = 0,
    signature: list[int] | None = None,
    scale: list[float] | None = None,
    zero: list[int] | None = None,
) -> Any:
    made = s.TensorT()
    made.name, made.shape, made.type, made.buffer, made.shapeSignature = name, shape, kind, buffer, signature
    if scale is not None:
        made.quantization = s.QuantizationParametersT()
        made.quantization.scale, made.quantization.zeroPoint = scale, zero
        made.quantization.quantizedDimension = 3 if len(scale) > 1 else 0
    return made


def _subgraph(
    s: Any, name: str, tensors: list[Any], inputs: list[int], outputs: list[int], operators: list[Any]
) -> Any:
    graph = s.SubGraphT()
    graph.name, graph.tensors, graph.inputs, graph.outputs, graph.operators = name, tensors, inputs, outputs, operators
    return graph


def _argument(s: Any, name: str, number: int) -> Any:
    argument = s.TensorMapT()
    argument.name, argument.tensorIndex = name, number
    return argument


def _metadata(s: Any, name: str, buffer: int) -> Any:
    entry = s.MetadataT()
    entry.name, entry.buffer = name, buffer
    return entry
