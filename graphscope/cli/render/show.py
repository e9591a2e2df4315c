"""``show``: one node or variable whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphscope.analysis.detail import Detail, NodeDetail
from graphscope.analysis.statistics import Statistics, statistics
from graphscope.analysis.variable_rows import WeightRow
from graphscope.cli.render.nodes import output_text
from graphscope.cli.render.vars import marks, part_text
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format, Page, write_page
from graphscope.cli.terminal.plain import plain
from graphscope.cli.terminal.sections import Line, Section, write_sections
from graphscope.cli.terminal.text import escape, number, size, tensor_type
from graphscope.core.units import count
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONSUMERS = 20
"""Number of consumers on the page; JSON has all."""

VALUE_LINES = 6
VALUE_ELEMENTS = 1000
"""Values up to this many elements are in the JSON."""

STRING_CHARACTERS = 60
INDENT = 12


def write_detail(sink: Sink, format: Format, detail: Detail) -> None:
    """Writes all information about one name; ``names`` lists its tensors."""
    write_page(sink, format, Page(lambda: _page(sink, detail), lambda: _record(detail), lambda: _names(detail)))


def _names(detail: Detail) -> Iterator[str]:
    if detail.node is not None:
        yield from (tensor.name for tensor in detail.node.outputs)
    elif detail.weight is not None:
        yield detail.weight.name


def _record(detail: Detail) -> dict[str, Any]:
    values, dtype = detail.values, _dtype(detail)
    small = values is not None and values.size <= VALUE_ELEMENTS
    return {
        "node": _node_record(detail.node) if detail.node is not None else None,
        "weight": plain(detail.weight),
        "statistics": plain(_statistics(values, dtype)) if values is not None else None,
        "values": plain(readable(values).tolist()) if values is not None and small else None,
    }


def _node_record(node: NodeDetail) -> dict[str, Any]:
    pairs = {"inputs": node.inputs, "consumers": node.consumers}
    found: dict[str, Any] = plain(node)
    return found | {key: [{"name": name, "op": op} for name, op in pair] for key, pair in pairs.items()}


def _page(sink: Sink, detail: Detail) -> Iterator[str]:
    if detail.node is not None:
        yield from _node(sink, detail.node)
    elif detail.weight is not None:
        yield sink.paint(escape(detail.weight.name), "title")
    if detail.weight is not None:
        yield from write_sections(sink, [(detail.weight.kind, [_weight(detail.weight)])], INDENT)
    if detail.values is not None:
        yield from _values(sink, detail.values, _dtype(detail))


def _node(sink: Sink, node: NodeDetail) -> Iterator[str]:
    name = f"{node.function}/{node.name}" if node.function else node.name
    unknown = "" if node.is_registered else "  (an op that TensorFlow 2.21 does not register)"
    yield f"{sink.paint(escape(name), 'title')}  {sink.paint(escape(node.op), 'op')}{unknown}"
    sections: list[Section] = [
        ("device", [(node.device,)] if node.device else []),
        ("attributes", [(a.name, a.text) for a in node.attributes]),
        ("inputs", [(name, op or "(not in the graph)") for name, op in node.inputs]),
        ("outputs", [(spec.name, output_text(spec)) for spec in node.outputs]),
        ("consumers", list(_consumers(node))),
    ]
    for section in sections:
        yield from write_sections(sink, [section], INDENT)


def _consumers(node: NodeDetail) -> Iterator[Line]:
    yield from node.consumers[:CONSUMERS]
    if len(node.consumers) > CONSUMERS:
        yield (f"and {len(node.consumers) - CONSUMERS:,} more: --format json names all",)
    if not node.consumers:
        yield ("none",)


def _weight(row: WeightRow) -> Line:
    parts = [tensor_type(row.dtype, row.shape)]
    parts += [count(row.elements, "element")] if row.elements is not None else []
    parts += [size(row.size_bytes)] if row.size_bytes is not None else []
    parts += [f"shard {row.shard}"] if row.shard is not None else []
    parts += marks(row)
    parts += [f"saved as {row.key} {part_text(row)}".rstrip()] if row.key else []
    return (", ".join(parts),)


def _dtype(detail: Detail) -> DataType:
    if detail.weight is not None:
        return detail.weight.dtype
    specs = detail.node.outputs if detail.node is not None else ()
    return specs[0].dtype if specs else DataType.INVALID


def _statistics(values: NDArray[Any], dtype: DataType) -> Statistics:
    return statistics(ArrayPayload(values, dtype)) if dtype.itemsize is not None else Statistics()


def _values(sink: Sink, values: NDArray[Any], dtype: DataType) -> Iterator[str]:
    line = statistics_line(_statistics(values, dtype))
    lines = [line] if line and values.size > 1 else []
    rows = [(text,) for text in lines + preview(values, sink.width - INDENT)]
    yield from write_sections(sink, [("values", rows)], INDENT, is_wrapped=False)


def statistics_line(found: Statistics) -> str:
    """``min -1  max 2  mean 0.5  std 0.1  3 NaNs``: what there is of it."""
    parts = [("min", found.minimum), ("max", found.maximum), ("mean", found.mean), ("std", found.std)]
    line = "  ".join(f"{name} {number(value)}" for name, value in parts if value is not None)
    counts = [(found.zeros, "zero"), (found.nans, "NaN"), (found.infinities, "Inf")]
    return "  ".join(filter(None, [line, *(count(n, noun) for n, noun in counts if n)]))


def preview(values: NDArray[Any], width: int) -> list[str]:
    """A few lines of an array; for more than two dimensions, its first matrix."""
    import numpy as np

    matrix = values
    place = ""
    if values.ndim > 2 and values.size:
        matrix = values[(0,) * (values.ndim - 2)]
        place = "[" + "0, " * (values.ndim - 2) + ":, :] = "
    text = np.array2string(
        readable(matrix),
        max_line_width=max(20, width),
        precision=5,
        threshold=48,
        edgeitems=3,
        formatter={"object": _short},
    )
    lines = (place + "\n" + text if place else text).split("\n")
    return lines if len(lines) <= VALUE_LINES + 2 else [*lines[:VALUE_LINES], "..."]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= STRING_CHARACTERS else text[:STRING_CHARACTERS] + "..."


def readable(values: NDArray[Any]) -> NDArray[Any]:
    """NumPy's own types as they are; bfloat16, int4 and the like as float32, which holds them exactly."""
    import numpy as np

    return values if values.dtype.type.__module__ == "numpy" else values.astype(np.float32)
