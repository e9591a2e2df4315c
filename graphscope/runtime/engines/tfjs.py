"""TF.js under Node.js, on its plain processor backend: runs the graph models that are written for it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, MissingDependencyError
from graphscope.runtime.engines.program import NamedProgram, object_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.core.graph import Graph
    from graphscope.core.tensors import Shape

INSTALL = "npm install @tensorflow/tfjs   here, or name the directory of an installed one in NODE_PATH"

_SERVER = Path(__file__).with_name("tfjs_server.js")

_TYPES = {
    "f": ("float32", "<f4"),
    "i": ("int32", "<i4"),
    "u": ("int32", "<i4"),
    "b": ("bool", "u1"),
    "c": ("complex64", "<c8"),
    "V": ("float32", "<f4"),
}
"""NumPy's kind -> TF.js's type, and NumPy's of its elements. Others are strings; bfloat16 has the kind of unknown bytes."""

_ELEMENTS = {"float32": "<f4", "int32": "<i4", "bool": "?", "complex64": "<c8"}


class TfjsServer:
    """A Node.js process that runs any number of models until it is closed or unreferenced.

    Raises:
        MissingDependencyError: Node.js or TF.js is not installed.
    """

    def __init__(self) -> None:
        node = shutil.which("node")
        if node is None:
            raise MissingDependencyError(
                "TF.js requires Node.js, and there is no node", hint="apt-get install nodejs npm"
            )
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([node, _SERVER], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        self.close = weakref.finalize(self, _stop, self.process)
        try:
            self.version: str = self.ask({"start": True})["version"]
        except GraphscopeError as error:
            raise MissingDependencyError(
                "TF.js requires the npm package @tensorflow/tfjs, which cannot be loaded", hint=INSTALL
            ) from error

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request.

        Raises:
            GraphscopeError: TF.js cannot do it; the message is its own.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"error": "Node.js ended without an answer"}
        if "error" in answer:
            raise GraphscopeError(str(answer["error"]).splitlines()[0])
        return answer


def _stop(process: subprocess.Popen[str]) -> None:
    """Ends the process: no more requests."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    process.wait()


class TfjsProgram:
    """A graph model that is loaded.

    Args:
        path: its ``model.json``.
        server: where it runs; by default in a separate process.

    Raises:
        MissingDependencyError: Node.js or TF.js is not installed.
        GraphscopeError: TF.js cannot load the model.
    """

    signature = ""

    def __init__(self, path: str | os.PathLike[str], server: TfjsServer | None = None) -> None:
        self.server = server or TfjsServer()
        self.path = os.fspath(Path(path).absolute())
        try:
            loaded = self.server.ask({"load": self.path})
        except MissingDependencyError:
            raise
        except GraphscopeError as error:
            raise GraphscopeError(f"TF.js cannot load the model: {error.message}") from error
        self.inputs = _specs(loaded, "inputs")
        self.outputs = _specs(loaded, "outputs")
        self.dtypes = {spec.name: spec.dtype for spec in self.outputs}

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See :class:`graphscope.runtime.engines.program.Program`. Values have the types that the signature states."""
        taken = {spec.name for spec in self.inputs}
        given = {name: _sent(value) for name, value in feeds.items() if name in taken}
        try:
            found = self.server.ask({"run": self.path, "feeds": given, "outputs": list(outputs)})["outputs"]
        except GraphscopeError as error:
            raise GraphscopeError(f"TF.js cannot run the model: {error.message}") from error
        return [_receive(tensor, self.dtypes.get(name)) for name, tensor in zip(outputs, found, strict=True)]


def _specs(loaded: Mapping[str, Any], side: str) -> list[TensorSpec]:
    """What the signature states; in its absence, what TF.js finds in the graph."""
    stated = (loaded.get("signature") or {}).get(side)
    if stated:
        return [
            TensorSpec(name, DataType[info["dtype"].removeprefix("DT_")], _sizes(info)) for name, info in stated.items()
        ]
    return [TensorSpec(info["name"], _stated_type(info), _shape(info.get("shape"))) for info in loaded[side]]


def _sizes(info: Mapping[str, Any]) -> Shape:
    shape = info.get("tensorShape", {})
    return None if shape.get("unknownRank") else _shape([int(d.get("size", 0)) for d in shape.get("dim", ())])


def _shape(sizes: Sequence[int | None] | None) -> Shape:
    return None if sizes is None else tuple(None if size is None or size < 0 else size for size in sizes)


def _stated_type(info: Mapping[str, Any]) -> DataType:
    known = {dtype.label: dtype for dtype in DataType}
    return known.get(info.get("dtype") or "", DataType.INVALID)


def _sent(value: NDArray[Any]) -> dict[str, Any]:
    import numpy as np

    array = np.asarray(value)
    shape = list(array.shape)
    if array.dtype.kind not in _TYPES:
        texts = [text.encode() if isinstance(text, str) else text for text in array.reshape(-1).tolist()]
        return {"dtype": "string", "shape": shape, "data": [base64.b64encode(text).decode() for text in texts]}
    dtype, element = _TYPES[array.dtype.kind]
    return {"dtype": dtype, "shape": shape, "data": base64.b64encode(array.astype(element).tobytes()).decode()}


def _receive(tensor: Mapping[str, Any], dtype: DataType | None) -> NDArray[Any]:
    import numpy as np

    if tensor["dtype"] == "string":
        texts = [base64.b64decode(text) for text in tensor["data"]]
        return object_array(texts, tuple(tensor["shape"]))
    found: NDArray[Any] = np.frombuffer(base64.b64decode(tensor["data"]), _ELEMENTS[tensor["dtype"]]).reshape(
        tensor["shape"]
    )
    return found if dtype is None else found.astype(dtype.numpy)


def of_graph(graph: Graph, outputs: Sequence[str], shapes: Mapping[str, Shape], path: str) -> NamedProgram:  # noqa: ARG001
    """A graph without variables as a graph model in a temporary directory. ``shapes`` are those of what is fed.

    Raises:
        MissingDependencyError: Node.js or TF.js is not installed.
        NotExportableError: TF.js cannot run the graph.
        GraphscopeError: TF.js cannot load it.
    """
    from graphscope.export.tfjs.convert import convert
    from graphscope.export.tfjs.write import write_tfjs

    made = convert(graph, outputs, path)
    with tempfile.TemporaryDirectory(prefix="graphscope-") as directory:
        file = Path(directory) / "model" / "model.json"
        write_tfjs(made, file)
        return NamedProgram(TfjsProgram(file), made.tensors)


def of_file(path: str | os.PathLike[str], signature: str) -> TfjsProgram:  # noqa: ARG001
    """A graph model; see :class:`TfjsProgram`."""
    return TfjsProgram(path)
