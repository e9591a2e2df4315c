"""``graphscope.save`` and ``graphscope.convert``: write a model in any writable format."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphscope.advice import Advice, Call, Option
from graphscope.api.adapt import for_older_tensorflow, with_input_shapes
from graphscope.api.doubts import (
    batch_doubts,
    branch_doubts,
    cure_of,
    default_doubts,
    dropout_doubts,
    report,
    tpu_doubts,
)
from graphscope.api.opening import ModelLike, Names, as_model, as_names, chosen_outputs, warn_of_files
from graphscope.core.arguments import check_arguments
from graphscope.core.checks.frames import refuse_inside_loop
from graphscope.core.graph import Graph
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model, ModelKind
from graphscope.core.ops.sets import VARIABLE_OPS
from graphscope.core.signatures import BOOKKEEPING
from graphscope.core.tensors import Shape, TensorSpec, node_of
from graphscope.errors import ArgumentError
from graphscope.formats.registry import FileFormat, WriteOptions, format_by_name, format_for
from graphscope.transforms.findings.batch_statistics import find_batch_statistics
from graphscope.transforms.findings.drops import lasting_drops
from graphscope.transforms.findings.switches import stored_switches
from graphscope.transforms.freeze import FreezeOptions, decide
from graphscope.transforms.input_shapes import Batch

if TYPE_CHECKING:
    from graphscope.api.weights import Renames, Weights
    from graphscope.formats.archives.weights import Archive


@dataclass(frozen=True, slots=True)
class Saved:
    """What was written.

    Attributes:
        path: a file, a checkpoint prefix or a directory.
        format: the name of the format.
        size_bytes: of all its files.
    """

    path: str
    format: str
    size_bytes: int


@check_arguments
def save(
    model: Model | Graph,
    path: str | os.PathLike[str],
    *,
    to: str = "",
    outputs: Names = (),
    inputs: Names = (),
    shape: Mapping[str, Shape] | None = None,
    batch: Batch = None,
    for_tensorflow: str = "",
    weights: Weights | None = None,
    rename: Renames = (),
    allow_outside: bool = False,
    overwrite: bool = False,
    listener: Listener = SILENT,
) -> Saved:
    """Writes a model or a graph in the format given by the name of ``path``. Weights are copied from file to file.

    ``.pb``, ``.pbtxt`` and ``.meta`` hold a graph, ``.npz`` and ``.safetensors`` weights by name, a name with ``.ckpt`` is a
    checkpoint's prefix, one that ends in a slash a SavedModel's directory; ``docs/formats.md`` lists them all.

    Args:
        to: the name of a format, if the name of ``path`` does not determine it.
        outputs: outputs of the signature ``serving_default`` of a SavedModel; without outputs and inputs, the author's
            signatures are kept, or the likely outputs are used. For other runtimes, see :func:`graphscope.export_model`.
        inputs: inputs of that signature; by default the placeholders that the outputs need.
        shape, batch: other shapes for placeholders, see :func:`graphscope.freeze`.
        for_tensorflow: the release to write for, see :func:`graphscope.freeze`.
        weights: for a checkpoint: the file that provides its values, an archive or another checkpoint. Several files with the
            same values are averaged: floating-point and complex values in float64; all others come from the last file.
        rename: new names for the values of ``weights``: regular expression -> replacement of each match.
        allow_outside: copy files that the graph names from outside the model's directory too.
        overwrite: replace what is there.
        listener: receives notes, warnings and progress.

    Raises:
        FileError: the destination exists and ``overwrite`` is not set, or cannot be written; existing files are kept.
        GraphscopeError: the name does not determine a writable format; the graph is invalid, for example because of a dangling
            input.
        IncompleteModelError: the model lacks what the format holds; a value does not fit its variable.
        UnknownNameError: an output, an input or a format does not exist.
        CorruptFileError, UnsupportedError: a weight cannot be read, or cannot be stored in the format.
        FormatError: the values of ``weights`` do not fit the graph, or one another.
    """
    row = format_to_write(path, to, weights, overwrite)
    whole = model if isinstance(model, Model) else graph_model(model)
    if shape or batch is not None:
        whole = with_input_shapes(whole, shape or {}, batch, as_names(outputs), listener)
    if for_tensorflow:
        whole = for_older_tensorflow(whole, for_tensorflow, listener)
    given = _open_weights(weights, rename, row.name, listener)
    if row.export is not None:
        from graphscope.api.export import export_model

        return export_model(whole, path, to=to, outputs=outputs, inputs=inputs, overwrite=overwrite, listener=listener)
    needed = _SPECS.get(row.name, _none)(whole, as_names(outputs), as_names(inputs), listener)
    if row.name == "saved-model" and needed[1]:
        _report_signature(whole, *needed, listener)
    if row.has_graph and not row.has_values:
        _note_variables(whole, listener)
    total = sum(f.size_bytes or 0 for f in whole.files)
    with listener.reading("writing", total) as progress:
        options = WriteOptions(
            overwrite=overwrite,
            inputs=needed[0],
            outputs=needed[1],
            weights=given,
            allow_outside=allow_outside,
            progress=progress,
        )
        size = row.write(whole, path, options)
    if row.has_graph and whole.has_graph and row.name != "checkpoint":
        warn_of_files(whole, listener)
    return Saved(os.fspath(path), row.name, size)


@check_arguments
def convert(
    model: ModelLike,
    path: str | os.PathLike[str],
    *,
    to: str = "",
    outputs: Names = (),
    inputs: Names = (),
    shape: Mapping[str, Shape] | None = None,
    batch: Batch = None,
    for_tensorflow: str = "",
    weights: Weights | None = None,
    rename: Renames = (),
    checkpoint: str | os.PathLike[str] | None = None,
    tags: str | Collection[str] = (),
    allow_outside: bool = False,
    overwrite: bool = False,
    listener: Listener = SILENT,
) -> Saved:
    """Writes the model at a path in another format: :func:`graphscope.load` and :func:`save` in one.

    Args:
        model: a model, or what :func:`graphscope.load` opens.
        checkpoint: prefix of a checkpoint with the values of the graph; only for a path.
        tags: selects the meta graph of a SavedModel with exactly these tags; only for a path.

    For the other arguments and errors, see :func:`save`.
    """
    format_to_write(path, to, weights, overwrite)
    source = as_model(model, tags=tags, checkpoint=checkpoint)
    return save(
        source,
        path,
        to=to,
        outputs=outputs,
        inputs=inputs,
        shape=shape,
        batch=batch,
        for_tensorflow=for_tensorflow,
        weights=weights,
        rename=rename,
        allow_outside=allow_outside,
        overwrite=overwrite,
        listener=listener,
    )


def format_to_write(path: str | os.PathLike[str], to: str, weights: Weights | None, overwrite: bool) -> FileFormat:
    """The format in which ``path`` can be written; refused before the work if it cannot.

    Raises:
        GraphscopeError: the name does not determine a writable format.
        FileError: the destination exists and ``overwrite`` is not set, or cannot be written.
    """
    row = format_by_name("checkpoint") if weights and not to else format_for(path, to)
    format_for(path, row.name).refuse_unwritable(path, overwrite)
    return row


def _open_weights(weights: Weights | None, rename: Renames, format: str, listener: Listener) -> Archive | None:
    """The values for the variables; ``None`` for their own."""
    if not weights:
        if rename:
            raise ArgumentError("there are no values to rename", hint=Advice(Option("weights", "FILE"), " names them"))
        return None
    if format != "checkpoint":
        raise ArgumentError(
            f"only a checkpoint can be given other values, not {format}", hint="write a *.ckpt, then convert it"
        )
    from graphscope.api.weights import given_weights

    return given_weights(weights, rename, listener)


def graph_model(graph: Graph, path: str = "graph") -> Model:
    """``graph`` as a model by itself."""
    return Model(path, ModelKind.GRAPH, "binary", (), graph)


def _note_variables(model: Model, listener: Listener) -> None:
    if not VARIABLE_OPS.isdisjoint(model.graph.ops):
        text = "the graph has variables, but a graph file cannot hold their values: "
        listener.note(Advice(text, Call("freeze", ("MODEL",)), " replaces them with constants"))


def _signature(
    model: Model, outputs: Sequence[str], inputs: Sequence[str], listener: Listener
) -> tuple[Sequence[TensorSpec], Sequence[TensorSpec]]:
    """Inputs and outputs of ``serving_default``; none if the author's own signatures, or objects to call, are kept."""
    from graphscope.feeding.feeds import tensor_spec
    from graphscope.transforms.opening import opened_tensors

    is_whole = not BOOKKEEPING.issuperset(model.signatures) or model.meta.HasField("object_graph_def")
    if not (inputs or outputs) and is_whole:
        return (), ()
    chosen = chosen_outputs(model, outputs, listener)
    _refuse_sources(model, chosen, inputs)
    taken = opened_tensors(model.graph, inputs, chosen, model.catalog) if inputs else _inputs_of(model, chosen)
    return [tensor_spec(model, name) for name in taken], [tensor_spec(model, name) for name in chosen]


def _none(*_: object) -> tuple[Sequence[TensorSpec], Sequence[TensorSpec]]:
    return (), ()


_SPECS = {"saved-model": _signature}
"""Format -> function that returns the inputs and outputs of its files."""


def _refuse_sources(model: Model, outputs: Sequence[str], inputs: Sequence[str]) -> None:
    """Refuses a signature whose outputs need an iterator, a queue or Python, because it could never be called."""
    from graphscope.transforms.findings.sources import refuse_python, refuse_sources
    from graphscope.transforms.subgraph import prune_library

    needed = prune_library(_without(_keep_needed(model.graph, outputs, inputs), inputs))
    refuse_sources(needed, model.path)
    refuse_python(needed, model.path)
    _refuse_valueless(model, needed)


def _refuse_valueless(model: Model, needed: Graph) -> None:
    """Refuses outputs that need a variable that no checkpoint holds: nothing would run its initializer."""
    if VARIABLE_OPS.isdisjoint(needed.ops) or model.store is None:
        return
    names = {node.name for op, node in zip(needed.ops, needed.nodes) if op in VARIABLE_OPS} - _initialized(model)
    missing = next((v for v in model.variables if v.name in names and v.entry is None), None)
    if missing is not None:
        role = missing.role.value
        raise model.missing_value(
            missing.name, f"no value for variable {missing.name} ({role}), which the outputs need"
        )


def _initialized(model: Model) -> set[str]:
    """What the author's own op initializes when the SavedModel is opened, and all that it needs for that."""
    return set(model.graph.ancestors(name for name in model.starts() if name in model.graph))


def _keep_needed(graph: Graph, outputs: Iterable[str], inputs: Iterable[str]) -> Graph:
    """The nodes that ``outputs`` need, down to ``inputs``."""
    stops = set(map(node_of, inputs))
    needed = graph.reach(map(node_of, outputs), lambda n: () if n.name in stops else graph.producers(n))
    return graph.with_nodes(n for n in graph.nodes if n.name in needed)


def _without(graph: Graph, names: Iterable[str]) -> Graph:
    left_out = set(map(node_of, names))
    return graph.with_nodes(n for n in graph.nodes if n.name not in left_out)


def _decided(model: Model, graph: Graph, switches: Collection[str], outputs: Sequence[str]) -> Graph:
    """``graph`` without the branches that ``switches``, variables with the values that are stored, do not take."""
    stored = [v for v in model.variables if v.name in switches and v.entry is not None]
    if not stored:
        return graph
    values = {v.name: model.fitting_value(v).numpy() for v in stored}
    return decide(graph, FreezeOptions(outputs, values=values))


def _report_signature(
    model: Model, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], listener: Listener
) -> None:
    """Warns of training switches that callers of the signature cannot set, and of dropout that cannot be switched off."""
    names = [spec.name for spec in outputs]
    for name in names:
        refuse_inside_loop(model.graph, name)
    if listener is SILENT:
        return
    taken = [spec.name for spec in inputs]
    needed = _keep_needed(model.graph, names, taken)
    switches = stored_switches(needed)
    graph = _decided(model, needed, switches, names)
    cure = cure_of(switches, lambda sets: Call("freeze", ("MODEL",), sets))
    report(
        [
            *default_doubts(_without(graph, taken)),
            *dropout_doubts(lasting_drops(graph), cure=cure),
            *batch_doubts(find_batch_statistics(graph), cure=cure),
            *branch_doubts(graph, names),
            *tpu_doubts(graph),
        ],
        listener,
    )


def _inputs_of(model: Model, outputs: Sequence[str]) -> list[str]:
    """The placeholders that the outputs need; of those with a default, the ones that take data."""
    from graphscope.analysis.ends.inputs import find_inputs

    needed = model.graph.ancestors(node_of(name) for name in outputs)
    return [
        row.tensor for row in find_inputs(model) if node_of(row.tensor) in needed and (row.default is None or row.shape)
    ]


__all__ = ["Saved", "convert", "save"]
