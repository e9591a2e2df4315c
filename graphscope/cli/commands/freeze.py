"""``graphscope freeze``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphscope.cli.options import shared
from graphscope.cli.terminal.output import Sink

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.core.model import Model
    from graphscope.runtime.verify import Verification
    from graphscope.transforms.freeze import FreezeOptions, Frozen


def _switch(name: str, text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(name, help=text)
    return option


def freeze(
    model: shared.ModelPath,
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The frozen graph to write: .pb, or .pbtxt for text.")
    ],
    output: shared.OutputNames,
    input: shared.InputNames,
    set_: shared.SetValues,
    checkpoint: shared.Checkpoint = None,
    ema: Annotated[bool, _switch("--ema", "Take each variable's moving average where there is one.")] = False,
    no_fold: Annotated[bool, _switch("--no-fold", "Fold no constants.")] = False,
    batch_norms: Annotated[bool, _switch("--fold-batch-norms", "Fold batch norms into the layers before.")] = False,
    keep_devices: Annotated[bool, _switch("--keep-devices", "Keep the devices that the graph names.")] = False,
    float16: Annotated[bool, _switch("--float16", "Store float32 weights in half precision.")] = False,
    verify: Annotated[bool, _switch("--verify", "Run both in TensorFlow; keep the file only if they agree.")] = False,
    feed: shared.Feeds,
    atol: shared.Atol = None,
    rtol: shared.Rtol = None,
    strict: Annotated[bool, _switch("--strict", "Refuse a model whose state would be lost.")] = False,
    tags: shared.Tags,
    trust: shared.Trust = False,
    force: shared.Force = False,
) -> None:
    """One graph of constants that computes the outputs as the model does."""
    from graphscope.cli.options.loading import load
    from graphscope.cli.options.output_choice import chosen_outputs
    from graphscope.cli.render.freeze import changed_lines, written_line
    from graphscope.formats.io.atomic import refuse_existing
    from graphscope.runtime.evaluate import TensorFlowKernels
    from graphscope.runtime.shapes import shapes_on_demand
    from graphscope.transforms.freeze import FreezeOptions
    from graphscope.transforms.freeze import freeze as freeze_model

    sink = Sink.standard()
    _is_text(out)
    refuse_existing(out, force)
    loaded = load(model, tags=shared.split_tags(tags), checkpoint=checkpoint)
    chosen = chosen_outputs(sink, loaded, output)
    options = FreezeOptions(
        outputs=chosen,
        inputs=tuple(input),
        values=_fixed(loaded, set_) if set_ else {},
        moving_averages=ema,
        fold=not no_fold,
        batch_norms=batch_norms,
        keep_devices=keep_devices,
        float16=float16,
        evaluate=TensorFlowKernels(),
        infer=shapes_on_demand(loaded),
    )
    frozen = freeze_model(loaded, options)
    _report_state(sink, frozen, strict)
    sink.lines(changed_lines(loaded, frozen, options))
    _warn_of_dropout(sink, frozen)
    _warn_of_own_data(sink, frozen)
    check = _Check(sink, loaded, options, frozen, feed, atol, rtol, trust) if verify else None
    written = _write(sink, frozen, out, force, check)
    sink.lines([written_line(out, *written)])


def _fixed(model: Model, texts: list[str]) -> dict[str, NDArray[Any]]:
    from graphscope.feeding.feeds import resolve_baked

    return resolve_baked(model, texts)


def _report_state(sink: Sink, frozen: Frozen, strict: bool) -> None:
    """Warns of variables that the frozen graph holds at one value while the model changes them from run to run."""
    from graphscope.cli.render.freeze import carried_line
    from graphscope.errors import GraphscopeError

    if not frozen.carried:
        return
    text = carried_line(frozen)
    if strict:
        raise GraphscopeError(text, hint="graphscope convert MODEL saved_model/   keeps variables; nothing was written")
    sink.warning(text)


def _warn_of_dropout(sink: Sink, frozen: Frozen) -> None:
    """Names the dropout that no input switches off."""
    from graphscope.transforms.drops import constant_drops

    names = [name for _, body in frozen.graph.bodies for name in constant_drops(body)]
    if names:
        sink.warning(
            f"dropout with a constant rate makes the result random: {', '.join(names[:5])};"
            " build the graph with a rate of 0, or --output what comes before it"
        )


def _warn_of_own_data(sink: Sink, frozen: Frozen) -> None:
    """Names what gives the author's data for ever, and the author's files that the graph names."""
    from graphscope.analysis.effects import named_files
    from graphscope.transforms.sources import data_sources

    sources = [source.node for source in data_sources(frozen.graph)]
    if sources:
        cut = " ".join(f"--input {name}" for name in sources)
        sink.warning(
            f"{', '.join(sources)} gives the data that the graph was built with, whatever is fed; {cut} makes an input of it"
        )
    files = named_files(frozen.graph)
    if files:
        sink.warning(f"the graph names files of the machine that it was built on: {', '.join(files[:5])}")


def _is_text(out: Path) -> bool:
    """Whether the name asks for text; one that asks for another format is wrong usage."""
    from graphscope.errors import GraphscopeError
    from graphscope.formats.graph.suffixes import GraphForm, graph_form

    try:
        form = graph_form(out)
    except GraphscopeError as error:
        raise typer.BadParameter(f"{error.message}; {error.hint}", param_hint="--out") from error
    if form is GraphForm.META:
        raise typer.BadParameter(
            f"{out}: a frozen graph is written as .pb (binary) or .pbtxt (text)", param_hint="--out"
        )
    return form is GraphForm.TEXT


def _write(sink: Sink, frozen: Frozen, out: Path, force: bool, check: _Check | None) -> tuple[int, float]:
    """Writes the file, checked if that was asked for; its size in bytes and the seconds that it took."""
    import time

    from graphscope.cli.terminal.progress import bytes_progress
    from graphscope.formats.io.atomic import write_file
    from graphscope.formats.io.staging import told
    from graphscope.formats.lazy.pieces import flow, graph_pieces, size_of
    from graphscope.formats.text.writer import graph_text
    from graphscope.transforms.freeze import refuse_oversize

    pieces = graph_pieces(frozen.graph)
    total = size_of(pieces)
    refuse_oversize(total)
    start = time.monotonic()
    with bytes_progress(sink, "writing", total) as progress:
        content = graph_text(frozen.graph) if _is_text(out) else flow(pieces)
        size = write_file(out, told(content, progress), overwrite=force, check=check or (lambda _: None))
    return size, time.monotonic() - start


class _Check:
    """Compares the written file with the model; what it raises leaves no file behind."""

    def __init__(
        self,
        sink: Sink,
        model: Model,
        options: FreezeOptions,
        frozen: Frozen,
        feeds: list[str],
        atol: float | None,
        rtol: float | None,
        trust: bool,
    ) -> None:
        self.sink = sink
        self.model = model
        self.options = options
        self.frozen = frozen
        self.feeds = feeds
        self.atol = atol
        self.rtol = rtol
        self.trust = trust

    def __call__(self, path: Path) -> None:
        from graphscope.cli.render.freeze import disagreement, unproven, verified_lines
        from graphscope.cli.terminal.graph_output import escaped_graph_output
        from graphscope.formats import load

        with escaped_graph_output(self.sink):
            found = self.compare(load(path))
        if not found.is_within:
            raise disagreement(found, self.options, self.frozen)
        if not found.is_proven:
            raise unproven(found, self.frozen)
        self.sink.lines(verified_lines(found, self.options))

    def compare(self, result: Model) -> Verification:
        from graphscope.feeding.feeds import resolve_tensors
        from graphscope.runtime.verify import ATOL, RTOL, verify

        return verify(
            self.model,
            result,
            self.options.outputs,
            feeds=resolve_tensors(result, self.feeds),
            fixed=self.options.values,
            values=dict(self.frozen.averaged),
            atol=ATOL if self.atol is None else self.atol,
            rtol=RTOL if self.rtol is None else self.rtol,
            trust=self.trust,
            originals=self.frozen.originals,
        )


EXAMPLES = """
  graphscope freeze model.ckpt-5000 -o model.pb --verify
  graphscope freeze model.ckpt-5000 -o model.pb --output prob --set is_training=false
  graphscope freeze graph.pbtxt --checkpoint model.ckpt-5000 -o model.pb --output prob
"""
