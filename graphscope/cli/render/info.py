"""``info``: the summary of a model, and the next commands."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from graphscope.analysis.ends.outputs import detector_ends
from graphscope.analysis.summary import Amount, GraphSummary, Summary, SwitchRow
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format, Page, write_page
from graphscope.cli.terminal.plain import plain
from graphscope.cli.terminal.sections import Line, Section, wrap, write_sections
from graphscope.cli.terminal.text import cells, escape, size, tensor_type
from graphscope.core.model import ModelFile
from graphscope.core.signatures import Signature
from graphscope.core.tensors import TensorSpec, node_of, shape_text
from graphscope.core.units import count
from graphscope.errors import some

if TYPE_CHECKING:
    from graphscope.analysis.foreign.summary import ForeignSummary

FILES = 4
OPS = 8
NAMES = 3
COLLECTIONS = 8
INPUTS = 8
OUTPUTS = 5
REASONS = 2
PROBLEMS = 8
"""Maximum number of entries shown; JSON has all."""

HALF = 38
"""A longer left half of the heading gets its own line."""

SWITCHES = 3
"""Training switches that the command to freeze fixes; ``freeze`` names the others."""

_INDENT = 10


def write_info(sink: Sink, format: Format, summary: Summary | ForeignSummary, user_tags: Sequence[str] = ()) -> None:
    """Writes the summary of a model, or of one of another runtime.

    Args:
        user_tags: the given ``--tags``, for the next commands.
    """
    if not isinstance(summary, Summary):
        from graphscope.cli.render.foreign import write_foreign

        write_foreign(sink, format, summary)
        return
    page = Page(lambda: _page(sink, summary, user_tags), lambda: plain(summary), lambda: _tensor_names(summary))
    write_page(sink, format, page)


def _tensor_names(summary: Summary) -> Iterator[str]:
    if summary.graph is not None:
        yield from (row.tensor for row in summary.graph.inputs)
        yield from (row.tensor for row in summary.graph.outputs)


def _page(sink: Sink, summary: Summary, user_tags: Sequence[str]) -> Iterator[str]:
    yield from write_head(sink, info_head(summary))
    shown = info_sections(summary)
    indent = max([_INDENT, *(len(label) + 2 for group in shown for label, _ in group)])
    for group in filter(None, shown):
        yield ""
        yield from write_sections(sink, group, indent)
    commands = [(command,) for command in next_commands(summary, user_tags)]
    yield ""
    yield from write_sections(sink, [("next", commands)], indent, is_wrapped=False)


def info_head(summary: Summary) -> list[tuple[str, str]]:
    """The heading of a model, in two columns."""
    return [(summary.path, _kind(summary)), (_writer(summary), _counts(summary.graph)), _amounts(summary)]


def info_sections(summary: Summary) -> list[list[Section]]:
    """The content of a model, in groups of labeled lines; empty groups are omitted."""
    groups = [[(label, list(rows(summary))) for label, rows in group] for group in _GROUPS]
    return [[(label, rows) for label, rows in group if rows] for group in groups]


def write_head(sink: Sink, head: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The first lines of a page in two columns, the second one wrapped."""
    safe = [(escape(left), escape(right)) for left, right in head]
    width = max((cells(left) for left, _ in safe if cells(left) <= HALF), default=0)
    for i, (left, right) in enumerate(safe):
        title = sink.paint(left, "title" if i == 0 else "")
        first, *rest = wrap(right, sink.width - width - 4)
        if cells(left) <= width:
            yield (title + " " * (width - cells(left) + 4) + first).rstrip()
            yield from (" " * (width + 4) + line for line in rest)
        else:
            yield title
            yield from filter(None, [right])


def _kind(summary: Summary) -> str:
    parts = [summary.kind, summary.checkpoint_version]
    parts += [count(summary.shards, "shard")] if summary.shards else []
    parts += ["text"] if summary.encoding == "text" else []
    parts.append(size(sum(file.size_bytes or 0 for file in summary.files)))
    return ", ".join(filter(None, parts))


def _writer(summary: Summary) -> str:
    version = f"TensorFlow {summary.tensorflow_version}" if summary.tensorflow_version else ""
    producer = f"producer {summary.graph.producer}" if summary.graph is not None and summary.graph.producer else ""
    return ", ".join(filter(None, (version, producer))) or "no version stated"


def _counts(graph: GraphSummary | None) -> str:
    if graph is None:
        return "no graph"
    functions = count(graph.functions, "function")
    inside = f" ({count(graph.function_nodes, 'node')})" if graph.functions else ""
    return f"{count(graph.nodes, 'node')}, {count(len(graph.ops), 'op')}, {functions}{inside}"


def _amounts(summary: Summary) -> tuple[str, str]:
    extras = (
        (summary.slots, "in optimizer slots"),
        (summary.moving_averages, "in moving averages"),
        (summary.others, "in steps and local variables"),
    )
    right = ", ".join(f"{amount.elements:,} {what}" for amount, what in extras if amount.tensors)
    return f"parameters {amount_text(summary.parameters)}", f"+ {right}" if right else ""


def amount_text(amount: Amount) -> str:
    """``61,706 (247 kB float32)``."""
    if not amount.tensors:
        return "none"
    if len(amount.by_dtype) == 1:
        return f"{amount.elements:,} ({size(amount.size_bytes)} {next(iter(amount.by_dtype))})"
    parts = ", ".join(f"{elements:,} {dtype}" for dtype, elements in amount.by_dtype.items())
    return f"{amount.elements:,} ({size(amount.size_bytes)}: {parts})"


def _inputs(summary: Summary) -> Iterator[Line]:
    found = summary.graph.inputs if summary.graph is not None else ()
    switches = _switches(summary)
    for row in found[:INPUTS]:
        default = f"default {row.default}" if row.default is not None else ""
        argument = f"input {row.argument!r}" if row.argument else ""
        switch = switches.get(node_of(row.tensor))
        told = f"{switch.reason}: {switch.value} for inference" if switch is not None else ""
        known = ", ".join(filter(None, (argument, default, told)))
        yield row.tensor, f"{row.dtype.label} {shape_text(row.shape)}", known
    yield from more_line(found, INPUTS)


def _switches(summary: Summary) -> Mapping[str, SwitchRow]:
    return {row.node: row for row in summary.graph.switches} if summary.graph is not None else {}


def _outputs(summary: Summary) -> Iterator[Line]:
    found = summary.graph.outputs if summary.graph is not None else ()
    for row in found[:OUTPUTS]:
        yield row.tensor, tensor_type(row.dtype, row.shape), ", ".join(row.reasons[:REASONS])
    yield from more_line(found, OUTPUTS)


def more_line(found: Sequence[object], limit: int) -> Iterator[Line]:
    """``and 5 more``, if not all are shown."""
    if len(found) > limit:
        yield (f"and {len(found) - limit:,} more",)


def _ops(summary: Summary) -> Iterator[Line]:
    if summary.graph is not None and summary.graph.ops:
        yield (histogram(summary.graph.ops, OPS),)


def histogram(counts: Mapping[str, int], limit: int) -> str:
    """``MatMul 3, Add 2``, and the number of further ones."""
    return some((f"{name} {number:,}" for name, number in counts.items()), limit)


def _signatures(summary: Summary) -> Iterator[Line]:
    for signature in summary.signatures:
        yield signature.name, _signature(signature)


def _signature(signature: Signature) -> str:
    return f"{_arguments(signature.inputs)} -> {_arguments(signature.outputs)}"


def _arguments(arguments: Mapping[str, tuple[TensorSpec, ...]]) -> str:
    return ", ".join(f"{name}={' '.join(s.name for s in specs)}" for name, specs in arguments.items()) or "nothing"


def _collections(summary: Summary) -> Iterator[Line]:
    if summary.collections:
        yield (some((f"{row.name} {row.items:,}" for row in summary.collections), COLLECTIONS),)


def _missing(summary: Summary) -> Iterator[Line]:
    if summary.missing:
        yield (f"{count(len(summary.missing), 'variable')} without a value: {some(summary.missing, NAMES)}",)


def _extra(summary: Summary) -> Iterator[Line]:
    if summary.extra:
        yield (f"{count(len(summary.extra), 'value')} that no variable uses: {some(summary.extra, NAMES)}",)


def _dangers(summary: Summary) -> Iterator[Line]:
    """One line: the worst finding, and the command that lists all."""
    if summary.dangers:
        more = f" and {len(summary.dangers) - 1:,} more" if summary.dangers[1:] else ""
        yield (f"{summary.dangers[0]}{more}: graphscope audit {shlex.quote(summary.path)}",)


def _problems(summary: Summary) -> Iterator[Line]:
    yield from ((problem.text,) for problem in summary.problems[:PROBLEMS])
    yield from more_line(summary.problems, PROBLEMS)


def _mismatch_lines(summary: Summary) -> Iterator[Line]:
    if summary.mismatched:
        number = count(len(summary.mismatched), "variable")
        yield (f"{number} that the checkpoint does not fit: {some(summary.mismatched, NAMES)}",)


def _devices(summary: Summary) -> Iterator[Line]:
    for device, nodes in summary.graph.devices.items() if summary.graph is not None else ():
        yield device, count(nodes, "node")


def _tables(summary: Summary) -> Iterator[Line]:
    for row in summary.graph.tables if summary.graph is not None else ():
        yield row.name, row.op


def _unregistered_lines(summary: Summary) -> Iterator[Line]:
    if summary.graph is not None and summary.graph.unregistered:
        yield (f"{histogram(summary.graph.unregistered, OPS)} (not in TensorFlow 2.21)",)


def _files(summary: Summary) -> Iterator[Line]:
    files = [file for file in summary.files if file.role != "asset"]
    if len(files) > 1 or any(file.size_bytes is None for file in files):
        yield from map(_file, files[:FILES])
        yield from more_line(files, FILES)


def _assets(summary: Summary) -> Iterator[Line]:
    return map(_file, (file for file in summary.files if file.role == "asset"))


def _file(file: ModelFile) -> Line:
    return file.path.rpartition("/")[2], "missing" if file.size_bytes is None else size(file.size_bytes)


def _tag_sets(summary: Summary) -> Iterator[Line]:
    if len(summary.tag_sets) > 1:
        sets = " | ".join(",".join(tags) or "(none)" for tags in summary.tag_sets)
        yield (f"{','.join(summary.tags) or '(none)'} of {sets}; --tags to choose",)


Rows = Callable[[Summary], Iterable[Line]]
_GROUPS: Sequence[Sequence[tuple[str, Rows]]] = (
    (("inputs", _inputs), ("outputs", _outputs)),
    (("signatures", _signatures),),
    (
        ("ops", _ops),
        ("unknown ops", _unregistered_lines),
        ("collections", _collections),
        ("devices", _devices),
        ("tables", _tables),
        ("assets", _assets),
        ("files", _files),
        ("tags", _tag_sets),
    ),
    (
        ("invalid", _problems),
        ("danger", _dangers),
        ("missing", _missing),
        ("extra", _extra),
        ("mismatch", _mismatch_lines),
        ("notes", lambda summary: [(note,) for note in summary.notes]),
    ),
)


def next_commands(summary: Summary, user_tags: Sequence[str] = ()) -> Iterator[str]:
    """The next commands, with the path quoted for a shell."""
    path = shlex.quote(summary.path)
    tags = f" --tags {shlex.quote(','.join(user_tags))}" if user_tags else ""
    if summary.graph is not None:
        yield f"graphscope nodes {path}{tags} --tree"
    if summary.parameters.tensors:
        yield f"graphscope vars {path}{tags} --stats"
    if summary.graph is not None and summary.graph.outputs:
        ends = detector_ends(summary.graph.outputs) or summary.graph.outputs[:1]
        outputs = [shlex.quote(end.tensor) for end in ends]
        if summary.checkpoint_version and not summary.graph.tables:
            fixed = "".join(f" --set {shlex.quote(f'{s.node}={s.value}')}" for s in summary.graph.switches[:SWITCHES])
            kept = "".join(f" --output {output}" for output in outputs)
            yield f"graphscope freeze {path}{tags} -o frozen.pb{kept}{fixed} --verify"
        else:
            yield from (f"graphscope show {path}{tags} {output}" for output in outputs)
