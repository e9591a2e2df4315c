"""ONNX Runtime, where it is installed: runs ONNX files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.tensors import TensorName
from graphscope.errors import GraphscopeError, MissingDependencyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ERRORS_ONLY = 3


class OnnxSession:
    """An ONNX file that is ready to run on the processor.

    Args:
        names: tensor of the TensorFlow graph -> its name in the file; others have the same name.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        GraphscopeError: it cannot load the file.
    """

    def __init__(self, path: Path, names: Mapping[str, str]) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            hint = "pip install onnxruntime"
            raise MissingDependencyError("running ONNX requires the package onnxruntime", hint=hint) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        self.names = names
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no common root but this
            raise GraphscopeError(f"ONNX Runtime cannot load the file: {_first_line(error)}") from error
        self.inputs = {argument.name for argument in self.session.get_inputs()}

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
            raise GraphscopeError(f"ONNX Runtime cannot run the file: {_first_line(error)}") from error
        return [np.asarray(value) for value in values]

    def name(self, text: str) -> str:
        """What the tensor is called in the file."""
        tensor = str(TensorName.parse(text))
        return self.names.get(tensor, tensor)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
