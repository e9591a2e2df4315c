"""``info`` for a model of another runtime."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from graphscope.analysis.foreign.detail import quantization_text
from graphscope.analysis.foreign.summary import ForeignSummary
from graphscope.cli.render.info import FILES, INPUTS, OPS, OUTPUTS, amount_text, histogram, more_line, write_head
from graphscope.cli.render.nodes import output_text
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format, Page, write_page
from graphscope.cli.terminal.plain import plain
from graphscope.cli.terminal.sections import Line, Section, write_sections
from graphscope.core.foreign import ForeignSignature, ForeignTensor
from graphscope.core.model import ModelFile
from graphscope.core.units import count, size

BODIES = 8
METADATA = 8
"""Maximum number of entries shown; JSON has all."""

TEXT = 200
"""Characters of a description that are shown."""

_INDENT = 10


def write_foreign(sink: Sink, format: Format, summary: ForeignSummary) -> None:
    """Writes the summary; its names are those of inputs and outputs."""
    names = (tensor.name for tensor in (*summary.inputs, *summary.outputs))
    write_page(sink, format, Page(lambda: _page(sink, summary), lambda: plain(summary), lambda: names))


def _page(sink: Sink, summary: ForeignSummary) -> Iterator[str]:
    yield from write_head(sink, _head(summary))
    groups = [[section for section in group if section[1]] for group in _groups(summary)]
    indent = max(_INDENT, *(len(label) + 2 for group in groups for label, _ in group), 0)
    for group in filter(None, groups):
        yield ""
        yield from write_sections(sink, group, indent)
    yield ""
    yield from write_sections(
        sink, [("next", [(command,) for command in _commands(summary)])], indent, is_wrapped=False
    )


def _head(summary: ForeignSummary) -> list[tuple[str, str]]:
    total = size(sum(file.size_bytes or 0 for file in summary.files))
    versions = ", ".join(f"{name} {number}" for name, number in summary.versions.items())
    counts = f"{count(summary.nodes, 'node')}, {count(len(summary.ops), 'op')}, {count(summary.tensors, 'tensor')}"
    return [
        (summary.path, f"{summary.kind}, {total}"),
        (summary.producer or "no producer stated", versions or "no version stated"),
        (f"parameters {amount_text(summary.parameters)}", counts),
    ]


def _groups(summary: ForeignSummary) -> Iterator[list[Section]]:
    yield [
        ("inputs", [*map(_tensor, summary.inputs[:INPUTS]), *more_line(summary.inputs, INPUTS)]),
        ("outputs", [*map(_tensor, summary.outputs[:OUTPUTS]), *more_line(summary.outputs, OUTPUTS)]),
    ]
    yield [("signatures", list(map(_signature, summary.signatures)))]
    yield [
        ("ops", [(histogram(summary.ops, OPS),)] if summary.ops else []),
        ("constants", [(amount_text(summary.constants),)] if summary.constants.tensors else []),
        ("graphs", list(_bodies(summary))),
        ("files", list(_files(summary.files))),
        ("metadata", list(_metadata(summary.metadata))),
        ("about", [(_short(summary.description),)] if summary.description else []),
    ]
    yield [("notes", [(note,) for note in summary.notes])]


def _tensor(tensor: ForeignTensor) -> Line:
    return tensor.name, output_text(tensor), quantization_text(tensor.quantization) if tensor.quantization else ""


def _signature(signature: ForeignSignature) -> Line:
    inputs, outputs = (
        ", ".join(f"{argument}={name}" for argument, name in arguments.items()) or "nothing"
        for arguments in (signature.inputs, signature.outputs)
    )
    return signature.name, f"{inputs} -> {outputs}"


def _bodies(summary: ForeignSummary) -> Iterator[Line]:
    yield from ((body.name, count(body.nodes, "node")) for body in summary.bodies[:BODIES])
    yield from more_line(summary.bodies, BODIES)


def _files(files: Sequence[ModelFile]) -> Iterator[Line]:
    """The files beside the model; those outside its directory are only named."""
    if len(files) > 1:
        yield from map(_file, files[:FILES])
        yield from more_line(files, FILES)


def _file(file: ModelFile) -> Line:
    if file.role == "outside":
        return file.path, "not opened: outside the model's directory"
    return file.path.rpartition("/")[2], "missing" if file.size_bytes is None else size(file.size_bytes)


def _metadata(metadata: Mapping[str, str]) -> Iterator[Line]:
    yield from ((name, _short(text)) for name, text in list(metadata.items())[:METADATA])
    yield from more_line(list(metadata), METADATA)


def _short(text: str) -> str:
    """The first words of a text, in one line."""
    line = " ".join(text[: TEXT + 1].split())
    return line if len(text) <= TEXT else f"{line[:TEXT]}..."


def _commands(summary: ForeignSummary) -> Iterator[str]:
    path = shlex.quote(summary.path)
    yield f"graphscope nodes {path}"
    if summary.constants.tensors:
        yield f"graphscope vars {path} --stats"
    for tensor in summary.outputs[:1]:
        yield f"graphscope show {path} {shlex.quote(tensor.name)}"
