"""Arguments and options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from graphscope.cli.options.completion import complete_format, complete_node, complete_placeholder
from graphscope.cli.terminal.pages import Format
from graphscope.errors import GraphscopeError


def repeatable(option: str, metavar: str, text: str, complete: Callable[..., list[str]] | None = None) -> Any:
    """An option that may be given several times."""
    return typer.Option(
        option, metavar=metavar, default_factory=list, show_default=False, help=text, autocompletion=complete
    )


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
    repeatable("--tags", "TAGS", "Use the meta graph of a SavedModel that has exactly these tags: serve,gpu."),
]
FormatOption = Annotated[Format, typer.Option("--format", help="Output format.")]


def split_tags(given: list[str]) -> list[str]:
    """``--tags serve,gpu`` and ``--tags serve --tags gpu`` are the same."""
    return [tag for text in given for tag in text.split(",") if tag]


Patterns = Annotated[
    list[str],
    repeatable("--name", "REGEX", "List only names that contain a match of this regular expression; repeatable."),
]


def compile_patterns(texts: list[str]) -> list[re.Pattern[str]]:
    """``--name``; an invalid regular expression is wrong usage."""
    if not texts:
        return []
    from graphscope.analysis.listing import compile_patterns as compiled

    try:
        return compiled(texts)
    except GraphscopeError as error:
        raise typer.BadParameter(error.message, param_hint="--name") from error


OutputNames = Annotated[
    list[str], repeatable("--output", "NAME", "Keep this node or tensor; repeatable.", complete_node)
]
InputNames = Annotated[list[str], repeatable("--input", "NAME", "Cut the graph open here; repeatable.", complete_node)]
SetValues = Annotated[
    list[str],
    repeatable(
        "--set",
        "NAME=VALUE",
        "Fix a placeholder or a variable: false, 0.5, [1, 2], @file.npy; repeatable.",
        complete_placeholder,
    ),
]
Feeds = Annotated[
    list[str],
    repeatable(
        "--feed",
        "NAME=VALUE",
        "Feed a tensor: a number, a list, @x.npy, @x.npz:key; default: random values. Repeatable.",
        complete_placeholder,
    ),
]


def named_texts(texts: Iterable[str], option: str, form: str = "NAME=VALUE") -> dict[str, str]:
    """``NAME=VALUE`` texts as a mapping; a text without both parts is wrong usage.

    Args:
        option, form: the option's name and the form of its texts, for the error.
    """
    pairs = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value:
            raise typer.BadParameter(f"{text} is not of the form {form}", param_hint=option)
        pairs[name] = value
    return pairs


def chosen_out(given: str | None, option: str | None, example: str) -> str:
    """The output: the argument OUT, or ``-o``; neither or both is wrong usage.

    Args:
        example: an example of a name.
    """
    if given and option and given != option:
        raise typer.BadParameter(f"{given} and -o {option} both name what to write", param_hint="OUT")
    if not (given or option):
        raise typer.BadParameter(
            f"name what to write, for example {example}; --output names a tensor of the graph", param_hint="OUT or -o"
        )
    return given or option or ""


Shapes = Annotated[
    bool, typer.Option("--shapes", help="Ask TensorFlow for shapes that depend on ops without a shape rule.")
]
To = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="FORMAT",
        show_default=False,
        help="The format to write, if the name of OUT does not say which.",
        autocompletion=complete_format,
    ),
]
Checkpoint = Annotated[
    str | None,
    typer.Option("--checkpoint", metavar="PREFIX", show_default=False, help="Take the values from this checkpoint."),
]
Atol = Annotated[
    float | None,
    typer.Option("--atol", metavar="X", show_default=False, help="Absolute tolerance of --verify; default: 1e-6."),
]
Rtol = Annotated[
    float | None,
    typer.Option("--rtol", metavar="X", show_default=False, help="Relative tolerance of --verify; default: 1e-5."),
]
ForTensorFlow = Annotated[
    str,
    typer.Option(
        "--for-tensorflow",
        metavar="VERSION",
        show_default=False,
        help="Write for this release (1.0 to 2.21): drop newer default attributes, refuse missing ops.",
    ),
]
Trust = Annotated[
    bool, typer.Option("--trust", help="Run the graph even if it touches files, the network or processes.")
]
AllowOutside = Annotated[
    bool, typer.Option("--allow-outside", help="Copy files that the graph names from outside the model's directory.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
