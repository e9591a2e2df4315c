"""``--assert-accuracy``: a script stops where a model is not good enough."""

from __future__ import annotations

from typing import Annotated

import typer

from graphscope.errors import GraphscopeError
from graphscope.training.recipe import REGRESSION

AssertAccuracy = Annotated[
    float | None,
    typer.Option(
        "--assert-accuracy",
        min=0,
        max=1,
        metavar="X",
        show_default=False,
        help="Exit with code 1 below this accuracy.",
    ),
]


def refuse_accuracy(task: str, wanted: float | None) -> None:
    """A regression has none: that is wrong usage."""
    if wanted is not None and task == REGRESSION:
        raise typer.BadParameter("a regression has no accuracy", param_hint="--assert-accuracy")


def check_accuracy(accuracy: float, wanted: float | None) -> None:
    """Raises an error below the accuracy that was asked for.

    Raises:
        GraphscopeError: so.
    """
    if wanted is not None and not accuracy >= wanted:
        raise GraphscopeError(f"the accuracy is {accuracy:.2%}, below the required {wanted:.2%}")
