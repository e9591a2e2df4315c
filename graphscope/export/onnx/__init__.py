"""Exports models to ONNX, for ONNX Runtime, OpenVINO, TensorRT and others. Needs the package ``onnx``, not TensorFlow.

:func:`onnx_graph` converts a frozen graph in memory, and :func:`graphscope.export.onnx.write.write_onnx` streams the weights to
where they belong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphscope.advice import Advice, Option
from graphscope.errors import GraphscopeError
from graphscope.export.packages import import_package

if TYPE_CHECKING:
    from graphscope.core.graph import Graph
    from graphscope.export.onnx.convert import OnnxOptions
    from graphscope.export.onnx.graph import OnnxGraph

__all__ = ["onnx_graph", "require_onnx"]


def require_onnx() -> None:
    """Raises an error if the package ``onnx`` is missing.

    Raises:
        MissingDependencyError: it is not installed; the hint is the pip command.
    """
    import_package("onnx", "writing ONNX", "onnx")


def onnx_graph(
    graph: Graph, outputs: Sequence[str], options: OnnxOptions | None = None, path: str = "graph"
) -> OnnxGraph:
    """Converts a graph without variables. Reads small weights only.

    Args:
        outputs: node or tensor names.
        options: export options; the defaults if ``None``.
        path: name of the model in error messages.

    Raises:
        MissingDependencyError: the package onnx is not installed.
        NotExportableError: ONNX cannot express the graph; all reasons are listed.
        GraphscopeError: a name or a shape in ``options`` does not fit; the installed onnx does not know the opset.
    """
    require_onnx()
    from graphscope.export.onnx.convert import OnnxOptions, convert

    chosen = options or OnnxOptions()
    _refuse_opset(chosen.opset)
    return convert(graph, outputs, chosen, path)


def _refuse_opset(opset: int) -> None:
    from onnx import defs

    from graphscope.export.onnx.convert import OLDEST_OPSET

    newest = defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        hint = Advice(Option("opset"), f" takes {OLDEST_OPSET} to {newest}")
        raise GraphscopeError(f"ONNX opset {opset} cannot be written", hint=hint)
