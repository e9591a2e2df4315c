"""``graphscope freeze``."""

from __future__ import annotations

import enum
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from graphscope.api.freeze import freeze as freeze_model
from graphscope.api.freeze import graph_format
from graphscope.cli.options import shared
from graphscope.cli.options.loading import load
from graphscope.cli.options.shapes import BatchOption, InputShapes, given_batch, named_shapes
from graphscope.cli.render.freeze import changed_lines, frozen_report, open_switch_lines, verified_lines, written_line
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format, write_report
from graphscope.cli.terminal.speaker import Speaker


class DataFormat(str, enum.Enum):
    """The order of axes: ``NHWC`` has channels last."""

    NHWC = "NHWC"
    NCHW = "NCHW"


def _switch(name: str, text: str) -> Any:
    return typer.Option(name, help=text)


def freeze(
    model: shared.ModelPath,
    out_: Annotated[
        str | None,
        typer.Argument(metavar="[OUT]", show_default=False, help="The file to write: .pb (binary) or .pbtxt (text)."),
    ] = None,
    *,
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="FILE", show_default=False, help="The same as OUT.")
    ] = None,
    output: shared.OutputNames,
    input: shared.InputNames,
    set_: shared.SetValues,
    shape: InputShapes,
    batch: BatchOption = "",
    tables: Annotated[
        bool, _switch("--tables", "Bake small lookup tables into the graph; keep the initializers of others.")
    ] = False,
    data_format: Annotated[
        DataFormat | None,
        typer.Option("--data-format", show_default=False, help="Convert image ops to channels last or channels first."),
    ] = None,
    for_tensorflow: shared.ForTensorFlow = "",
    checkpoint: shared.Checkpoint = None,
    ema: Annotated[bool, _switch("--ema", "Use each variable's moving average, if it has one.")] = False,
    no_fold: Annotated[bool, _switch("--no-fold", "Do not fold constants.")] = False,
    batch_norms: Annotated[
        bool, _switch("--fold-batch-norms", "Fold batch norms into the layers before them.")
    ] = False,
    keep_devices: Annotated[bool, _switch("--keep-devices", "Keep the device assignments of the graph.")] = False,
    float16: Annotated[bool, _switch("--float16", "Store float32 weights in half precision.")] = False,
    verify: Annotated[bool, _switch("--verify", "Run both in TensorFlow; keep the file only if they agree.")] = False,
    feed: shared.Feeds,
    atol: shared.Atol = None,
    rtol: shared.Rtol = None,
    strict: Annotated[
        bool, _switch("--strict", "Refuse what is otherwise a warning: lost state, dropout, data that cannot be fed.")
    ] = False,
    tags: shared.Tags,
    trust: shared.Trust = False,
    force: shared.Force = False,
    format: shared.FormatOption = Format.TABLE,
) -> None:
    """Replace a model's variables with constants: one graph that computes the same outputs."""
    sink = Sink.standard()
    speaker = Speaker(sink)
    target = Path(shared.chosen_out(out_, out, "frozen.pb"))
    graph_format(target).refuse_unwritable(target, force)
    frozen = freeze_model(
        load(model, tags=shared.split_tags(tags), checkpoint=checkpoint),
        outputs=output,
        inputs=input,
        set=set_,
        ema=ema,
        fold=not no_fold,
        fold_batch_norms=batch_norms,
        keep_devices=keep_devices,
        float16=float16,
        shape=named_shapes(shape),
        batch=given_batch(batch),
        tables=tables,
        data_format=data_format.value if data_format else "",
        for_tensorflow=for_tensorflow,
        strict=strict,
        listener=speaker,
    )
    for line in open_switch_lines(frozen):
        sink.warning(line)
    if format is Format.TABLE:
        sink.lines(changed_lines(frozen))
    start = time.monotonic()
    saved = frozen.save(
        target, overwrite=force, verify=verify, feeds=feed, atol=atol, rtol=rtol, trust=trust, listener=speaker
    )
    found = saved.verification
    lines = [*(verified_lines(found, float16=float16) if found else ()), written_line(saved, time.monotonic() - start)]
    write_report(sink, format, frozen_report(frozen, saved), lines, [saved.path])


EXAMPLES = """
  graphscope freeze model.ckpt-5000 -o model.pb --verify
  graphscope freeze model.ckpt-5000 -o model.pb --output prob --set is_training=false
  graphscope freeze model.ckpt-5000 -o model.pb --batch ? --verify
  graphscope freeze graph.pbtxt --checkpoint model.ckpt-5000 -o model.pb --output prob
"""
