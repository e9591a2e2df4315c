"""The page of ``graphscope --help``, made from the table of commands without importing Typer or a command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphscope.cli.command_table import COMMANDS, PANELS
from graphscope.cli.terminal.width import terminal_width

HELP_OPTIONS = ("-h", "--help")
VERSION_HELP = "Print the version and exit."

_WIDEST = 78

_INTRODUCTION = """\
Usage: graphscope [OPTIONS] COMMAND [ARGS]...

  Inspect, convert, run, profile and fine-tune TensorFlow model files.
"""
_OPTIONS = (
    ("--version", VERSION_HELP),
    ("--install-completion", "Install completion for the current shell."),
    (
        "--show-completion",
        "Show completion for the current shell, to copy it or customize the installation.",
    ),
    ("-h, --help", "Show this message and exit."),
)
_EXAMPLES = """\
  Examples:
    graphscope model.ckpt-5000           summarize it, as info does
    graphscope nodes frozen.pb --tree    list its nodes by name scope
    graphscope --install-completion      complete commands, options, names"""


def main_help() -> str:
    """The page, as wide as the terminal, 78 columns at most."""
    width = min(terminal_width() - 2, _WIDEST)
    panels: dict[str, Sequence[tuple[str, str]]] = {"Options": _OPTIONS}
    panels |= {p: tuple((n, row.help) for n, row in COMMANDS.items() if row.panel == p) for p in PANELS}
    sections = ["\n".join([f"{title}:", *_rows(rows, width)]) + "\n" for title, rows in panels.items()]
    return "\n".join([_INTRODUCTION, *sections, _EXAMPLES])


def _rows(rows: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    """Names and descriptions in two columns, the second wrapped."""
    import textwrap

    indent = " " * (max(len(name) for name, _ in rows) + 4)
    for name, text in rows:
        head = f"  {name}".ljust(len(indent))
        yield from textwrap.wrap(text, max(width, 2 * len(indent)), initial_indent=head, subsequent_indent=indent)


def write_help() -> int:
    """Writes the page to stdout and returns the exit code."""
    try:
        print(main_help(), flush=True)
    except OSError as error:
        from graphscope.cli.outcome import report_unwritten  # a page that is written needs nothing else

        return report_unwritten(error)
    return 0
