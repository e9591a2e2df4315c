"""Options of ``convert`` that only ONNX takes."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from graphscope.advice import Advice, Option
from graphscope.cli.terminal.wording import worded


def refuse_onnx_options(chosen: Iterable[str]) -> None:
    """Other formats take none of these options: wrong usage."""
    for name in chosen:
        option = worded(Advice(Option(name)))
        raise typer.BadParameter("only ONNX takes it: name OUT *.onnx", param_hint=option)
