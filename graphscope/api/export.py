"""``graphscope.export_onnx``: a model for other runtimes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphscope.advice import Advice, Option
from graphscope.api.freeze import Frozen, freeze
from graphscope.api.opening import ModelLike, Names
from graphscope.api.proof import refuse_unproven
from graphscope.api.save import Saved
from graphscope.core.listener import SILENT, Listener
from graphscope.core.tensors import Shape
from graphscope.export.onnx import onnx_graph, require_onnx
from graphscope.formats.io.places import refuse_unwritable
from graphscope.formats.registry import format_for
from graphscope.transforms.input_shapes import Batch

if TYPE_CHECKING:
    from graphscope.export.onnx.graph import OnnxGraph
    from graphscope.feeding.feeds import Given
    from graphscope.runtime.verify import Verification

OPSET = 20
"""The version of ONNX's operators, unless another is asked for."""

TOLERANCE = 1e-4
"""How far two runtimes may differ, absolute and relative."""


@dataclass(frozen=True, slots=True)
class Exported(Saved):
    """A model as it was written for another runtime.

    Attributes:
        files: all files that were written.
        inputs, outputs: names in the file.
        nodes: how many nodes it has.
        random: nodes of the model that draw random numbers.
        verification: what the comparison with the model found; ``None`` where none was asked for.
    """

    files: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    nodes: int = 0
    random: tuple[str, ...] = ()
    verification: Verification | None = None


def export_onnx(
    model: ModelLike,
    path: str | os.PathLike[str],
    *,
    outputs: Names = (),
    inputs: Names = (),
    set: Given = (),
    ema: bool = False,
    opset: int = OPSET,
    rename: Mapping[str, str] | None = None,
    shape: Mapping[str, Shape] | None = None,
    batch: Batch = None,
    external_data: bool | None = None,
    verify: bool = False,
    feeds: Given = (),
    atol: float = TOLERANCE,
    rtol: float = TOLERANCE,
    trust: bool = False,
    overwrite: bool = False,
    listener: Listener = SILENT,
) -> Exported:
    """Writes a model as ONNX: variables become constants, weights go from file to file. Needs no TensorFlow.

    Args:
        outputs, inputs, set, ema: see :func:`graphscope.freeze`.
        opset: the version of ONNX's operators, from 17 on.
        rename: tensor of an input or an output -> its name in the file.
        shape, batch: see :func:`graphscope.freeze`.
        external_data: whether weights go beside the model; by default where they take more than 1.9 GB.
        verify: run the model in TensorFlow and the finished file in ONNX Runtime; the file is kept only if they agree.
        feeds, trust: see :func:`graphscope.verify`.
        atol, rtol: the tolerance of ``verify``.
        overwrite: replace existing files.

    Raises:
        GraphscopeError: as :func:`graphscope.freeze`; ONNX cannot express the model, then all reasons are listed; the
            verification failed. No file is written.
        FileError: a file exists and ``overwrite`` is not set, or cannot be written.
        MissingDependencyError: the package onnx, or what ``verify`` needs, is not installed.
    """
    format_for(path, "onnx")
    require_onnx()
    refuse_unwritable(Path(path), overwrite)
    from graphscope.export.onnx.convert import OnnxOptions
    from graphscope.export.onnx.write import write_onnx
    from graphscope.runtime.engines.onnx_runtime import OnnxSession

    frozen = freeze(
        model, outputs=outputs, inputs=inputs, set=set, ema=ema, shape=shape, batch=batch, listener=listener
    )
    options = OnnxOptions(opset, rename or {})
    graph = onnx_graph(frozen.result.graph, frozen.outputs, options, frozen.source.path)
    _tell(frozen, graph, listener)
    found: list[Verification] = []

    def check(file: Path) -> None:
        if verify:
            engine = OnnxSession(file, graph.tensors).run
            found.append(
                frozen.verify(feeds=feeds, atol=atol, rtol=rtol, trust=trust, engine=engine, listener=listener)
            )
            refuse_unproven(found[0], frozen.options, frozen.result)

    total = sum(payload.nbytes or 0 for payload in graph.constants.values())
    with listener.reading("writing", total) as progress:
        written = write_onnx(
            graph, path, external_data=external_data, overwrite=overwrite, progress=progress, check=check
        )
    return Exported(
        os.fspath(path),
        "onnx",
        written.size_bytes,
        tuple(map(str, written.paths)),
        tuple(value.name for value in graph.inputs),
        tuple(value.name for value in graph.outputs),
        len(graph.nodes),
        tuple(graph.random),
        found[0] if found else None,
    )


def _tell(frozen: Frozen, graph: OnnxGraph, listener: Listener) -> None:
    for name, value in frozen.open_switches.items():
        listener.warning(
            Advice(f"{name} is still open and looks like a training switch: add ", Option("set", f"{name}={value}"))
        )
    if graph.random:
        listener.warning(f"the result is random: {', '.join(graph.random[:5])} draws random numbers")


__all__ = ["Exported", "export_onnx"]
