"""``graphscope vars``."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from graphscope.cli.options.shared import (
    Checkpoint,
    FormatOption,
    ModelPath,
    Patterns,
    Tags,
    compile_patterns,
    repeatable,
    split_tags,
)
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format

if TYPE_CHECKING:
    from graphscope.analysis.variable_rows import Weight, WeightRow


class RoleChoice(str, enum.Enum):
    """``--role``: :class:`graphscope.core.variables.variables.Role` as one word."""

    MODEL = "model"
    SLOT = "slot"
    MOVING_AVERAGE = "moving-average"
    STEP = "step"
    LOCAL = "local"


Roles = Annotated[
    list[RoleChoice],
    repeatable("--role", "ROLE", "List only model, slot, moving-average, step or local variables; repeatable."),
]


def variables(
    model: ModelPath,
    *,
    name: Patterns,
    role: Roles,
    stats: Annotated[
        bool, typer.Option("--stats", help="Read the values: min, max, mean, std, zeros, NaN and Inf.")
    ] = False,
    checkpoint: Checkpoint = None,
    tags: Tags,
    format: FormatOption = Format.TABLE,
) -> None:
    """The variables of a model; for a frozen graph its constants."""
    from graphscope.analysis.variable_rows import weights
    from graphscope.cli.options.loading import open_any
    from graphscope.cli.render.vars import write_weights

    sink = Sink.standard()
    patterns = compile_patterns(name)
    found = weights(open_any(model, tags=split_tags(tags), checkpoint=checkpoint))
    chosen = [item for item in found if _matches(item[0], patterns, role)]
    rows = _with_statistics(sink, chosen) if stats else [row for row, _ in chosen]
    write_weights(sink, format, rows, has_statistics=stats, is_choice=bool(found))


def _matches(row: WeightRow, patterns: Sequence[re.Pattern[str]], roles: Sequence[RoleChoice]) -> bool:
    if roles and row.role.value.replace(" ", "-") not in roles:
        return False
    return not patterns or any(pattern.search(row.name) for pattern in patterns)


def _with_statistics(sink: Sink, items: list[Weight]) -> list[WeightRow]:
    from graphscope.analysis.variable_rows import with_statistics
    from graphscope.cli.terminal.progress import bytes_progress

    total_bytes = sum(row.size_bytes or 0 for row, content in items if content is not None)
    with bytes_progress(sink, "reading values", total_bytes) as progress:
        return list(with_statistics(items, progress))


EXAMPLES = """
  graphscope vars model.ckpt-5000 --role model --stats
  graphscope vars frozen.pb --name conv --format csv > weights.csv
"""
