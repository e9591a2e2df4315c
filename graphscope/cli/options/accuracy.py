"""``--assert-accuracy``: lets a script stop if a model is not good enough."""

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
    """Refuses the option for a regression, which has no accuracy."""
    if wanted is not None and task == REGRESSION:
        raise typer.BadParameter("a regression has no accuracy", param_hint="--assert-accuracy")


def check_accuracy(accuracy: float, wanted: float | None) -> None:
    """Raises an error if the accuracy is below the required one.

    Raises:
        GraphscopeError: the accuracy is too low.
    """
    if wanted is not None and not accuracy >= wanted:
        raise GraphscopeError(f"the accuracy is {accuracy:.2%}, below the required {wanted:.2%}")
