"""``graphscope.diff``: what differs between two models."""

from __future__ import annotations

from collections.abc import Collection

from graphscope.analysis.diff.compare import DiffOptions
from graphscope.analysis.diff.compare import diff as compare
from graphscope.analysis.diff.report import DiffReport
from graphscope.analysis.diff.weights import Depth
from graphscope.api.opening import ModelLike, as_model
from graphscope.core.listener import SILENT, Listener
from graphscope.errors import UnknownNameError


def diff(
    a: ModelLike,
    b: ModelLike,
    *,
    weights: str = "stat",
    strict: bool = False,
    explain: bool = True,
    tags: str | Collection[str] = (),
    listener: Listener = SILENT,
) -> DiffReport:
    """What differs between two models: signatures, nodes, wiring, attributes, weights, functions, collections.

    Needs no TensorFlow.

    Args:
        a, b: models, or what :func:`graphscope.load` opens.
        weights: how far values are compared: ``none``, ``stat`` (checksums that files state count) or ``exact`` (every byte).
        strict: devices, colocation, inferred shapes and versions count too.
        explain: whether freezing and folding are told as such, in place of the differences that they make.
        tags: see :func:`graphscope.load`; for paths only.
        listener: is told of the bytes that are compared.

    Raises:
        UnknownNameError: ``weights`` is none of the three.
        GraphscopeError: as :func:`graphscope.load`; or a value cannot be read.
    """
    depths = {depth.value: depth for depth in Depth}
    if weights not in depths:
        raise UnknownNameError("depth of comparison", weights, depths, hint="one of: " + ", ".join(depths))
    one, other = (as_model(model, tags=tags) for model in (a, b))
    total = sum(variable.size_bytes or 0 for variable in one.variables)
    with listener.reading("comparing values", total) as progress:
        return compare(one, other, DiffOptions(depths[weights], strict, explain), progress)
