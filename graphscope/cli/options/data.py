"""Options for reading data, and the option for the data itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphscope.cli.options import pictures as picture

if TYPE_CHECKING:
    from graphscope.training.data.source import DataOptions

Data = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DATA",
        help="An .npz with x and y, a folder of class folders, TFRecords, MNIST's idx files, python:module:function.",
    ),
]
Schema = Annotated[
    str,
    typer.Option(
        "--schema",
        metavar="x=NAME,y=NAME",
        show_default=False,
        help="Name the features or arrays that hold inputs and labels.",
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at unreadable pictures instead of skipping them.")]
Size = Annotated[
    str,
    typer.Option("--size", metavar="HxW", show_default=False, help="Image size, if the model accepts any: 224x224."),
]
OnlyClasses = Annotated[
    str,
    typer.Option(
        "--only-classes", metavar="A,B,...", show_default=False, help="Use only these classes, renumbered from 0."
    ),
]
LimitPerClass = Annotated[
    int | None,
    typer.Option(
        "--limit-per-class", metavar="N", min=1, show_default=False, help="Use at most N examples of each class."
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        show_default=False,
        help="Cache directory; default: $GRAPHSCOPE_CACHE or ~/.cache/graphscope.",
    ),
]
Scale = picture.Scale
Mean = picture.Mean


def data_options(
    *,
    schema: str = "",
    strict: bool = False,
    size: str = "",
    scale: str = "",
    mean: str = "",
    only_classes: str = "",
    limit_per_class: int | None = None,
    cache: Path | None = None,
    seed: int = 0,
) -> DataOptions:
    """The given options; an invalid one is wrong usage. Task and classes are set later."""
    from graphscope.training.data.cache import default_cache
    from graphscope.training.data.source import DataOptions

    return DataOptions(
        scaling=picture.scaling(scale, mean),
        size=_size(size) if size else None,
        schema=schema,
        strict=strict,
        only_classes=tuple(name.strip() for name in only_classes.split(",") if name.strip()),
        limit_per_class=limit_per_class,
        seed=seed,
        cache=cache or default_cache(),
    )


_SIDE = re.compile(r"\d{1,6}")


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not (_SIDE.fullmatch(height) and _SIDE.fullmatch(width) and int(height) and int(width)):
        raise typer.BadParameter(f"{text!r} is not a height and a width, for example 224x224", param_hint="--size")
    return int(height), int(width)
