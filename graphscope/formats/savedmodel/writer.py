"""Writes SavedModels of TensorFlow 1's kind: ``saved_model.pb``, ``variables/``, ``assets/``.

Source: ``tensorflow/python/saved_model/{builder_impl,loader_impl,load_v1_in_v2}.py``,
``tensorflow/core/protobuf/saved_model.proto`` and ``tensorflow/cc/saved_model/constants.h`` (2.21).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphscope.core.graph import Graph
from graphscope.core.model import Model, ModelKind
from graphscope.core.tensors import TensorName, TensorSpec, node_of
from graphscope.core.values.payload import Payload
from graphscope.core.variables.restore import restore_sources
from graphscope.core.variables.variables import Role, Variable
from graphscope.errors import FileError, IncompleteModelError, UnsupportedError
from graphscope.formats.checkpoint.saver import with_own_saver, with_restore_v2
from graphscope.formats.checkpoint.writer import write_checkpoint
from graphscope.formats.detect.savedmodel_parts import SAVED_MODEL_FILES
from graphscope.formats.io.atomic import write_file
from graphscope.formats.io.progress import Progress, quiet, report_chunks
from graphscope.formats.io.staging import refuse_directory, staged_directory
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.pieces import Piece, field, flow, meta_graph_pieces, size_of
from graphscope.formats.savedmodel.assets import DIRECTORY, EXTRA_DIRECTORY, Asset, assets_of, extra_files
from graphscope.formats.savedmodel.initializers import with_main_op
from graphscope.formats.savedmodel.reader import VARIABLES
from graphscope.protos import MetaGraphDef, SignatureDef, TensorInfo

if TYPE_CHECKING:
    from graphscope.formats.registry import WriteOptions

DEFAULT_SIGNATURE = "serving_default"
PREDICT = "tensorflow/serving/predict"
MAX_MESSAGE_BYTES = (1 << 31) - 1
"""The size limit of protocol buffers: no parser accepts a larger message."""

_SCHEMA_VERSION = b"\x08\x01"
"""``SavedModel.saved_model_schema_version`` = 1"""

_MEMBERS = frozenset(
    [*SAVED_MODEL_FILES, "fingerprint.pb", "keras_metadata.pb", "variables", DIRECTORY, EXTRA_DIRECTORY]
)
_REQUIRED = frozenset({Role.MODEL, Role.MOVING_AVERAGE})
"""Variables that mean nothing without a trained value."""


def write_saved_model(
    model: Model,
    directory: Path,
    *,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    tags: Sequence[str] = ("serve",),
    overwrite: bool = False,
    allow_outside: bool = False,
    progress: Progress = quiet,
) -> int:
    """Writes ``model`` as a SavedModel: variables stay variables, constants stay constants.

    Collections, signatures, tables and assets of ``model`` are kept. Weights are copied from file to file; ``directory``
    appears only when everything is written.

    Args:
        inputs, outputs: the signature ``serving_default`` (see :func:`signature`), unless the model has one of the same
            tensors; without either, no signature is added.
        tags: of the meta graph.
        overwrite: replace a SavedModel that is there.
        allow_outside: copy files that the graph names from outside the model's directory too.
        progress: receives the number of bytes as they are processed.

    Returns:
        The size of the files in bytes.

    Raises:
        FileError: ``directory`` is not empty and ``overwrite`` is not set, or it holds something else than a SavedModel; an
            asset is outside the model's directory, and ``allow_outside`` is not set; or the operating system refuses.
        IncompleteModelError: the model has no graph; a variable that is needed has no value, or one has a value of another
            type or shape; an asset is missing.
        UnknownNameError: an input or output is not in the graph.
        UnsupportedError: ``saved_model.pb`` would be larger than a message may be.
        CorruptFileError: a weight cannot be read.
        GraphscopeError: the graph is invalid.
    """
    plan = _plan(model, inputs, outputs, tags, allow_outside)
    _refuse_too_large(plan.message, directory)
    with staged_directory(directory, overwrite=overwrite, replaceable=_refuse_foreign) as place:
        size = write_file(place / "saved_model.pb", report_chunks(flow(plan.message), progress))
        if plan.tensors:
            (place / VARIABLES).parent.mkdir()
            size += write_checkpoint(str(place / VARIABLES), plan.tensors, progress=progress)
        for name, source in plan.files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            file = FileSource(source)
            size += write_file(place / name, report_chunks(file.chunks(0, file.size), progress))
    return size


def refuse_place(directory: str | os.PathLike[str], overwrite: bool) -> None:
    """Raises an error if no SavedModel can be written to ``directory``, as :func:`write_saved_model` would."""
    refuse_directory(Path(directory), overwrite, _refuse_foreign)


def write_model(model: Model, path: str | os.PathLike[str], options: WriteOptions) -> int:
    """See :attr:`graphscope.formats.registry.Format.writer`; raises as :func:`write_saved_model`."""
    return write_saved_model(
        model,
        Path(path),
        inputs=options.inputs,
        outputs=options.outputs,
        overwrite=options.overwrite,
        allow_outside=options.allow_outside,
        progress=options.progress,
    )


@dataclass(frozen=True)
class _Plan:
    """The parts of a SavedModel: its message, its variables, and its other files by name."""

    message: list[Piece]
    tensors: list[tuple[str, Payload]]
    files: dict[str, Path]


def _plan(
    model: Model,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    tags: Sequence[str],
    allow_outside: bool,
) -> _Plan:
    model.refuse_invalid(closely=True)
    model.refuse_mismatch()
    meta = MetaGraphDef()
    meta.CopyFrom(model.meta)
    graph = with_restore_v2(model.graph, model.path)
    del meta.meta_info_def.tags[:]
    meta.meta_info_def.tags.extend(tags)
    if (inputs or outputs) and not _is_declared(model, inputs, outputs):
        meta.signature_def[DEFAULT_SIGNATURE].CopyFrom(signature(graph, inputs, outputs))
    if model.kind is not ModelKind.SAVED_MODEL:
        graph = with_main_op(model, graph, meta)
    assets = assets_of(model, allow_outside=allow_outside)
    _declare(meta, assets)
    _refuse_missing(model, graph, [node_of(spec.name) for spec in outputs])
    graph = with_own_saver(model, graph, meta)
    files = {f"{DIRECTORY}/{asset.filename}": asset.source for asset in assets}
    files |= {f"{EXTRA_DIRECTORY}/{name}": path for name, path in extra_files(model, allow_outside=allow_outside)}
    message = [_SCHEMA_VERSION, *field(2, meta_graph_pieces(meta, graph))]
    return _Plan(message, _tensors(model, meta), files)


def _is_declared(model: Model, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> bool:
    """Whether ``serving_default`` is of these tensors already: its arguments have names that its author chose."""
    declared = model.signatures.get(DEFAULT_SIGNATURE)
    if declared is None:
        return False
    pairs = ((inputs, declared.inputs), (outputs, declared.outputs))
    return all({s.name for s in specs} == {s.name for a in arguments.values() for s in a} for specs, arguments in pairs)


def signature(graph: Graph, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> SignatureDef:
    """A predict signature. An argument is called like the last part of its node's name, if that is unique among its kind.

    Raises:
        UnknownNameError: an input or output is not in ``graph``.
    """
    proto = SignatureDef(method_name=PREDICT)
    for specs, arguments in ((inputs, proto.inputs), (outputs, proto.outputs)):
        for name, spec in zip(argument_names(specs), specs, strict=True):
            arguments[name].CopyFrom(tensor_info(graph, spec))
    return proto


def argument_names(specs: Sequence[TensorSpec]) -> list[str]:
    """What the signature calls each of ``specs``: ``model/prob`` is ``prob``, output 1 of ``split`` is ``split_1``."""
    parsed = [TensorName.parse(spec.name) for spec in specs]
    full = [name.node + (f"_{name.index}" if name.index else "") for name in parsed]
    short = [name.rpartition("/")[2] for name in full]
    counts = Counter(short)
    return [last if counts[last] == 1 else name for last, name in zip(short, full, strict=True)]


def tensor_info(graph: Graph, spec: TensorSpec) -> TensorInfo:
    """What a signature states of a tensor; raises ``UnknownNameError`` where ``graph`` has no such node."""
    name = TensorName.parse(spec.name)
    info = TensorInfo(name=f"{graph[name.node].name}:{name.index}", dtype=int(spec.dtype))
    info.tensor_shape.unknown_rank = spec.shape is None
    for size in spec.shape or ():
        info.tensor_shape.dim.add(size=-1 if size is None else size)
    return info


def _declare(meta: MetaGraphDef, assets: Iterable[Asset]) -> None:
    """Lists the assets that are not listed yet; a list in a collection counts only while there is no other."""
    new = [asset for asset in assets if not asset.is_declared]
    if not new:
        return
    for asset in assets if not meta.asset_file_def else new:
        meta.asset_file_def.add(filename=asset.filename).tensor_info.name = asset.tensor


def _tensors(model: Model, meta: MetaGraphDef) -> list[tuple[str, Payload]]:
    """Everything in the model's checkpoint; nothing, where nothing restores it."""
    if model.store is None or not (meta.HasField("saver_def") or meta.HasField("object_graph_def")):
        return []
    return [(key, model.store.payload(key)) for key in model.store.entries]


def _refuse_missing(model: Model, graph: Graph, outputs: Sequence[str]) -> None:
    """Refuses a model whose saver would fail, or whose outputs need a variable without a value."""
    needed = graph.ancestors(outputs)
    missing = [v.name for v in model.variables if _is_required(v) and (v.name in needed or model.store is None)]
    if model.store is not None and model.meta.saver_def.restore_op_name in graph:
        saver = graph.with_nodes(graph[name] for name in graph.ancestors([model.meta.saver_def.restore_op_name]))
        keys = dict.fromkeys(source.key for source in restore_sources(saver).values())
        missing += [key for key in keys if key not in model.store.entries]
    if missing:
        names = ", ".join(dict.fromkeys(missing[:8])) + (", ..." if missing[8:] else "")
        raise IncompleteModelError(f"{model.path}: no checkpoint holds a value of {names}")


def _is_required(variable: Variable) -> bool:
    return variable.is_missing and variable.role in _REQUIRED


def _refuse_too_large(message: Iterable[Piece], directory: Path) -> None:
    size = size_of(message)
    if size > MAX_MESSAGE_BYTES:
        raise UnsupportedError(
            f"saved_model.pb would take {size:,} bytes, and no program reads more than {MAX_MESSAGE_BYTES:,}",
            path=directory,
            hint="convert the checkpoint that the graph was frozen from: its weights go into variables/",
        )


def _refuse_foreign(directory: Path) -> None:
    """Refuses to replace a directory that contains more than a SavedModel."""
    names = {path.name for path in directory.iterdir()}
    if names.isdisjoint(SAVED_MODEL_FILES):
        raise FileError(f"{directory}: not replaced, because it holds no SavedModel")
    if names - _MEMBERS:
        foreign = min(names - _MEMBERS)
        raise FileError(f"{directory}: not replaced, because it holds {foreign}, which is not part of a SavedModel")
