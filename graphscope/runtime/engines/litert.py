"""LiteRT, the runtime of TensorFlow Lite files, with its own kernels alone: delegates would log, and round otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.export.packages import first_line, import_package

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DEFAULT = "serving_default"
_NOT_READ = "Invalid tensor size."
"""What LiteRT says of a tensor that has run without elements."""


class LiteRtProgram:
    """A file that is ready to run on the processor, by one of its signatures.

    Args:
        path: a ``.tflite`` file.
        signature: which one; empty for ``serving_default`` or the first. A file without any runs by the names of its tensors.

    Raises:
        MissingDependencyError: LiteRT is not installed.
        UnknownNameError: the file has no such signature.
        GraphscopeError: LiteRT cannot load the file.
    """

    def __init__(self, path: str | os.PathLike[str], signature: str) -> None:
        runtime = import_package("ai_edge_litert.interpreter", "LiteRT", "tflite")
        kernels = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            self.interpreter = runtime.Interpreter(os.fspath(path), experimental_op_resolver_type=kernels)
            self.signature = _choose(list(self.interpreter.get_signature_list()), signature)
            self.runner = self._runner()
        except (ValueError, RuntimeError) as error:
            raise GraphscopeError(f"LiteRT cannot load the file: {first_line(error)}") from error
        self.inputs = _specs(self.runner.get_input_details())
        self.outputs = _specs(self.runner.get_output_details())

    def _runner(self) -> _Runner:
        if not self.signature:
            return _Subgraph(self.interpreter)
        return _Signature(self.interpreter, self.interpreter.get_signature_runner(self.signature))

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See :class:`graphscope.runtime.engines.program.Program`."""
        import numpy as np

        given = {spec.name: _given(feeds[spec.name]) for spec in self.inputs if spec.name in feeds}
        try:
            values = self.runner(**given)
        except (ValueError, RuntimeError) as error:
            raise GraphscopeError(f"LiteRT cannot run the file: {first_line(error)}") from error
        return [np.asarray(values[name]) for name in outputs]


def _given(value: Any) -> NDArray[Any]:
    """A value as LiteRT takes it: of a single string in an array of objects it would read the object's address."""
    import numpy as np

    array: NDArray[Any] = np.asarray(value)
    if array.shape or array.dtype.kind != "O":
        return array
    text: bytes = array.item()
    return np.frombuffer(text, f"S{len(text)}").reshape(()) if text else np.ndarray((), "S0")


class _Runner(Protocol):
    """What the interpreter gives for a signature."""

    def get_input_details(self) -> Mapping[str, Any]: ...

    def get_output_details(self) -> Mapping[str, Any]: ...

    def __call__(self, **feeds: NDArray[Any]) -> Mapping[str, NDArray[Any]]: ...


class _Signature:
    """A signature of a file; gives outputs without elements too, which LiteRT's own runner refuses to read."""

    def __init__(self, interpreter: Any, runner: Any) -> None:
        self.interpreter = interpreter
        self.runner = runner
        self.get_input_details = runner.get_input_details
        self.get_output_details = runner.get_output_details

    def __call__(self, **feeds: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        try:
            values: Mapping[str, NDArray[Any]] = self.runner(**feeds)
        except ValueError as error:
            if str(error) != _NOT_READ:
                raise
            return _read(self.interpreter, self.get_output_details(), self.runner._subgraph_index)
        return values


def _read(interpreter: Any, details: Mapping[str, Any], subgraph: int = 0) -> dict[str, NDArray[Any]]:
    """The outputs after a run."""
    import numpy as np

    return {
        name: interpreter.get_tensor(d["index"], subgraph) if d["shape"].all() else np.empty(d["shape"], d["dtype"])
        for name, d in details.items()
    }


class _Subgraph:
    """The first subgraph of a file without signatures, as the runner of one."""

    def __init__(self, interpreter: Any) -> None:
        self.interpreter = interpreter

    def get_input_details(self) -> Mapping[str, Any]:
        return {detail["name"]: detail for detail in self.interpreter.get_input_details()}

    def get_output_details(self) -> Mapping[str, Any]:
        return {detail["name"]: detail for detail in self.interpreter.get_output_details()}

    def __call__(self, **feeds: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        numbers = {name: detail["index"] for name, detail in self.get_input_details().items()}
        for name, value in feeds.items():
            self.interpreter.resize_tensor_input(numbers[name], value.shape)
        self.interpreter.allocate_tensors()
        for name, value in feeds.items():
            self.interpreter.set_tensor(numbers[name], value)
        self.interpreter.invoke()
        return _read(self.interpreter, self.get_output_details())


def _choose(names: Sequence[str], wanted: str) -> str:
    if wanted and wanted not in names:
        raise UnknownNameError("signature", wanted, names)
    return wanted or (_DEFAULT if _DEFAULT in names else next(iter(names), ""))


def _specs(details: Mapping[str, Any]) -> list[TensorSpec]:
    return [TensorSpec(name, _dtype(detail), _shape(detail)) for name, detail in details.items()]


def _dtype(detail: Mapping[str, Any]) -> DataType:
    import numpy as np

    return DataType.from_numpy(np.dtype(detail["dtype"]))


def _shape(detail: Mapping[str, Any]) -> tuple[int | None, ...]:
    return tuple(None if size < 0 else int(size) for size in detail["shape_signature"])


def of_file(path: str | os.PathLike[str], signature: str) -> LiteRtProgram:
    """A TensorFlow Lite file; see :class:`LiteRtProgram`."""
    return LiteRtProgram(path, signature)
