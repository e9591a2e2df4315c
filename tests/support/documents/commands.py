"""Writes the options of every command into ``docs/commands.md``: ``python -m tests.support.documents.commands``.

The page is written by hand but for what stands between ``<!-- options of COMMAND -->`` and ``<!-- end -->``, and for the list
of commands. What stands there comes from the Typer application, as ``--help`` prints it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from graphscope.cli.app import app
from tests.support.documents.pages import DOCS

PAGE = DOCS / "commands.md"
GENERATED = re.compile(r"^<!-- (?P<what>[\w ]+) -->\n.*?^<!-- end -->$", re.MULTILINE | re.DOTALL)
LIST = "list of commands"
OPTIONS = "options of "


def commands() -> dict[str, Any]:
    """The commands by name, in the order of ``--help``."""
    group: Any = get_command(app)
    context = group.context_class(group)
    return {name: group.get_command(context, name) for name in group.list_commands(context)}


def records(command: Any) -> Iterator[tuple[str, str]]:
    """Arguments and options of a command as ``--help`` shows them: how each is written, and what it does."""
    context = command.context_class(command)
    return (record for param in command.get_params(context) if (record := param.get_help_record(context)))


def page(text: str) -> str:
    """The page with its generated parts as they are today; commands without a section get one at the end."""
    named = commands()
    for name in named:
        if f"<!-- {OPTIONS}{name} -->" not in text:
            text += f"\n## `graphscope {name}`\n\n<!-- {OPTIONS}{name} -->\n<!-- end -->\n"
    return GENERATED.sub(
        lambda match: f"<!-- {match['what']} -->\n\n{_part(match['what'], named)}\n\n<!-- end -->", text
    )


def _part(what: str, named: dict[str, Any]) -> str:
    if what == LIST:
        return _table("command", ((f"[`{name}`](#graphscope-{name})", _summary(named[name])) for name in named))
    options = records(named[what.removeprefix(OPTIONS)])
    return _table("option", ((_code(left), right) for left, right in options if "--help" not in left))


def _summary(command: Any) -> str:
    """The line that ``graphscope --help`` has for a command, never shortened."""
    return str(command.get_short_help_str(1000))


def _table(heading: str, rows: Iterator[tuple[str, str]]) -> str:
    lines = [f"| {left} | {_escaped(right)} |" for left, right in rows]
    return "\n".join([f"| {heading} | |", "|---|---|", *lines])


def _code(text: str) -> str:
    """A word of the command line; a bar between backticks ends the cell in some renderers and needs HTML."""
    if "|" not in text:
        return f"`{text}`"
    return f"<code>{html.escape(text, quote=False).replace('|', '&#124;')}</code>"


def _escaped(text: str) -> str:
    """A help text as Markdown: what looks like markup there is meant as it is."""
    return re.sub(r"([|*_\[\]])", r"\\\1", html.escape(" ".join(text.split()), quote=False))


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
