"""Options whose order on the command line counts."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

from graphscope.cli.options.shared import repeatable
from graphscope.editing.table import STEPS

_ORDER = "graphscope.order of options"


class OrderedCommand(TyperCommand):
    """A command that remembers in which order its options were given."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Click's; the names of the options in order are kept with the context."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[_ORDER] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)


def step_option(name: str) -> Any:
    """The option of a kind of steps; one that takes no text is a flag."""
    row = STEPS[name]
    if not row.metavar:
        return typer.Option(f"--{name}", help=row.help)
    return repeatable(f"--{name}", row.metavar, f"{row.help[:-1]}; repeatable.")


def given_steps(ctx: typer.Context, values: dict[str, Any]) -> list[tuple[str, str]]:
    """Kind and text of each step in the order of the command line.

    Args:
        values: parameter -> its texts, or whether its flag was given.
    """
    waiting = {name: iter(given) if isinstance(given, list) else iter([""]) for name, given in values.items()}
    found = []
    for parameter in ctx.meta[_ORDER]:
        if parameter in waiting:
            text = next(waiting[parameter], None)
            if text is not None:
                found.append((parameter.rstrip("_").replace("_", "-"), text))
    return found
