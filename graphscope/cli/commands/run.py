"""``graphscope run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphscope.api.run import Outputs
from graphscope.api.run import run as run_model
from graphscope.cli.options import pictures as picture
from graphscope.cli.options import session, shared
from graphscope.cli.options.loading import load_runnable
from graphscope.cli.render.run import say_devices, show_outputs, write_classes, write_outputs
from graphscope.cli.terminal.interrupts import ended_by_interrupt
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.speaker import Speaker
from graphscope.cli.terminal.text import escape, size
from graphscope.errors import some
from graphscope.formats.io.places import refuse_unwritable
from graphscope.formats.media.picture_files import FORMATS as PICTURES
from graphscope.runtime.config import Placing

TOP = 5
"""Number of classes shown with ``--labels`` but no ``--top``."""

Feeds = Annotated[
    list[str],
    shared.repeatable(
        "--feed",
        "NAME=VALUE",
        "Feed a tensor: a number, a list, @x.npy, @x.npz:key, @picture.png, @directory/, random, zeros; repeatable.",
    ),
]
Wanted = Annotated[list[str], shared.repeatable("--output", "NAME", "Compute this node or tensor; repeatable.")]


def run(
    model: shared.ModelPath,
    *,
    feed: Feeds,
    output: Wanted,
    signature: Annotated[
        str, typer.Option(metavar="NAME", show_default=False, help="Use this signature's input and output names.")
    ] = "",
    checkpoint: shared.Checkpoint = None,
    tags: shared.Tags,
    batch: Annotated[int, typer.Option(metavar="N", min=1, help="Size of unknown dimensions of random and zeros.")] = 1,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed for random values.")] = 0,
    scale: picture.Scale = "",
    mean: picture.Mean = "",
    top: Annotated[
        int | None, typer.Option(metavar="N", min=1, show_default=False, help="Show the N highest-scoring classes.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False, help="Class names, or the true label of each example."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False, help="Save the outputs: .npz, or pictures: .png, .jpg."),
    ] = None,
    force: shared.Force = False,
    format: shared.FormatOption = Format.TABLE,
    device: session.DefaultDevice = "",
    devices: session.Devices = "",
    clear_devices: session.ClearDevices = False,
    place: session.Place,
    soft_placement: session.SoftPlacement = True,
    allow_growth: session.AllowGrowth = False,
    gpu_memory_fraction: session.GpuMemoryFraction = None,
    threads: session.Threads = "",
    log_placement: session.LogPlacement = False,
    log_executed: session.LogExecuted = False,
    trust: shared.Trust = False,
    engine: session.Engine = None,
) -> None:
    """Run a model once and show its outputs."""
    sink = Sink.standard()
    settings = session.session_options(
        devices, soft_placement, allow_growth, gpu_memory_fraction, threads, log_placement, log_executed
    )
    placing = Placing(clear_devices, session.placement_rules(place), session.default_device(device))
    scaling = picture.scaling(scale, mean)
    if save is not None:
        refuse_unwritable(save, force)
    loaded = load_runnable(model, tags=shared.split_tags(tags), checkpoint=checkpoint)
    with ended_by_interrupt(lambda: sink.note("interrupted")):
        outputs = run_model(
            loaded,
            feed,
            outputs=output,
            signature=signature,
            batch=batch,
            seed=seed,
            scaling=scaling,
            labels=labels,
            placing=placing,
            session=settings,
            trust=trust,
            engine=engine.value if engine is not None else "",
            listener=Speaker(sink),
        )
    say_devices(sink, outputs.result)
    if save is not None:
        _save(sink, outputs, save, force)
    _show(sink, format, outputs, TOP if top is None and labels is not None else top)


def _save(sink: Sink, outputs: Outputs, path: Path, force: bool) -> None:
    """Pictures or an archive, depending on the suffix."""
    if path.suffix.lower() not in PICTURES:
        sink.note(f"{escape(str(path))} written, {size(outputs.save(path, overwrite=force))}")
        return
    saved = outputs.save_pictures(path, overwrite=force)
    sink.note(f"{escape(some(saved.paths, 2))} written, {size(saved.size_bytes)}; {saved.rule}")


def _show(sink: Sink, format: Format, outputs: Outputs, top: int | None) -> None:
    """Shows the outputs, or, if requested, the classes of those that hold scores."""
    if top is None:
        write_outputs(sink, format, show_outputs(outputs))
        return
    examples = outputs.top(top)
    write_classes(sink, format, examples)
    scored = {example.output for example in examples}
    others = [fetch.name for fetch in outputs.fetches if fetch.name not in scored]
    if others:
        sink.note(f"not shown, because they have no class scores: {', '.join(others)}")


EXAMPLES = """
  graphscope run frozen.pb --feed input=@digits/ --top 3
  graphscope run model.ckpt-5000 --feed x=random --feed is_training=false --output prob
  graphscope run saved_model --signature predict --feed image=@cat.jpg --labels labels.txt
  graphscope run frozen.pb --feed input=@x.npy --output prob --save prob.npz
  graphscope run frozen.pb --feed input=@x.npy --engine onnxruntime
  graphscope run model.onnx --feed input=random --output prob
"""
