"""Commands that are given a model and nothing else run without a parser: importing Typer would take a fifth of their time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphscope.cli.terminal.output import Sink


def is_path(word: str) -> bool:
    """Whether a word that is not a command is meant as a model."""
    return os.path.lexists(word) or any(character in word for character in "/\\.")


def plain_command(words: Sequence[str]) -> tuple[str, str] | None:
    """The command and its model, if the arguments of the command line are no more; ``None`` leaves them to the parser."""
    model = words[-1] if words else "-"
    if model.startswith("-") or "_GRAPHSCOPE_COMPLETE" in os.environ:
        return None
    if len(words) == 1:
        from graphscope.cli.command_table import COMMANDS

        return ("info", model) if model not in COMMANDS and is_path(model) else None
    return (words[0], model) if len(words) == 2 and words[0] in _PLAIN else None


def run_plainly(command: str, path: str) -> int:
    """Runs a command of :func:`plain_command` and returns the exit code."""
    from graphscope.cli.outcome import finish
    from graphscope.cli.terminal.output import Sink

    sink = Sink.standard()
    return finish(lambda: _PLAIN[command](sink, path), sink)


def _info(sink: Sink, path: str) -> None:
    from graphscope.api.summarize import summarize
    from graphscope.cli.options.loading import open_any
    from graphscope.cli.render.info import write_info
    from graphscope.cli.terminal.pages import Format

    write_info(sink, Format.TABLE, summarize(open_any(path)))


def _vars(sink: Sink, path: str) -> None:
    from graphscope.analysis.variable_rows import list_weights
    from graphscope.cli.options.loading import open_any
    from graphscope.cli.render.vars import write_weights
    from graphscope.cli.terminal.pages import Format

    write_weights(sink, Format.TABLE, list_weights(open_any(path)))


_PLAIN: Mapping[str, Callable[[Sink, str], None]] = {"info": _info, "vars": _vars}
