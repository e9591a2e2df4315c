"""OpenVINO: runs frozen graphs as they are, ONNX files, TensorFlow Lite files and its own IR. Its readers are its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.model import Model, ModelKind
from graphscope.core.tensors import TensorName, TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, some
from graphscope.export.openvino.numbers import is_narrowed, reason_of_misfit
from graphscope.export.openvino.package import complaint, openvino_package
from graphscope.runtime.engines.program import NamedProgram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.core.graph import Graph
    from graphscope.core.tensors import Shape
    from graphscope.core.values.payload import Payload
    from graphscope.runtime.engines.program import Program

_TYPES = {
    "bf16": DataType.BFLOAT16,
    "boolean": DataType.BOOL,
    "f16": DataType.HALF,
    "f32": DataType.FLOAT,
    "f64": DataType.DOUBLE,
    **{f"i{bits}": DataType[f"INT{bits}"] for bits in (8, 16, 32, 64)},
    **{f"u{bits}": DataType[f"UINT{bits}"] for bits in (8, 16, 32, 64)},
}
"""The element types that its Python package passes on, bfloat16 as float32: it takes it for float16, and crashes on strings."""

_SAME_NUMBERS = {"INFERENCE_PRECISION_HINT": "f32"}
"""Otherwise processors with bfloat16 compute in it."""

_MOST_NAMES = 4


class OpenvinoProgram:
    """A model that OpenVINO has compiled for the processor.

    Args:
        path: a frozen ``.pb``, ``.onnx``, ``.tflite`` or ``.xml``.
        shapes: input -> its shape, if that is known better than from the file.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
        GraphscopeError: it cannot load or compile the file, or an input or output has none of :data:`_TYPES`.
    """

    signature = ""

    def __init__(self, path: str | os.PathLike[str], shapes: Mapping[str, Shape] | None = None) -> None:
        openvino = openvino_package()
        try:
            model = openvino.Core().read_model(os.fspath(path))
            _reshape(openvino, model, shapes or {})
            self.inputs, self.outputs = ([_spec(port) for port in ports] for ports in (model.inputs, model.outputs))
            self.rounded = {spec.name for spec in (*self.inputs, *self.outputs) if spec.dtype is DataType.BFLOAT16}
            model = _with_float_ends(openvino, model) if self.rounded else model
            self.compiled = openvino.compile_model(model, "CPU", _SAME_NUMBERS)
        except Exception as error:  # it raises RuntimeError and its own
            raise GraphscopeError(f"OpenVINO cannot load the file: {complaint(error)}") from error
        _refuse_types([*self.compiled.inputs, *self.compiled.outputs])
        self.ports = {name: port for port in self.compiled.outputs for name in (*port.names, _name(port))}

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See :class:`graphscope.runtime.engines.program.Program`."""
        import numpy as np

        named = {name: port for port in self.compiled.inputs for name in (*port.names, _name(port))}
        given = {named[name]: _as_passed(np.asarray(value)) for name, value in feeds.items() if name in named}
        for name, value in feeds.items():
            if reason := reason_of_misfit(np.asarray(value)):
                raise GraphscopeError(f"{name}: {reason}")
        try:
            values = self.compiled(given)
            found = [(name, np.asarray(values[self.ports[name]])) for name in outputs]
        except Exception as error:
            raise GraphscopeError(f"OpenVINO cannot run the file: {complaint(error)}") from error
        return [value.astype(DataType.BFLOAT16.numpy) if name in self.rounded else value for name, value in found]


def _as_passed(array: NDArray[Any]) -> NDArray[Any]:
    """bfloat16 as float32."""
    return array.astype("f") if array.dtype == DataType.BFLOAT16.numpy else array


def _with_float_ends(openvino: Any, model: Any) -> Any:
    """``model`` with float32 at inputs and outputs of bfloat16."""
    wrapped = openvino.preprocess.PrePostProcessor(model)
    for ports, side in ((model.inputs, wrapped.input), (model.outputs, wrapped.output)):
        for place, port in enumerate(ports):
            if _spec(port).dtype is DataType.BFLOAT16:
                side(place).tensor().set_element_type(openvino.Type.f32)
    return wrapped.build()


def _name(port: Any) -> str:
    """The first name of an input or output in order; its node's, where the file gives it none."""
    return str(min(port.names, default=port.node.friendly_name))


def _spec(port: Any) -> TensorSpec:
    shape = port.partial_shape
    sizes = None if shape.rank.is_dynamic else tuple(None if d.is_dynamic else d.get_length() for d in shape)
    return TensorSpec(_name(port), _TYPES.get(port.element_type.get_type_name(), DataType.INVALID), sizes)


def _refuse_types(ports: Sequence[Any]) -> None:
    """Raises an error if an input or output cannot be passed on. Strings of a TensorFlow Lite file have a ``dynamic`` type."""
    others = [port for port in ports if port.element_type.get_type_name() not in _TYPES]
    if others:
        named = some((f"{_name(port)} ({port.element_type.get_type_name()})" for port in others), _MOST_NAMES)
        raise GraphscopeError(
            f"OpenVINO cannot be given or asked for strings and other types that NumPy lacks: {named}"
        )


def _reshape(openvino: Any, model: Any, shapes: Mapping[str, Shape]) -> None:
    """Gives inputs the shapes that are known."""
    inputs = {name for argument in model.inputs for name in argument.names}
    known = {name: shape for name, shape in shapes.items() if name in inputs and shape is not None}
    if known:
        model.reshape({n: openvino.PartialShape([-1 if d is None else d for d in shape]) for n, shape in known.items()})


class _WithConstants:
    """A program beside outputs that are constants: of those, OpenVINO makes no outputs."""

    def __init__(self, constants: Mapping[str, Payload], program: Program | None) -> None:
        self.constants = constants
        self.program = program

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See :class:`graphscope.runtime.engines.program.Program`."""
        names = [str(TensorName.parse(text)) for text in outputs]
        computed = [name for name in names if name not in self.constants]
        values = dict(zip(computed, self.program.run(computed, feeds) if self.program and computed else ()))
        return [self.constants[name].numpy() if name in self.constants else values[name] for name in names]


def of_graph(graph: Graph, outputs: Sequence[str], shapes: Mapping[str, Shape], path: str) -> Program:
    """A graph without variables, which OpenVINO reads as a frozen graph from a temporary file.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
        GraphscopeError: it cannot load the graph.
    """
    from graphscope.formats.graph.graphdef import write_model
    from graphscope.formats.registry import WriteOptions

    openvino_package()
    constants = _constant_outputs(graph, outputs)
    computed = [text for text in outputs if str(TensorName.parse(text)) not in constants]
    if constants:
        return _WithConstants(constants, of_graph(graph, computed, shapes, path) if computed else None)
    _refuse_constants(graph)
    model, names = _with_ends(Model(path, ModelKind.GRAPH, "binary", (), graph), outputs)
    with tempfile.TemporaryDirectory(prefix="graphscope-") as directory:
        file = Path(directory) / "frozen.pb"
        write_model(model, file, WriteOptions())
        return NamedProgram(OpenvinoProgram(file, shapes), names)


def _constant_outputs(graph: Graph, outputs: Sequence[str]) -> dict[str, Payload]:
    """Output -> its value, for those that are constants in the graph."""
    names = map(TensorName.parse, outputs)
    found = {str(name): graph[name.node].tensor() for name in names if graph[name.node].op == "Const"}
    return {name: value for name, value in found.items() if value is not None}


_CLIPS = frozenset({"Slice", "StridedSlice"})
"""For these, any number behind the last element is the end."""


def _refuse_constants(graph: Graph) -> None:
    """Raises an error if a constant is beyond what OpenVINO computes with."""
    for node in graph:
        value = node.tensor() if node.op == "Const" else None
        if value is not None and is_narrowed(value.dtype):
            reason = reason_of_misfit(value.numpy())
            if reason and not _CLIPS.issuperset(taker.op for taker in graph.consumers(node.name)):
                raise GraphscopeError(f"{node.name}: {reason}")


def _with_ends(model: Model, outputs: Sequence[str]) -> tuple[Model, dict[str, str]]:
    """``model`` with a node behind each output that nothing consumes: OpenVINO forgets other names. And output -> its end."""
    from graphscope.feeding.feeds import tensor_spec
    from graphscope.transforms.ends import with_ends

    ended, names = with_ends(model.graph, [tensor_spec(model, text) for text in outputs])
    return model.with_graph(ended), names


def of_file(path: str | os.PathLike[str], signature: str) -> OpenvinoProgram:  # noqa: ARG001
    """A file that OpenVINO reads; see :class:`OpenvinoProgram`."""
    return OpenvinoProgram(path)
