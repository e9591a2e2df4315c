"""TF.js as a target of exports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from graphscope.export.target import Converted, ExportOptions, Written
from graphscope.export.tfjs.convert import convert as convert_graph
from graphscope.export.tfjs.write import write_tfjs

if TYPE_CHECKING:
    from graphscope.core.graph import Graph
    from graphscope.export.tfjs.graph import TfjsGraph
    from graphscope.formats.registry import WriteOptions


def require() -> None:
    """See :class:`graphscope.export.target.Target`: nothing."""


def convert(graph: Graph, outputs: Sequence[str], options: ExportOptions, path: str) -> Converted:
    """See :class:`graphscope.export.target.Target`."""
    made = convert_graph(graph, outputs, path, rename=options.rename, arguments=options.arguments)
    return Converted(
        inputs=tuple(made.signature.inputs),
        outputs=tuple(made.signature.outputs),
        weight_bytes=sum(weight.nbytes for weight in made.weights),
        write=partial(_write, made),
        random=tuple(made.random),
        tensors=made.tensors,
        notes=tuple(_notes(made)),
    )


def _write(made: TfjsGraph, path: Path, options: WriteOptions) -> Written:
    return write_tfjs(made, path, overwrite=options.overwrite, progress=options.progress, check=options.check)


def _notes(made: TfjsGraph) -> Iterator[str]:
    for dtype, (held, count) in made.changed_types.items():
        yield f"TF.js has no {dtype}: it computes {count:,} {'tensors' if count > 1 else 'tensor'} as {held}"
    if made.is_dynamic:
        yield "the model has loops, branches or sizes that depend on values: run it with executeAsync"
