"""``graphscope run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphscope.cli.options import pictures as picture
from graphscope.cli.options import session, shared
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.views import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphscope.analysis.classes import Naming
    from graphscope.cli.render.run import ShownOutput
    from graphscope.core.model import Model
    from graphscope.feeding.naming import Fetch, Names

TOP = 5
"""Classes that are shown where ``--labels`` is given alone."""

Feeds = Annotated[
    list[str],
    shared.repeated(
        "--feed",
        "NAME=VALUE",
        "A number, a list, @x.npy, @x.npz:key, @picture.png, @directory/, random, zeros; repeat for more.",
    ),
]
Outputs = Annotated[list[str], shared.repeated("--output", "NAME", "A node or tensor to compute; repeat for more.")]


def run(
    model: shared.ModelPath,
    *,
    feed: Feeds,
    output: Outputs,
    signature: Annotated[
        str, typer.Option(metavar="NAME", show_default=False, help="Its arguments and outputs may be named.")
    ] = "",
    checkpoint: shared.Checkpoint = None,
    tags: shared.Tags,
    batch: Annotated[int, typer.Option(metavar="N", min=1, help="Size of unknown dimensions of random, zeros.")] = 1,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of random.")] = 0,
    scale: picture.Scale = "",
    mean: picture.Mean = "",
    top: Annotated[
        int | None, typer.Option(metavar="N", min=1, show_default=False, help="Show the classes that score highest.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False, help="Names of the classes, or what the examples show."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", show_default=False, help="Write the outputs to this file.")
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
    trust: shared.Trust = False,
) -> None:
    """Runs the graph once on what is fed, and shows the outputs."""
    from graphscope.cli.options.loading import load
    from graphscope.cli.render.run import ShownOutput, say_devices
    from graphscope.cli.terminal.graph_output import escaped_graph_output
    from graphscope.cli.terminal.interrupts import ended_by_interrupt
    from graphscope.feeding.feeds import FeedOptions, resolve_tensors
    from graphscope.formats.io.atomic import refuse_existing
    from graphscope.runtime.run import run as run_model

    sink = Sink.standard()
    options = session.session_options(
        devices, soft_placement, allow_growth, gpu_memory_fraction, threads, log_placement
    )
    rules, default = session.placement_rules(place), session.default_device(device)
    scaling = picture.scaling(scale, mean)
    if save is not None:
        refuse_existing(save, force)
    loaded = load(model, tags=shared.split_tags(tags), checkpoint=checkpoint)
    names = _names(loaded, signature)
    texts = names.feeds(feed)
    naming = _naming(labels, texts)
    fetches = _fetches(sink, names, output)
    feeds = resolve_tensors(loaded, texts, FeedOptions(seed, batch, scaling))
    with ended_by_interrupt(lambda: sink.note("interrupted")), escaped_graph_output(sink):
        found = run_model(
            loaded,
            [fetch.target for fetch in fetches],
            feeds,
            options=options,
            keep_devices=not clear_devices,
            place=rules,
            device=default,
            trust=trust,
        )
    say_devices(sink, found)
    outputs = [ShownOutput(fetch, value) for fetch, value in zip(fetches, found.values)]
    if save is not None:
        _save(sink, save, outputs, force)
    _show(sink, format, outputs, TOP if top is None and labels is not None else top, naming)


def _names(model: Model, signature: str) -> Names:
    from graphscope.analysis.choose_outputs import default_signature
    from graphscope.feeding.naming import Names, find_signature

    if signature:
        return Names(model, find_signature(model, signature), is_chosen=True)
    return Names(model, default_signature(model))


def _fetches(sink: Sink, names: Names, wanted: Sequence[str]) -> list[Fetch]:
    """The outputs: those that were named, those of the signature that was, or the likely ones."""
    from graphscope.cli.options.output_choice import chosen_outputs

    if wanted:
        return names.fetches(wanted)
    if names.is_chosen:
        return names.signature_fetches()
    called = {fetch.target: fetch for fetch in names.signature_fetches()}
    return [called.get(name) or names.fetches([name])[0] for name in chosen_outputs(sink, names.model, ())]


def _save(sink: Sink, path: Path, outputs: Sequence[ShownOutput], force: bool) -> None:
    from graphscope.cli.terminal.text import escape, size
    from graphscope.core.payload import ArrayPayload
    from graphscope.formats.archives.npz_writer import write_npz

    named = {(o.fetch.name.removesuffix(":0"), o.fetch.target): o for o in outputs}
    arrays = [(name, ArrayPayload(o.value, o.dtype)) for (name, _), o in named.items() if o.value is not None]
    written = write_npz(path, arrays, overwrite=force)
    sink.note(f"{escape(str(path))} written, {size(written)}")


def _naming(labels: Path | None, texts: Sequence[str]) -> Naming:
    """What the examples that are fed and the classes are called."""
    from graphscope.analysis.classes import Naming
    from graphscope.feeding.feeds import example_names
    from graphscope.formats.media.label_files import Labels, read_labels

    examples = example_names(texts)
    found = read_labels(labels, examples) if labels is not None else Labels()
    return Naming(examples, found.classes, found.truth)


def _show(sink: Sink, format: Format, outputs: Sequence[ShownOutput], top: int | None, naming: Naming) -> None:
    """The outputs as they are, or, if that was asked for, the classes of those that hold scores."""
    from graphscope.analysis.classes import are_scores, top_classes
    from graphscope.cli.render.run import write_classes, write_outputs
    from graphscope.errors import GraphscopeError

    if top is None:
        write_outputs(sink, format, outputs)
        return
    scores = [(o.fetch.name, o.value) for o in outputs if o.value is not None and are_scores(o.value)]
    if not scores:
        listed = ", ".join(o.fetch.name for o in outputs)
        raise GraphscopeError(f"--top: no output has scores of classes, a row for each example: {listed}")
    write_classes(sink, format, [row for name, value in scores for row in top_classes(name, value, top, naming)])
    others = [o.fetch.name for o in outputs if o.fetch.name not in dict(scores)]
    if others:
        sink.note(f"without scores of classes, not shown: {', '.join(others)}")


EXAMPLES = """
  graphscope run frozen.pb --feed input=@digits/ --top 3
  graphscope run model.ckpt-5000 --feed x=random --feed is_training=false --output prob
  graphscope run saved_model --signature predict --feed image=@cat.jpg --labels labels.txt
  graphscope run frozen.pb --feed input=@x.npy --output prob --save prob.npz
"""
