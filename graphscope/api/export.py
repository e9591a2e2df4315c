"""``graphscope.export_model``: a model for other runtimes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.api.freeze import Frozen, freeze
from graphscope.api.opening import ModelLike, Names
from graphscope.api.proof import refuse_unproven_freeze
from graphscope.api.reference import reference_of
from graphscope.api.save import Saved
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.core.tensors import Shape, TensorName
from graphscope.errors import ArgumentError
from graphscope.export.target import Converted, Examples, ExportOptions, target_of
from graphscope.formats.registry import Export, FileFormat, WriteOptions, example_name, export_formats, format_for
from graphscope.formats.savedmodel.writer import DEFAULT_SIGNATURE
from graphscope.runtime.engines.table import ENGINE_TOLERANCE, ENGINES
from graphscope.transforms.input_shapes import Batch

if TYPE_CHECKING:
    from graphscope.feeding.feeds import Given
    from graphscope.runtime.comparing.verify import Verification
    from graphscope.training.data.source import DataOptions

EXAMPLES = 100
"""The number of examples for calibrating 8-bit ranges."""

VERIFIED_EXAMPLES = 16
"""The number of them that are fed to verify the file."""


@dataclass(frozen=True, slots=True)
class Exported(Saved):
    """A model written for another runtime.

    Attributes:
        files: all files that were written.
        inputs, outputs: names in the file.
        nodes: how many nodes it has.
        random: nodes of the model that draw random numbers.
        verification: the comparison with the model; ``None`` if it was not requested.
    """

    files: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    nodes: int = 0
    random: tuple[str, ...] = ()
    verification: Verification | None = None


@check_arguments
def export_model(
    model: ModelLike,
    path: str | os.PathLike[str],
    *,
    to: str = "",
    outputs: Names = (),
    inputs: Names = (),
    set: Given = (),
    ema: bool = False,
    rename: Mapping[str, str] | None = None,
    shape: Mapping[str, Shape] | None = None,
    batch: Batch = None,
    opset: int | None = None,
    external_data: bool | None = None,
    quantize: str | None = None,
    data: str | os.PathLike[str] = "",
    reading: DataOptions | None = None,
    verify: bool = False,
    feeds: Given = (),
    atol: float | None = None,
    rtol: float | None = None,
    trust: bool = False,
    overwrite: bool = False,
    listener: Listener = SILENT,
) -> Exported:
    """Writes a model for the runtime given by the name of ``path``: variables become constants, names are kept.

    ONNX, TF.js and OpenVINO's IR are written without TensorFlow; the weights of the first two are copied from file to file.
    TensorFlow Lite files are written by TensorFlow's converter in a separate process, with built-in ops only.

    Args:
        to: the name of a format, if the name of ``path`` does not determine it.
        outputs, inputs, set, ema: see :func:`graphscope.freeze`.
        rename: tensor of an input or an output -> its name in the file.
        shape, batch: see :func:`graphscope.freeze`.
        opset: ONNX: opset version, from 17 on; by default 20.
        external_data: ONNX: whether to store weights in a separate file; by default if they take more than 1.9 GB.
        quantize: TensorFlow Lite: ``float16`` stores weights in half precision, ``dynamic`` in 8 bits, ``int8`` also computes
            in 8 bits if possible, with ranges from :data:`EXAMPLES` examples of ``data``.
        data: examples, as for :func:`graphscope.features`.
        reading: how data is read.
        verify: run the model in TensorFlow and the finished file in its own runtime; the file is kept only if they agree. Where
            TensorFlow is not installed, OpenVINO's own reader of frozen graphs is used instead.
        feeds, trust: see :func:`graphscope.verify`; with ``data``, some of it is fed by default.
        atol, rtol: the tolerance of ``verify``, by default 1e-4. If neither is given, the difference of a quantized file is
            only reported.
        overwrite: replace existing files.

    Raises:
        ArgumentError: the name does not determine a format of another runtime; an option does not apply to that format.
        GraphscopeError: as :func:`graphscope.freeze`; the runtime cannot express the model (all reasons are listed); the
            verification failed. No file is written.
        FileError: a file exists and ``overwrite`` is not set, or cannot be written.
        MissingDependencyError: a package that the conversion or ``verify`` needs is not installed.
    """
    row = format_for(path, to)
    options = ExportOptions(rename=rename or {}, opset=opset, external_data=external_data, quantize=quantize)
    export = _export_of(row, options)
    if verify and not export.engine:
        raise ArgumentError(f"nothing runs a file of the format {row.name}, so the result cannot be verified")
    _refuse_data(quantize, data)
    target = target_of(export)
    target.require()
    row.refuse_unwritable(path, overwrite)
    frozen = freeze(
        model, outputs=outputs, inputs=inputs, set=set, ema=ema, shape=shape, batch=batch, listener=listener
    )
    if data:
        options = replace(options, examples=_examples(frozen, os.fspath(data), reading, listener))
    options = replace(options, arguments=_arguments(frozen))
    frozen.model.refuse_invalid(closely=True)
    made = target.convert(frozen.result.graph, frozen.outputs, options, frozen.source.path)
    _tell(frozen, made, listener)
    found: list[Verification] = []
    is_reported = quantize is not None and atol is None and rtol is None

    def check(file: Path) -> None:
        if verify:
            reference = reference_of(frozen)
            verification = frozen.verify(
                feeds=feeds or _choose_feeds(options.examples),
                atol=ENGINE_TOLERANCE if atol is None else atol,
                rtol=ENGINE_TOLERANCE if rtol is None else rtol,
                trust=trust,
                engine=ENGINES[export.engine].of_export(file, made.tensors).run,
                reference=reference.run,
                listener=listener,
            )
            found.append(replace(verification, engines=(reference.engine, export.engine)))
            refuse_unproven_freeze(found[0], frozen.options, frozen.result, is_reported=is_reported)

    with listener.reading("writing", made.weight_bytes) as progress:
        written = made.write(Path(path), WriteOptions(overwrite=overwrite, check=check, progress=progress))
    return Exported(
        os.fspath(path),
        row.name,
        written.size_bytes,
        files=tuple(map(str, written.paths)),
        inputs=made.inputs,
        outputs=made.outputs,
        nodes=written.nodes,
        random=made.random,
        verification=found[0] if found else None,
    )


def _export_of(row: FileFormat, options: ExportOptions) -> Export:
    """The export of ``row``; refused if it is not a format of another runtime, or does not support a given option."""
    if row.export is None:
        raise ArgumentError(
            f"{row.title} is not a format of another runtime", hint=f"names of such formats: {_names(export_formats())}"
        )
    for name in options.given():
        if name not in row.export.options:
            taking = [other for other in export_formats() if other.export and name in other.export.options]
            raise ArgumentError(
                f"{row.title} does not support one of the options",
                hint=Advice(Option(name), f" is for {_names(taking)}"),
            )
    return row.export


def _names(rows: Iterable[FileFormat]) -> str:
    return ", ".join(f"{example_name(row)} ({row.title})" for row in rows)


def _refuse_data(quantize: str | None, data: str | os.PathLike[str]) -> None:
    if quantize == "int8" and not data:
        raise ArgumentError("int8 quantization needs examples", hint=Advice(Option("data", "DATA"), " names them"))
    if data and quantize != "int8":
        raise ArgumentError("examples are only used for int8", hint=Advice(Option("quantize", "int8"), " takes them"))


def _examples(frozen: Frozen, data: str, reading: DataOptions | None, listener: Listener) -> Examples:
    """Evenly spaced examples, because data may be sorted by class."""
    import numpy as np

    from graphscope.training.data import open_data
    from graphscope.training.features.compute import input_spec
    from graphscope.training.graft.base import open_base

    spec = input_spec(open_base(frozen.model, frozen.outputs))
    source = open_data(data, spec, reading)
    count = min(EXAMPLES, len(source))
    listener.note(f"int8 is calibrated with {count:,} of {len(source):,} examples")
    return Examples(spec.name, source.read(np.linspace(0, len(source) - 1, count).astype(np.int64)))


def _choose_feeds(examples: Examples | None) -> Mapping[str, Any]:
    """Some of the calibration examples, to verify the file with: it is accurate only within their ranges."""
    return {} if examples is None else {examples.tensor: examples.values[:VERIFIED_EXAMPLES]}


def _arguments(frozen: Frozen) -> dict[str, str]:
    """The names of inputs and outputs in the author's signature: the first signature that has all kept outputs."""
    originals = {str(TensorName.parse(new)): str(TensorName.parse(old)) for new, old in frozen.result.originals.items()}
    wanted = {originals.get(name, name) for name in map(str, map(TensorName.parse, frozen.outputs))}
    signatures = sorted(frozen.source.signatures.values(), key=lambda signature: signature.name != DEFAULT_SIGNATURE)
    for signature in signatures:
        sides = (signature.outputs, signature.inputs)
        named = {spec.name: name for side in sides for name, specs in side.items() for spec in specs if len(specs) == 1}
        if wanted <= named.keys():
            return named | {new: named[old] for new, old in originals.items() if old in named}
    return {}


def _tell(frozen: Frozen, made: Converted, listener: Listener) -> None:
    for name, value in frozen.open_switches.items():
        listener.warning(
            Advice(f"{name} is still open and looks like a training switch: add ", Option("set", f"{name}={value}"))
        )
    if made.random:
        listener.warning(f"the result is random: {', '.join(made.random[:5])} draws random numbers")
    for note in made.notes:
        listener.note(note)


__all__ = ["Exported", "export_model"]
