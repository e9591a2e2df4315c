"""OpenVINO's IR as a target of exports: OpenVINO reads our ONNX file and writes it as IR.

Source: <https://docs.openvino.ai/2025/documentation/openvino-ir-format.html>.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from graphscope.core.names import free_name
from graphscope.core.tensors import node_of
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import ArgumentError, GraphscopeError
from graphscope.export.onnx import onnx_graph, require_onnx
from graphscope.export.openvino.numbers import is_narrowed, reason_of_misfit
from graphscope.export.openvino.package import complaint, openvino_package
from graphscope.export.refusal import NotExportableError, Refusal, order
from graphscope.export.target import Converted, ExportOptions, Written
from graphscope.formats.io.progress import Progress
from graphscope.formats.io.staging import staged_files, together

if TYPE_CHECKING:
    from graphscope.core.graph import Graph
    from graphscope.export.onnx.graph import OnnxGraph
    from graphscope.formats.registry import WriteOptions

_BODIES: Mapping[str, Callable[[Any], Sequence[Any]]] = {
    "If": lambda op: [op.get_then_body(), op.get_else_body()],
    "Loop": lambda op: [op.get_function()],
}
"""The models within an op of OpenVINO."""


def require() -> None:
    """See :class:`graphscope.export.target.Target`."""
    openvino_package()
    require_onnx()


def convert(graph: Graph, outputs: Sequence[str], options: ExportOptions, path: str) -> Converted:
    """See :class:`graphscope.export.target.Target`."""
    from graphscope.export.onnx.convert import OnnxOptions
    from graphscope.export.onnx.runtime_types import OPENVINO_KERNELS
    from graphscope.export.openvino.rounding import rounding_notes

    made = onnx_graph(graph, outputs, OnnxOptions(names=options.rename, kernels=OPENVINO_KERNELS), path)
    _refuse_constants(made, graph, outputs, path)
    return Converted(
        inputs=tuple(value.name for value in made.inputs),
        outputs=tuple(value.name for value in made.outputs),
        weight_bytes=sum(payload.nbytes or 0 for payload in made.constants.values()),
        write=partial(_write, made),
        random=tuple(made.random),
        tensors=made.tensors,
        notes=(*made.notes, *rounding_notes(made)),
    )


def _refuse_constants(made: OnnxGraph, graph: Graph, outputs: Sequence[str], path: str) -> None:
    """Raises an error if a constant is out of range for OpenVINO. Slice ends past the last element may have any value.

    Raises:
        NotExportableError: one is.
    """
    from graphscope.export.onnx.graph import taken_tensors

    narrowed = {name: value for name, value in made.constants.items() if is_narrowed(value.dtype)}
    counted = {name for node in made.nodes if node.op_type != "Slice" for name in taken_tensors(node)}
    refusals = {}
    for name in narrowed.keys() & counted:
        reason = reason_of_misfit(narrowed[name].numpy())
        if reason:
            refusals[node_of(name)] = Refusal(node_of(name), "Const", reason)
    if refusals:
        raise NotExportableError(path, *order(graph, refusals, outputs), target="OpenVINO")


def _write(made: OnnxGraph, path: Path, options: WriteOptions) -> Written:
    """Writes the model, and its weights beside it as ``.bin``. Either both files are moved into place or neither."""
    if path.suffix.lower() != ".xml":
        raise ArgumentError(f"{path}: OpenVINO only finds the weights of a model named *.xml", hint="name it *.xml")
    paths = (path, path.with_suffix(".bin"))
    with staged_files(paths, overwrite=options.overwrite) as files, together(files, paths) as model:
        read = _read_onnx(made, model, options.progress)
        _name_added(read)
        _serialize(read, model, files)
        nodes = len(read.get_ops())
        del read
        _refuse_incomplete(model)
        options.check(model)
        size = sum(file.seek(0, 2) for file in files)
    return Written(paths, size, nodes)


def _read_onnx(made: OnnxGraph, model: Path, progress: Progress) -> Any:
    """``made`` as OpenVINO's own model, which refers to files beside ``model`` while it is used.

    Raises:
        GraphscopeError: OpenVINO does not read it; it names the ops.
    """
    from graphscope.export.onnx.write import write_onnx

    path = model.with_name(f"{model.name}.onnx")
    write_onnx(_with_empty_constants(made), path, external_data=True, progress=progress)
    try:
        return openvino_package().Core().read_model(str(path))
    except Exception as error:  # it raises RuntimeError and its own
        raise GraphscopeError(f"OpenVINO cannot read the model: {complaint(error)}") from error


def _with_empty_constants(made: OnnxGraph) -> OnnxGraph:
    """``made`` with nodes that compute its empty constants: OpenVINO reads those as a single 0."""
    import numpy as np
    from onnx import helper

    from graphscope.export.onnx.element_types import element_type

    empty = {name: value for name, value in made.constants.items() if not value.elements}
    sizes = {name: free_name(f"{name}/sizes", made.constants) for name in empty}
    nodes = []
    constants = {name: value for name, value in made.constants.items() if name not in empty}
    for name, value in empty.items():
        zero = helper.make_tensor("", element_type(value.dtype), [1], bytes(value.dtype.itemsize or 0), raw=True)
        nodes.append(helper.make_node("ConstantOfShape", [sizes[name]], [name], name=name, value=zero))
        constants[sizes[name]] = ArrayPayload(np.array(value.shape, np.int64))
    return replace(made, nodes=[*nodes, *made.nodes], constants=constants)


def _name_added(read: Any) -> None:
    """OpenVINO numbers added nodes per process; numbering them per model makes the output deterministic."""
    ops = list(_all_ops(read))
    taken = {op.get_friendly_name() for op in ops} - {op.get_name() for op in ops}
    numbered = (name for number in count(1) for name in [f"added_{number}"] if name not in taken)
    for op in ops:
        if op.get_friendly_name() == op.get_name():
            op.set_friendly_name(next(numbered))


def _all_ops(model: Any) -> Iterator[Any]:
    for op in model.get_ordered_ops():
        yield op
        for body in _BODIES.get(op.get_type_name(), lambda _: ())(op):
            yield from _all_ops(body)


def _serialize(read: Any, model: Path, files: Sequence[BinaryIO]) -> None:
    """Weights keep their precision; OpenVINO's ``save_model`` would halve it."""
    try:
        openvino_package().serialize(read, str(model), str(model.with_suffix(".bin")))
    except Exception as error:
        _refuse_full(files)
        raise GraphscopeError(f"OpenVINO cannot write the model: {complaint(error)}") from error


def _refuse_full(files: Sequence[BinaryIO]) -> None:
    """OpenVINO does not report why a write failed; writing more makes the operating system report it.

    Raises:
        OSError: the disk is full, or a limit is reached.
    """
    for file in files:
        file.seek(0, 2)
        file.write(bytes(1))
        file.flush()


def _refuse_incomplete(model: Path) -> None:
    try:
        openvino_package().Core().read_model(str(model))
    except Exception as error:
        raise GraphscopeError(f"OpenVINO cannot read the file that it wrote: {complaint(error)}") from error
