"""The output of ``run``: a summary of each output, or the highest-scoring classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from graphscope.analysis.classes import Example
from graphscope.analysis.statistics import Statistics, statistics
from graphscope.api.run import Outputs
from graphscope.cli.render.show import VALUE_ELEMENTS, preview, readable, statistics_line
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.plain import plain
from graphscope.cli.terminal.table import Column
from graphscope.cli.terminal.text import escape, tensor_type
from graphscope.cli.terminal.views import View, write_rows
from graphscope.core.units import count
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.feeding.naming import Fetch
from graphscope.runtime.devices import short_device
from graphscope.runtime.run_result import RunResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.tracing.report import Executed, Placement

INDENT = 2
LABEL_WIDTH = 8
"""The width of ``golden retriever`` on a narrow terminal: ``gol…ever``."""


@dataclass(frozen=True, slots=True)
class ShownOutput:
    """One output.

    Attributes:
        fetch: the requested tensor or node.
        value: the result; ``None`` for a node without outputs.
    """

    fetch: Fetch
    value: NDArray[Any] | None

    @property
    def dtype(self) -> DataType:
        """Of the value; ``INVALID`` without one."""
        return DataType.INVALID if self.value is None else DataType.from_numpy(self.value.dtype)

    @property
    def statistics(self) -> Statistics:
        """Of a numeric value."""
        if self.value is None or self.dtype.itemsize is None:
            return Statistics()
        return statistics(ArrayPayload(self.value, self.dtype))


def show_outputs(outputs: Outputs) -> list[ShownOutput]:
    """Each output by itself."""
    return [ShownOutput(fetch, value) for fetch, value in zip(outputs.fetches, outputs.result.values)]


def write_outputs(sink: Sink, format: Format, outputs: Sequence[ShownOutput]) -> None:
    """Writes type, shape, statistics and a preview of each output."""
    if format is Format.TABLE:
        sink.lines(line for output in outputs for line in _page(sink, output))
    else:
        write_rows(sink, format, _OUTPUTS, outputs, "no output")


def _page(sink: Sink, output: ShownOutput) -> Iterator[str]:
    head = _title(sink, output.fetch)
    if output.value is None:
        yield f"{head}  ran"
        return
    yield f"{head}  {tensor_type(output.dtype, output.value.shape)}"
    line = statistics_line(output.statistics) if output.value.size > 1 else ""
    for text in [line] * bool(line) + preview(output.value, sink.width - INDENT):
        yield " " * INDENT + escape(text)


def _title(sink: Sink, fetch: Fetch) -> str:
    title = sink.paint(escape(fetch.name), "title")
    return title if fetch.target in (fetch.name, f"{fetch.name}:0") else f"{title}  {escape(fetch.target)}"


def _record(output: ShownOutput) -> dict[str, Any]:
    value = output.value
    has_few = value is not None and value.size <= VALUE_ELEMENTS
    return {
        "name": output.fetch.name,
        "tensor": output.fetch.target,
        "dtype": plain(output.dtype) if value is not None else None,
        "shape": list(value.shape) if value is not None else None,
        "statistics": plain(output.statistics) if value is not None else None,
        "values": plain(readable(value).tolist()) if value is not None and has_few else None,
    }


def _fields(output: ShownOutput) -> Sequence[object]:
    found, value = output.statistics, output.value
    named = [output.fetch.name, output.fetch.target]
    if value is None:
        return [*named, *[None] * 10]
    shape = " ".join(map(str, value.shape))
    moments = [found.minimum, found.maximum, found.mean, found.std]
    return [*named, output.dtype.label, shape, value.size, *moments, found.zeros, found.nans, found.infinities]


_OUTPUTS: View[ShownOutput] = View(
    columns=(),
    cells=lambda _: (),
    record=_record,
    header="name tensor dtype shape elements minimum maximum mean std zeros nans infinities".split(),
    fields=_fields,
    name=lambda output: output.fetch.target,
)


def write_classes(sink: Sink, format: Format, examples: Sequence[Example]) -> None:
    """Writes a row for each example: its name and the highest-scoring classes, with their scores."""
    if format is Format.CSV:
        rows = [(example, rank) for example in examples for rank in range(len(example.guesses))]
        write_rows(sink, format, _GUESSES, rows, "no examples")
        return
    write_rows(sink, format, _examples_view(examples), examples, "no examples")
    known = [example.is_right for example in examples if example.is_right is not None]
    if known and format is Format.TABLE:
        sink.lines([f"{sum(known):,} of {len(known):,} right"])


def _examples_view(examples: Sequence[Example]) -> View[Example]:
    """Columns that are the same in every row are omitted, such as a single output."""
    ranks = max((len(example.guesses) for example in examples), default=0)
    has_outputs = len({example.output for example in examples}) > 1
    has_truth = any(example.truth for example in examples)
    columns = [
        *([Column("output", minimum=8, drop=2 * ranks)] if has_outputs else []),
        Column("example", minimum=8),
        *([Column("shows", minimum=5), Column("")] if has_truth else []),
        *(column for rank in range(ranks) for column in _rank_columns(rank)),
    ]

    def cells(example: Example) -> list[str]:
        guesses = [cell for guess in example.guesses for cell in (guess.label, f"{guess.score:.3g}")]
        truth = [example.truth, _verdict(example)] if has_truth else []
        return [*([example.output] if has_outputs else []), example.name, *truth, *guesses]

    return View(columns, cells, _example_record, (), lambda _: (), lambda example: example.guesses[0].label)


def _rank_columns(rank: int) -> list[Column]:
    """The class and its score: a narrow terminal omits scores first, and always shows the first rank."""
    return [
        Column(_ordinal(rank), style="op", minimum=LABEL_WIDTH, drop=max(2 * rank - 1, 0)),
        Column("score", right=True, drop=2 * rank),
    ]


def _verdict(example: Example) -> str:
    return "wrong" if example.is_right is False else ""


def _ordinal(rank: int) -> str:
    return {0: "1st", 1: "2nd", 2: "3rd"}.get(rank, f"{rank + 1}th")


def _example_record(example: Example) -> dict[str, Any]:
    truth = {"truth": example.truth, "is_right": example.is_right} if example.truth else {}
    return {"output": example.output, "example": example.name, **truth, "classes": plain(example.guesses)}


def _guess_fields(row: tuple[Example, int]) -> Sequence[object]:
    example, rank = row
    guess = example.guesses[rank]
    return [example.output, example.name, example.truth or None, rank + 1, guess.index, guess.label, guess.score]


_GUESSES: View[tuple[Example, int]] = View(
    columns=(),
    cells=lambda _: (),
    record=lambda row: row,
    header="output example truth rank class label score".split(),
    fields=_guess_fields,
    name=lambda row: row[0].name,
)


def say_devices(sink: Sink, found: RunResult) -> None:
    """Notes unavailable devices that the graph requests, and, if requested, the placement and the executed nodes."""
    for device, nodes in found.absent.items():
        there = ", ".join(map(short_device, found.devices))
        sink.note(f"{device} was requested for {count(len(nodes), 'node')} but is not available; available: {there}")
    for device, placed in _by_device(found.placement).items():
        _say_nodes(sink, f"placed on {short_device(device)}", [(p.name, p.op, p.requested) for p in placed])
    for device, ran in _by_device(found.executed).items():
        rows = [(e.name, e.op, f"within {e.within}" if e.within else "") for e in ran]
        _say_nodes(sink, f"ran on {short_device(device)}", rows)


Placed = TypeVar("Placed", "Placement", "Executed")


def _by_device(nodes: Iterable[Placed]) -> dict[str, list[Placed]]:
    found: dict[str, list[Placed]] = {}
    for node in nodes:
        found.setdefault(node.device, []).append(node)
    return dict(sorted(found.items()))


def _say_nodes(sink: Sink, what: str, rows: Sequence[tuple[str, ...]]) -> None:
    """A line for each of ``rows``, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    sink.note("\n".join([f"{count(len(rows), 'node')} {what}", *lines]))
