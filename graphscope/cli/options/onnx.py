"""Options of ``convert`` that only ONNX takes."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from graphscope.advice import Advice, Option
from graphscope.cli.terminal.wording import worded


def named_texts(texts: Iterable[str], option: str) -> dict[str, str]:
    """``OLD=NEW`` texts as a mapping; one without both is wrong usage."""
    pairs = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value:
            raise typer.BadParameter(f"{text} is not of the form NAME=VALUE", param_hint=option)
        pairs[name] = value
    return pairs


def refuse_onnx_options(chosen: Iterable[str]) -> None:
    """Other formats take none of these options: wrong usage."""
    for name in chosen:
        option = worded(Advice(Option(name)))
        raise typer.BadParameter("only ONNX takes it: name OUT *.onnx", param_hint=option)
