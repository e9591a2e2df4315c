"""``graphscope MODEL`` and ``graphscope info MODEL`` without a parser, because Typer would take a fifth of their time."""

from __future__ import annotations

import os
from collections.abc import Sequence

from graphscope.cli.command_table import COMMANDS


def is_path(word: str) -> bool:
    """Whether a word that is not a command is meant as a model."""
    return os.path.lexists(word) or any(character in word for character in "/\\.")


def only_model(words: Sequence[str]) -> str | None:
    """The model, if the arguments of the command line name nothing else; ``None`` leaves them to the parser."""
    model = words[-1] if words else "-"
    if model.startswith("-") or "_GRAPHSCOPE_COMPLETE" in os.environ:
        return None
    if len(words) == 1 and model not in COMMANDS and is_path(model):
        return model
    return model if len(words) == 2 and words[0] == "info" else None


def show_model(path: str) -> int:
    """Writes the summary of the model at ``path`` and returns the exit code."""
    from graphscope.api.summarize import summarize
    from graphscope.cli.options.loading import open_any
    from graphscope.cli.outcome import finish
    from graphscope.cli.render.info import write_info
    from graphscope.cli.terminal.output import Sink
    from graphscope.cli.terminal.pages import Format

    sink = Sink.standard()
    return finish(lambda: write_info(sink, Format.TABLE, summarize(open_any(path))), sink)
