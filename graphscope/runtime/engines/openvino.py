"""OpenVINO: runs frozen graphs as they are, ONNX files, TensorFlow Lite files and its own IR. Its readers are its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.model import Model, ModelKind
from graphscope.core.tensors import node_of
from graphscope.errors import GraphscopeError
from graphscope.export.openvino.package import complaint, openvino_package
from graphscope.runtime.engines.program import FileNames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.core.graph import Graph
    from graphscope.core.tensors import Shape

_SAME_NUMBERS = {"INFERENCE_PRECISION_HINT": "f32"}
"""Otherwise processors with bfloat16 compute in it."""


class OpenvinoProgram:
    """A model that OpenVINO has compiled for the processor.

    Args:
        path: a frozen ``.pb``, ``.onnx``, ``.tflite`` or ``.xml``.
        names: tensor of the TensorFlow graph -> its name in the file; others have the same name.
        shapes: input -> its shape, where that is known better than from the file.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
        GraphscopeError: it cannot load or compile the file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        names: Mapping[str, str],
        shapes: Mapping[str, Shape] | None = None,
    ) -> None:
        openvino = openvino_package()
        self.name = FileNames(names)
        try:
            model = openvino.Core().read_model(os.fspath(path))
            _reshape(openvino, model, {self.name(name): shape for name, shape in (shapes or {}).items()})
            self.compiled = openvino.compile_model(model, "CPU", _SAME_NUMBERS)
        except Exception as error:  # it raises RuntimeError and its own
            raise GraphscopeError(f"OpenVINO cannot load the file: {complaint(error)}") from error
        self.inputs = {name for argument in self.compiled.inputs for name in argument.names}

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See :class:`graphscope.runtime.engines.program.Program`."""
        import numpy as np

        given = {self.name(text): np.asarray(value) for text, value in feeds.items() if self.name(text) in self.inputs}
        try:
            values = self.compiled(given)
            return [np.asarray(values[self.compiled.output(self.name(text))]) for text in outputs]
        except Exception as error:
            raise GraphscopeError(f"OpenVINO cannot run the file: {complaint(error)}") from error


def _reshape(openvino: Any, model: Any, shapes: Mapping[str, Shape]) -> None:
    """Gives inputs the shapes that are known."""
    inputs = {name for argument in model.inputs for name in argument.names}
    known = {name: shape for name, shape in shapes.items() if name in inputs and shape is not None}
    if known:
        model.reshape({n: openvino.PartialShape([-1 if d is None else d for d in shape]) for n, shape in known.items()})


def of_graph(graph: Graph, outputs: Sequence[str], shapes: Mapping[str, Shape], path: str) -> OpenvinoProgram:
    """A graph without variables, which OpenVINO reads as a frozen graph from a temporary file.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
        GraphscopeError: it cannot load the graph.
    """
    from graphscope.formats.graph.graphdef import write_model
    from graphscope.formats.registry import WriteOptions

    openvino_package()
    model, names = _with_ends(Model(path, ModelKind.GRAPH, "binary", (), graph), outputs)
    with tempfile.TemporaryDirectory(prefix="graphscope-") as directory:
        file = Path(directory) / "frozen.pb"
        write_model(model, file, WriteOptions())
        return OpenvinoProgram(file, names, shapes)


def _with_ends(model: Model, outputs: Sequence[str]) -> tuple[Model, dict[str, str]]:
    """``model`` with a node behind each output that nothing consumes: OpenVINO forgets other names. And output -> its end."""
    from graphscope.core.build import make_node, type_attr
    from graphscope.core.names import free_name
    from graphscope.feeding.feeds import tensor_spec

    specs = [tensor_spec(model, text) for text in outputs]
    names = [free_name(f"{node_of(spec.name)}/end_{i}", model.graph) for i, spec in enumerate(specs)]
    ends = [make_node(n, "Identity", [spec.name], {"T": type_attr(spec.dtype)}) for n, spec in zip(names, specs)]
    ended = replace(model, loaded_graph=model.graph.with_nodes([*model.graph, *ends]))
    return ended, {spec.name: f"{name}:0" for spec, name in zip(specs, names)}


def of_file(path: str | os.PathLike[str], names: Mapping[str, str]) -> OpenvinoProgram:
    """A file that OpenVINO reads; see :class:`OpenvinoProgram`."""
    return OpenvinoProgram(path, names)
