"""``graphscope nodes``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from graphscope.cli.options.completion import complete_node, complete_op, complete_scope
from graphscope.cli.options.shapes import LookedAtBatch, LookedAtShapes, named_shapes
from graphscope.cli.options.shared import (
    FormatOption,
    ModelPath,
    Patterns,
    Shapes,
    Tags,
    compile_patterns,
    repeatable,
    split_tags,
)
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.speaker import Speaker
from graphscope.core.model import Model

if TYPE_CHECKING:
    from graphscope.analysis.listing import Listing, NodeFilter, NodeRow
    from graphscope.core.graph import Body

Op = Annotated[list[str], repeatable("--op", "OP", "List only nodes with this op; repeatable.", complete_op)]
Scope = Annotated[
    str,
    typer.Option(
        "--scope",
        metavar="SCOPE",
        show_default=False,
        help="List only nodes in this name scope.",
        autocompletion=complete_scope,
    ),
]
InputsOf = Annotated[
    str,
    typer.Option(
        "--inputs-of",
        metavar="NODE",
        show_default=False,
        help="List only nodes that NODE needs.",
        autocompletion=complete_node,
    ),
]
ConsumersOf = Annotated[
    str,
    typer.Option(
        "--consumers-of",
        metavar="NODE",
        show_default=False,
        help="List only nodes that need NODE.",
        autocompletion=complete_node,
    ),
]
Depth = Annotated[
    int | None,
    typer.Option(
        "--depth",
        min=0,
        metavar="N",
        show_default=False,
        help="Steps to follow from NODE (default: 1), or levels of --tree (default: all); 0 for all.",
    ),
]


NOTHING = "no node matches"


def nodes(
    model: ModelPath,
    *,
    op: Op,
    name: Patterns,
    scope: Scope = "",
    inputs_of: InputsOf = "",
    consumers_of: ConsumersOf = "",
    depth: Depth = None,
    tensors: Annotated[bool, typer.Option("--tensors", help="List tensors instead of nodes.")] = False,
    tree: Annotated[bool, typer.Option("--tree", help="Show name scopes with their nodes and parameters.")] = False,
    functions: Annotated[bool, typer.Option("--functions", help="Include the bodies of library functions.")] = False,
    shapes: Shapes = False,
    shape: LookedAtShapes,
    batch: LookedAtBatch = None,
    tags: Tags,
    format: FormatOption = Format.TABLE,
) -> None:
    """List the nodes of a graph: op, outputs with type and shape, inputs, device."""
    from graphscope.analysis.listing import Listing, NodeFilter, list_nodes
    from graphscope.api.shapes import inferred_shapes
    from graphscope.cli.options.loading import open_any, refuse_options

    if tree and (tensors or shapes or shape or batch):
        raise typer.BadParameter("cannot be combined with --tensors, --shapes, --shape or --batch", param_hint="--tree")
    steps = 1 if depth is None else depth or None
    chosen = NodeFilter(op, compile_patterns(name), scope, inputs_of, consumers_of, steps)
    sink = Sink.standard()
    loaded = open_any(model, tags=split_tags(tags))
    outputs = tensors or format is not Format.NAMES
    listing = Listing(chosen, functions, outputs=outputs)
    if not isinstance(loaded, Model):
        from graphscope.analysis.foreign.listing import list_foreign_nodes

        refuse_options(loaded, {"--tree": tree, "--shapes": shapes, "--shape": shape, "--batch": batch})
        _write_rows(sink, format, list_foreign_nodes(loaded, listing), chosen, tensors=tensors)
        return
    if outputs and not tree:
        inferred = inferred_shapes(loaded, Speaker(sink), shape=named_shapes(shape), batch=batch, asks=shapes)
        listing = replace(listing, inferred=inferred)
    if tree:
        _write_tree(sink, format, loaded, listing, depth)
    else:
        has_devices = format is Format.TABLE and not tensors and _has_devices(loaded, functions)
        _write_rows(sink, format, list_nodes(loaded, listing), chosen, tensors=tensors, has_devices=has_devices)


def _has_devices(model: Model, functions: bool) -> bool:
    bodies = [body for _, body in model.graph.bodies] if functions else [model.graph]
    return any(node.device for body in bodies for node in body)


def _write_rows(
    sink: Sink,
    format: Format,
    rows: Iterator[NodeRow],
    chosen: NodeFilter,
    *,
    tensors: bool,
    has_devices: bool = False,
) -> None:
    from graphscope.cli.render import nodes as render_nodes
    from graphscope.cli.terminal.views import write_rows

    if tensors:
        write_rows(sink, format, render_nodes.tensor_view(), render_nodes.tensors(rows), NOTHING)
    else:
        has_steps = bool(chosen.inputs_of or chosen.consumers_of) and chosen.depth != 1
        write_rows(sink, format, render_nodes.node_view(has_devices=has_devices, has_steps=has_steps), rows, NOTHING)


def _write_tree(sink: Sink, format: Format, model: Model, listing: Listing, depth: int | None) -> None:
    from graphscope.analysis.scopes import scope_tree, weight_holders
    from graphscope.cli.render.tree import tree_view
    from graphscope.cli.terminal.views import write_rows

    chosen = listing.filter
    levels = None if chosen.inputs_of or chosen.consumers_of else depth or None
    if levels is not None and chosen.scope:
        levels += len(chosen.scope.rstrip("/").split("/"))
    is_counted = weight_holders(model)
    rows = (
        (function, row) for function, body in _bodies(model, listing) for row in scope_tree(body, levels, is_counted)
    )
    write_rows(sink, format, tree_view(), rows, NOTHING)


def _bodies(model: Model, listing: Listing) -> Iterator[tuple[str, Body]]:
    """The bodies to list, each with only the selected nodes."""
    from graphscope.analysis.listing import list_nodes
    from graphscope.core.graph import Body

    bodies = model.graph.bodies if listing.functions else iter([("", model.graph)])
    if listing.filter.takes_all:
        yield from bodies
        return
    chosen = {(row.function, row.name) for row in list_nodes(model, listing)}
    for function, body in bodies:
        yield function, Body(node for node in body if (function, node.name) in chosen)


EXAMPLES = """
  graphscope nodes frozen.pb --op Conv2D --op MatMul
  graphscope nodes frozen.pb --inputs-of prob --depth 2
  graphscope nodes model.ckpt-5000 --tree --depth 1
  graphscope nodes frozen.pb --tensors --format names
  graphscope nodes frozen.pb --shape input=1,224,224,3
"""
