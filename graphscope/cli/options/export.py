"""Options of ``convert`` that only formats of other runtimes take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer

from graphscope.advice import Advice, Option
from graphscope.cli.terminal.wording import to_words
from graphscope.formats.registry import example_name, export_formats


def export_option(name: str, text: str, metavar: str | None = None) -> Any:
    """An option for formats of other runtimes.

    Args:
        text: help that starts with the format, or with ``Export`` if all formats support it.
    """
    return typer.Option(name, metavar=metavar, show_default=False, help=text)


def refuse_export_options(chosen: Iterable[str]) -> None:
    """Refuses these options for TensorFlow's own formats as wrong usage."""
    for name in chosen:
        names = ", ".join(map(example_name, export_formats()))
        option = to_words(Advice(Option(name)))
        raise typer.BadParameter(f"only valid for other runtimes' formats: name OUT {names}", param_hint=option)
