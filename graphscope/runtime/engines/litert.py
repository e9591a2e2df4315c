"""LiteRT, the runtime of TensorFlow Lite files, with its own kernels alone: delegates would log, and round otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.errors import GraphscopeError
from graphscope.export.packages import first_line, import_package
from graphscope.runtime.engines.program import FileNames

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LiteRtProgram:
    """A file that is ready to run on the processor, by its only signature.

    Args:
        path: a ``.tflite`` file.
        names: tensor of the TensorFlow graph -> its name in the signature; others have the same name.

    Raises:
        MissingDependencyError: LiteRT is not installed.
        GraphscopeError: it cannot load the file.
    """

    def __init__(self, path: str | os.PathLike[str], names: Mapping[str, str]) -> None:
        runtime = import_package("ai_edge_litert.interpreter", "LiteRT", "tflite")
        kernels = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self.name = FileNames(names)
        try:
            self.interpreter = runtime.Interpreter(os.fspath(path), experimental_op_resolver_type=kernels)
            self.runner = self.interpreter.get_signature_runner()
        except (ValueError, RuntimeError) as error:
            raise GraphscopeError(f"LiteRT cannot load the file: {first_line(error)}") from error
        self.inputs = self.runner.get_input_details()

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See :class:`graphscope.runtime.engines.program.Program`."""
        import numpy as np

        given = {self.name(text): np.asarray(value) for text, value in feeds.items() if self.name(text) in self.inputs}
        try:
            values = self.runner(**given)
        except (ValueError, RuntimeError) as error:
            raise GraphscopeError(f"LiteRT cannot run the file: {first_line(error)}") from error
        return [np.asarray(values[self.name(text)]) for text in outputs]


def of_file(path: str | os.PathLike[str], names: Mapping[str, str]) -> LiteRtProgram:
    """A TensorFlow Lite file; see :class:`LiteRtProgram`."""
    return LiteRtProgram(path, names)
