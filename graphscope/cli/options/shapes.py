"""``--shape`` and ``--batch``: other shapes for a model's inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from graphscope.cli.options.completion import complete_placeholder
from graphscope.cli.options.shared import repeatable
from graphscope.core.tensors import Shape, parse_sizes
from graphscope.errors import ArgumentError

if TYPE_CHECKING:
    from graphscope.transforms.input_shapes import Batch

InputShapes = Annotated[
    list[str],
    repeatable(
        "--shape",
        "NAME=?,224,224,3",
        "Give an input this shape (?: any size) and adapt what depends on it; repeatable.",
        complete_placeholder,
    ),
]
BatchOption = Annotated[
    str,
    typer.Option(
        "--batch",
        metavar="N|?",
        show_default=False,
        help="Give every input this batch size; ?: any number of examples.",
    ),
]

LookedAtShapes = Annotated[
    list[str],
    repeatable(
        "--shape",
        "NAME=1,224,224,3",
        "Assume this shape for an input (?: unknown size); repeatable.",
        complete_placeholder,
    ),
]
LookedAtBatch = Annotated[
    int | None,
    typer.Option("--batch", metavar="N", min=1, show_default=False, help="Assume N for unknown batch dimensions."),
]


def named_shapes(texts: Iterable[str]) -> dict[str, Shape]:
    """``NAME=1,224,?,3`` texts as shapes; ``NAME=`` is a scalar."""
    shapes: dict[str, Shape] = {}
    for text in texts:
        name, equals, sizes = text.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{text} is not of the form NAME=1,224,224,3", param_hint="--shape")
        try:
            shapes[name] = parse_sizes(sizes)
        except ValueError as error:
            raise typer.BadParameter(f"{text}: {error} is not a size", param_hint="--shape") from error
    return shapes


def given_batch(text: str) -> Batch:
    """``7`` or ``?``; ``None`` if nothing was given."""
    from graphscope.transforms.input_shapes import parse_batch

    try:
        return parse_batch(text) if text else None
    except ArgumentError as error:
        raise typer.BadParameter(error.message, param_hint="--batch") from error
