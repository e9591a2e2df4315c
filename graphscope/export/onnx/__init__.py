"""Models in ONNX, for ONNX Runtime, OpenVINO, TensorRT and others. Needs the package ``onnx``, not TensorFlow.

:func:`export` does it all. Its steps are :func:`onnx_graph`, which freezes a model and converts it in memory, and
:func:`write_onnx`, which streams the weights to where they belong.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from graphscope.errors import GraphscopeError, MissingDependencyError

if TYPE_CHECKING:
    from graphscope.core.model import Model
    from graphscope.export.onnx.convert import OnnxOptions
    from graphscope.export.onnx.graph import OnnxGraph
    from graphscope.export.onnx.write import Written
    from graphscope.transforms.freeze import FreezeOptions

__all__ = ["export", "onnx_graph", "require_onnx"]


def require_onnx() -> None:
    """Refuses to go on without the package ``onnx``.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "writing ONNX needs the package onnx", hint="pip install 'tf-graphscope[onnx]'"
        ) from error


def onnx_graph(model: Model, freezing: FreezeOptions, options: OnnxOptions | None = None) -> OnnxGraph:
    """Freezes ``model`` and converts the result. Reads small weights only.

    Args:
        freezing: what to export: outputs, inputs, values to bake in; as for :func:`graphscope.transforms.freeze.freeze`.
        options: how to write it; as the defaults say.

    Raises:
        MissingDependencyError: the package onnx is not installed.
        NotExportableError: ONNX cannot express the model; all reasons are listed.
        GraphscopeError: as freezing; the opset is one that the installed onnx does not know.
    """
    require_onnx()
    from graphscope.export.onnx.convert import OnnxOptions, convert
    from graphscope.transforms.freeze import freeze

    chosen = options or OnnxOptions()
    refuse_opset(chosen.opset)
    return convert(freeze(model, freezing).graph, freezing.outputs, chosen, model.path)


def refuse_opset(opset: int) -> None:
    """Refuses a version of ONNX's operators that cannot be written.

    Raises:
        GraphscopeError: it is too old, or the installed onnx does not know it.
    """
    from onnx import defs

    from graphscope.export.onnx.convert import OLDEST_OPSET

    newest = defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise GraphscopeError(f"opset {opset} cannot be written", hint=f"--opset {OLDEST_OPSET} to {newest}")


def export(
    model: Model,
    path: str | os.PathLike[str],
    freezing: FreezeOptions,
    options: OnnxOptions | None = None,
    *,
    external_data: bool | None = None,
    overwrite: bool = False,
) -> Written:
    """Writes ``model`` as ONNX; see :func:`onnx_graph` and :func:`graphscope.export.onnx.write.write_onnx`.

    Raises:
        GraphscopeError: as those two.
    """
    graph = onnx_graph(model, freezing, options)
    from graphscope.export.onnx.write import write_onnx

    return write_onnx(graph, path, external_data=external_data, overwrite=overwrite)
