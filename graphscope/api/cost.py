"""``graphscope.cost``: the cost of a model, from its structure."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple
from typing import Literal

from graphscope.advice import Advice, Option
from graphscope.analysis.cost.by_batch import SAMPLES, with_open_batch
from graphscope.analysis.cost.devices import Device, device_named, parse_peak
from graphscope.analysis.cost.estimate import estimate
from graphscope.analysis.cost.report import CostReport
from graphscope.analysis.ends.choose_outputs import choose_outputs, likely_outputs
from graphscope.analysis.shapes.concrete import infer_batches
from graphscope.api.opening import ModelLike, Names, as_model, as_names
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model
from graphscope.core.tensors import Shape, node_of, shape_text
from graphscope.errors import ArgumentError

By = Literal["scope", "op", "node"]


@check_arguments
def cost(
    model: ModelLike,
    *,
    outputs: Names = (),
    all: bool = False,
    by: By = "scope",
    depth: int | None = None,
    shape: Mapping[str, Shape] | None = None,
    batch: int | None = None,
    device: str = "",
    peak: str = "",
    checkpoint: str | os.PathLike[str] | None = None,
    tags: str | Collection[str] = (),
    listener: Listener = SILENT,
) -> CostReport:
    """Counts the cost of one run of a model: operations, bytes, parameters, memory. Needs no TensorFlow and reads no weights.

    Training switches are set for inference, as by :func:`graphscope.run`.

    Args:
        model: a model, or what :func:`graphscope.load` opens.
        outputs: tensors to compute; by default the likely outputs.
        all: count all nodes of the graph instead, including training and initialization.
        by: the kind of row: a layer, an op or a node.
        depth: with ``by="scope"``: number of leading parts of the scope name that identify a row; ``None`` finds the layers.
        shape: input -> its shape, if the graph does not state it; ``None`` for an unknown size.
        batch: the size of an input's first dimension, if that is unknown and not in ``shape``. Without it, figures are for one
            example, and ``by_batch`` of each row and of the total holds them for any batch size.
        device: a device of :data:`graphscope.analysis.cost.devices.DEVICES`, to estimate times.
        peak: the peak of any other device: ``10TFLOPS,50GB/s``.
        checkpoint: prefix of a checkpoint with the values of the graph; only for a path.
        tags: selects the meta graph of a SavedModel with exactly these tags; only for a path.

    Raises:
        UnknownNameError: the model has no such output or input, or there is no such device.
        GraphscopeError: a shape does not fit, or no output is likely.
        IncompleteModelError: the model is a checkpoint without a graph.
    """
    if all and outputs:
        raise ArgumentError(
            "either all nodes are counted, or only what the outputs need", hint=Advice("leave one of them out")
        )
    source = as_model(model, tags=tags, checkpoint=checkpoint)
    found = _device(device, peak)
    values = _switches(source) if not all else {}
    chosen = () if all else _outputs(source, as_names(outputs), listener)
    batches = (1, *SAMPLES) if batch is None else (batch,)
    report, *samples = (
        estimate(source, concrete, chosen, by=by, depth=depth, device=found)
        for concrete in infer_batches(source, shape, batches, values)
    )
    _note_open_shapes(report, listener)
    return _with_open_batch(report, samples, listener) if samples else report


def _device(name: str, peak: str) -> Device | None:
    if name and peak:
        raise ArgumentError("a device and a peak cannot be combined", hint=Advice("leave one of them out"))
    return device_named(name) if name else parse_peak(peak) if peak else None


def _switches(model: Model) -> dict[str, float]:
    """Training switches, as tensors, set for inference."""
    from graphscope.transforms.findings.switches import open_switches

    values = {"false": 0.0, "true": 1.0}
    return {
        f"{name}:0": values[text] if text in values else float(text)
        for name, text in open_switches(model.graph).items()
    }


def _outputs(model: Model, wanted: tuple[str, ...], listener: Listener) -> tuple[str, ...]:
    """The named outputs, or all likely ones."""
    chosen = choose_outputs(model, wanted) if wanted else likely_outputs(model)
    if chosen.reason:
        counted = f"what {', '.join(chosen.outputs)} needs is counted ({chosen.reason}); "
        listener.note(Advice(counted, Option("outputs"), " chooses another"))
    return chosen.outputs


def _with_open_batch(one: CostReport, samples: Sequence[CostReport], listener: Listener) -> CostReport:
    report = with_open_batch(one, samples)
    if report.total.by_batch is not None and None in astuple(report.total.by_batch):
        listener.note(
            Advice("some amounts are not proportional to the batch size; ", Option("batch", "32"), " counts one")
        )
    return report


def _note_open_shapes(report: CostReport, listener: Listener) -> None:
    """Notes inputs of unknown size: the cost of nodes that depend on them cannot be counted."""
    for name, sizes in report.inputs.items():
        if sizes is None or None in sizes:
            example = Option("shape", f"{node_of(name)}=1,224,224,3")
            listener.note(Advice(f"{name} is of shape {shape_text(sizes)}; ", example, " makes it known"))


__all__ = ["CostReport", "cost"]
