"""The engines: one row for each."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.errors import ArgumentError, closest_names
from graphscope.runtime.engines.program import NamedProgram

if TYPE_CHECKING:
    from graphscope.core.graph import Graph
    from graphscope.core.tensors import Shape
    from graphscope.runtime.engines.program import FileProgram, Program

TENSORFLOW = "tensorflow"
ENGINE_TOLERANCE = 1e-4
"""The absolute and relative tolerance for engines that round differently."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine.

    Attributes:
        title: its usual name.
        module: where its ``of_graph`` and ``of_file`` are; empty for TensorFlow, which runs models with their variables.
        formats: the names of the formats whose files it runs as they are.
        runs_models: whether it runs any model; otherwise, only finished files.
    """

    title: str
    module: str = ""
    formats: frozenset[str] = frozenset()
    runs_models: bool = True

    def of_graph(self, graph: Graph, outputs: Sequence[str], shapes: Mapping[str, Shape], path: str) -> Program:
        """A graph without variables, ready to run.

        Args:
            shapes: input -> its shape, if that is known better than from the graph.
            path: name of the model in error messages.

        Raises:
            MissingDependencyError: the engine is not installed.
            GraphscopeError: it cannot load the graph.
        """
        program: Program = self._function("of_graph")(graph, outputs, shapes, path)
        return program

    def of_file(self, path: str | os.PathLike[str], signature: str = "") -> FileProgram:
        """A file of one of :attr:`formats`, ready to run; raises as :meth:`of_graph`.

        Args:
            signature: which one runs, where the file has several; empty for the usual one.

        Raises:
            UnknownNameError: the file has signatures, but no such.
        """
        program: FileProgram = self._function("of_file")(path, signature)
        return program

    def of_export(self, path: str | os.PathLike[str], names: Mapping[str, str]) -> Program:
        """As :meth:`of_file`, of a file that was made of a graph, run by the names of the graph's tensors.

        Args:
            names: tensor of the graph -> its name in the file; others have the same name.
        """
        return NamedProgram(self.of_file(path), names)

    def _function(self, name: str) -> Any:
        return getattr(importlib.import_module(f"graphscope.runtime.engines.{self.module}"), name)


ENGINES: Mapping[str, Engine] = {
    TENSORFLOW: Engine("TensorFlow"),
    "onnxruntime": Engine("ONNX Runtime", "onnx_runtime", frozenset({"onnx"})),
    "openvino": Engine("OpenVINO", "openvino", frozenset({"onnx", "tflite", "openvino"})),
    "litert": Engine("LiteRT", "litert", frozenset({"tflite"}), runs_models=False),
    "tfjs": Engine("TF.js", "tfjs", frozenset({"tfjs"})),
}

CHOICES = tuple(name for name, engine in ENGINES.items() if engine.runs_models)
"""The engines that can be chosen for a model."""


def engine_by_name(name: str) -> Engine:
    """The engine called ``name``.

    Raises:
        ArgumentError: there is no such engine.
    """
    if name in CHOICES:
        return ENGINES[name]
    near = closest_names(name, CHOICES)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise ArgumentError(f"no engine is called {name!r}{meant}", hint=f"one of: {', '.join(CHOICES)}")
