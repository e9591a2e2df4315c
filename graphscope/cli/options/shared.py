"""Arguments and options that several commands share."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from graphscope.cli.terminal.views import Format
from graphscope.errors import GraphscopeError

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
    if not texts:
        return []
    from graphscope.analysis.listing import compile_patterns as compiled

    try:
        return compiled(texts)
    except GraphscopeError as error:
        raise typer.BadParameter(error.message, param_hint="--name") from error


def repeated(option: str, metavar: str, text: str) -> Any:
    """An option that may be given several times."""
    return typer.Option(option, metavar=metavar, default_factory=list, show_default=False, help=text)


OutputNames = Annotated[list[str], repeated("--output", "NAME", "A node or tensor to keep; repeat for more.")]
InputNames = Annotated[list[str], repeated("--input", "NAME", "Cut the graph open here; repeat for more.")]
SetValues = Annotated[
    list[str], repeated("--set", "NAME=VALUE", "Fix a placeholder: false, 0.5, [1, 2], @file.npy; repeat for more.")
]
Feeds = Annotated[
    list[str],
    repeated("--feed", "NAME=VALUE", "What to feed: a number, a list, @x.npy, @x.npz:key; random if unnamed."),
]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        "--checkpoint", metavar="PREFIX", show_default=False, help="The values of a graph that lies elsewhere."
    ),
]
Atol = Annotated[
    float | None,
    typer.Option("--atol", show_default=False, help="Absolute tolerance of --verify (1e-6)."),
]
Rtol = Annotated[
    float | None,
    typer.Option("--rtol", show_default=False, help="Relative tolerance of --verify (1e-5)."),
]
Trust = Annotated[bool, typer.Option("--trust", help="Run a graph even if it touches files, the network or processes.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
