"""Options of ``convert`` that only ONNX takes."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from graphscope.advice import Advice, Option
from graphscope.cli.terminal.wording import worded
from graphscope.core.tensors import Shape


def named_texts(texts: Iterable[str], option: str) -> dict[str, str]:
    """``OLD=NEW`` texts as a mapping; one without both is wrong usage."""
    pairs = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value:
            raise typer.BadParameter(f"{text} is not of the form NAME=VALUE", param_hint=option)
        pairs[name] = value
    return pairs


def named_shapes(texts: Iterable[str]) -> dict[str, Shape]:
    """``NAME=1,224,?,3`` texts as shapes; ``NAME=`` is a scalar."""
    shapes: dict[str, Shape] = {}
    for text in texts:
        name, equals, sizes = text.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{text} is not of the form NAME=1,224,224,3", param_hint="--shape")
        shapes[name] = tuple(_size(size.strip(), text) for size in sizes.split(",") if sizes.strip())
    return shapes


def _size(text: str, whole: str) -> int | None:
    if text == "?":
        return None
    if not (text.isascii() and text.isdigit()):
        raise typer.BadParameter(f"{whole}: {text or 'nothing'} is not a size", param_hint="--shape")
    return int(text)


def refuse_onnx_options(chosen: Iterable[str]) -> None:
    """Other formats take none of these options: wrong usage."""
    for name in chosen:
        option = worded(Advice(Option(name)))
        raise typer.BadParameter("only ONNX takes it: name OUT *.onnx", param_hint=option)
