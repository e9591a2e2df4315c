"""ONNX as a target of exports."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from graphscope.export.onnx import onnx_graph, require_onnx
from graphscope.export.target import Converted, ExportOptions, Written

if TYPE_CHECKING:
    from graphscope.core.graph import Graph
    from graphscope.export.onnx.graph import OnnxGraph
    from graphscope.formats.registry import WriteOptions

require = require_onnx


def convert(graph: Graph, outputs: Sequence[str], options: ExportOptions, path: str) -> Converted:
    """See :class:`graphscope.export.target.Target`."""
    from graphscope.export.onnx.convert import OPSET, OnnxOptions

    made = onnx_graph(graph, outputs, OnnxOptions(options.opset or OPSET, options.rename), path)
    return Converted(
        inputs=tuple(value.name for value in made.inputs),
        outputs=tuple(value.name for value in made.outputs),
        weight_bytes=sum(payload.nbytes or 0 for payload in made.constants.values()),
        write=partial(_write, made, options.external_data),
        random=tuple(made.random),
        tensors=made.tensors,
        notes=tuple(made.notes),
    )


def _write(made: OnnxGraph, external_data: bool | None, path: Path, options: WriteOptions) -> Written:
    from graphscope.export.onnx.write import write_onnx

    return write_onnx(
        made,
        path,
        external_data=external_data,
        overwrite=options.overwrite,
        progress=options.progress,
        check=options.check,
    )
