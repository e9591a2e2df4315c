"""Arguments and options that several commands share."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from graphscope.cli.views import Format

ModelPath = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        show_default=False,
        help="A checkpoint prefix or any of its files, a directory with a checkpoint or SavedModel, a .pb or .pbtxt.",
    ),
]
Tags = Annotated[
    list[str],
    typer.Option(
        "--tags",
        metavar="TAGS",
        default_factory=list,
        show_default=False,
        help="The meta graph of a SavedModel with exactly these tags: serve,gpu.",
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to write the data.")]


def split_tags(given: list[str]) -> list[str]:
    """``--tags serve,gpu`` and ``--tags serve --tags gpu`` are the same."""
    return [tag for text in given for tag in text.split(",") if tag]


Patterns = Annotated[
    list[str],
    typer.Option(
        "--name",
        metavar="REGEX",
        default_factory=list,
        show_default=False,
        help="Only names in which this regular expression is found; repeat for more.",
    ),
]


def compile_patterns(texts: list[str]) -> list[re.Pattern[str]]:
    """``--name``; one that is no regular expression is wrong usage."""
    try:
        return [re.compile(text) for text in texts]
    except re.error as error:
        raise typer.BadParameter(f"{error.pattern!r} is no regular expression: {error}", param_hint="--name") from error
