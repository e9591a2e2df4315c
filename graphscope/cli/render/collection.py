"""``show --collection``: the entries of a collection."""

from __future__ import annotations

import json

from graphscope.analysis.members import CollectionMembers, Member
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.plain import plain
from graphscope.cli.terminal.table import Column
from graphscope.cli.terminal.text import elide, escape
from graphscope.cli.terminal.views import View, write_rows
from graphscope.core.tensors import shape_text

_LONGEST = 60


def write_collection(sink: Sink, format: Format, found: CollectionMembers) -> None:
    """Writes the members: names with type, shape and op; other values unchanged."""
    write_rows(sink, format, _VIEW, found.members, f"the collection {found.name} is empty")


def _cells(member: Member) -> tuple[str, ...]:
    if not member.name:
        return escape(elide(_text(member), _LONGEST)), "", "", ""
    dtype = member.dtype.label if member.dtype is not None else ""
    shape = shape_text(member.shape) if member.dtype is not None else ""
    return escape(member.name), dtype, shape, escape(member.op)


def _text(member: Member) -> str:
    return member.content if isinstance(member.content, str) else json.dumps(member.content)


_VIEW: View[Member] = View(
    columns=(Column("member"), Column("dtype"), Column("shape"), Column("op")),
    cells=_cells,
    record=plain,
    header=("name", "dtype", "shape", "op", "content"),
    fields=lambda m: (m.name, m.dtype.label if m.dtype else "", shape_text(m.shape) if m.dtype else "", m.op, _text(m)),
    name=lambda m: m.name or _text(m),
)
