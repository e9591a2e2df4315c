"""``graphscope cost``."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from graphscope.cli.options.completion import complete_node
from graphscope.cli.options.shapes import LookedAtShapes, named_shapes
from graphscope.cli.options.shared import Checkpoint, FormatOption, ModelPath, Tags, repeatable, split_tags
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.speaker import Speaker


class Grouping(str, enum.Enum):
    """What a row is."""

    SCOPE = "scope"
    OP = "op"
    NODE = "node"


def cost(
    model: ModelPath,
    *,
    by: Annotated[Grouping, typer.Option("--by", help="Group by layer scope, op or node.")] = (Grouping.SCOPE),
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth",
            min=1,
            metavar="N",
            show_default=False,
            help="Group by this many levels of scopes; default: one row per layer.",
        ),
    ] = None,
    output: Annotated[
        list[str],
        repeatable("--output", "NAME", "Count only what this node or tensor needs; repeatable.", complete_node),
    ],
    all: Annotated[bool, typer.Option("--all", help="Count all nodes, including training and initialization.")] = False,
    shape: LookedAtShapes,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch",
            metavar="N",
            min=1,
            show_default=False,
            help="Size of unknown batch dimensions; default: figures per example.",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", show_default=False, help="Estimate times on a device: t4, a100.")
    ] = "",
    peak: Annotated[
        str,
        typer.Option(
            "--peak",
            metavar="FLOPS,B/s",
            show_default=False,
            help="Estimate times at these peaks: 10TFLOPS,50GB/s.",
        ),
    ] = "",
    checkpoint: Checkpoint = None,
    tags: Tags,
    format: FormatOption = Format.TABLE,
) -> None:
    """Count what a model costs, by layer: parameters, operations, bytes and memory."""
    from graphscope.api.cost import cost as cost_of
    from graphscope.cli.options.loading import load
    from graphscope.cli.render.cost import write_cost

    if all and output:
        raise typer.BadParameter("cannot be used with --output", param_hint="--all")
    if device and peak:
        raise typer.BadParameter("cannot be used with --device", param_hint="--peak")
    if depth is not None and by is not Grouping.SCOPE:
        raise typer.BadParameter("is for --by scope", param_hint="--depth")
    sink = Sink.standard()
    report = cost_of(
        load(model, tags=split_tags(tags), checkpoint=checkpoint),
        outputs=output,
        all=all,
        by=by.value,
        depth=depth,
        shape=named_shapes(shape),
        batch=batch,
        device=device,
        peak=peak,
        listener=Speaker(sink),
    )
    write_cost(sink, format, report)


EXAMPLES = """
  graphscope cost frozen.pb
  graphscope cost frozen.pb --by op --device t4 --batch 32
  graphscope cost frozen.pb --shape input=1,224,224,3 --by node --format csv > nodes.csv
"""
