"""``verify``: whether two models compute the same, and where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format, Page, write_page
from graphscope.cli.terminal.plain import plain
from graphscope.cli.terminal.sections import Line, write_sections
from graphscope.cli.terminal.text import escape
from graphscope.core.tensors import TensorSpec, shape_text
from graphscope.core.units import count
from graphscope.runtime.comparing.layers import LayerComparison, LayerDifference
from graphscope.runtime.comparing.nonfinite import NonfiniteReport, ValueRange
from graphscope.runtime.comparing.verify import Verification
from graphscope.runtime.engines.table import ENGINES, TENSORFLOW

_INDENT = 9


def write_verification(sink: Sink, format: Format, found: Verification) -> None:
    """Writes the difference of each output; on a terminal also the inputs and the verdict."""
    write_page(
        sink,
        format,
        Page(
            lambda: _outputs(sink, found),
            lambda: {"is_within": found.is_within, "is_proven": found.is_proven, **plain(found)},
            lambda: [output.tensor for output in found.outputs if not output.difference.is_within],
        ),
    )
    if format is Format.TABLE:
        sink.note(_verdict(found))


def _outputs(sink: Sink, found: Verification) -> Iterator[str]:
    lines: list[Line] = []
    for output in found.outputs:
        random = "; random: two runs of the first model differ as much" if output.is_random else ""
        lines.append((output.tensor, f"{output.difference}{random}"))
    yield from write_sections(sink, [("inputs", _inputs(found.inputs)), ("outputs", lines)], _INDENT)


def _inputs(specs: Sequence[TensorSpec]) -> list[Line]:
    return [(spec.name, f"{spec.dtype.label} {shape_text(spec.shape)}") for spec in specs]


def _verdict(found: Verification) -> str:
    fed = count(found.batches, "batch")
    tolerance = f"atol {found.atol:g}, rtol {found.rtol:g}"
    is_plain = set(found.engines) == {TENSORFLOW}
    if not is_plain:
        tolerance += f"; {' and '.join(ENGINES[name].title for name in found.engines)}"
    if not found.is_within:
        closer = "; --layers shows where they begin to differ" if is_plain else ""
        return f"the models compute different values ({fed}; {tolerance}){closer}"
    if not found.is_proven:
        return f"the random outputs cannot be compared ({fed}; {tolerance})"
    return f"the models compute the same ({fed}; {tolerance})"


def write_layers(sink: Sink, format: Format, found: LayerComparison, top: int) -> None:
    """Writes where the models start to differ, the ``top`` largest differences, and how they grow towards the outputs."""
    page = Page(
        lambda: _layers(sink, found, top),
        lambda: {"is_within": found.is_within, "first": plain(found.first), **plain(found)},
        lambda: [layer.tensor for layer in found.differing],
    )
    write_page(sink, format, page)
    if format is Format.TABLE:
        sink.note(_layers_verdict(found))


def _layers(sink: Sink, found: LayerComparison, top: int) -> Iterator[str]:
    if found.first is None:
        return
    sections: list[tuple[str, Sequence[Line]]] = [
        ("first", [_layer(found.first)]),
        ("growth", [_layer(layer) for layer in _thin(found.growth, top)]),
        ("worst", [_layer(layer) for layer in found.worst(top)]),
    ]
    yield from write_sections(sink, sections, _INDENT)


def _layer(layer: LayerDifference) -> Line:
    name = layer.tensor if layer.tensor == layer.original else f"{layer.tensor} = {layer.original}"
    if layer.difference is None:
        return (f"{name} ({layer.op})", f"cannot be computed: {layer.failure}")
    relative = "" if layer.relative is None else f", relative {layer.relative:.3g}"
    apart = layer.difference.mismatch or f"max |difference| {layer.difference.max_absolute:.3g}{relative}"
    text = str(layer.difference) if layer.difference.mismatch else apart
    return (f"{name} ({layer.op})", text)


def _thin(layers: Sequence[LayerDifference], count: int) -> list[LayerDifference]:
    """At most ``count`` of them, evenly spaced, including the first and the last."""
    if len(layers) <= count or count < 2:
        return list(layers[:count])
    last = len(layers) - 1
    return [layers[round(i * last / (count - 1))] for i in range(count)]


def _layers_verdict(found: LayerComparison) -> str:
    left = []
    if found.unmatched:
        left.append(f"{count(found.unmatched, 'node')} without a counterpart")
    if found.unreachable:
        left.append(f"{count(found.unreachable, 'node')} within loops and branches")
    aside = f"; left out: {', '.join(left)}" if left else ""
    differing = "none differs" if found.is_within else f"{len(found.differing):,} differ"
    tolerance = f"atol {found.atol:g}, rtol {found.rtol:g}"
    return f"{count(found.compared, 'tensor')} compared, {differing} ({tolerance}){aside}"


def write_nonfinite(sink: Sink, format: Format, reports: Sequence[NonfiniteReport]) -> None:
    """Writes for each model the node that produces the first NaN or infinity, with its inputs."""
    page = Page(
        lambda: (line for report in reports for line in _nonfinite(sink, report)),
        lambda: plain(tuple(reports)),
        lambda: [report.node for report in reports if report.node],
    )
    write_page(sink, format, page)
    if format is Format.TABLE:
        for report in reports:
            if report.is_finite:
                sink.note(f"{escape(report.path)}: {count(report.checked, 'tensor')}, all finite or masked on purpose")


def _nonfinite(sink: Sink, report: NonfiniteReport) -> Iterator[str]:
    if report.output is None:
        return
    lines: list[tuple[str, Sequence[Line]]] = [
        ("first", [(report.node, f"{report.op}, of {report.path}")]),
        ("gave", [_values(report.output)]),
    ]
    if report.inputs:
        lines.append(("took", [_values(values) for values in report.inputs]))
    yield from write_sections(sink, lines, _INDENT)


def _values(values: ValueRange) -> Line:
    parts: list[Any] = []
    if values.low is not None:
        parts.append(f"{values.low:.6g} to {values.high:.6g}")
    if values.nans:
        parts.append(f"{values.nans:,} NaN")
    if values.infinities:
        parts.append(f"{values.infinities:,} infinite")
    return (values.tensor, f"{shape_text(values.shape)}  {', '.join(parts) or 'empty'}")
