"""The steps of ``edit`` as options: one for each row of the table of steps, whose order on the command line counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

from graphscope.editing.table import STEPS, StepRow

_STEPS = "graphscope.steps"


class StepsCommand(TyperCommand):
    """A command that takes steps in addition to its function's options; they follow its arguments and ``--out``."""

    def __init__(self, *args: Any, params: Sequence[Any], **kwargs: Any) -> None:
        first = [param for param in params if param.param_type_name == "argument" or param.name == "out"]
        others = [param for param in params if param not in first]
        steps = [_option(name, row) for name, row in STEPS.items()]
        super().__init__(*args, params=[*first, *steps, *others], **kwargs)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Click's; the steps are kept with the context."""
        given, _, order = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[_STEPS] = list(_in_order(given, [parameter.name or "" for parameter in order]))
        return super().parse_args(ctx, args)


def given_steps(ctx: typer.Context) -> list[tuple[str, str]]:
    """Kind and text of each step, in the order of the command line."""
    steps: list[tuple[str, str]] = ctx.meta[_STEPS]
    return steps


def _option(name: str, row: StepRow) -> TyperOption:
    if not row.metavar:
        return TyperOption(param_decls=[f"--{name}"], is_flag=True, help=row.help, expose_value=False)
    help = f"{row.help[:-1]}; repeatable."
    return TyperOption(param_decls=[f"--{name}"], multiple=True, metavar=row.metavar, help=help, expose_value=False)


def _in_order(given: Mapping[str, Any], order: Sequence[str]) -> Iterator[tuple[str, str]]:
    """A flag counts once, at its first position.

    Args:
        given: parameter -> its texts, or a flag's value.
        order: the parameters as they were given.
    """
    kinds = {name.replace("-", "_"): name for name in STEPS}
    waiting = {
        parameter: iter(given[parameter] if STEPS[kinds[parameter]].metavar else [""])
        for parameter in order
        if parameter in kinds
    }
    for parameter in order:
        text = next(waiting[parameter], None) if parameter in waiting else None
        if text is not None:
            yield kinds[parameter], text
