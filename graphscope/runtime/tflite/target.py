"""TensorFlow Lite as a target of exports: TensorFlow's converter makes the file of our frozen graph, of built-in ops only."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from graphscope.core.model import Model, ModelKind
from graphscope.core.tensors import TensorName, TensorSpec, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import ArgumentError, GraphscopeError, MissingDependencyError, file_errors
from graphscope.export.refusal import UNSHAPED, NotExportableError, Refusal, order
from graphscope.export.target import Converted, ExportOptions, Written
from graphscope.feeding.feeds import required_inputs, tensor_spec
from graphscope.formats.io.atomic import write_file
from graphscope.formats.io.paths import exists
from graphscope.formats.io.progress import report_chunks
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.pieces import graph_pieces, size_of
from graphscope.formats.savedmodel.writer import (
    DEFAULT_SIGNATURE,
    PREDICT,
    argument_names,
    tensor_info,
    write_saved_model,
)
from graphscope.protos import MetaGraphDef, SignatureDef
from graphscope.runtime.tflite.worker import EXAMPLES, JOB, REFUSED, RESULT, SAVED_MODEL
from graphscope.transforms.ends import with_ends
from graphscope.transforms.findings.randomness import random_sources
from graphscope.transforms.freeze import refuse_oversize
from graphscope.transforms.tensor_lists import with_tensor_lists

if TYPE_CHECKING:
    from graphscope.core.graph import Graph, Node
    from graphscope.formats.registry import WriteOptions

TARGET = "TensorFlow Lite's built-in ops"

INSTALL = "pip install 'tf-graphscope[tflite]'"

QUANTIZATIONS = ("float16", "dynamic", "int8")

MEMORY_FACTOR = 6
"""So many bytes the converter takes for each byte of the model, beside its own (TensorFlow 2.21, VGG-16: 3.6 GB for 553 MB)."""

_OWN_BYTES = 500_000_000

WORKER = (sys.executable, "-m", "graphscope.runtime.tflite.worker")

_LARGE_BYTES = 50_000_000
"""Of models with more, it is said beforehand."""

_BY_FLEX = "it needs Flex, which the interpreters from pip lack"
_BY_NOBODY = "TensorFlow Lite has no such op"
_NOT_FED = frozenset({DataType.RESOURCE, DataType.VARIANT})


def require() -> None:
    """See :class:`graphscope.export.target.Target`."""
    if find_spec("tensorflow") is None:
        raise MissingDependencyError("writing TensorFlow Lite requires TensorFlow's converter", hint=INSTALL)


@dataclass(frozen=True, slots=True)
class _Names:
    """The inputs and outputs of the signature, with the names that they have there."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]


def convert(graph: Graph, outputs: Sequence[str], options: ExportOptions, path: str) -> Converted:
    """See :class:`graphscope.export.target.Target`."""
    if options.quantize and options.quantize not in QUANTIZATIONS:
        raise ArgumentError(f"{options.quantize} is not a way to quantize", hint=f"one of: {', '.join(QUANTIZATIONS)}")
    size = size_of(graph_pieces(graph))
    refuse_oversize(size)
    model = Model(path, ModelKind.GRAPH, "binary", (), graph)
    names = _choose_names(model, outputs, options)
    _refuse_inputs(path, names.inputs.values())
    tensors = {spec.name: name for side in (names.inputs, names.outputs) for name, spec in side.items()}
    return Converted(
        inputs=tuple(names.inputs),
        outputs=tuple(names.outputs),
        weight_bytes=size,
        write=partial(_write, model, names, options),
        random=tuple({source: "" for text in outputs for source in random_sources(graph, text)}),
        tensors=tensors,
        notes=(_memory_note(size),) if size > _LARGE_BYTES else (),
    )


def _memory_note(size: int) -> str:
    total = MEMORY_FACTOR * size + _OWN_BYTES
    return (
        f"TensorFlow's converter takes about {total / 1e9:.1f} GB of memory, {MEMORY_FACTOR} times the model and 0.5 GB"
    )


def _choose_names(model: Model, outputs: Sequence[str], options: ExportOptions) -> _Names:
    """What the signature calls inputs and outputs: as SavedModels do, or as a person wants.

    Raises:
        GraphscopeError: something else is to be renamed, or two of a side would have one name.
    """
    renamed = {str(TensorName.parse(old)): new for old, new in options.rename.items()}
    sides = [required_inputs(model, outputs, with_defaults=True), [tensor_spec(model, text) for text in outputs]]
    known = [spec.name for specs in sides for spec in specs]
    for old in renamed:
        if old not in known:
            raise GraphscopeError(
                f"{old} cannot be renamed: it is neither an input nor an output",
                hint=f"inputs and outputs: {', '.join(known[:8])}",
            )
    return _Names(*(_rename_specs(specs, renamed) for specs in sides))


def _rename_specs(specs: Sequence[TensorSpec], renamed: Mapping[str, str]) -> dict[str, TensorSpec]:
    found: dict[str, TensorSpec] = {}
    for name, spec in zip(argument_names(specs), specs, strict=True):
        chosen = renamed.get(spec.name, name)
        if chosen in found:
            raise GraphscopeError(f"two inputs or outputs would be called {chosen}")
        found[chosen] = spec
    return found


def _refuse_inputs(path: str, inputs: Iterable[TensorSpec]) -> None:
    """Inputs of unknown rank are refused because the converter treats them as scalars; so are inputs that cannot be fed.

    Raises:
        NotExportableError: there are such.
    """
    refusals = [
        Refusal(node_of(spec.name), "Placeholder", UNSHAPED, is_unshaped=True)
        for spec in inputs
        if spec.shape is None and spec.dtype not in _NOT_FED
    ]
    refusals += [
        Refusal(node_of(spec.name), "Placeholder", f"TensorFlow Lite feeds no {spec.dtype.label}")
        for spec in inputs
        if spec.dtype in _NOT_FED
    ]
    if refusals:
        raise NotExportableError(path, refusals, (), TARGET)


def _write(model: Model, names: _Names, options: ExportOptions, path: Path, how: WriteOptions) -> Written:
    with file_errors(path), tempfile.TemporaryDirectory(prefix="graphscope-") as folder:
        directory = Path(folder)
        nodes = _convert(model, names, options, directory)
        content = FileSource(directory / RESULT)
        chunks = report_chunks(content.chunks(0, content.size), how.progress)
        size = write_file(path, chunks, overwrite=how.overwrite, check=how.check)
    return Written((path,), size, nodes)


def _convert(model: Model, names: _Names, options: ExportOptions, directory: Path) -> int:
    """Leaves the file in ``directory``; the number of its operators."""
    graph, ended = _with_loop_ends(with_tensor_lists(model.graph), names)
    signed = model.replace(meta=_with_signature(model.meta, graph, ended), loaded_graph=graph)
    write_saved_model(signed, directory / SAVED_MODEL, inputs=(), outputs=())
    _write_job(names, options, model.graph, directory)
    command = [*WORKER, str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=_environment())
    if exists(directory / REFUSED):
        raise _refusal(model, list(names.outputs.values()), json.loads((directory / REFUSED).read_text("utf-8")))
    if done.returncode:
        raise _failure(model, list(names.outputs.values()), done)
    return int(done.stdout.split()[-1])


def _with_loop_ends(graph: Graph, names: _Names) -> tuple[Graph, _Names]:
    """``graph`` with a node behind each output that leaves a loop: the converter replaces the loop, and misses the output."""
    left = [spec for spec in names.outputs.values() if graph[node_of(spec.name)].op == "Exit"]
    graph, ends = with_ends(graph, left)
    outputs = {name: spec._replace(name=ends.get(spec.name, spec.name)) for name, spec in names.outputs.items()}
    return graph, _Names(names.inputs, outputs)


def _with_signature(old: MetaGraphDef, graph: Graph, names: _Names) -> MetaGraphDef:
    """The message ``old`` with the signature from which the file's own is made."""
    signature = SignatureDef(method_name=PREDICT)
    for side, arguments in ((names.inputs, signature.inputs), (names.outputs, signature.outputs)):
        for name, spec in side.items():
            arguments[name].CopyFrom(tensor_info(graph, spec))
    meta = MetaGraphDef()
    meta.CopyFrom(old)
    meta.signature_def[DEFAULT_SIGNATURE].CopyFrom(signature)
    return meta


def _write_job(names: _Names, options: ExportOptions, graph: Graph, directory: Path) -> None:
    import numpy as np

    argument = ""
    if options.examples is not None:
        argument = next(name for name, spec in names.inputs.items() if spec.name == options.examples.tensor)
        np.save(directory / EXAMPLES, options.examples.values)
    ops = sorted({op for _, body in graph.bodies for op in body.ops})
    job = {"quantize": options.quantize, "argument": argument, "ops": ops}
    (directory / JOB).write_text(json.dumps(job), "utf-8")


def _environment() -> dict[str, str]:
    """The worker imports what this process has imported."""
    paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _refusal(model: Model, outputs: Sequence[TensorSpec], ops: Sequence[tuple[str, str, bool]]) -> NotExportableError:
    """Every op without a built-in equivalent, at the nodes that the converter names, or otherwise at all of them."""
    graph = model.graph
    refusals: dict[str, Refusal] = {}
    for op, node, is_flex in ops:
        nodes = [node] if node in graph else [n.name for n in graph if n.op == op] or [node or op]
        refusals.update({name: Refusal(name, op, _reason(graph.get(name), is_flex)) for name in nodes})
    return NotExportableError(model.path, *order(graph, refusals, [spec.name for spec in outputs]), target=TARGET)


def _reason(node: Node | None, is_flex: bool) -> str:
    """Why the node has no built-in equivalent: often the op has one, but not for a type of the node."""
    attrs = node.attrs.values() if node is not None else ()
    types = [DataType.of(attr.type) for attr in attrs if attr.WhichOneof("value") == "type"]
    unusual = next((f"for {dtype.label} " for dtype in types if dtype not in _USUAL), "")
    return unusual + (_BY_FLEX if is_flex else _BY_NOBODY)


_USUAL = frozenset({DataType.FLOAT, DataType.INT32, DataType.INT64, DataType.BOOL, DataType.STRING})
"""Types that most built-in ops have."""

_MISSING = re.compile(r"MissingDependencyError: (.+)")
_UNREGISTERED = re.compile(r"Op type not registered '(\w+)'")
_RAISED = re.compile(r"^(\w+\.)+\w+: ")
"""How Python begins the line of an exception that is not its own."""


def _failure(model: Model, outputs: Sequence[TensorSpec], done: subprocess.CompletedProcess[str]) -> GraphscopeError:
    """What is in the way, as far as the converter says it."""
    path, size = model.path, size_of(graph_pieces(model.graph))
    if done.returncode == -signal.SIGKILL:
        return GraphscopeError(f"{path}: TensorFlow's converter was killed. {_memory_note(size)}")
    unknown = _UNREGISTERED.search(done.stderr)
    if unknown is not None:
        nodes = [node.name for node in model.graph if node.op == unknown[1]]
        refusals = {name: Refusal(name, unknown[1], "TensorFlow, which converts, has no such op") for name in nodes}
        listed = order(model.graph, refusals, [spec.name for spec in outputs])
        return NotExportableError(path, *listed, target=TARGET)
    missing = _MISSING.search(done.stderr)
    if missing is not None:
        return MissingDependencyError(missing[1], hint=INSTALL)
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    reason = _RAISED.sub("", said[-1]) if said else done.returncode
    return GraphscopeError(f"{path}: TensorFlow's converter failed: {reason}")
