"""Writes the parts of ``docs/`` that come from the program itself: ``python -m tests.support.documents.generated``.

They stand between ``<!-- what -->`` and ``<!-- end -->``: the list of commands, the options of a command as ``--help`` prints
them, the rules of an audit, the table of formats.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from graphscope.analysis.audit.rules import RULES
from graphscope.cli.app import app
from graphscope.formats.registry import FORMATS
from tests.support.documents.pages import DOCS

COMMANDS = DOCS / "commands.md"
GENERATED_PAGES = [COMMANDS, DOCS / "formats.md"]
PART = re.compile(r"^<!-- (?P<what>[\w -]+) -->\n.*?^<!-- end -->$", re.MULTILINE | re.DOTALL)
OPTIONS = "options of "


def commands() -> dict[str, Any]:
    """The commands by name, in the order of ``--help``."""
    group: Any = get_command(app)
    context = group.context_class(group)
    return {name: group.get_command(context, name) for name in group.list_commands(context)}


def page(path: Path) -> str:
    """A page with its generated parts as they are today; a command without a section gets one at the end of its page."""
    text = path.read_text("utf-8")
    for name in commands() if path == COMMANDS else ():
        if f"<!-- {OPTIONS}{name} -->" not in text:
            text += f"\n## `graphscope {name}`\n\n<!-- {OPTIONS}{name} -->\n<!-- end -->\n"
    return PART.sub(lambda part: f"<!-- {part['what']} -->\n\n{_part(part['what'])}\n\n<!-- end -->", text)


def _part(what: str) -> str:
    if what.startswith(OPTIONS):
        return _table(("option", ""), _options(commands()[what.removeprefix(OPTIONS)]))
    parts = {
        "list of commands": _list_of_commands,
        "table of formats": _table_of_formats,
        "rules of an audit": _rules_of_an_audit,
    }
    return parts[what]()


def _list_of_commands() -> str:
    rows = commands().items()
    return _table(
        ("command", ""), ((f"[`{n}`](#graphscope-{n})", _escaped(c.get_short_help_str(1000))) for n, c in rows)
    )


def _options(command: Any) -> Iterator[tuple[str, str]]:
    """Arguments and options of a command, how each is written and what it does; all take ``--help``."""
    context = command.context_class(command)
    records = (param.get_help_record(context) for param in command.get_params(context))
    return ((_code(left), _escaped(right)) for left, right in filter(None, records) if "--help" not in left)


def _table_of_formats() -> str:
    heading = ("format", "`--to`", "suffixes", "holds", "recognized by", "")
    return _table(
        heading,
        (
            (
                row.title,
                f"`{row.name}`" if row.is_written else "",
                ", ".join(f"`{suffix}`" for suffix in row.suffixes),
                " and ".join(what for what, has in (("graph", row.has_graph), ("values", row.has_values)) if has),
                row.recognized,
                " and ".join(
                    what
                    for what, is_there in (
                        ("read", row.reader),
                        ("shown", row.foreign and row.foreign.reader),
                        ("run", row.foreign),
                        ("written", row.is_written),
                    )
                    if is_there
                ),
            )
            for row in FORMATS
        ),
    )


def _rules_of_an_audit() -> str:
    rows = ((f"`{name}`", rule.category.value, _escaped(rule.text)) for name, rule in RULES.items())
    return _table(("rule", "about", "meaning"), rows)


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heading, ("---",) * len(heading), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


def _code(text: str) -> str:
    """A word of the command line; a bar between backticks ends the cell in some renderers and needs HTML."""
    if "|" not in text:
        return f"`{text}`"
    return f"<code>{html.escape(text, quote=False).replace('|', '&#124;')}</code>"


def _escaped(text: str) -> str:
    """A help text as Markdown: what looks like markup there is meant as it is."""
    return re.sub(r"([|*_\[\]])", r"\\\1", html.escape(" ".join(text.split()), quote=False))


if __name__ == "__main__":
    for path in GENERATED_PAGES:
        path.write_text(page(path), "utf-8")
