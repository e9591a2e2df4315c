"""ONNX Runtime: runs ONNX files, and frozen graphs as ONNX in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError
from graphscope.export.packages import first_line, import_package
from graphscope.runtime.engines.program import NamedProgram, object_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.core.graph import Graph
    from graphscope.core.tensors import Shape
    from graphscope.export.onnx.graph import OnnxGraph

_ERRORS_ONLY = 3

_TYPES = {
    "float": DataType.FLOAT,
    "double": DataType.DOUBLE,
    "float16": DataType.HALF,
    **{dtype.label: dtype for dtype in DataType if dtype not in (DataType.FLOAT, DataType.DOUBLE, DataType.HALF)},
}
"""What ONNX Runtime calls an element type -> the type. Source: ``onnxruntime/core/framework/data_types.cc``."""


class OnnxSession:
    """An ONNX model that is ready to run on the processor.

    Args:
        model: a file, or its content.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        GraphscopeError: it cannot load the file.
    """

    signature = ""

    def __init__(self, model: str | os.PathLike[str] | bytes) -> None:
        onnxruntime = import_package("onnxruntime", "ONNX Runtime", "onnx")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        content = model if isinstance(model, bytes) else os.fspath(model)
        try:
            self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no common root but this
            raise GraphscopeError(f"ONNX Runtime cannot load the file: {first_line(error)}") from error
        self.inputs = [_spec(argument) for argument in self.session.get_inputs()]
        self.outputs = [_spec(argument) for argument in self.session.get_outputs()]
        defaults = self.session.get_overridable_initializers()
        self.taken = {argument.name for argument in (*self.session.get_inputs(), *defaults)}

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See :class:`graphscope.runtime.engines.program.Program`."""
        given = {name: _given(name, value) for name, value in feeds.items() if name in self.taken}
        dtypes = {spec.dtype for spec in (*self.inputs, *self.outputs)}
        run = _run_raw if DataType.BFLOAT16 in dtypes else _run
        try:
            values = run(self.session, list(outputs), given)
        except Exception as error:
            raise GraphscopeError(f"ONNX Runtime cannot run the file: {first_line(error)}") from error
        return [_received(value) for value in values]


def _run(session: Any, outputs: list[str], given: Mapping[str, NDArray[Any]]) -> list[Any]:
    found: list[Any] = session.run(outputs, given)
    return found


def _run_raw(session: Any, outputs: list[str], given: Mapping[str, NDArray[Any]]) -> list[Any]:
    """As :func:`_run`, with bfloat16 as bytes: NumPy has no such type, and the package passes on none of others' making."""
    values = session.run_with_ort_values(outputs, {name: _ort_value(value) for name, value in given.items()})
    return [_array(value) if value.element_type() == _BFLOAT16 else value.numpy() for value in values]


_BFLOAT16 = 16
"""ONNX's number of the type. Source: ``onnx/onnx.proto``, ``TensorProto.DataType``."""


def _ort_value(array: NDArray[Any]) -> Any:
    import numpy as np
    from onnxruntime import OrtValue

    if array.dtype == DataType.BFLOAT16.numpy:
        whole = np.ascontiguousarray(array).view(np.uint16)
        return OrtValue.ortvalue_from_numpy_with_onnx_type(whole, _BFLOAT16)
    return OrtValue.ortvalue_from_numpy(array)


def _array(value: Any) -> NDArray[Any]:
    """A copy of a tensor of bfloat16."""
    import ctypes

    import numpy as np

    shape: list[int] = value.shape()
    content = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes()) if all(shape) else b""
    return np.frombuffer(content, DataType.BFLOAT16.numpy).reshape(shape)


def _given(name: str, value: Any) -> NDArray[Any]:
    """A value as ONNX Runtime takes it. Its strings are text: bytes would become what Python prints of them.

    Raises:
        GraphscopeError: bytes are not text in UTF-8.
    """
    import numpy as np

    array: NDArray[Any] = np.asarray(value)
    if array.dtype.kind not in "OS":
        return array
    try:
        texts = [text.decode() if isinstance(text, bytes) else text for text in array.reshape(-1).tolist()]
    except UnicodeDecodeError as error:
        raise GraphscopeError(f"{name}: ONNX Runtime takes strings in UTF-8 alone: {error}") from error
    return object_array(texts, array.shape)


def _received(value: Any) -> NDArray[Any]:
    """What ONNX Runtime gives, strings as bytes."""
    import numpy as np

    array: NDArray[Any] = np.asarray(value)
    if array.dtype.kind not in "OU":
        return array
    return object_array([text.encode() for text in array.reshape(-1).tolist()], array.shape)


def _spec(argument: Any) -> TensorSpec:
    """What a ``NodeArg`` says of itself: ``tensor(float)``; sequences, maps and optional values are not tensors."""
    kind, _, element = argument.type.removesuffix(")").partition("(")
    dtype = _TYPES.get(element, DataType.INVALID) if kind == "tensor" else DataType.INVALID
    return TensorSpec(argument.name, dtype, tuple(size if isinstance(size, int) else None for size in argument.shape))


def of_graph(graph: Graph, outputs: Sequence[str], shapes: Mapping[str, Shape], path: str) -> NamedProgram:
    """A graph without variables as ONNX in memory; one that a single message cannot hold goes through a temporary directory.

    Raises:
        MissingDependencyError: onnx or ONNX Runtime is not installed.
        NotExportableError: ONNX cannot express the graph.
        GraphscopeError: ONNX Runtime cannot load it.
    """
    from graphscope.export.onnx import onnx_graph
    from graphscope.export.onnx.convert import OnnxOptions
    from graphscope.export.onnx.write import is_one_file, model_bytes

    made = onnx_graph(graph, outputs, OnnxOptions(shapes=shapes), path)
    return NamedProgram(OnnxSession(model_bytes(made)) if is_one_file(made) else _of_files(made), made.tensors)


def _of_files(made: OnnxGraph) -> OnnxSession:
    from graphscope.export.onnx.write import write_onnx

    with tempfile.TemporaryDirectory(prefix="graphscope-") as directory:
        path = Path(directory) / "model.onnx"
        write_onnx(made, path)
        return OnnxSession(path)


def of_file(path: str | os.PathLike[str], signature: str) -> OnnxSession:  # noqa: ARG001
    """An ONNX file; see :class:`OnnxSession`."""
    return OnnxSession(path)
