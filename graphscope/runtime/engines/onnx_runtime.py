"""ONNX Runtime: runs ONNX files, and frozen graphs as ONNX in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.errors import GraphscopeError
from graphscope.export.packages import first_line, import_package
from graphscope.runtime.engines.program import FileNames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.core.graph import Graph
    from graphscope.core.tensors import Shape
    from graphscope.export.onnx.graph import OnnxGraph

_ERRORS_ONLY = 3


class OnnxSession:
    """An ONNX model that is ready to run on the processor.

    Args:
        model: a file, or its content.
        names: tensor of the TensorFlow graph -> its name in the file; others have the same name.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        GraphscopeError: it cannot load the file.
    """

    def __init__(self, model: str | os.PathLike[str] | bytes, names: Mapping[str, str]) -> None:
        onnxruntime = import_package("onnxruntime", "ONNX Runtime", "onnx")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        self.name = FileNames(names)
        content = model if isinstance(model, bytes) else os.fspath(model)
        try:
            self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no common root but this
            raise GraphscopeError(f"ONNX Runtime cannot load the file: {first_line(error)}") from error
        self.inputs = {argument.name for argument in self.session.get_inputs()}
        self.inputs.update(argument.name for argument in self.session.get_overridable_initializers())

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The values of ``outputs``, by their names in the TensorFlow graph; feeds that the file does not take are left out.

        Raises:
            GraphscopeError: ONNX Runtime cannot compute them.
        """
        import numpy as np

        given = {self.name(text): np.asarray(value) for text, value in feeds.items() if self.name(text) in self.inputs}
        try:
            values = self.session.run([self.name(text) for text in outputs], given)
        except Exception as error:
            raise GraphscopeError(f"ONNX Runtime cannot run the file: {first_line(error)}") from error
        return [np.asarray(value) for value in values]


def of_graph(graph: Graph, outputs: Sequence[str], shapes: Mapping[str, Shape], path: str) -> OnnxSession:
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
    return OnnxSession(model_bytes(made), made.tensors) if is_one_file(made) else _of_files(made)


def _of_files(made: OnnxGraph) -> OnnxSession:
    from graphscope.export.onnx.write import write_onnx

    with tempfile.TemporaryDirectory(prefix="graphscope-") as directory:
        path = Path(directory) / "model.onnx"
        write_onnx(made, path)
        return OnnxSession(path, made.tensors)


def of_file(path: str | os.PathLike[str], names: Mapping[str, str]) -> OnnxSession:
    """An ONNX file.

    Args:
        names: what its tensors are called outside -> their names in the file.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        GraphscopeError: it cannot load the file.
    """
    return OnnxSession(path, names)
